"""A person's place at a terminal of the tests' own, and what is kept of what was typed there."""

from __future__ import annotations

import os
import select
import sys
import termios
from pathlib import Path
from typing import Any

from hch.commands._desk import Draft
from hch.events import PersonTyped
from hch.stores.sqlite import SqliteStore
from hch.trace import Node, Trace
from tests.commands.terminal import Screen
from tests.payloads import plain

QUESTION = "What is (2 + 3) * (4 - 1)?"
ARITHMETIC = ("ask", QUESTION, "--depth", "2", "--at", "2=consult@human", "--at", "0-1=script")
TYPING = r"\x1b\[\?(?:1|7|12|2004)[hl]|\x1b\[0 q"
"""What prompt_toolkit sets while somebody types."""

CONTROL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CONTROLLED = (sys.executable, "-c", CONTROL)
"""Before a command: it gets its terminal's hang-up, as whatever a terminal's window starts."""

DIRECT = ("ask", "Why?", "--depth", "0", "-m", "human")


class Seat(Screen):
    """A person's place at a terminal: reads on for what is said, and types."""

    def __init__(self, *words: str, **more: Any) -> None:
        super().__init__(*words, **{"TERM": "xterm-256color", **more})
        self._read = 0

    def says(self, text: str) -> str:
        """Read on until this was said; what was said up to it since what was waited for before."""
        while (at := (said := plain(self.seen, TYPING)).find(text, self._read)) < 0:
            assert self._more(), f"{text!r} was not said, only {said[self._read :]!r}"
        before, self._read = self._read, at + len(text)
        return said[before:at]

    def answers(self, asked: str, typed: str) -> None:
        """Type a line when it is asked for."""
        self.says(asked)
        self.type(f"{typed}\r")

    def type(self, text: str) -> None:
        """Type, reading meanwhile, since a terminal holds little."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            readable, writable, _ = select.select([self._master], [self._master], [])
            if readable:
                self._more()
            elif writable:
                data = data[os.write(self._master, data[:512]) :]

    def go_away(self) -> None:
        """Close the terminal, as its window does."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._master)
        os.close(nowhere)

    @property
    def sane(self) -> bool:
        """Whether the terminal is left as a shell wants it."""
        flags = termios.tcgetattr(self._master)[3]
        shown, pasted = (self.seen.rfind(f"\x1b[?{mode}".encode()) for mode in ("25h", "2004l"))
        return (
            bool(flags & termios.ICANON and flags & termios.ECHO)
            and shown >= self.seen.rfind(b"\x1b[?25l")
            and pasted >= self.seen.rfind(b"\x1b[?2004h")
        )


def kept(home: Path) -> Trace:
    """The newest run."""
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        return Trace(list(store.events(store.runs()[0].run)))


def half_typed(home: Path) -> str:
    """What stands in the line of the newest draft."""
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        *_, last = (record.event for record in store.events(store.runs()[0].run, "PersonTyped"))
    assert isinstance(last, PersonTyped)
    return Draft.read(last.text).typing


def answer(node: Node) -> tuple[str, str]:
    assert node.closed is not None
    assert node.closed.answer is not None
    return node.closed.answer.body, node.closed.answer.source
