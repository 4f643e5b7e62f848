"""The benchmark of unrolled trees, by few questions: what it counts, and what it writes."""

from __future__ import annotations

import json
from math import isclose
from pathlib import Path
from statistics import NormalDist

import pytest

from benchmarks import unrolled
from benchmarks.tables import kept
from benchmarks.unrolled import DEEP, NOTHING, Case, asked
from hch.evals.intervals import Z, normal, wilson


@pytest.mark.parametrize(
    ("right", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962)],
)
def test_wilson_s_interval_is_that_of_the_books(
    right: int, of: int, low: float, high: float
) -> None:
    found = wilson(right, of)
    assert isclose(found[0], low, abs_tol=5e-5)
    assert isclose(found[1], high, abs_tol=5e-5)


def test_its_ends_are_where_the_share_is_z_standard_deviations_away() -> None:
    for end in wilson(37, 120):
        assert isclose(abs(37 / 120 - end), Z * (end * (1 - end) / 120) ** 0.5)
    assert isclose(Z, NormalDist().inv_cdf(0.975), abs_tol=1e-8)


def test_a_mean_and_how_far_the_true_one_may_be() -> None:
    mean, about = normal([1, 2, 3, 4])
    assert mean == 2.5
    assert isclose(about, Z * (5 / 3) ** 0.5 / 2)


@pytest.mark.parametrize("level", range(5))
def test_permutation_is_right_where_k_is_in_reach(level: int) -> None:
    """By the law, n + 1 of 5 leading bits."""
    found = asked(Case("permutation", level), 0, 300)
    assert found.of["right"] == len(found.calls) == 300
    low, high = wilson(found.right["right"], 300)
    assert low - 0.05 < (level + 1) / 5 < high + 0.05
    assert max(found.calls) == 2 ** (level + 1) - 1


def test_an_instance_of_assignments_is_answered_wholly_and_shares() -> None:
    found = asked(Case("assignments", DEEP), 0, 100)
    assert found.right["right"] == 100
    assert 100 < found.nodes < sum(found.calls)


def test_over_nothing_a_level_more_is_needed() -> None:
    over = asked(Case("unionfind", 3, NOTHING), 0, 100)
    alone = asked(Case("unionfind", 2), 0, 100)
    assert abs(over.right["right"] - alone.right["right"]) < 20
    assert asked(Case("unionfind", 3), 0, 100).right["right"] > over.right["right"]


def test_a_path_is_measured_by_parts() -> None:
    found = asked(Case("path", 2), 0, 60)
    assert found.of["strict"] == found.of["right"] == 60
    assert found.of["steps"] + found.of["distances"] == 60
    assert found.right["strict"] <= found.right["right"]
    assert 0 < found.of["reachable"] < 60


def test_the_table_has_every_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = tmp_path / "unrolled.json"
    unrolled.main(["--questions=30", "--jobs=1", "--up-to=2", f"--json={figures}"])
    printed = capsys.readouterr().out
    rows = json.loads(figures.read_text())["rows"]
    assert len(rows) == sum(case.level <= 2 for case in unrolled.CASES)
    assert all(len(row["calls"]) == 30 for row in rows)
    assert printed.count("\n| `") == sum(c.level <= 2 and c.is_shown for c in unrolled.CASES)
    assert "--questions 30" in printed
    unrolled.main(["--show", f"--json={figures}"])
    assert capsys.readouterr().out == printed


def test_the_page_has_a_row_for_every_case_with_a_figure_from_elsewhere() -> None:
    shown = sum(case.is_shown for case in unrolled.CASES)
    assert kept(unrolled.PAGE, "unrolled").count("\n| `") == shown == 20
    assert kept(unrolled.PAGE, "ways").count("\n| ") == 9
