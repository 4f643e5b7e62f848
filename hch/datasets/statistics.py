"""What a dataset has: rows by kind, split, level and task, their lengths, and the most costly.

Everything is counted in one pass, and takes no more memory for more rows.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hch.datasets.dataset import Data, Page

EXACT = 10_000
"""Lengths from this on are counted to four digits."""

MOST = 10**15
"""What is told to be more than this is not believed."""

QUANTILES = {
    "least": 0.0,
    "5%": 0.05,
    "25%": 0.25,
    "median": 0.5,
    "75%": 0.75,
    "95%": 0.95,
    "most": 1.0,
}


@dataclass
class Lengths:
    """How long many texts are."""

    counts: Counter[int] = field(default_factory=Counter)
    total: int = 0

    def add(self, length: int) -> None:
        self.counts[_rounded(length)] += 1
        self.total += length

    @property
    def n(self) -> int:
        return self.counts.total()

    def quantiles(self) -> dict[str, int]:
        """By `QUANTILES`, the least length that so many of the texts do not exceed."""
        found, ends = dict[str, int](), list[tuple[int, int]]()
        seen = 0
        for length, count in sorted(self.counts.items()):
            seen += count
            ends.append((seen, length))
        for name, share in QUANTILES.items():
            found[name] = next((at for end, at in ends if end >= share * seen and end), 0)
        return found

    @property
    def mean(self) -> float:
        return self.total / self.n if self.n else 0.0


class Costly(NamedTuple):
    """A row that cost much: what its node spent, in tokens and millionths of a dollar."""

    microusd: float
    tokens: float
    place: str
    run: str
    node: str


@dataclass
class Statistics:
    """What was counted of the rows that were taken so far; the `top` most costly are kept.

    `characters` are by kind and column: all texts in it together. `tokens` are by kind, where the
    rows were counted by a tokenizer.
    """

    top: int = 10
    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    levels: dict[str, Counter[int]] = field(default_factory=dict)
    tasks: dict[str, Counter[str]] = field(default_factory=dict)
    characters: dict[str, dict[str, Lengths]] = field(default_factory=dict)
    tokens: dict[str, Lengths] = field(default_factory=dict)
    _costly: list[tuple[float, float, int, Costly]] = field(default_factory=list)
    _seen: int = 0

    def take(self, page: Page) -> None:
        """Count a row."""
        kind, split = page.shard.kind, page.shard.split
        splits = self.rows.setdefault(kind, {})
        splits[split] = splits.get(split, 0) + 1
        level, task = page.origin.get("level"), page.origin.get("task")
        self.levels.setdefault(kind, Counter())[level if isinstance(level, int) else -1] += 1
        self.tasks.setdefault(kind, Counter())[task if isinstance(task, str) else ""] += 1
        lengths = self.characters.setdefault(kind, {})
        for column, value in page.row.items():
            if (length := characters(value)) is not None:
                lengths.setdefault(column, Lengths()).add(length)
        if (tokens := length_in_tokens(page.origin)) is not None:
            self.tokens.setdefault(kind, Lengths()).add(tokens)
        self._cost(page)

    def _cost(self, page: Page) -> None:
        microusd, tokens = cost(page.origin)
        self._seen += 1
        if microusd or tokens:
            run, node = str(page.origin.get("run")), str(page.origin.get("node"))
            found = Costly(microusd, tokens, page.place, run, node)
            heapq.heappush(self._costly, (microusd, tokens, -self._seen, found))
            if len(self._costly) > self.top:
                heapq.heappop(self._costly)

    @property
    def costly(self) -> list[Costly]:
        """The most costly rows, the most costly first; of equals those that came first."""
        return [found for *_, found in sorted(self._costly, reverse=True)]

    def json(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        return {
            "rows": self.rows,
            "levels": {k: dict(sorted(c.items())) for k, c in self.levels.items()},
            "tasks": {k: dict(sorted(c.items())) for k, c in self.tasks.items()},
            "characters": {
                kind: {column: _json(lengths) for column, lengths in columns.items()}
                for kind, columns in self.characters.items()
            },
            "tokens": {kind: _json(lengths) for kind, lengths in self.tokens.items()},
            "costly": [found._asdict() for found in self.costly],
        }


def _json(lengths: Lengths) -> dict[str, float]:
    return {"n": lengths.n, "mean": lengths.mean, **lengths.quantiles()}


def _rounded(length: int) -> int:
    if length < EXACT:
        return length
    digits = len(str(length)) - 4
    return round(length, -digits)


def characters(value: Any) -> int | None:
    """The characters of all texts in a column's value; None where there can be none.

    What says who speaks is no text: of a message, only its content is counted.
    """
    found = list(_texts(value))
    return sum(map(len, found)) if found or isinstance(value, list) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        speaks = {"role", "from"} if {"content", "value"} & value.keys() else set()
        for name, inner in value.items():
            if name not in speaks:
                yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)


def length_in_tokens(origin: Data) -> int | None:
    """How many tokens a row has, where a tokenizer counted them."""
    found = origin.get("size")
    return found if isinstance(found, int) and 0 <= found < MOST else None


def cost(origin: Data) -> tuple[float, float]:
    """What a row's node spent, in millionths of a dollar and in tokens; 0 where it is not told."""
    microusd, tokens = (
        float(amount) if isinstance(amount, int | float) and 0 <= amount < MOST else 0.0
        for amount in (origin.get("cost"), origin.get("tokens"))
    )  # fmt: skip
    return microusd, tokens
