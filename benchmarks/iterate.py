"""Iterated amplification into a table, on each of the 2018 tasks, beside the published numbers.

    python -m benchmarks.iterate            # prints the tables, writes .cache/bench/iterate.json
    python -m benchmarks.iterate --write    # and puts them into docs/distillation.md
    python -m benchmarks.iterate --show     # prints the last run's figures again

It is what `hch iterate --task NAME --instances N` does for instances 0, 1, 2, …, each by itself:
the whole question space, X_0 = "don't know", H without errors. The numbers beside are those
measured on the code of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). Sub-questions a
call are those of H over the truth, on the base that was published: powers of a permutation from 2
on, else the whole question space.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.server import ROOT
from benchmarks.tables import keep, machine, table
from hch import registry
from hch.amplify import Amplify
from hch.cases import Cases
from hch.iterate import Iteration
from hch.ledger import Generation, Settings
from hch.playing import Playing
from hch.registry import Spec
from hch.stores.memory import MemoryStore
from hch.transcript import Truth

PAGE = "docs/distillation.md"
JSON = ROOT / ".cache" / "bench" / "iterate.json"

ROUNDS = 100

PUBLISHED = {
    "permutation": ("5", "2.50"),
    "wildcard": ("6", "1.91"),
    "assignments": ("as many as it is deep, 6 to 16", "4.50"),
    "unionfind": ("20 to 26", "4.50"),
    "path": ("next vertices 40, distances 50", "4.90"),
}
"""Rounds to 100%, and sub-questions a call of H, primitives among them."""

MOST = {"path": 5}
"""Instances of what takes half a minute each."""

SHOWN = (1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60)
"""The rounds that have a column."""


def made(task: str, instance: int) -> list[Generation]:
    """The generations on one instance, to the one that is all right."""
    learner = registry.build("learners", Spec("table"))
    settings = Settings(task=task, instances=str(instance))
    built = registry.build("tasks", Spec.parse(task))
    iteration = Iteration(settings.name, settings, MemoryStore(), built, learner)
    return list(iteration.generations(ROUNDS))


def sub_questions(task: str, instance: int) -> float:
    """What H asks a call in the mean, primitives too, where the truth answers."""
    built = registry.build("tasks", Spec.parse(task))
    cases = Cases(built, [instance])
    h = Amplify(Playing(built), Truth(built, cases.facts), cases.facts, level=1)
    h.answer([case.query for case in cases.space if task != "permutation" or case.term.k > 1])
    return (h.asked + h.primitives) / h.worked


def by_round(generations: Sequence[Generation], measure: str | None = None) -> list[float]:
    """How much X gets right after each round, in percent, by `grade` or by another measure."""
    pairs = [
        each.learned.measures[measure] if measure else (each.learned.right, each.learned.of)
        for each in generations
    ]
    return [100 * right / of for right, of in pairs]


def measure(instances: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for task in PUBLISHED:
        count = min(instances, MOST.get(task, instances))
        all_made = [made(task, number) for number in range(count)]
        last = [each[-1] for each in all_made]
        found[task] = {
            "instances": count,
            "rounds": [each.number for each in last],
            "all right": [each.learned.is_perfect for each in last],
            "sub-questions": mean(sub_questions(task, number) for number in range(count)),
            "seconds": [sum(sum(g.seconds.values()) for g in each) for each in all_made],
            "by round": {
                name or "right": [by_round(each, name) for each in all_made]
                for name in (None, *last[0].learned.measures)
            },
        }
    return found


def first_at(series: Sequence[float], wanted: float = 100.0) -> int | None:
    """The first round from which on a series is there."""
    below = [number for number, value in enumerate(series, 1) if value < wanted]
    at = (below[-1] if below else 0) + 1
    return at if at <= len(series) else None


def rounds_table(found: dict[str, Any]) -> str:
    rounds_head = ("rounds to 100%: median", "least to most", "published")
    rows = []
    for task, (rounds, asked) in PUBLISHED.items():
        taken = found[task]["rounds"]
        whole = all(found[task]["all right"])
        middle = f"{median(taken):g}" if whole else f"not all in {ROUNDS}"
        ours = f"{found[task]['sub-questions']:.2f}"
        spread = f"{min(taken)} to {max(taken)}"
        rows.append((task, middle, spread, rounds, ours, asked))
    return table(("task", *rounds_head, "sub-questions a call", "published"), rows)


def accuracy_table(found: dict[str, Any]) -> str:
    """Means over the instances; an instance that has ended stays as it was."""
    rows = []
    for task in PUBLISHED:
        for name, several in found[task]["by round"].items():
            values = [mean(s[min(n, len(s)) - 1] for s in several) for n in SHOWN]
            rows.append((f"{task}, {name}", *(f"{value:.4g}" for value in values)))
    return table(("right, %, after round", *map(str, SHOWN)), rows)


def path_table(found: dict[str, Any]) -> str:
    """When each measure of shortest path is at 100% for good, and where the strict one ends."""
    series = found["path"]["by round"]
    rows = []
    for name, published in (("steps", "40"), ("distances", "50"), ("reachable", "")):
        at = [first_at(each) for each in series[name]]
        rows.append((f"{name}: at 100% from round", ", ".join(map(str, at)), published))
    ends = ", ".join(f"{each[-1]:.2f}" for each in series["strict"])
    rows.append(("strict: ends at, %", ends, "98.9"))
    return table(("path, by instance", "here", "published"), rows)


def shown(found: dict[str, Any]) -> str:
    counts = ", ".join(f"{found[t]['instances']} of {t}" for t in PUBLISHED)
    took = ", ".join(f"{t} {median(found[t]['seconds']):.1f} s" for t in PUBLISHED)
    parts = (
        rounds_table(found),
        f"Instances from number 0 on: {counts}. Median time of one: {took}.",
        accuracy_table(found),
        path_table(found),
        found["conditions"],
    )
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=20)
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--show", action="store_true", help="the figures that are there")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    given = parser.parse_args(arguments)
    if not given.show:
        found = {**measure(given.instances), "conditions": machine()}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(found, indent=1))
    text = shown(json.loads(given.json.read_text()))
    print(text)
    if given.write:
        keep(PAGE, "iterate", text)


if __name__ == "__main__":
    main()
