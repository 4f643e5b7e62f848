"""Signals as an end: of commands that can be gone on with, and of those that leave nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hch.commands._running import SIGNALS
from hch.commands._terminal import is_drawn_on, last_words, own_keys
from hch.safe_text import one_line


@contextmanager
def stopping(again: str) -> Iterator[None]:
    """A signal ends the process: it is said which, and the command to go on by.

    It ends with 128 and the signal's number, at once, as if it were killed: what is kept is whole
    at any moment, and an error raised wherever the process just is could leave a lock held.
    """
    line = "\r\x1b[K" if is_drawn_on(sys.stderr) else ""
    how = f"hch: go on with: {one_line(own_keys().text(again))}\n" if again else ""

    def stop(number: int, _: object) -> None:
        last_words(f"{line}hch: stopped by {signal.Signals(number).name}\n{how}")
        os._exit(128 + number)

    with _heard(stop):
        yield


@contextmanager
def ending(take_away: Callable[[], None]) -> Iterator[None]:
    """A signal ends the process at once, as `stopping` has it, once what was begun is taken away.

    Further signals change nothing: what is not taken away would be in the way.
    """

    def stop(number: int, _: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        line = "\r\x1b[K" if is_drawn_on(sys.stderr) else ""
        last_words(f"{line}hch: stopped by {signal.Signals(number).name}\n")
        take_away()
        os._exit(128 + number)

    with _heard(stop):
        yield


@contextmanager
def _heard(stop: Callable[[int, object], None]) -> Iterator[None]:
    """Signals to end go to `stop`, but for those that are ignored, as nohup has it."""
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
