"""Correlation of errors: what was put in comes out, and what a vote can give is what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from math import isclose, sqrt
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.evals.correlation import (
    ByQuestion,
    Ceiling,
    Correlation,
    Tries,
    Votes,
    by_question,
    ceiling,
    correlated,
)
from hch.evals.laws import correlated_majority, majority

relaxed = settings(deadline=None)


def wrong_by_question(rng: Random, error: float, rho: float) -> Iterator[float]:
    """The error of each question, beta distributed, so that two tries of one correlate by rho."""
    weight = (1 - rho) / rho if rho else 0.0
    while True:
        yield rng.betavariate(error * weight, (1 - error) * weight) if rho else error


def drawn(questions: int, of: int, error: float, rho: float, seed: int) -> list[Tries]:
    rng = Random(seed)
    rates = wrong_by_question(rng, error, rho)
    errors = [next(rates) for _ in range(questions)]
    return [Tries(sum(rng.random() >= e for _ in range(of)), of) for e in errors]


def found(tries: list[Tries], times: int = 1000) -> Correlation:
    correlation = correlated(tries, times)
    assert correlation is not None
    return correlation


@pytest.mark.parametrize("error", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("rho", [0.0, 0.1, 0.4, 0.8])
def test_the_correlation_that_was_put_in_comes_out(error: float, rho: float) -> None:
    """Of 60 samples the mean, within four of its standard errors; so little is it biased."""
    samples = [found(drawn(400, 5, error, rho, seed), times=0) for seed in range(60)]
    for values in ([s.pairwise for s in samples], [s.intraclass for s in samples]):
        assert abs(fmean(values) - rho) < 4 * stdev(values) / sqrt(len(values)) + 1e-9
    errors = [sample.error for sample in samples]
    assert abs(fmean(errors) - error) < 4 * stdev(errors) / sqrt(len(errors))


@pytest.mark.parametrize("error", [0.02, 0.98])
@pytest.mark.parametrize("questions", [60, 500])
def test_where_hardly_any_err_the_interval_still_covers_it(error: float, questions: int) -> None:
    samples = [correlated(drawn(questions, 3, error, 0.0, seed), times=100) for seed in range(60)]
    told = [sample for sample in samples if sample]
    assert len(told) > 50
    assert sum(s.low <= 0 <= s.high for s in told) >= len(told) - 3
    assert all(s.errors[0] <= s.error <= s.errors[1] for s in told)


@pytest.mark.parametrize(("error", "rho"), [(0.3, 0.0), (0.3, 0.4), (0.1, 0.2)])
def test_the_interval_covers_it_about_as_often_as_it_should(error: float, rho: float) -> None:
    samples = [found(drawn(200, 4, error, rho, seed), times=200) for seed in range(100)]
    assert 88 <= sum(s.low <= rho <= s.high for s in samples) <= 100
    assert all(s.low <= s.pairwise <= s.high for s in samples)


def test_independent_errors_have_0_in_the_interval_and_equal_copies_have_1() -> None:
    independent = found(drawn(500, 5, 0.2, 0.0, seed=1))
    assert independent.low < 0 < independent.high
    assert independent.high - independent.low < 0.1
    equal = found([Tries(5 * (i % 3 > 0), 5) for i in range(99)])
    assert equal.pairwise == equal.intraclass == equal.low == equal.high == 1
    assert equal.error == equal.both == 1 / 3


tables = st.lists(
    st.integers(2, 5).flatmap(lambda n: st.lists(st.booleans(), min_size=n, max_size=n))
)


@relaxed
@given(tables)
def test_it_is_counted_over_all_pairs_of_tries(table: list[list[bool]]) -> None:
    """Of each question a list of whether its tries are wrong."""
    correlation = correlated([Tries(row.count(False), len(row)) for row in table], times=0)
    every = [wrong for row in table for wrong in row]
    if correlation is None:
        assert len(table) < 2 or len(set(every)) < 2
        return
    same = [fmean(a and b for a, b in combinations(row, 2)) for row in table]
    other = [fmean(a and b for a, b in product(x, y)) for x, y in combinations(table, 2)]
    error, both, apart = fmean(map(fmean, table)), fmean(same), fmean(other)
    assert isclose(correlation.error, error)
    assert isclose(correlation.both, both, abs_tol=1e-12)
    assert isclose(correlation.apart, apart, abs_tol=1e-12)
    assert isclose(correlation.pairwise, (both - apart) / (error - apart), abs_tol=1e-9)
    if len({len(row) for row in table}) == 1:
        assert isclose(correlation.intraclass, correlation.pairwise, abs_tol=1e-9)


@pytest.mark.parametrize("few", [3, 9])
def test_questions_count_alike_however_many_tries_they_have(few: int) -> None:
    """As in the votes that trees pay for: what is harder has more tries, or fewer."""
    rng, many = Random(1), 12 - few
    tries = [
        Tries(sum(rng.random() >= error for _ in range(of)), of)
        for error, of in ((0.2, few), (0.6, many)) * 500
    ]
    rho = 0.04 / (0.4 * 0.6)  # the variance of the questions' errors, of that of a try's
    assert found(tries).low < rho < found(tries).high
    opposite = found([Tries(2, 2)] * 100 + [Tries(0, 10)] * 100)
    assert (opposite.pairwise, opposite.low, opposite.high) == (1, 1, 1)


def test_an_interval_holds_no_more_than_a_correlation_can_be() -> None:
    rare = found([Tries(4, 5)] * 3 + [Tries(5, 5)] * 197)
    assert -1 <= rare.low < rare.pairwise < rare.high <= 1


def test_where_it_cannot_be_told_there_is_none() -> None:
    for tries in (
        [], [Tries(1, 2)], [Tries(1, 1)] * 9, [Tries(3, 3)] * 9, [Tries(0, 3)] * 9, [Tries(0, 0)],
    ):  # fmt: skip
        assert correlated(tries) is None
    with_others = [Tries(1, 2), Tries(2, 2), Tries(0, 1), Tries(0, 0)]
    assert found(with_others).questions == 2


def test_it_is_the_same_whenever_it_is_worked_out() -> None:
    tries = drawn(50, 3, 0.3, 0.3, seed=1)
    assert correlated(tries) == correlated(tries)


@pytest.mark.parametrize(("right", "of"), [(4, 3), (-1, 3)])
def test_more_right_ones_than_tries_are_refused(right: int, of: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {of} tries cannot be right"):
        Tries(right, of)


def test_a_vote_gives_what_the_law_says_of_the_correlation_found() -> None:
    correlation = found(drawn(2000, 5, 0.3, 0.3, seed=3))
    middle, low, high = correlation.voted(5)
    assert middle == correlated_majority(5, correlation.error, correlation.pairwise)
    assert majority(5, 0.3) + 0.05 < low < middle < high < 0.3
    votes = drawn(20_000, 5, 0.3, 0.3, seed=4)
    share = fmean(one.right < 3 for one in votes)
    assert abs(share - correlated_majority(5, 0.3, 0.3)) < 4 * sqrt(share * (1 - share) / 20_000)
    assert low < share < high
    below = found([Tries(1, 2)] * 9 + [Tries(2, 2)])
    assert below.pairwise < 0
    assert below.voted(3)[0] == majority(3, below.error)


def test_questions_are_told_apart_by_how_often_they_are_right() -> None:
    tries = [Tries(0, 3), Tries(0, 1), Tries(1, 3), Tries(2, 3), Tries(3, 3), Tries(0, 0)]
    found = by_question(tries)
    assert found == ByQuestion(never=2, sometimes=2, always=1)
    assert found.of == 5


def votes(*answers: tuple[int, bool]) -> Votes:
    return Votes(answers)


def test_the_ceiling_of_a_vote_is_where_the_commonest_answer_is_right() -> None:
    rows = [
        votes((3, True), (2, False)),  # a vote is right
        votes((2, True), (1, False), (1, False)),  # also where most tries are wrong
        votes((1, True), (4, False)),  # a choice may be
        votes((5, False)),  # nothing is
        votes((2, False), (2, True), (1, False)),  # a tie, half right
        votes((1, True), (1, True), (1, False)),  # several right answers
        votes(),  # no try has an answer
    ]
    assert [row.wins for row in rows] == [1, 1, 0, 0, 0.5, 2 / 3, 0]
    found = ceiling(rows)
    assert found is not None
    assert isclose(found.one, (3 / 5 + 2 / 4 + 1 / 5 + 0 + 2 / 5 + 2 / 3 + 0) / 7)
    assert isclose(found.vote, (1 + 1 + 0.5 + 2 / 3) / 7)
    assert found.choice == 5 / 7
    assert found.questions == 7
    assert ceiling([]) is None


@pytest.mark.parametrize(("rate", "optimistic"), [(0.4, True), (0.6, False)])
def test_few_tries_are_optimistic_of_what_is_mostly_wrong(rate: float, optimistic: bool) -> None:
    def of(tries: int) -> Ceiling:
        rng = Random(tries)
        rights = [sum(rng.random() < rate for _ in range(tries)) for _ in range(1000)]
        found = ceiling([votes((right, True), (tries - right, False)) for right in rights])
        assert found is not None
        return found

    few, many = of(3), of(301)
    assert few.one < few.choice
    assert many.vote == (rate > 0.5) or abs(many.vote - (rate > 0.5)) < 0.01
    assert (few.vote > many.vote + 0.2) == optimistic
    assert (few.vote < many.vote - 0.2) != optimistic
    assert few.choice < many.choice == 1
