"""A row of an evaluation: what one player at one depth answered, and what that tells."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias

from hch.budget import Price
from hch.evals.checking import Checks
from hch.evals.paired import Paired
from hch.evals.share import Share
from hch.evals.trees import Level, Step
from hch.evals.voting import Together, Voting
from hch.types import Question

What: TypeAlias = Literal["alone", "tree", "vote"]
"""HCH_0; HCH_n; or the vote of HCH_0 that costs as much as a tree."""


@dataclass(frozen=True, slots=True)
class Given:
    """What one question was answered, of which kind it is, and how long its root was open.

    `expected` is what the answer was held against, None where the task's truth says it. `right` is
    None where there is no answer, and where nobody can tell. `form` is what equal answers have in
    common, None without an answer.
    """

    question: Question
    expected: str | None
    kind: str
    status: str
    text: str | None
    reason: str
    form: str | None
    right: bool | None
    clean: bool
    spent: Price
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One player at one depth. `number` counts from 1; `label` is the player as it was asked for.

    `depth` is the n of HCH_n, 0 for a vote; `players` are by level, from 0 up; `of` is the number
    of the tree's row that a vote was paid by, and `k` how many tries that vote has at most, in the
    mean over the questions: votes of the player itself do not count there. `gain` compares HCH_0 of
    the same player (first) with this row (second), and `against` the vote that cost as much (first)
    with this tree. `agreement` is with HCH_{n-1}: equal answers, of the questions that either
    answered. `wrong_reasons` are the right answers whose tree has a wrong sub-answer, of the right
    ones with sub-answers that anybody can grade. `entered` counts errors by level and `Step`.
    `together` is by level. `scorer` said what counts as the same, None as the task grades.
    """

    number: int
    label: str
    scorer: str | None
    depth: int
    what: What
    of: int | None
    k: float | None
    players: tuple[str, ...]
    answers: tuple[Given, ...]
    gain: Paired | None
    against: Paired | None
    agreement: Share | None
    wrong_reasons: Share
    levels: Mapping[int, Level]
    entered: Mapping[tuple[int, Step], int]
    votes: Voting
    checks: Checks
    together: Mapping[int, Together]

    @property
    def right(self) -> tuple[bool, ...]:
        """By question; what nobody can grade is not right."""
        return tuple(given.right is True for given in self.answers)

    @property
    def accuracy(self) -> Share:
        return Share(sum(self.right), len(self.answers))

    @property
    def answered(self) -> int:
        return self.statuses["answered"]

    @property
    def clean(self) -> int:
        return sum(given.clean for given in self.answers)

    @property
    def ungraded(self) -> int:
        """The answers of which nobody can tell whether they are right."""
        return sum(given.status == "answered" and given.right is None for given in self.answers)

    @property
    def statuses(self) -> Counter[str]:
        return Counter(given.status for given in self.answers)

    @property
    def spent(self) -> Price:
        """What the roots were charged: the same whatever was shared, or found in a cache."""
        return sum((given.spent for given in self.answers), Price())

    @property
    def seconds(self) -> tuple[float, float]:
        """How long a root was open: the median, and all of them together."""
        each = [given.seconds for given in self.answers]
        return (median(each), sum(each)) if each else (0.0, 0.0)

    @property
    def by_kind(self) -> dict[str, Share]:
        """The accuracy by kind of question, in the order of their names; numbers as numbers."""
        found: defaultdict[str, list[bool]] = defaultdict(list)
        for given in self.answers:
            if given.kind:
                found[given.kind].append(given.right is True)
        kinds = sorted(found, key=_natural)
        return {kind: Share(sum(found[kind]), len(found[kind])) for kind in kinds}


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """What sorts height 2 before height 10."""
    words = name.split()
    return tuple((int(w) if w.isdecimal() and len(w) < 10 else -1, w) for w in words)
