"""One run's tree, as a fold over its events.

Nodes get their ids ("0", "0.1", "0.1.2": root, then slot numbers from 1) in one walk in asking
order. The first visit owns a shared subtree; later ones are links to it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import zip_longest
from typing import Any

from hch.budget import Price
from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    Noted,
    PrimitiveAnswered,
    Record,
    RootOpened,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Thought,
)
from hch.nodes import UNCLEAN, Ask, Call, Node, is_clean, is_equal, plain
from hch.types import Usage

__all__ = ["UNCLEAN", "Ask", "Call", "Node", "Trace"]


class Trace:
    """A run's tree: `roots`, every node by `nodes()`, every call in `calls`.

    `planted` has the roots by number: some may not be opened yet, and equal ones are one node.
    `orphans` are the keys of nodes that hang on no root; there should be none.
    """

    def __init__(self, records: Iterable[Record | Noted]) -> None:
        fold = _Fold()
        for record in records:
            fold.take(record.run, record.at, record.event)
        self.run = fold.run
        self.started = fold.started
        self.finished = fold.finished
        self.stopped = fold.stopped
        self.cap = fold.cap
        self.calls = fold.calls
        self.times = (fold.first, fold.last)
        self.planted = fold.tree()
        self.roots = tuple(self.planted.values())
        self.orphans = fold.orphans

    def nodes(self) -> Iterator[Node]:
        """Every node once, in id order; a root that another root's tree owns comes with that."""
        owned = {root.key: root for root in self.roots if "." not in root.id}
        stack = list(reversed(owned.values()))
        while stack:
            node = stack.pop()
            yield node
            stack += reversed(node.children)

    def node(self, id: str) -> Node | None:
        """The node of this id, or None."""
        return self._by_id.get(id)

    @cached_property
    def _by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes()}

    @property
    def bill(self) -> Price:
        """What all attempts cost, unknown outcomes at their worst case."""
        return sum((call.price for call in self.calls.values()), Price())

    @property
    def clean(self) -> bool:
        return bool(self.roots) and all(root.clean for root in self.roots)

    def usage_by_level(self) -> dict[int, tuple[int, Usage]]:
        """By level: the number of thinks and the tokens they used, a shared call each time."""
        levels: dict[int, tuple[int, Usage]] = {}
        for node in self.nodes():
            for _, call in node.thoughts:
                count, sum_ = levels.get(node.level, (0, Usage()))
                used = call.usage if call else Usage()
                levels[node.level] = (
                    count + 1,
                    Usage(
                        sum_.input + used.input,
                        sum_.output + used.output,
                        sum_.cached + used.cached,
                        sum_.reasoning + used.reasoning,
                        sum_.cache_write + used.cache_write,
                    ),
                )
        return dict(sorted(levels.items()))

    def repeats(self, other: Trace) -> bool:
        """Whether both are the same to the last field, so that their canonical bytes are equal.

        Much quicker than these; False only says that it takes them to tell.
        """
        pairs = zip_longest(self.nodes(), other.nodes())
        alike = all(one and two and is_equal(one, two) for one, two in pairs)
        return alike and self._head() == other._head()

    def _head(self) -> dict[str, Any]:
        return {
            "players": self.started.players,
            "seed": self.started.seed,
            "grant": self.started.grant.model_dump(),
            "prompts": self.started.prompts,
            "roots": [root.id for root in self.roots],
        }

    def canonical(self) -> bytes:
        """The tree as JSON lines in id order: two runs are the same when these bytes are equal.

        Without times, run ids, attempts, cached-token counts, and who a text came from first.
        """
        lines = [self._head(), *(plain(node) for node in self.nodes())]
        return b"".join(json.dumps(line, sort_keys=True).encode() + b"\n" for line in lines)


