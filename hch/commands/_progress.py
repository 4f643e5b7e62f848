"""What a run is doing, in one line on stderr; its events are counted, the event loop draws."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from time import perf_counter

from hch.commands._terminal import columns, is_drawn_on, mutter, tell
from hch.commands._words import count, listed, seconds, tokens
from hch.events import (
    CallFailed,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    RootOpened,
)

REDRAWN = 0.1
"""Seconds between two drawings in place."""

REPEATED = 5.0
"""Seconds between two lines where stderr is no terminal."""


class Progress:
    """Watches one run. `begun` says that the run is in the store, so that it can be resumed.

    `notes` are told when it has begun.
    """

    def __init__(self, *, quiet: bool, notes: Sequence[str] = ()) -> None:
        self.begun = False
        self.started = perf_counter()
        self._quiet = quiet
        self._notes = () if quiet else notes
        self._in_place = is_drawn_on(sys.stderr)
        self._drawn = 0
        self._next: asyncio.TimerHandle | None = None
        self._nodes = self._closed = self._sent = self._failed = self._done = self._tokens = 0

    def watch(self, event: Event) -> None:
        """Count one event; cheap, since every event of a run comes here."""
        match event:
            case NodeOpened():
                self._nodes += 1
            case NodeClosed():
                self._closed += 1
            case CallIntended():
                self._sent += 1
            case CallFinished(usage=usage):
                self._done += 1
                self._tokens += usage[0] + usage[1]
            case CallFailed():
                self._failed += 1
            case RootOpened():
                self._begin()

    @property
    def elapsed(self) -> float:
        return perf_counter() - self.started

    def start(self) -> None:
        """Draw from now on, by the running loop."""
        if not self._quiet:
            wait = REDRAWN if self._in_place else REPEATED
            self._next = asyncio.get_running_loop().call_later(wait, self._draw)

    def stop(self) -> None:
        """Draw no more, and take the line away."""
        if self._next is not None:
            self._next.cancel()
        if self._drawn:
            mutter(f"\r{' ' * self._drawn}\r")
            self._drawn = 0

    def line(self) -> str:
        flying = self._sent - self._done - self._failed
        return listed(
            (
                count(self._nodes, "node"),
                f"{self._nodes - self._closed} open",
                count(self._sent, "call"),
                f"{flying} in flight" if flying else "",
                f"{self._failed} failed" if self._failed else "",
                tokens(self._tokens),
                seconds(self.elapsed),
            )
        )

    def _begin(self) -> None:
        self.begun = True
        for note in self._notes:
            tell(note)
        self._notes = ()

    def _draw(self) -> None:
        if self._in_place:
            line = self.line()[: columns(sys.stderr, 80) - 1]
            mutter(f"\r{line:{self._drawn}}")
            self._drawn = len(line)
        else:
            mutter(f"hch: {self.line()}\n")
        self.start()
