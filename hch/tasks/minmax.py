"""Trees of min and max over digits, such as max(3,min(4,7)).

The project's own, beside the 2018 tasks: answers are single digits, so that errors often do not
matter, or coincide. H can compare two given digits, the primitive, and asks for each operand that
is none. So HCH_n reaches operator height n + 1, and says that it cannot reach beyond.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from random import Random
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field

from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._replies import read, said, told, too_high, unknown
from hch.types import Answer, Question, Text

HIGHEST = 16
"""Operators on the way from the outermost to a digit; a full tree of that height has 65,535."""

_DIGIT = re.compile(r"[0-9]")
_TOKEN = re.compile(r"(?P<opened>min\(|max\()|(?P<digit>[0-9])|(?P<comma>,)|(?P<closed>\))")


class Comparison(NamedTuple):
    """The lesser or the greater of two operands."""

    op: str
    left: Term
    right: Term


Term: TypeAlias = str | Comparison
"""A digit, or two compared."""


class Minmax(Task):
    """An instance's facts are its one question, which says all of it."""

    name = "minmax"
    has_facts = False

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """A full binary tree of operator height `size`, 1 to 16, at random in all else."""
        if not 1 <= size <= HIGHEST:
            raise ValueError(f"an operator height is 1 to {HIGHEST}, not {size}")
        return Instance.of(self.name, self.render(_grown(rng, size)))

    def check(self, instance: Instance) -> None:
        if not isinstance(instance.facts, str):
            raise ValueError("the facts are no text: they are a question, such as max(3,min(4,7))")
        self.parse(instance.facts)

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The one question. It names no instance, so that equal ones are shared."""
        yield Question(Text(instance.facts, "task"))

    def parse(self, text: str) -> Term:
        terms: list[Term] = []
        opened: list[tuple[str, int]] = []
        at, due = 0, True  # an operand is due
        while at < len(text):
            token = _TOKEN.match(text, at)
            kind = token.lastgroup if token else None
            if token is None or due != (kind in {"opened", "digit"}):
                raise ValueError(_wrong(text, at))
            at = token.end()
            if kind == "opened":
                opened.append((token[0][:3], len(terms)))
            elif kind == "digit":
                terms.append(token[0])
                due = False
            elif not opened:
                raise ValueError(_wrong(text, at))
            elif kind == "comma":
                due = True
            else:
                op, before = opened.pop()
                if len(terms) != before + 2:
                    raise ValueError(f"{one_line(text, 60)!r}: {op} takes two operands")
                right = terms.pop()
                terms.append(Comparison(op, terms.pop(), right))
            if len(opened) > HIGHEST:
                raise ValueError(f"its operators are nested deeper than {HIGHEST}")
        if due or opened:
            raise ValueError(_wrong(text, at))
        return terms[0]

    def render(self, term: Term) -> str:
        if isinstance(term, str):
            return term
        return f"{term.op}({self.render(term.left)},{self.render(term.right)})"

    def beyond(self, term: Term, level: int) -> str | None:
        """Why HCH_level cannot answer: operators nested deeper than level + 1."""
        return too_high(height(term), level)

    def steps(self, term: Term) -> Generator[Step, Any, Answer]:
        """Ask for each operand that is no digit, in one round; compare the two by the primitive."""
        if isinstance(term, str):
            return said(term)
        parts = (term.left, term.right)
        asked = [part for part in parts if not isinstance(part, str)]
        replies = list((yield tuple(map(Ask, asked)))) if asked else []
        digits = [digit for reply in replies if (digit := read(reply, _DIGIT)) is not None]
        if len(digits) < len(asked):
            lacking = next(a for a, r in zip(asked, replies, strict=True) if not self.valid(a, r))
            return unknown(f"{one_line(self.render(lacking), 80)} got no digit")
        given = iter(digits)
        left, right = (part if isinstance(part, str) else next(given) for part in parts)
        single = Comparison(term.op, left, right)
        reply = yield Primitive(single)
        if (found := read(reply, _DIGIT)) is None:
            return unknown(f"{self.render(single)} got no digit")
        return said(found, *replies, reply)

    def primitive(self, instance: Instance | None, term: Term, rng: Random) -> Answer | None:
        """Of two digits, the one that is asked for; None for any other term."""
        return self.truth(instance, term) if height(term) == 1 else None

    def truth(self, instance: Instance | None, term: Term) -> Answer:
        return told(_value(term))

    def valid(self, term: Term, answer: Answer) -> bool:
        """Whether it is one digit."""
        return read(answer, _DIGIT) is not None

    def kind(self, term: Term) -> str:
        return f"height {height(term)}"

    def guess(self, term: Term, rng: Random) -> Answer:
        return told(str(rng.randrange(10)))


def height(term: Term) -> int:
    """Operators on the longest way from the outermost to a digit."""
    return 0 if isinstance(term, str) else 1 + max(height(term.left), height(term.right))


def _value(term: Term) -> str:
    if isinstance(term, str):
        return term
    return (min if term.op == "min" else max)(_value(term.left), _value(term.right))


def _grown(rng: Random, height: int) -> Term:
    if not height:
        return str(rng.randrange(10))
    return Comparison(rng.choice(("min", "max")), _grown(rng, height - 1), _grown(rng, height - 1))


def _wrong(text: str, at: int) -> str:
    return (
        f"{one_line(text, 60)!r} is not of the form max(3,min(4,7)): "
        f"see place {at + 1}, {one_line(text[at : at + 12], 12)!r}"
    )


def build(*, size: Annotated[int, Field(ge=1, le=HIGHEST)] = 4) -> Task:
    return Minmax(size)
