"""The SQLite file of a cache of replies: how it is made, opened and refused, and its rows.

What fails is told as a StoreError that names the file and says what to do; a cache can always be
cleared, or gone without. A row carries a mark of what it holds, so that one which was damaged, or
which somebody else wrote, is never taken for a reply.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from hch.errors import StoreError
from hch.sqlite_files import connect, transaction
from hch.types import Completion, TokenLogprob, Usage
from hch.wire import Chars, Wire

APPLICATION = 0x48434352
"""`HCCR` in the file's header: what tells a cache from another program's SQLite file."""

VERSION = 1

PATIENCE = 10.0
"""Seconds for which another process's lock is waited for."""

_TABLES = (
    """CREATE TABLE replies (
    key TEXT NOT NULL UNIQUE, model TEXT NOT NULL, kept REAL NOT NULL, used REAL NOT NULL,
    bytes INTEGER NOT NULL)""",
    """CREATE TABLE bodies (
    key TEXT NOT NULL UNIQUE, kept REAL NOT NULL, body BLOB NOT NULL, raw BLOB NOT NULL,
    mark BLOB NOT NULL)""",
    "CREATE INDEX replies_by_use ON replies (used, bytes)",
    "CREATE INDEX replies_by_age ON replies (kept)",
)
"""What is counted and what is read, apart: that a reply was used is written without its text."""

FIND = """
SELECT CAST(kept AS REAL), CAST(body AS BLOB), CAST(raw AS BLOB), CAST(mark AS BLOB)
FROM bodies WHERE key = ?
"""
"""A row for `read`; as what they are, columns that were damaged would be errors of sqlite3's."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Body(Wire):
    """A completion as it is kept, but for its raw bytes."""

    text: Chars
    finish: Literal["stop"]
    usage: tuple[int, int, int, int, int]
    thinking: Chars
    logprobs: tuple[tuple[Chars, float, tuple[tuple[Chars, float], ...]], ...] | None


def pack(key: str, completion: Completion) -> tuple[bytes, bytes, bytes]:
    """A completion as body, raw bytes and mark."""
    said, tokens = completion, completion.logprobs
    u = said.usage
    data = {
        "text": said.text,
        "finish": said.finish,
        "usage": (u.input, u.output, u.cached, u.reasoning, u.cache_write),
        "thinking": said.thinking,
        "logprobs": tokens and [(token.token, token.logprob, token.top) for token in tokens],
    }
    # Escapes would make one character of two lone surrogates that follow each other.
    body = _encode(data).encode("utf-8", "surrogatepass")
    return body, said.raw, _mark(key, body, said.raw)


def read(key: str, row: Sequence[Any], oldest: float) -> Completion | None:
    """The completion of a row; None where it is older than that time, or not as it was packed."""
    kept, body, raw, mark = row
    try:
        if kept < oldest or _mark(key, body, raw) != mark:
            return None
        said = _Body.model_validate(json.loads(body.decode("utf-8", "surrogatepass")))
    except (ValueError, TypeError, RecursionError):
        return None
    tokens = said.logprobs
    logprobs = None if tokens is None else tuple(TokenLogprob(*token) for token in tokens)
    return Completion(said.text, said.finish, Usage(*said.usage), logprobs, said.thinking, raw)


def _mark(key: str, body: bytes, raw: bytes) -> bytes:
    mark = blake2b(f"{key} {len(body)} ".encode(), digest_size=16)
    mark.update(body)
    mark.update(raw)
    return mark.digest()


def open_to_write(path: Path, patience: float = PATIENCE) -> sqlite3.Connection:
    """Open the cache, made where there is none, for nobody but its owner.

    Raises StoreError for what is no cache, and what `translated` translates.
    """
    if size(path) is None:
        path.parent.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    db = connect(path, "mode=rw", patience)
    try:
        if _empty(db, path):
            with _alone(path.parent):
                _make(db, path)
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def open_to_read(path: Path, patience: float = PATIENCE) -> sqlite3.Connection | None:
    """Open the cache for reading; None where there is none. Raises as `open_to_write`."""
    if not size(path):
        return None
    db = connect(path, "mode=rw", patience)
    try:
        db.execute("PRAGMA query_only = ON")
        if _empty(db, path):
            db.close()
            return None
    except BaseException:
        db.close()
        raise
    return db


def size(path: Path) -> int | None:
    """The size of a regular file in bytes; None where there is nothing of that name.

    Raises OSError, and StoreError for anything else.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise StoreError(f"{_named(path)} is no regular file: move it away{_WITHOUT}")
    return found.st_size


