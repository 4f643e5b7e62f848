"""The tables of a store in SQLite, their versions, and how a file is opened and checked."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from hch.errors import StoreError
from hch.stores._files import size

APPLICATION = 0x48434831
"""`HCH1` in the file's header: what tells a store from another program's SQLite file."""

RUN_BITS = 32
"""An event's id is its run's number, shifted by this, plus its own number in the run."""

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

MIGRATIONS: tuple[str, ...] = (_FIRST, _SECOND)
"""Append only: script number n makes version n + 1 of version n. Version 0 is an empty file."""


@contextmanager
def translated(path: Path, *, resumable: bool = False) -> Iterator[None]:
    """Raise what fails in here as StoreError: what, where, and what to do.

    `resumable` says whether something is kept of a run that is being written. Anything but
    sqlite3's and the system's errors comes of rows that hch cannot have written.
    """
    then = ", then resume the run" if resumable else ", or name another with --store"
    try:
        yield
    except sqlite3.Error as error:
        hint = _hint(error)
        raise StoreError(f"the store {path}: {error}{hint.format(then=then)}") from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        todo = _FULL.format(then=then) if full else f"{_CANTOPEN}, or name another with --store"
        raise StoreError(f"the store {path}: {error.strerror or error}: {todo}") from error
    except DAMAGE as error:
        raise damaged(path, error) from error


DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)
"""What may be raised of rows that were damaged; UnicodeError and pydantic's are ValueErrors."""


def damaged(path: Path, what: object) -> StoreError:
    return StoreError(f"the store {path}: {what}: {DAMAGED}")


DAMAGED = "the file is damaged; copy it, and rescue the copy with sqlite3's .recover"
_FULL = "make room on the disk{then}"
_CANTOPEN = "see whether it and its folder may be read and written"
_HINTS = {
    "SQLITE_BUSY": "another process holds it; try again when that has ended",
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": "make the file and its folder writable, or name another with --store",
    "SQLITE_CANTOPEN": f"{_CANTOPEN}, or name another with --store",
    "SQLITE_IOERR": "the disk failed; see that it works{then}",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_CONSTRAINT": DAMAGED,
    "SQLITE_ERROR": DAMAGED,
    "SQLITE_NOTADB": "this is no store of hch; name another with --store",
}


def _hint(error: sqlite3.Error) -> str:
    """What to do; sqlite3 names no code where a column holds no UTF-8."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if not name and isinstance(error, sqlite3.OperationalError):
        name = "SQLITE_CORRUPT"
    return next((f": {text}" for start, text in _HINTS.items() if name.startswith(start)), "")


def connect(path: Path, options: str, patience: float) -> sqlite3.Connection:
    """A connection with that query of a SQLite URI; waits `patience` seconds for locks."""
    address = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    return sqlite3.connect(
        address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )


def version(db: sqlite3.Connection, path: Path) -> int:
    """The schema's version, 0 for none. Raises StoreError where it is not ours or newer."""
    application, found = _marks(db)
    if db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        if application == APPLICATION and found > 0:
            raise damaged(path, "its tables are gone")
        return 0
    application, found = _marks(db)  # again: another process may have made the schema just now
    if application != APPLICATION:
        raise StoreError(
            f"the store {path} is another program's SQLite file: name another with --store"
        )
    if found > len(MIGRATIONS):
        raise StoreError(
            f"the store {path} was written by a newer hch (schema {found}, this one knows "
            f"{len(MIGRATIONS)}): upgrade hch, or name another with --store"
        )
    return found


def _marks(db: sqlite3.Connection) -> tuple[int, int]:
    pragmas = "PRAGMA application_id", "PRAGMA user_version"
    application, found = (db.execute(pragma).fetchone()[0] for pragma in pragmas)
    return application, found


def migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    """Bring the schema up to date, in one transaction; of several processes, one does it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for script in migrations[version(db, path) :]:
            for statement in script.split(";\n\n"):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {len(migrations)}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def open_to_write(path: Path, patience: float, pragmas: Mapping[str, int]) -> sqlite3.Connection:
    """Open or make the store, its folder too, with its schema up to date."""
    if size(path) is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = connect(path, "mode=rwc", patience)
    try:
        current = version(db, path)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -16384")
        for name, value in pragmas.items():
            db.execute(f"PRAGMA {name} = {value}")
        if current < len(MIGRATIONS):
            migrate(db, path, MIGRATIONS)
    except BaseException:
        db.close()
        raise
    return db


def open_to_read(path: Path, patience: float) -> sqlite3.Connection | None:
    """Open the store for reading only; None where there is none yet. Makes no file that stays."""
    opened = open_as_it_is(path, patience)
    if opened is None:
        return None
    db, found = opened
    if found == len(MIGRATIONS):
        return db
    db.close()
    if found == 0:
        return None
    open_to_write(path, patience, {}).close()
    return open_to_read(path, patience)


def open_as_it_is(path: Path, patience: float) -> tuple[sqlite3.Connection, int] | None:
    """Like `open_to_read`, in whatever version it is, and which that is; nothing is brought up."""
    if not size(path):
        return None
    writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    db = connect(path, "mode=rw" if writable else _frozen(path), patience)
    try:
        db.execute("PRAGMA query_only = ON")
        return db, version(db, path)
    except BaseException:
        db.close()
        raise


def _frozen(path: Path) -> str:
    """How to open a file where nothing can be written."""
    log = path.with_name(path.name + "-wal")
    if not log.exists() or log.stat().st_size == 0:
        return "mode=ro&immutable=1"
    return "mode=ro"
