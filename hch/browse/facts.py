"""What a filter can ask of a node: each a column of a byte or a figure for every node.

They are made of the outline's columns without a look at the texts.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import compress
from math import inf
from operator import sub
from typing import TypeAlias

from hch.browse.timeline import Timeline
from hch.columns import BALLOT, CLEAN, DOUBTED, NOBODY, STATUSES, WAYS
from hch.errors import HchError
from hch.outline import Outline
from hch.registry import PlayerSpec
from hch.words import seconds, short

Flags: TypeAlias = bytearray
"""A 1 for each node of which something holds, else a 0."""

Wrong: TypeAlias = Container[int]

Column: TypeAlias = Callable[[Outline], Iterable[float]]

FLIP = bytes([1, *bytes(255)])
"""Makes a 1 of what is 0, and a 0 of a 1."""

_TIMES = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {"k": 1e3, "K": 1e3, "M": 1e6}


@dataclass(frozen=True)
class Figure:
    """What can be compared: its column, what a typed number is times, and how it is written."""

    meaning: str
    column: Column
    units: dict[str, float]
    shown: Callable[[float], str]
    scale: float = 1.0


def _status(code: int, outline: Outline) -> Flags:
    return bytearray(outline.status[: outline.n]).translate(_only(lambda status: status == code))


def _flag(bit: int, outline: Outline) -> Flags:
    return bytearray(outline.flags[: outline.n]).translate(_only(lambda flags: bool(flags & bit)))


def _only(holds: Callable[[int], bool]) -> bytes:
    return bytes(map(holds, range(256)))


def _problem(outline: Outline) -> Flags:
    flags = bytearray(outline.n)
    for node in outline.problems:
        flags[node] = 1
    return flags


def _retried(outline: Outline) -> Flags:
    return bytearray(map(bool, outline.retries[: outline.n]))


def _refused(outline: Outline) -> Flags:
    flags = bytearray(outline.n)
    for position in compress(range(len(outline.refused)), outline.refused):
        if position >= outline.first[0] and (asker := outline.asker(position)) < outline.n:
            flags[asker] = 1
    return flags


def _critical(outline: Outline) -> Flags:
    return bytearray(map(Timeline(outline).critical, range(outline.n)))


def is_wrong(outline: Outline, wrong: Wrong) -> Flags:
    return bytearray(map(wrong.__contains__, outline.opened[: outline.n]))


def _unclean(outline: Outline) -> Flags:
    return _flag(CLEAN, outline).translate(FLIP)


_MEANT = {
    "answered": "has an answer",
    "unanswered": "has none, and says why",
    "truncated": "was cut short by its budget or a limit of length",
    "failed": "failed",
    "cancelled": "was cancelled as the run stopped",
    "open": "has not ended",
}
WORDS: dict[str, tuple[str, Callable[[Outline], Flags]]] = {
    **{name: (_MEANT[name], partial(_status, code)) for code, name in enumerate(STATUSES)},
    "doubted": ("was rejected by a check", partial(_flag, DOUBTED)),
    "problem": ("has no answer, or one doubted or cut, or was refused a question", _problem),
    "unclean": ("is not clean: something is wrong at it or below", _unclean),
    "retried": ("needed more than one attempt at a call", _retried),
    "refused": ("was refused a question that it asked", _refused),
    "critical": ("is on the critical path: the run waited for it", _critical),
    "voted": ("has its answer by a vote", partial(_flag, BALLOT)),
}
"""Words that can be typed, what each says of a node, and how an outline tells it."""

WRONG = "wrong"
"""The word for what no outline tells."""


def _seconds(outline: Outline) -> Iterable[float]:
    n, ended = outline.n, outline.ended
    until = (u if s else ended for u, s in zip(outline.until[:n], outline.status, strict=False))
    return map(sub, until, outline.at)


def _own(outline: Outline) -> Iterable[float]:
    """Micro-dollars of each node without those that it asked, one asked twice counted once."""
    n, parent, asked, child = outline.n, outline.parent, outline.asked, outline.child
    spent = outline.microusd[:n]
    own = array("d", spent)
    for cost, up in zip(spent, parent[:n], strict=True):
        if up != NOBODY:
            own[up] -= cost
    shared = {
        (bisect_right(outline.first, position) - 1, node)
        for position, node in enumerate(child)
        if 0 <= node < n and asked[node] != position and position >= outline.first[0]
    }
    for asker, node in shared:
        if asker < n and parent[node] != asker:
            own[asker] -= spent[node]
    return (all_ if all_ == inf else max(0.0, mine) for mine, all_ in zip(own, spent, strict=True))


def _count(n: float) -> str:
    return f"{n:g}" if n < 1000 else short(n)


def _dollars(microusd: float) -> str:
    return f"${microusd / 1e6:g}"


FIGURES = {
    "level": Figure("its level", lambda o: o.level, {}, _count),
    "cost": Figure("dollars, with all below it", lambda o: o.microusd, {}, _dollars, 1e6),
    "own-cost": Figure("dollars, without those it asked", _own, {}, _dollars, 1e6),
    "tokens": Figure("tokens, with all below it", lambda o: o.tokens, _SIZES, _count),
    "calls": Figure("calls, with all below it", lambda o: o.calls, _SIZES, _count),
    "time": Figure("seconds; 3m and 2h are longer", _seconds, _TIMES, seconds),
}


def _model(outline: Outline, wanted: str) -> Flags:
    fitting = [wanted in (_player(name).model or "").casefold() for name in outline.players]
    return bytearray(map(fitting.__getitem__, outline.player[: outline.n]))


def _strategy(outline: Outline, wanted: str) -> Flags:
    players = [_player(name).strategies for name in outline.players]
    n = outline.n
    pairs = list(zip(outline.player[:n], outline.wrapper[:n], strict=True))
    fitting = {
        (player, wrapper): wanted in str(players[player][wrapper]).casefold()
        if 0 <= wrapper < len(players[player])
        else False
        for player, wrapper in set(pairs)
    }
    return bytearray(map(fitting.__getitem__, pairs))


def _player(name: str) -> PlayerSpec:
    """A player as it was written; one without anything where a foreign file names what is none."""
    try:
        return PlayerSpec.parse(name)
    except HchError:
        return PlayerSpec(())


def _how(outline: Outline, wanted: str) -> Flags:
    ways = bytearray(map(outline.how.__getitem__, outline.asked[: outline.n]))
    return ways.translate(_only(lambda way: way < len(WAYS) and WAYS[way] == wanted))


TEXTS = {
    "model": ("part of its model's name", _model),
    "strategy": ("part of its strategy's name", _strategy),
    "how": ("how it was asked: ask, a try, or put to another", _how),
}
EXAMPLES = {
    "level": "level=1", "cost": "cost>0.01", "own-cost": "own-cost>0.001", "tokens": "tokens>10k",
    "calls": "calls>=5", "time": "time>2", "model": "model=gpt", "strategy": "strategy=vote",
    "how": "how=try",
}  # fmt: skip
