"""The tables of a store in SQLite, their versions, and whether a file has just these."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TypeAlias

from hch.errors import StoreError
from hch.failpoints import Failpoint
from hch.safe_text import one_line
from hch.sqlite_files import transaction
from hch.stores._sqlite_errors import damaged

APPLICATION = 0x48434831
"""`HCH1` in the file's header: what tells a store from another program's SQLite file."""

RUN_BITS = 32
"""An event's id is its run's number, shifted by this, plus its own number in the run."""

Row: TypeAlias = tuple[str, str, str | None]
"""Something that is in a schema: its type, its name and its SQL."""

_SCHEMA = "SELECT type, name, sql FROM sqlite_master"
_STATISTICS = {("table", "sqlite_stat1"), ("table", "sqlite_stat4")}
"""What ANALYZE makes, and is harmless."""

_FIRST = """
CREATE TABLE run_ids (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE);

CREATE TABLE run_index (
  id INTEGER PRIMARY KEY, last INTEGER NOT NULL, started REAL NOT NULL, ended REAL NOT NULL,
  question TEXT NOT NULL, players TEXT NOT NULL, roots INTEGER NOT NULL, root TEXT NOT NULL,
  finished INTEGER NOT NULL, calls INTEGER NOT NULL, tokens INTEGER NOT NULL,
  microusd INTEGER NOT NULL, nodes INTEGER NOT NULL, status TEXT NOT NULL);

CREATE TABLE event_log (
  id INTEGER PRIMARY KEY, at REAL NOT NULL, type TEXT NOT NULL, key TEXT NOT NULL,
  body TEXT NOT NULL);

CREATE TABLE replies (id INTEGER PRIMARY KEY, raw BLOB NOT NULL);

CREATE TABLE texts (id INTEGER PRIMARY KEY, hash BLOB, body BLOB NOT NULL, shown TEXT);

CREATE UNIQUE INDEX texts_by_hash ON texts (hash) WHERE hash IS NOT NULL;

CREATE TABLE text_refs (text INTEGER, run INTEGER, PRIMARY KEY (text, run)) WITHOUT ROWID;

CREATE VIEW runs AS
SELECT run, started, ended, question, players, roots, status, nodes, calls, tokens, microusd
FROM run_ids JOIN run_index USING (id);

CREATE VIEW events AS
SELECT r.run, e.id - (r.id << 32) AS seq, e.at, e.type, e.key, e.body, e.id
FROM run_ids r
CROSS JOIN event_log e ON e.id > r.id << 32 AND e.id < (r.id + 1) << 32;

CREATE VIEW nodes AS
SELECT n.run, o.key, json_extract(o.body, '$.level') AS level,
  json_extract(o.body, '$.wrapper') AS wrapper, json_extract(o.body, '$.player') AS player,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(o.body, '$.question.body."$text"')),
           json_extract(o.body, '$.question.body')) AS question,
  json_extract(c.body, '$.status') AS status,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(c.body, '$.answer.body."$text"')),
           json_extract(c.body, '$.answer.body')) AS answer,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(c.body, '$.reason."$text"')),
           json_extract(c.body, '$.reason')) AS reason,
  json_extract(c.body, '$.spent.calls') AS spent_calls,
  json_extract(c.body, '$.spent.tokens') AS spent_tokens,
  json_extract(c.body, '$.spent.microusd') AS spent_microusd,
  o.at AS opened_at, c.at AS closed_at
FROM (
  SELECT run, min(CASE type WHEN 'NodeOpened' THEN id END) AS opened,
    max(CASE type WHEN 'NodeClosed' THEN id END) AS closed
  FROM events WHERE type IN ('NodeOpened', 'NodeClosed') GROUP BY run, key) n
JOIN event_log o ON o.id = n.opened
LEFT JOIN event_log c ON c.id = n.closed;

CREATE VIEW calls AS
SELECT n.run, o.key AS request, n.attempt, json_extract(o.body, '$.node') AS node,
  json_extract(o.body, '$.model') AS model,
  CASE c.type WHEN 'CallFinished' THEN 'finished' WHEN 'CallFailed' THEN 'failed'
    ELSE 'intended' END AS status,
  json_extract(c.body, '$.kind') AS kind,
  json_extract(c.body, '$.usage[0]') AS input, json_extract(c.body, '$.usage[1]') AS output,
  json_extract(c.body, '$.usage[2]') AS cached, json_extract(c.body, '$.usage[3]') AS reasoning,
  json_extract(c.body, '$.price.microusd') AS microusd,
  o.at AS intended_at, c.at AS ended_at
FROM (
  SELECT run, json_extract(body, '$.attempt') AS attempt,
    min(CASE type WHEN 'CallIntended' THEN id END) AS intended,
    min(CASE type WHEN 'CallIntended' THEN NULL ELSE id END) AS ended
  FROM events WHERE type IN ('CallIntended', 'CallFinished', 'CallFailed')
  GROUP BY run, key, attempt) n
JOIN event_log o ON o.id = n.intended
LEFT JOIN event_log c ON c.id = n.ended;
"""

_SECOND = """
DROP VIEW nodes;

