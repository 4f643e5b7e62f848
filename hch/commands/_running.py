"""Runs a run for a command: its progress, its signals, and how to go on with it when it stopped."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from shlex import quote
from string import ascii_letters, digits
from typing import Any, Self

import typer

from hch.commands._budgets import to_go_on, to_pay_again
from hch.commands._person import PersonAtTerminal
from hch.commands._progress import Progress
from hch.commands._terminal import last_words, mutter, tell
from hch.errors import BillExhausted, HchError
from hch.keeping import Store
from hch.recording import Recording
from hch.run import Result, Run
from hch.safe_text import one_line

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


SPARE_FILES = 100
"""Files that a run has open beside a connection for each call in flight."""


@dataclass(frozen=True, slots=True)
class Place:
    """The store that a command was told to use; None where none was named.

    What is kept in one that is not `lasting` is gone when the command ends.
    """

    named: str | None
    lasting: bool = True

    @classmethod
    def of(cls, named: str | None, store: Store) -> Place:
        return cls(named, store.place != "memory")

    def command(self, *words: str) -> str:
        """An `hch` command line, for a shell, that uses the same store; empty if none can."""
        if not self.lasting:
            return ""
        store = ("--store", self.named) if self.named else ()
        return " ".join(map(_quoted, ("hch", *words, *store)))


_PLAIN = f"{ascii_letters}{digits}-_./,:=@".encode()


def _quoted(word: str) -> str:
    """A word for a shell, such that it still is that word when it was made one safe line."""
    plain = quote(word)
    if one_line(plain) == plain:
        return plain
    said = word.encode("utf-8", "surrogateescape")
    return "$'" + "".join(chr(b) if b in _PLAIN else f"\\x{b:02x}" for b in said) + "'"


@dataclass(frozen=True, slots=True)
class Finished:
    """A run's results, one for each root, and the seconds that this process worked on it.

    There are none of trees that were generated: only the store has these.
    """

    results: list[Result]
    seconds: float
    place: Place


def complete(
    run: Run,
    place: Place,
    *,
    quiet: bool,
    notes: Sequence[str] = (),
    person: PersonAtTerminal | None = None,
    again: Sequence[str] = (),
) -> Finished:
    """Go on with a run to its end, watched; `notes` are told when it has begun.

    `again` are flags that the next resume wants too.

    Where it stops before that, it is said why and how to go on, and the command ends: with the
    error's exit code, with 128 and the signal's number after SIGINT (Ctrl-C),
    SIGTERM and SIGHUP. How to go on is not said where nothing is kept of the run. A `person` who
    plays sees nothing of what the others are asked.
    """
    _allow_files(run.setup.calling.concurrency + SPARE_FILES)
    by_hand = any(model.by_hand for model in run.setup.models.values())
    progress = Progress(quiet=quiet, notes=notes, run=run, texts=not by_hand)
    if person is not None and by_hand:
        person.sits_at(run, progress)
    run.watch = progress.watch
    resume = partial(place.command, "resume", run.id, *again)
    stop = Stop(resume, run, progress, person)
    try:
        with stop, asyncio.Runner(loop_factory=loop_factory()) as runner:
            results = runner.run(_finish(run, progress, stop))
    except HchError as error:
        if not progress.begun:
            raise
        tell(str(error))
        short = isinstance(error, BillExhausted)
        more = to_go_on(Recording(partial(run.store.events, run.id))) if short else ()
        if line := resume(*(more or to_pay_again(run.bill))):
            tell(f"go on with: {line}")
        raise typer.Exit(error.exit_code) from None
    except BaseException as error:
        stop.say(kept=progress.begun or _is_kept(run))
        if stop.caught is None or not isinstance(error, asyncio.CancelledError):
            raise
        raise typer.Exit(128 + stop.caught) from None
    return Finished(results, progress.elapsed, place)


class Stop:
    """Turns the first signal into the cancelling of a task, which then commits and closes nodes.

    A second signal ends the process at once, the terminal as it was; `resume` is the command that
    goes on. As a context manager it hears signals, and raises CancelledError at the end where one
    came when there was no task to cancel. Its handlers are Python's, which a loop that is held up
    does not stop.
    """

    def __init__(
        self,
        resume: Callable[..., str],
        run: Run,
        progress: Progress,
        person: PersonAtTerminal | None,
    ) -> None:
        self.caught: signal.Signals | None = None
        self._resume = resume
        self._run = run
        self._progress = progress
        self._person = person
        self._cancel: Callable[[], object] | None = None
        self._before: dict[signal.Signals, Any] = {}
        self._said = False

    def __enter__(self) -> Self:
        for number in SIGNALS:
            if (handler := signal.getsignal(number)) is not signal.SIG_IGN:  # as nohup has it
                self._before[number] = handler
                signal.signal(number, self._first)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self.caught is None:
            for number, handler in self._before.items():
                signal.signal(number, handler)
        elif kind is None:
            raise asyncio.CancelledError

    @contextmanager
    def cancelling(self, task: asyncio.Task[list[Result]]) -> Iterator[None]:
        """Cancel this task, from inside whose loop this is called, at the first signal."""
        loop = asyncio.get_running_loop()
        self._cancel = partial(loop.call_soon_threadsafe, task.cancel)
        if self.caught is not None:
            raise asyncio.CancelledError
        try:
            yield
        finally:
            self._cancel = None

    def say(self, *, kept: bool) -> None:
        """Which signal it was, if it was one, and how to go on, if something is `kept`."""
        mutter(self._words(kept=kept))
        self._said = True

    def _words(self, *, kept: bool) -> str:
        which = f"hch: stopped by {self.caught.name}\n" if self.caught else ""
        line = self._resume(*to_pay_again(self._run.bill)) if kept else ""
        return f"{which}hch: go on with: {line}\n" if line else which

    def _first(self, number: int, _frame: object) -> None:
        self.caught = signal.Signals(number)
        for again in self._before:
            signal.signal(again, self._second)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a terminal that closes may say so twice
        if self._cancel is not None:
            self._cancel()

    def _second(self, number: int, _frame: object) -> None:
        if self._person is not None:
            self._person.restore()
        if not self._said:
            kept = self._progress.begun or self._run.resumed is not None
            last_words(f"{self._progress.restoring}\n{self._words(kept=kept)}")
        os._exit(128 + number)


def _is_kept(run: Run) -> bool:
    """Whether anything of a run is in its store, once what is on its way there has arrived."""
    try:
        run.store.last(run.id)
    except HchError:
        return False
    return True


async def _finish(run: Run, progress: Progress, stop: Stop) -> list[Result]:
    task = asyncio.current_task()
    assert task is not None
    with stop.cancelling(task):
        progress.start()
        try:
            if not run.plan.generates:
                return await run.finish()
            await run.end()
            return []
        finally:
            progress.stop()


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's, where it is installed."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return new_event_loop  # type: ignore[no-any-return]


def _allow_files(wanted: int) -> None:
    """Let this process open so many files, as far as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
