"""Rows as a Parquet file, by pyarrow (the extra `data`), a few megabytes in memory at a time."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, BinaryIO, Protocol

from hch.datasets.manifest import FileEntry
from hch.errors import ConfigError
from hch.protocols import Column
from hch.safe_text import one_line

GROUP = 2_000_000
"""The characters of rows that are a row group, unless one row has more."""

MOST = 10_000
"""The most rows of a row group."""


class File(Protocol):
    """Where bytes go, one after the other."""

    def write(self, data: bytes) -> int: ...
    def close(self) -> None: ...
    def entry(self, rows: int) -> FileEntry: ...


def check_installed() -> None:
    """Raises ConfigError where pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError("Parquet needs pyarrow: pip install 'hch[data]'") from error


class Table:
    """Rows of these columns into a file, written a row group at a time.

    The bytes depend on the rows and on pyarrow's version, and on nothing else.
    """

    def __init__(self, file: File, columns: Mapping[str, Column]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._file, self._sink = file, _Sink(file)
        self._schema = schema(columns)
        self._writer = parquet.ParquetWriter(
            pa.PythonFile(self._sink, mode="w"),
            self._schema,
            version="2.6",
            data_page_version="1.0",
            compression="zstd",
            store_schema=False,  # it would only say again what the columns are
        )
        self._held: list[str] = []
        self._rows = self._size = 0

    def take(self, line: str) -> None:
        self._held.append(line)
        self._rows += 1
        self._size += len(line)
        if self._size >= GROUP or len(self._held) >= MOST:
            self._flush()

    def close(self) -> FileEntry:
        self._flush()
        self._writer.close()
        self._file.close()
        return self._file.entry(self._rows)

    def drop(self) -> None:
        self._sink.deaf = True
        self._writer.close()
        self._file.close()

    def _flush(self) -> None:
        if self._held:
            import pyarrow as pa

            rows = json.loads(f"[{','.join(self._held)}]")
            self._held, self._size = [], 0
            table = pa.Table.from_pylist(rows, schema=self._schema)
            self._writer.write_table(table, row_group_size=len(rows))


class _Sink:
    """A file as pyarrow wants it; one that is deaf takes nothing more."""

    closed = False

    def __init__(self, file: File) -> None:
        self._file = file
        self.deaf = False

    def write(self, data: bytes) -> int:
        return len(data) if self.deaf else self._file.write(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


def schema(columns: Mapping[str, Column]) -> Any:
    """The Arrow schema of a format's columns."""
    import pyarrow as pa

    return pa.schema([(name, _arrow(column)) for name, column in columns.items()])


def _arrow(column: Column) -> Any:
    import pyarrow as pa

    match column:
        case "text":
            return pa.string()
        case "number":
            return pa.float64()
        case "whole":
            return pa.int64()
        case "flag":
            return pa.bool_()
        case Mapping():
            return pa.struct([(name, _arrow(of)) for name, of in column.items()])
        case [of]:
            return pa.list_(_arrow(of))
    raise ValueError(f"{column!r} is no column's type")


class Reader:
    """A Parquet file as it is read, a row group at a time.

    Raises ConfigError where pyarrow is missing, ValueError for what is no such file.
    """

    def __init__(self, file: BinaryIO) -> None:
        check_installed()
        import pyarrow as pa
        from pyarrow import parquet

        self._errors = (pa.ArrowException, OSError, UnicodeDecodeError)
        try:
            self._file = parquet.ParquetFile(pa.PythonFile(file, mode="r"))
            about = self._file.metadata
            sizes = [about.row_group(group).num_rows for group in range(about.num_row_groups)]
        except self._errors as error:
            raise self._wrong(error) from error
        self._ends = list(accumulate(sizes))
        self.groups = len(sizes)

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self._ends[-1] if self._ends else 0

    @property
    def schema(self) -> Any:
        """The Arrow schema of its columns."""
        return self._file.schema_arrow

    def place(self, number: int) -> tuple[int, int]:
        """The group of the row of that number, and its number therein."""
        if not 0 <= number < self.count:
            raise ValueError(f"there is no row {number}")
        group = bisect_right(self._ends, number)
        return group, number - (self._ends[group - 1] if group else 0)

    def rows(self, group: int) -> list[dict[str, Any]]:
        """The rows of a group."""
        try:
            found: list[dict[str, Any]] = self._file.read_row_group(
                group, use_threads=False
            ).to_pylist()
        except self._errors as error:
            raise self._wrong(error) from error
        return found

    def _wrong(self, error: Exception) -> ValueError:
        return ValueError(f"it is no sound Parquet file: {one_line(str(error), 200)}")
