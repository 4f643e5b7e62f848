"""Integer expressions with + - *, unary minus and parentheses, of any size.

The project's own sixth task, beside the five of Christiano, Shlegeris and Amodei 2018 (arXiv
1810.08575), from which the scheme comes: H decomposes, an oracle answers primitive questions
exactly. H can do one operation on two given numbers in its head: the primitive. Everything else
it takes apart at the outermost operator. So HCH_n answers what has operator height at most n + 1
(a number has 0, an operator one more than its highest operand) and says that it cannot beyond.
What a question may look like, and what it may not, is told in `hch.tasks._expression`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from operator import add, mul, sub
from random import Random
from typing import Annotated, Any

from pydantic import Field

from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks import _expression
from hch.tasks._expression import Negation, Number, Op, Operation, Term, height, operands, postorder
from hch.tasks._integers import read_integer, write_integer
from hch.tasks._replies import told, too_high
from hch.types import Answer, Question, Text

_OPERATIONS: Mapping[Op, Callable[[int, int], int]] = {"+": add, "-": sub, "*": mul}
_INTEGER = re.compile("0|-?[1-9][0-9]*+")


class Arithmetic(Task):
    """The task; an instance's facts are its expression, and the question says all of it."""

    name = "arithmetic"
    has_facts = False

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """An expression of operator height exactly `size`, with at most 3 operators a level."""
        if size < 0:
            raise ValueError(f"an operator height is at least 0, not {size}")
        text = str(_grown(rng, size, side=2))
        return Instance.of(self.name, text)

    def check(self, instance: Instance) -> None:
        if not isinstance(instance.facts, str):
            raise ValueError("the facts are no text: they are an expression, such as 2 + 3 * 4")
        self.parse(instance.facts)

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The one question. It names no instance, so that equal expressions are shared."""
        yield Question(Text(f"What is {instance.facts}?", "task"))

    def parse(self, text: str) -> Term:
        """The term of the one expression in a text. Raises ValueError with what is wrong."""
        return _expression.parse(text)

    def render(self, term: Term) -> str:
        return _expression.render(term)

    def beyond(self, term: Term, level: int) -> str | None:
        """Why HCH_level cannot answer: operators nested deeper than level + 1."""
        return too_high(height(term), level)

    def steps(self, term: Term) -> Generator[Step, Any, Answer]:
        """Ask for each operand that is no number, in one round; combine them by the primitive."""
        if isinstance(term, Number):
            return Answer("answered", Text(write_integer(term.value), "script"))
        asked = tuple(Ask(part) for part in operands(term) if not isinstance(part, Number))
        replies = (yield asked) if asked else ()
        if lacking := _lacking(asked, replies):
            return Answer("unanswered", reason=lacking)
        given = (Number(read_integer(reply.text.body.strip())) for reply in replies)
        parts = [part if isinstance(part, Number) else next(given) for part in operands(term)]
        single = Negation(*parts) if isinstance(term, Negation) else Operation(term.op, *parts)
        result = yield (primitive := Primitive(single))
        if lacking := _lacking([primitive], [result]):
            return Answer("unanswered", reason=lacking)
        trusted = all(reply.text.trusted for reply in (*replies, result))
        return Answer("answered", Text(result.text.body.strip(), "script", trusted))

    def primitive(self, instance: Instance | None, term: Term, rng: Random) -> Answer | None:
        """The exact result of one operation on numbers, None for any other term."""
        return self.truth(instance, term) if height(term) == 1 else None

    def truth(self, instance: Instance | None, term: Term) -> Answer:
        """The value in decimal digits."""
        return told(write_integer(_value(term)))

    def valid(self, term: Term, answer: Answer) -> bool:
        """Whether it is an integer: digits, no leading zero, a minus or no sign, nothing else."""
        return _read(answer) is not None

    def grade(self, instance: Instance | None, term: Term, answer: Answer) -> bool:
        """Whether it is the right integer, written as `valid` wants it."""
        value = _read(answer)
        return value is not None and value == _read(self.truth(instance, term))

    def kind(self, term: Term) -> str:
        return f"height {height(term)}"

    def guess(self, term: Term, rng: Random) -> Answer:
        """The right integer or one that is up to 9 off, each as likely."""
        return told(write_integer(_value(term) + rng.randint(-9, 9)))


def build(*, size: Annotated[int, Field(ge=0, le=100)] = 4) -> Task:
    return Arithmetic(size)


def _grown(rng: Random, levels: int, side: int) -> Term:
    """A random term of operator height `levels`: a spine, with operands up to `side` high."""
    term: Term = Number(rng.randint(-9, 20))
    for done in range(levels):
        if rng.random() < 1 / 8:
            term = Negation(term)
            continue
        other = _grown(rng, rng.randint(0, min(done, side)), side=0)
        left, right = (term, other) if rng.random() < 1 / 2 else (other, term)
        term = Operation(rng.choice([*_OPERATIONS]), left, right)
    return term


def _value(term: Term) -> int:
    values: list[int] = []
    for node in postorder(term):
        match node:
            case Number(value):
                values.append(value)
            case Negation():
                values.append(-values.pop())
            case Operation(op):
                right = values.pop()
                values.append(_OPERATIONS[op](values.pop(), right))
    return values[0]


def _lacking(steps: Iterable[Ask | Primitive], replies: Iterable[Answer]) -> str:
    """Which questions got no integer for an answer, and why; empty if all did."""
    return "; ".join(
        f'"{one_line(_expression.render(step.term), 80)}" got no integer: '
        f"{reply.status} ({one_line(reply.text.body if reply.text else reply.reason, 160)})"
        for step, reply in zip(steps, replies, strict=True)
        if _read(reply) is None
    )


def _read(answer: Answer) -> int | None:
    """The integer that an answer is; None if it is something else or none."""
    body = answer.text.body.strip() if answer.answered and answer.text else ""
    return read_integer(body) if _INTEGER.fullmatch(body) else None
