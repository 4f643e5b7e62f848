"""`{"prompt": [messages]}`: TRL's GRPO, on-policy distillation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hch.formats._messages import MESSAGE, messages
from hch.protocols import Format
from hch.rows import Row

_COLUMNS = {"prompt": [MESSAGE]}


class PromptOnly(Format):
    """The prompt's messages, to which the model that is trained replies itself."""

    kinds = ("prompt-only",)
    columns = _COLUMNS

    def encode(self, row: Row) -> Sequence[Mapping[str, Any]]:
        return [{"prompt": messages(row.prompt)}]


def build() -> Format:
    return PromptOnly()
