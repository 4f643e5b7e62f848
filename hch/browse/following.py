"""Follows a run that is being written, by this process or another: looks for news now and then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from time import monotonic

from hch.browse.book import Book
from hch.errors import StoreError
from hch.keeping import RunRow
from hch.outline import Outline

PAUSE = 0.5
"""Seconds between two looks, at the least."""

SHARE = 4
"""A look may take this part of the time between two."""

GOING_ON = {"running", "unfinished"}
"""The statuses of a run that may be written."""


class Following:
    """Whether a run is followed, and when to look again; `on` at first where it is running."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.on = self.running
        self.pause = PAUSE
        self._left = Event()

    @property
    def running(self) -> bool:
        """Whether somebody writes it, as far as is known."""
        return self.book.row.status == "running"

    def look(self) -> tuple[Outline | None, RunRow]:
        """The outline with what is new, None where nothing is, and how the run stands.

        In any thread. Raises StoreError.
        """
        rows = self.book.store.runs()
        row = next((row for row in rows if row.run == self.book.run), None)
        if row is None:
            raise StoreError(f"run {self.book.run} is no longer in {self.book.store.place}")
        return self.book.news(), row

    def take(self, outline: Outline | None, row: RunRow) -> None:
        """What `look` found is what is shown from now on."""
        if outline is not None:
            self.book.outline = outline
        self.book.row = row
        self.on = self.on and row.status in GOING_ON

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Have the next look wait by how long this one takes."""
        before = monotonic()
        try:
            yield
        finally:
            self.pause = max(PAUSE, SHARE * (monotonic() - before))

    def waited(self, last: int) -> bool:
        """Wait for an outline of events after that number; False where there will be none."""
        while True:
            ended = self.book.row.status not in GOING_ON  # it is taken after the outline
            if self.book.outline.last != last:
                return not self.left
            if ended or self._left.wait(PAUSE):
                return False

    @property
    def left(self) -> bool:
        """Whether nobody looks any more."""
        return self._left.is_set()

    def leave(self) -> None:
        """Nobody looks any more."""
        self._left.set()
