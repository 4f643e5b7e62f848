"""Finds the run that a command was asked for: by its id, by how its id begins, or the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hch.errors import UsageError

if TYPE_CHECKING:
    from hch.keeping import RunRow, Store

SHOWN = 6
"""How many candidates an error names."""


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


def _some(rows: list[RunRow]) -> str:
    names = [row.run for row in rows[:SHOWN]]
    return ", ".join(names) + (f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else "")
