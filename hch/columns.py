"""The columns that a run's outline is made of, and what it says of the run as a whole."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

STATUSES = ("open", "answered", "unanswered", "truncated", "failed", "cancelled")
"""A node's status by its code."""

WAYS = ("ask", "try", "put")
"""How a node was asked, by code."""

NOBODY = -1
"""In the place of a node: there is none."""

CLEAN, BALLOT, REJECTS, DOUBTED = 1, 2, 4, 8
"""Flags of a node: it is clean, its answer is a vote's; it is a check that rejects, or rejected."""

NODES = {
    "opened": "I", "closed": "I", "at": "d", "until": "d", "level": "i", "wrapper": "i",
    "player": "I", "status": "B", "flags": "B", "cuts": "B", "fallbacks": "B", "retries": "I",
    "calls": "d", "tokens": "d", "microusd": "d", "nodes": "d", "question": "Q", "said": "Q",
}  # fmt: skip
"""The columns of a node as its events make them, with their type codes of `array`."""

ASKS = {
    "slot": "i", "round": "i", "how": "B", "child": "i", "refused": "B", "why": "Q", "seq": "I",
    "more": "i",
}  # fmt: skip
STEPS = {"seq": "I", "request": "Q"}
CALLS = {"request": "Q", "seq": "I"}
PLACES = {"parent": "i", "asked": "I", "below": "I"}
STARTS = {"first": "I", "stepped": "I"}


class Ask(NamedTuple):
    """A question of a node's: the node asked, if one began, or that it was `refused`.

    `shared` tells that the node stands elsewhere; `more` further ones came to the same. `seq` is
    the number of its event.
    """

    slot: int
    round: int
    how: str
    node: int
    refused: bool
    shared: bool
    more: int
    seq: int


@dataclass(slots=True)
class Totals:
    """What a run took in all: as its bill counts it, an unknown outcome at its worst case.

    `requests` are different ones, `cached` those that a cache answered, `unknown` the attempts
    that were sent and have no end on record. `turns` are the numbers of the events that stopped,
    resumed and finished it.
    """

    requests: int = 0
    cached: int = 0
    tokens: int = 0
    microusd: float = 0.0
    unknown: dict[str, dict[str, float]] = field(default_factory=dict)
    turns: list[int] = field(default_factory=list)

    @property
    def worst(self) -> float:
        """The micro-dollars of what is unknown."""
        return sum(sum(attempts.values()) for attempts in self.unknown.values())

    @property
    def billed(self) -> float:
        """Micro-dollars."""
        return self.microusd + self.worst

    @property
    def flying(self) -> int:
        """How many attempts have no end on record."""
        return sum(map(len, self.unknown.values()))


@dataclass(frozen=True, slots=True)
class Head:
    """What an outline says of the run as a whole: `n` nodes hang on its roots.

    `last` is the number of the last event it knows of; `started` and `ended` are the times of the
    first and the last, in Unix seconds.
    """

    n: int
    last: int
    started: float
    ended: float
    players: list[str]
    totals: Totals


class Columns(dict[str, "array[Any]"]):
    """Columns by name, all as long as each other."""

    @classmethod
    def empty(cls, codes: dict[str, str]) -> Columns:
        return cls((name, array(code)) for name, code in codes.items())

    def picked(self, order: Sequence[int]) -> Columns:
        """Those rows, in that order."""
        return Columns(
            (name, array(column.typecode, map(column.__getitem__, order)))
            for name, column in self.items()
        )
