"""Replies kept across runs, in one SQLite file that several processes may use at once.

Only whole replies get in: those that ended by themselves and say something. What is asked for is
found by one read of an index; what is kept or used is queued, and a thread commits it soon. The
last few may be lost in a crash: the run that paid for them has them in its own store.
"""

from __future__ import annotations

import json
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Event, RLock
from time import time
from typing import Any, TypeVar

from hch import cache_file
from hch.cache_file import FIND, PATIENCE, told, translated
from hch.config import Config
from hch.errors import StoreError
from hch.sqlite_files import connect, transaction
from hch.types import Completion

T = TypeVar("T")

BRIEFLY = 300
"""Milliseconds for which a commit waits for another process's lock; no run waits for its cache."""

WINDOW = 0.25
"""Seconds for which what is to be committed is gathered."""

_MEGABYTE = 1_000_000
_ROWS = 50
_AMONG = "SELECT value FROM json_each(?)"
_BY_USE = "SELECT key, CAST(bytes AS INTEGER) FROM replies ORDER BY used"
_WHICH = """
SELECT key FROM replies WHERE (?1 IS NULL OR kept < ?1) AND (?2 IS NULL OR model = ?2)
"""
_SHARES = """
SELECT CAST(model AS TEXT), count(*), CAST(total(bytes) AS INTEGER), min(at), max(at)
FROM (SELECT model, bytes, max(0.0, min(kept, 2e11)) AS at FROM replies
      WHERE ?1 IS NULL OR kept < ?1)
GROUP BY 1 ORDER BY 3 DESC, 1
"""
"""Times are kept within those that there are, whatever a damaged row says."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one model has in a cache; `oldest` and `newest` are when they came, in Unix seconds."""

    model: str
    replies: int
    bytes: int
    oldest: float
    newest: float


class Cache:
    """A `hch.keeping.ReplyCache` in one file; usable again after `close`.

    Keys of the environment do not get in: a completion that comes here is redacted already, since
    the cache stands outside `hch.middleware.Redacted`. Every method raises StoreError, also for
    what could not be committed since. The first reply to a request stays; one that is more than
    `days` old, or is not as it was written, is none. Beyond `mb` megabytes those go that were not
    used for the longest. `clock` gives Unix seconds; for another process's lock `patience` seconds
    are waited.
    """

    def __init__(
        self,
        path: Path,
        *,
        days: int,
        mb: int,
        clock: Callable[[], float] = time,
        patience: float = PATIENCE,
    ) -> None:
        self._path = path
        self._age = days * 86_400.0
        self._room = mb * _MEGABYTE
        self._clock = clock
        self._patience = patience
        self._kept: deque[tuple[str, str, float, Completion]] = deque()
        self._used: deque[str] = deque()
        self._bad: deque[str] = deque()
        self._called = False
        self._hurry = Event()
        self._added = 0
        self._failure: BaseException | None = None
        self._told = False
        self._pool: ThreadPoolExecutor | None = None
        self._lock = RLock()
        self._begin()

    def find(self, key: str) -> Completion | None:
        with self._lock:
            if self._pool is None or self._failure is not None:
                self._begin()
            try:
                rows = self._reading.execute(FIND, (key,)).fetchall()
            except sqlite3.Error as error:
                raise told(self._path, error) from error
        if not rows:
            return None
        found = cache_file.read(key, rows[0], self._clock() - self._age)
        with self._lock:
            (self._bad if found is None else self._used).append(key)
            self._soon()
        return found

    def keep(self, key: str, model: str, completion: Completion) -> None:
        if completion.finish != "stop" or not completion.text.strip():
            return
        with self._lock:
            if self._pool is None or self._failure is not None:
                self._begin()
            self._kept.append((key, model, self._clock(), completion))
            self._soon()

    def close(self) -> None:
        with self._lock:
            if self._pool is None:
                return
            self._hurry.set()
            try:
                self._pool.submit(self._end).result()
            finally:
                self._pool.shutdown()
                self._pool = self._failure = None
                self._reading.close()
                self._writing.close()

    def __del__(self) -> None:
        with suppress(AttributeError):  # it was never opened
            self._writing.close()
            self._reading.close()

    def _begin(self) -> None:
        """Open the file. Raises StoreError where that cannot be, and for what failed since."""
        if self._failure is not None:
            self._told = True
            raise StoreError(str(self._failure)) from self._failure
        with translated(self._path):
            self._writing = cache_file.open_to_write(self._path, self._patience)
            self._writing.execute(f"PRAGMA busy_timeout = {BRIEFLY}")
            self._reading = connect(self._path, "mode=rw", self._patience)
            self._reading.execute("PRAGMA query_only = ON")
        self._hurry.clear()
        self._called = self._told = False
        self._pool = ThreadPoolExecutor(1, "hch-cache")

    def _soon(self) -> None:
        if not self._called and self._pool is not None:
            self._called = True
            self._pool.submit(self._commit)

    def _commit(self) -> None:
        """In the thread: wait for what comes along, and commit all there is."""
        self._hurry.wait(WINDOW)
        self._called = False
        if self._failure is None:
            try:
                with translated(self._path), _unless_busy():
                    self._write(self._writing)
            except BaseException as error:
                self._failure = error
                raise

    def _end(self) -> None:
        """In the thread: commit the rest, and keep to the limits."""
        if self._failure is None:
            self._commit()
            with translated(self._path), _unless_busy():
                self._trim(self._writing)
        elif not self._told:
            raise StoreError(str(self._failure)) from self._failure

    def _write(self, db: sqlite3.Connection) -> None:
        bad, used = _drained(self._bad), _drained(self._used)
        replies, bodies = [], []
        for key, model, at, completion in _drained(self._kept):
            body, raw, mark = cache_file.pack(key, completion)
            if (size := len(body) + len(raw)) <= self._room:
                replies.append((key, _shown(model), at, at, size))
                bodies.append((key, at, body, raw, mark))
                self._added += size
        with transaction(db):
            if bad:
                _drop(db, _AMONG, json.dumps(bad))
            _insert(db, "replies", replies)
            _insert(db, "bodies", bodies)
            if used:
                touch = f"UPDATE replies SET used = ? WHERE key IN ({_AMONG})"  # noqa: S608
                db.execute(touch, (self._clock(), json.dumps(used)))
        if self._added > self._room / 20:
            self._trim(db)

    def _trim(self, db: sqlite3.Connection) -> None:
        """Drop what is too old, then what was not used for the longest, beyond the limit."""
        self._added = 0
        with transaction(db):
            _drop(db, "SELECT key FROM replies WHERE kept < ?", self._clock() - self._age)
            left = db.execute("SELECT total(bytes) FROM replies").fetchone()[0]
            doomed = []
            for key, size in db.execute(_BY_USE):
                if left <= self._room:
                    break
                doomed.append(key)
                left -= size
            if doomed:
                _drop(db, _AMONG, json.dumps(doomed))


