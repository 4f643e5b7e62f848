"""Rows as a Parquet file, by pyarrow (the extra `data`), a few megabytes in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from hch.datasets.manifest import FileEntry
from hch.errors import ConfigError
from hch.protocols import Column

GROUP = 4_000_000
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
