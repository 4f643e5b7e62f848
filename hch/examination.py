"""What a run of many roots asks: each question of every entry, and how that is to be graded.

Root number `i` is question `i // len(entries)`, answered as entry `i % len(entries)` says.
"""

from __future__ import annotations

from typing import Annotated, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from hch.wire import Chars, Wire

Number: TypeAlias = Annotated[int, Field(ge=0)]

_LISTED = BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)


class Entry(Wire):
    """One of the answers that each question gets: that of a lineup.

    With `paid_by` the lineup's highest player is a vote, of as many tries as what that entry spent
    on the question pays for, at what entry `unit` spent on it. With `grades` it is not the question
    that is put to the lineup, but whether that entry's answer to it is right.
    """

    lineup: Number = 0
    paid_by: Number | None = None
    unit: Number | None = None
    grades: Number | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.paid_by is None) != (self.unit is None):
            raise ValueError("what pays for a vote and what a try costs go together")
        if self.paid_by is not None and self.grades is not None:
            raise ValueError("an entry votes or grades")
        return self

    @property
    def after(self) -> tuple[int, ...]:
        """The entries whose answers to the question it waits for."""
        found = (self.paid_by, self.unit, self.grades)
        return tuple(n for n in found if n is not None)


class Examination(Wire):
    """What the answers are held against, and what they are called.

    `labels` name the lineups, one for each. `expected` and `kinds` are by question: the right
    answer, None where the task's truth says it, and what accuracy is told apart by. `scorer` says
    what counts as the same; None is as the task grades. Where trees are `generated`, they are what
    is wanted, and not how many of them are right.
    """

    source: str
    labels: Annotated[tuple[str, ...], _LISTED]
    expected: Annotated[tuple[Chars | None, ...], _LISTED]
    kinds: Annotated[tuple[Chars, ...], _LISTED]
    scorer: str | None = None
    sample: int = 0
    generated: bool = False


def check_entries(entries: tuple[Entry, ...], lineups: int) -> None:
    """Raises ValueError for an entry of no lineup, or one that waits for what it cannot be about.

    That is what does not come before it, a grade, and, for a vote, another vote.
    """
    grading = {place for place, entry in enumerate(entries) if entry.grades is not None}
    voting = {place for place, entry in enumerate(entries) if entry.paid_by is not None}
    for place, entry in enumerate(entries):
        if entry.lineup >= lineups:
            raise ValueError(f"entry {place} is of lineup {entry.lineup}, and there are {lineups}")
        if any(n >= place for n in entry.after):
            raise ValueError(f"entry {place} waits for one that does not come before it")
        if {entry.paid_by, entry.unit} & (grading | voting) or entry.grades in grading:
            raise ValueError(f"entry {place} is about one that is no answer of its own")
