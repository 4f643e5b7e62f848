"""Union find: the value V(x) of a variable, its parent P(x) towards the given one, its depth D(x).

Of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). Variables are in classes, each a random
tree of equalities with one variable whose value is given. The oracle says which value is given
S(x), whether two are said to be equal E(x,y), and names a random neighbour N(x). H improves a
policy, as in shortest path: it asks itself for the parent twice, takes a random neighbour as a
third candidate, and replies the shallowest. No level is enough for every question.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from math import isqrt
from random import Random
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter

from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._calls import Call, Form, Grammar
from hch.tasks._elements import (
    ELEMENT,
    ELEMENTS,
    LETTER,
    LETTERS,
    Element,
    Letter,
    Size,
    elements,
)
from hch.tasks._facts import fit
from hch.tasks._replies import NO, YES, said, told, unknown
from hch.types import Answer, Question, Text

_DEEPEST = len(ELEMENTS) - 1
_X = ELEMENT.pattern
_GRAMMAR = Grammar(
    {
        "V": Form((_X,), LETTER.pattern, "V(ab)"),
        "P": Form((_X,), _X, "P(ab)"),
        "D": Form((_X,), "0|[1-9][0-9]?", "D(ab)"),
        "S": Form((_X,), f"{LETTER.pattern}|{NO}", "S(ab)"),
        "N": Form((_X,), _X, "N(ab)"),
        "E": Form((_X, _X), f"{YES}|{NO}", "E(ab,cd)"),
    }
)


class Place(NamedTuple):
    """What is true of a variable."""

    value: str
    parent: str
    depth: int


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    given: list[tuple[Element, Letter]]
    equal: list[tuple[Element, Element]]


_FACTS = TypeAdapter(_Facts)


class UnionFind(Task):
    """The facts are the given [x, value], one for each class, and the equalities [x, y]."""

    name = "unionfind"
    has_facts = True

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """Variables fall into isqrt(size) classes at random, and each class into a random tree."""
        variables = rng.sample(elements(size), size)
        classes = [[x] for x in variables[: isqrt(size)]]
        for x in variables[len(classes) :]:
            rng.choice(classes).append(x)
        equal = [pair for members in classes for pair in _tree(rng, members)]
        given = [[rng.choice(members), rng.choice(LETTERS)] for members in classes]
        return Instance.of(self.name, {"given": given, "equal": equal})

    def check(self, instance: Instance) -> None:
        fit(_FACTS, instance.facts)
        given, equal = instance.facts["given"], instance.facts["equal"]
        places, near = instance.view(_places), instance.view(_neighbours)
        if not near:
            raise ValueError("the facts have no variable")
        if lacking := near.keys() - places.keys():
            raise ValueError(f"the facts give {min(lacking)} no value")
        if len({x for x, _ in given}) < len(given) or len(equal) != len(near) - len(given):
            raise ValueError("the classes are no trees with one given value each")

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """V, P or D of a variable, all as likely."""
        variables = list(instance.view(_neighbours))
        while True:
            text = self.render(Call(rng.choice("VPD"), (rng.choice(variables),)))
            yield Question(Text(text, "task"), instance=instance.digest)

    def space(self, instance: Instance) -> Iterator[Call]:
        """V, P and D of every variable."""
        return (Call(name, (x,)) for x in instance.view(_neighbours) for name in "VPD")

    def parse(self, text: str) -> Call:
        return _GRAMMAR.parse(text)

    def render(self, term: Call) -> str:
        return _GRAMMAR.render(term)

    def steps(self, term: Call) -> Generator[Step, Any, Answer]:
        """A given variable is its own parent at depth 0; the others go by their parent."""
        if term.name not in "VPD":
            answer: Answer = yield Primitive(term)
            return answer
        [x] = term.args
        given = Call("S", (x,))
        reply = yield Primitive(given)
        if (value := _GRAMMAR.said(given, reply)) is None:
            return unknown(f"{self.render(given)} got neither a value nor no")
        if value != NO:
            return said({"V": value, "P": x, "D": "0"}[term.name], reply)
        return (yield from self._parent(x) if term.name == "P" else self._by_parent(term))

    def _by_parent(self, term: Call) -> Generator[Step, Any, Answer]:
        """The value of the parent, or one more than its depth."""
        part = Call("P", term.args)
        reply = yield Ask(part)
        if (parent := _GRAMMAR.said(part, reply)) is None:
            return unknown(f"{self.render(part)} got no variable")
        part = Call(term.name, (parent,))
        rest = yield Ask(part)
        if (found := _GRAMMAR.said(part, rest)) is None:
            return unknown(f"{self.render(part)} got no answer")
        return said(found if term.name == "V" else _deeper(found), reply, rest)

    def _parent(self, x: str) -> Generator[Step, Any, Answer]:
        """Of up to three candidates the one that says it is the shallowest."""
        own, candidates = Call("P", (x,)), []
        replies = list((yield (Ask(own), Ask(own, again=0))))
        for y in [_GRAMMAR.said(own, reply) for reply in replies]:
            if y is not None:
                edge = Call("E", (x, y))
                replies.append((yield Primitive(edge)))
                if _GRAMMAR.said(edge, replies[-1]) == YES:
                    candidates.append(y)
        neighbour = Call("N", (x,))
        replies.append((yield Primitive(neighbour)))
        if (y := _GRAMMAR.said(neighbour, replies[-1])) is not None:
            candidates.append(y)
        parts = [Call("D", (y,)) for y in candidates]
        depths = (yield tuple(map(Ask, parts))) if parts else ()
        found = [_GRAMMAR.said(part, reply) for part, reply in zip(parts, depths, strict=True)]
        known = [int(depth) for depth in found if depth is not None]
        if not known:
            return unknown(f"no candidate for {self.render(own)} knows its depth")
        return said(candidates[found.index(str(min(known)))], *replies, *depths)

    def primitive(self, instance: Instance | None, term: Call, rng: Random) -> Answer | None:
        """Which value is given, whether two are said to be equal, and a random neighbour."""
        near = instance.view(_neighbours) if instance else {}
        if instance is None or term.name not in "SNE" or term.args[0] not in near:
            return None
        if term.name == "N":
            around = near[term.args[0]]
            return told(rng.choice(around)) if around else None
        if term.name == "E":
            return told(YES if term.args[1] in near[term.args[0]] else NO)
        place = instance.view(_places)[term.args[0]]
        return told(NO if place.depth else place.value)

    def truth(self, instance: Instance | None, term: Call) -> Answer:
        """Of several neighbours the first."""
        place = instance.view(_places).get(term.args[0]) if instance else None
        if instance is None or place is None:
            return unknown(f"{term.args[0]} is no variable of this instance")
        match term.name:
            case "V":
                return told(place.value)
            case "P":
                return told(place.parent)
            case "D":
                return told(str(place.depth))
            case "N":
                around = instance.view(_neighbours)[term.args[0]]
                return told(min(around)) if around else unknown("it has no neighbour")
        return self.primitive(instance, term, Random(0)) or unknown("nobody knows")

    def valid(self, term: Call, answer: Answer) -> bool:
        """Whether it is of the type that the question asks for."""
        return _GRAMMAR.said(term, answer) is not None

    def grade(self, instance: Instance | None, term: Call, answer: Answer) -> bool:
        """Whether it is the truth; of a neighbour, whether it is one."""
        got = _GRAMMAR.said(term, answer)
        if term.name == "N":
            near = instance.view(_neighbours) if instance else {}
            return got is not None and got in near.get(term.args[0], ())
        return got is not None and got == _GRAMMAR.said(term, self.truth(instance, term))

    def kind(self, term: Call) -> str:
        """The letter of its question, such as V."""
        return term.name

    def guess(self, term: Call, rng: Random) -> Answer:
        match term.name:
            case "V" | "S":
                return told(rng.choice(LETTERS))
            case "D":
                return told(str(rng.randrange(isqrt(self.size) + 1)))
            case "E":
                return told(rng.choice((YES, NO)))
        return told(rng.choice(elements(self.size)))


def _deeper(depth: str) -> str:
    """One more, as far as there can be more."""
    return str(min(int(depth) + 1, _DEEPEST))


def _tree(rng: Random, members: list[str]) -> Iterator[list[str]]:
    """The edges of a random tree: a random one of each of two parts, and the trees of the parts."""
    if len(members) > 1:
        at = rng.randrange(1, len(members))
        parts = members[:at], members[at:]
        yield [rng.choice(part) for part in parts]
        for part in parts:
            yield from _tree(rng, part)


def _neighbours(facts: Any) -> dict[str, list[str]]:
    near: dict[str, list[str]] = {}
    for x, y in facts["equal"]:
        near.setdefault(x, []).append(y)
        near.setdefault(y, []).append(x)
    for x, _ in facts["given"]:
        near.setdefault(x, [])
    return dict(sorted(near.items()))


def _places(facts: Any) -> dict[str, Place]:
    """The place of every variable, from the given ones outwards."""
    near = _neighbours(facts)
    places = {x: Place(value, x, 0) for x, value in facts["given"]}
    todo = list(places)
    while todo:
        x = todo.pop()
        for y in near[x]:
            if y not in places:
                places[y] = Place(places[x].value, x, places[x].depth + 1)
                todo.append(y)
    return places


def build(*, size: Size = 64) -> Task:
    return UnionFind(size)
