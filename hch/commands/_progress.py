"""What a run is doing, on stderr: the live tree on a terminal, else a line now and then.

The live tree is on the terminal's other screen, so that nothing of it is left behind. The event
loop draws, seldom enough that it takes a small part of one core, however large the screen.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, TextIO, cast

from hch.commands._growth import Growth
from hch.commands._terminal import Narration, is_drawn_on, mutter, size, takes_more, tell
from hch.commands._waiting import Waiting, totals
from hch.events import Event, RootOpened
from hch.run import Run
from hch.words import listed, seconds

if TYPE_CHECKING:
    from rich.live import Live

    from hch.commands._evaluating import Gauge
    from hch.commands._live import LiveTree

FIRST = 0.4
"""Seconds before the first drawing, so that a quick run draws nothing."""

REDRAWN = 0.1
"""Seconds between two drawings, at the least."""

REST = 40
"""Between two drawings there is at least so many times what the last one took."""

REPEATED = 5.0
"""Seconds between two lines where stderr is no terminal."""


class Progress:
    """Watches one run. `begun` says that the run is in the store, so that it can be resumed.

    `notes` are told when it has begun. Without `texts` nothing of what is asked and answered is
    shown, for a person who plays a copy.
    """

    def __init__(
        self,
        *,
        quiet: bool,
        notes: Sequence[str] = (),
        run: Run | None = None,
        texts: bool = True,
    ) -> None:
        self.begun = False
        self.started = perf_counter()
        models = run.setup.models.values() if run else ()
        self.growth = Growth(people={model.name for model in models if model.by_hand})
        if run is not None and run.resumed and not quiet:
            self.growth.remember(run.resumed.past)
        self._gauge: Gauge | None = None
        if run is not None and run.plan.examination and not quiet:
            from hch.commands._evaluating import Gauge

            self._gauge = Gauge(run, self.growth)
        self._run = run
        self._texts = texts
        self._quiet = quiet
        self._notes = () if quiet else notes
        self._in_place = is_drawn_on(sys.stderr)
        self._screen: _Screen | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._next: asyncio.TimerHandle | None = None
        self._asides = 0

    def watch(self, event: Event) -> None:
        """Take one event; cheap, since every event of a run comes here."""
        self.growth.take(event)
        if self._gauge is not None:
            self._gauge.take(event)
        if not self.begun and isinstance(event, RootOpened):
            self._begin()

    @property
    def elapsed(self) -> float:
        return perf_counter() - self.started

    @property
    def restoring(self) -> str:
        """What brings the terminal back at once; empty where it is as it was."""
        return "\x1b[?25h\x1b[?1049l" if self._screen is not None and self._screen.shown else ""

    def place(self, key: str) -> str:
        """The provisional id of an open node, such as `0.2.1`; empty for any other."""
        return self.growth.place(key)

    def start(self) -> None:
        """Draw from now on, by the running loop."""
        if self._quiet:
            return
        self._loop = asyncio.get_running_loop()
        if self._in_place and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._wait(FIRST if self._in_place else REPEATED)

    def stop(self) -> None:
        """Draw no more, and bring back the screen as it was."""
        self._hide()
        if self._loop is not None:
            self._loop.remove_signal_handler(signal.SIGTSTP)
            self._loop = None

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Draw nothing in the meantime, while a person types at the terminal; can be nested."""
        self._asides += 1
        self._hide()
        try:
            yield
        finally:
            self._asides -= 1
            if self._loop is not None and not self._asides:
                self._wait(FIRST if self._in_place else REPEATED)

    def line(self) -> str:
        """What there is so far, and what it waits for."""
        answers = self._gauge.line() if self._gauge else ""
        so_far = (answers, *totals(self.growth, self._run), seconds(self.elapsed))
        return listed((*so_far, *Waiting(self.growth, self._run).in_all(monotonic())))

    def _begin(self) -> None:
        self.begun = True
        for note in self._notes:
            tell(note)
        self._notes = ()

    def _wait(self, rest: float) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._loop is not None:
            self._next = self._loop.call_later(rest, self._draw)

    def _hide(self) -> None:
        if self._next is not None:
            self._next.cancel()
        if self._screen is not None:
            self._screen.hide()

    def _draw(self) -> None:
        if not self._in_place:
            mutter(f"hch: {self.line()}\n")
            self._wait(REPEATED)
            return
        rest = REDRAWN
        if self.begun and takes_more(sys.stderr):
            if self._screen is None:
                self._screen = _Screen(self._drawn())
            began = perf_counter()
            self._screen.draw(self.elapsed)
            rest = max(REDRAWN, REST * (perf_counter() - began))
        self._wait(rest)

    def _drawn(self) -> LiveTree:
        from hch.commands._live import LiveTree

        encoding = Narration().encoding
        if self._gauge is not None and self._run is not None:
            from hch.commands._evaluating import LiveRows

            return LiveRows(self._gauge, self.growth, self._run, encoding=encoding)
        return LiveTree(self.growth, self._run, texts=self._texts, encoding=encoding)

    def _suspend(self) -> None:
        """Ctrl-Z: leave the shell its own screen; the next drawing in front takes it again."""
        if self._screen is not None:
            self._screen.hide()
        os.kill(os.getpid(), signal.SIGSTOP)


class _Screen:
    """The terminal's other screen, and the live tree on it; what draws is imported for it alone."""

    def __init__(self, tree: LiveTree) -> None:
        from rich.console import Console

        self._tree = tree
        self._console = Console(
            file=cast(TextIO, Narration()),
            force_terminal=True,
            force_interactive=True,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._live: Live | None = None

    @property
    def shown(self) -> bool:
        return self._live is not None

    def draw(self, elapsed: float) -> None:
        from rich.console import Group
        from rich.live import Live

        width, height = size(sys.stderr)
        self._console.size = (width, height)
        if self._live is None:
            self._live = Live(
                console=self._console,
                screen=True,
                auto_refresh=False,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        lines = self._tree.lines(width, height, elapsed, monotonic())
        self._live.update(Group(*lines), refresh=True)

    def hide(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
