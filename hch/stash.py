"""Values by key, however many: what is more than memory should hold is in a temporary file.

So equal work is found again in a run of any length, and its memory stays as it is. The file is
SQLite's own: it has no name, nobody else can open it, it is gone with the process, and it is not
made before it is needed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from hch.errors import StoreError

T = TypeVar("T")

MOST = 4 << 20
"""The bytes that are held before they are written away, which takes some milliseconds."""

_ROW = 200
"""The bytes that an entry takes beside its value."""

_CACHE = 4000
"""The KiB of the file that SQLite keeps in memory."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How a value becomes bytes, and an equal value again; and about what `size` it has in memory.

    That is in bytes, and is told of every value that is put, so it is quick.
    """

    pack: Callable[[T], bytes]
    unpack: Callable[[bytes], T]
    size: Callable[[T], int]


BYTES: Codec[bytes] = Codec(bytes, bytes, len)


def as_bytes(data: Any) -> bytes:
    """Plain data as JSON; lone surrogates and infinity pass, and a tuple is a list."""
    # Escapes would make one character of two lone surrogates that follow each other.
    return _encode(data).encode("utf-8", "surrogatepass")


def of_bytes(data: bytes) -> Any:
    """The data of `as_bytes`."""
    return json.loads(data.decode("utf-8", "surrogatepass"))


class Stash(Generic[T]):
    """A table of values: one that is got is equal to what was put.

    About `most` bytes are held in memory, as they are; what is more is packed and written away. All
    methods raise StoreError where the temporary file cannot be written or read.
    """

    def __init__(self, codec: Codec[T], most: int = MOST) -> None:
        self._codec = codec
        self._most = most
        self._held: dict[str, T] = {}
        self._size = 0
        self._file: sqlite3.Connection | None = None

    def put(self, key: str, value: T) -> None:
        """Keep a value, in the place of an earlier one of that key."""
        self._held[key] = value
        self._size += self._codec.size(value) + _ROW
        if self._size > self._most:
            self._write()

    def get(self, key: str) -> T | None:
        """The value of that key; None where there is none."""
        value = self._held.get(key)
        if value is not None or self._file is None:
            return value
        rows = self._do("SELECT value FROM stash WHERE key = ?", (_bytes(key),))
        return self._codec.unpack(rows[0][0]) if rows else None

    def keys(self) -> set[str]:
        """The keys of all that is kept, in memory."""
        written = self._do("SELECT key FROM stash", ()) if self._file is not None else []
        return {*(key.decode("utf-8", "surrogatepass") for (key,) in written), *self._held}

    def drop(self, key: str) -> None:
        """Let go of the value of that key, if there is one."""
        self._held.pop(key, None)
        if self._file is not None:
            self._do("DELETE FROM stash WHERE key = ?", (_bytes(key),))

    def clear(self) -> None:
        """Let go of all of them."""
        self._held.clear()
        self._size = 0
        self._close()

    def _write(self) -> None:
        """Write away all that is held."""
        try:
            if self._file is None:
                self._file = _opened()
            pack = self._codec.pack
            rows = ((_bytes(key), pack(value)) for key, value in self._held.items())
            self._file.executemany("INSERT OR REPLACE INTO stash VALUES (?, ?)", rows)
        except sqlite3.Error as error:
            raise _unwritten(error) from error
        self._held.clear()
        self._size = 0

    def _do(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        assert self._file is not None
        try:
            return self._file.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise _unwritten(error) from error

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._close()


def _opened() -> sqlite3.Connection:
    """A database that has no name, and one transaction that is never committed."""
    file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE}"):
        file.execute(f"PRAGMA {pragma}")
    file.execute("CREATE TABLE stash (key BLOB PRIMARY KEY, value BLOB)")
    file.execute("BEGIN")
    return file


def _bytes(key: str) -> bytes:
    return key.encode("utf-8", "surrogatepass")


def _unwritten(error: sqlite3.Error) -> StoreError:
    return StoreError(f"the temporary file of this run cannot be used ({error}): is the disk full?")
