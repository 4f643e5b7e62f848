"""Runs kept in memory, for tests and for trees that nobody wants to see again: `memory`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hch.errors import StoreError, UsageError
from hch.events import Event, Record
from hch.keeping import RunRow
from hch.labels import Label
from hch.outline import Outline
from hch.stores._index import Tally
from hch.stores._shelf import checked


class MemoryStore:
    """A `hch.keeping.Store` that lasts as long as the object; whatever it has is durable."""

    place = "memory"

    def __init__(self) -> None:
        self._records: dict[str, list[Record]] = {}
        self._tallies: dict[str, Tally] = {}
        self._live: set[str] = set()
        self._imported: set[str] = set()
        self._shelf: dict[str, str] = {}
        self._labels: dict[str, list[Label]] = {}

    def append(self, run: str, at: float, event: Event) -> None:
        if run not in self._tallies:
            self._tallies[run] = Tally(run)
            self._records[run] = []
        seq = self._tallies[run].add(at, event)
        self._records[run].append(Record(run=run, seq=seq, at=at, event=event))

    async def durable(self) -> None:
        pass

    def flush(self) -> None:
        pass

    def events(self, run: str, *types: str, after: int = 0) -> Iterator[Record]:
        """Those appended while it is read come too late for this reader."""
        records = self._find(run)[after:]
        return (record for record in records if not types or record.event.type in types)

    def picked(self, run: str, numbers: Iterable[int]) -> Iterator[Record]:
        records = self._find(run)
        return (records[number - 1] for number in sorted(set(numbers)))

    def outline(self, run: str) -> Outline:
        self._find(run)
        return self._tallies[run].tree.settled()

    def last(self, run: str) -> int:
        return len(self._find(run))

    def runs(self) -> list[RunRow]:
        rows = [tally.row() for tally in reversed(self._tallies.values())]
        return sorted(map(self._seen, rows), key=lambda row: row.started, reverse=True)

    def remove(self, runs: Iterable[str]) -> None:
        wanted = list(runs)
        for run in wanted:
            self._find(run)
            self._refuse_live(run)
        for run in wanted:
            self._records.pop(run, None)
            self._tallies.pop(run, None)
            self._imported.discard(run)
            self._labels.pop(run, None)

    @contextmanager
    def live(self, run: str) -> Iterator[None]:
        self._refuse_live(run)
        self._live.add(run)
        try:
            yield
        finally:
            self._live.discard(run)

    def bring(self, run: str, records: Iterable[Record], labels: Iterable[Label] = ()) -> None:
        if run in self._tallies:
            raise StoreError(f"there is a run {run} already in memory")
        with self.live(run):
            tally = Tally(run)
            kept = [
                record.model_copy(update={"run": run, "seq": tally.add(record.at, record.event)})
                for record in records
            ]
            said = list(labels)
        if not kept:
            raise StoreError(f"run {run} has no events: there is nothing to import")
        self._tallies[run], self._records[run] = tally, kept
        self._imported.add(run)
        self._labels[run] = said

    def label(self, run: str, labels: Iterable[Label]) -> None:
        self._find(run)
        more = list(labels)
        self._labels.setdefault(run, []).extend(more)

    def labels(self, run: str, keys: Iterable[str] | None = None) -> list[Label]:
        self._find(run)
        said = self._labels.get(run, [])
        if keys is None:
            return said[:]
        wanted = set(keys)
        return [label for label in said if label.key in wanted]

    def shelve(self, texts: Mapping[str, str | None]) -> None:
        after = {**self._shelf, **{checked(name): text for name, text in texts.items()}}
        self._shelf = {name: text for name, text in after.items() if text is not None}

    def shelved(self, name: str) -> str | None:
        return self._shelf.get(checked(name))

    def shelf(self, prefix: str = "") -> list[str]:
        return sorted(name for name in self._shelf if name.startswith(prefix))

    def backup(self, to: Path) -> None:
        raise UsageError(
            "a store in memory has no file to back up: keep runs in one, as in --store runs.db"
        )

    def vacuum(self) -> tuple[int, int]:
        if self._live:
            raise StoreError(f"run {min(self._live)} is alive: try again when that has ended")
        return 0, 0

    def check(self, *, deep: bool = False) -> list[str]:
        return []

    def close(self) -> None:
        pass

    def _find(self, run: str) -> list[Record]:
        if run not in self._records:
            raise StoreError(f"there is no run {run} in memory")
        return self._records[run]

    def _refuse_live(self, run: str) -> None:
        if run in self._live:
            raise StoreError(f"run {run} is in use by this process: wait until that has ended")

    def _seen(self, row: RunRow) -> RunRow:
        alive = row.status == "unfinished" and row.run in self._live
        return replace(
            row,
            status="running" if alive else row.status,
            imported=row.run in self._imported,
        )


def build() -> MemoryStore:
    return MemoryStore()
