"""Shortest paths in a directed graph: the next vertex S(a,b) from a to b, and the distance D(a,b).

Of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). The oracle says whether there is an
edge E(a,b), and gives a random out-neighbour N(a). H improves a policy: it asks itself the same
question twice, takes a random neighbour as a third candidate, and replies the nearest. The
questions ask themselves, so that no level is enough for every one; what is not found is taken to
be unreachable, but where an answer failed or is malformed H does not know. A way has at least one
edge: D(a,a) is the length of the shortest cycle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Mapping
from random import Random
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._calls import Call, Form, Grammar
from hch.tasks._elements import ELEMENT, ELEMENTS, Element, Size, elements
from hch.tasks._facts import fit
from hch.tasks._replies import NO, YES, said, told, unknown
from hch.types import Answer, Question, Text

NONE, INFINITE = "none", "infinite"
_MOST = len(ELEMENTS)  # no shortest way has more edges
_NOT_FOUND = {"unanswered", "refused"}

_X = ELEMENT.pattern
_GRAMMAR = Grammar(
    {
        "S": Form((_X, _X), f"{_X}|{NONE}", "S(ab,cd)"),
        "D": Form((_X, _X), f"[1-9][0-9]?|{INFINITE}", "D(ab,cd)"),
        "E": Form((_X, _X), f"{YES}|{NO}", "E(ab,cd)"),
        "N": Form((_X,), f"{_X}|{NONE}", "N(ab)"),
    }
)


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: Annotated[int, Field(strict=True, ge=2, le=_MOST)]
    edges: list[tuple[Element, Element]]


_FACTS = TypeAdapter(_Facts)


class Path(Task):
    """The facts are the number of vertices and the edges [u, v], twice as many."""

    name = "path"
    has_facts = True

    def __init__(self, size: int) -> None:
        self.size = size

    def sample(self, rng: Random, size: int) -> Instance:
        """A random graph; edges may repeat, and may be loops."""
        vertices = elements(size)
        edges = [[rng.choice(vertices), rng.choice(vertices)] for _ in range(2 * size)]
        return Instance.of(self.name, {"size": size, "edges": edges})

    def check(self, instance: Instance) -> None:
        fit(_FACTS, instance.facts)
        vertices = set(elements(instance.facts["size"]))
        if strange := {v for edge in instance.facts["edges"] for v in edge} - vertices:
            raise ValueError(f"the facts have an edge at {min(strange)}, which is no vertex")

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """S or D of an ordered pair, all as likely."""
        vertices = list(instance.view(_graph))
        while True:
            term = Call(rng.choice("SD"), (rng.choice(vertices), rng.choice(vertices)))
            yield Question(Text(self.render(term), "task"), instance=instance.digest)

    def space(self, instance: Instance) -> Iterator[Call]:
        """S and D of every ordered pair."""
        graph = instance.view(_graph)
        return (Call(name, (a, b)) for a in graph for b in graph for name in "SD")

    def parse(self, text: str) -> Call:
        return _GRAMMAR.parse(text)

    def render(self, term: Call) -> str:
        return _GRAMMAR.render(term)

    def steps(self, term: Call) -> Generator[Step, Any, Answer]:
        if term.name not in "SD":
            answer: Answer = yield Primitive(term)
            return answer
        edge = Call("E", term.args)
        reply = yield Primitive(edge)
        if (there := _GRAMMAR.said(edge, reply)) is None:
            return unknown(f"{self.render(edge)} got neither yes nor no")
        if there == YES:
            return said("1" if term.name == "D" else term.args[1], reply)
        further = self._distance if term.name == "D" else self._next
        return (yield from further(*term.args))

    def _distance(self, a: str, b: str) -> Generator[Step, Any, Answer]:
        """One more than from the next vertex; infinite where there is none."""
        part = Call("S", (a, b))
        reply = yield Ask(part)
        if self._lost(part, reply):
            return unknown(f"{self.render(part)} got no vertex")
        c = _GRAMMAR.said(part, reply)
        if c is None or c == NONE:
            return said(INFINITE, reply)
        part = Call("D", (c, b))
        rest = yield Ask(part)
        if (distance := _GRAMMAR.said(part, rest)) is None:
            return unknown(f"{self.render(part)} got no distance")
        return said(_one_more(distance), reply, rest)

    def _next(self, a: str, b: str) -> Generator[Step, Any, Answer]:
        """Of up to three candidates the one that says it is nearest to b."""
        own, candidates = Call("S", (a, b)), []
        met = [(own, reply) for reply in (yield (Ask(own), Ask(own, again=0)))]
        for c in [_GRAMMAR.said(own, reply) for _, reply in met]:
            if c is not None and c != NONE:
                edge = Call("E", (a, c))
                met.append((edge, (yield Primitive(edge))))
                if _GRAMMAR.said(*met[-1]) == YES:
                    candidates.append(c)
        neighbour = Call("N", (a,))
        met.append((neighbour, (yield Primitive(neighbour))))
        c = _GRAMMAR.said(*met[-1])
        if c is not None and c != NONE:
            candidates.append(c)
        parts = [Call("D", (c, b)) for c in candidates]
        distances = list(zip(parts, (yield tuple(map(Ask, parts))), strict=True)) if parts else []
        met += distances
        lengths = [_finite(_GRAMMAR.said(*asked)) for asked in distances]
        nearest = min((length for length in lengths if length is not None), default=None)
        if nearest is None and (lost := [part for part, reply in met if self._lost(part, reply)]):
            return unknown(f"{self.render(lost[0])} got no answer of its kind")
        found = NONE if nearest is None else candidates[lengths.index(nearest)]
        return said(found, *(reply for _, reply in met))

    def _lost(self, term: Call, reply: Answer) -> bool:
        """Whether a reply is a failure or malformed, and not just that nobody knows."""
        return reply.status not in _NOT_FOUND and not self.valid(term, reply)

    def primitive(self, instance: Instance | None, term: Call, rng: Random) -> Answer | None:
        """Whether there is an edge, and a random out-neighbour, each as likely."""
        graph = instance.view(_graph) if instance else {}
        if term.name not in "EN" or term.args[0] not in graph:
            return None
        out = graph[term.args[0]]
        if term.name == "E":
            return told(YES if term.args[1] in out else NO)
        return told(rng.choice(out) if out else NONE)

    def truth(self, instance: Instance | None, term: Call) -> Answer:
        """Of several next vertices the first in the order of elements; so of neighbours."""
        right = self._right(instance, term)
        return told(min(right)) if right else unknown("there is no such vertex in this graph")

    def _right(self, instance: Instance | None, term: Call) -> list[str]:
        """Every right answer; none about what is no vertex."""
        graph = instance.view(_graph) if instance else {}
        if instance is None or not graph.keys() >= set(term.args):
            return []
        a, *more = term.args
        match term.name:
            case "E":
                return [YES if more[0] in graph[a] else NO]
            case "N":
                return graph[a] or [NONE]
        distances = instance.view(_Distances).to(more[0])
        if term.name == "D":
            return [str(distances.get(a, INFINITE))]
        if distances.get(a) == 1:
            return [more[0]]
        nearest = [c for c in graph[a] if distances.get(c, 0) + 1 == distances.get(a, 0)]
        return nearest or [NONE]

    def valid(self, term: Call, answer: Answer) -> bool:
        """Whether it is of the type that the question asks for, whatever the graph."""
        return _GRAMMAR.said(term, answer) is not None

    def grade(self, instance: Instance | None, term: Call, answer: Answer) -> bool:
        """Whether it is right: of a next vertex, whether it is on any shortest path."""
        return _GRAMMAR.said(term, answer) in self._right(instance, term)

    def measures(self, instance: Instance | None, term: Call, answer: Answer) -> Mapping[str, bool]:
        """`strict` is being the first of the right ones; the others are `grade`, of a part each."""
        if term.name not in "SD":
            return {}
        right = self.grade(instance, term, answer)
        truth = _GRAMMAR.said(term, self.truth(instance, term))
        strict = right and _GRAMMAR.said(term, answer) == truth
        parts = {"strict": strict, "steps" if term.name == "S" else "distances": right}
        return parts if truth in (None, NONE, INFINITE) else {**parts, "reachable": right}

    def kind(self, term: Call) -> str:
        """The letter of its question, such as S."""
        return term.name

    def guess(self, term: Call, rng: Random) -> Answer:
        match term.name:
            case "D":
                return told(rng.choice([INFINITE, *map(str, range(1, 10))]))
            case "E":
                return told(rng.choice((YES, NO)))
        return told(rng.choice((NONE, *elements(self.size))))


def _finite(distance: str | None) -> int | None:
    return None if distance is None or distance == INFINITE else int(distance)


def _one_more(distance: str) -> str:
    """A distance and an edge; infinite beyond what any two vertices can be apart."""
    found = _finite(distance)
    return INFINITE if found is None or found >= _MOST else str(found + 1)


def _graph(facts: Any) -> dict[str, list[str]]:
    """The out-neighbours of each vertex, each once, in the order of the edges."""
    out: dict[str, list[str]] = {v: [] for v in elements(facts["size"])}
    for u, v in facts["edges"]:
        if v not in out[u]:
            out[u].append(v)
    return out


class _Distances:
    """Edges on a shortest way, at least one, worked out for each vertex it leads to once."""

    def __init__(self, facts: Any) -> None:
        self._into: dict[str, list[str]] = {}
        for u, v in facts["edges"]:
            self._into.setdefault(v, []).append(u)
        self._to: dict[str, dict[str, int]] = {}

    def to(self, b: str) -> dict[str, int]:
        """The distance from each vertex that reaches b, by breadth-first search."""
        if b in self._to:
            return self._to[b]
        found: dict[str, int] = {}
        queue = deque([(b, 0)])
        while queue:
            v, distance = queue.popleft()
            for u in self._into.get(v, ()):
                if u not in found:
                    found[u] = distance + 1
                    queue.append((u, distance + 1))
        self._to[b] = found
        return found


def build(*, size: Size = 64) -> Task:
    return Path(size)
