"""Events read back from SQLite, a few at a time, so that no reader holds up a writer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

from pydantic import ValidationError

from hch.errors import StoreError
from hch.events import Record
from hch.stores._codec import Unpacker
from hch.stores._sqlite_errors import DAMAGE, DAMAGED, damaged, translated
from hch.stores._sqlite_schema import RUN_BITS

LAST = (1 << RUN_BITS) - 1

_CACHED_CHARACTERS = 8_000_000
_ALL = """
SELECT id, at, body, raw FROM event_log LEFT JOIN replies USING (id)
WHERE id > ? AND id <= ? ORDER BY id LIMIT 256
"""
_SOME = """
SELECT id, at, body, raw FROM event_log LEFT JOIN replies USING (id)
WHERE id > ? AND id <= ? AND type IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT 256
"""
_PICKED = """
SELECT id, at, body, raw FROM event_log LEFT JOIN replies USING (id)
WHERE id IN (SELECT value FROM json_each(?)) ORDER BY id
"""

AT_ONCE = 256
"""How many events are held in memory."""


class Reader:
    """Reads from one connection, in any thread. Raises StoreError for what is damaged."""

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path
        self._lock = RLock()
        self._texts: dict[int, str] = {}
        self._cached = 0
        self._unpacker = Unpacker(self.text)

    def query(self, sql: str, *values: Any) -> list[Any]:
        with self._lock, translated(self._path):
            return self._db.execute(sql, values).fetchall()

    def records(
        self, run: str, number: int, last: int = LAST, types: Sequence[str] = (), after: int = 0
    ) -> Iterator[Record]:
        """The events of that run after `after`, up to number `last`, all or of these types."""
        base = number << RUN_BITS
        some = (json.dumps(types),) if types else ()
        done = base + after
        while rows := self.query(_SOME if types else _ALL, done, base + last, *some):
            if not types and rows[-1][0] != done + len(rows):
                raise self._lacking(f"events of run {run}")
            for row in rows:
                yield self._record(run, *row)
            done = rows[-1][0]
        if not types and last != LAST and base + after < base + last and done != base + last:
            raise self._lacking(f"events of run {run}")

    def picked(self, run: str, number: int, numbers: Sequence[int]) -> Iterator[Record]:
        """The events of these numbers, in their order, once each."""
        base = number << RUN_BITS
        wanted = sorted(set(numbers))
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            rows = self.query(_PICKED, json.dumps([base + n for n in some]))
            if len(rows) != len(some):
                raise self._lacking(f"events of run {run}")
            for row in rows:
                yield self._record(run, *row)

    def text(self, name: int) -> str:
        """The text of that id."""
        if (known := self._texts.get(name)) is not None:
            return known
        rows = self.query("SELECT body FROM texts WHERE id = ?", name)
        if not rows:
            raise self._lacking(f"the text {name}")
        text: str = rows[0][0].decode("utf-8", "surrogatepass")
        if len(text) <= _CACHED_CHARACTERS // 8:
            self._cached += len(text)
            if self._cached > _CACHED_CHARACTERS:
                self._texts.clear()
                self._cached = len(text)
            self._texts[name] = text
        return text

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __del__(self) -> None:
        self._db.close()

    def _record(self, run: str, id_: int, at: float, body: str, raw: bytes | None) -> Record:
        seq = id_ & LAST
        with self._lock:
            try:
                event = self._unpacker.unpack(body, raw or b"")
                return Record.model_validate({"run": run, "seq": seq, "at": at, "event": event})
            except DAMAGE as error:
                why = f"event {seq} of run {run} cannot be read: {_why(error)}"
                raise damaged(self._path, why) from error

    def _lacking(self, what: str) -> StoreError:
        return StoreError(
            f"the store {self._path} lacks {what}: if its run was not removed meanwhile, {DAMAGED}"
        )


def _why(error: Exception) -> str:
    """In one line, also what pydantic says in many."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']} (if a newer hch wrote it, upgrade)"
