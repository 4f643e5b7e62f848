"""Evaluations of a script that errs at a known rate come to what is expected of it exactly.

Rates are compared within four standard errors, at fixed seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from math import isclose
from operator import add, mul, sub
from random import Random
from typing import TypeAlias

import pytest

from hch import Request, ScriptedModel
from hch.evals.evaluation import Evaluation, Row
from hch.evals.intervals import wilson
from hch.evals.share import Share
from hch.judging import CHECKING
from tests.evals.evaluating import contest, evaluated, sheet

ERRORS = 0.02
DEPTHS = (0, 1, 2, 3, 4)
EACH = 60

Tree: TypeAlias = "int | tuple[str, Tree, Tree]"
"""A number, or an operator and its operands."""

OPERATIONS = {"+": add, "-": sub, "*": mul}


def grown(rng: Random, height: int) -> Tree:
    """A tree of that height: one operand is one lower, the other a number or a single operation."""
    if height == 0:
        return rng.randint(1, 999)
    parts = [grown(rng, height - 1), grown(rng, rng.randint(0, min(1, height - 1)))]
    rng.shuffle(parts)
    return rng.choice([*OPERATIONS]), parts[0], parts[1]


def written(tree: Tree) -> str:
    return (
        str(tree) if isinstance(tree, int) else f"({written(tree[1])} {tree[0]} {written(tree[2])})"
    )


def height(tree: Tree) -> int:
    return 0 if isinstance(tree, int) else 1 + max(height(tree[1]), height(tree[2]))


def parts(tree: Tree) -> Iterator[Tree]:
    """What is asked for a tree, itself first: every operation in it."""
    if not isinstance(tree, int):
        yield tree
        yield from parts(tree[1])
        yield from parts(tree[2])


@cache
def value(tree: Tree) -> int:
    if isinstance(tree, int):
        return tree
    found: int = OPERATIONS[tree[0]](value(tree[1]), value(tree[2]))
    return found


@cache
def answers(tree: Tree) -> dict[int, float]:
    """What a copy answers, and how likely: an error is up to 9 off the truth, and never no error.

    What is less likely than 1e-5 is left out: two errors that make each other good are as rare.
    """
    if isinstance(tree, int):
        return {tree: 1.0}
    found: defaultdict[int, float] = defaultdict(float)
    for left, p in answers(tree[1]).items():
        for right, q in answers(tree[2]).items():
            came_to = OPERATIONS[tree[0]](left, right)
            found[came_to] += (1 - ERRORS) * p * q
            near = [value(tree) + off for off in range(-9, 10) if value(tree) + off != came_to]
            for slip in near:
                found[slip] += ERRORS * p * q / len(near)
    return {said: p for said, p in found.items() if p > 1e-5}


def is_right(tree: Tree) -> float:
    """How likely a copy is right that may ask as deep as it wants."""
    return answers(tree)[value(tree)]


def questions() -> list[Tree]:
    """As many of each height; no operation is in two of them, or twice in one."""
    rng, found, seen = Random(8), list[Tree](), set[str]()
    for wanted in range(1, 6):
        made = 0
        while made < EACH:
            tree = grown(rng, wanted)
            inside = [written(part) for part in parts(tree)]
            if len({*inside, *seen}) == len(inside) + len(seen):
                seen |= {*inside}
                found.append(tree)
                made += 1
    return found


@pytest.fixture(scope="module")
def trees() -> list[Tree]:
    return questions()


@pytest.fixture(scope="module")
def evaluation(trees: list[Tree]) -> Evaluation:
    asked = sheet(*(f"What is {written(tree)[1:-1]}?" for tree in trees))
    return evaluated(contest(f"script,errors={ERRORS}", depths=DEPTHS), asked)


def near(share: Share, expected: float) -> bool:
    low, high = wilson(share.some, share.of, z=4)
    return low <= expected <= high


def test_accuracy_by_height_is_as_expected(evaluation: Evaluation, trees: list[Tree]) -> None:
    rows = {row.depth: row for row in evaluation.rows if row.what != "vote"}
    assert [*rows] == [*DEPTHS]
    for depth, row in rows.items():
        assert [*row.by_kind] == [f"height {n}" for n in range(1, 6)]
        for n, share in enumerate(row.by_kind.values(), 1):
            of_height = [is_right(tree) for tree in trees if height(tree) == n]
            expected = sum(of_height) / len(of_height) if n <= depth + 1 else 0.0
            assert share.of == len(of_height) == EACH
            assert near(share, expected), (depth, n, share, expected)
        assert row.answered == EACH * min(5, depth + 1)


def test_accuracy_by_level_is_as_expected(evaluation: Evaluation, trees: list[Tree]) -> None:
    """A copy at each level is asked for the operations of the height that it stands at."""
    for row in evaluation.rows:
        if row.what == "tree":
            expected, asked = by_level(row.depth, trees)
            for level, found in row.levels.items():
                assert found.nodes == asked[level], (row.depth, level)
                share = Share(found.right, found.right + found.wrong)
                assert near(share, expected[level] / share.of), (row.depth, level, share)


def by_level(depth: int, trees: list[Tree]) -> tuple[dict[int, float], dict[int, int]]:
    """By level: how many right answers are expected, and how many questions are asked."""
    right: defaultdict[int, float] = defaultdict(float)
    asked: defaultdict[int, int] = defaultdict(int)

    def go(tree: Tree, level: int) -> None:
        asked[level] += 1
        if height(tree) <= level + 1 and not isinstance(tree, int):
            right[level] += is_right(tree)
            for part in tree[1:]:
                if not isinstance(part, int):
                    go(part, level - 1)

    for tree in trees:
        go(tree, depth)
    return right, asked


def test_all_errors_that_enter_are_the_rate_at_which_copies_err(evaluation: Evaluation) -> None:
    """Nearly: an error that makes good another one enters nowhere."""
    deepest = evaluation.rows[-2]
    nodes = sum(level.nodes for level in deepest.levels.values())
    assert deepest.depth == 4
    assert near(Share(sum(deepest.entered.values()), nodes), ERRORS)
    assert {step for _, step in deepest.entered} <= {"alone", "reply"}


def test_a_vote_is_paid_by_nodes_where_nobody_is_called(evaluation: Evaluation) -> None:
    for row in evaluation.rows:
        if row.of is not None:
            tree = evaluation.row(row.of)
            assert row.votes.declared == tree.spent.nodes
            assert row.accuracy.some <= EACH


P, CHECKED = 0.7, 400


def checked(judge: str, tries: int = 3) -> Row:
    asked = sheet(*(f"What is {n} + {n + 1}?" for n in range(CHECKED)))
    players = contest(f"verify,by=judge,tries={tries}/script,errors={1 - P:.1f}")

    def say(request: Request) -> str:
        assert request.question == CHECKING
        return "ACCEPT"

    [row] = evaluated(players, asked, model=ScriptedModel(say), others={"judge": judge}).rows
    return row


def test_a_check_that_is_mostly_right_moves_accuracy_as_bayes_rule_says() -> None:
    checks = (row := checked("oracle,errors=.1")).checks
    stands = 0.9 * P + 0.1 * (1 - P)
    posterior = 0.9 * P / stands
    assert near(checks.before, P)
    assert near(checks.after, posterior)
    assert checks.predicted is not None
    assert abs(checks.predicted - posterior) < 0.03
    again = (1 - (1 - stands) ** 3) / stands
    assert near(row.accuracy, 0.9 * P * again)
    assert near(Share(checks.unanswered, checks.nodes), (1 - stands) ** 3)
    assert not checks.changed_nothing


def test_a_check_that_always_agrees_changes_nothing_and_the_row_says_so() -> None:
    checks = (row := checked("direct")).checks
    assert checks.changed_nothing
    assert checks.nodes == CHECKED
    assert checks.before == checks.after == row.accuracy
    assert checks.predicted is not None
    assert isclose(checks.predicted, checks.before.some / CHECKED)
    assert near(row.accuracy, P)
    assert row.levels[0].tries == CHECKED
