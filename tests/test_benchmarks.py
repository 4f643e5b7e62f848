"""The benchmarks run and add up; no figure of theirs that depends on the machine is judged here."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from benchmarks import browse, budget, iterate, tabular, tree, vllm
from benchmarks.clients import CLIENTS
from benchmarks.server import K, answer, decomposition, reply, size
from benchmarks.tables import keep, kept, table
from hch.replies import parse
from hch.strategies.factored import Decomposition


@pytest.fixture(scope="module")
def bought() -> dict[tuple[str, int, int | None], budget.Bought]:
    return budget.bought()


def test_no_tree_uses_more_calls_than_its_cap(bought):
    assert all(got.calls <= cap for (_, _, cap), got in bought.items() if cap)


def test_a_thousand_calls_buy_the_whole_tree_of_depth_five(bought):
    assert bought["factored", 5, 1000] == bought["factored", 5, None]
    assert bought["factored", 5, 1000] == budget.Bought(nodes=364, calls=485, clean=True)


def test_more_calls_never_buy_fewer_nodes(bought):
    for strategy in budget.STRATEGIES:
        for depth in budget.DEPTHS:
            nodes = [bought[strategy, depth, cap].nodes for cap in (*budget.CAPS, None)]
            assert nodes == sorted(nodes)


def test_without_a_cap_every_tree_is_whole(bought):
    for strategy in budget.STRATEGIES:
        for depth in budget.DEPTHS:
            got = bought[strategy, depth, None]
            assert ((got.nodes, got.calls), got.clean) == (size(depth), True)


def test_the_table_in_the_docs_is_the_one_that_is_made_now(bought):
    assert kept(budget.PAGE, "caps") == budget.caps(bought)


def test_the_short_trees_in_the_docs_are_those_that_are_made_now():
    made = [budget.short(strategy, cap) for strategy in budget.STRATEGIES for cap in budget.SHORT]
    assert kept(budget.PAGE, "short") == "\n".join(made)


def test_ten_calls_for_a_tree_of_121_nodes_end_by_themselves_and_not_clean():
    trace = budget.tree("factored", 4, "10calls")
    assert trace.roots[0].status == "answered"
    assert trace.bill.calls <= 10
    assert not trace.clean


def test_the_server_speaks_the_form_of_a_decomposition():
    plan = parse(decomposition("0.2"), Decomposition)
    assert len({question.question for question in plan.questions}) == K


@pytest.mark.parametrize(
    ("form", "content"),
    [("", answer("0.2")), ('"response_format"', decomposition("0.2"))],
)
def test_the_server_answers_about_the_part_that_it_is_asked_about(form, content):
    head, _, body = reply(f"part 0.2 and then part 0.2.1 {form}".encode()).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body)["choices"][0]["message"]["content"] == content


def test_the_tree_of_the_benchmark_has_the_size_that_it_is_said_to_have():
    assert size(6) == (1093, 1457)


def test_a_small_tree_by_every_client_prints_every_row(tmp_path: Path, capsys):
    """Each sends as many requests as it should, of about the same size, or the run ends."""
    figures = tmp_path / "tree.json"
    tree.main(["--depth=2", "--rounds=1", "--latency=0.001", f"--json={figures}"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in tree.NAMES.values())
    assert "at most" in printed
    medians = json.loads(figures.read_text())["medians"]
    assert list(medians) == list(CLIENTS)
    sizes = [row["bytes"] for row in medians.values()]
    assert max(sizes) < 1.1 * min(sizes)
    assert medians["hch"]["commits"] > 0


def test_a_table_is_kept_between_its_markers(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- it: begin (so) -->\nold\n<!-- it: end -->\nafter\n", "utf-8")
    made = table(("a", "b"), [["x", "1"], ["long", "1,000"]])
    keep(str(page), "it", made)
    assert kept(str(page), "it") == made
    assert page.read_text("utf-8").startswith("before\n<!-- it: begin (so) -->\n| a    |     b |\n")
    assert page.read_text("utf-8").endswith("\n<!-- it: end -->\nafter\n")


def test_the_load_on_a_vllm_server_is_of_different_prompts_without_a_common_beginning():
    made = vllm.prompts(512)
    assert len({text[:12] for text in made}) == len(made)
    assert made == vllm.prompts(512)


def test_the_beginning_that_two_prompts_have_in_common():
    assert vllm.common([1, 2, 3, 4], [1, 2, 4]) == 2
    assert vllm.common([], [1]) == 0


def test_the_page_of_a_vllm_server_compares_the_rates_of_each_round():
    rates = {("hch", 0): 90, ("hch", 1): 200, ("hch", 2): 99}
    rates |= {("vllm bench serve", number): 100 for number in range(3)}
    runs = [
        {"client": c, "round": n, "length": 16, "rate": r, "input": 9, "output": 32, "wall": 1}
        for (c, n), r in rates.items()
    ]
    assert vllm.ratio(runs, 16) == 0.99
    cache = [{"at once": 1, "shared": 100, "cached": 50, "rate": 0.5}]
    page = re.sub(" +", " ", vllm.page(runs, cache, "so it was"))
    assert "| 0.95 | 0.99 | yes |" in page
    assert "| 0.8 | 0.50 | no |" in page
    assert "so it was" in page


def test_a_table_is_measured_in_every_way_that_it_is_used(tmp_path: Path, capsys):
    figures = tmp_path / "table.json"
    tabular.main(["--rounds=1", f"--json={figures}"])
    printed = capsys.readouterr().out
    assert len(tabular.PUTS) == 64 * 64
    assert all(took > 0 for took in json.loads(figures.read_text()).values())
    assert printed.count("at most") == 3
    assert printed.count("at least") == 2


def test_the_sub_questions_of_a_call_are_on_the_base_that_was_published():
    published = {task: asked for task, (_, asked) in iterate.PUBLISHED.items() if task != "path"}
    assert {task: f"{iterate.sub_questions(task, 0):.2f}" for task in published} == published


def test_the_page_of_the_browser_has_every_size_and_says_what_is_met():
    keys = {"p50": 7.0, "p95": 49.4, "most": 90.0}
    slow = {**keys, "p95": 50.6}
    session = {"early": slow, "late": keys, "search": 0.2, "memory": 170.0, "indexing": 40.0}
    sessions = [{**session, "columns": columns} for columns, _ in browse.SIZES]
    made = re.sub(" +", " ", browse.page([0.8, 0.9, 1.2], sessions))
    assert "| start: s to the first rows | 1 | 0.90 | yes |" in made
    for columns, _ in browse.SIZES:
        assert f"at the 95th percentile, {columns} columns | 50 | 49 | yes |" in made
        assert f"while texts are indexed, {columns} columns | 50 | 51 | no |" in made
    assert "118,096 nodes" in made
