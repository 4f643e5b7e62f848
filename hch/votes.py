"""The rule of a vote: how many tries to make, when it is decided, and what it comes to. No I/O.

Majority is self-consistency (Wang et al. 2022, arXiv 2203.11171): the most votes win. First to be
ahead by k is the rule of MAKER (arXiv 2511.09030). Both stop as soon as no further try can change
what they come to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Literal

from hch.errors import UsageError
from hch.types import KEPT, Answer, Ballot, Text

MOST = 1000
"""The most tries that a vote may make, and the most that it may want to be ahead by."""

USUAL = 3
"""The tries that a majority is of where nothing is said."""


@dataclass(frozen=True, slots=True)
class Rule:
    """The most votes of `k` tries, or the first answer that is `ahead` of every other by so many.

    Without either it is the most of three. That by `ahead` makes at most `most` tries (ten times
    `ahead`), `batch` at once where that is more than are needed anyway. Where several have the most
    votes of k, `ties` says whether the first of them wins, or none. Raises UsageError where that is
    no rule.
    """

    k: int | None = None
    ahead: int | None = None
    most: int | None = None
    batch: int | None = None
    ties: Literal["first", "none"] = "first"

    def __post_init__(self) -> None:
        if self.ahead is None and (self.most is not None or self.batch is not None):
            raise UsageError("a vote with most= or batch= wants ahead=: k= says how many tries")
        if self.ahead is not None and (self.k is not None or self.ties != "first"):
            raise UsageError("a vote with ahead= takes no k= and no ties=: leave them out")
        for name in ("k", "ahead", "most", "batch"):
            said = getattr(self, name)
            if said is not None and not 1 <= said <= MOST:
                raise UsageError(f"{name}={said} is not within 1 to {MOST}")
        if self.most is not None and self.ahead is not None and self.most < self.ahead:
            raise UsageError(f"most={self.most} tries cannot bring one ahead={self.ahead}")

    @property
    def of(self) -> int:
        """How many tries are made at most."""
        if self.ahead is None:
            return USUAL if self.k is None else self.k
        return min(10 * self.ahead, MOST) if self.most is None else self.most

    @property
    def least(self) -> int:
        """The fewest tries that can decide it."""
        return self.of // 2 + 1 if self.ahead is None else self.ahead


class Tally:
    """The votes so far. `groups` are the answers that differ, as they came, one for each kind."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.groups: list[Answer] = []
        self.tries = 0
        self._votes: list[int] = []
        self._ahead: int | None = None
        self._flags: Counter[str] = Counter()
        self._why = "nothing was tried"
        self._refused = 0

    @property
    def wanted(self) -> int:
        """How many tries to make next: the fewest that can decide it; 0 when it is over.

        With `batch` it may be more than that, never more than there are left.
        """
        left, lead = self.rule.of - self.tries, self._lead()
        if self.rule.ahead is None:
            return 0 if lead > left else (left - lead) // 2 + 1 if left else 0
        short = self.rule.ahead - lead
        if self._ahead is not None or short > left:
            return 0
        return min(left, max(min(short, _vain(left - short, lead)), self.rule.batch or 1))

    def take(self, answer: Answer, group: int | None) -> None:
        """A vote for the group that this answer says the same as; for a new one where it is None.

        Those that come in a batch after it is decided are counted, and change nothing.
        """
        if group is None:
            group = len(self.groups)
            self.groups.append(answer)
            self._votes.append(0)
        self.tries += 1
        self._votes[group] += 1
        ahead = self.rule.ahead
        if ahead is not None and self._ahead is None and self._votes[group] >= ahead:
            others = self._votes[:group] + self._votes[group + 1 :]
            if self._votes[group] - max(others, default=0) >= ahead:
                self._ahead = group

    def discard(self, why: str) -> None:
        """A try that failed: it counts as one, and never wins."""
        self.tries += 1
        self._why = why

    def refuse(self, why: str) -> None:
        """A try that could not be made: as one that failed, but where too few are, nobody wins."""
        self.discard(why)
        self._refused += 1

    def flag(self, why: str) -> None:
        """A try that is discarded for how its answer looks, which the outcome's notes tell."""
        self.discard(f"discarded: {why}")
        self._flags[why] += 1

    def answer(self) -> Answer:
        """What it comes to, with the ballot: the first try that said what wins, or `unanswered`."""
        notes = self._discarded()
        if not self._votes:
            why = f"no try has a vote: {self._why}"
            return Answer("unanswered", None, why, notes, self._ballot(None))
        made, least = self.tries - self._refused, self.rule.least
        if self._refused and made < least:
            why = f"only {made} of the {least} tries that it takes could be made: {self._why}"
            return Answer("unanswered", None, why, notes, self._ballot(None))
        most = max(self._votes)
        tied = self._votes.count(most)
        tie = f"tie: {tied} answers have {'a vote' if most == 1 else f'{most} votes'} each"
        if self.rule.ahead is not None:
            won = self._ahead
            why = f"no answer came to be ahead by {self.rule.ahead} in {self.tries} tries"
        else:
            first = tied == 1 or self.rule.ties == "first"
            won, why = (self._votes.index(most) if first else None), tie
        if won is None:
            return Answer("unanswered", None, why, notes, self._ballot(None))
        if self.rule.ahead is None and tied > 1:
            notes += (f"{tie}, and the first of them stands",)
        found = self.groups[won]
        return replace(found, notes=(*found.notes, *notes), ballot=self._ballot(won))

    def _lead(self) -> int:
        """How far the first is ahead of the second."""
        if not self._votes:
            return 0
        if len(self._votes) == 1:
            return self._votes[0]
        second, first = sorted(self._votes)[-2:]
        return first - second

    def _discarded(self) -> tuple[str, ...]:
        if not self._flags:
            return ()
        told = ", ".join(f"{n} {why}" for why, n in self._flags.items())
        return (f"discarded: {told}",)

    def _ballot(self, won: int | None) -> Ballot:
        order = sorted(range(len(self.groups)), key=lambda n: (n != won, -self._votes[n]))
        texts = [kept(group.text) if group.text else "" for group in self.groups]
        votes = tuple((texts[n], self._votes[n]) for n in order)
        return Ballot(votes, self.tries, self.rule.of)


def kept(text: Text) -> str:
    """An answer as a ballot has it: cut where it is long, and then told apart by its mark."""
    if len(text.body) <= KEPT:
        return text.body
    end = f"… ({text.mark})"
    return text.body[: KEPT - len(end)] + end


def _vain(room: int, lead: int) -> int:
    """The fewest tries after which nobody can be far enough ahead any more.

    `room` is how many more there are than the first needs. One for the second takes two of it, one
    that is discarded a single one, and is all there is where nobody leads.
    """
    return room // 2 + 1 if room < 2 * lead else room - lead + 1
