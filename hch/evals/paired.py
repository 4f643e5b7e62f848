"""Two players on the same questions: whether one of them is right more often than the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from hch.evals.intervals import bootstrapped


@dataclass(frozen=True, slots=True)
class Paired:
    """How many questions both got right, only the first did, only the second, and neither.

    `p` is McNemar's exact test. `difference` is the second's accuracy less the first's, and `low`
    to `high` its interval of 95%: the percentiles of 1,000 samples of the questions.
    """

    both: int
    first: int
    second: int
    neither: int
    p: float
    difference: float
    low: float
    high: float


def compared(first: Sequence[bool], second: Sequence[bool]) -> Paired:
    """The comparison of two players, whether each was right on each question in the same order.

    Questions are taken to be independent. Raises ValueError where there are none, or the players
    had different ones.
    """
    if len(first) != len(second) or not first:
        raise ValueError(
            f"{len(first)} and {len(second)} questions are no pairs: both are to have the same ones"
        )
    pairs = list(zip(first, second, strict=True))
    changes = [float(b) - float(a) for a, b in pairs]
    lost, won = pairs.count((True, False)), pairs.count((False, True))
    low, high = bootstrapped(changes)
    return Paired(
        both=pairs.count((True, True)),
        first=lost,
        second=won,
        neither=pairs.count((False, False)),
        p=mcnemar(lost, won),
        difference=fmean(changes),
        low=low,
        high=high,
    )


def mcnemar(first: int, second: int) -> float:
    """How likely so uneven a split of the questions that only one player got right is by chance.

    Two-sided and exact: those questions are a fair coin's throws where the players are equally
    good. McNemar 1947, Psychometrika 12 (2), 153-157. No mid-p, which is less conservative but does
    not guarantee its level: Fagerland, Lydersen and Laake 2013, BMC Med. Res. Methodol. 13, 91.
    Raises ValueError for less than no questions.
    """
    thrown, fewer = first + second, min(first, second)
    if fewer < 0:
        raise ValueError(f"{fewer} is no number of questions")
    ways = term = 1
    for heads in range(fewer):
        term = term * (thrown - heads) // (heads + 1)
        ways += term
    return min(1.0, 2 * ways / (1 << thrown))
