"""Signals as an error: for commands that work in rounds and can be gone on with at any moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from typer import Exit

from hch.commands._running import SIGNALS
from hch.commands._terminal import tell


class _Stopped(BaseException):
    """A signal, where the process was when it came."""

    def __init__(self, caught: signal.Signals) -> None:
        self.caught = caught


@contextmanager
def stopping(again: str) -> Iterator[None]:
    """The first signal ends what is in here: it is said which, and the command to go on by.

    The process then ends with 128 and the signal's number; a second signal ends it at once.
    """

    def stop(number: int, _: object) -> None:
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        raise _Stopped(signal.Signals(number))

    heard = [n for n in SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]  # as nohup has it
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    except _Stopped as stopped:
        tell(f"stopped by {stopped.caught.name}")
        if again:
            tell(f"go on with: {again}")
        raise Exit(128 + stopped.caught) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
