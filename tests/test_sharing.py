"""Equal questions are one node: s^(2^20)(x) costs its distinct questions, not a million calls."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from benchmarks import again
from hch import HCH, registry
from hch.agents import Query
from hch.amplify import Amplify
from hch.playing import Playing, drawn
from hch.polls import unrolled
from hch.protocols import Task
from hch.steps import Instance
from tests.commands.terminal import hch
from tests.support import check_tree, memory

SPEC = "permutation,bits=21"
TASK: Task = registry.build("tasks", registry.Spec.parse(SPEC))


def one_long_cycle() -> Instance:
    """63 of 64 elements on one cycle, so that every level has as many questions as can be."""
    elements = [x for x, _ in drawn(TASK, 0).facts]
    Random(0).shuffle(elements)
    *cycle, alone = elements
    pairs = [*zip(cycle, [*cycle[1:], cycle[0]], strict=True), (alone, alone)]
    return Instance.of(TASK.name, [*map(list, pairs)])


def walked(instance: Instance, exponent: int, x: str) -> list[set[tuple[int, str]]]:
    """The distinct questions (k, x) of each level, from the root down, by the facts alone."""
    image = dict(instance.facts)
    levels = [{(1 << exponent, x)}]
    while (half := max(k for k, _ in levels[-1]) >> 1) > 1:
        below = set()
        for _, y in levels[-1]:
            below.add((half, y))
            after = y
            for _ in range(half % _period(image, y)):
                after = image[after]
            below.add((half, after))
        levels.append(below)
    return levels


def _period(image: dict[str, str], x: str) -> int:
    steps, y = 1, image[x]
    while y != x:
        steps, y = steps + 1, image[y]
    return steps


def places() -> list[tuple[Instance, str]]:
    """Elements on long cycles: one of an instance that can be named, and one of the longest."""
    seven, long = drawn(TASK, 7), one_long_cycle()
    image = dict(seven.facts)
    return [(seven, max(image, key=lambda x: _period(image, x))), (long, long.facts[0][0])]


@pytest.mark.parametrize("exponent", [2, 5, 10, 15, 20])
@pytest.mark.parametrize(("instance", "x"), places(), ids=["instance 7", "cycle of 63"])
def test_a_power_costs_its_distinct_questions(instance: Instance, x: str, exponent: int) -> None:
    levels = walked(instance, exponent, x)
    script = HCH(depth=exponent - 1, strategy="script", task=SPEC, store=memory())
    result = script.ask_sync(f"s^{1 << exponent}({x})", instance=instance)
    check_tree(result.trace)
    assert result.clean
    asked = [
        (exponent - 1 - node.level, tuple(TASK.parse(node.question.text.body)))
        for node in result.trace.nodes()
    ]
    assert len(asked) == len(set(asked))
    assert set(asked) == {(below, term) for below, level in enumerate(levels) for term in level}
    assert len(asked) <= 64 * exponent
    assert TASK.grade(instance, TASK.parse(f"s^{1 << exponent}({x})"), result.answer)


@pytest.mark.parametrize(("instance", "x"), places(), ids=["instance 7", "cycle of 63"])
def test_so_does_it_for_the_driver_which_says_what_it_were_unshared(
    instance: Instance, x: str
) -> None:
    levels = walked(instance, 20, x)
    h = unrolled(Playing(TASK), {instance.digest: instance}, 19)
    [told] = h.answer([Query(f"s^{1 << 20}({x})", instance.digest)])
    assert told.calls == (1 << 20) - 1
    worked = []
    while isinstance(h, Amplify):
        worked.append(h.worked)
        h = h.below
    assert worked == [len(level) for level in levels]


def test_the_command_line_asks_and_shows_it_in_as_many_lines() -> None:
    [(instance, x), _] = places()
    nodes = sum(map(len, walked(instance, 20, x)))
    words = ("--task", SPEC, "--instance", "7", "--depth", "20", "-s", "script")
    done = hch("ask", f"s^{1 << 20}({x})", *words)
    right = TASK.truth(instance, TASK.parse(f"s^{1 << 20}({x})"))
    assert (done.code, done.out) == (0, f"{right.text and right.text.body}\n")
    shown = hch("show").out
    assert f"{nodes} nodes, 0 calls, clean" in shown
    assert len(shown.splitlines()) <= 2 * nodes + 2  # each has two slots: a node, or a link to one
    assert len(json.loads(hch("show", "--json").out)["nodes"]) == nodes


def test_the_benchmark_has_the_figures_of_just_this(tmp_path: Path) -> None:
    found = again.power(tmp_path / "power.db")
    term = TASK.parse(again.POWER)
    levels = walked(drawn(TASK, again.SHARED), 20, term.x)
    assert term.k == 1 << 20
    assert (found["nodes"], found["unshared"]) == (sum(map(len, levels)), term.k - 1)
