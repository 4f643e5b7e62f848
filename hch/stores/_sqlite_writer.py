"""What a group of events becomes in SQLite: one transaction of few, large statements.

sqlite3 lets go of the interpreter for each statement, and must then wait to get it back from a
busy event loop; so rows go in by the dozen. All of this runs in the store's one writing thread.

A run keeps a text once while the writer remembers it. One of `LARGE` characters or more is also
found by its hash, whichever run brought it. Shorter ones are not looked up: an index over hashes
takes more time, with every call and the more the larger the file, than it saves room.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

from hch.errors import StoreError
from hch.events import Event
from hch.failpoints import Failpoint
from hch.sqlite_files import transaction
from hch.stores._codec import Packer
from hch.stores._index import shown
from hch.stores._sqlite_outlines import keep
from hch.stores._sqlite_reader import Reader
from hch.stores._sqlite_runs import begin, is_kept, save
from hch.stores._sqlite_schema import RUN_BITS

LARGE = 1000

_CHUNKS = (64, 16, 4, 1)
_LAST = {"RunStopped", "RunFinished"}

Queued: TypeAlias = tuple[str, float, Event]
"""An event on its way, with its run and its time."""


class Writer:
    """Writes groups of events, and remembers the runs it writes until they end."""

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], path: Path, fail: Failpoint | None = None
    ) -> None:
        self._connect = connect
        self._path = path
        self._fail = fail
        self._db: sqlite3.Connection | None = None
        self._reader: Reader | None = None
        self._runs: dict[str, _Run] = {}

    def write(self, group: Sequence[Queued]) -> None:
        """Commit a group. Raises sqlite3.Error or StoreError, and then has stored none of it."""
        self._db = self._db or self._connect()
        self._reach("group", "before", group)
        try:
            self._write(self._db, group)
        except sqlite3.IntegrityError:  # another handle wrote to one of these runs meanwhile
            self._write(self._db, group)
        self._reach("commit", "after", group)

    def forget(self, run: str) -> None:
        """Let go of what is known of a run; it is read anew when it is written again."""
        self._runs.pop(run, None)

    def close(self) -> None:
        self._runs.clear()
        if self._db is not None:
            self._db.close()
            self._db = self._reader = None

    def __del__(self) -> None:
        if self._db is not None:
            self._db.close()

    def _write(self, db: sqlite3.Connection, group: Sequence[Queued]) -> None:
        try:
            self._remember(db, group)
            with transaction(db):
                written = self._insert(db, group)
                for run in written.values():
                    save(db, run.number, run.tally)
                for name in {name for name, _, event in group if event.type in _LAST}:
                    keep(db, written[name].number, written[name].tally.tree.settled())
                self._reach("rows")
        except BaseException:
            self._runs.clear()
            raise
        for name, _, event in group:
            if event.type in _LAST:
                self.forget(name)

    def _reach(self, point: str, side: str = "", group: Sequence[Queued] = ()) -> None:
        if self._fail is not None:
            self._fail.reach(point)
            for _, _, event in group:
                self._fail.reach(f"{side}-{event.type}")

    def _insert(self, db: sqlite3.Connection, group: Sequence[Queued]) -> dict[str, _Run]:
        """Insert the group's rows; the runs they belong to."""
        written: dict[str, _Run] = {}
        events: list[Any] = []
        replies: list[Any] = []
        texts: list[Any] = []
        for name, at, event in group:
            run = written.get(name)
            if run is None:
                run = written[name] = self._runs[name] = self._runs.get(name) or self._run(db, name)
                run.texts = texts
            try:
                body, blob = run.pack(event)
            except (TypeError, ValueError, RecursionError) as error:
                raise StoreError(f"run {shown(name)}, {event.type}: {error}") from error
            id_ = run.base + run.tally.add(at, event)
            events += (id_, at, event.type, _subject(event), body)
            if blob:
                replies += (id_, blob)
        _insert_rows(db, "INSERT INTO event_log", 5, events)
        _insert_rows(db, "INSERT INTO replies", 2, replies)
        _insert_rows(db, "INSERT INTO texts", 4, texts)
        return written

    def _remember(self, db: sqlite3.Connection, group: Sequence[Queued]) -> None:
        """Read what there is of these runs, which may take long, before anybody has to wait."""
        for name in {name for name, _, _ in group} - self._runs.keys():
            if is_kept(db, name):
                self._runs[name] = self._run(db, name)

    def _run(self, db: sqlite3.Connection, name: str) -> _Run:
        self._reader = self._reader or Reader(db, self._path)
        return _Run(db, self._reader, name)


class _Run:
    """A run that is being written: its number, its tally, and the texts it is known to have.

    `texts` takes the rows of new texts: id, hash, body, and what SQL shows where that differs.
    """

    def __init__(self, db: sqlite3.Connection, reader: Reader, name: str) -> None:
        self.number, self.tally = begin(db, reader, name)
        self.base = self.number << RUN_BITS
        self.pack = Packer(self._bring).pack
        self.texts: list[Any] = []
        self._db = db
        last = "SELECT max(id) FROM texts WHERE id > ? AND id < ?"
        found = db.execute(last, (self.base, self.base + (1 << RUN_BITS))).fetchone()
        self._last: int = found[0] or self.base

    def _bring(self, text: str) -> int:
        """The id of a text that this run is not known to have; its row where it has none."""
        try:
            body, safe = text.encode(), None
        except UnicodeEncodeError:
            body, safe = text.encode("utf-8", "surrogatepass"), shown(text)
        if len(text) >= LARGE:
            return self._bring_large(body, safe)
        self._last += 1
        self.texts += (self._last, None, body, safe)
        return self._last

    def _bring_large(self, body: bytes, safe: str | None) -> int:
        hash_ = sha256(body).digest()
        found = self._db.execute("SELECT id FROM texts WHERE hash = ?", (hash_,)).fetchone()
        if found is None:
            self._last += 1
            _insert_rows(self._db, "INSERT INTO texts", 4, [self._last, hash_, body, safe])
            return self._last
        id_: int = found[0]
        if id_ >> RUN_BITS != self.number:
            refer = "INSERT OR IGNORE INTO text_refs (text, run) VALUES (?, ?)"
            self._db.execute(refer, (id_, self.number))
        return id_


def _insert_rows(db: sqlite3.Connection, into: str, width: int, values: list[Any]) -> None:
    """Insert rows of that many columns."""
    done = 0
    while done < len(values):
        rows = next(n for n in _CHUNKS if n * width <= len(values) - done)
        db.execute(_statement(into, width, rows), values[done : done + rows * width])
        done += rows * width


@cache
def _statement(into: str, width: int, rows: int) -> str:
    row = f"({','.join('?' * width)})"
    return f"{into} VALUES {','.join([row] * rows)}"


def _subject(event: Event) -> str:
    """The node, or the request, that an event is about; empty where it is about the run."""
    fields = event.__dict__
    key: str = fields.get("key") or fields.get("parent") or fields.get("request") or ""
    return key
