"""Prompts and replies as chat messages: what most tools that fine-tune a model take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

from hch.protocols import Column
from hch.rows import Row, Turn

Reasoning: TypeAlias = Literal["out", "field", "inline"]
"""Where what a model thought before its reply goes: nowhere, beside the content, or before it."""

MESSAGE: Mapping[str, Column] = {"role": "text", "content": "text"}
THOUGHTFUL: Mapping[str, Column] = {"role": "text", "content": "text", "reasoning_content": "text"}
"""A message of which it is told what was thought before it."""


def messages(turns: Iterable[Turn]) -> list[dict[str, str]]:
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def reply(text: str, thinking: str = "", reasoning: Reasoning = "out") -> dict[str, str]:
    """The assistant's message; as a `field`, an empty text says that nothing was thought."""
    message = {"role": "assistant", "content": text}
    if reasoning == "field":
        message["reasoning_content"] = thinking
    elif reasoning == "inline":
        message["content"] = thoughtful(text, thinking)
    return message


def thoughtful(text: str, thinking: str) -> str:
    """A text after what was thought, in the tags of the Qwen3 and DeepSeek-R1 chat templates."""
    return f"<think>\n{thinking}\n</think>\n\n{text}" if thinking else text


def without(row: Row) -> str | None:
    """What a row lacks that has a reply to its prompt."""
    return None if row.completion else "a completion"


def without_two(row: Row) -> str | None:
    """What a row lacks in which one reply is better than another."""
    if lack := without(row):
        return lack
    if not row.rejected:
        return "a rejected completion"
    return "two different completions" if row.rejected == row.completion else None


def without_verdict(row: Row) -> str | None:
    """What a row lacks of which it is told if its completion is right."""
    if row.kind == "preference":
        return without_two(row)
    return without(row) or ("a verdict" if row.good is None else None)
