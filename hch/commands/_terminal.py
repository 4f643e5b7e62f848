"""Where a command writes: data to stdout, narration to stderr, and nothing unsafe to a terminal."""

from __future__ import annotations

import codecs
import errno
import io
import json
import os
import select
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

from hch.environment import variable, variables
from hch.errors import HchError, UsageError
from hch.safe_text import one_line, safe_text

if TYPE_CHECKING:
    from types import TracebackType

    from hch.redaction import Redaction

PLAIN = dict(
    zip("✓✂✗⊘…↺–·├└│─→↳⋯×↻┃━╌›■“”‘’▾▸»▶⇣↓", "+/xo.=-:|`|->v~x@|=.>#\"\"''v>>>vv", strict=True)
)
"""What stands for a character of our own where the encoding does not have it, by width."""


def _plainly(error: UnicodeError) -> tuple[str, int]:
    """A codec's error handler: `PLAIN` where it can, else a backslash and the number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    plain = (PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in wrong)
    return "".join(plain), error.end


codecs.register_error("hch.plain", _plainly)


def say(text: str) -> None:
    """Write text of our own and a newline to stdout. A reader or a terminal that left is no error.

    Raises HchError where stdout cannot take it (a full disk).
    """
    _write(text)


def say_raw(text: str) -> None:
    """Write somebody's text: safe on a terminal, else as it is; what cannot be, as `\\u2192`."""
    _write(safe_text(text) if is_terminal(sys.stdout) else text, "backslashreplace")


def say_json(value: Any) -> None:
    """Write one JSON value in ASCII; infinite amounts must be None already."""
    _write(json.dumps(value, allow_nan=False))


def tell(message: str) -> None:
    """One line on stderr, made safe and never wrapped."""
    mutter(f"hch: {one_line(own_keys().text(message))}\n")


def own_keys() -> Redaction:
    """What takes the keys of this process's environment out of a text."""
    from pydantic import SecretStr

    from hch.redaction import Redaction

    named = variables().items()
    return Redaction(SecretStr(value) for name, value in named if name.endswith("_API_KEY"))


def confess(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write the traceback of a bug to stderr, safe and without keys; a `sys.excepthook`."""
    from traceback import format_exception

    mutter(safe_text(own_keys().text("".join(format_exception(kind, error, trace)))))


def mutter(text: str) -> None:
    """Write to stderr as it is; that nobody listens is no error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(encodable(text, sys.stderr.encoding or "utf-8"))
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)
    except ValueError:  # it was closed
        return


def confirmed(question: str, instead: str) -> bool:
    """Ask whoever sits at the terminal, yes or no.

    Raises UsageError where nobody does; `instead` is what to do not to be asked.
    """
    if not is_terminal(sys.stdin):
        raise UsageError(f"nobody is there to say yes: {instead} not to be asked")
    mutter(f"{one_line(question)} [y/N] ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def last_words(text: str) -> None:
    """Write to stderr from where a write may have been interrupted, just before the end.

    Nothing is written where that would have to wait for somebody to read.
    """
    with suppress(OSError, ValueError, AttributeError):
        if select.select((), (sys.stderr,), (), 0)[1]:
            os.write(sys.stderr.fileno(), text.encode(sys.stderr.encoding or "utf-8", "hch.plain"))


class Narration(io.TextIOBase):
    """stderr as a file for what draws: as `mutter`, it never fails."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return sys.stderr.encoding or "utf-8"

    def isatty(self) -> bool:
        return is_terminal(sys.stderr)

    def write(self, text: str) -> int:
        mutter(text)
        return len(text)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it; False for a stream that is closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def is_drawn_on(stream: TextIO | None) -> bool:
    """Whether a screen can be drawn on it, and be taken away again."""
    if not is_terminal(stream) or variable("TERM") in ("", "dumb", "unknown"):
        return False
    try:
        import curses

        curses.setupterm(fd=stream.fileno() if stream else -1)
        return bool(curses.tigetstr("smcup"))
    except ImportError:  # as on Windows
        return False
    except curses.error:  # it has no entry, as those newer than the machine's list of them
        return True


def takes_more(stream: TextIO | None) -> bool:
    """Whether a terminal is ours to draw on now: not stopped by Ctrl-S, and in the foreground."""
    if stream is None:
        return False
    try:
        if not select.select((), (stream,), (), 0)[1]:
            return False
    except (OSError, ValueError):
        return False
    try:
        return os.tcgetpgrp(stream.fileno()) == os.getpgrp()
    except OSError:  # no terminal that controls this process, so that nobody else is in front
        return True


def size(stream: TextIO | None) -> tuple[int, int]:
    """Columns and rows of a stream's terminal; 80 and 24 where it does not say."""
    try:
        found = os.get_terminal_size(stream.fileno()) if stream else (0, 0)
    except (OSError, ValueError):
        found = (0, 0)
    return found[0] or 80, found[1] or 24


def columns(stream: TextIO | None, otherwise: int) -> int:
    """How wide a stream's terminal is, or `otherwise` where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or otherwise if stream else otherwise
    except (OSError, ValueError):
        return otherwise


def keep_streams_apart() -> None:
    """Put nothing in the place of a closed standard stream, lest a store be opened there.

    And lose nothing that is written to one: without a buffer (`python -u`, PYTHONUNBUFFERED) what
    a terminal does not take at once would be gone.
    """
    sys.stdout, sys.stderr = _buffered(sys.stdout), _buffered(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="hch.plain")  # for what others write: help, tracebacks
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest one that is free is this one


def _buffered(stream: TextIO) -> TextIO:
    if not isinstance(getattr(stream, "buffer", None), io.RawIOBase):
        return stream
    return open(stream.fileno(), "w", encoding=stream.encoding, closefd=False)


def let_go() -> None:
    """Write out what stdout still holds, so that the interpreter has nothing left to fail at."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _to_nowhere(sys.stdout)


def _write(text: str, errors: str = "hch.plain") -> None:
    if sys.stdout is None:
        raise HchError("stdout cannot be written: it is closed")
    try:
        sys.stdout.write(encodable(text, sys.stdout.encoding or "utf-8", errors) + "\n")
        sys.stdout.flush()
    except OSError as error:
        left = _left(error, sys.stdout)
        _to_nowhere(sys.stdout)
        if not left:
            raise HchError(f"stdout cannot be written: {error.strerror}") from error
    except KeyboardInterrupt:  # what is left of it would hold up the end as it held up the start
        _to_nowhere(sys.stdout)
        raise


def _left(error: OSError, stream: TextIO) -> bool:
    """Whether nobody reads a stream any more: its pipe broke, or its terminal was closed."""
    if error.errno == errno.EIO:
        return stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    return isinstance(error, BrokenPipeError)


def encodable(text: str, encoding: str, errors: str = "hch.plain") -> str:
    """The text as it will be where it is written in this encoding."""
    return text.encode(encoding, errors).decode(encoding)


def _to_nowhere(stream: TextIO) -> None:
    """From now on the stream swallows what it is given, also what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
