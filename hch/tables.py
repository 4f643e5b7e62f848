"""A table of answers: an agent that has been told everything it knows.

It is the simplest of distilled agents: what it was not told, it does not know. As text it is JSON
lines, a head and a row `[instance, question, answer]` each; an answer is a text, or the weight of
each of several.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import TypeAlias

from hch.agents import Row
from hch.chance import Chance

FORMAT = 1

Held: TypeAlias = str | Mapping[str, float]
"""What a table has for a question: the answer, or the weights of several."""


class Table:
    """Answers by instance and question; `digest` is of its text, and names what it says."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: dict[tuple[str | None, str], Held] = {
            (instance, question): answer for instance, question, answer in rows
        }

    def find(self, instance: str | None, question: str, seed: int) -> str | None:
        """The answer to a question; of several, one drawn by their weights, the same for a seed."""
        held = self.rows.get((instance, question))
        if held is None or isinstance(held, str):
            return held
        [drawn] = Chance(seed, instance, question).choices([*held], [*held.values()])
        return drawn

    @property
    def text(self) -> str:
        """All of it, rows in the order of instance and question."""
        return "".join(f"{line}\n" for line in self._lines())

    @property
    def digest(self) -> str:
        return sha256(self.text.encode()).hexdigest()

    def _lines(self) -> Iterator[str]:
        yield _line({"hch": "table", "format": FORMAT, "rows": len(self.rows)})
        for (instance, question), held in sorted(self.rows.items(), key=_order):
            yield _line([instance, question, held if isinstance(held, str) else dict(held)])

    @classmethod
    def read(cls, text: str) -> Table:
        """The table of such a text. Raises ValueError, saying where it is wrong."""
        lines = text.splitlines()
        head = _parsed(lines[0] if lines else "", 1)
        if not isinstance(head, dict) or head.get("hch") != "table":
            raise ValueError("it is no table: its first line does not say so")
        if head.get("format") != FORMAT:
            raise ValueError(f"it is of format {head.get('format')}, and this hch reads {FORMAT}")
        if head.get("rows") != len(lines) - 1:
            raise ValueError(f"it has {len(lines) - 1} rows, and its head says {head.get('rows')}")
        return cls(_row(_parsed(line, n), n) for n, line in enumerate(lines[1:], 2))


def _order(item: tuple[tuple[str | None, str], Held]) -> tuple[str, str]:
    (instance, question), _ = item
    return instance or "", question


def _line(data: object) -> str:
    return json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _parsed(line: str, number: int) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is no JSON: {error}") from error


def _row(data: object, number: int) -> Row:
    match data:
        case [str() | None as instance, str(question), str(answer)]:
            return Row(instance, question, answer)
        case [str() | None as instance, str(question), dict(weights)] if _are_weights(weights):
            return Row(instance, question, weights)
    raise ValueError(f"line {number} is no row: [instance, question, answer]")


def _are_weights(weights: Mapping[str, object]) -> bool:
    numbers = [w for w in weights.values() if isinstance(w, int | float) and 0 <= w < float("inf")]
    return len(numbers) == len(weights) and sum(numbers) > 0
