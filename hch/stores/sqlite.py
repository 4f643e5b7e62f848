"""One SQLite file that holds any number of runs: `sqlite:PATH`.

Events are committed in groups with `synchronous=FULL`. A text of 1,000 characters or more is kept
once, by its hash, for all runs; one of 200 or more once in a run, as far as the writer remembers
it. Reply bytes are kept as they came. Others may read while a run is written. Reading leaves no
file behind. Texts on the shelf are kept by name in the table `shelf`, beside the runs, and labels
in the table `label_log`.

For reading with SQL there are five views. Whether a run is alive only its lock tells, so `runs`
calls a live one `unfinished`; amounts are NULL where they are infinite.

    runs    run, started, ended, question (200 characters), players (JSON), roots, status, nodes,
            calls, tokens, microusd, imported (0 or 1)
            SELECT run, question, microusd / 1e6 FROM runs ORDER BY started DESC LIMIT 10;
    nodes   run, key, level, wrapper, player, question, status, answer, reason, spent_calls,
            spent_tokens, spent_microusd, opened_at, closed_at; status is NULL while it is open
            SELECT level, status, count(*) FROM nodes WHERE run = 'ID' GROUP BY level, status;
    calls   run, request, attempt, node, model, status (intended, finished, failed), kind, input,
            output, cached, reasoning, microusd, intended_at, ended_at
            SELECT model, sum(output), avg(ended_at - intended_at) FROM calls GROUP BY model;
    events  run, seq, at, type, key (node or request), body (JSON; {"$text": N} is the text with
            the id N in the table `texts`), id
            SELECT seq, body FROM events WHERE run = 'ID' AND type = 'CallFailed';
    labels  run, key (the node), by, at, said (good, bad or NULL), score, note, id; all that were
            given, of which the last `by` each counts
            SELECT key, said, score, note FROM labels WHERE run = 'ID' ORDER BY id;
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from hch.errors import StoreError, UsageError
from hch.events import Event, Record
from hch.failpoints import armed
from hch.keeping import RunRow
from hch.labels import Label
from hch.outline import Outline
from hch.sqlite_files import transaction
from hch.stores._files import named, size
from hch.stores._group import GroupCommit
from hch.stores._index import shown
from hch.stores._locks import RunLocks
from hch.stores._shelf import checked
from hch.stores._sqlite_connections import open_as_it_is, open_to_read, open_to_write
from hch.stores._sqlite_errors import damaged, translated
from hch.stores._sqlite_faults import deep_faults, faults
from hch.stores._sqlite_imports import bring
from hch.stores._sqlite_labels import label, labels_of
from hch.stores._sqlite_outlines import growing, keep, kept
from hch.stores._sqlite_reader import Reader
from hch.stores._sqlite_runs import LIST, listed, rebuild, remove
from hch.stores._sqlite_shelf import shelf, shelve, shelved
from hch.stores._sqlite_upkeep import backup, backup_place, vacuum
from hch.stores._sqlite_writer import Queued, Writer

_LOCKS = 100
"""How many runs are removed at a time, since each is locked meanwhile."""

LONG = 20_000
"""So many events take a second or so to be made an outline of."""

_SOON = 2.0
"""The most seconds that a check waits for another process's lock."""


