"""Outlines of runs in SQLite: kept when a run stops, and made of its events where they lack."""

from __future__ import annotations

import sqlite3

from hch.growing import Growing
from hch.outline import Outline
from hch.outline_bytes import dump, is_sound, load
from hch.stores._sqlite_reader import Reader

_KEEP = "INSERT OR REPLACE INTO outlines (id, last, body) SELECT id, ?, ? FROM run_ids WHERE id = ?"
_ROW = "SELECT last, body FROM outlines WHERE id = ?"
_FIND = "SELECT body FROM outlines WHERE id = ? AND last <= ?"


def keep(db: sqlite3.Connection, number: int, outline: Outline) -> None:
    """Keep a run's outline, in the place of the one before."""
    db.execute(_KEEP, (outline.last, dump(outline), number))


def kept(reader: Reader, number: int, last: int) -> Outline | None:
    """The outline that is kept of a run, of its event `last` or of one before."""
    rows = reader.query(_FIND, number, last)
    outline = load(rows[0][0]) if rows and isinstance(rows[0][0], bytes) else None
    return outline if outline and outline.last <= last else None


def unsound(reader: Reader, number: int, last: int) -> bool:
    """Whether a row is kept for a run that can be no outline of it."""
    rows = reader.query(_ROW, number)
    if not rows:
        return False
    [(said, body)] = rows
    right = isinstance(said, int) and isinstance(body, bytes) and is_sound(body) and said <= last
    found = load(body) if right else None
    return not right or (found is not None and found.last != said)


def growing(reader: Reader, run: str, number: int, last: int) -> Growing:
    """What takes the events after number `last`, from what is kept and the events since."""
    before = kept(reader, number, last)
    tree = Growing.of(before) if before else Growing()
    for record in reader.records(run, number, last, after=tree.last):
        tree.take(record.seq, record.at, record.event)
    return tree
