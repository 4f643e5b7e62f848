"""What H's scripts have in common: how a reply is read by its form, what H says, and its reach."""

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


def too_high(needed: int, level: int) -> str | None:
    """Why HCH_level cannot answer, where it reaches operator height level + 1; None if it can."""
    if needed <= level + 1:
        return None
    return (
        f"level {level} reaches operator height {level + 1} and this one has {needed}; "
        f"use --depth {needed - 1} or more"
    )
