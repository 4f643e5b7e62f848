"""What is wrong with a store's file, as SQLite sees it and as its events do; nothing is changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from pathlib import Path

from hch.errors import StoreError
from hch.events import RunFinished
from hch.outline_bytes import dump
from hch.soundness import Family
from hch.stores._index import Tally
from hch.stores._sqlite_errors import damaged
from hch.stores._sqlite_labels import label_faults, label_keys
from hch.stores._sqlite_outlines import kept, unsound
from hch.stores._sqlite_reader import LAST, Reader
from hch.stores._sqlite_runs import values
from hch.stores._sqlite_schema import IMPORTS, LABELS, OUTLINES, RUN_BITS
from hch.stores._sqlite_shelf import shelf_faults

MOST = 10
"""How many faults of each kind are told."""

_LACKING = """
SELECT run FROM run_ids r LEFT JOIN run_index i USING (id)
WHERE i.last IS NOT (
  SELECT count(*) FROM event_log e WHERE e.id > r.id << 32 AND e.id < (r.id + 1) << 32)
LIMIT ?
"""
_ASTRAY = {
    "the index lists run number {}, which is not there": """
        SELECT id FROM run_index WHERE id NOT IN (SELECT id FROM run_ids)""",
    "event {} is of no run": """
        SELECT id FROM event_log WHERE id >> 32 NOT IN (SELECT id FROM run_ids)""",
    "reply {} is of no event": """
        SELECT id FROM replies WHERE id NOT IN (SELECT id FROM event_log)""",
    "text {} is of no run": """
        SELECT id FROM texts WHERE id >> 32 NOT IN (SELECT id FROM run_ids)
          AND id NOT IN (SELECT text FROM text_refs)""",
    "text {}, which a run refers to, is not there": """
        SELECT DISTINCT text FROM text_refs WHERE text NOT IN (SELECT id FROM texts)""",
    "run number {}, which refers to a text, is not there": """
        SELECT DISTINCT run FROM text_refs WHERE run NOT IN (SELECT id FROM run_ids)""",
}
_OUTLINED = {
    "run number {}, which has an outline, is not there": """
        SELECT id FROM outlines WHERE id NOT IN (SELECT id FROM run_ids)""",
}
_LABELLED = {
    "run number {}, which has labels, is not there": """
        SELECT DISTINCT run FROM label_log WHERE run NOT IN (SELECT id FROM run_ids)""",
}
_IMPORTED = {
    "run number {}, which was imported, is not there": """
        SELECT id FROM imported_runs WHERE id NOT IN (SELECT id FROM run_ids)""",
}
"""What is said of rows that belong to nothing, and the query that finds these."""


def faults(db: sqlite3.Connection, path: Path, version: int) -> list[str]:
    """What is wrong with a file of that version, as far as SQLite and a count of events can tell.

    The shelf and the labels are read. Raises sqlite3.Error where so much is wrong that this
    cannot be told.
    """
    found = _unsound(db, "quick_check") or [*_lacking(db, version), *_beside(db, version)]
    return [str(damaged(path, fault)) for fault in found]


def deep_faults(db: sqlite3.Connection, path: Path, version: int) -> list[str]:
    """The same after every row was looked at, and every event read. Raises sqlite3.Error too.

    Takes about 20 us an event, and the memory that the tally of the largest run needs.
    """
    db.execute("BEGIN")  # whoever writes meanwhile is not seen
    found = _unsound(db, "integrity_check") or _lacking(db, version)
    if found or not version:
        return [str(damaged(path, fault)) for fault in found]
    told = (*_astray(db, version), *_altered(db), *_beside(db, version))
    found = [str(damaged(path, fault)) for fault in told]
    reader = _Watched(db, path)
    for number, run in db.execute("SELECT id, run FROM run_ids ORDER BY id").fetchall():
        try:
            found += [str(damaged(path, fault)) for fault in _of_run(reader, number, run, version)]
        except StoreError as error:
            found.append(str(error))
    return found


def _unsound(db: sqlite3.Connection, check: str) -> list[str]:
    rows = db.execute(f"PRAGMA {check}({MOST})").fetchall()
    return [" ".join(str(row[0]).split()) for row in rows if row[0] != "ok"]


def _lacking(db: sqlite3.Connection, version: int) -> list[str]:
    rows = db.execute(_LACKING, (MOST,)).fetchall() if version else []
    return [f"run {run} has not the events that the index says" for (run,) in rows]


def _beside(db: sqlite3.Connection, version: int) -> list[str]:
    """What is wrong with what is kept beside the events."""
    labels, texts = label_faults(db, version), shelf_faults(db, version)
    return [*islice(labels, MOST), *islice(texts, MOST)]


def _astray(db: sqlite3.Connection, version: int) -> Iterator[str]:
    """Rows that belong to nothing."""
    known = {IMPORTS: _IMPORTED, OUTLINES: _OUTLINED, LABELS: _LABELLED}
    later = [queries for first, queries in known.items() if version >= first]
    for said, query in (pair for queries in (_ASTRAY, *later) for pair in queries.items()):
        for (id_,) in db.execute(query).fetchmany(MOST):
            yield said.format(id_)


def _altered(db: sqlite3.Connection) -> Iterator[str]:
    """Texts that are no longer what their hash says."""
    hashed = "SELECT id, hash, CAST(body AS BLOB) FROM texts WHERE hash IS NOT NULL"
    for id_, hash_, body in db.execute(hashed):
        if sha256(body).digest() != hash_:
            yield f"text {id_} is not what it was"


class _Watched(Reader):
    """Notes the texts that it was asked for."""

    asked: set[int]

    def text(self, name: int) -> str:
        self.asked.add(name)
        return super().text(name)


def _of_run(reader: _Watched, number: int, run: str, version: int) -> list[str]:
    """What is wrong with a run: its events, its texts, its nodes, its row in the index."""
    reader.asked = set()
    wrong: list[str] = []
    tally, tree, found = Tally(run), Family(), list[str]()
    outline = kept(reader, number, LAST) if version >= OUTLINES else None
    for record in reader.records(run, number):
        if tally.add(record.at, record.event) == (outline and outline.last):
            assert outline is not None
            if dump(outline) != dump(tally.tree.settled()):
                wrong.append(f"the outline of run {run} is not what its events make it")
        tree.take(record.event)
        if isinstance(record.event, RunFinished):
            left = sorted(key for key in tree.standing() if tally.tree.status(key) is None)
            found = [f"node {key} of run {run} is open, though the run finished" for key in left]
    [(_, *listed)] = reader.query("SELECT * FROM run_index WHERE id = ?", number)
    if listed != list(values(tally)):
        found.append(f"run {run} is not listed as its events make it")
    if version >= OUTLINES and unsound(reader, number, tally.last):
        wrong.append(f"what is kept as the outline of run {run} is none")
    found += wrong
    if version >= LABELS:
        astray = [key for key in label_keys(reader, number) if key not in tally.tree.keys]
        found += [f"a label of run {run} is of node {key}, which is not there" for key in astray]
    refs = {text for (text,) in reader.query("SELECT text FROM text_refs WHERE run = ?", number)}
    for text in sorted(reader.asked - refs):
        if text >> RUN_BITS != number:
            found.append(f"run {run} uses text {text} of another run, and does not say so")
    return found[:MOST]
