"""`{"messages": [...]}`: OpenAI's fine-tuning, TRL, Axolotl, Unsloth.

Loss is on every reply of a conversation, so that a prompt which has replies in it is taken only
with `weights`, by which they are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.formats._messages import MESSAGE, THOUGHTFUL, Reasoning, messages, reply, without
from hch.protocols import Format
from hch.rows import Row


class Conversational(Format):
    """The prompt's messages and the reply, in one list."""

    kinds = ("answer", "decision")

    def __init__(self, reasoning: Reasoning, weights: bool) -> None:
        self._reasoning, self._weights = reasoning, weights
        message = THOUGHTFUL if reasoning == "field" else MESSAGE
        self.columns = {"messages": [{**message, "weight": "whole"} if weights else message]}

    def lacks(self, row: Row) -> str | None:
        if lack := without(row):
            return lack
        if not all(turn.content for turn in row.prompt):
            return "text in a message of its prompt"
        replies = any(turn.role == "assistant" for turn in row.prompt)
        return "a prompt without replies in it" if replies and not self._weights else None

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        before: list[dict[str, Any]] = list(messages(row.prompt))
        said: dict[str, Any] = reply(row.completion, row.thinking, self._reasoning)
        if self._weights:
            before = [
                {**turn, "weight": 0} if turn["role"] == "assistant" else turn for turn in before
            ]
            said["weight"] = 1
        return [{"messages": [*before, said]}]


def build(*, reasoning: Reasoning = "out", weights: bool = False) -> Format:
    """`weights` are OpenAI's: 1 on the reply that is learned, 0 on those in its prompt."""
    return Conversational(reasoning, weights)
