"""What was asked, as typed: the question, who plays which level, and what was not said."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from hch import registry
from hch.commands._given import decoded
from hch.errors import UsageError

if TYPE_CHECKING:
    from hch.compose import HCH
    from hch.protocols import Task
    from hch.steps import Instance

BUILT_IN = (
    "no model is named and no key is set: the built-in script answers, and {}; for a real model: "
    "-m anthropic:NAME or -m openai:NAME with its key set, -m vllm:NAME, or -m gguf:PATH"
)


def from_stdin() -> str:
    """The question on stdin, without white space round it. Raises UsageError for none."""
    data = sys.stdin.buffer.read() if sys.stdin else b""
    text = decoded(data, "what came on stdin is not text in UTF-8").strip()
    if not text:
        raise UsageError("the question is empty: nothing came on stdin")
    return text


def sound(question: str) -> str:
    """The question as typed. Raises UsageError where it was typed in bytes that are no UTF-8."""
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the question is not text in UTF-8") from error
    return question


def players_at(texts: Sequence[str]) -> dict[str, str]:
    """Players by levels. Raises UsageError where that cannot be read, or levels come twice."""
    players: dict[str, str] = {}
    for text in texts:
        levels, equals, player = (part.strip() for part in text.partition("="))
        if not equals or not player or not levels.isascii():
            raise UsageError(f"--at {text!r}: write LEVELS=PLAYER, such as 0=direct@openai:NAME")
        if levels in players:
            raise UsageError(f"--at names a player for the levels {levels} twice")
        players[levels] = player
    return players


def check_levels(hch: HCH) -> None:
    """Raises UsageError where two players are given for the same levels, written otherwise."""
    seen: dict[range, str] = {}
    for levels in hch.at:
        same = seen.setdefault(registry.parse_levels(levels, hch.levels), levels)
        if same != levels:
            raise UsageError(f"--at names players for the levels {same} and {levels}: the same")


def meant(task: Task, number: int | None) -> Instance | None:
    """The instance that a question of this task is about, if a number names one.

    Raises UsageError for a task that has no facts, or no instance of its size.
    """
    from hch.playing import drawn

    if number is None:
        return None
    if not task.has_facts:
        raise UsageError(
            f"task {task.name!r} has no facts, since its questions say all: leave --instance out"
        )
    return drawn(task, number)


def plays(hch: HCH) -> str:
    """What the built-in script does."""
    task = hch.casting.task.name
    if task == "arithmetic":
        return "it does arithmetic, + - * of integers"
    return f"it plays the task {task}"


def notices(hch: HCH) -> Iterator[str]:
    """What was chosen for whoever asked, without being named."""
    from hch.budget import UNLIMITED
    from hch.words import budget as budget_words

    named = {level for levels in hch.at for level in registry.parse_levels(levels, hch.levels)}
    if hch.casting.built_in and len(named) <= hch.levels:
        yield BUILT_IN.format(plays(hch))
    if hch.casting.by_key:
        key, name = hch.casting.by_key
        if any(player.model and player.model.name == name for player in hch.players):
            yield f"{name} answers, since {key} is set and no model is named; -m names one"
    if (hch.budget or hch.config.file.defaults.budget) is None and hch.cap[0] != UNLIMITED:
        cap = budget_words(hch.cap[0])
        yield f"capped at {cap}, since it costs money; --budget changes that"
    for name in hch.unpriced:
        yield f"{name} has no known price: its cost is not counted; [prices] in hch.toml gives one"
    for name in hch.uncached:
        yield f"the cache keeps nothing of {name}, whose name may stand for another one elsewhere"
    yield from hch.config.strangers
