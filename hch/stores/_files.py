"""Where a store may be: a regular file that is there or can be made, under a name in UTF-8."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hch.errors import StoreError, UsageError
from hch.stores._index import shown


def named(given: str | Path) -> Path:
    """The file of that name, `~` expanded. Raises UsageError for what names no file."""
    text = str(given)
    advice = "name a file, as in --store sqlite:runs.db"
    if not text.strip() or not Path(text).name or Path(text).name == "..":
        raise UsageError(f"the store {text!r} names no file: {advice}")
    if "\0" in text or shown(text) != text:
        raise UsageError(f"the store {text!r} has a name that is not plain UTF-8: {advice}")
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise UsageError(f"the store {text}: {error}: {advice}") from error
    if os.path.isdir(path):  # noqa: PTH112 - Path's raises for what cannot be reached
        raise UsageError(f"the store {text} is a folder: {advice}")
    return path


def size(path: Path) -> int | None:
    """The size of a regular file in bytes; None where there is nothing of that name.

    Raises StoreError for anything else. The file is not opened: to close it again would let go of
    the locks that SQLite holds on it in this process.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(
            f"the store {path} cannot be read: {error.strerror}; name another with --store"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
        raise StoreError(f"the store {path} is {kind}: name another with --store")
    return found.st_size
