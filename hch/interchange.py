"""Runs as a text file: a header, each event as a line of ASCII JSON, and how many there were.

    {"hch":"events","format":1,"runs":["260102-030405-6789ab"]}
    {"run":"260102-030405-6789ab","seq":1,"at":1767322995.25,"event":{"type":"RunStarted",…}}
    …
    {"end":{"260102-030405-6789ab":17}}

Runs stand one after the other, as the header names them; `hch.jsonl` says how an event is written.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol, get_args

from pydantic import ValidationError

from hch.beginning import reason
from hch.errors import UsageError
from hch.events import FORMAT, CallFinished, Event, Record
from hch.jsonl import decoded, dumps, encoded, unlike
from hch.redaction import Redaction
from hch.safe_text import one_line
from hch.soundness import Soundness
from hch.wire import Wire

VERSION = 1

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
    """The last line: how many events each run has."""

    end: dict[str, int]


def lines(
    runs: Sequence[str],
    events: Callable[[str], Iterable[Record]],
    redaction: Redaction | None = None,
) -> Iterator[str]:
    """The lines of an export, without their ends, as the events of each run are read.

    Raises UsageError for what may not be exported: a key of this environment, a line too long.
    """
    for run in runs:
        if not _RUN.fullmatch(run):
            raise UsageError(f"run {run!r} cannot be exported under such a name")
    yield dumps({"hch": "events", "format": VERSION, "runs": list(runs)})
    counts = dict.fromkeys(runs, 0)
    for run in runs:
        for record in events(run):
            counts[run] += 1
            line = encoded(record)
            if len(line) >= LONGEST:
                raise UsageError(
                    f"run {run} cannot be exported: event {record.seq} takes {len(line):,} bytes, "
                    f"and a line may have {LONGEST:,}"
                )
            if redaction is not None and _shows_key(record, line, redaction):
                raise UsageError(
                    f"run {run} is not exported: event {record.seq} has a key of this environment "
                    "in it; unset the key to export it all the same"
                )
            yield line
    yield dumps({"end": counts})


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
        self.runs = self._header()

    def records(self) -> Iterator[Record]:
        """Every event of every run, in order. What is wrong may come after much that is well."""
        counts: dict[str, int] = {}
        ahead = self._object()
        for run in self.runs:
            counts[run], sound = 0, Soundness()
            while ahead.get("run") == run:
                counts[run] += 1
                yield self._record(ahead, counts[run], sound)
                ahead = self._object()
            if not counts[run]:
                break
        if "run" in ahead and ahead["run"] not in self.runs:
            raise self._wrong("it is of a run that the header does not name")
        if "run" in ahead or len(counts) < len(self.runs) or not all(counts.values()):
            raise self._wrong("it should be of another run: each stands whole, in their order")
        if self._validated(End, ahead).end != counts:
            raise self._wrong("it tells of other events than there are above")
        if self._stream.read(1):
            self._line += 1
            raise self._wrong("nothing may follow the end")

    def _header(self) -> tuple[str, ...]:
        data = self._object()
        if data.get("hch") != "events" or type(data.get("format")) is not int:
            raise self._wrong("it is not the header that hch export writes")
        if data["format"] > VERSION:
            raise self._wrong(f"a newer hch wrote it, in format {data['format']}: upgrade hch")
        runs: tuple[str, ...] = self._validated(Header, data).runs
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


def _shows_key(record: Record, line: str, redaction: Redaction) -> bool:
    raw = record.event.raw if isinstance(record.event, CallFinished) else b""
    return redaction.shows(line) or redaction.data(raw) != raw
