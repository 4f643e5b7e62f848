"""Evaluations found in a store, and rows of them compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len

from hch.commands._columns import GAP, Column, table
from hch.commands._evaluations import LABEL, chance, percent, points, who
from hch.commands._finding import find as find_run
from hch.commands._scored import evaluated, wrapped
from hch.errors import UsageError
from hch.evals.comparison import Comparison
from hch.evals.evaluation import Evaluation, Row
from hch.evals.share import Share
from hch.keeping import RunRow, Store
from hch.roots import evaluates, planned
from hch.safe_text import one_line
from hch.trace import Trace
from hch.words import count

LISTED = 30
"""The rows that an error names."""


def evaluations(store: Store) -> Iterator[dict[str, Any]]:
    """Every evaluation that is kept, newest first, as it was planned."""
    for row in store.runs():
        started = Trace(store.events(row.run, "RunStarted")).started
        if not evaluates(started):
            continue
        plan = planned(started)
        assert plan.examination is not None, "it evaluates"
        asked = [entry for entry in plan.entries if entry.grades is None]
        unfinished = row.status in ("unfinished", "running")
        yield {
            "run": row.run,
            "started": row.started,
            "status": row.status if unfinished else "finished",
            "source": plan.examination.source,
            "scorer": plan.examination.scorer,
            "questions": len(plan.questions),
            "answers": len(plan.questions) * len(asked),
            "players": list(
                dict.fromkeys(plan.examination.labels[entry.lineup] for entry in asked)
            ),
        }


def find(store: Store, given: str | None) -> RunRow:
    """The run of this id or unique beginning of one, else the newest evaluation.

    Raises UsageError where there is none, or there are several.
    """
    if given is not None:
        return find_run(store, given)
    newest = next(evaluations(store), None)
    if newest is None:
        raise UsageError(
            f"there are no evaluations in {store.place} yet: make one with hch eval --task NAME"
        )
    return find_run(store, newest["run"])


def pairs(store: Store, one: str, other: str) -> list[Comparison]:
    """The rows that two names tell, RUN or RUN:ROW, compared; all that are alike where none is.

    Raises UsageError where a name tells nothing, or two rows share no question.
    """
    first, mine = _named(store, one)
    second, yours = _named(store, other, first)
    if mine is not None and yours is not None:
        return [Comparison.of(first.row(mine), second.row(yours))]
    if first.run == second.run:
        raise UsageError(f"name two rows of run {first.run}, such as {first.run}:1; {_rows(first)}")
    ours = [first.row(mine)] if mine is not None else list(first.rows)
    theirs = [second.row(yours)] if yours is not None else list(second.rows)
    alike = [(a, b) for a in ours for b in theirs if _kind(a) == _kind(b)]
    if not alike:
        raise UsageError(
            f"no rows of these have the same player and depth: name them, as in {first.run}:1; "
            f"{_rows(first)}; {_rows(second)}"
        )
    return [Comparison.of(a, b) for a, b in alike]


def lines(found: Sequence[Comparison], width: int) -> Iterator[str]:
    """A line for each pair: how many each is right on, and whether that is chance.

    Players that a column would have to cut have lines of their own below the table.
    """
    players = [_who(pair) for pair in found]
    figures = _figures(found)
    wide = sum(column.size + len(GAP) for column in figures) + max(map(cell_len, players))
    fits = wide <= width
    named = Column("player", players if fits else [], 4, texts=True)
    yield from table([*figures[:2], named, *figures[2:]], width)
    sides = [(side, row) for pair in found for side, row in (("A", pair.one), ("B", pair.other))]
    own = [] if fits else [f"{side} {row.number}: {_player(row)}" for side, row in sides]
    for text in (*dict.fromkeys(own), *_beside(found)):
        yield from wrapped(text, width)


def _figures(found: Sequence[Comparison]) -> list[Column]:
    return [
        Column("A", [str(pair.one.number) for pair in found], 9),
        Column("B", [str(pair.other.number) for pair in found], 9),
        Column("questions", [f"{pair.questions:,}" for pair in found], 6),
        Column("A right", [_right(pair, pair.paired.first) for pair in found], 5),
        Column("B right", [_right(pair, pair.paired.second) for pair in found], 5),
        Column("B - A", [points(pair.paired.difference) for pair in found], 8),
        Column("95%", [_around(pair) for pair in found], 7),
        Column("p", [chance(pair.paired.p) for pair in found], 7),
        Column("only A", [f"{pair.paired.first:,}" for pair in found], 2),
        Column("only B", [f"{pair.paired.second:,}" for pair in found], 2),
    ]


def _beside(found: Sequence[Comparison]) -> Iterator[str]:
    """What makes a comparison less than it seems: other scorers, answers expected, questions."""
    for one, other in dict.fromkeys((pair.one.scorer, pair.other.scorer) for pair in found):
        if one != other:
            yield f"A is graded by {_scorer(one)}, B by {_scorer(other)}"
    apart = max(pair.apart for pair in found)
    if apart:
        yield f"A and B are held against other answers to {count(apart, 'question')}"
    left = [(pair.only_one, pair.only_other) for pair in found if pair.only_one or pair.only_other]
    if left:
        a, b = map(max, zip(*left, strict=True))
        yield f"left out, since only one was asked them: {a:,} questions of A, {b:,} of B"


def _scorer(name: str | None) -> str:
    return one_line(name, LABEL) if name else "the task's own rule"


def _right(pair: Comparison, alone: int) -> str:
    return percent(Share(pair.paired.both + alone, pair.questions))


def _around(pair: Comparison) -> str:
    return f"{points(pair.paired.low)} to {points(pair.paired.high)}"


def _who(pair: Comparison) -> str:
    one, other = _player(pair.one), _player(pair.other)
    return one if one == other else f"{one}, {other}"


def _player(row: Row) -> str:
    return f"{one_line(row.label, LABEL)} {who(row)}"


def _named(
    store: Store, name: str, known: Evaluation | None = None
) -> tuple[Evaluation, int | None]:
    """The evaluation and the row, if one is named. Raises UsageError where there is no such."""
    run, colon, number = name.partition(":")
    if colon and not (number.isascii() and number.isdecimal() and len(number) < 9):
        raise UsageError(f"{name!r}: write RUN, or RUN:ROW with the row's number in the table")
    row = find_run(store, run)
    found = known
    if known is None or known.run != row.run:
        found = evaluated(Trace(store.events(row.run)))
    assert found is not None
    if not found.questions:
        raise UsageError(f"run {row.run} has no question yet that all its players have answered")
    if colon:
        found.row(int(number))
    return found, int(number) if colon else None


def _kind(row: Row) -> tuple[str, int, str, int]:
    """What makes two rows alike: the player, and at which depth or beside which it votes."""
    return row.label, row.depth, row.what, row.of or 0


def _rows(found: Evaluation) -> str:
    """`RUN has 1 script HCH_0, 2 script HCH_1`."""
    said = [f"{row.number} {one_line(row.label, LABEL)} {who(row)}" for row in found.rows[:LISTED]]
    more = f" and {len(found.rows) - LISTED} more" if len(found.rows) > LISTED else ""
    return f"{found.run} has {', '.join(said)}{more}"
