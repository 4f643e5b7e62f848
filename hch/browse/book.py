"""One run as it is looked at: its outline at once, and what was said when it is looked at."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from hch.errors import StoreError
from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    RunStarted,
    Thought,
)
from hch.growing import Growing
from hch.keeping import RunRow, Store
from hch.nodes import UNCLEAN, Ask, Call, Node
from hch.outline import Outline

KEPT = 20_000
"""How many nodes' lines are remembered."""

SHOWN = 2_000
"""The characters of a text that a line is made of."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a row says of a node: its question, its answer or the reason why there is none.

    `notes` are its votes (`3 of 5`) and those notes that make its tree not clean. Texts are cut to
    `SHOWN` characters, and are somebody's: unsafe.
    """

    question: str
    said: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asking:
    """One ask of a node for its detail: the child's number, or why there is none."""

    ask: Ask
    node: int


class Book:
    """Reads one run of a store. Raises StoreError where that is gone or damaged.

    `wrong` has the nodes that are known to answer wrongly, by the events that opened them.
    """

    def __init__(self, store: Store, row: RunRow) -> None:
        self.store, self.row, self.run = store, row, row.run
        self.outline = store.outline(row.run)
        self.wrong: set[int] = set()
        self._growing: Growing | None = None
        self._lines: OrderedDict[tuple[int, int], Said] = OrderedDict()
        self._asked: dict[int, tuple[str, str]] = {}
        [first] = store.picked(row.run, [1])
        if not isinstance(first.event, RunStarted):
            raise StoreError(f"run {row.run} does not begin with its setup")
        self.started: RunStarted = first.event

    def news(self) -> Outline | None:
        """The outline with what was written since; None where there was nothing. In any thread."""
        if self.store.last(self.run) == self.outline.last:
            return None
        growing = self._growing = self._growing or Growing.of(self.outline)
        for record in self.store.events(self.run, after=growing.last):
            growing.take(record.seq, record.at, record.event)
        return growing.settled()

    def said(self, nodes: Iterable[int]) -> list[Said]:
        """What rows say of these nodes, read together."""
        outline = self.outline
        keys = [(outline.opened[node], outline.closed[node]) for node in nodes]
        missing = [key for key in dict.fromkeys(keys) if key not in self._lines]
        if missing:
            numbers = [seq for key in missing for seq in key if seq]
            found = {record.seq: record.event for record in self.store.picked(self.run, numbers)}
            for key in missing:
                self._lines[key] = _line(found.get(key[0]), found.get(key[1]))
        lines = [self._lines[key] for key in keys]
        while len(self._lines) > KEPT:
            self._lines.popitem(last=False)
        return lines

    def asked(self, positions: Iterable[int]) -> list[tuple[str, str]]:
        """What was asked at these positions, and what a refusal says, or nothing."""
        wanted = [(p, self.outline.sequence[p]) for p in positions]
        missing = [seq for _, seq in wanted if seq and seq not in self._asked]
        for record in self.store.picked(self.run, missing) if missing else ():
            if isinstance(event := record.event, Asked):
                body, why = event.question.body[:SHOWN], (event.refusal or "")[:SHOWN]
                self._asked[record.seq] = (body, why)
        if any(seq and seq not in self._asked for _, seq in wanted):
            raise self._astray()
        return [self._asked[seq] if seq else self._of_root(p) for p, seq in wanted]

    def _astray(self) -> StoreError:
        return StoreError(
            f"the outline of run {self.run} is not that of its events: hch store check has a look, "
            "and hch runs rm removes the run"
        )

    def _of_root(self, position: int) -> tuple[str, str]:
        """A root is asked by no event."""
        node = self.outline.node(position)
        return (self.said([node])[0].question, "") if node >= 0 else ("", "")

    def events(self, node: int) -> list[Record]:
        """Every event that is about a node, in order."""
        return list(self.store.picked(self.run, self.outline.events(node)))

    def verdict(self, node: int) -> str:
        """`wrong` where it is known to be; `wrong↓` where something that it asked is so too."""
        opened = self.outline.opened
        if opened[node] not in self.wrong:
            return ""
        below = (self.outline.node(a) for a in self.outline.asks(node))
        return "wrong↓" if any(opened[c] in self.wrong for c in below if c >= 0) else "wrong"

    def problems(self) -> list[int]:
        """Where something went wrong, or a wrong answer is known to come in, in id order."""
        if not self.wrong:
            return self.outline.problems
        opened = self.outline.by_opening()
        wrong = {opened[seq] for seq in self.wrong if seq in opened}
        entered = {node for node in wrong if self.verdict(node) == "wrong"}
        return sorted(entered.union(self.outline.problems))

    def node(self, node: int) -> Node:
        """A node with its calls, all in full; but its asks have no nodes: see `asks`."""
        outline = self.outline
        opened: NodeOpened | None = None
        closed: NodeClosed | None = None
        thoughts: list[Thought] = []
        calls: dict[str, Call] = {}
        primitives = []
        numbers = {outline.opened[node], outline.closed[node]} - {0}
        for seq, request in outline.steps(node):
            numbers |= {seq, *(outline.events_of(request) if request else ())}
        for record in self.store.picked(self.run, sorted(numbers)):
            match record.event:
                case NodeOpened() as opened:
                    pass
                case NodeClosed() as closed:
                    pass
                case Thought() as thought:
                    thoughts.append(thought)
                case PrimitiveAnswered() as primitive:
                    primitives.append(primitive)
                case CallIntended() | CallFinished() | CallFailed() | CallGivenUp() as event:
                    _take(calls.setdefault(event.request, Call(event.request)), record, event)
                case _:
                    pass
        if opened is None:
            raise self._astray()
        thoughts.sort(key=lambda thought: thought.index)
        return Node(
            outline.id(node),
            opened,
            closed,
            outline.at[node],
            outline.until[node] if closed else None,
            [(thought, calls.get(thought.request)) for thought in thoughts],
            [],
            sorted(primitives, key=lambda primitive: primitive.index),
            outline.clean(node),
        )

    def asks(self, node: int, most: int | None = None) -> list[Asking]:
        """A node's asks in their order, the first `most` of them, with the nodes asked."""
        positions = list(self.outline.asks(node))[:most]
        found: list[Asking] = []
        numbers = [self.outline.sequence[p] for p in positions]
        events = {r.seq: r.event for r in self.store.picked(self.run, numbers)} if numbers else {}
        for position in positions:
            ask, event = self.outline.ask(position), events.get(self.outline.sequence[position])
            if not isinstance(event, Asked):
                raise self._astray()
            kept = Ask(
                event.slot,
                event.round,
                event.how,
                event.question.body,
                None,
                event.refusal,
                ask.shared,
                event.more,
            )
            found.append(Asking(kept, ask.node))
        return found


def _take(
    call: Call, record: Record, event: CallIntended | CallFinished | CallFailed | CallGivenUp
) -> None:
    call.times.append(record.at)
    match event:
        case CallIntended():
            call.intents.append(event)
        case CallGivenUp():
            call.given_up = event
        case _:
            call.ends.append(event)


def _line(opened: object, closed: object) -> Said:
    question = opened.question.body[:SHOWN] if isinstance(opened, NodeOpened) else ""
    if not isinstance(closed, NodeClosed):
        return Said(question, "")
    said = (closed.answer.body if closed.answer else closed.reason)[:SHOWN]
    notes = [note[:SHOWN] for note in closed.notes if note.startswith(UNCLEAN)]
    ballot = closed.ballot.ballot() if closed.ballot and closed.status == "answered" else None
    if ballot and ballot.votes:
        notes.insert(0, f"{ballot.votes[0][1]} of {ballot.tries}")
    return Said(question, said, tuple(notes))
