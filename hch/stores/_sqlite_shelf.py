"""The shelf of a store in SQLite: texts by name, each as UTF-8 with its sha256.

They are not compressed, so that SQL can read them; a lone surrogate is kept as three bytes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path

from hch.failpoints import Failpoint
from hch.sqlite_files import transaction
from hch.stores._sqlite_connections import open_as_it_is
from hch.stores._sqlite_errors import damaged, translated
from hch.stores._sqlite_schema import SHELF

_FIND = "SELECT name, hash, CAST(body AS BLOB) FROM shelf WHERE name = ?"
_ALL = "SELECT name, hash, CAST(body AS BLOB) FROM shelf ORDER BY name"
_PUT = "INSERT OR REPLACE INTO shelf (name, hash, body) VALUES (?, ?, ?)"
_DROP = "DELETE FROM shelf WHERE name = ?"


def shelve(
    connect: Callable[[], sqlite3.Connection],
    path: Path,
    texts: Mapping[str, str | None],
    fail: Failpoint | None,
) -> None:
    """Put texts on the shelf, and drop those that are None, in one transaction.

    Raises StoreError.
    """
    bodies = {
        name: None if text is None else text.encode("utf-8", "surrogatepass")
        for name, text in texts.items()
    }
    with translated(path), closing(connect()) as db, transaction(db):
        for name, body in bodies.items():
            if body is None:
                db.execute(_DROP, (name,))
            else:
                db.execute(_PUT, (name, sha256(body).digest(), body))
        if fail is not None:
            fail.reach("shelve")


def shelved(path: Path, patience: float, name: str) -> str | None:
    """The text of that name, None where there is none. Raises StoreError."""
    with translated(path), _reading(path, patience) as db:
        found = db and db.execute(_FIND, (name,)).fetchone()
        if not found:
            return None
        if (text := _text(*found)) is None:
            raise damaged(path, _fault(name))
        return text


def shelf(path: Path, patience: float, prefix: str) -> list[str]:
    """The names that begin so, sorted. Raises StoreError."""
    with translated(path), _reading(path, patience) as db:
        names = db.execute("SELECT name FROM shelf").fetchall() if db else []
        return sorted(name for (name,) in names if name.startswith(prefix))


@contextmanager
def _reading(path: Path, patience: float) -> Iterator[sqlite3.Connection | None]:
    """A connection to read by; None where there is no store, or one too old to have a shelf."""
    opened = open_as_it_is(path, patience)
    if opened is None:
        yield None
        return
    with closing(opened[0]) as db:
        yield db if opened[1] >= SHELF else None


def shelf_faults(db: sqlite3.Connection, version: int) -> Iterator[str]:
    """Texts that are no longer what their hash says, in a file of that version."""
    for row in db.execute(_ALL) if version >= SHELF else ():
        if _text(*row) is None:
            yield _fault(row[0])


def _text(name: object, hash_: object, body: bytes) -> str | None:
    """The text in a row; None where hch has not written that row."""
    if not isinstance(name, str) or sha256(body).digest() != hash_:
        return None
    try:
        return str(body, "utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def _fault(name: object) -> str:
    return f"{name} on the shelf is not what it was"