CREATE VIEW nodes AS
SELECT n.run, o.key, json_extract(o.body, '$.level') AS level,
  json_extract(o.body, '$.wrapper') AS wrapper, json_extract(o.body, '$.player') AS player,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(o.body, '$.question.body."$text"')),
           json_extract(o.body, '$.question.body')) AS question,
  json_extract(c.body, '$.status') AS status,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(c.body, '$.answer.body."$text"')),
           json_extract(c.body, '$.answer.body')) AS answer,
  coalesce((SELECT coalesce(t.shown, CAST(t.body AS TEXT)) FROM texts t
            WHERE t.id = json_extract(c.body, '$.reason."$text"')),
           json_extract(c.body, '$.reason')) AS reason,
  json_extract(c.body, '$.spent.calls') AS spent_calls,
  json_extract(c.body, '$.spent.tokens') AS spent_tokens,
  json_extract(c.body, '$.spent.microusd') AS spent_microusd,
  o.at AS opened_at, c.at AS closed_at
FROM (
  SELECT run, max(CASE type WHEN 'NodeOpened' THEN id END) AS opened,
    max(CASE type WHEN 'NodeClosed' THEN id END) AS closed
  FROM events WHERE type IN ('NodeOpened', 'NodeClosed') GROUP BY run, key) n
JOIN event_log o ON o.id = n.opened
LEFT JOIN event_log c ON c.id = n.closed AND n.closed > n.opened;
"""
"""A node that is opened again is open until it is closed again."""

_THIRD = """
CREATE TABLE imported_runs (id INTEGER PRIMARY KEY);

DROP VIEW runs;

CREATE VIEW runs AS
SELECT run, started, ended, question, players, roots, status, nodes, calls, tokens, microusd,
  id IN (SELECT id FROM imported_runs) AS imported
FROM run_ids JOIN run_index USING (id);
"""
"""What came from elsewhere is marked as such."""

IMPORTS = 3
"""The first version that does so."""

_FOURTH = """
CREATE TABLE shelf (name TEXT NOT NULL PRIMARY KEY, hash BLOB NOT NULL, body BLOB NOT NULL);
"""
"""Texts are kept by name beside the runs; `hash` is the sha256 of the body."""

SHELF = 4
"""The first version that does so."""

_FIFTH = """
CREATE TABLE outlines (id INTEGER PRIMARY KEY, last INTEGER NOT NULL, body BLOB NOT NULL);
"""
"""A run's outline as of its event number `last`: an index, which its events make anew."""

OUTLINES = 5
"""The first version that has them."""

_SIXTH = """
CREATE TABLE label_log (
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, key TEXT NOT NULL, "by" TEXT NOT NULL,
  at REAL NOT NULL, said TEXT, score REAL, note TEXT NOT NULL, raw BLOB);

CREATE INDEX label_log_by_key ON label_log (run, key);

CREATE VIEW labels AS
SELECT r.run, l.key, l."by", l.at, l.said, l.score, l.note, l.id
FROM label_log l JOIN run_ids r ON r.id = l.run;
"""
"""What somebody said of nodes; `raw` is the note as it was, where UTF-8 cannot hold it."""

LABELS = 6
"""The first version that has it."""

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH)
"""Append only: script number n makes version n + 1 of version n. Version 0 is an empty file."""


def version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for none.

    Raises StoreError where it is not ours or newer, or where the file has something in it that hch
    does not make: a trigger or a view could have it do what somebody else wants.
    """
    with _snapshot(db):
        pragmas = "PRAGMA application_id", "PRAGMA user_version"
        application, found = (int(db.execute(pragma).fetchone()[0]) for pragma in pragmas)
        made = set(db.execute(_SCHEMA).fetchall())
    if not made:
        if application == APPLICATION and found > 0:
            raise damaged(path, "its tables are gone")
        return 0
    if application != APPLICATION:
        raise StoreError(
            f"the store {path} is another program's SQLite file: name another with --store"
        )
    if found > len(MIGRATIONS):
        raise StoreError(
            f"the store {path} was written by a newer hch (schema {found}, this one knows "
            f"{len(MIGRATIONS)}): upgrade hch, or name another with --store"
        )
    _check_own(made, found, path)
    return found


def _check_own(made: set[Row], found: int, path: Path) -> None:
    """Raises StoreError unless the file has what that version has, and nothing else."""
    ours = _schema(max(0, found))
    for kind, name, _ in sorted(ours - made, key=str):
        raise damaged(path, f"its {kind} {name} is not what hch made")
    for kind, name, _ in sorted(made - ours, key=str):
        if (kind, name) not in _STATISTICS:
            what = one_line(f"the {kind} {name}", 60)
            drop = one_line(f'DROP {kind} "{name}"', 60)
            raise StoreError(
                f"the store {path} has {what} in it, which hch has not made, and is not opened: "
                f"if it is yours, take that out with sqlite3 ({drop}); else do not trust the file"
            )


@cache
def _schema(found: int) -> frozenset[Row]:
    """What a store of that version has in it."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for script in MIGRATIONS[:found]:
            _run(db, script)
        return frozenset(db.execute(_SCHEMA).fetchall())


def _run(db: sqlite3.Connection, script: str) -> None:
    for statement in script.split(";\n\n"):
        db.execute(statement)


@contextmanager
def _snapshot(db: sqlite3.Connection) -> Iterator[None]:
    """All that is read in here is of one moment."""
    within = db.in_transaction
    if within:
        yield
        return
    db.execute("BEGIN")
    try:
        yield
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def migrate(
    db: sqlite3.Connection, path: Path, migrations: Sequence[str], fail: Failpoint | None = None
) -> None:
    """Bring the schema up to date, in one transaction; of several processes, one does it."""
    with transaction(db):
        for script in migrations[version(db, path) :]:
            _run(db, script)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        if fail is not None:
            fail.reach("migrate")
