"""Looks into a store after each kill, and remembers: what must stay, and what must not be sent."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hch.budget import Price
from hch.events import CallFailed, CallFinished, CallIntended, Record, RunResumed, RunStarted
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.chaos.provider import Provider, Thought, about
from tests.promises import Promise


class Witness:
    """Of one run, from before it began; `run` is its id, once it is in the store.

    It counts its looks where there is a promise to count them for.
    """

    def __init__(self, provider: Provider, rng: Random, promise: Promise | None = None) -> None:
        self.run: str | None = None
        self._provider, self._rng, self._promise = provider, rng, promise
        self._finished: dict[str, CallFinished] = {}
        self._settled: dict[Thought, int] = {}
        self._in_flight: set[tuple[str, int]] = set()

    def look(self, path: Path, *, killed: bool = True) -> None:
        """At what a command left, every other time at a copy, so that nobody has read it before.

        That is a try where it was killed. Raises AssertionError for a promise that is broken.
        """
        with self._kept("I13", killed), as_left(path, copied=self._rng.random() < 0.5) as seen:
            records = readable(seen)
        if records:
            self.run = records[0].run
        thoughts = {
            record.event.request: (about(record.event.question), record.event.form is not None)
            for record in records
            if isinstance(record.event, CallIntended)
        }
        finished = [r.event for r in records if isinstance(r.event, CallFinished)]
        with self._kept("I1", killed):
            self._check_kept(finished, thoughts)
        with self._kept("I2", killed):
            self._check_sent(records, {thoughts[event.request] for event in finished})
        with self._kept("I4", killed):
            check_cap(records)

    def _kept(self, name: str, killed: bool) -> AbstractContextManager[None]:
        return self._promise.kept(name, tries=int(killed)) if self._promise else nullcontext()

    def _check_kept(self, finished: list[CallFinished], thoughts: dict[str, Thought]) -> None:
        """All that was seen is there as it was, as is all that whoever asked has made use of."""
        by_request = {event.request: event for event in finished}
        assert len(by_request) == len(finished), "a request has two results"
        for request, event in self._finished.items():
            assert by_request.get(request) == event
        for event in finished:
            sent = self._provider.replies[thoughts[event.request]]
            assert json.loads(event.raw)["id"] in sent
        there = {thoughts[event.request] for event in finished}
        assert self._provider.known() <= there
        self._finished = by_request

    def _check_sent(self, records: Iterable[Record], there: set[Thought]) -> None:
        """What had a result when it was looked at last has not been sent since."""
        for thought, times in self._settled.items():
            assert self._provider.sent[thought] == times, f"{thought} was sent again"
        self._settled = {thought: self._provider.sent[thought] for thought in there}
        self._in_flight |= unknown(records)

    def check_end(self, trace: Trace, listed: dict[str, Any]) -> None:
        """Each call was sent once, and once more for each attempt that failed or was killed.

        `listed` is what the command says of calls of unknown outcome.
        """
        killed = Counter(request for request, _ in self._in_flight)
        assert listed["calls"] == killed.total()
        assert set(listed["requests"]) == set(killed)
        for call in trace.calls.values():
            thought = about(call.intents[0].question), call.intents[0].form is not None
            sent, ended = self._provider.sent[thought], len(call.ends)
            assert len(call.intents) == ended + killed[call.request]
            assert ended <= sent <= ended + killed[call.request]
            assert len(self._provider.bodies[thought]) == 1
            assert sum(isinstance(end, CallFinished) for end in call.ends) == 1
        assert len(self._provider.sent) == len(trace.calls)


@contextmanager
def as_left(path: Path, *, copied: bool) -> Iterator[Path]:
    """A store's file, or a copy of all that belongs to it."""
    if not copied:
        yield path
        return
    with TemporaryDirectory() as folder:
        for part in path.parent.glob(f"{path.name}*"):
            if part.is_file():
                shutil.copy(part, folder)
        yield Path(folder, path.name)


def readable(path: Path) -> list[Record]:
    """The events of the one run, if it is there yet, of a store that passes its check."""
    with closing(SqliteStore(path)) as store:
        assert store.check() == []
        runs = store.runs()
        records = list(store.events(runs[0].run)) if runs else []
    assert len(runs) <= 1
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    return records


def unknown(records: Iterable[Record]) -> set[tuple[str, int]]:
    """The attempts that have no end."""
    found: set[tuple[str, int]] = set()
    for record in records:
        match record.event:
            case CallIntended() as event:
                found.add((event.request, event.attempt))
            case CallFinished() | CallFailed() as event:
                found.discard((event.request, event.attempt))
    return found


def check_cap(records: Iterable[Record]) -> None:
    """At no event is more spent, and at its worst under way, than the cap allows."""
    cap, spent, open_ = Price(), Price(), dict[tuple[str, int], Price]()
    under_way = Price()
    for record in records:
        match record.event:
            case RunStarted() | RunResumed() as event:
                cap = event.cap.price()
            case CallIntended() as event:
                open_[event.request, event.attempt] = event.worst.price()
                under_way += event.worst.price()
            case CallFinished() | CallFailed() as event:
                spent += event.price.price()
                under_way -= open_.pop((event.request, event.attempt))
        assert cap.covers(spent + under_way), f"{spent} and {under_way} at {record.seq}"


def rows(path: Path) -> list[Any]:
    """All that a store has of events, replies and texts."""
    with closing(sqlite3.connect(path)) as db:
        tables = ("event_log", "replies", "texts")
        return [db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]
