"""Evaluations as tables: a row for each player at each depth, its tree, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

from hch.commands._columns import Column, table
from hch.evals.evaluation import Row
from hch.evals.paired import Paired
from hch.evals.share import Share
from hch.safe_text import one_line
from hch.words import dollars, seconds, short

LABEL = 200
"""Characters of a player's name."""

KIND = 16
"""Characters of a kind of question."""


def percent(share: Share) -> str:
    """`57.0%`; only all of them are `100.0%`, and only none `0.0%`; empty for none of none."""
    if share.some in {0, share.of}:
        return f"{100 * share.some / share.of:.1f}%" if share.of else ""
    return f"{min(99.9, max(0.1, 100 * share.some / share.of)):.1f}%"


def interval(share: Share) -> str:
    """`47.2–66.3`, in percent."""
    low, high = share.interval
    return f"{100 * low:.1f}–{100 * high:.1f}" if share.of else ""


def points(difference: float) -> str:
    """`+12.0`: a difference of accuracies, in points of a percent."""
    return f"{100 * difference:+.1f}"


def chance(p: float) -> str:
    """`.021`, `<.001`."""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def who(row: Row) -> str:
    """`HCH_2`, or `vote` for the baseline of the tree above it."""
    return "vote" if row.what == "vote" else f"HCH_{row.depth}"


def _by(row: Row) -> str:
    """The same, and of how many tries the vote is at most, in the mean."""
    return who(row) if row.k is None else f"{who(row)} of {row.k:.1f}"


def labels(rows: Sequence[Row]) -> list[str]:
    """Each row's player, where it is another than the row before's."""
    found = [one_line(row.label, LABEL) for row in rows]
    return ["" if i and found[i - 1] == name else name for i, name in enumerate(found)]


def scores(rows: Sequence[Row], width: int, *, priced: bool) -> Iterator[str]:
    """What every row gets right, and what an answer of it costs in the mean."""
    called = any(row.spent.calls for row in rows)
    yield from table(
        [
            Column("row", [str(row.number) for row in rows], 9),
            Column("player", labels(rows), 6, texts=True),
            Column("by", [_by(row) for row in rows], 8, texts=True),
            Column("right", [percent(row.accuracy) for row in rows], 10),
            Column("95%", [interval(row.accuracy) for row in rows], 7),
            Column("no answer", _some([len(row.answers) - row.answered for row in rows]), 2),
            Column("calls", [_mean(row, row.spent.calls) for row in rows] if called else [], 3),
            Column("nodes", [] if called else [_mean(row, row.spent.nodes) for row in rows], 3),
            Column("tokens", [_mean(row, row.spent.tokens) for row in rows] if called else [], 4),
            Column("cost", [_cost(row, priced=priced) for row in rows] if called else [], 5),
            Column("time", _times(rows) if called else [], 1),
        ],
        width,
    )


def trees(rows: Sequence[Row], width: int) -> Iterator[str]:
    """What each tree adds to H alone and to the vote that costs as much; nothing without trees."""
    found = [row for row in rows if row.what == "tree"]
    if not found:
        return
    yield from table(
        [
            Column("row", [str(row.number) for row in found], 9),
            Column("over HCH_0", [_points(row.gain) for row in found], 8),
            Column("95%", [_around(row.gain) for row in found], 5),
            Column("p", [_p(row.gain) for row in found], 3),
            Column("over vote", [_points(row.against) for row in found], 7),
            Column("95%", [_around(row.against) for row in found], 4),
            Column("p", [_p(row.against) for row in found], 2),
            Column("as HCH_n-1", [percent(row.agreement or Share(0, 0)) for row in found], 6),
            Column("right, part wrong", [_lucky(row) for row in found], 1),
        ],
        width,
    )


def levels(rows: Sequence[Row], width: int, *, priced: bool) -> Iterator[str]:
    """What the nodes of each level of every tree did; nothing where there is one level only."""
    found = [(row, n, row.levels[n]) for row in rows for n in sorted(row.levels, reverse=True)]
    found = [each for each in found if each[0].what == "tree"]
    if not found:
        return
    numbers = [str(row.number) for row, _, _ in found]
    called = any(level.calls for _, _, level in found)
    costs = [dollars(level.microusd) if level.microusd else "" for _, _, level in found]
    yield from table(
        [
            Column(
                "row", ["" if n and numbers[n - 1] == x else x for n, x in enumerate(numbers)], 9
            ),
            Column("level", [str(n) for _, n, _ in found], 10),
            Column("nodes", [short(level.nodes) for _, _, level in found], 8),
            Column("right", [short(level.right) for _, _, level in found], 7),
            Column("wrong", [short(level.wrong) for _, _, level in found], 6),
            Column("cannot tell", _some([level.ungraded for _, _, level in found]), 3),
            Column("no answer", _some([level.unanswered for _, _, level in found]), 5),
            Column("calls", [short(level.calls) for _, _, level in found] if called else [], 2),
            Column("tokens", [short(level.tokens) for _, _, level in found] if called else [], 4),
            Column("cost", costs if priced and called else [], 3),
            Column(
                "time in calls", _seconds([x.seconds for _, _, x in found]) if called else [], 1
            ),
        ],
        width,
    )


def kinds(rows: Sequence[Row], width: int) -> Iterator[str]:
    """The accuracy by kind of question; nothing where there is one kind only."""
    names = list(dict.fromkeys(name for row in rows for name in row.by_kind))
    if len(names) < 2:
        return
    none = Share(0, 0)
    columns = [
        Column("row", [str(row.number) for row in rows], len(names) + 2),
        Column("by", [who(row) for row in rows], len(names) + 1, texts=True),
    ]
    for place, name in enumerate(names):
        of = max(row.by_kind.get(name, none).of for row in rows)
        cells = [percent(row.by_kind.get(name, none)) for row in rows]
        title = f"{one_line(name, KIND) or 'none'} ({of})"
        columns.append(Column(title, cells, len(names) - place))
    lines = list(table(columns, width))
    yield from lines
    shown = lines[0].count("(") if lines else 0
    if shown < len(names):
        yield f"and {len(names) - shown} kinds more: --json has all"


def _some(counts: Sequence[int]) -> list[str]:
    """Counts as cells; all empty where there is nothing to count."""
    return [f"{n:,}" for n in counts] if any(counts) else []


def _mean(row: Row, total: float) -> str:
    mean = total / max(1, len(row.answers))
    return f"{mean:.1f}" if mean < 100 else short(mean)


def _cost(row: Row, *, priced: bool) -> str:
    """Of one answer in the mean."""
    if not priced:
        return "?"
    mean = row.spent.microusd / max(1, len(row.answers))
    return dollars(mean) if mean else ""


def _times(rows: Sequence[Row]) -> list[str]:
    """The median time of an answer, where any took long enough to be told."""
    return _seconds([median([a.seconds for a in row.answers] or [0.0]) for row in rows])


def _seconds(times: Sequence[float]) -> list[str]:
    return [seconds(s) for s in times] if any(s >= 0.05 for s in times) else []


def _points(paired: Paired | None) -> str:
    return points(paired.difference) if paired else ""


def _around(paired: Paired | None) -> str:
    return f"{points(paired.low)} to {points(paired.high)}" if paired else ""


def _p(paired: Paired | None) -> str:
    return chance(paired.p) if paired else ""


def _lucky(row: Row) -> str:
    """How many of the right answers have a wrong one below them, of those that tell."""
    found = row.wrong_reasons
    return f"{percent(found)} of {found.of}" if found.of else ""
