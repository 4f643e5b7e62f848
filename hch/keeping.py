"""What is kept of runs, and where: the rows that list them, their events, their replies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hch.events import Event, Record
from hch.labels import Label
from hch.outline import Outline
from hch.types import Completion


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the index lists it. `status` is the first root's, or `unfinished` or `running`.

    `started` is in Unix seconds, `seconds` the time between its first and last event. `imported` is
    whether it was brought here: what it says of servers and files is not its owner's word.
    """

    run: str
    started: float
    question: str
    players: tuple[str, ...]
    roots: int
    status: str
    nodes: int
    calls: int
    tokens: int
    microusd: int
    seconds: float
    imported: bool = False


class Store(Protocol):
    """Where runs are kept: an append-only list of events for each, and an index that is derived.

    Every method but `durable` is plain; all raise StoreError. `append` may be called from one
    event loop at a time; reading is possible meanwhile, from this process and from others.
    """

    place: str

    def append(self, run: str, at: float, event: Event) -> None:
        """Queue an event, in order; it is durable with the next `durable`."""
        ...

    async def durable(self) -> None:
        """Wait until all appended so far is durable; one group commit serves all who wait."""
        ...

    def flush(self) -> None:
        """Make everything appended so far durable before returning."""
        ...

    def events(self, run: str, *types: str, after: int = 0) -> Iterator[Record]:
        """A run's events after number `after`, in order, all or of these types.

        Raises StoreError for an unknown run.
        """
        ...

    def picked(self, run: str, numbers: Iterable[int]) -> Iterator[Record]:
        """A run's events of these numbers, in their order, each once."""
        ...

    def outline(self, run: str) -> Outline:
        """A run's tree without its texts, as of its last event."""
        ...

    def last(self, run: str) -> int:
        """The number of a run's last event. Raises StoreError for an unknown run."""
        ...

    def runs(self) -> list[RunRow]:
        """Every run, newest first."""
        ...

    def remove(self, runs: Iterable[str]) -> None:
        """Delete runs and what only they used. Refused while one is alive."""
        ...

    def live(self, run: str) -> AbstractContextManager[None]:
        """Hold the lock that marks a run as alive. Raises StoreError if another holds it."""
        ...

    def bring(self, run: str, records: Iterable[Record], labels: Iterable[Label] = ()) -> None:
        """Keep a whole run that comes from elsewhere, its times and all: wholly, or nothing of it.

        It is listed as imported from then on; `labels` are read when `records` have ended. Raises
        StoreError where there is a run of that id, and whatever `records` and `labels` raise.
        """
        ...

    def label(self, run: str, labels: Iterable[Label]) -> None:
        """Keep labels beside a run, durably: all of them, or, where one cannot be made, none.

        The run may be alive meanwhile. Raises StoreError for an unknown run.
        """
        ...

    def labels(self, run: str, keys: Iterable[str] | None = None) -> list[Label]:
        """The labels of a run, or of its nodes with these keys, in the order they were given in."""
        ...

    def shelve(self, texts: Mapping[str, str | None]) -> None:
        """Keep texts by name beside the runs, or drop those that are None: all of it, durably.

        What was there under such a name is gone. A name is at most 200 characters.
        """
        ...

    def shelved(self, name: str) -> str | None:
        """The text of that name, None where there is none."""
        ...

    def shelf(self, prefix: str = "") -> list[str]:
        """The names that begin so, sorted."""
        ...

    def backup(self, to: Path) -> None:
        """Copy all that is kept into a new file, also while runs are written.

        Raises UsageError where there is such a file, StoreError where it cannot be made.
        """
        ...

    def vacuum(self) -> tuple[int, int]:
        """Give the room of removed runs back to the disk; the bytes taken before and after."""
        ...

    def check(self, *, deep: bool = False) -> list[str]:
        """What is wrong with what is kept, in lines; empty where all is well. Changes nothing.

        `deep` reads every event, and makes sure that all hangs together.
        """
        ...

    def close(self) -> None:
        """Make all durable and let go of the file."""
        ...


class ReplyCache(Protocol):
    """Replies kept across runs, by a request's key: whole ones only, no refusals, no failures."""

    def find(self, key: str) -> Completion | None:
        """The reply to the request of that key, if there is one that is not too old."""
        ...

    def keep(self, key: str, model: str, completion: Completion) -> None:
        """Keep a reply of that model, where it is one to keep; soon durable."""
        ...

    def close(self) -> None:
        """Make all durable, and drop the oldest beyond the limits."""
        ...
