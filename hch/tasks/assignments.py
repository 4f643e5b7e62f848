"""Sequential assignments: the value of a variable that is a function of two earlier ones.

Of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). Of 64 variables the first 8 are
constants, and each later one is f(y, z) of two random earlier ones. The oracle says what a
variable's operands are, and what f is of two given values; f is a random table of 8 by 8, of which
the facts have what the assignments use.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import isqrt
from random import Random
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._calls import Call, Form, Grammar
from hch.tasks._elements import ELEMENT, LETTER, LETTERS, Size, elements
from hch.tasks._facts import fit
from hch.tasks._replies import said, told, unknown
from hch.types import Answer, Question, Text

_X, _V = ELEMENT.pattern, LETTER.pattern
_Symbols = Annotated[str, Field(strict=True, pattern="^[a-h]{1,2}$")]
_Fact = Annotated[list[_Symbols], Field(min_length=2, max_length=3)]
_FACTS = TypeAdapter(list[_Fact])
_GRAMMAR = Grammar(
    {
        "value": Form((_X,), _V, "value(ab)"),
        "A": Form((_X,), f"{_X}|{_V}", "A(ab)"),
        "B": Form((_X,), _X, "B(ab)"),
        "f": Form((_V, _V), _V, "f(c,d)"),
    }
)


class Assignments(Task):
    """The facts are [x, value] of constants, [x, y, z] of the others, and [a, b, f(a, b)].

    They are in the order of assignment, the last kind once for each assignment that uses it; so
    there are 120 of 64 variables.
    """

    name = "assignments"
    has_facts = True

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """Names are dealt out at random, so that none tells how early its variable is."""
        variables = rng.sample(elements(size), size)
        constants = isqrt(size)
        f = {(a, b): rng.choice(LETTERS) for a in LETTERS for b in LETTERS}
        values = {x: rng.choice(LETTERS) for x in variables[:constants]}
        assigned, used = [[x, value] for x, value in values.items()], []
        for i in range(constants, size):
            x, y, z = variables[i], *(rng.choice(variables[:i]) for _ in "yz")
            a, b = values[y], values[z]
            values[x] = f[a, b]
            assigned.append([x, y, z])
            used.append([a, b, f[a, b]])
        return Instance.of(self.name, assigned + used)

    def check(self, instance: Instance) -> None:
        fit(_FACTS, instance.facts)
        if not {tuple(map(len, fact)) for fact in instance.facts} <= {(2, 1), (2, 2, 2), (1, 1, 1)}:
            raise ValueError("one of the facts is no [ab, c], [ab, cd, ef] or [a, b, c]")
        used = {tuple(fact) for fact in instance.facts if len(fact[0]) == 1}
        assigned = [fact[0] for fact in instance.facts if len(fact[0]) > 1]
        if len({pair[:2] for pair in used}) < len(used):
            raise ValueError("the facts give f two values of the same letters")
        if not assigned or len(set(assigned)) < len(assigned):
            raise ValueError("the facts assign to a variable twice, or to none")
        try:
            instance.view(_values)
        except KeyError as error:
            raise ValueError(f"the facts use {error.args[0]} and have not told it before") from None

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The value of a variable, each as likely."""
        variables = list(instance.view(_values))
        while True:
            text = self.render(Call("value", (rng.choice(variables),)))
            yield Question(Text(text, "task"), instance=instance.digest)

    def space(self, instance: Instance) -> Iterator[Call]:
        """The value of every variable."""
        return (Call("value", (x,)) for x in instance.view(_values))

    def parse(self, text: str) -> Call:
        return _GRAMMAR.parse(text)

    def render(self, term: Call) -> str:
        return _GRAMMAR.render(term)

    def steps(self, term: Call) -> Generator[Step, Any, Answer]:
        """Both operands are asked for, then their values, then f of these; a constant is said."""
        if term.name != "value":
            answer: Answer = yield Primitive(term)
            return answer
        replies, values = [], []
        for operand in "AB":
            part = Call(operand, term.args)
            reply = yield Primitive(part)
            got = _GRAMMAR.said(part, reply)
            if got is not None and len(got) == 1:
                return said(got, reply)
            if got is None:
                return unknown(f"{self.render(part)} got no variable")
            part = Call("value", (got,))
            value = yield Ask(part)
            if (read := _GRAMMAR.said(part, value)) is None:
                return unknown(f"{self.render(part)} got no value")
            replies += [reply, value]
            values.append(read)
        part = Call("f", tuple(values))
        reply = yield Primitive(part)
        if (read := _GRAMMAR.said(part, reply)) is None:
            return unknown(f"{self.render(part)} got no value")
        return said(read, *replies, reply)

    def primitive(self, instance: Instance | None, term: Call, rng: Random) -> Answer | None:
        """An operand of a variable, the constant that it is, or f of two values."""
        known = instance.view(_told).get(term) if instance else None
        return told(known) if known else None

    def truth(self, instance: Instance | None, term: Call) -> Answer:
        if term.name != "value":
            return self.primitive(instance, term, Random(0)) or unknown("nobody knows")
        value = instance.view(_values).get(term.args[0]) if instance else None
        return told(value) if value else unknown(f"{term.args[0]} is no variable of this instance")

    def valid(self, term: Call, answer: Answer) -> bool:
        """Whether it is a value, one letter; of an operand, a variable or a constant."""
        return _GRAMMAR.said(term, answer) is not None

    def guess(self, term: Call, rng: Random) -> Answer:
        return told(rng.choice(LETTERS if term.name in {"value", "f"} else elements(self.size)))


def _told(facts: list[list[str]]) -> dict[Call, str]:
    """What the oracle says."""
    found = {}
    for x, *given in facts:
        if len(given) == 1:
            found[Call("A", (x,))] = given[0]
        elif len(x) == 1:
            found[Call("f", (x, given[0]))] = given[1]
        else:
            found[Call("A", (x,))], found[Call("B", (x,))] = given
    return found


def _values(facts: list[list[str]]) -> dict[str, str]:
    """The value of every variable, in the order of assignment."""
    f = {(a, b): value for a, b, value in (fact for fact in facts if len(fact) == 3)}
    values: dict[str, str] = {}
    for x, *given in facts:
        if len(given) == 1:
            values[x] = given[0]
        elif len(x) > 1:
            values[x] = f[values[given[0]], values[given[1]]]
    return values


def build(*, size: Size = 64) -> Task:
    return Assignments(size)
