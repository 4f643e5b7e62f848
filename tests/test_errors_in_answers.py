"""Errors injected into H's answers come to what the closed forms of `benchmarks.channel` say.

Rates are compared within four standard errors, at fixed seeds. Most permutations here are one
cycle, where no two questions of a tree are equal as long as all are right.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from math import prod, sqrt
from pathlib import Path
from random import Random
from statistics import mean

import pytest

from benchmarks import errors
from benchmarks.channel import distinct, expected, gain, majority, of_bits, rate
from hch import registry
from hch.agents import Agent, Query, Response
from hch.amplify import Amplify
from hch.evals.intervals import bootstrapped, normal, wilson
from hch.playing import Playing, drawn
from hch.polls import unrolled
from hch.protocols import Task
from hch.steps import Instance
from hch.tasks.permutation import Power
from hch.types import Answer, Text

RATES = (0.01, 0.1, 0.3)
N = 64


def task_of(spec: str = "permutation") -> Task:
    task: Task = registry.build("tasks", registry.Spec.parse(spec))
    return task


def one_cycle(task: Task, seed: int) -> Instance:
    """A permutation whose elements are all on one cycle, so that no two questions are equal."""
    order = [x for x, _ in drawn(task, seed).facts]
    Random(seed).shuffle(order)
    return Instance.of(task.name, [*map(list, zip(order, [*order[1:], order[0]], strict=True))])


class Knowing:
    """An agent that answers as a function says, and an X that is right where that is the truth."""

    def __init__(self, task: Task, say: Callable[[Power], str | None]) -> None:
        self._task, self._say = task, say

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        said = [self._say(self._task.parse(put.body)) for put in queries]
        unknown = Answer("unanswered", None, "it is not known")
        return [
            Response(unknown if s is None else Answer("answered", Text(s, "model"))) for s in said
        ]


def right(task: Task, instance: Instance) -> Agent:
    return Knowing(task, lambda term: _body(task.truth(instance, term)))


def _body(answer: Answer) -> str | None:
    return answer.text and answer.text.body


def graded(task: Task, instance: Instance, queries: Sequence[Query], h: Agent) -> int:
    """How many are answered rightly."""
    told = zip(queries, h.answer(queries), strict=True)
    return sum(task.grade(instance, task.parse(query.body), answer) for query, (answer, _) in told)


@pytest.mark.parametrize("p", RATES)
def test_h_errs_at_its_rate_and_says_any_other_element(p: float) -> None:
    task = task_of()
    instance = one_cycle(task, 1)
    h = Amplify(
        Playing(task, errors=p), right(task, instance), {instance.digest: instance}, level=1
    )
    queries = [Query("s^21(ab)", instance.digest, ((2, 0, i),)) for i in range(5000)]
    said = Counter(_body(answer) for answer, _ in h.answer(queries))
    truth = _body(task.truth(instance, Power(21, "ab")))
    low, high = wilson(said.pop(truth), len(queries), z=4)
    assert low < 1 - p < high
    slips = said.total()
    deviation = sum((said[x] - slips / 63) ** 2 for x, _ in instance.facts if x != truth)
    chi_squared = deviation / (slips / 63)
    assert 63 - 4 * sqrt(2 * 63) < chi_squared < 63 + 4 * sqrt(2 * 63)
    assert p < 0.1 or len(said) == 63


@pytest.mark.parametrize("p", RATES)
@pytest.mark.parametrize(("bits", "count"), [(2, 1), (3, 3), (4, 7), (5, 15), (6, 31)])
def test_an_unrolled_tree_is_right_as_often_as_all_its_copies_together(
    p: float, bits: int, count: int
) -> None:
    task = task_of()
    instance = one_cycle(task, bits)
    rng, least, depth = Random(f"{p} {bits}"), 1 << bits - 1, bits - 2
    queries = [
        Query(
            f"s^{least + rng.randrange(least)}({rng.choice(instance.facts)[0]})",
            instance.digest,
            ((depth + 1, 0, i),),
        )
        for i in range(6000 // count)
    ]
    h = unrolled(Playing(task, errors=p), {instance.digest: instance}, depth)
    low, high = wilson(graded(task, instance, queries, h), len(queries), z=4)
    assert low < rate(gain(1 - p, N) ** count, N) < high
    answers = [told for told in h.answer(queries) if told.answer.answered]
    assert {told.calls for told in answers} == {count}


@pytest.mark.parametrize("p", RATES)
def test_equal_questions_err_as_one(p: float) -> None:
    """Of two elements s^2 is the identity: both halves of s^4(x) are s^2(x), if that is right."""
    task = task_of("permutation,size=2")
    instance = one_cycle(task, 0)
    x, _ = instance.facts[0]
    queries = [Query(f"s^4({x})", instance.digest, ((2, 0, i),)) for i in range(4000)]
    h = unrolled(Playing(task, errors=p), {instance.digest: instance}, 1)
    low, high = wilson(graded(task, instance, queries, h), len(queries), z=4)
    halves = 1 - p + p * p  # right once for both, or wrong there and back
    assert low < halves * (1 - p) + (1 - halves) * p < high
    alone = rate(gain(1 - p, 2) ** 3, 2)  # were the halves two questions
    assert not low < alone < high


@pytest.mark.parametrize(("p", "bits"), [(0.01, 6), (0.1, 5)])
def test_random_permutations_have_fewer_questions_and_so_fewer_errors(p: float, bits: int) -> None:
    low, high = wilson(errors.trees(p, bits, 2000), 2000, z=4)
    assert low < expected(p, 1, of_bits(bits), N).targets < high


def table(
    task: Task, instance: Instance, p: float, targets: int, seed: int
) -> tuple[Counter[int], Counter[int]]:
    """How many targets, and how many answers of a table made of them, are right, by bits.

    Round by round the powers of one bit more are learned, over the table so far.
    """
    known: dict[Power, str] = {}
    good, learned = Counter[int](), Counter[int]()
    for bits in range(2, 5):
        x = Knowing(task, known.get)
        h = Amplify(Playing(task, errors=p), x, {instance.digest: instance}, level=1, seed=seed)
        for power in [Power(k, x) for k in of_bits(bits) for x, _ in instance.facts]:
            body, truth = task.render(power), _body(task.truth(instance, power))
            queries = [Query(body, instance.digest, ((2, 0, i),)) for i in range(targets)]
            came = Counter(_body(answer) for answer, _ in h.answer(queries))
            known[power] = max(came, key=came.__getitem__) or ""
            good[bits] += came[truth]
            learned[bits] += known[power] == truth
    return good, learned


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("p", RATES)
def test_a_table_of_majorities_is_right_as_often_as_it_should_be(p: float, targets: int) -> None:
    """Up to four questions of one bit more rest on one wrong answer, and so err together."""
    n, tables = 16, 12
    task = task_of(f"permutation,size={n},bits=4")
    made = [table(task, one_cycle(task, seed), p, targets, seed) for seed in range(tables)]
    for bits in range(2, 5):
        of, below = tables * n * len(of_bits(bits)), (1 << bits - 1) - 2
        came_through = gain(majority(p, targets, n), n) ** below
        for which, kept, each in ((0, 1 - p, targets), (1, majority(p, targets, n), 1)):
            should = rate(came_through * gain(kept, n), n)
            found = sum(counts[which][bits] for counts in made) / of / each
            assert abs(found - should) < 4 * sqrt(should * (1 - should) * 4 ** (bits - 2) / of)


@pytest.mark.parametrize("targets", [1, 2, 3, 4, 5])
def test_the_majority_by_going_through_all_that_may_come(targets: int) -> None:
    n, p = 4, 0.3
    chances = [1 - p, *[p / (n - 1)] * (n - 1)]
    came = [
        prod(chances[said] for said in all_said)
        for all_said in product(range(n), repeat=targets)
        if max(counts := Counter(all_said), key=counts.__getitem__) == 0
    ]
    assert majority(p, targets, n) == pytest.approx(sum(came))


def test_channels_in_a_row_multiply() -> None:
    a, n = 0.8, 64
    assert rate(gain(a, n), n) == pytest.approx(a)
    assert rate(gain(a, n) ** 2, n) == pytest.approx(a * a + (1 - a) ** 2 / (n - 1))


@pytest.mark.parametrize("cycle", [1, 2, 3, 5, 12, 64])
def test_distinct_questions_by_asking_all_of_them(cycle: int) -> None:
    def asked(k: int, x: int) -> set[tuple[int, int]]:
        met = {(k, x)}
        if k > 3:
            met |= asked(k >> 1, x) | asked(k >> 1, (x + (k >> 1)) % cycle)
        return met

    for k in range(64):
        assert distinct(k, cycle) == len(asked(k, 0))


def test_the_benchmark_prints_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "errors.json"
    errors.main(["--trees=20", "--instances=2", "--small=9", "--bits=3", f"--json={figures}"])
    printed = capsys.readouterr().out
    for p in RATES:
        assert f"p = {p:.2f}, closed form" in printed
        assert printed.count(f"p = {p:.2f}, 3 targets") == 1
        assert printed.count(f"p = {p:.2f}, 5 targets") == 2
    found = json.loads(figures.read_text())
    assert len(found["trees"]) == 2 * len(RATES)
    assert len(found["tables"]) == sum(map(len, errors.TARGETS.values())) * len(RATES)
    errors.main(["--show", f"--json={figures}"])
    assert capsys.readouterr().out == printed


def test_no_two_rows_of_the_benchmark_share_a_draw() -> None:
    """By one seed, those of a higher rate would hold all errors of a lower one."""
    rows = [(p, targets, i) for p in RATES for targets in (1, 3, 5) for i in range(20)]
    assert len({errors.seed_of(*row) for row in rows}) == len(rows)
    task = "permutation,size=4,bits=3"
    made = [[errors.iterated(task, p, 1, 2, i).targets for i in range(40)] for p in (0.29, 0.3)]
    assert sum(a < b for a, b in zip(*made, strict=True)) > 5


def test_a_bootstrapped_interval_lies_within_what_was_seen_and_about_the_normal_one() -> None:
    skewed = [1.0] * 36 + [0.9, 0.8, 0.7, 0.5]
    low, high = bootstrapped(skewed)
    assert 0.5 < low < mean(skewed) < high < 1
    values = [Random(i).gauss(10, 2) for i in range(1000)]
    low, high = bootstrapped(values)
    middle, about = normal(values)
    assert low == pytest.approx(middle - about, abs=about / 5)
    assert high == pytest.approx(middle + about, abs=about / 5)
    assert bootstrapped([1.0] * 5) == (1.0, 1.0)