@contextmanager
def _unless_busy() -> Iterator[None]:
    """What another process's lock keeps from being written is lost here; the run's store has it."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise


def open_cache(config: Config) -> Cache:
    """The cache where this configuration has it, within its limits; made where there is none.

    Raises StoreError where it cannot be used.
    """
    limits = config.file.defaults
    return Cache(config.replies, days=limits.cache_days, mb=limits.cache_mb)


def shares(path: Path, before: float | None = None) -> list[Share]:
    """What each model has there that came before that time, most bytes first; makes no file."""
    with translated(path):
        if (opened := cache_file.open_to_read(path)) is None:
            return []
        with closing(opened) as db:
            return [Share(*row) for row in db.execute(_SHARES, (before,))]


def on_disk(path: Path) -> int:
    """The bytes that the file takes, with those of the log beside it."""
    with translated(path):
        found = (cache_file.size(path.with_name(path.name + end)) for end in ("", "-wal"))
        return sum(size or 0 for size in found)


def clear(path: Path, before: float | None = None, model: str | None = None) -> None:
    """Drop what came before that time, of one model or of all, and give its room to the disk."""
    with translated(path), closing(cache_file.open_to_write(path)) as db:
        with transaction(db):
            if before is None and model is None:
                db.execute("DELETE FROM bodies")  # which SQLite does at once
                db.execute("DELETE FROM replies")
            else:
                _drop(db, _WHICH, before, model)
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _insert(db: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows whose key is not there; many at a time, since each lets go of the interpreter."""
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        places = ",".join([f"({','.join('?' * len(some[0]))})"] * len(some))
        values = list(chain.from_iterable(some))
        db.execute(f"INSERT OR IGNORE INTO {table} VALUES {places}", values)  # noqa: S608


def _drop(db: sqlite3.Connection, keys: str, *values: Any) -> None:
    """Delete the replies whose keys that query gives."""
    for table in ("bodies", "replies"):
        db.execute(f"DELETE FROM {table} WHERE key IN ({keys})", values)  # noqa: S608


def _drained(queue: deque[T]) -> list[T]:
    return [queue.popleft() for _ in range(len(queue))]


def _shown(model: str) -> str:
    """A model's name, lone surrogates as escapes, so that UTF-8 can hold it."""
    return model.encode("utf-8", "backslashreplace").decode()