class _Fold:
    """Takes events one by one and lets go of nothing that the tree needs."""

    def __init__(self) -> None:
        self.run = ""
        self.first = self.last = 0.0
        self._started: RunStarted | None = None
        self.finished: RunFinished | None = None
        self.stopped: RunStopped | None = None
        self.cap = Price()
        self.calls: dict[str, Call] = {}
        self._roots: dict[int, str] = {}
        self._opened: dict[str, tuple[NodeOpened, float]] = {}
        self._superseded: set[str] = set()
        self._closed: dict[str, tuple[NodeClosed, float]] = {}
        self._thoughts: dict[str, dict[int, Thought]] = {}
        self._asked: dict[str, dict[int, Asked]] = {}
        self._primitives: dict[str, dict[int, PrimitiveAnswered]] = {}

    @property
    def started(self) -> RunStarted:
        if self._started is None:
            raise ValueError("these events have no RunStarted")
        return self._started

    def take(self, run: str, at: float, event: Event) -> None:
        self.run, self.last = run, at
        self.first = self.first or at
        match event:
            case NodeOpened():
                self._open(event, at)
            case NodeClosed():
                self._closed[event.key] = (event, at)
            case Thought():
                self._thoughts.setdefault(event.parent, {})[event.index] = event
            case Asked():
                self._asked.setdefault(event.parent, {})[event.slot] = event
            case PrimitiveAnswered():
                self._primitives.setdefault(event.parent, {})[event.index] = event
            case CallIntended() | CallFinished() | CallFailed() | CallGivenUp():
                self._take_call(event, at)
            case _:
                self._take_run(event)

    def _open(self, event: NodeOpened, at: float) -> None:
        """A node that is opened again begins again: what it did before is superseded."""
        if event.key in self._opened:
            asked = self._asked.pop(event.key, {}).values()
            self._superseded |= {ask.child for ask in asked if ask.child}
            self._thoughts.pop(event.key, None)
            self._primitives.pop(event.key, None)
            self._closed.pop(event.key, None)
        self._opened[event.key] = event, at

    def _take_call(
        self, event: CallIntended | CallFinished | CallFailed | CallGivenUp, at: float
    ) -> None:
        call = self.calls.setdefault(event.request, Call(event.request))
        call.times.append(at)
        match event:
            case CallIntended():
                call.intents.append(event)
            case CallGivenUp():
                call.given_up = event
            case _:
                call.ends.append(event)

    def _take_run(self, event: Event) -> None:
        match event:
            case RunStarted():
                self._started, self.cap = event, event.cap.price()
            case RootOpened():
                self._roots[event.index] = event.key
            case RunResumed():
                self.stopped = self.finished = None
                self.cap = event.cap.price()
            case RunStopped():
                self.stopped = event
            case RunFinished():
                self.finished, self.stopped = event, None

    def tree(self) -> dict[int, Node]:
        made: dict[str, Node] = {}
        roots = {
            index: self._grow(key, str(index), made)
            for index, key in sorted(self._roots.items())
            if key in self._opened
        }
        dropped = dict(made)
        for key in self._superseded & self._opened.keys():
            self._grow(key, "", dropped)
        self.orphans = set(self._opened) - set(dropped)
        for node in sorted(made.values(), key=lambda n: (n.level, n.left)):
            node.clean = is_clean(node)
        return roots

    def _grow(self, key: str, id: str, made: dict[str, Node]) -> Node:
        """The node of this key with all that it owns, first visits in asking order."""
        if key in made:
            return made[key]
        root = made[key] = self._node(key, id)
        stack = [(root, iter(self._slots(key)))]
        while stack:
            parent, slots = stack[-1]
            asked = next(slots, None)
            if asked is None:
                stack.pop()
                continue
            child = asked.child
            shared = child in made
            if child is not None and not shared and child in self._opened:
                made[child] = self._node(child, f"{parent.id}.{asked.slot}")
                stack.append((made[child], iter(self._slots(child))))
            parent.asks.append(
                Ask(
                    asked.slot,
                    asked.round,
                    asked.how,
                    asked.question.body,
                    made.get(child) if child else None,
                    asked.refusal,
                    shared,
                    asked.more,
                )
            )
        return root

    def _slots(self, key: str) -> list[Asked]:
        return [asked for _, asked in sorted(self._asked.get(key, {}).items())]

    def _node(self, key: str, id: str) -> Node:
        opened, at = self._opened[key]
        closed, until = self._closed.get(key, (None, None))
        thoughts = [
            (thought, self.calls.get(thought.request))
            for _, thought in sorted(self._thoughts.get(key, {}).items())
        ]
        primitives = [event for _, event in sorted(self._primitives.get(key, {}).items())]
        return Node(id, opened, closed, at, until, thoughts, [], primitives)
