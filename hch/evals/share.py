"""How many of some, with the interval of 95% of the share that they are."""

from __future__ import annotations

from dataclasses import dataclass

from hch.evals.intervals import wilson


@dataclass(frozen=True, slots=True)
class Share:
    """So many `of` so many. Raises ValueError where there are more of some than there are in all.

    Of none at all `share` is None, and the interval is all there is.
    """

    some: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.some <= self.of:
            raise ValueError(f"{self.some} of {self.of} is no share")

    @property
    def share(self) -> float | None:
        return self.some / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's."""
        return wilson(self.some, self.of) if self.of else (0.0, 1.0)


NONE = Share(0, 0)
