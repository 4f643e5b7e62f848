"""`{"prompt": [...], "chosen": [...], "rejected": [...]}`: DPO and reward models, TRL's, Axolotl's.

What was thought is left out: it is known of one of the two only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.formats._messages import MESSAGE, messages, reply, without_two
from hch.formats._weights import Weighted
from hch.protocols import Format
from hch.rows import Row

_COLUMNS = {"prompt": [MESSAGE], "chosen": [MESSAGE], "rejected": [MESSAGE]}


class Preference(Format):
    """The prompt's messages, and two replies to it of which the first is better."""

    kinds = ("preference",)
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        return without_two(row)

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        line = {
            "prompt": messages(row.prompt),
            "chosen": [reply(row.completion)],
            "rejected": [reply(row.rejected)],
        }
        return [line]


def build(*, weights: bool = False) -> Format:
    """`weights` adds how much each row counts, which TRL's own trainers do not read."""
    return Weighted(Preference()) if weights else Preference()
