"""Rows into files of so many rows each, by kind and split; beside each file the rows' origins.

    <kind>/<split>/00000.jsonl or .parquet
    origins/<kind>/<split>/00000.jsonl       line i is where row i is from

Equal rows in an equal order give equal bytes, and lone surrogates are U+FFFD, in either container.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Literal, Protocol, Self, TypeAlias

from hch.datasets.folder import naming, opened, shown
from hch.datasets.manifest import FileEntry, named_split, origins_of, row_shard
from hch.errors import UsageError
from hch.protocols import Column
from hch.rows import KINDS

Container: TypeAlias = Literal["jsonl", "parquet"]

ROWS = 50_000
"""The rows of a shard."""

FULL = 256_000_000
"""The characters of rows from which on a shard takes no further one."""

AT_ONCE = 1 << 18
"""The characters that are written together, unless one line has more."""

_LONE = re.compile("[\ud800-\udfff]")


class Shards:
    """Writes the rows of a dataset into a folder; to be closed, or used in a `with`.

    `columns` are those of the format. Raises UsageError for a kind or split of no such name,
    ConfigError where Parquet lacks its package, OSError where a file cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        columns: Mapping[str, Column],
        container: Container,
        rows: int = ROWS,
    ) -> None:
        self._folder, self._container, self._rows = folder, container, rows
        self._columns = columns
        self._open: dict[tuple[str, str], _Shard] = {}
        self._next: dict[tuple[str, str], int] = {}
        self._done: list[FileEntry] = []
        if container == "parquet":
            from hch.datasets.parquet import check_installed

            check_installed()

    def write(self, kind: str, split: str, line: str, origin: str) -> None:
        """Write a row: itself and its origin, each the JSON text of an object."""
        where = kind, split
        shard = self._open.get(where)
        if shard is None:
            shard = self._open[where] = self._begun(where)
        shard.take(line, origin)
        if shard.rows >= self._rows or shard.characters >= FULL:
            self._done += self._open.pop(where).close()

    def carry(self, earlier: Path, files: Iterable[FileEntry]) -> None:
        """Take over shards of an earlier dataset, byte for byte; further rows come after them.

        Files that are no shards are left. Raises UsageError where one is not as `files` has it.
        """
        files = tuple(files)
        known = {entry.path: entry for entry in files}
        for entry in files:
            where = row_shard(entry.path)
            origins = known.get(origins_of(entry.path))
            if where is None or origins is None:
                continue
            for each in (entry, origins):
                self._done.append(_copied(earlier, self._folder, each))
            number = int(Path(entry.path).stem) + 1
            self._next[where] = max(self._next.get(where, 0), number)

    def close(self) -> list[FileEntry]:
        """Finish every file; all of them, by path."""
        for where in list(self._open):
            self._done += self._open.pop(where).close()
        return sorted(self._done, key=lambda entry: entry.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for where in list(self._open):
            self._open.pop(where).drop()

    def _begun(self, where: tuple[str, str]) -> _Shard:
        kind, split = where
        if kind not in KINDS:
            raise UsageError(f"{kind!r} is no kind of row: there are {', '.join(KINDS)}")
        try:
            named_split(split)
        except ValueError as error:
            raise UsageError(str(error)) from error
        number = self._next.get(where, 0)
        self._next[where] = number + 1
        path = f"{kind}/{split}/{number:05}.{self._container}"
        rows, origins = _Hashed(self._folder, path), _Hashed(self._folder, origins_of(path))
        if self._container == "jsonl":
            return _Shard(_Lines(rows), _Lines(origins))
        from hch.datasets.parquet import Table

        return _Shard(Table(rows, self._columns), _Lines(origins))


class Written(Protocol):
    """A file of rows as it is being written."""

    def take(self, line: str) -> None: ...
    def close(self) -> FileEntry: ...
    def drop(self) -> None:
        """Let go of the file, which is not whole."""
        ...


class _Shard:
    """A file of rows, and that of their origins."""

    def __init__(self, lines: Written, origins: Written) -> None:
        self._lines, self._origins = lines, origins
        self.rows = self.characters = 0

    def take(self, line: str, origin: str) -> None:
        self._lines.take(plain(line))
        self._origins.take(plain(origin))
        self.rows += 1
        self.characters += len(line)

    def close(self) -> tuple[FileEntry, FileEntry]:
        return self._lines.close(), self._origins.close()

    def drop(self) -> None:
        self._lines.drop()
        self._origins.drop()


class _Hashed:
    """A new file, and the hash of what was written to it so far."""

    def __init__(self, folder: Path, path: str) -> None:
        self.path, self.bytes = path, 0
        self._hash = sha256()
        self._place = folder / path
        self._place.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = self._place.open("xb", buffering=0)

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        with naming(self._place):
            while rest:
                rest = rest[self._file.write(rest) :]
        self._hash.update(data)
        self.bytes += len(data)
        return len(data)

    def close(self) -> None:
        self._file.close()

    def entry(self, rows: int) -> FileEntry:
        return FileEntry(path=self.path, rows=rows, bytes=self.bytes, sha256=self._hash.hexdigest())


class _Lines:
    """Lines of ASCII JSON."""

    def __init__(self, file: _Hashed) -> None:
        self._file = file
        self._held: list[str] = []
        self._rows = self._size = 0

    def take(self, line: str) -> None:
        self._held.append(line)
        self._rows += 1
        self._size += len(line)
        if self._size >= AT_ONCE:
            self._flush()

    def close(self) -> FileEntry:
        self._flush()
        self._file.close()
        return self._file.entry(self._rows)

    def drop(self) -> None:
        self._file.close()

    def _flush(self) -> None:
        if self._held:
            self._held.append("")
            self._file.write("\n".join(self._held).encode("ascii"))
            self._held, self._size = [], 0


def without_surrogates(text: str) -> str:
    """The text with U+FFFD for each lone surrogate, for which UTF-8 has no bytes."""
    return text if text.isascii() else _LONE.sub("\ufffd", text)


def plain(line: str) -> str:
    """The JSON text in ASCII, on one line, without lone surrogates."""
    if line.isascii() and "\\ud" not in line and "\n" not in line and "\\uD" not in line:
        return line
    data = json.loads(line)
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    if (clean := without_surrogates(text)) != text:
        data = json.loads(clean)
    return json.dumps(data, allow_nan=False, separators=(",", ":"))


def write_lines(folder: Path, path: str, lines: Iterable[str]) -> FileEntry:
    """Write a list of JSON texts into a new file, a line each. Raises OSError."""
    file = _Lines(_Hashed(folder, path))
    try:
        for line in lines:
            file.take(plain(line))
        return file.close()
    finally:
        file.drop()


def write_text(folder: Path, path: str, text: str) -> FileEntry:
    """Write a text into a new file. Raises OSError."""
    file = _Hashed(folder, path)
    try:
        file.write(text.encode("utf-8", "backslashreplace"))
        return file.entry(0)
    finally:
        file.close()


def _copied(earlier: Path, folder: Path, entry: FileEntry) -> FileEntry:
    copy = _Hashed(folder, entry.path)
    try:
        with opened(earlier, entry.path) as file:
            while some := file.read(1 << 20):
                copy.write(some)
    finally:
        copy.close()
    if (made := copy.entry(entry.rows)) != entry:
        raise UsageError(
            f"{shown(earlier, entry.path)} is not as its manifest has it: "
            "hch dataset verify says what is wrong"
        )
    return made
