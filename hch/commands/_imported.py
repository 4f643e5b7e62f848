"""What is told of a run that was imported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """A run of a file: how many events it has, how many labels it brings, whether it is new."""

    run: str
    events: int
    labels: int
    new: bool

    def as_object(self) -> dict[str, object]:
        return {
            "run": self.run,
            "events": self.events,
            "labels": self.labels,
            "brought": self.new,
        }
