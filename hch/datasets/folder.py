"""The files of a folder that somebody else may have made: opened by no link, and no device."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hch.errors import UsageError
from hch.safe_text import one_line


@contextmanager
def opened(folder: Path, path: str) -> Iterator[BinaryIO]:
    """A regular file below a folder; `path` is of `/` between names, none of which is a link.

    Raises UsageError, naming it, where there is none or it cannot be read.
    """
    try:
        descriptor = _descriptor(folder, path.split("/"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{shown(folder, path)} cannot be read: {why}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{shown(folder, path)} cannot be read: it is no regular file")
    with os.fdopen(descriptor, "rb") as file:
        try:
            yield file
        except OSError as error:
            if error.filename is not None:  # of another file: to read an open one names none
                raise
            raise UsageError(f"{shown(folder, path)} cannot be read: {error.strerror}") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """An OSError that names no file names this one, which is being written."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def shown(folder: Path, path: str) -> str:
    """A file's name in a message."""
    return one_line(str(folder / path))


def size_of(file: BinaryIO) -> int:
    """The size of an open file, in bytes."""
    return os.fstat(file.fileno()).st_size


def _descriptor(folder: Path, names: list[str]) -> int:
    """Each folder on the way is opened in the one before, so that nothing leads elsewhere."""
    if not all(names) or {".", ".."} & set(names):
        raise ValueError("it is no file in there")
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in names[:-1]:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=held)
            os.close(held)
            held = inner
        # A pipe would wait for somebody to write into it.
        return os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=held)
    finally:
        os.close(held)
