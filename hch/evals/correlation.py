"""How far the errors of equal tries go together, and what a vote can give at best under it.

What is given is tries of several questions, each of them right or wrong. Questions are taken to be
independent draws of one law, and the tries of one question exchangeable. A vote takes out what
differs from try to try; it does nothing about what a question makes all copies get wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum
from random import Random

from hch.evals.intervals import wilson
from hch.evals.laws import correlated_majority

_FEW = 10
"""Questions with two tries that go together; fewer do not tell how they vary."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How many tries of one question were right, of how many. Raises ValueError if more were."""

    right: int
    of: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.of:
            raise ValueError(f"{self.right} of {self.of} tries cannot be right")


@dataclass(frozen=True, slots=True)
class Correlation:
    """The correlation of two tries' errors, with an interval of 95%, over so many questions.

    `error` is the share of wrong tries, `both` that of pairs of tries of one question that are both
    wrong, and `apart` that of pairs of different questions, which is what independent tries
    would come to: each by question, so that one with more tries, as what is hard may have, counts
    no more. `pairwise` is (both - apart) / (error - apart), and `low` to `high` its interval.
    `errors` is the interval of `error`. `intraclass` is the same quantity as `pairwise`, estimated
    by the analysis of variance: the same figure where every question has as many tries. Both may
    be below 0 by chance.
    """

    error: float
    errors: tuple[float, float]
    both: float
    apart: float
    pairwise: float
    low: float
    high: float
    intraclass: float
    questions: int

    def voted(self, k: int) -> tuple[float, float, float]:
        """The error of a majority of k; the least and the most that it is within both intervals.

        By `correlated_majority`: where wrong answers coincide, and the errors of questions follow a
        beta distribution. Where wrong answers differ, a vote is better than this. A correlation
        below 0 is taken for 0.
        """
        ends = [
            correlated_majority(k, error, min(1.0, max(0.0, rho)))
            for error in (self.error, *self.errors)
            for rho in (self.pairwise, self.low, self.high)
        ]
        return ends[0], min(ends), max(ends)


def correlated(tries: Iterable[Tries], times: int = 1000) -> Correlation | None:
    """The correlation of errors; None where it cannot be told.

    That is where fewer than two questions have two tries, or all tries are right, or all are wrong.
    Questions with fewer than two tries are left out. The interval holds the percentiles of `times`
    samples of whole questions (Efron 1979, Ann. Statist. 7 (1), 1-26); samples all right, or all
    wrong, say nothing. No sample has pairs that are both wrong where there were none, so where
    these are few it also holds what Wilson's interval of `both` comes to, of as many independent
    pairs as vary as much. It ends at -1 and 1.
    """
    given = [(one.of, one.of - one.right) for one in tries if one.of > 1]
    found = _Sums.of(Counter(given))
    rho = found.pairwise() if len(given) > 1 else None
    if rho is None:
        return None
    rng, samples = Random(0), []
    for _ in range(times):
        drawn = _Sums.of(Counter(rng.choices(given, k=len(given)))).pairwise()
        samples += [] if drawn is None else [drawn]
    samples.sort()
    cut = len(samples) // 40
    error, both, apart = found.error, found.both, found.apart
    low, high = (samples[cut], samples[-1 - cut]) if samples else (rho, rho)
    rarer = given if error <= 0.5 else [(n, n - w) for n, w in given]
    if sum(w > 1 for _, w in rarer) < _FEW:
        least, most = _ends(rarer)
        low, high = min(low, least), max(high, most)
    low, high = max(-1.0, low), min(1.0, high)
    errors = _around(error, ((w / n, n) for n, w in given))
    inner = found.intraclass()
    return Correlation(error, errors, both, apart, rho, low, high, inner, len(given))


