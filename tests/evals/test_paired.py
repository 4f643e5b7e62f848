"""Two players on the same questions: figures worked out by hand, and the coin's throws."""

from __future__ import annotations

from itertools import product
from math import isclose, sqrt
from random import Random
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.evals.intervals import Z
from hch.evals.paired import compared, mcnemar

relaxed = settings(deadline=None)


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (0, 0, 1.0),
        (3, 3, 1.0),
        (0, 5, 2 / 32),
        (5, 0, 2 / 32),
        (1, 9, 22 / 1024),
        (5, 12, 2 * (1 + 17 + 136 + 680 + 2380 + 6188) / 2**17),
    ],
)
def test_mcnemar_is_as_worked_out_by_hand(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == p


@relaxed
@given(st.integers(0, 6), st.integers(0, 6))
def test_it_is_the_share_of_throws_at_least_as_uneven(first: int, second: int) -> None:
    throws = list(product((0, 1), repeat=first + second))
    uneven = abs(first - second)
    as_uneven = sum(abs(first + second - 2 * sum(throw)) >= uneven for throw in throws)
    assert mcnemar(first, second) == mcnemar(second, first) == as_uneven / len(throws)


def test_it_takes_thousands_of_questions() -> None:
    """Where it is nearly normal."""
    first, second = 5000, 5300
    z = (second - first - 1) / sqrt(first + second)
    assert isclose(mcnemar(first, second), 2 * NormalDist().cdf(-z), rel_tol=0.01)
    assert mcnemar(0, 2000) < 1e-300
    with pytest.raises(ValueError, match="-1 is no number of questions"):
        mcnemar(-1, 3)


def test_players_are_compared_question_by_question() -> None:
    first = [True] * 50 + [True] * 5 + [False] * 15 + [False] * 30
    second = [True] * 50 + [False] * 5 + [True] * 15 + [False] * 30
    found = compared(first, second)
    assert (found.both, found.first, found.second, found.neither) == (50, 5, 15, 30)
    assert isclose(found.difference, 0.1)
    assert found.p == mcnemar(5, 15)
    spread = sqrt((20 / 100 - 0.1**2) / 100)
    assert isclose(found.low, 0.1 - Z * spread, abs_tol=0.02)
    assert isclose(found.high, 0.1 + Z * spread, abs_tol=0.02)
    back = compared(second, first)
    assert (back.first, back.second, back.p) == (15, 5, found.p)
    assert isclose(back.difference, -0.1)


def test_pairs_make_the_interval_narrower_than_two_samples_would() -> None:
    rng = Random(1)
    easy = [rng.random() < 0.5 for _ in range(400)]
    better = [right or rng.random() < 0.1 for right in easy]
    found = compared(easy, better)
    assert 0 < found.low < found.difference < found.high
    assert found.first == 0
    assert found.high - found.low < Z * sqrt(2 * 0.25 / 400)


def test_equal_players_do_not_differ() -> None:
    found = compared([True, False, True], [True, False, True])
    assert (found.p, found.difference, found.low, found.high) == (1, 0, 0, 0)


def test_equally_good_players_are_called_different_at_most_as_often_as_said() -> None:
    rng, called = Random(3), 0
    for _ in range(2000):
        thrown = sum(rng.random() < 0.5 for _ in range(30))
        called += mcnemar(thrown, 30 - thrown) <= 0.05
    assert called / 2000 < 0.05


@pytest.mark.parametrize(("first", "second"), [([], []), ([True], []), ([True], [True, False])])
def test_other_questions_are_no_pairs(first: list[bool], second: list[bool]) -> None:
    with pytest.raises(ValueError, match=r"questions are no pairs: both are to have the same ones"):
        compared(first, second)
