"""What H's scripts have in common: reading a reply by its form, and saying something themselves."""

from __future__ import annotations

import re

from hch.types import Answer, Text

YES, NO = "yes", "no"


def said(body: str, *replies: Answer) -> Answer:
    """H's own answer, to be trusted as far as all that it was made from."""
    trusted = all(reply.text is None or reply.text.trusted for reply in replies)
    return Answer("answered", Text(body, "script", trusted))


def told(body: str) -> Answer:
    """The oracle's answer, or the truth."""
    return Answer("answered", Text(body, "oracle"))


def unknown(reason: str) -> Answer:
    """H does not know, and why."""
    return Answer("unanswered", reason=reason)


def read(answer: Answer, form: re.Pattern[str]) -> str | None:
    """What an answer says, where it is answered and has this form."""
    if answer.status != "answered" or answer.text is None:
        return None
    body = answer.text.body
    return body if form.fullmatch(body) else None