class SqliteStore:
    """A `hch.keeping.Store` in one file; usable again after `close`.

    Raises UsageError where `path` can be no file's. Waits `patience` seconds for another process's
    lock. `pragmas` are set on what writes.
    """

    def __init__(
        self, path: str | Path, *, patience: float = 10.0, pragmas: Mapping[str, int] | None = None
    ) -> None:
        self.place = str(path)
        self._path = named(path)
        self._patience = patience
        self._pragmas = pragmas or {}
        self._locks = RunLocks(self._path)
        self._fail = armed()
        self._writer = Writer(self._open, self._path, self._fail)
        self._group: GroupCommit[Queued] = GroupCommit(self._write)
        self._reader: Reader | None = None
        self._kept: set[str] = set()

    def append(self, run: str, at: float, event: Event) -> None:
        self._group.put((run, at, event))

    async def durable(self) -> None:
        await self._group.wait()

    def flush(self) -> None:
        self._group.flush()

    def events(self, run: str, *types: str, after: int = 0) -> Iterator[Record]:
        reader, number, last = self._find(run)
        return reader.records(run, number, last, types, after)

    def picked(self, run: str, numbers: Iterable[int]) -> Iterator[Record]:
        reader, number, _ = self._find(run)
        return reader.picked(run, number, list(numbers))

    def outline(self, run: str) -> Outline:
        reader, number, last = self._find(run)
        before = kept(reader, number, last)
        if before is not None and before.last == last:
            return before
        outline = growing(reader, run, number, last).settled()
        self._keep(run, number, outline)
        return outline

    def _keep(self, run: str, number: int, outline: Outline) -> None:
        """Keep what took long to make of a run that nobody writes, if nobody has to wait."""
        if outline.last < LONG or self._locks.held(run):
            return
        with suppress(StoreError), ExitStack() as stack:
            stack.enter_context(translated(self._path))
            db = stack.enter_context(closing(open_to_write(self._path, 0)))
            stack.enter_context(transaction(db))
            stack.enter_context(self.live(run))
            keep(db, number, outline)

    def last(self, run: str) -> int:
        return self._find(run)[2]

    def runs(self) -> list[RunRow]:
        reader = self._read()
        with translated(self._path):
            rows = [listed(row) for row in reader.query(LIST)] if reader else []
        return [
            replace(row, status="running")
            if row.status == "unfinished" and self._locks.held(row.run)
            else row
            for row in rows
        ]

    def remove(self, runs: Iterable[str]) -> None:
        numbers = {run: self._find(run)[1] for run in runs}
        for run in numbers:
            with self._locks.hold(run):
                pass
        left = list(numbers)
        while left:
            some, left = left[:_LOCKS], left[_LOCKS:]
            with ExitStack() as stack:
                for run in some:
                    stack.enter_context(self._locks.hold(run))
                stack.enter_context(translated(self._path))
                db = stack.enter_context(closing(self._open()))
                with transaction(db):
                    for run in some:
                        remove(db, numbers[run])
                        self._writer.forget(run)
                        self._kept.discard(run)
                    if self._fail is not None:
                        self._fail.reach("remove")

    def live(self, run: str) -> AbstractContextManager[None]:
        size(self._path)  # before a lock is made beside what can be no store
        return self._alive(run)

    @contextmanager
    def _alive(self, run: str) -> Iterator[None]:
        with self._locks.hold(run):
            if self._group.pending:
                self.flush()
            self._writer.forget(run)  # another may have removed it, and brought it back
            yield

    def rebuild_index(self) -> None:
        """Make the index of every run anew from its events."""
        if self._read() is None:
            return
        with translated(self._path), closing(self._open()) as db:
            rebuild(db, Reader(db, self._path))

    def bring(self, run: str, records: Iterable[Record], labels: Iterable[Label] = ()) -> None:
        if self._group.pending:
            self.flush()
        bring(self._open, self._path, run, (records, labels), self.live(run), self._fail)
        self._kept.add(run)

    def label(self, run: str, labels: Iterable[Label]) -> None:
        _, number, _ = self._find(run)
        label(self._open, self._path, number, labels, self._fail)

    def labels(self, run: str, keys: Iterable[str] | None = None) -> list[Label]:
        reader, number, _ = self._find(run)
        return labels_of(reader, self._path, number, keys)

    def shelve(self, texts: Mapping[str, str | None]) -> None:
        if kept := {checked(name): text for name, text in texts.items()}:
            shelve(self._open, self._path, kept, self._fail)

    def shelved(self, name: str) -> str | None:
        return shelved(self._path, self._patience, checked(name))

    def shelf(self, prefix: str = "") -> list[str]:
        return shelf(self._path, self._patience, prefix)

    def backup(self, to: Path) -> None:
        path = backup_place(to)
        if self._group.pending:
            self.flush()
        with translated(self._path):
            opened = open_as_it_is(self._path, self._patience)
        if opened is None:
            raise UsageError(f"there is no store {self.place} yet, and nothing to back up")
        with closing(opened[0]) as db:
            backup(db, self._path, path)

    def vacuum(self) -> tuple[int, int]:
        alive = [row.run for row in self.runs() if row.status == "running"]
        if alive:
            raise StoreError(
                f"run {shown(alive[0])} in the store {self._path} is alive, and could not be "
                "written meanwhile: try again when that has ended"
            )
        if self._reader is None:
            return 0, 0
        with translated(self._path), closing(self._open()) as db:
            return vacuum(db, self._path)

    def check(self, *, deep: bool = False) -> list[str]:
        patience = min(self._patience, _SOON)
        look = deep_faults if deep else faults
        try:
            if self._group.pending:
                self.flush()
            with translated(self._path):
                opened = open_as_it_is(self._path, patience)
                if opened is None:
                    return []
                with closing(opened[0]) as db:
                    return look(db, self._path, opened[1])
        except StoreError as error:
            return [str(error)]

    def close(self) -> None:
        try:
            self._group.close()
        finally:
            with translated(self._path):
                self._writer.close()
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self) -> sqlite3.Connection:
        return open_to_write(self._path, self._patience, self._pragmas, self._fail)

    def _write(self, group: Sequence[Queued]) -> None:
        runs = {run for run, _, _ in group}
        with translated(self._path, resumable=not runs.isdisjoint(self._kept)):
            self._writer.write(group)
        self._kept |= runs

    def _read(self) -> Reader | None:
        """What reads this store, own events included; None while there is no store."""
        if self._group.pending:
            self.flush()
        if self._reader is None:
            with translated(self._path):
                db = open_to_read(self._path, self._patience, self._fail)
            self._reader = Reader(db, self._path) if db else None
        return self._reader

    def _find(self, run: str) -> tuple[Reader, int, int]:
        """What reads a run, the number it is kept by, and that of its last event."""
        reader = self._read()
        found = reader and reader.query(
            "SELECT id, last FROM run_ids JOIN run_index USING (id) WHERE run = ?", shown(run)
        )
        if not reader or not found:
            raise StoreError(f"there is no run {shown(run)} in the store {self.place}")
        number, last = found[0]
        if not isinstance(last, int):
            raise damaged(self._path, f"run {shown(run)} has no last event")
        self._kept.add(run)
        return reader, number, last


def build(arg: str) -> SqliteStore:
    """The store in that file. Raises UsageError where it can be no file's name."""
    return SqliteStore(arg)
