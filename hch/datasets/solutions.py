"""The steps to a node's answer, as far as each was judged: what a step row is made of.

The steps of a tree are its sub-questions with their answers, and the answer at last. Those of a
solution that was imported (`hch import --as prm800k`) are its own: children that are asked `STEP`,
one in each round of which is `CHOSEN` to go on from. Another that was rated in its place ends a
solution of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hch.datasets import judged
from hch.datasets.reading import Heard, Seen
from hch.judging import Said
from hch.labels import Told
from hch.rows import Step

STEP = "Write the next step of the solution."
"""What a step of a solution answers; the problem and the steps before it are its context."""

CHOSEN = "chosen"
"""The note of a step that the next one follows."""


@dataclass(frozen=True, slots=True)
class Solution:
    """Steps, and whether the answer that they end in is right; None where nobody told."""

    steps: tuple[Step, ...]
    by: str
    good: bool | None = None


def solutions(seen: Seen, told: Mapping[str, Told], check: Said | None) -> Iterator[Solution]:
    """What a node's asks make, what was asked again once; none where the first was not judged."""
    asked: dict[int, Heard] = {}
    for heard in filter(_counts, seen.asks):
        asked.setdefault(heard.node, heard)
    rated = [(heard, _step(heard, told)) for heard in asked.values()]
    known = judged.judged(told.get(seen.opened.key), check)
    if any(heard.opened and heard.opened.question.body == STEP for heard, _ in rated):
        yield from _imported(rated, known)
        return
    steps = _judged([step for _, step in rated])
    if steps and len(steps) == len(rated) and known.good is not None:
        score = told.get(seen.opened.key, Told()).score
        steps.append(_Rated(judged.body(seen.closed) or "", known.good, known.by, score))
        yield _solution(steps, known.good)
    elif steps:
        yield _solution(steps, None)


@dataclass(frozen=True, slots=True)
class _Rated:
    """A step and who judged it; `good` is None where nobody did."""

    text: str
    good: bool | None
    by: str
    score: float | None


def _counts(heard: Heard) -> bool:
    return heard.how == "ask" and judged.body(heard.closed) is not None


def _step(heard: Heard, told: Mapping[str, Told]) -> _Rated:
    assert heard.opened is not None
    known, labelled = judged.of(heard, told), told.get(heard.opened.key, Told())
    said, asked = judged.body(heard.closed) or "", heard.opened.question.body
    good, by = known.good, known.by
    if good is None and labelled.score is not None:
        good, by = labelled.score >= 0, labelled.by
    text = said if asked == STEP else f"{asked}\n{said}"
    return _Rated(text, good, by, labelled.score)


def _judged(steps: Sequence[_Rated]) -> list[_Rated]:
    """The first steps, up to one that nobody judged."""
    unknown = (place for place, step in enumerate(steps) if step.good is None)
    return list(steps[: next(unknown, len(steps))])


def _imported(rated: Sequence[tuple[Heard, _Rated]], known: judged.Judged) -> Iterator[Solution]:
    path = [step for heard, step in rated if _chosen(heard)]
    others = [
        [*path[: sum(_chosen(one) and one.round < heard.round for one, _ in rated)], step]
        for heard, step in rated
        if not _chosen(heard)
    ]
    steps = _judged(path)
    if steps:
        yield _solution(steps, known.good if len(steps) == len(path) else None)
    for other in others:
        if len(_judged(other)) == len(other):
            yield _solution(other, None)


def _chosen(heard: Heard) -> bool:
    return heard.closed is not None and CHOSEN in heard.closed.notes


def _solution(steps: Sequence[_Rated], good: bool | None) -> Solution:
    by = ",".join(sorted({step.by for step in steps}))
    return Solution(tuple(Step(s.text, bool(s.good), s.score) for s in steps), by, good)
