"""A run that comes from elsewhere, written in one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from itertools import islice
from pathlib import Path

from hch.errors import StoreError
from hch.events import Record
from hch.failpoints import Failpoint
from hch.stores._index import shown
from hch.stores._sqlite_errors import translated
from hch.stores._sqlite_writer import Writer

AT_ONCE = 256
"""How many events are held in memory."""


def bring(
    connect: Callable[[], sqlite3.Connection],
    path: Path,
    run: str,
    records: Iterable[Record],
    hold: AbstractContextManager[None],
    fail: Failpoint | None,
) -> None:
    """Write a run and mark it as imported, or leave everything as it was; `hold` is its lock.

    No file is made where there are no records. Raises StoreError, and whatever `records` raises.
    """
    left = iter(records)
    some = list(islice(left, AT_ONCE))
    if not some:
        raise StoreError(f"run {shown(run)} has no events: there is nothing to import")
    with translated(path):
        db = connect()
    with closing(db):
        with translated(path):
            db.execute("BEGIN IMMEDIATE")
            if db.execute("SELECT 1 FROM run_ids WHERE run = ?", (shown(run),)).fetchone():
                raise StoreError(f"there is a run {shown(run)} already in the store {path}")
        writer = Writer(lambda: db, path)
        with hold:
            while some:
                with translated(path):
                    writer.write([(run, record.at, record.event) for record in some])
                some = list(islice(left, AT_ONCE))
            with translated(path):
                mark = "INSERT INTO imported_runs SELECT id FROM run_ids WHERE run = ?"
                db.execute(mark, (shown(run),))
                if fail is not None:
                    fail.reach("import")
                db.execute("COMMIT")
