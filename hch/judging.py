"""The questions that are put to whoever checks or judges an answer, and how the replies are read.

Each asks for one line, so that any player can answer it: a model, a tree, a person. What is judged
is sent along as texts, and stays data; the words of a question are fixed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hch.safe_text import one_line
from hch.types import KEPT, Answer, Question, Text

Said: TypeAlias = Literal["accept", "reject", "unsure"]

_LINES = """\
Reply with one line:
ACCEPT
or, if it is not right: REJECT: and why, in one sentence
or, if you cannot find out: CANNOT TELL: and why"""

CHECKING = f"""\
Is the answer right? The last text is an answer that somebody gave, and the text before it is the \
question that it answers; the texts before these, if there are any, came with that question. Find \
out for yourself what the answer should be, and compare.
{_LINES}"""

GRADING = f"""\
Is the last text, as an answer to the question, the same in substance as the answer in the text \
before it, which is right? The question is the third text from the end; the texts before it, if \
there are any, came with that question. Wording, form and length do not matter.
{_LINES}"""

MATCHING = """\
Which text says the same in substance as the last one? The last text is an answer to the question \
in the text before it. All other texts, from text 1 on, are other answers to that question. \
Wording, form and length do not matter.
Reply with the number of that text, such as 1, and nothing else; or with NONE, if none of them does\
"""

REJECTED = "An earlier answer to this question was rejected: "

_WORDS: dict[str, Said] = {"ACCEPT": "accept", "REJECT": "reject", "CANNOT TELL": "unsure"}
_WANTED = {CHECKING: 2, GRADING: 3}
"""How many texts go along at the least, by the question."""

_LINE = re.compile(
    r"""
    (?P<markup>[*_`]*) (?P<word>accept|reject|cannot\ tell) [.!]* [*_`]* [ \t]*
    (?: :[*_`]* (?P<reason>.*) | (?: [.,;] | [-–—]+[ \t] | (?=\() | (?=because\b) ) (?P<loose>.+) )?
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_UNCLEAR = re.compile(
    r"[ \t]*(?:and|but|except|if|only|or|provided|though|unless)\b"
    r"|.*\b(?:accept|reject|cannot tell)\b",
    re.IGNORECASE | re.ASCII,
)
"""What makes a line of two minds, after anything but a colon."""
_NUMBER = re.compile(r"(?:text )?([0-9]{1,6})\.?", re.IGNORECASE)
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to: whether an answer stands, and why it does not."""

    said: Said
    reason: str = ""

    @property
    def line(self) -> str:
        """It as a reply, on one line; `verdict` reads it."""
        word = next(word for word, said in _WORDS.items() if said == self.said)
        reason = " ".join(self.reason.split())
        if self.said == "accept":
            return word
        return f"{word}: {reason or 'no reason given'}"


def checking(question: Question, answer: Text) -> Question:
    """Whether that is right, for somebody who does not see how it was come by."""
    return _judging(CHECKING, question, (*question.context, question.text, answer))


def grading(question: Question, expected: Text, said: Text) -> Question:
    """Whether an answer is the same in substance as the one expected."""
    return _judging(GRADING, question, (*question.context, question.text, expected, said))


def matching(question: Question, said: Text, known: Sequence[Text]) -> Question:
    """Which of the answers known says the same as this one."""
    return _judging(MATCHING, question, (*known, question.text, said))


def verdict(answer: Answer) -> Verdict:
    """What a reply to `checking` or `grading` says; all that is no such line is unsure, and why."""
    if answer.text is None or not answer.answered:
        return Verdict("unsure", one_line(answer.reason or answer.status, _SHOWN))
    first = answer.text.body.strip().partition("\n")[0].strip()
    found = _LINE.fullmatch(first)
    if found is None or _UNCLEAR.match(found["loose"] or ""):
        shown = one_line(first, _SHOWN)
        return Verdict("unsure", f"the check says neither ACCEPT, REJECT nor CANNOT TELL: {shown}")
    said = _WORDS[found["word"].upper()]
    reason = (found["reason"] or found["loose"] or "").strip()
    if found["markup"]:
        reason = reason.rstrip("*_`")
    reason = reason[:KEPT]
    return Verdict(said, reason or ("" if said == "accept" else "no reason given"))


def matched(answer: Answer, n: int) -> int | None:
    """Which of n known answers a reply to `matching` names, from 0 on; None for none of them."""
    if answer.text is None or not answer.answered:
        return None
    found = _NUMBER.fullmatch(answer.text.body.strip().partition("\n")[0].strip())
    return int(found[1]) - 1 if found and 1 <= int(found[1]) <= n else None


def parts_of(question: Question) -> tuple[Text, Text]:
    """The question and the answer that a `checking` question is about.

    Raises ValueError for any other question.
    """
    if question.text.body != CHECKING or len(question.context) < 2:
        raise ValueError("this is not a question whether an answer is right")
    return question.context[-2], question.context[-1]


def about(question: str, context: Sequence[str]) -> tuple[str, tuple[str, ...]] | None:
    """The question whose answer one is about, with the texts that came with it; None for others.

    What came with it is not known of `matching`.
    """
    if question == CHECKING and len(context) >= _WANTED[CHECKING]:
        return context[-2], tuple(context[:-2])
    if question == GRADING and len(context) >= _WANTED[GRADING]:
        return context[-3], tuple(context[:-3])
    if question == MATCHING and len(context) > 1:
        return context[-2], ()
    return None


def is_verdict_wanted(question: Question) -> bool:
    """Whether it is to be answered as `verdict` reads it, with all that it is about sent along."""
    least = _WANTED.get(question.text.body)
    return least is not None and len(question.context) >= least


def rejected(verdict: Verdict, answer: Text) -> Text:
    """What a fresh try is told of an answer that was rejected: the reason, not the answer."""
    body = f"{REJECTED}{verdict.reason}"
    return Text(body, answer.source, answer.trusted)


def _judging(words: str, question: Question, context: tuple[Text, ...]) -> Question:
    return Question(Text(words, "script"), context, question.instance)
