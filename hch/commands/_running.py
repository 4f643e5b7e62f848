"""Runs a run for a command: its progress, its signals, and how to go on with it when it stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from shlex import join

import typer

from hch.budget import Price
from hch.commands._progress import Progress
from hch.commands._terminal import mutter, tell
from hch.commands._words import budget
from hch.errors import BillExhausted, HchError
from hch.run import Result, Run
from hch.trace import Trace

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Place:
    """The store that a command was told to use; None where none was named."""

    named: str | None

    def command(self, *words: str) -> str:
        """An `hch` command line, for a shell, that uses the same store."""
        store = ("--store", self.named) if self.named else ()
        return join(("hch", *words, *store))


@dataclass(frozen=True, slots=True)
class Finished:
    """A run's results, one for each root, and the seconds that this process worked on it."""

    results: list[Result]
    seconds: float
    place: Place


def complete(run: Run, place: Place, *, quiet: bool) -> Finished:
    """Go on with a run to its end, watched.

    Where it stops before that, it is said why and how to go on, and the command ends: with the
    error's exit code, with 130 after Ctrl-C, with 143 after SIGTERM.
    """
    progress = Progress(quiet=quiet)
    run.watch = progress.watch
    stop = Stop(f"hch: go on with: {place.command('resume', run.id)}\n")
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            results = runner.run(_finish(run, progress, stop))
    except HchError as error:
        if not progress.begun:
            raise
        tell(str(error))
        tell(f"go on with: {place.command('resume', run.id, *_more(run, error))}")
        raise typer.Exit(error.exit_code) from None
    except BaseException as error:
        if progress.begun:
            mutter(stop.line)
        if stop.caught is None or not isinstance(error, asyncio.CancelledError):
            raise
        raise typer.Exit(128 + stop.caught) from None
    return Finished(results, progress.elapsed, place)


class Stop:
    """Turns the first signal into the cancelling of a task, which then commits and closes nodes.

    A second signal ends the process at once; `line` says how to go on.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self.caught: signal.Signals | None = None

    def listen(self, task: asyncio.Task[list[Result]]) -> None:
        """For the first signal, from inside the task's running loop."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, partial(self._first, number, task))

    def leave(self) -> None:
        """Listen no more, unless it is for the second signal."""
        if self.caught is None:
            loop = asyncio.get_running_loop()
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _first(self, number: signal.Signals, task: asyncio.Task[list[Result]]) -> None:
        self.leave()
        self.caught = number
        for again in SIGNALS:
            signal.signal(again, self._second)
        task.cancel()

    def _second(self, number: int, _frame: object) -> None:
        mutter(f"\n{self.line}")
        os._exit(128 + number)


async def _finish(run: Run, progress: Progress, stop: Stop) -> list[Result]:
    task = asyncio.current_task()
    assert task is not None
    stop.listen(task)
    progress.start()
    try:
        return await run.finish()
    finally:
        progress.stop()
        stop.leave()


def _more(run: Run, error: HchError) -> tuple[str, ...]:
    """What a resume must be told so that it does not end like this again: a larger cap."""
    if not isinstance(error, BillExhausted) or not budget(run.cap):
        return ()
    bill = Trace(run.store.events(run.id)).bill
    most = Price(*map(max, run.cap.amounts(), bill.amounts()))
    return "--budget", budget(most.map(lambda n: 2 * n))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop  # type: ignore[no-any-return]
