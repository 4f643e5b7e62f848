"""Connections to files of SQLite, and transactions on them: for stores, and for the cache."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote


def connect(path: Path, options: str, patience: float) -> sqlite3.Connection:
    """A connection with that query of a SQLite URI; waits `patience` seconds for locks.

    What the file's own schema says may call no function that could do harm.
    """
    address = f"file:{quote(os.fsencode(path.absolute()))}?{options}"
    db = sqlite3.connect(
        address, uri=True, timeout=patience, isolation_level=None, check_same_thread=False
    )
    db.execute("PRAGMA trusted_schema = OFF")
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, and nobody else writes meanwhile. Within another it is part of that."""
    within = db.in_transaction
    if within:
        yield
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
