"""An app that gives its terminal back however it ends: left, broken, stopped by a signal, or lost.

    code = Browser(…).leave()

What went wrong inside comes out as itself once the screen is gone. A signal leaves in order, a
second one at once; nothing waits for a terminal that is not there any more.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from types import FrameType
from typing import Any, ClassVar

from rich.console import RenderableType
from textual.app import App
from textual.binding import Binding, BindingType
from textual.worker import WorkerFailed

from hch.environment import forget, variable

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that leave; the exit code is 128 and the signal's number."""

LOST = 128 + signal.SIGHUP
"""The exit code where the terminal is gone."""

RESTORED = (
    "\x18\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"
    "\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""What takes back all that Textual asks of a terminal, wherever a write to it was interrupted."""


class Leaving(App[None]):
    """Ctrl-C quits, and Ctrl-Z stops as a shell expects it.

    Under NO_COLOR the terminal's own colours are asked for, of which Textual then leaves none;
    else it would be greys.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "quit", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", "stop, and go back to the shell", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        super().__init__(ansi_color=True if variable("NO_COLOR") else None, **options)
        self._terminal: Terminal | None = None
        self._ended_by = 0
        self._lent = self._stopping = False
        self._drivers: dict[int, Any] = {}

    def leave(self) -> int:
        """Run in the terminal until it is left; the exit code. Raises what went wrong inside."""
        forget("COLUMNS", "LINES")  # they would stand for a terminal's size, whatever becomes of it
        self._terminal = Terminal(sys.__stdin__.fileno() if sys.__stdin__ else 0)
        with self._terminal.signals(dict.fromkeys(ENDING, self._ends)):
            self._terminal.watch()
            self.run()
        if isinstance(error := self._exception, WorkerFailed):
            raise error.error
        if error:
            raise error
        return self.return_code or 0

    def on_mount(self) -> None:
        """Put ourselves before the driver, which handles some signals since it was made."""
        if self._terminal:
            for number, handler in (signal.SIGTSTP, self._stops), (signal.SIGCONT, self._continues):
                self._drivers[number] = signal.signal(number, handler)

    @contextmanager
    def suspend(self) -> Iterator[None]:
        self._lent = True
        try:
            with super().suspend():
                yield
        finally:
            self._lent = False

    def action_suspend_process(self) -> None:
        if self._terminal is None or os.getpgrp() == os.getsid(0):
            self.notify("there is no shell to go back to", severity="warning", markup=False)
            return
        self._stopping = True
        os.killpg(os.getpgrp(), signal.SIGTSTP)

    def panic(self, *renderables: RenderableType) -> None:
        """End without a word: the keyboard cannot be read, or `leave` raises what was wrong."""
        if self._exception is None:
            self._return_code = LOST
        self._close_messages_no_wait()

    def _fatal_error(self) -> None:
        self._close_messages_no_wait()

    def _ends(self, number: int, _: FrameType | None) -> None:
        """Leave in order; at once where that was asked for before, or would wait for nobody."""
        assert self._terminal is not None
        if self._ended_by or self._loop is None or self._terminal.gone:
            self._terminal.restore()
            os._exit(128 + number)
        self._ended_by = number
        self._soon(lambda: self.exit(return_code=128 + number))

    def _stops(self, number: int, frame: FrameType | None) -> None:
        """Stop where the screen was given back; else do that first, where no write is under way."""
        if self._lent or self._stopping:
            self._drivers[number](number, frame)
        else:
            self._soon(self.action_suspend_process)

    def _continues(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:
            self._stopping = False
            self._drivers[number](number, frame)
            self._soon(lambda: self.refresh(layout=True))
        elif not self._lent:
            self._soon(self._take_back)

    def _take_back(self) -> None:
        """Go on after a stop that left no time to give the terminal back."""
        if self._driver is not None and not self._lent:
            self._driver.suspend_application_mode()
            self._driver.resume_application_mode()
            self.refresh(layout=True)

    def _soon(self, act: Any) -> None:
        if isinstance(self._loop, asyncio.AbstractEventLoop):
            self._loop.call_soon_threadsafe(act)


class Terminal:
    """The terminal as it was before."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before = termios.tcgetattr(descriptor)

    @property
    def gone(self) -> bool:
        """Whether nobody is there any more."""
        try:
            termios.tcgetattr(self._descriptor)
        except termios.error:
            return True
        return False

    def restore(self) -> None:
        """Make it as it was, from wherever the process just is, and without waiting."""
        with suppress(termios.error, OSError):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
            if select.select((), (self._descriptor,), (), 0)[1]:
                os.write(self._descriptor, RESTORED.encode())

    def watch(self) -> None:
        """Hang up when it goes, also where it does not control this process."""
        Thread(target=self._wait, name="terminal", daemon=True).start()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, 0)
        if any(event & select.POLLHUP for _, event in poll.poll()):
            os.kill(os.getpid(), signal.SIGHUP)

    @contextmanager
    def signals(self, handlers: dict[signal.Signals, Any]) -> Iterator[None]:
        """Handle these signals meanwhile."""
        before = {number: signal.signal(number, handlers[number]) for number in handlers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
