"""The log-probabilities of each token of a reply and of its alternatives: soft targets.

For offline knowledge distillation by a loss of your own; TRL has no trainer that takes them
(huggingface/trl#3055).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from hch.formats._messages import MESSAGE, messages, reply, without
from hch.formats._weights import Weighted
from hch.protocols import Column, Format
from hch.rows import Row

_COLUMNS: Mapping[str, Column] = {
    "prompt": [MESSAGE],
    "completion": [MESSAGE],
    "logprobs": [["number"]],
    "target_token_ids": [["whole"]],
    "token_ids": ["whole"],
    "temperature": "number",
    "tokenizer_hash": "text",
    "model": "text",
    "model_revision": "text",
}


class Logprobs(Format):
    """The prompt, the reply, and for each of its T tokens the same k alternatives.

    `logprobs[T][k]` are natural logarithms, `target_token_ids[T][k]` numbers of the tokenizer of
    that hash. `token_ids[T]` are the reply's own, none where they are not all known, and may be
    other than the most likely. `temperature` is null where it is the server's own, the revision
    where it is unknown.
    """

    kinds = ("soft",)
    numbered = True
    columns = _COLUMNS

    def lacks(self, row: Row) -> str | None:
        if lack := without(row):
            return lack
        tokens = row.tokens
        if tokens is None or not tokens.ids:
            return "log-probabilities"
        widths = {*map(len, tokens.ids), *map(len, tokens.logprobs)}
        if len(tokens.ids) != len(tokens.logprobs) or len(widths) != 1 or 0 in widths:
            return "as many log-probabilities at each token"
        finite = all(isfinite(number) for position in tokens.logprobs for number in position)
        return None if finite else "log-probabilities that are numbers"

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        tokens = row.tokens
        assert tokens is not None
        line = {
            "prompt": messages(row.prompt),
            "completion": [reply(row.completion)],
            "logprobs": [[float(number) for number in position] for position in tokens.logprobs],
            "target_token_ids": [list(position) for position in tokens.ids],
            "token_ids": list(tokens.drawn),
            "temperature": None if tokens.temperature is None else float(tokens.temperature),
            "tokenizer_hash": tokens.tokenizer,
            "model": row.origin.model,
            "model_revision": row.origin.revision,
        }
        return [line]


def build(*, weights: bool = False) -> Format:
    """`weights` adds how much each row counts."""
    return Weighted(Logprobs()) if weights else Logprobs()
