"""A run as it grows: the fold over its events that the live tree is drawn from.

It keeps the nodes that are open, the last few children of each that closed, and counts of the
rest; so it is as large as what is open, and what a drawing needs is at hand without a search. Of a
node that closed, its status is kept, and whether it was clean, in a `Stash`. Ids are provisional: a
subtree that several share is its first asker's.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from sys import getsizeof
from time import monotonic
from typing import Any, NamedTuple

from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    RootOpened,
    Thought,
)
from hch.nodes import UNCLEAN
from hch.recording import Recording
from hch.stash import Codec, Stash, as_bytes, of_bytes

SHOWN = 300
"""The characters of a question or an answer that are kept."""

RECENT = 32
"""The closed children of a node that can still be shown."""


@dataclass(slots=True, eq=False)
class Call:
    """A request that some node waits for: `queued`, `flying` or `failed` since a time, or `done`.

    It failed so many times, last by a fault of that `kind`. A `person` may be asked.
    """

    request: str
    since: float
    state: str = "queued"
    failures: int = 0
    kind: str = ""
    person: bool = False
    thinkers: int = 0


@dataclass(slots=True, eq=False)
class Children:
    """What a node asked: who is open, who closed last, and how many there are of the rest.

    `elsewhere` are open under the node that asked them first; `known` holds every child's key.
    """

    open: dict[str, Node] = field(default_factory=dict)
    recent: deque[Node] = field(default_factory=lambda: deque(maxlen=RECENT))
    closed: Counter[str] = field(default_factory=Counter)
    known: set[str] = field(default_factory=set)
    refused: int = 0
    elsewhere: int = 0

    @property
    def total(self) -> int:
        return len(self.known) + self.refused

    @property
    def awaited(self) -> int:
        return len(self.open) + self.elsewhere


@dataclass(slots=True, eq=False)
class Node:
    """A copy of HCH_level, open or lately closed; level -1: it was asked and has not begun.

    `model` is the name of what it thinks with, if it does. It is `clean` as far as nothing below it
    was refused, cut, fallen back on, or without an answer.
    """

    key: str
    parent: Node | None
    slot: int
    question: str
    level: int = -1
    model: str = ""
    since: float = 0.0
    call: Call | None = None
    children: Children | None = None
    others: list[Node] | None = None
    status: str = "open"
    clean: bool = True
    said: str = ""
    until: float = 0.0

    @property
    def id(self) -> str:
        """Where it is: `0.2.1` for root 0's second question's first."""
        slots, node = [], self
        while node.parent is not None:
            slots.append(str(node.slot))
            node = node.parent
        return ".".join(reversed(slots))


class Ended(NamedTuple):
    """How a node has closed."""

    status: str
    clean: bool


ENDED: Codec[Ended] = Codec(as_bytes, lambda data: Ended(*of_bytes(data)), getsizeof)


class Growth:
    """Takes every event of one run; `top` is no node, and has the roots for children.

    Times are those of `clock`, in seconds. So many nodes are `asking`: they wait for answers.
    Behind the models of the names `people` there are persons.
    """

    def __init__(
        self, clock: Callable[[], float] = monotonic, people: Collection[str] = ()
    ) -> None:
        self.top = Node("", None, 0, "", children=Children())
        self.nodes: dict[str, Node] = {}
        self.calls: dict[str, Call] = {}
        self.flying: dict[str, Call] = {}
        self.failing: dict[str, Call] = {}
        self.statuses: Counter[str] = Counter()
        self.opened = self.asking = self.sent = self.failed = self.tokens = 0
        self.microusd = 0.0
        self.heard: float | None = None
        self._clock = clock
        self._people = people
        self._ended = Stash(ENDED)
        self._takers: dict[type, Callable[[Any], None]] = {
            RootOpened: self._root,
            NodeOpened: self._open,
            Thought: self._think,
            Asked: self._ask,
            PrimitiveAnswered: self._go_on,
            NodeClosed: self._close,
            CallIntended: self._send,
            CallFinished: self._finish,
            CallFailed: self._fail,
            CallGivenUp: self._give_up,
        }

    def take(self, event: Event) -> None:
        """Fold one event in; cheap, since every event of a run comes here."""
        taker = self._takers.get(type(event))
        if taker is not None:
            taker(event)

    @property
    def open(self) -> int:
        return self.opened - self.statuses.total()

    @property
    def queued(self) -> int:
        """The calls that wait to be sent for the first time."""
        return len(self.calls) - len(self.flying) - len(self.failing)

    def place(self, key: str) -> str:
        """The provisional id of an open node, such as `0.2.1`; empty for any other."""
        node = self.nodes.get(key)
        return node.id if node is not None else ""

    def ended(self, key: str) -> Ended | None:
        """How the node of that key has closed; None for any other."""
        return self._ended.get(key)

    # nodes

    def _root(self, event: RootOpened) -> None:
        self._hang(self.top, event.index, event.key, "")

    def _ask(self, event: Asked) -> None:
        parent = self.nodes.get(event.parent)
        if parent is None:
            return
        if parent.call is not None:
            self._leave(parent)
        if parent.children is None:
            parent.children = Children()
        if event.child is None:
            parent.children.refused += 1 + event.more
            parent.clean = False
        else:
            self._hang(parent, event.slot, event.child, event.question.body)

    def _hang(self, parent: Node, slot: int, key: str, question: str) -> None:
        """A child is under its first asker; what others asked too is counted with them."""
        children = parent.children
        if children is None or key in children.known:
            return
        children.known.add(key)
        if (ended := self._ended.get(key)) is not None:
            children.closed[ended.status] += 1
            parent.clean &= ended.clean
            return
        node = self.nodes.get(key)
        if node is not None:
            node.others = [*(node.others or ()), parent]
            children.elsewhere += 1
        else:
            children.open[key] = self.nodes[key] = Node(key, parent, slot, question[:SHOWN])
        self.asking += children.awaited == 1 and parent is not self.top

    def _open(self, event: NodeOpened) -> None:
        self.opened += 1
        node = self.nodes.get(event.key)
        if node is not None:
            node.level, node.since = event.level, self._clock()
            node.model = event.player.partition("@")[2]
            node.question = event.question.body[:SHOWN]

    def _close(self, event: NodeClosed) -> None:
        self.statuses[event.status] += 1
        node = self.nodes.pop(event.key, None)
        good = event.status == "answered" and not any(n.startswith(UNCLEAN) for n in event.notes)
        ended = Ended(event.status, good and (node is None or node.clean))
        self._ended.put(event.key, ended)
        if node is None:
            return
        if node.call is not None:
            self._leave(node)
        if node.children is not None:
            self.asking -= node.children.awaited > 0
        node.status, node.until, node.children = event.status, self._clock(), None
        node.said = (event.answer.body if event.answer else event.reason)[:SHOWN]
        parent = node.parent
        if parent is not None and parent.children is not None:
            parent.children.open.pop(node.key, None)
            parent.children.recent.append(node)
            self._count(parent, ended)
        if node.others is not None:
            for other in node.others:
                if other.children is not None:
                    other.children.elsewhere -= 1
                    self._count(other, ended)
            node.others = None

    def _count(self, asker: Node, ended: Ended) -> None:
        """One more of an asker's children has closed."""
        asker.clean &= ended.clean
        if asker.children is not None:
            asker.children.closed[ended.status] += 1
            self.asking -= not asker.children.awaited and asker is not self.top

    # calls

    def _think(self, event: Thought) -> None:
        node = self.nodes.get(event.parent)
        if node is None:
            return
        if node.call is not None:
            self._leave(node)
        call = self.calls.get(event.request)
        if call is None:
            call = self.calls[event.request] = Call(event.request, self._clock())
        call.thinkers += 1
        node.call = call

    def _go_on(self, event: PrimitiveAnswered) -> None:
        node = self.nodes.get(event.parent)
        if node is not None and node.call is not None:
            self._leave(node)

    def _leave(self, node: Node) -> None:
        """The node waits for its call no more; one that was never sent came from a recording."""
        call, node.call = node.call, None
        if call is None:
            return
        call.thinkers -= 1
        if call.state != "done" and not call.thinkers:
            self._drop(call.request)

    def _drop(self, request: str) -> None:
        self.flying.pop(request, None)
        self.failing.pop(request, None)
        call = self.calls.pop(request, None)
        if call is not None:
            call.state = "done"

    def remember(self, past: Recording) -> None:
        """Count the calls of a run up to now, before it goes on."""
        self.sent += past.requests
        self.tokens += past.tokens
        self.microusd += past.bill.microusd

    def _send(self, event: CallIntended) -> None:
        self.sent += event.attempt == 1
        request = event.request
        call = self.calls.get(request)
        if call is None:
            call = self.calls[request] = Call(request, 0.0)
        call.state, call.since = "flying", self._clock()
        call.person = event.model in self._people
        self.failing.pop(request, None)
        self.flying[request] = call

    def _finish(self, event: CallFinished) -> None:
        usage = event.usage
        self.tokens += usage[0] + usage[1]
        self.microusd += event.price.microusd
        self.heard = self._clock()
        self._drop(event.request)

    def _fail(self, event: CallFailed) -> None:
        self.failed += 1
        self.microusd += event.price.microusd
        self.heard = self._clock()
        call = self.calls.get(event.request)
        if call is not None:
            call.state, call.since = "failed", self._clock()
            call.failures, call.kind = event.attempt, event.kind
            self.flying.pop(event.request, None)
            self.failing[event.request] = call

    def _give_up(self, event: CallGivenUp) -> None:
        self._drop(event.request)
