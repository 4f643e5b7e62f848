"""Runs as a text file: a header, each event as a line of ASCII JSON, and how many there were.

Where a run has labels, the format is 2, and they stand after its events.

    {"hch":"events","format":2,"runs":["260102-030405-6789ab"]}
    {"run":"260102-030405-6789ab","seq":1,"at":1767322995.25,"event":{"type":"RunStarted",…}}
    …
    {"run":"260102-030405-6789ab","label":{"key":"1f0a…","by":"person","said":"good",…}}
    {"end":{"260102-030405-6789ab":17},"labels":{"260102-030405-6789ab":1}}

Runs stand one after the other, as the header names them; `hch.jsonl` says how an event is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Literal, Protocol, get_args

from pydantic import ValidationError

from hch.beginning import reason
from hch.errors import UsageError
from hch.events import FORMAT, CallFinished, Event, Record
from hch.jsonl import decoded, dumps, encoded, unlike
from hch.labels import Label
from hch.redaction import Redaction
from hch.safe_text import one_line
from hch.soundness import LATEST, Soundness
from hch.wire import Wire

VERSION = 2
"""The newest format; one without labels is written in format 1, which older readers know."""

LONGEST = 1 << 26
"""The most bytes of a line: what is longer is neither written nor read."""

_RUN = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}", re.ASCII)
_TYPES = {kind.__name__ for kind in get_args(Event)}

_KINDS = {
    b"SQLite format 3": "a SQLite file: if it is a store, name it by --store",
    b"\x1f\x8b": "compressed: unpack it first",
    b"(\xb5/\xfd": "compressed: unpack it first",
    b"BZh": "compressed: unpack it first",
    b"\xfd7zXZ": "compressed: unpack it first",
    b"PK\x03\x04": "an archive: unpack it first",
    b"PAR1": "Parquet",
    b"\x80": "no text, and maybe a pickle: nothing in it was run",
    b"\xef\xbb\xbf": "text that begins with a byte order mark, which hch did not write",
    b"\xff\xfe": "text in UTF-16, which hch did not write",
    b"\xfe\xff": "text in UTF-16, which hch did not write",
    b"<": "a page or a document in markup",
}
"""What a file is that begins so."""


class Stream(Protocol):
    """What an export is read from: bytes, at most so many at a time."""

    def readline(self, size: int, /) -> bytes: ...
    def read(self, size: int, /) -> bytes: ...


class Header(Wire):
    """The first line."""

    hch: Literal["events"]
    format: int
    runs: tuple[str, ...]


class End(Wire):
    """The last line: how many events each run has, and in format 2 how many labels."""

    end: dict[str, int]
    labels: dict[str, int] | None = None


class Labelled(Wire):
    """A label of a run."""

    run: str
    label: Label


def lines(
    runs: Sequence[str],
    events: Callable[[str], Iterable[Record]],
    redaction: Redaction | None = None,
    labels: Callable[[str], Sequence[Label]] = lambda _: (),
) -> Iterator[str]:
    """The lines of an export, without their ends, as the events of each run are read.

    Raises UsageError for what may not be exported: a key of this environment, a line too long.
    """
    version = VERSION if any(labels(run) for run in runs) else 1
    for run in runs:
        if not _RUN.fullmatch(run):
            raise UsageError(f"run {run!r} cannot be exported under such a name")
    yield dumps({"hch": "events", "format": version, "runs": list(runs)})
    counts, given = dict.fromkeys(runs, 0), dict.fromkeys(runs, 0)
    for run in runs:
        for record in events(run):
            counts[run] += 1
            line, what = encoded(record), f"event {record.seq}"
            _check_line(run, what, line)
            if redaction is not None and _shows_key(record, line, redaction):
                raise _shows(run, what)
            yield line
        for label in labels(run) if version > 1 else ():
            given[run] += 1
            line, what = _labelled(run, label), f"label {given[run]}"
            _check_line(run, what, line)
            if redaction is not None and redaction.shows(line):
                raise _shows(run, what)
            yield line
    yield dumps({"end": counts} if version == 1 else {"end": counts, "labels": given})


def parts(items: Iterator[Record | Labelled]) -> tuple[Iterator[Record], Iterator[Label]]:
    """The events of one run, and its labels, which are to be read when the events have ended."""
    ahead: list[Labelled] = []

    def records() -> Iterator[Record]:
        for item in items:
            if isinstance(item, Labelled):
                ahead.append(item)
                return
            yield item

    def labels() -> Iterator[Label]:
        for item in chain(ahead, items):
            if isinstance(item, Labelled):
                yield item.label

    return records(), labels()


class Export:
    """An export as it is read from a stream: `runs` are the ids that its header names.

    Raises UsageError, naming the file and the line, for all that is no export of sound runs, that
    has a key of this environment in it, or that was cut off.
    """

    def __init__(self, name: str, stream: Stream, redaction: Redaction | None = None) -> None:
        self._name = name
        self._stream = stream
        self._redaction = redaction
        self._line = 0
        self._format = 1
        self.runs = self._header()

    def records(self) -> Iterator[Record]:
        """Every event of every run, in order; the labels are read, and left out."""
        return (item for item in self.items() if isinstance(item, Record))

    def items(self) -> Iterator[Record | Labelled]:
        """Every event of every run, in order, and after those of a run its labels.

        What is wrong may come after much that is well.
        """
        counts: dict[str, int] = {}
        labels: dict[str, int] = {}
        ahead = self._object()
        for run in self.runs:
            counts[run], labels[run], sound = 0, 0, Soundness()
            while ahead.get("run") == run and "label" not in ahead:
                counts[run] += 1
                yield self._record(ahead, counts[run], sound)
                ahead = self._object()
            while ahead.get("run") == run:
                labels[run] += 1
                yield self._label(ahead, sound)
                ahead = self._object()
            if not counts[run]:
                break
        if "run" in ahead and ahead["run"] not in self.runs:
            raise self._wrong("it is of a run that the header does not name")
        if "run" in ahead or len(counts) < len(self.runs) or not all(counts.values()):
            raise self._wrong("it should be of another run: each stands whole, in their order")
        self._check_end(self._validated(End, ahead), counts, labels)
        if self._stream.read(1):
            self._line += 1
            raise self._wrong("nothing may follow the end")

    def _check_end(self, end: End, counts: dict[str, int], labels: dict[str, int]) -> None:
        if end.end != counts:
            raise self._wrong("it tells of other events than there are above")
        if end.labels != (labels if self._format > 1 else None):
            raise self._wrong("it tells of other labels than there are above")
        if self._format > 1 and not any(labels.values()):
            raise self._wrong("there are no labels above, and so the format should be 1")

    def _header(self) -> tuple[str, ...]:
        data = self._object()
        if data.get("hch") != "events" or type(data.get("format")) is not int:
            other = (
                "; --as prm800k or --as questions reads such files" if "question" in data else ""
            )
            raise self._wrong(f"it is not the header that hch export writes{other}")
        if data["format"] > VERSION:
            raise self._wrong(f"a newer hch wrote it, in format {data['format']}: upgrade hch")
        header: Header = self._validated(Header, data)
        self._format, runs = header.format, header.runs
        for run in runs:
            if not _RUN.fullmatch(run):
                raise self._wrong(f"{one_line(repr(run), 80)} is no id of a run")
        if not runs or len(set(runs)) < len(runs):
            raise self._wrong("it names no run, or one twice")
        return runs

    def _record(self, data: dict[str, Any], seq: int, sound: Soundness) -> Record:
        if type(data.get("seq")) is not int or data["seq"] != seq:
            raise self._wrong(f"it should be event {seq} of run {data['run']}")
        try:
            _check_known(data)
            record: Record = self._validated(Record, data)
            sound.take(record)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        if self._redaction and _shows_key(record, encoded(record), self._redaction):
            raise self._wrong("it has a key of this environment in it: take that out, or unset it")
        return record

    def _label(self, data: dict[str, Any], sound: Soundness) -> Labelled:
        if self._format == 1 or "label" not in data:
            raise self._wrong("labels stand after the events of a run, in format 2")
        item: Labelled = self._validated(Labelled, data)
        if not 0 <= item.label.at < LATEST:
            raise self._wrong(f"{item.label.at} is no time of day")
        if not sound.knows(item.label.key):
            raise self._wrong("the node that it is about was never opened")
        if self._redaction and self._redaction.shows(_labelled(item.run, item.label)):
            raise self._wrong("it has a key of this environment in it: take that out, or unset it")
        return item

    def _validated(self, kind: type[Any], data: dict[str, Any]) -> Any:
        try:
            made = kind.model_validate(data)
        except ValidationError as error:
            raise self._wrong(f"{reason(error)} (if a newer hch wrote it, upgrade)") from error
        if (place := unlike(data, made)) is not None:
            raise self._wrong(f"{place or 'the line'}: it is of another type than it should be")
        return made

    def _object(self) -> dict[str, Any]:
        try:
            return decoded(self._next())
        except ValueError as error:
            raise self._wrong(str(error)) from error

    def _next(self) -> bytes:
        """The next line without its end, which may be as long as it is allowed to be."""
        try:
            line = self._stream.readline(LONGEST + 1)
        except OSError as error:
            raise UsageError(f"{self._name} cannot be read: {error.strerror}") from error
        self._line += 1
        if self._line == 1:
            for start, kind in _KINDS.items():
                if line.startswith(start):
                    raise UsageError(f"{self._name} is no export of hch: it is {kind}")
        if len(line) > LONGEST:
            raise self._wrong(f"it is longer than {LONGEST:,} bytes")
        if not line:
            empty = self._line == 1
            raise self._wrong("the file is empty" if empty else "the file was cut off before it")
        if not line.endswith(b"\n"):
            raise self._wrong("the file was cut off within it")
        if line.endswith(b"\r\n"):
            raise self._wrong("it ends in CR LF: bring the file over as it is, not as text")
        return line[:-1]

    def _wrong(self, why: str) -> UsageError:
        return UsageError(f"{self._name}, line {self._line}: {one_line(why, 300)}")


def _check_known(data: dict[str, Any]) -> None:
    """Raises ValueError for an event that only a newer hch can know."""
    event = data.get("event")
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        raise ValueError("it has no event with a type")
    if event["type"] not in _TYPES:
        raise ValueError(f"there is no event {event['type']!r} (if a newer hch wrote it, upgrade)")
    found = event.get("format")
    if event["type"] == "RunStarted" and type(found) is int and found > FORMAT:
        raise ValueError(f"a newer hch made this run, in format {found}: upgrade hch")


def _check_line(run: str, what: str, line: str) -> None:
    """Raises UsageError for a line that could not be read again."""
    if len(line) >= LONGEST:
        raise UsageError(
            f"run {run} cannot be exported: {what} takes {len(line):,} bytes, and a line may have "
            f"{LONGEST:,}"
        )


def _labelled(run: str, label: Label) -> str:
    return dumps({"run": run, "label": label.__dict__})


def _shows(run: str, what: str) -> UsageError:
    return UsageError(
        f"run {run} is not exported: {what} has a key of this environment in it; unset the key to "
        "export it all the same"
    )


def _shows_key(record: Record, line: str, redaction: Redaction) -> bool:
    raw = record.event.raw if isinstance(record.event, CallFinished) else b""
    return redaction.shows(line) or redaction.data(raw) != raw
