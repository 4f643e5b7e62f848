"""Brings in runs that hch export wrote, and what others wrote as runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from io import BytesIO
from itertools import groupby, zip_longest
from operator import attrgetter
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Annotated

from typer import Argument, Option

from hch.commands._completion import complete_file
from hch.commands._documents import Kind, bring
from hch.commands._given import check_filled
from hch.commands._imported import Found
from hch.commands._terminal import say, say_json, tell
from hch.errors import HchError, StoreError, UsageError
from hch.words import count

if TYPE_CHECKING:
    from hch.events import Record
    from hch.interchange import Export, Labelled, Stream
    from hch.keeping import Store
    from hch.labels import Label
    from hch.redaction import Redaction

IN_MEMORY = 1 << 23
"""The bytes of a pipe that are kept in memory; more go to a temporary file that has no name."""


def build() -> Callable[..., None]:
    return import_


def import_(
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE",
            help="What hch export wrote; - is stdin.",
            autocompletion=complete_file,
        ),
    ],
    kind: Annotated[
        Kind | None,
        Option("--as", help="Read files that others wrote, as what these are."),
    ] = None,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where to keep the runs. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, one object a run.")] = False,
) -> None:
    """Bring in the runs of a file: all of them, or none where anything is wrong with it.

    Every line is checked before the first is kept. Nothing in a file is run, and nothing is sent.
    The ids of what was brought in go to stdout; a run that is there already, with the same events,
    stays as it is, and gets the labels that it lacks. What a file says of models and servers is its
    author's word: hch resume sends nothing of it without --force.

    With --as the files are others' work, and become finished runs that can be shown, exported and
    learned from, but not resumed. prm800k is lines of solutions with rated steps: a root for each,
    which asks for the steps, each labelled. questions is .jsonl or .csv as hch eval reads it, with
    an answer to each question, which is labelled good. Files of many questions are several runs.

    Exit status:
      0  Brought in, or there already.
      2  A file cannot be read, or is not what it should be.
      5  A run is there already with other events, or the store cannot be written.

    Examples:
      hch import runs.jsonl
      hch export --store old.db --all | hch import -
      hch import --as prm800k phase2_train.jsonl
      hch import --as questions exam.csv

    See also:
      hch export, hch runs, docs/interchange.md
    """
    from hch.compose import HCH

    check_filled(FILE=files, store=store)
    if files.count("-") > 1:
        raise UsageError("stdin is read once: give - once")
    hch = HCH(store=store)
    redaction = hch.redaction if hch.config.keys else None
    done = []
    with closing(hch.kept_in) as kept_in:
        for file in files:
            for found in _brought(file, kind, kept_in, redaction):
                if found.new and not as_json:
                    say(found.run)
                elif not found.new:
                    got = f"; it got {count(found.labels, 'label')}" if found.labels else ""
                    tell(f"run {found.run} is there already, with the same events{got}")
                done.append(found.as_object())
    if as_json:
        say_json(done)


def _brought(
    file: str, kind: Kind | None, store: Store, redaction: Redaction | None
) -> list[Found]:
    return bring(kind, file, store, redaction) if kind else _bring(file, store, redaction)


def _bring(file: str, store: Store, redaction: Redaction | None) -> list[Found]:
    """Each run of a file.

    Raises UsageError, StoreError; then the store is as it was, as far as it can still be written.
    """
    from hch.interchange import Export

    name = "stdin" if file == "-" else file
    brought: list[str] = []
    with _opened(file) as (first, second):
        found = _checked(Export(name, first, redaction), store)
        second.seek(0)
        again = Export(name, second, redaction)
        wanted = any(run.new or run.labels for run in found.values())
        try:
            for run, items in groupby(again.items() if wanted else (), attrgetter("run")):
                if run not in found:
                    raise UsageError(f"{name} was changed while it was read")
                _keep(store, found[run], items)
                if found[run].new:
                    brought.append(run)
        except BaseException:
            with suppress(HchError):
                store.remove(brought)
            raise
    return list(found.values())


def _keep(store: Store, found: Found, items: Iterator[Record | Labelled]) -> None:
    """Bring a run that is new, and of another the labels that it lacks."""
    from hch.interchange import parts

    records, labels = parts(items)
    if found.new:
        store.bring(found.run, records, labels)
    elif found.labels:
        for _ in records:
            pass
        store.label(found.run, _lacking(labels, store, found.run))


def _lacking(labels: Iterator[Label], store: Store, run: str) -> Iterator[Label]:
    """Those of the labels that a run has not."""
    there = set(store.labels(run))
    return (label for label in labels if label not in there)


def _checked(export: Export, store: Store) -> dict[str, Found]:
    """Reads all of an export: its runs, by their ids.

    Raises UsageError for what is wrong with it, StoreError for a run that is there otherwise.
    """
    from hch.interchange import parts

    there = {row.run for row in store.runs()}
    found: dict[str, Found] = {}
    differ = []
    for run, items in groupby(export.items(), attrgetter("run")):
        records, labels = parts(items)
        known = store.events(run) if run in there else None
        events, same = _compared(records, known)
        lacking = labels if known is None else _lacking(labels, store, run)
        found[run] = Found(run, events, sum(1 for _ in lacking), known is None)
        if not same:
            differ.append(run)
    if differ:
        raise StoreError(
            f"run {differ[0]} is in {store.place} already, with other events: nothing was brought "
            f"in; hch runs rm {differ[0]} would make room for it"
        )
    return found


def _compared(records: Iterator[Record], known: Iterator[Record] | None) -> tuple[int, bool]:
    """How many records there are, and whether they are the known ones, where there are some."""
    from hch.jsonl import encoded

    events, same = 0, True
    if known is None:
        return sum(1 for _ in records), True
    for one, other in zip_longest(records, known):
        events += one is not None
        same = same and None not in (one, other) and encoded(one) == encoded(other)
    return events, same


class Pipe:
    """Lets what can be read once be read twice: a first time by this, then from `kept`."""

    def __init__(self, source: IO[bytes], kept: IO[bytes]) -> None:
        self._source = source
        self.kept = kept

    def readline(self, size: int, /) -> bytes:
        line = self._source.readline(size)
        self.kept.write(line)
        return line

    def read(self, size: int, /) -> bytes:
        data = self._source.read(size)
        self.kept.write(data)
        return data


@contextmanager
def _opened(file: str) -> Iterator[tuple[Stream, IO[bytes]]]:
    """A file to be read, and the same to be read again. Raises UsageError where there is none."""
    with ExitStack() as stack:
        try:
            if file == "-":
                source: IO[bytes] = sys.stdin.buffer if sys.stdin else BytesIO()
                piped = True
            else:
                path = Path(file)
                if path.is_dir():
                    raise UsageError(f"{file} is a folder")
                if path.is_char_device() or path.is_block_device():
                    raise UsageError(f"{file} is a device")
                source = stack.enter_context(path.open("rb"))
                piped = not path.is_file()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"{file} cannot be read: {reason}") from error
        if piped:
            kept = stack.enter_context(SpooledTemporaryFile(IN_MEMORY))
            yield Pipe(source, kept), kept
        else:
            yield source, source
