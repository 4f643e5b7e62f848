"""`{"prompt": [messages], "completion": [messages]}`: TRL's SFT, loss on the completion only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.formats._messages import MESSAGE, THOUGHTFUL, Reasoning, messages, reply, without
from hch.formats._weights import Weighted
from hch.protocols import Format
from hch.rows import Row


class PromptCompletion(Format):
    """The prompt's messages, and the reply as one of the assistant."""

    kinds = ("answer", "decision")

    def __init__(self, reasoning: Reasoning) -> None:
        self._reasoning = reasoning
        said = THOUGHTFUL if reasoning == "field" else MESSAGE
        self.columns = {"prompt": [MESSAGE], "completion": [said]}

    def lacks(self, row: Row) -> str | None:
        return without(row)

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        said = reply(row.completion, row.thinking, self._reasoning)
        return [{"prompt": messages(row.prompt), "completion": [said]}]


def build(*, reasoning: Reasoning = "out", weights: bool = False) -> Format:
    """`weights` adds how much each row counts, which TRL's own trainers do not read."""
    rows = PromptCompletion(reasoning)
    return Weighted(rows) if weights else rows
