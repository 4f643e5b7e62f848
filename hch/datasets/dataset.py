"""A dataset as it is read: its rows with their origins, one after the other or by number.

Only what is looked at is read; of a file at most a row group, or a line, is in memory. What it has
may be somebody's: every error names the file.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from hch.datasets import parquet
from hch.datasets.folder import opened, shown
from hch.datasets.manifest import FIRST, FileEntry, Manifest, origins_of, row_shard
from hch.errors import UsageError
from hch.rows import KINDS

Data: TypeAlias = Mapping[str, Any]


class Shard(NamedTuple):
    """A file of rows; `first` is the number of its first row among those of its kind and split."""

    kind: str
    split: str
    entry: FileEntry
    first: int


@dataclass(frozen=True, slots=True)
class Page:
    """A row: `line` is its number in its file, from 0, and `row` what the file has."""

    shard: Shard
    line: int
    row: Data
    origin: Data

    @property
    def place(self) -> str:
        """`answer/train/00000.jsonl:6`: a line as editors count them."""
        return f"{self.shard.entry.path}:{self.line + 1}"

    @property
    def number(self) -> int:
        """Its number among the rows of its kind and split, as `datasets` counts them."""
        return self.shard.first + self.line


class Dataset:
    """A folder with a manifest. Raises UsageError where there is none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = Manifest.read(folder)
        self._index: dict[str, array[int]] = {}
        self._group: tuple[str, int, Sequence[Data]] = ("", -1, [])

    def shards(self, kind: str | None = None, split: str | None = None) -> list[Shard]:
        """Its files of rows, of that kind and split or of all: the order in which rows count.

        Raises UsageError, saying which there are, where none is of that kind and split.
        """
        found: list[Shard] = []
        for of_kind, of_split, entry in sorted(self._entries(), key=_place):
            last = found[-1] if found else None
            first = 0
            if last is not None and last[:2] == (of_kind, of_split):
                first = last.first + last.entry.rows
            found.append(Shard(of_kind, of_split, entry, first))
        wanted = [s for s in found if kind in (None, s.kind) and split in (None, s.split)]
        if not wanted and (kind or split):
            there = dict.fromkeys(f"{shard.kind}/{shard.split}" for shard in found)
            asked = "/".join(filter(None, (kind, split)))
            raise UsageError(
                f"{shown(self.folder, '')} has no rows of {asked}: {', '.join(there) or 'none'}"
            )
        return wanted

    def _entries(self) -> Iterator[tuple[str, str, FileEntry]]:
        for entry in self.manifest.files:
            if (where := row_shard(entry.path)) is not None and entry.rows:
                yield *where, entry

    def pages(self, shards: list[Shard]) -> Iterator[Page]:
        """Every row of these files. Raises UsageError where rows and origins are not as many."""
        for shard in shards:
            path = shard.entry.path
            rows, origins = self.rows(path), self.lines(origins_of(path))
            line = -1
            for line, row in enumerate(rows):
                if (origin := next(origins, None)) is None:
                    break
                yield Page(shard, line, row, origin)
            if line + 1 != shard.entry.rows or next(origins, None) is not None:
                raise UsageError(
                    f"{shown(self.folder, path)} has other rows than its manifest or its origins: "
                    "hch dataset verify says more"
                )

    def page(self, shards: list[Shard], number: int) -> Page:
        """The row of that number, from 0, of those in these files. Raises UsageError."""
        ends = list(accumulate(shard.entry.rows for shard in shards))
        if not 0 <= number < (ends[-1] if ends else 0):
            of = f"0 to {ends[-1] - 1:,}" if ends else "none"
            raise UsageError(f"there is no row {number}: the rows are {of}")
        i = bisect_right(ends, number)
        shard, line = shards[i], number - (ends[i - 1] if i else 0)
        path = shard.entry.path
        row = self._group_row(path, line) if _columnar(path) else self._line(path, line)
        return Page(shard, line, row, self._line(origins_of(path), line))

    def rows(self, path: str) -> Iterator[Data]:
        """The rows of a file in order."""
        if not _columnar(path):
            yield from self.lines(path)
            return
        with self._table(path) as table:
            for group in range(table.groups):
                yield from table.rows(group)

    def lines(self, path: str) -> Iterator[Data]:
        """The objects of a file of JSON lines in order."""
        with opened(self.folder, path) as file:
            for number, line in enumerate(file, 1):
                yield self._object(path, number, line)

    def _line(self, path: str, number: int) -> Data:
        with opened(self.folder, path) as file:
            starts = self._index.get(path)
            if starts is None:
                starts = self._index[path] = _starts(file)
            if number >= len(starts):
                raise self._wrong(path, number + 1, "there is no such line")
            file.seek(starts[number])
            return self._object(path, number + 1, file.readline())

    def _group_row(self, path: str, number: int) -> Data:
        with self._table(path) as table:
            group, within = table.place(number)
            if self._group[:2] != (path, group):
                self._group = path, group, table.rows(group)
            return self._group[2][within]

    @contextmanager
    def _table(self, path: str) -> Iterator[parquet.Reader]:
        with opened(self.folder, path) as file:
            try:
                yield parquet.Reader(file)
            except ValueError as error:
                raise UsageError(f"{shown(self.folder, path)}: {error}") from error

    def _object(self, path: str, number: int, line: bytes) -> Data:
        try:
            data = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise self._wrong(path, number, "it is not JSON") from error
        if not isinstance(data, dict):
            raise self._wrong(path, number, "it is no JSON object")
        return data

    def _wrong(self, path: str, number: int, why: str) -> UsageError:
        return UsageError(f"{shown(self.folder, path)}, line {number:,}: {why}")


def _columnar(path: str) -> bool:
    return path.endswith(".parquet")


def _starts(file: BinaryIO) -> array[int]:
    """Where each line begins."""
    starts, at = array("Q"), 0
    for line in file:
        starts.append(at)
        at += len(line)
    return starts


def _place(item: tuple[str, str, FileEntry]) -> tuple[int, int, str, str]:
    kind, split, entry = item
    first = FIRST.index(split) if split in FIRST else len(FIRST)
    return KINDS.index(kind), first, split, entry.path
