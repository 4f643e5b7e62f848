"""Filters of nodes as they are typed: `failed !retried level>=2 cost>0.01 model=gpt`.

All conditions must hold for the node itself. Each is a column of a byte for each node, made of the
outline's columns without a look at the texts, so that 100,000 nodes take no time.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from itertools import islice, repeat
from math import inf
from operator import eq, ge, gt, le, lt, ne, sub
from typing import Any, TypeAlias

from hch.columns import BALLOT, CLEAN, DOUBTED, NOBODY, STATUSES, WAYS
from hch.errors import HchError, UsageError
from hch.outline import Outline
from hch.registry import PlayerSpec
from hch.safe_text import one_line
from hch.words import seconds, short

Flags: TypeAlias = bytearray
"""A 1 for each node of which something holds, else a 0."""

Column: TypeAlias = Callable[[Outline], Iterable[float]]

_FLIP = bytes([1, *bytes(255)])
_OPERATORS = {">=": ge, "<=": le, "!=": ne, ">": gt, "<": lt, "=": eq}
_SAID = {
    ">=": "{} or more", "<=": "at most {}", "!=": "not {}", ">": "over {}", "<": "under {}",
    "=": "{}",
}  # fmt: skip
_CONDITION = re.compile(r"(?P<name>[^<>=!]+)(?P<operator>[<>!]=|[<>=])(?P<value>.*)", re.DOTALL)
_BLANKS = re.compile(r" ?([<>!]=|[<>=]) ?")
_NUMBER = re.compile(r"\$?(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})([a-zA-Z]?)", re.ASCII)
_TIMES = {"s": 1.0, "m": 60.0, "h": 3600.0}
_SIZES = {"k": 1e3, "K": 1e3, "M": 1e6}
_EXAMPLE = "write such as failed !retried level>=2 cost>0.01 model=gpt"


@dataclass(frozen=True)
class Condition:
    """One condition, in words too."""

    flags: Callable[[Outline], Flags]
    said: str
    negated: bool = False

    def apply(self, outline: Outline) -> Flags:
        flags = self.flags(outline)
        return flags.translate(_FLIP) if self.negated else flags


@dataclass(frozen=True)
class Filter:
    """Conditions, all of which must hold; a filter without any lets all pass."""

    conditions: tuple[Condition, ...] = ()

    def apply(self, outline: Outline) -> Flags:
        """A 1 for each node that passes itself, whatever is above it or below."""
        kept = int.from_bytes(b"\1" * outline.n)
        for condition in self.conditions:
            kept &= int.from_bytes(condition.apply(outline))
        return bytearray(kept.to_bytes(outline.n))

    def describe(self) -> str:
        """In words: `not failed, level 2 or more`; safe to display."""
        return ", ".join(f"not {c.said}" if c.negated else c.said for c in self.conditions)


@dataclass(frozen=True)
class _Figure:
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


def _unclean(outline: Outline) -> Flags:
    return _flag(CLEAN, outline).translate(_FLIP)


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
    "voted": ("has its answer by a vote", partial(_flag, BALLOT)),
}
"""Words that can be typed, what each says of a node, and how it is known."""


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


_FIGURES = {
    "level": _Figure("its level", lambda o: o.level, {}, _count),
    "cost": _Figure("dollars, with all below it", lambda o: o.microusd, {}, _dollars, 1e6),
    "own-cost": _Figure("dollars, without those it asked", _own, {}, _dollars, 1e6),
    "tokens": _Figure("tokens, with all below it", lambda o: o.tokens, _SIZES, _count),
    "calls": _Figure("calls, with all below it", lambda o: o.calls, _SIZES, _count),
    "time": _Figure("seconds; 3m and 2h are longer", _seconds, _TIMES, seconds),
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


_TEXTS = {
    "model": ("part of its model's name", _model),
    "strategy": ("part of its strategy's name", _strategy),
    "how": ("how it was asked: ask, a try, or put to another", _how),
}
_EXAMPLES = {
    "level": "level=1", "cost": "cost>0.01", "own-cost": "own-cost>0.001", "tokens": "tokens>10k",
    "calls": "calls>=5", "time": "time>2", "model": "model=gpt", "strategy": "strategy=vote",
    "how": "how=try",
}  # fmt: skip

TYPED: tuple[tuple[str, str], ...] = (
    *((word, meaning) for word, (meaning, _) in WORDS.items()),
    *((_EXAMPLES[name], figure.meaning) for name, figure in _FIGURES.items()),
    *((_EXAMPLES[name], meaning) for name, (meaning, _) in _TEXTS.items()),
    ("!failed", "not this; before any condition"),
)
"""What can be typed, and what it means, for the help. Figures take = != < <= > >=, texts = !=."""


def parse(text: str) -> Filter:
    """Reads conditions with blanks between them. Raises UsageError for what is none."""
    return Filter(tuple(map(_condition, _BLANKS.sub(r"\1", " ".join(text.split())).split())))


def _condition(typed: str) -> Condition:
    bare = typed.lstrip("!")
    negated = (len(typed) - len(bare)) % 2 == 1
    found = _CONDITION.fullmatch(bare)
    if found is None:
        return Condition(_known(bare), bare.casefold(), negated)
    name, operator, value = found["name"].casefold(), found["operator"], found["value"]
    if name in _FIGURES:
        return _compared(name, operator, value, negated)
    if name in _TEXTS:
        return _matched(name, operator, value, negated)
    if name in WORDS:
        raise UsageError(f"{name} is compared with nothing: write {name} or !{name}")
    raise _unknown(name, [*_FIGURES, *_TEXTS])


def _known(word: str) -> Callable[[Outline], Flags]:
    name = word.casefold()
    if name in WORDS:
        return WORDS[name][1]
    if name in _EXAMPLES:
        raise UsageError(f"{name} is compared with something: write such as {_EXAMPLES[name]}")
    raise _unknown(word, [*WORDS, *_EXAMPLES])


def _compared(name: str, operator: str, value: str, negated: bool) -> Condition:
    figure, number = _FIGURES[name], _NUMBER.fullmatch(value)
    unit = number[2] if number else ""
    if not number or (unit and unit not in figure.units):
        raise UsageError(
            f"{name}{operator}{one_line(value, 20)}: this is no number for {name}: "
            f"write such as {_EXAMPLES[name]}"
        )
    least = float(number[1]) * figure.units.get(unit, 1.0) * figure.scale
    compare: Callable[[Any, Any], bool] = _OPERATORS[operator]

    def flags(outline: Outline) -> Flags:
        column = islice(figure.column(outline), outline.n)
        return bytearray(map(compare, column, repeat(least)))

    return Condition(flags, f"{name} {_SAID[operator].format(figure.shown(least))}", negated)


def _matched(name: str, operator: str, value: str, negated: bool) -> Condition:
    wanted = value.casefold()
    if operator not in ("=", "!=") or not wanted:
        raise UsageError(f"{name} takes = or != and a text: write such as {_EXAMPLES[name]}")
    if name == "how" and wanted not in WAYS:
        raise UsageError(f"how={one_line(value, 20)}: it is one of {', '.join(WAYS)}")
    column = _TEXTS[name][1]
    said = f"{name} {one_line(value, 40)}"
    return Condition(lambda outline: column(outline, wanted), said, negated ^ (operator == "!="))


def _unknown(word: str, known: list[str]) -> UsageError:
    near = get_close_matches(word[:40].casefold(), known, 1)
    advice = f"did you mean {near[0]}?" if near else _EXAMPLE
    return UsageError(f"no filter is called {one_line(word, 30)}: {advice}")
