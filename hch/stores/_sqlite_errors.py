"""What sqlite3 and the system raise, as a StoreError: what, where, and what to do."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hch.errors import StoreError
from hch.safe_text import one_line


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
        said = one_line(str(error))  # SQLite quotes what it cannot read
        raise StoreError(f"the store {path}: {said}{hint.format(then=then)}") from error
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
    return StoreError(f"the store {path}: {one_line(str(what))}: {DAMAGED}")


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
