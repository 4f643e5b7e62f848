"""Powers of a permutation: s^k(x), halved until it is s itself.

Permutation powering of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). H knows nothing
of s: the oracle answers s^1(x), and s^0(x), which is x. HCH_n reaches k < 2^(n+2).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from itertools import product
from random import Random
from typing import Annotated, Any, NamedTuple

from pydantic import Field, TypeAdapter

from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._elements import ELEMENT, Element, Size, elements
from hch.tasks._facts import fit
from hch.tasks._replies import read, said, told, unknown
from hch.types import Answer, Question, Text

_POWER = re.compile(r"s\^(0|[1-9][0-9]{0,18})\(([a-h]{2})\)")
_FACTS = TypeAdapter(Annotated[list[tuple[Element, Element]], Field(min_length=1)])


class Power(NamedTuple):
    """s^k(x)."""

    k: int
    x: str


class Permutation(Task):
    """The facts are the pairs (x, s(x)); k has up to `bits` bits."""

    name = "permutation"
    has_facts = True

    def __init__(self, size: int, bits: int) -> None:
        self._bits = bits
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """A random permutation of the first `size` elements, 2 to 64."""
        domain = elements(size)
        pairs = zip(domain, rng.sample(domain, size), strict=True)
        return Instance.of(self.name, [[x, image] for x, image in pairs])

    def check(self, instance: Instance) -> None:
        fit(_FACTS, instance.facts)
        domain, images = (set(side) for side in zip(*instance.facts, strict=True))
        if domain != images or len(domain) < len(instance.facts):
            raise ValueError("the facts are no permutation: an element has two images, or is none")

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The leading bit of k is uniform in 1..bits-1; all below it is too, and so is x."""
        while True:
            leading = 1 << rng.randrange(1, self._bits)
            term = Power(leading + rng.randrange(leading), rng.choice(list(_successor(instance))))
            yield Question(Text(self.render(term), "task"), instance=instance.digest)

    def space(self, instance: Instance) -> Iterator[Power]:
        """Every power of every element, 2^bits times as many as there are."""
        return (Power(k, x) for k, x in product(range(1 << self._bits), list(_successor(instance))))

    def parse(self, text: str) -> Power:
        match = _POWER.fullmatch(text)
        if match is None or int(match[1]) >> self._bits:
            most = (1 << self._bits) - 1
            raise ValueError(
                f"{one_line(text, 60)!r} is not of the form s^13(ab), with a power up to {most} "
                "and an element of two letters from a to h"
            )
        return Power(int(match[1]), match[2])

    def render(self, term: Power) -> str:
        return f"s^{term.k}({term.x})"

    def beyond(self, term: Power, level: int) -> str | None:
        """Why HCH_level cannot answer: a power of 2^(level+2) or more."""
        needed = term.k.bit_length() - 2
        if needed <= level:
            return None
        return (
            f"level {level} reaches powers up to {(4 << level) - 1}, and this one is {term.k}; "
            f"use --depth {needed} or more"
        )

    def steps(self, term: Power) -> Generator[Step, Any, Answer]:
        """s^k(x) is s^m(s^m(x)) with m = k // 2, and s of that where k is odd."""
        if term.k <= 1:
            asked = [term]
        else:
            half = term.k >> 1
            asked = [Power(half, ""), Power(half, ""), *[Power(1, "")] * (term.k & 1)]
        x, replies = term.x, []
        for power, _ in asked:
            part = Power(power, x)
            reply = yield (Primitive(part) if power <= 1 else Ask(part))
            got = read(reply, ELEMENT)
            if got is None:
                return unknown(f"{self.render(part)} got no element")
            replies.append(reply)
            x = got
        return said(x, *replies)

    def primitive(self, instance: Instance | None, term: Power, rng: Random) -> Answer | None:
        """s(x), or x itself; None for any other power, and for what is no element of this one."""
        image = _successor(instance).get(term.x) if term.k <= 1 else None
        return told(image if term.k else term.x) if image else None

    def truth(self, instance: Instance | None, term: Power) -> Answer:
        orbit, successor = [term.x], _successor(instance)
        if term.x not in successor:
            return unknown(f"{term.x} is no element of this permutation")
        while (following := successor[orbit[-1]]) != term.x:
            orbit.append(following)
        return told(orbit[term.k % len(orbit)])

    def valid(self, term: Power, answer: Answer) -> bool:
        """Whether it is an element: two letters from a to h."""
        return read(answer, ELEMENT) is not None

    def kind(self, term: Power) -> str:
        """The bits of its power."""
        return f"bits {term.k.bit_length()}"

    def guess(self, term: Power, rng: Random) -> Answer:
        return told(rng.choice(elements(self.size)))


def _successor(instance: Instance | None) -> dict[str, str]:
    return instance.view(dict) if instance else {}


def build(*, size: Size = 64, bits: Annotated[int, Field(ge=2, le=60)] = 6) -> Task:
    return Permutation(size, bits)
