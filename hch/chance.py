"""Randomness that has a name: equal names, equal draws, wherever and in whatever order."""

from __future__ import annotations

from random import Random
from typing import Any

from hch.types import Path, digest


def seed_of(run: int, sample: Path) -> int:
    """The seed that a request of that sample path carries, in a run of that seed: 48 bits."""
    return int(digest(run, sample)[:12], 16)


class Chance(Random):
    """Seeded by the JSON-like parts that name it, and not before something is drawn.

    Most of what may be random never is, and a digest takes longer than everything else that a
    script does in a step.
    """

    def __init__(self, *parts: Any) -> None:
        super().__init__(0)
        self.named(*parts)

    def named(self, *parts: Any) -> Chance:
        """The same object, to be drawn from anew under another name."""
        self._parts: tuple[Any, ...] | None = parts
        self.gauss_next = None  # half of a pair that was drawn under the name before
        return self

    def random(self) -> float:
        self._begin()
        return super().random()

    def getrandbits(self, k: int, /) -> int:
        self._begin()
        return super().getrandbits(k)

    def _begin(self) -> None:
        if self._parts is not None:
            parts, self._parts = self._parts, None
            self.seed(int(digest(*parts), 16))
