"""`{"prompt": [messages], "completion": [messages]}`: TRL's SFT, loss on the completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hch.protocols import Column, Format
from hch.rows import Kind, Row

_MESSAGES: Column = [{"role": "text", "content": "text"}]


class PromptCompletion:
    """The prompt's messages, and the reply as one of the assistant."""

    kinds: tuple[Kind, ...] = ("answer", "decision")
    judged = False
    columns: ClassVar[Mapping[str, Column]] = {"prompt": _MESSAGES, "completion": _MESSAGES}

    def lacks(self, row: Row) -> str | None:
        return None

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        prompt = [{"role": turn.role, "content": turn.content} for turn in row.prompt]
        completion = [{"role": "assistant", "content": row.completion}]
        return [{"prompt": prompt, "completion": completion}]

    def beside(self, folders: Mapping[str, Sequence[str]]) -> Mapping[str, str]:
        return {}


def build() -> Format:
    return PromptCompletion()
