"""Where a command writes: data to stdout, narration to stderr, and nothing unsafe to a terminal."""

from __future__ import annotations

import codecs
import json
import os
import sys
from typing import Any, TextIO

from hch.errors import HchError
from hch.safe_text import one_line, safe_text

PLAIN = dict(zip("✓✂✗⊘…↺–├└│─→↳⋯“”‘’", "+/xo.=-|`|->v~\"\"''", strict=True))
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
    """Write text of our own and a newline to stdout. A reader that left is no error.

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
    mutter(f"hch: {one_line(message)}\n")


def mutter(text: str) -> None:
    """Write to stderr as it is; that nobody listens is no error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(_encodable(text, sys.stderr, "hch.plain"))
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it; False for a stream that is closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def is_drawn_on(stream: TextIO | None) -> bool:
    """Whether a line can be drawn over on it."""
    return is_terminal(stream) and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO | None, otherwise: int) -> int:
    """How wide a stream's terminal is, or `otherwise` where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or otherwise if stream else otherwise
    except (OSError, ValueError):
        return otherwise


def keep_streams_apart() -> None:
    """Put nothing in the place of a closed standard stream, lest a store be opened there."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="hch.plain")  # for what others write: help, tracebacks
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest one that is free is this one


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
        sys.stdout.write(_encodable(text, sys.stdout, errors) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere(sys.stdout)
    except OSError as error:
        _to_nowhere(sys.stdout)
        raise HchError(f"stdout cannot be written: {error.strerror}") from error


def _encodable(text: str, stream: TextIO, errors: str) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, errors).decode(encoding)


def _to_nowhere(stream: TextIO) -> None:
    """From now on the stream swallows what it is given, also what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
