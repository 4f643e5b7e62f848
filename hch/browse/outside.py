"""Texts taken out of the browser: to the terminal's clipboard, or into a pager or an editor.

Every one is made safe before: what is copied may be pasted into a shell, and a pager may pass
escapes on.
"""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from textual.app import App, SuspendNotSupported

from hch.environment import variable
from hch.safe_text import one_line, safe_text
from hch.words import count, short

AT_MOST = 100_000
"""The bytes of a text that go to a clipboard: what terminals take at once, as OSC 52."""

PAGERS = ("less", "more")
"""What shows a text where no variable names a programme."""

PASSED_ON = (signal.SIGTERM, signal.SIGHUP)
"""The signals that end the programme outside first, so that its file is removed."""


def copy(app: App[Any], text: str) -> str:
    """Send a text to the clipboard of the terminal (OSC 52), which tells nothing; what to say."""
    data = safe_text(text).encode()
    part = data[:AT_MOST].decode(errors="ignore")
    app.copy_to_clipboard(part)
    if len(data) > AT_MOST:
        part_of = f"the first {short(AT_MOST)} bytes of {short(len(data))}"
        return f"sent {part_of} to the terminal's clipboard: o opens all of it"
    return f"sent {count(len(part), 'character')} to the terminal's clipboard"


def opened(app: App[Any], text: str, ending: str = ".txt") -> str | None:
    """Show a text in $PAGER, else in $EDITOR, else in less or more; what went wrong, if anything.

    The browser lends its terminal meanwhile. `ending` is that of the file an editor is given.
    """
    try:
        command, by_file = programme()
    except ValueError as error:
        return str(error)
    try:
        with app.suspend():
            return _shown(command, safe_text(text), ending if by_file else None)
    except SuspendNotSupported:
        return "this terminal cannot be lent to another programme"


def programme() -> tuple[list[str], bool]:
    """The words that start what shows a text, and whether it is given a file; else its stdin is it.

    Raises ValueError where there is none.
    """
    for name in ("PAGER", "EDITOR"):
        if said := variable(name).strip():
            try:
                words = shlex.split(said)
            except ValueError as error:
                raise ValueError(
                    f"${name} cannot be read ({error}): {one_line(said, 60)}"
                ) from None
            return _found(words, name), name == "EDITOR"
    found = next(filter(shutil.which, PAGERS), None)
    if found is None:
        raise ValueError(f"there is no {' and no '.join(PAGERS)}: set PAGER or EDITOR")
    return [found], False


def _found(words: list[str], name: str) -> list[str]:
    if not words or shutil.which(words[0]) is None:
        asked = one_line(words[0] if words else "", 60)
        raise ValueError(f"${name} names a programme that is not there: {asked!r}")
    return words


def _shown(command: Sequence[str], text: str, ending: str | None) -> str | None:
    """Run a programme over a text: in a private file of that ending, or on its stdin."""
    name = one_line(command[0], 60)
    with _passing_on() as passed:
        try:
            if ending is None:
                code = _run(command, text.encode(), passed)
            else:
                with _file(text, ending) as path:
                    code = _run([*command, path], None, passed)
        except OSError as error:
            return f"{name} cannot be run: {error.strerror or error}"
    if code < 0:
        return f"{name} was ended by {_signal(-code)}"
    return f"{name} ended with {code}" if code else None


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # one that has no name
        return f"signal {number}"


@contextmanager
def _file(text: str, ending: str) -> Iterator[str]:
    """A file with this text that only its owner may read, and that is gone afterwards."""
    with TemporaryDirectory(prefix="hch-") as folder:
        path = Path(folder, f"text{ending}")
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        path.chmod(0o400)
        yield str(path)


def _run(command: Sequence[str], fed: bytes | None, ending: Ending) -> int:
    """Wait for a programme's end; its exit code."""
    stdin = None if fed is None else subprocess.PIPE
    with subprocess.Popen(command, stdin=stdin) as process:  # noqa: S603
        ending.begins(process)
        process.communicate(fed)
    return process.returncode


class Ending:
    """What would end this process ends the one outside first; a second time that is killed."""

    def __init__(self) -> None:
        self.caught: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None

    def begins(self, process: subprocess.Popen[bytes]) -> None:
        """Pass on to this process, also what was caught before."""
        self._process = process
        for number in self.caught[:1]:
            process.send_signal(number)

    def __call__(self, number: int, _: object) -> None:
        if self._process:
            self._process.send_signal(signal.SIGKILL if self.caught else number)
        self.caught.append(number)


@contextmanager
def _passing_on() -> Iterator[Ending]:
    """Signals go to what runs outside, and after its end to this process; Ctrl-C only there."""
    ending = Ending()
    handlers: dict[int, Any] = {signal.SIGINT: lambda *_: None, **dict.fromkeys(PASSED_ON, ending)}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield ending
    finally:
        for number, old in before.items():
            signal.signal(number, old)
        for first in ending.caught[:1]:
            signal.raise_signal(first)
