"""The laws of votes and trees: published figures, and brute force over all that can happen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from math import comb, factorial, isclose, prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.evals.laws import (
    ahead,
    ahead_needed,
    correlated_majority,
    critical,
    majority,
    tree,
    votes_ahead,
)

relaxed = settings(deadline=None)
shares = st.floats(0, 1)
STEPS = 2**20 - 1
"""The moves of a tower of 20 disks."""


def outvoted(wrong: Sequence[bool]) -> bool:
    """Whether the wrong answer has the most of these votes, or came first where both have."""
    return 2 * sum(wrong) > len(wrong) or (2 * sum(wrong) == len(wrong) and wrong[0])


def chance(events: Sequence[bool], error: float) -> float:
    return prod(error if event else 1 - error for event in events)


# majority


def test_three_and_five_votes_are_as_published() -> None:
    assert isclose(majority(3, 0.1), 0.028)
    assert isclose(majority(5, 0.01), 9.8506e-6, rel_tol=1e-6)
    assert isclose(majority(5, 0.2), 0.05792)


@relaxed
@given(shares)
def test_of_three_it_is_3e2_less_2e3(error: float) -> None:
    assert isclose(majority(3, error), 3 * error**2 - 2 * error**3, abs_tol=1e-12)


@relaxed
@given(st.integers(1, 9), shares)
def test_it_is_the_sum_over_all_ways_to_vote(k: int, error: float) -> None:
    ways = product((True, False), repeat=k)
    summed = sum(chance(way, error) for way in ways if outvoted(way))
    assert isclose(majority(k, error), summed, rel_tol=1e-9, abs_tol=1e-15)


@relaxed
@given(st.integers(1, 40), shares)
def test_one_try_more_than_an_odd_number_changes_nothing(half: int, error: float) -> None:
    assert isclose(majority(2 * half, error), majority(2 * half - 1, error), abs_tol=1e-12)


@pytest.mark.parametrize("k", [3, 101, 1000, 3001])
@pytest.mark.parametrize("error", [Fraction(1, 10**7), Fraction(1, 5), Fraction(49, 100)])
def test_it_is_precise_for_thousands_of_votes_and_errors_near_0(k: int, error: Fraction) -> None:
    """Where it is not below what a float can be; here by exact fractions."""
    top, bottom = error.numerator, error.denominator
    odd = k - 1 + k % 2
    terms = range(odd // 2 + 1, odd + 1)
    exact = sum(comb(odd, m) * top**m * (bottom - top) ** (odd - m) for m in terms)
    found = Fraction(exact, bottom**odd)
    assert isclose(majority(k, float(error)), float(found), rel_tol=1e-9, abs_tol=1e-307)


# errors that go together


@relaxed
@given(st.integers(1, 12), st.integers(1, 30), st.integers(1, 30))
def test_correlated_votes_are_beta_binomial(k: int, a: int, b: int) -> None:
    """By the beta function of whole numbers, which is exact."""

    def beta(x: int, y: int) -> Fraction:
        return Fraction(factorial(x - 1) * factorial(y - 1), factorial(x + y - 1))

    wrong = [comb(k, m) * beta(m + a, k - m + b) / beta(a, b) for m in range(k + 1)]
    exact = sum(p for m, p in enumerate(wrong) if 2 * m > k) + sum(
        p / 2 for m, p in enumerate(wrong) if 2 * m == k
    )
    found = correlated_majority(k, a / (a + b), 1 / (a + b + 1))
    assert isclose(found, float(exact), rel_tol=1e-9)


@relaxed
@given(st.integers(1, 99), shares)
def test_from_independent_to_equal_copies(k: int, error: float) -> None:
    assert correlated_majority(k, error, 0.0) == majority(k, error)
    assert correlated_majority(k, error, 1.0) == error
    near = correlated_majority(k, error, 1e-12)
    assert isclose(near, majority(k, error), rel_tol=1e-6, abs_tol=1e-12)
    assert isclose(correlated_majority(k, error, 1 - 1e-9), error, rel_tol=1e-6)


@relaxed
@given(st.integers(1, 50), st.floats(0.01, 0.45), st.floats(0, 0.9))
def test_the_more_they_correlate_the_less_a_vote_gives(k: int, error: float, rho: float) -> None:
    more = correlated_majority(2 * k + 1, error, rho + 0.05)
    assert correlated_majority(2 * k + 1, error, rho) <= more + 1e-12 <= error + 1e-9


# first to be ahead


def walked(k: int, p: float, most: int = 20_000) -> tuple[float, float]:
    """How likely the right answer is ahead by k first, and the mean votes, by walking every way."""
    at, right, votes = {0: 1.0}, 0.0, 0.0
    for step in range(1, most):
        next_at: dict[int, float] = {}
        for lead, share in at.items():
            for change, chance in ((1, p), (-1, 1 - p)):
                next_at[lead + change] = next_at.get(lead + change, 0.0) + share * chance
        won, lost = next_at.pop(k, 0.0), next_at.pop(-k, 0.0)
        right, votes, at = right + won, votes + step * (won + lost), next_at
        if sum(at.values()) < 1e-13:
            break
    return right, votes


@relaxed
@given(st.integers(1, 6), shares)
def test_ahead_is_what_walking_every_way_comes_to(k: int, p: float) -> None:
    right, votes = walked(k, p)
    assert isclose(ahead(k, p), right, abs_tol=1e-9)
    assert isclose(votes_ahead(k, p), votes, rel_tol=1e-6)


def test_a_tower_of_5_disks_at_an_error_of_a_tenth() -> None:
    found = [round(100 * ahead(k, 0.9) ** 31, 1) for k in (1, 2, 3, 4)]
    assert found == [3.8, 68.4, 95.8, 99.5]


def test_a_tower_of_20_disks_at_an_error_of_a_hundredth() -> None:
    found = [round(100 * ahead(k, 0.99) ** STEPS, 1) for k in (3, 4, 5)]
    assert found == [33.9, 98.9, 100.0]


def test_votes_to_be_ahead_are_about_k_over_2p_less_1_and_k_squared_at_a_half() -> None:
    assert isclose(votes_ahead(5, 0.9), 5 / 0.8, rel_tol=1e-3)
    assert isclose(votes_ahead(3, 0.9), 3 * (1 - 2 / (1 + 9**3)) / 0.8)
    assert votes_ahead(7, 0.5) == 49
    assert isclose(votes_ahead(7, 0.5 + 1e-12), 49)
    assert votes_ahead(4, 1e-300) == votes_ahead(4, 1) == votes_ahead(4, 0) == 4


@pytest.mark.parametrize("p", [0.51, 0.9, 0.99, 0.9978, 1 - 1e-12])
@pytest.mark.parametrize("target", [0.01, 0.5, 0.95, 1 - 1e-6])
@pytest.mark.parametrize("steps", [1, 31, STEPS])
def test_the_k_that_is_needed_is_the_least_that_does(steps: int, p: float, target: float) -> None:
    k = ahead_needed(steps, p, target)
    assert ahead(k, p) ** steps >= target * (1 - 1e-9)
    assert k == 1 or ahead(k - 1, p) ** steps < target


def test_what_a_million_steps_need() -> None:
    assert ahead_needed(STEPS, 0.99, 0.95) == 4
    assert ahead_needed(STEPS, 0.99, 0.34) == 4
    assert ahead_needed(STEPS, 0.99, 0.33) == 3
    assert ahead_needed(STEPS, 1.0, 0.95) == 1


# trees


def test_trees_of_two_branches_are_as_published() -> None:
    assert round(100 * tree(2, 2, 0.1, 3), 1) == 10.9
    assert round(100 * tree(2, 2, 0.1), 1) == 52.2
    assert round(100 * tree(10, 2, 0.01, 3), 3) == 0.034
    assert tree(10, 2, 0.01) > 0.999_999


@relaxed
@given(st.integers(0, 6), st.integers(1, 4), st.floats(0, 0.3))
def test_an_unvoted_tree_is_right_where_every_node_is(d: int, branching: int, error: float) -> None:
    nodes = sum(branching**level for level in range(d + 1))
    assert isclose(1 - tree(d, branching, error), (1 - error) ** nodes, abs_tol=1e-12)


def fails(depth: int, branching: int, k: int, errs: Callable[[], bool]) -> bool:
    """Whether a node comes to a wrong answer; `errs` says of each try in turn whether it errs."""

    def tried() -> bool:
        below = [fails(depth - 1, branching, k, errs) for _ in range(branching * (depth > 0))]
        return errs() or any(below)

    return outvoted([tried() for _ in range(k)])


@pytest.mark.parametrize(("depth", "branching", "k"), [(2, 2, 1), (1, 1, 3), (1, 2, 2), (0, 2, 5)])
@pytest.mark.parametrize("error", [0.1, 0.3])
def test_a_tree_is_the_sum_over_all_ways_to_err(
    depth: int, branching: int, k: int, error: float
) -> None:
    tries = sum(k * (k * branching) ** level for level in range(depth + 1))
    summed = 0.0
    for way in product((True, False), repeat=tries):
        if fails(depth, branching, k, iter(way).__next__):
            summed += chance(way, error)
    assert isclose(tree(depth, branching, error, k), summed, rel_tol=1e-9)


@pytest.mark.parametrize(("branching", "highest"), [(2, 0.0474), (3, 0.0302), (5, 0.0175)])
def test_the_highest_stable_error_is_as_published(branching: int, highest: float) -> None:
    assert round(critical(branching, 3), 4) == highest
    assert critical(branching, 3) > 1 / (12 * branching)


@pytest.mark.parametrize("branching", [1, 2, 3, 7])
@pytest.mark.parametrize("k", [3, 4, 5, 21])
def test_below_it_a_deep_tree_is_mostly_right_and_above_it_always_wrong(
    branching: int, k: int
) -> None:
    found = critical(branching, k)
    assert tree(3000, branching, found * 0.999, k) < 0.5
    assert tree(3000, branching, found * 1.001, k) > 0.999


def test_without_a_vote_no_tree_is_stable() -> None:
    assert critical(2, 1) == critical(5, 2) == 0


def test_what_is_no_probability_or_no_number_of_tries_is_refused() -> None:
    nan = float("nan")
    for wrong in (
        lambda: majority(0, 0.1), lambda: majority(3, 1.1), lambda: majority(3, -0.1),
        lambda: majority(3, nan), lambda: correlated_majority(3, 0.1, -0.1),
        lambda: correlated_majority(3, 0.1, nan), lambda: ahead(0, 0.9), lambda: ahead(3, 2.0),
        lambda: votes_ahead(3, nan), lambda: ahead_needed(0, 0.9, 0.9),
        lambda: ahead_needed(10, 0.5, 0.9), lambda: ahead_needed(10, 0.9, 1.0),
        lambda: tree(-1, 2, 0.1), lambda: tree(1, -2, 0.1), lambda: tree(1, 2, 0.1, 0),
        lambda: critical(0, 3), lambda: critical(2, 0),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"is to be|are to be"):
            wrong()
