"""Where a command writes: data to stdout, narration to stderr, and nothing unsafe to a terminal."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, TextIO

from hch.errors import HchError
from hch.safe_text import one_line, safe_text


def say(text: str) -> None:
    """Write text of our own and a newline to stdout. A reader that left is no error.

    Raises HchError where stdout cannot take it (a full disk).
    """
    _write(text)


def say_raw(text: str) -> None:
    """Write somebody's text: safe on a terminal, else as it is, lone surrogates replaced."""
    if is_terminal(sys.stdout):
        _write(safe_text(text))
    else:
        _write(text.encode("utf-8", "replace").decode())


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
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person looks at it; False for a stream that is closed."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def columns(stream: TextIO | None, otherwise: int) -> int:
    """How wide a stream's terminal is, or `otherwise` where it is none."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or otherwise if stream else otherwise
    except (OSError, ValueError):
        return otherwise


def keep_streams_apart() -> None:
    """Put nothing in the place of a closed standard stream, lest a store be opened there."""
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


def _write(text: str) -> None:
    if sys.stdout is None:
        return
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere(sys.stdout)
    except OSError as error:
        _to_nowhere(sys.stdout)
        raise HchError(f"stdout cannot be written: {error.strerror}") from error


def _to_nowhere(stream: TextIO) -> None:
    """From now on the stream swallows what it is given, also what it still holds."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
