"""Finds the runs that a command was asked for: by their ids, by how these begin, or the newest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hch.commands._terminal import tell
from hch.errors import UsageError
from hch.words import count

if TYPE_CHECKING:
    from hch.datasets.where import Where
    from hch.keeping import RunRow, Store

SHOWN = 6
"""How many candidates an error names."""

UNFINISHED = ("running", "unfinished")


def find(store: Store, given: str | None) -> RunRow:
    """The run of this id or unique beginning of one, else the newest.

    Raises UsageError, with candidates, where there is none or there are several.
    """
    rows = store.runs()
    if not rows:
        raise UsageError(f"there are no runs in {store.place} yet: make one with hch ask")
    if given is None:
        return rows[0]
    fitting = [row for row in rows if row.run.startswith(given)]
    exact = [row for row in fitting if row.run == given]
    if len(exact or fitting) == 1:
        return (exact or fitting)[0]
    if fitting:
        raise UsageError(f"several runs begin with {given}: {_some(fitting)}")
    raise UsageError(f"no run {given} in {store.place}: the newest are {_some(rows)}")


def finished(store: Store, given: Sequence[str], where: Where, *, quiet: bool) -> list[str]:
    """The ids of the runs that were named, or of all own ones that are finished and can fit.

    Raises UsageError where one is not finished.
    """
    rows = [find(store, name) for name in given]
    for row in rows:
        if row.status in UNFINISHED:
            raise UsageError(
                f"run {row.run} is {row.status}: go on with it by hch resume {row.run} first"
            )
    if given:
        return [row.run for row in rows]
    find(store, None)  # for its error where there are none
    every = [row for row in store.runs() if where.allows(row.run)]
    own = [row for row in every if not row.imported]
    ended = [row.run for row in own if row.status not in UNFINISHED]
    for left, why in (
        (len(every) - len(own), "imported: name them to take them"),
        (len(own) - len(ended), "not finished"),
    ):
        if left and not quiet:
            tell(f"left out {count(left, 'run')}, since {why}")
    return ended


def _some(rows: list[RunRow]) -> str:
    names = [row.run for row in rows[:SHOWN]]
    return ", ".join(names) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
