"""How much a row counts, as a last column of any format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.protocols import Format
from hch.rows import Row


class Weighted(Format):
    """A format with a number `weight` in each line."""

    def __init__(self, inner: Format) -> None:
        self._inner = inner
        self.kinds, self.judged, self.numbered = inner.kinds, inner.judged, inner.numbered
        self.columns = {**inner.columns, "weight": "number"}

    def lacks(self, row: Row) -> str | None:
        return self._inner.lacks(row)

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        return [{**line, "weight": float(row.weight)} for line in self._inner.encode(row)]

    def beside(self, folders: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        return self._inner.beside(folders)