def _ends(given: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """What Wilson's interval of `both` makes of the correlation."""
    found = _Sums.of(Counter(given))
    low, high = (
        (end - found.apart) / (found.error - found.apart)
        for end in _around(found.both, map(_pairs, given))
    )
    return low, high


def _pairs(tried: tuple[int, int]) -> tuple[float, float]:
    """Of n tries, w of them wrong: the share of pairs that are both wrong, and of how many."""
    n, w = tried
    return w * (w - 1) / (n * (n - 1)), n * (n - 1) / 2


def _around(share: float, parts: Iterable[tuple[float, float]]) -> tuple[float, float]:
    """Wilson's interval of a share, of so many independent draws as would vary as much.

    `parts` are the shares of each question, and of how many: there are no fewer draws than
    questions, and no more than these are together.
    """
    shares, sizes = zip(*parts, strict=True)
    least, most = len(shares), fsum(sizes)
    spread = fsum((each - share) ** 2 for each in shares) / (least - 1)
    of = min(most, max(least, share * (1 - share) * least / spread)) if spread else float(least)
    return wilson(share * of, of)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Over questions with n tries, w of them wrong: what the estimates are made of."""

    questions: int
    tries: int
    wrong: int
    tries_squared: int
    wrong_squared_each: float
    """w^2 / n."""
    shares: float
    """w / n."""
    shares_squared: float
    pairs: float
    """w (w - 1) / (n (n - 1)), the pairs that are both wrong."""

    @classmethod
    def of(cls, counts: Counter[tuple[int, int]]) -> _Sums:
        """Of so many questions of each (n, w)."""
        rows = [(c, n, w) for (n, w), c in counts.items()]
        return cls(
            questions=sum(c for c, _, _ in rows),
            tries=sum(c * n for c, n, _ in rows),
            wrong=sum(c * w for c, _, w in rows),
            tries_squared=sum(c * n * n for c, n, _ in rows),
            wrong_squared_each=fsum(c * w * w / n for c, n, w in rows),
            shares=fsum(c * w / n for c, n, w in rows),
            shares_squared=fsum(c * (w / n) ** 2 for c, n, w in rows),
            pairs=fsum(c * w * (w - 1) / (n * (n - 1)) for c, n, w in rows),
        )

    @property
    def error(self) -> float:
        return self.shares / self.questions

    @property
    def both(self) -> float:
        """The share of pairs of tries of one question that are both wrong."""
        return self.pairs / self.questions

    @property
    def apart(self) -> float:
        """The same of pairs of tries of different questions: no bias, as error^2 has."""
        return (self.shares**2 - self.shares_squared) / (self.questions * (self.questions - 1))

    def pairwise(self) -> float | None:
        """The moment estimate; None where there are no errors, or nothing else."""
        if self.wrong in {0, self.tries} or self.error <= self.apart:
            return None
        return (self.both - self.apart) / (self.error - self.apart)

    def intraclass(self) -> float:
        """By the analysis of variance: Ridout, Demétrio and Firth 1999, Biometrics 55, 137-148."""
        between = (self.wrong_squared_each - self.wrong**2 / self.tries) / (self.questions - 1)
        within = (self.wrong - self.wrong_squared_each) / (self.tries - self.questions)
        size = (self.tries - self.tries_squared / self.tries) / (self.questions - 1)
        return (between - within) / (between + (size - 1) * within)


@dataclass(frozen=True, slots=True)
class ByQuestion:
    """How many questions are never, sometimes and always right, of those with a try.

    The more tries a question has the more are `sometimes`: with few, many of those that would be
    right one time in ten stand under `never`.
    """

    never: int
    sometimes: int
    always: int

    @property
    def of(self) -> int:
        return self.never + self.sometimes + self.always


def by_question(tries: Iterable[Tries]) -> ByQuestion:
    """The questions by how often their tries are right."""
    tried = [one for one in tries if one.of]
    never = sum(one.right == 0 for one in tried)
    always = sum(one.right == one.of for one in tried)
    return ByQuestion(never, len(tried) - never - always, always)


@dataclass(frozen=True, slots=True)
class Votes:
    """The different answers to one question: how many tries gave each, and whether it is right."""

    answers: tuple[tuple[int, bool], ...]

    @property
    def tries(self) -> Tries:
        """The tries among them that are right."""
        right = sum(votes for votes, is_right in self.answers if is_right)
        return Tries(right, sum(votes for votes, _ in self.answers))

    @property
    def wins(self) -> float:
        """1 where the commonest answer is right, and 0 where not; of tied ones the share."""
        most = max((votes for votes, _ in self.answers), default=0)
        tied = [is_right for votes, is_right in self.answers if votes == most]
        return sum(tied) / len(tied) if most else 0.0


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What may be got out of tries as they are: the shares of questions, of so many.

    `one` is what a single try gets right. `vote` are the questions whose commonest answer is right,
    and where a vote of ever more tries would end; `choice` those to which some try is right, which
    nobody who chooses among these tries can exceed.

    Few tries bias both. Which answer is the commonest they tell badly: a question that is mostly
    wrong counts where it was lucky, which makes `vote` optimistic, and one that is mostly right
    does not count where it was not. Of a vote of exactly as many tries `vote` is an estimate
    without bias; of one of ever more it is too high where the first kind prevails, and too low
    where the second does. `choice` grows with the tries: too low for more of them, and by answers
    that are right by luck more than any real choice gets.
    """

    one: float
    vote: float
    choice: float
    questions: int


def ceiling(votes: Sequence[Votes]) -> Ceiling | None:
    """The ceiling over these questions; None where there are none.

    One whose tries have no answer at all is one that nothing gets right.
    """
    if not votes:
        return None
    of = len(votes)
    return Ceiling(
        one=fsum(one.tries.right / one.tries.of for one in votes if one.tries.of) / of,
        vote=fsum(one.wins for one in votes) / of,
        choice=sum(one.tries.right > 0 for one in votes) / of,
        questions=of,
    )
