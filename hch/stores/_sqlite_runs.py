"""Runs in SQLite: their numbers, their rows in the index, and their removal."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from typing import Any

from hch.errors import StoreError
from hch.keeping import RunRow
from hch.sqlite_files import transaction
from hch.stores._index import Tally, shown
from hch.stores._sqlite_outlines import growing
from hch.stores._sqlite_reader import Reader
from hch.stores._sqlite_schema import RUN_BITS

LIST = """
SELECT run, started, question, players, roots, status, nodes, calls, tokens, microusd,
  max(0.0, ended - started), id IN (SELECT id FROM imported_runs)
FROM run_ids JOIN run_index USING (id) ORDER BY started DESC, id DESC
"""
"""SQL whose rows `listed` reads."""

_SAVE = """
INSERT OR REPLACE INTO run_index
  (id, last, started, ended, question, players, roots, root, finished, calls, tokens, microusd,
   nodes, status)
SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM run_ids WHERE id = ?
"""
_LOAD = """
SELECT last, started, ended, question, players, roots, root, finished, calls, tokens, microusd
FROM run_index WHERE id = ?
"""
_UNUSED = """
DELETE FROM texts WHERE id > ? AND id < ?
  AND NOT EXISTS (SELECT 1 FROM text_refs f WHERE f.text = texts.id)
"""
_RETURNED = """
DELETE FROM texts WHERE id IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM text_refs f WHERE f.text = texts.id)
  AND NOT EXISTS (SELECT 1 FROM run_ids r WHERE r.id = texts.id >> 32)
"""


def listed(row: Any) -> RunRow:
    """The row of the index that `LIST` gave. Raises ValueError or TypeError for a damaged one."""
    run, started, question, players, *rest, imported = row
    named = json.loads(players)
    texts = [run, question, rest[1], *named]
    numbers = [started, rest[0], *rest[2:]]
    if not (
        isinstance(named, list)
        and all(isinstance(value, str) for value in texts)
        and all(isinstance(value, int | float) for value in numbers)
    ):
        raise ValueError(f"run {run!r} is not listed as it was written")
    return replace(RunRow(run, started, question, tuple(named), *rest), imported=bool(imported))


def is_kept(db: sqlite3.Connection, run: str) -> bool:
    """Whether there is such a run."""
    found = db.execute("SELECT 1 FROM run_ids WHERE run = ?", (shown(run),)).fetchone()
    return found is not None


def begin(db: sqlite3.Connection, reader: Reader, run: str) -> tuple[int, Tally]:
    """The number and the tally of a run that is to be written, be it new or not."""
    found = db.execute("SELECT id FROM run_ids WHERE run = ?", (shown(run),)).fetchone()
    if found is not None:
        return found[0], _load(db, reader, found[0], run)
    added = db.execute("INSERT INTO run_ids (run) VALUES (?)", (shown(run),))
    return added.lastrowid or 0, Tally(run)


def save(db: sqlite3.Connection, number: int, tally: Tally) -> None:
    """Write a run's row of the index. Raises StoreError where the run is no longer there."""
    if not db.execute(_SAVE, (*values(tally), number)).rowcount:
        raise StoreError(f"run {tally.run} was removed while it was being written")


def values(tally: Tally) -> tuple[Any, ...]:
    """A run's row of the index, but for its number, in the order of its columns."""
    return (
        tally.last,
        tally.started,
        tally.ended,
        tally.question,
        json.dumps(tally.players),
        tally.roots,
        tally.root,
        tally.finished,
        tally.calls,
        tally.tokens,
        tally.microusd,
        tally.tree.count,
        tally.status(),
    )


def rebuild(db: sqlite3.Connection, reader: Reader) -> None:
    """Make the index of every run anew from its events."""
    with transaction(db):
        db.execute("DELETE FROM run_index")
        db.execute("DELETE FROM outlines")
        for number, run in db.execute("SELECT id, run FROM run_ids").fetchall():
            tally = Tally(run)
            for record in reader.records(run, number):
                tally.add(record.at, record.event)
            save(db, number, tally)


def remove(db: sqlite3.Connection, number: int) -> None:
    """Delete a run, and those texts, its own or borrowed, that no other run uses."""
    ids = number << RUN_BITS, (number + 1) << RUN_BITS
    refs = db.execute("SELECT text FROM text_refs WHERE run = ?", (number,)).fetchall()
    db.execute("DELETE FROM event_log WHERE id > ? AND id < ?", ids)
    db.execute("DELETE FROM replies WHERE id > ? AND id < ?", ids)
    db.execute("DELETE FROM run_index WHERE id = ?", (number,))
    db.execute("DELETE FROM outlines WHERE id = ?", (number,))
    db.execute("DELETE FROM imported_runs WHERE id = ?", (number,))
    db.execute("DELETE FROM label_log WHERE run = ?", (number,))
    db.execute("DELETE FROM run_ids WHERE id = ?", (number,))
    db.execute("DELETE FROM text_refs WHERE run = ?", (number,))
    db.execute(_UNUSED, ids)
    db.execute(_RETURNED, (json.dumps([text for (text,) in refs]),))


def _load(db: sqlite3.Connection, reader: Reader, number: int, run: str) -> Tally:
    """A run's tally, from its row and from its outline."""
    saved = db.execute(_LOAD, (number,)).fetchone()
    last, started, ended, question, players, roots, root, finished, calls, tokens, microusd = saved
    return Tally(
        run,
        last,
        started,
        ended,
        question,
        tuple(json.loads(players)),
        roots,
        root,
        bool(finished),
        calls,
        tokens,
        microusd,
        tree=growing(reader, run, number, last),
    )
