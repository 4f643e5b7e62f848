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
from hch.labels import Label
from hch.stores._index import shown
from hch.stores._sqlite_errors import translated
from hch.stores._sqlite_labels import put
from hch.stores._sqlite_writer import Writer

AT_ONCE = 256
"""How many events are held in memory."""


def bring(
    connect: Callable[[], sqlite3.Connection],
    path: Path,
    run: str,
    parts: tuple[Iterable[Record], Iterable[Label]],
    hold: AbstractContextManager[None],
    fail: Failpoint | None,
) -> None:
    """Write a run with its labels and mark it as imported, or leave everything as it was.

    `parts` are the records and the labels, which are read when the records have ended, and `hold`
    is its lock. No file is made where there are no records. Raises StoreError, and whatever the
    parts raise.
    """
    records, labels = parts
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
                find = "SELECT id FROM run_ids WHERE run = ?"
                [number] = db.execute(find, (shown(run),)).fetchone()
                db.execute("INSERT INTO imported_runs VALUES (?)", (number,))
            put(db, path, number, labels)
            with translated(path):
                if fail is not None:
                    fail.reach("import")
                db.execute("COMMIT")
