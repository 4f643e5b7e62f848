"""What the run list says of a run, by column, in safe texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from hch.browse.marks import fit
from hch.keeping import RunRow
from hch.safe_text import one_line
from hch.words import dollars, seconds, short

WIDEST = 30
"""The most cells of who played."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A run as its row says it: safe texts by column, and the text that a filter looks through."""

    row: RunRow
    cells: dict[str, str]
    searched: str


def entry_of(row: RunRow) -> Entry:
    """What a run\'s row says."""
    specs = list(dict.fromkeys(row.players))
    models = dict.fromkeys(spec.partition("@")[2].partition(",")[0] for spec in specs)
    strategies = dict.fromkeys(spec.partition("@")[0] for spec in specs)
    cells = {
        "when": _when(row.started),
        "status": one_line(row.status, 12),
        "question": one_line(row.question, 300),
        "model": fit(one_line(", ".join(filter(None, models)), 80), WIDEST),
        "strategy": fit(one_line(", ".join(filter(None, strategies)), 80), WIDEST),
        "depth": str(len(row.players) - 1),
        "nodes": short(row.nodes),
        "tokens": short(row.tokens),
        "cost": dollars(row.microusd) if row.microusd else "",
        "time": seconds(row.seconds),
    }
    known = (row.question, *specs, row.status, row.run, "imported" if row.imported else "")
    return Entry(row, cells, "\n".join(known).casefold())


def _when(started: float) -> str:
    """Local time: of today the hour, of this year the day, else the date."""
    at, now = datetime.fromtimestamp(started).astimezone(), datetime.now().astimezone()
    if at.date() == now.date():
        return at.strftime("%H:%M")
    return at.strftime("%d %b %H:%M" if at.year == now.year else "%Y-%m-%d")


def played(players: Sequence[str]) -> Iterator[str]:
    """Who played at which levels; no levels where it was one all over."""
    for player, levels in groupby(range(len(players)), players.__getitem__):
        first, *more = levels
        at = f"{first}-{more[-1]}" if more else f"{first}"
        yield player if len(more) + 1 == len(players) else f"{at}={player}"