def spoilt(path: Path) -> str | None:
    """Why nothing can be done with the file but to delete it; None where all is well with it.

    Raises StoreError where that cannot be told.
    """
    with translated(path):
        if not size(path):
            return None
        try:
            with closing(connect(path, "mode=rw", PATIENCE)) as db:
                if fault := _fault(db, path):
                    return f"{_named(path)} {fault}"
                found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            if not _code(error).startswith(_SPOILT):
                raise
            found = str(error)
    return None if found == "ok" else f"{_named(path)} is damaged ({found})"


def delete(path: Path) -> None:
    """Delete a file with which nothing else can be done, and what SQLite has put beside it."""
    with translated(path):
        for end in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + end).unlink(missing_ok=True)


def _empty(db: sqlite3.Connection, path: Path) -> bool:
    """Whether its tables are still to be made. Raises StoreError for what is no cache."""
    if fault := _fault(db, path):
        raise StoreError(f"{_named(path)} {fault}: delete it by hch cache clear{_WITHOUT}")
    return not _marks(db)[1]


def _fault(db: sqlite3.Connection, path: Path) -> str | None:
    """What keeps a sound SQLite file from being a cache of ours."""
    if path.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "can be written by others, who could have put answers into it"
    db.execute("BEGIN")  # so that all three are of one moment
    application, version = _marks(db)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    db.execute("COMMIT")
    if tables and application != APPLICATION:
        return "is another program's SQLite file"
    if version > VERSION:
        return f"was written by a newer hch (format {version}, this one knows {VERSION})"
    return "lacks its tables" if version and tables != {"replies", "bodies"} else None


def _marks(db: sqlite3.Connection) -> tuple[int, int]:
    pragmas = "PRAGMA application_id", "PRAGMA user_version"
    application, version = (db.execute(pragma).fetchone()[0] for pragma in pragmas)
    return application, version


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: of two that change a file's journal, SQLite makes one fail."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _make(db: sqlite3.Connection, path: Path) -> None:
    if not _empty(db, path):  # another process was quicker
        return
    db.execute("PRAGMA journal_mode = WAL")
    with transaction(db):
        for statement in _TABLES:
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION}")
        db.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise what fails in here as StoreError: what, where, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise told(path, error) from error
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        hint = _FULL if full else _PLACE
        raise StoreError(f"{_named(path)}: {error.strerror or error}: {hint}{_WITHOUT}") from error


def told(path: Path, error: sqlite3.Error) -> StoreError:
    """An error of sqlite3's as one of ours."""
    hint = next((text for start, text in _HINTS.items() if _code(error).startswith(start)), _CLEAR)
    return StoreError(f"{_named(path)}: {error}: {hint}{_WITHOUT}")


def _code(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "") or "SQLITE_CORRUPT"


def _named(path: Path) -> str:
    return f"the cache of replies {path}"


_WITHOUT = ", or go without it: --no-cache"
_CLEAR = "clear it by hch cache clear"
_FULL = f"make room on the disk, or {_CLEAR}"
_PLACE = "see that it and its folder can be written, or set XDG_CACHE_HOME to another place"
_SPOILT = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_HINTS = {
    "SQLITE_BUSY": "another process holds it; try again when that has ended",
    "SQLITE_FULL": _FULL,
    "SQLITE_READONLY": _PLACE,
    "SQLITE_CANTOPEN": _PLACE,
    "SQLITE_PERM": _PLACE,
    "SQLITE_IOERR": "the disk failed; see that it works and has room",
}
