"""Wildcard search: the sum of a function of bits over all that a pattern of 0, 1 and * matches.

Of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). f maps 6 bits to -1 or 1; the oracle
says what it is of given bits. Sums are clamped to ±32, for n bits to ±2^(n-1). HCH_n reaches
n + 1 stars.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from itertools import product
from random import Random
from typing import Annotated, Any, TypeAlias

from pydantic import Field, TypeAdapter

from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._facts import fit
from hch.tasks._replies import read, said, told, unknown
from hch.types import Answer, Question, Text

_QUESTION = re.compile(r"sum\(([01*]{1,16})\)")
_SUM = re.compile(r"0|-?[1-9][0-9]{0,4}")
_Bits: TypeAlias = Annotated[str, Field(strict=True, pattern="^[01]{1,16}$")]
_Value: TypeAlias = Annotated[int, Field(strict=True, ge=-1, le=1)]
_FACTS = TypeAdapter(Annotated[list[tuple[_Bits, _Value]], Field(min_length=2)])


class Wildcard(Task):
    """The facts are [bits, value] for every string of `size` bits; a term is a pattern."""

    name = "wildcard"
    has_facts = True

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """A random function of `size` bits, 1 to 16."""
        strings = map("".join, product("01", repeat=size))
        return Instance.of(self.name, [[bits, rng.choice((-1, 1))] for bits in strings])

    def check(self, instance: Instance) -> None:
        fit(_FACTS, instance.facts)
        size = len(instance.facts[0][0])
        values = instance.view(_values)
        if {len(bits) for bits in values} != {size} or len(values) != 1 << size:
            raise ValueError(f"the facts are no function of {size} bits, all strings of them once")
        if len(instance.facts) > len(values):
            raise ValueError("the facts give a value twice")
        if 0 in values.values():
            raise ValueError("the facts have a value of 0: each is -1 or 1")

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The number of stars is uniform in 1..size; where they stand, and the rest, is too."""
        size = len(instance.facts[0][0])
        while True:
            stars = set(rng.sample(range(size), rng.randint(1, size)))
            pattern = "".join("*" if i in stars else rng.choice("01") for i in range(size))
            yield Question(Text(self.render(pattern), "task"), instance=instance.digest)

    def space(self, instance: Instance) -> Iterator[str]:
        """Every pattern, 3^size of them."""
        return map("".join, product("01*", repeat=len(instance.facts[0][0])))

    def parse(self, text: str) -> str:
        match = _QUESTION.fullmatch(text)
        if match is None:
            raise ValueError(
                f"{one_line(text, 60)!r} is not of the form sum(01**1*), a pattern of 0, 1 and *"
            )
        return match[1]

    def render(self, term: str) -> str:
        return f"sum({term})"

    def beyond(self, term: str, level: int) -> str | None:
        """Why HCH_level cannot answer: more than level + 1 stars."""
        stars = term.count("*")
        if stars <= level + 1:
            return None
        return (
            f"level {level} reaches patterns of {level + 1} stars and this one has {stars}; "
            f"use --depth {stars - 1} or more"
        )

    def steps(self, term: str) -> Generator[Step, Any, Answer]:
        """The first star is set to 0, then to 1, and the two sums are added."""
        parts = [term.replace("*", bit, 1) for bit in ("01" if "*" in term else "0")]
        if "*" in parts[0]:
            replies = yield tuple(map(Ask, parts))
        else:
            replies = []
            for part in parts:
                replies.append((yield Primitive(part)))
        sums = [_read(part, reply) for part, reply in zip(parts, replies, strict=True)]
        if None in sums:
            return unknown(f"{self.render(parts[sums.index(None)])} got no sum")
        return said(str(_clamped(term, sum(filter(None, sums)))), *replies)

    def primitive(self, instance: Instance | None, term: str, rng: Random) -> Answer | None:
        """The value of f, where the pattern has no star and as many bits as f takes."""
        value = instance.view(_values).get(term) if instance else None
        return None if value is None else told(str(value))

    def truth(self, instance: Instance | None, term: str) -> Answer:
        values = instance.view(_values) if instance else {}
        if term.replace("*", "0") not in values:
            return unknown("the function takes another number of bits")
        total = sum(values["".join(bits)] for bits in product(*(_OF[c] for c in term)))
        return told(str(_clamped(term, total)))

    def valid(self, term: str, answer: Answer) -> bool:
        """Whether it is an integer that a clamped sum can be."""
        return _read(term, answer) is not None

    def kind(self, term: str) -> str:
        return f"stars {term.count('*')}"

    def guess(self, term: str, rng: Random) -> Answer:
        most = _clamped(term, 1 << 16)
        return told(str(rng.randint(-most, most)))


def _clamped(pattern: str, total: int) -> int:
    most = 1 << len(pattern) - 1
    return max(-most, min(most, total))


def _read(pattern: str, answer: Answer) -> int | None:
    """The sum that an answer gives for a pattern, where it can be one."""
    body = read(answer, _SUM)
    return int(body) if body and _clamped(pattern, int(body)) == int(body) else None


_OF = {"0": "0", "1": "1", "*": "01"}


def _values(facts: list[list[Any]]) -> dict[str, int]:
    return dict(facts)


def build(*, size: Annotated[int, Field(ge=1, le=16)] = 6) -> Task:
    return Wildcard(size)
