"""Brings in files that others wrote, as finished runs: all of a file, or nothing of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from hch.commands._imported import Found
from hch.errors import HchError, UsageError

if TYPE_CHECKING:
    from hch.documents.runs import Document
    from hch.keeping import Store
    from hch.redaction import Redaction


class Kind(StrEnum):
    """What `--as` may be."""

    prm800k = "prm800k"
    questions = "questions"


def bring(kind: Kind, file: str, store: Store, redaction: Redaction | None) -> list[Found]:
    """Each run that is made of a file. Raises UsageError, StoreError; then the store is as it was.

    The file is read twice: all of it is sound before the first run is kept.
    """
    path = _readable(file)
    there = {row.run for row in store.runs()}
    found = {}
    for document in _documents(kind, path):
        events, labels = _looked_at(document, path, redaction)
        new = document.run not in there
        found[document.run] = Found(document.run, events, labels if new else 0, new)
    if not found:
        raise UsageError(f"{file} has no questions: write one to a line")
    brought: list[str] = []
    try:
        for document in _documents(kind, path):
            if document.run not in found:
                raise UsageError(f"{file} was changed while it was read")
            if found[document.run].new and document.run not in brought:
                at = time()
                store.bring(document.run, document.records(at), document.labels(at))
                brought.append(document.run)
    except BaseException:
        with suppress(HchError):
            store.remove(brought)
        raise
    return list(found.values())


def _documents(kind: Kind, path: Path) -> Iterator[Document]:
    from hch.documents import prm800k, questions
    from hch.documents.runs import documents

    reader = {Kind.prm800k: prm800k, Kind.questions: questions}[kind]
    return documents(kind.value, path.name, reader.LEVEL, reader.solved(path))


def _looked_at(document: Document, path: Path, redaction: Redaction | None) -> tuple[int, int]:
    """How many events and labels there are. Raises UsageError for what could not go out again."""
    from hch.interchange import LONGEST
    from hch.jsonl import encoded

    events = 0
    for record in document.records(0.0):
        events += 1
        line = encoded(record)
        if len(line) >= LONGEST:
            raise UsageError(f"{path}: a question, with its steps, takes {len(line):,} bytes")
        if redaction is not None and redaction.shows(line):
            raise UsageError(
                f"{path}: it has a key of this environment in it: take that out, or unset it"
            )
    return events, sum(1 for _ in document.labels(0.0))


def _readable(file: str) -> Path:
    """A file that can be read twice. Raises UsageError for any other."""
    try:
        if file == "-":
            raise UsageError("stdin is read once: name a file beside --as")
        path = Path(file)
        if path.is_dir():
            raise UsageError(f"{file} is a folder")
        if not path.is_file() and path.exists():
            raise UsageError(f"{file} is no regular file: --as reads it twice")
        with path.open("rb"):
            return path
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(f"{file} cannot be read: {why}") from error
