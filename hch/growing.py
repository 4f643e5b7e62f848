"""A run's outline as it grows: takes its events one by one, in columns, in the order of opening.

A node has a row from when it is first asked for. One that is opened again begins again: what it
asked and thought before does not count any more. `settled` puts the nodes into id order, in one
walk in asking order: the first visit owns a shared subtree, and later ones are links to it.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from hashlib import blake2b
from math import inf
from typing import Any

from hch.columns import (
    ASKS,
    BALLOT,
    CALLS,
    DOUBTED,
    NOBODY,
    NODES,
    REJECTS,
    STATUSES,
    STEPS,
    WAYS,
    Columns,
    Head,
    Totals,
)
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
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Thought,
)
from hch.judging import CHECKING, verdict
from hch.outline import Outline
from hch.settling import settle
from hch.types import Answer, Text

_MOST = 255
_LARGE = 2**31 - 1
_HUGE = 1e300
_LONG = 2**64 - 1
_CODES = {status: code for code, status in enumerate(STATUSES)}
_WAYS = {way: code for code, way in enumerate(WAYS)}


class Growing:
    """The fold: `count` nodes were opened; `keys` has a row for those that were asked for, too.

    `last` is the number of the last event.
    """

    def __init__(self) -> None:
        self.last = self.count = 0
        self.keys: dict[str, int] = {}
        self.totals = Totals()
        self._started = self._ended = 0.0
        self._players: dict[str, int] = {}
        self._roots: dict[int, int] = {}
        self._nodes = Columns.empty(NODES)
        self._asks = Columns.empty({"parent": "I", **ASKS})
        self._steps = Columns.empty({"parent": "I", **STEPS})
        self._calls = Columns.empty(CALLS)
        self._status = self._nodes["status"]
        self._empty = tuple(self._nodes.values())
        self._takers: dict[type, Callable[[int, float, Any], None]] = {
            RootOpened: self._root,
            NodeOpened: self._open,
            NodeClosed: self._close,
            Asked: self._ask,
            Thought: self._think,
            PrimitiveAnswered: self._primitive,
            CallIntended: self._intend,
            CallFinished: self._end,
            CallFailed: self._end,
            CallGivenUp: self._give_up,
            RunStarted: self._start,
            RunStopped: self._turn,
            RunResumed: self._turn,
            RunFinished: self._turn,
        }

    @classmethod
    def of(cls, outline: Outline) -> Growing:
        """Goes on where an outline ends."""
        self = cls()
        self.last, self.totals = outline.last, deepcopy(outline.totals)
        self._started, self._ended = outline.started, outline.ended
        self.keys = {key: row for row, key in enumerate(json.loads(outline.keys))}
        self.count = sum(map(bool, outline.opened))
        self._players = {player: code for code, player in enumerate(outline.players)}
        tables, known = outline.tables, len(outline.opened)
        for mine, theirs in ((self._nodes, tables["nodes"]), (self._calls, tables["calls"])):
            mine.update((name, column[:]) for name, column in theirs.items())
        flags = self._nodes["flags"]
        self._nodes["flags"] = array("B", (flag & ~DOUBTED for flag in flags))
        self._status = self._nodes["status"]
        self._empty = tuple(self._nodes.values())
        roots = len(outline.roots)
        self._roots = {outline.slot[a]: outline.child[a] for a in outline.roots}
        for mine, theirs, first in (
            (self._asks, tables["asks"], outline.first),
            (self._steps, tables["steps"], outline.stepped),
        ):
            skipped = roots if mine is self._asks else 0
            mine.update((name, column[skipped:]) for name, column in theirs.items())
            parents = (node for node in range(known) for _ in range(first[node + 1] - first[node]))
            mine["parent"] = array("I", parents)
        return self

    def status(self, key: str) -> str | None:
        """The status of the node of that key; None while it is open, or where there is none."""
        row = self.keys.get(key)
        return None if row is None or not self._status[row] else STATUSES[self._status[row]]

    def take(self, seq: int, at: float, event: Event) -> None:
        """Fold in the run's next event; cheap, since every event of a run comes here."""
        self.last, self._ended = seq, at
        if (taker := self._takers.get(type(event))) is not None:
            taker(seq, at, event)

    def _row(self, key: str) -> int:
        row = self.keys.get(key)
        if row is None:
            row = self.keys[key] = len(self._status)
            for column in self._empty:
                column.append(0)
        return row

    def _open(self, seq: int, at: float, event: NodeOpened) -> None:
        row, nodes = self._row(event.key), self._nodes
        if nodes["opened"][row]:
            for column in self._empty:
                column[row] = 0
        else:
            self.count += 1
        nodes["opened"][row], nodes["at"][row] = seq, at
        nodes["level"][row], nodes["wrapper"][row] = _whole(event.level), _whole(event.wrapper)
        nodes["player"][row] = self._players.setdefault(event.player, len(self._players))
        nodes["question"][row] = _hash(event.question.body)
        if event.question.body == CHECKING:
            nodes["flags"][row] = REJECTS  # until it says otherwise

    def _close(self, seq: int, at: float, event: NodeClosed) -> None:
        row, nodes = self._row(event.key), self._nodes
        nodes["closed"][row], nodes["until"][row] = seq, at
        self._status[row] = _CODES[event.status]
        spent = event.spent
        nodes["calls"][row], nodes["tokens"][row] = _amount(spent.calls), _amount(spent.tokens)
        nodes["microusd"][row], nodes["nodes"][row] = _amount(spent.microusd), _amount(spent.nodes)
        said = event.answer.body if event.answer else event.reason
        nodes["said"][row] = _hash(said)
        flags = BALLOT if event.ballot and event.ballot.ballot().votes else 0
        if nodes["flags"][row] & REJECTS and event.answer is not None:
            answer = Answer(event.status, Text(event.answer.body))
            flags |= REJECTS if verdict(answer).said == "reject" else 0
        nodes["flags"][row] = flags
        if event.notes:
            kinds = [note.partition(":")[0] for note in event.notes if ":" in note]
            nodes["cuts"][row] = min(_MOST, kinds.count("cut"))
            nodes["fallbacks"][row] = min(_MOST, kinds.count("fallback"))

    def _ask(self, seq: int, at: float, event: Asked) -> None:
        asks = self._asks
        asks["parent"].append(self._row(event.parent))
        asks["slot"].append(_whole(event.slot))
        asks["round"].append(_whole(event.round))
        asks["how"].append(_WAYS[event.how])
        asks["child"].append(NOBODY if event.child is None else self._row(event.child))
        asks["refused"].append(event.refusal is not None)
        asks["why"].append(_hash(event.refusal) if event.refusal else 0)
        asks["seq"].append(seq)
        asks["more"].append(_whole(event.more))

    def _think(self, seq: int, at: float, event: Thought) -> None:
        self._step(self._row(event.parent), seq, request_number(event.request))

    def _primitive(self, seq: int, at: float, event: PrimitiveAnswered) -> None:
        self._step(self._row(event.parent), seq, 0)

    def _step(self, row: int, seq: int, request: int) -> None:
        self._steps["parent"].append(row)
        self._steps["seq"].append(seq)
        self._steps["request"].append(request)

    def _call(self, seq: int, request: str) -> None:
        self._calls["request"].append(request_number(request))
        self._calls["seq"].append(seq)

    def _intend(self, seq: int, at: float, event: CallIntended) -> None:
        self._call(seq, event.request)
        if event.attempt:
            flying = self.totals.unknown.setdefault(event.request, {})
            flying[str(event.attempt)] = _amount(event.worst.microusd)
        if event.attempt > 1 and (row := self.keys.get(event.node)) is not None:
            self._nodes["retries"][row] += 1

    def _end(self, seq: int, at: float, event: CallFinished | CallFailed) -> None:
        self._call(seq, event.request)
        flying = self.totals.unknown.get(event.request)
        if flying is not None:
            flying.pop(str(event.attempt), None)
            if not flying:
                del self.totals.unknown[event.request]
        self.totals.microusd += _amount(event.price.microusd)
        if isinstance(event, CallFinished):
            self.totals.cached += event.attempt == 0
            self.totals.tokens += event.usage[0] + event.usage[1]

    def _give_up(self, seq: int, at: float, event: CallGivenUp) -> None:
        self._call(seq, event.request)

    def _root(self, seq: int, at: float, event: RootOpened) -> None:
        self._roots[_whole(event.index)] = self._row(event.key)

    def _start(self, seq: int, at: float, event: RunStarted) -> None:
        self._started = self._started or at

    def _turn(self, seq: int, at: float, event: RunStopped | RunResumed | RunFinished) -> None:
        self.totals.turns.append(seq)

    def settled(self) -> Outline:
        """The outline as of now; this goes on growing."""
        players = list(self._players)
        n, tables, rows = settle(
            self._nodes, self._asks, self._steps, self._calls, self._roots, players
        )
        keys = list(self.keys)
        totals = replace(
            self.totals,
            requests=len(set(self._calls["request"])),
            unknown={request: dict(flying) for request, flying in self.totals.unknown.items()},
            turns=self.totals.turns[:],
        )
        head = Head(n, self.last, self._started, self._ended, players, totals)
        return Outline(head, tables, json.dumps([keys[row] for row in rows]).encode())


def _whole(n: int) -> int:
    """The number, or the nearest that a column can hold: foreign files have any."""
    return n if -_LARGE < n < _LARGE else _LARGE if n > 0 else -_LARGE


def _amount(n: float) -> float:
    return n if n < _HUGE else inf


def request_number(request: str) -> int:
    """A request as a number, which is never 0: of a digest its first digits."""
    try:
        return int(request[:16], 16) & _LONG | 1
    except ValueError:
        return _hash(request) | 1


def _hash(text: str) -> int:
    data = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest())
