"""The further lineups of a run: each with a depth and players of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hch.casting import Casting
from hch.errors import UsageError
from hch.protocols import Model
from hch.registry import PlayerSpec, parse_levels
from hch.rules import Lineup

DEEPEST = 10_000


@dataclass(frozen=True, slots=True)
class Side:
    """Another lineup of a run: its depth, and who plays; what is None is as in the run's first.

    Of the levels of `at` those count that it has. A strategy that brings its own model is not
    given the first one's.
    """

    depth: int
    model: str | Model | None = None
    strategy: str | None = None
    at: Mapping[str, str] | None = None

    def cast(self, first: Casting) -> Casting:
        """Who is cast in it, beside that first lineup, with which it shares what is built."""
        own = self.strategy and PlayerSpec.parse(self.strategy).model
        return replace(
            first,
            model=self.model or (None if own else first.model),
            strategy=self.strategy or first.strategy,
            at=clipped(first.at if self.at is None else self.at, self.depth),
        )

    def lineup(self, first: Casting) -> Lineup:
        """Who plays each level. Raises UsageError and ConfigError for what cannot be built."""
        return Lineup(self.cast(first).players(checked_depth(self.depth)))

    def recipe(self, first: Casting) -> dict[str, Any]:
        """What it is built of again, aliases and defaults resolved."""
        recipe = self.cast(first).recipe()
        return {"depth": self.depth, **{name: recipe[name] for name in ("model", "strategy", "at")}}

    def named(self) -> dict[str, Any]:
        """The words that it was asked for in."""
        at = None if self.at is None else dict(self.at)
        return {"depth": self.depth, "model": self.model, "strategy": self.strategy, "at": at}


def clipped(at: Mapping[str, str], depth: int) -> dict[str, str]:
    """Players by levels, as far as HCH_depth has these. Raises UsageError for no levels."""
    found: dict[str, str] = {}
    for levels, player in at.items():
        named = parse_levels(levels, DEEPEST)
        if cut := range(named.start, min(named.stop, depth + 1)):
            written = str(cut[0]) if len(cut) == 1 else f"{cut[0]}-{cut[-1]}"
            found.pop(written, None)  # an equal key would keep its first place
            found[written] = player
    return found


def checked_depth(depth: int) -> int:
    """The depth. Raises UsageError for one that cannot be."""
    if not 0 <= depth <= DEEPEST:
        raise UsageError(f"depth {depth} is not between 0, which is H alone, and {DEEPEST}")
    return depth


def by_level(players: Sequence[str]) -> str:
    """`0=direct@openai:NAME, 1=factored@openai:NAME`."""
    return ", ".join(f"{level}={player}" for level, player in enumerate(players))
