"""The labels of a store in SQLite: a row for each, in the order in which they were given.

A note is kept as text that SQL can read; one that UTF-8 cannot hold also as it was, a lone
surrogate as three bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from hch.errors import StoreError
from hch.failpoints import Failpoint
from hch.labels import Label
from hch.stores._index import shown
from hch.stores._sqlite_errors import translated
from hch.stores._sqlite_reader import Reader
from hch.stores._sqlite_schema import LABELS

T = TypeVar("T")

AT_ONCE = 256
"""How many labels are held in memory."""

_PUT = """
INSERT INTO label_log (run, key, "by", at, said, score, note, raw) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_ALL = """
SELECT id, key, "by", at, said, score, note, raw FROM label_log WHERE run = ? ORDER BY id
"""
_OF_KEY = """
SELECT id, key, "by", at, said, score, note, raw FROM label_log WHERE run = ? AND key = ?
"""
_EVERY = 'SELECT id, key, "by", at, said, score, note, raw FROM label_log'


def label(
    connect: Callable[[], sqlite3.Connection],
    path: Path,
    number: int,
    labels: Iterable[Label],
    fail: Failpoint | None,
) -> None:
    """Keep labels of the run of that number, in one transaction; where it is gone, none.

    Raises StoreError, and whatever `labels` raises.
    """
    left = iter(labels)
    if not (some := list(islice(left, AT_ONCE))):
        return
    with translated(path):
        db = connect()
    with closing(db):
        with translated(path):
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("SELECT 1 FROM run_ids WHERE id = ?", (number,)).fetchone():
                raise StoreError("the run was removed while it was being labelled")
        put(db, path, number, chain(some, left))
        with translated(path):
            if fail is not None:
                fail.reach("label")
            db.execute("COMMIT")


def put(db: sqlite3.Connection, path: Path, number: int, labels: Iterable[Label]) -> None:
    """Write labels of the run of that number, within the transaction that there is."""
    for some in _together(labels):
        with translated(path):
            db.executemany(_PUT, [(number, *_row(each)) for each in some])


def labels_of(reader: Reader, path: Path, number: int, keys: Iterable[str] | None) -> list[Label]:
    """The labels of a run, or those of these nodes, in their order. Raises StoreError."""
    if keys is None:
        rows = reader.query(_ALL, number)
    else:
        rows = [row for key in dict.fromkeys(keys) for row in reader.query(_OF_KEY, number, key)]
        rows.sort(key=itemgetter(0))
    with translated(path):
        return [_label(row) for row in rows]


def label_faults(db: sqlite3.Connection, version: int) -> Iterator[str]:
    """Rows that are no labels, in a file of that version."""
    for row in db.execute(_EVERY) if version >= LABELS else ():
        try:
            _label(row)
        except (ValueError, TypeError):
            yield f"label {row[0]} is none"


def label_keys(reader: Reader, number: int) -> list[str]:
    """The nodes that have labels in a run."""
    rows = reader.query("SELECT DISTINCT key FROM label_log WHERE run = ? ORDER BY key", number)
    return [key for (key,) in rows]


def _together(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(islice(left, AT_ONCE)):
        yield some


def _row(label: Label) -> tuple[Any, ...]:
    note = shown(label.note)
    raw = None if note == label.note else label.note.encode("utf-8", "surrogatepass")
    return label.key, label.by, label.at, label.said, label.score, note, raw


def _label(row: Sequence[Any]) -> Label:
    """The label in a row. Raises ValueError or TypeError where hch has not written that row."""
    data = dict(zip(("key", "by", "at", "said", "score", "note"), row[1:7], strict=True))
    if row[7] is not None:
        data["note"] = str(row[7], "utf-8", "surrogatepass")
    return Label.model_validate(data, strict=True)
