"""What somebody said of a node: good or bad, a score, a note. Records beside a run, no events."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Annotated, Literal, NamedTuple, TypeAlias

from pydantic import Field

from hch.wire import Chars, Wire

Said: TypeAlias = Literal["good", "bad"]

LONGEST = 10_000
"""The characters of a note."""

_RANKS = ("person", "truth", "scorer", "file")
"""Who is believed first, by what `by` begins with."""


class Label(Wire):
    """What `by` said of the node `key`, in Unix seconds; one that says nothing takes it back.

    `by` is `person`, `truth`, `scorer` or `file`, with a colon and a name where it has one, such as
    `person:ada` or `scorer:numeric`.
    """

    key: str
    by: Annotated[str, Field(pattern=r"^(person|truth|scorer|file)(:.{1,200})?$")]
    at: Annotated[float, Field(allow_inf_nan=False)]
    said: Said | None = None
    score: Annotated[float, Field(allow_inf_nan=False)] | None = None
    note: Annotated[Chars, Field(max_length=LONGEST)] = ""

    @property
    def blank(self) -> bool:
        """Whether it says nothing, and so takes back what was said before."""
        return self.said is None and self.score is None and not self.note


class Told(NamedTuple):
    """What holds of a node by its labels; `by` is who said if it is good, or else the score."""

    said: Said | None = None
    score: float | None = None
    by: str = ""
    notes: tuple[str, ...] = ()


def told(labels: Iterable[Label]) -> dict[str, Told]:
    """What holds of each node, by its key.

    The last label of each `by` counts, by its time, and of one time by the order; people are
    believed first, then a task's truth, then scorers, then files, and of equals the last.
    """
    found: dict[str, Told] = {}
    for label in sorted(latest(labels).values(), key=_rank, reverse=True):
        before = found.get(label.key, Told())
        says = label.said is not None or (label.score is not None and before.said is None)
        found[label.key] = Told(
            label.said or before.said,
            before.score if label.score is None else label.score,
            label.by if says else before.by,
            (label.note, *before.notes) if label.note else before.notes,
        )
    return found


def latest(labels: Iterable[Label]) -> dict[tuple[str, str], Label]:
    """The last label of each node and each `by`, the latest of them last."""
    last: dict[tuple[str, str], Label] = {}
    for label in sorted(labels, key=attrgetter("at")):
        last.pop((label.key, label.by), None)
        last[label.key, label.by] = label
    return last


def _rank(label: Label) -> int:
    return _RANKS.index(label.by.partition(":")[0])
