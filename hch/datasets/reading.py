"""A run's nodes as rows are made of them: in id order, a few at a time, with whom they asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from hch.columns import NOBODY, WAYS
from hch.errors import StoreError
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    RunStarted,
    Thought,
)
from hch.keeping import Store
from hch.outline import Outline, subtree
from hch.roots import Plan, planned

AT_ONCE = 256
"""The nodes that are held in memory at once, with those that they asked."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An ask of a node's: whom, or that it was refused; `opened` is None where none has begun.

    `question` is what was asked where it was refused.
    """

    how: str
    round: int
    refused: bool
    node: int
    opened: NodeOpened | None
    closed: NodeClosed | None
    question: str | None = None


@dataclass(frozen=True, slots=True)
class Think:
    """A think of a node's: the prompt's name, what was sent, and what came back, if anything."""

    index: int
    prompt: str
    sent: CallIntended | None
    got: CallFinished | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A node by its `number` in the outline, in the tree of root number `root`."""

    number: int
    root: int
    opened: NodeOpened
    closed: NodeClosed | None
    asks: tuple[Heard, ...]
    thoughts: tuple[Think, ...]


class Reading:
    """Reads one run of a store; with `calls` what was sent and received too.

    Raises StoreError where that is gone or damaged.
    """

    def __init__(self, store: Store, run: str, *, calls: bool = False) -> None:
        self.store, self.run, self._calls = store, run, calls
        self.outline: Outline = store.outline(run)
        [first] = store.picked(run, [1])
        if not isinstance(first.event, RunStarted):
            raise StoreError(f"run {run} does not begin with its setup")
        self.started: RunStarted = first.event

    @cached_property
    def plan(self) -> Plan:
        """What the run was started to ask."""
        return planned(self.started)

    def trees(self) -> Iterator[tuple[int, range]]:
        """Each root that owns its tree, by its number, with the nodes of that tree."""
        outline = self.outline
        for position in outline.roots:
            node = outline.node(position)
            if node != NOBODY and outline.asked[node] == position:
                yield outline.slot[position], subtree(outline, node)

    def nodes(self) -> Iterator[Seen]:
        """Every node once, in id order."""
        roots: dict[int, int] = {}
        some: list[int] = []
        for root, nodes in self.trees():
            for node in nodes:
                roots[node] = root
                some.append(node)
                if len(some) == AT_ONCE:
                    yield from self._seen(some, roots)
                    roots, some = {}, []
        yield from self._seen(some, roots)

    def revisions(self) -> dict[str, str]:
        """What each model first said of its own version in this run, by its spec."""
        found: dict[str, str] = {}
        sent: dict[str, str] = {}
        left = set(self.started.rates)
        if not left:
            return found
        for record in self.store.events(self.run, "CallIntended", "CallFinished"):
            event = record.event
            if isinstance(event, CallIntended):
                sent[event.request] = event.model
            elif isinstance(event, CallFinished):
                model = sent.pop(event.request, "")
                if model in left:
                    left.discard(model)
                    if said := revision(event.raw):
                        found[model] = said
            if not left:
                break
        return found

    def _seen(self, nodes: Sequence[int], roots: Mapping[int, int]) -> Iterator[Seen]:
        found = self._events(nodes)
        for node in nodes:
            opened, closed = self._ends(node, found)
            if opened is not None:
                asks = tuple(self._heard(position, found) for position in self.outline.asks(node))
                thoughts = tuple(self._thoughts(node, found)) if self._calls else ()
                yield Seen(node, roots[node], opened, closed, asks, thoughts)

    def _events(self, nodes: Sequence[int]) -> dict[int, Event]:
        """All events that these nodes are told by, by number."""
        outline = self.outline
        asked = (outline.node(position) for node in nodes for position in outline.asks(node))
        numbers = set()
        for node in {*nodes, *asked} - {NOBODY}:
            numbers |= {outline.opened[node], outline.closed[node]}
        for node in nodes:
            refused = (p for p in outline.asks(node) if outline.refused[p])
            numbers |= {outline.sequence[position] for position in refused}
        if self._calls:
            for node in nodes:
                for seq, request in outline.steps(node):
                    numbers |= {seq, *(outline.events_of(request) if request else ())}
        return {r.seq: r.event for r in self.store.picked(self.run, numbers - {0})}

    def _ends(
        self, node: int, found: Mapping[int, Event]
    ) -> tuple[NodeOpened | None, NodeClosed | None]:
        opened, closed = (
            found.get(self.outline.opened[node]), found.get(self.outline.closed[node])
        )  # fmt: skip
        return (
            opened if isinstance(opened, NodeOpened) else None,
            closed if isinstance(closed, NodeClosed) else None,
        )

    def _heard(self, position: int, found: Mapping[int, Event]) -> Heard:
        outline = self.outline
        node = outline.node(position)
        opened, closed = (None, None) if node == NOBODY else self._ends(node, found)
        how, refused = WAYS[outline.how[position]], bool(outline.refused[position])
        asked = found.get(outline.sequence[position]) if refused else None
        question = asked.question.body if isinstance(asked, Asked) else None
        return Heard(how, outline.round[position], refused, node, opened, closed, question)

    def _thoughts(self, node: int, found: Mapping[int, Event]) -> Iterator[Think]:
        for seq, request in self.outline.steps(node):
            thought = found.get(seq)
            if not isinstance(thought, Thought):
                continue
            events = [found[number] for number in self.outline.events_of(request)]
            events = [e for e in events if getattr(e, "request", None) == thought.request]
            sent = next((e for e in events if isinstance(e, CallIntended)), None)
            got = next((e for e in events if isinstance(e, CallFinished)), None)
            yield Think(thought.index, thought.prompt, sent, got)


def revision(raw: bytes) -> str | None:
    """What a reply says of the version of the model that made it."""
    data = _json(raw)
    named = (data.get(name) for name in ("system_fingerprint", "model"))
    return next((said for said in named if isinstance(said, str) and said), None)


def _json(raw: bytes) -> Mapping[str, object]:
    try:
        data = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
