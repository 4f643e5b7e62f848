"""The prompt, the answers to it and the share of the votes that each got: soft targets.

No trainer reads them as they are: the loss is one of your own, the cross-entropy against `shares`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from hch.formats._messages import MESSAGE, messages
from hch.formats._weights import Weighted
from hch.protocols import Column, Format
from hch.rows import Row

_COLUMNS: Mapping[str, Column] = {
    "prompt": [MESSAGE],
    "completions": ["text"],
    "shares": ["number"],
}


class VoteShares(Format):
    """The prompt's messages, texts of replies, and as many shares, which sum to 1."""

    kinds = ("soft",)
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        if not row.shares:
            return "the shares of a vote"
        shares = [share for _, share in row.shares]
        whole = min(shares) >= 0 and isclose(sum(shares), 1, abs_tol=1e-9)
        return None if whole else "shares that sum to 1"

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        line = {
            "prompt": messages(row.prompt),
            "completions": [text for text, _ in row.shares],
            "shares": [float(share) for _, share in row.shares],
        }
        return [line]


def build(*, weights: bool = False) -> Format:
    """`weights` adds how much each row counts."""
    return Weighted(VoteShares()) if weights else VoteShares()
