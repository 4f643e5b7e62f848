"""What was typed: nothing that looks given and is not, no digits but ASCII's, files that end."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import realpath
from pathlib import Path

from hch.errors import UsageError


def check_filled(**given: str | Sequence[str] | None) -> None:
    """Raises UsageError for an option that was given an empty text."""
    for name, value in given.items():
        texts = [value] if isinstance(value, str) else value or ()
        if not all(text.strip() for text in texts):
            flag = name if name.isupper() else f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} is empty")
    amounts = given.get("budget")
    if isinstance(amounts, str) and not amounts.isascii():
        raise UsageError(f"budget {amounts!r} is not an amount: write it in ASCII, such as 50calls")


def check_apart(store: str, questions: str | None = None, **written: str | None) -> None:
    """Raises UsageError for a file to be written that would go over what is kept or read.

    That is the store, the file of questions, and any other that is to be written.
    """
    taken = {realpath(f"{store}{end}"): f"the store {store}" for end in ("", "-wal", "-shm")}
    if questions is not None:
        taken[realpath(questions)] = "the file of questions"
    for name, path in written.items():
        if path is None:
            continue
        if (what := taken.get(realpath(path))) is not None:
            raise UsageError(f"--{name} {path} would be written over {what}: name another file")
        taken[realpath(path)] = f"what --{name} writes"


def read_text(path: str, what: str) -> str:
    """A text file's content. Raises UsageError, naming it, where it is none or cannot be read.

    A pipe is read to its end, so that `--context <(command)` works.
    """
    file = Path(path)
    try:
        if file.is_char_device() or file.is_block_device():
            raise UsageError(f"{what} file {path} is a device")
        data = file.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{what} file {path} cannot be read: {reason}") from error
    return decoded(data, f"{what} file {path} is not a text file in UTF-8")


def decoded(data: bytes, wrong: str) -> str:
    """Bytes as text. Raises UsageError, saying what is wrong, where they are none."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(wrong) from error
    if "\0" in text:
        raise UsageError(wrong)
    return text
