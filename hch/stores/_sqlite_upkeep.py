"""The upkeep of a store's file: a copy of it, and the room of what was removed."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from secrets import token_hex

from hch.errors import StoreError, UsageError
from hch.stores._files import named, size

AT_ONCE = 1024
"""How many pages are copied between two looks at whether somebody wants to stop."""


def backup_place(to: Path) -> Path:
    """Where a backup is to be. Raises UsageError where there is something, or no file can be.

    A log that another file of that name has left would be taken for the backup's.
    """
    if os.path.lexists(to):
        raise UsageError(f"there is {to} already: name a file that is not there yet")
    path = named(to)
    for beside in (path, *(path.with_name(f"{path.name}-{kind}") for kind in ("wal", "journal"))):
        if os.path.lexists(beside):
            raise UsageError(f"there is {beside} already: name another file, or take that away")
    return path


def backup(db: sqlite3.Connection, source: Path, to: Path) -> None:
    """Copy what is durable now into a new file, by SQLite's online backup.

    It is made under a name of its own beside it, and gets its name when all of it is on the disk.
    Raises StoreError.
    """
    part = to.with_name(f"{to.name}.{token_hex(4)}.part")
    try:
        try:
            mode = source.stat().st_mode & 0o777 | 0o600
            os.close(os.open(part, os.O_CREAT | os.O_EXCL, mode))
            _copy(db, part)
            _sync(part)
            part.rename(to)
            _sync(to.parent)
        finally:
            part.unlink(missing_ok=True)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise StoreError(
            f"the store {source} cannot be copied to {to}: {why}: see that its folder is there, "
            "may be written and has room, or name another file"
        ) from error


def _copy(db: sqlite3.Connection, part: Path) -> None:
    """Copy what is seen at this moment: without that, each commit would begin the copy anew."""
    db.execute("BEGIN")
    db.execute("SELECT 1 FROM sqlite_master").fetchone()
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA synchronous = OFF")  # all at once, when it is whole
        db.backup(copy, pages=AT_ONCE)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def vacuum(db: sqlite3.Connection, path: Path) -> tuple[int, int]:
    """Make the file, its log included, as small as it can be; its bytes before and after.

    Raises sqlite3.Error, and StoreError while somebody reads what it was before.
    """
    before = _taken(path)
    db.execute("VACUUM")
    busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise StoreError(
            f"the store {path} is being read, so that no room could be given back yet: "
            "try again when that has ended"
        )
    return before, _taken(path)


def _taken(path: Path) -> int:
    return sum(size(file) or 0 for file in (path, path.with_name(f"{path.name}-wal")))
