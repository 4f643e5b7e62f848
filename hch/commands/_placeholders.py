"""Which strategies use each prompt, and what it has to be filled with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hch import registry
from hch.errors import HchError
from hch.prompts import ALWAYS, REPAIR, REPAIR_PLACEHOLDERS

if TYPE_CHECKING:
    from hch.protocols import Strategy

ANY_TASK = "arithmetic"
"""The task for what is built to be looked at."""


@dataclass(frozen=True, slots=True)
class Use:
    """Who uses a prompt, by name, and the placeholders that its file must have."""

    strategies: tuple[str, ...]
    placeholders: frozenset[str]


@dataclass(frozen=True, slots=True)
class Uses:
    """What each prompt is used for, by its name, and why strategies were left out."""

    by_prompt: Mapping[str, Use]
    left_out: tuple[str, ...]


def uses() -> Uses:
    """Of every strategy that can be built by its name alone."""
    found = {REPAIR: Use((), REPAIR_PLACEHOLDERS)}
    left_out: list[str] = []
    task = registry.build("tasks", registry.Spec(ANY_TASK))
    for name in registry.names("strategies"):
        try:
            strategy: Strategy = registry.build("strategies", registry.Spec(name), task=task)
        except HchError as error:
            left_out.append(str(error))
            continue
        for prompt, more in strategy.prompts.items():
            use = found.get(prompt, Use((), more | ALWAYS))
            found[prompt] = Use((*use.strategies, name), use.placeholders)
    return Uses(found, tuple(left_out))
