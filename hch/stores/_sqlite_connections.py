"""Connections to a store's file: to write, to read, or as it is."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from time import monotonic, sleep

from hch.failpoints import Failpoint
from hch.sqlite_files import connect
from hch.stores._files import size
from hch.stores._sqlite_schema import MIGRATIONS, migrate, version

_PAUSE = 0.01
"""Seconds between two tries."""


def open_to_write(
    path: Path,
    patience: float,
    pragmas: Mapping[str, int] | None = None,
    fail: Failpoint | None = None,
) -> sqlite3.Connection:
    """Open or make the store, its folder too, with its schema up to date."""
    if size(path) is None:
        path.parent.mkdir(parents=True, exist_ok=True)
    db = connect(path, "mode=rwc", patience)
    try:
        current = version(db, path)
        _log_ahead(db, patience)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -16384")
        for name, value in (pragmas or {}).items():
            db.execute(f"PRAGMA {name} = {value}")
        if current < len(MIGRATIONS):
            migrate(db, path, MIGRATIONS, fail)
    except BaseException:
        db.close()
        raise
    return db


def _log_ahead(db: sqlite3.Connection, patience: float) -> None:
    """Put the file into WAL mode; SQLite itself does not wait for others who do so just now."""
    until = monotonic() + patience
    while db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > until:
                raise
            sleep(_PAUSE)
        else:
            break


def open_to_read(
    path: Path, patience: float, fail: Failpoint | None = None
) -> sqlite3.Connection | None:
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
    open_to_write(path, patience, fail=fail).close()
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
