"""`{"prompt": [...], "completion": [...], "label": true}`: TRL's KTO.

An answer is a line by whether it is right; a preference is two, one of each label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.formats._messages import MESSAGE, messages, reply, without_verdict
from hch.formats._weights import Weighted
from hch.protocols import Column, Format
from hch.rows import Row

_COLUMNS: Mapping[str, Column] = {"prompt": [MESSAGE], "completion": [MESSAGE], "label": "flag"}


class Unpaired(Format):
    """The prompt's messages, a reply, and whether it is one to give."""

    kinds = ("answer", "preference")
    judged = True
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        return without_verdict(row)

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        if row.kind == "preference":
            return [self._line(row, row.completion, True), self._line(row, row.rejected, False)]
        return [self._line(row, row.completion, bool(row.good))]

    def _line(self, row: Row, text: str, label: bool) -> Mapping[str, Any]:
        return {"prompt": messages(row.prompt), "completion": [reply(text)], "label": label}


def build(*, weights: bool = False) -> Format:
    """`weights` adds how much each row counts, which TRL's own trainers do not read."""
    return Weighted(Unpaired()) if weights else Unpaired()
