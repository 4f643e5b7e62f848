"""Errors in H's answers: what they come to up a tree, and what a table of majorities makes of them.

    python -m benchmarks.errors             # prints the tables, writes .cache/bench/errors.json
    python -m benchmarks.errors --write     # and puts them into docs/distillation.md

H errs at the end of its work: with probability p it says one of the n-1 other elements, each as
likely. The task is permutation powering. Beside what hch does stand a closed form and a simulation
that uses none of hch's code (`benchmarks.channel`).

**Published** are 4 elements, k in 4 to 7, networks for X and H'. An error seems to be any of the 4
elements there, the right one too, with 1 - 3p/4 of the targets right; X learns from ever new
instances, and its errors are not those of a majority of a few targets.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from random import Random
from statistics import mean, stdev
from typing import Any

from benchmarks.channel import Accuracy, World, expected, of_bits
from benchmarks.intervals import wilson
from benchmarks.server import ROOT
from benchmarks.tables import keep, machine, table
from hch import registry
from hch.agents import Query
from hch.amplify import unrolled
from hch.iterate import Iteration
from hch.ledger import Settings
from hch.playing import Playing, drawn
from hch.registry import Spec
from hch.stores.memory import MemoryStore

PAGE = "docs/distillation.md"
JSON = ROOT / ".cache" / "bench" / "errors.json"

RATES = (0.01, 0.1, 0.3)
TARGETS = (1, 3, 5)
"""That a question gets."""

BITS = 6
SIZE = 64
TREES = 20_000
"""Of each size and rate: a sample of its own each, so that no two share an error."""

NUMBERS = 2000
"""Instances that they are about."""

SIMULATED = 20
"""Simulated instances for each of hch's."""

PUBLISHED = {0.01: (99.27, 99.72), 0.1: (92.31, 94.50), 0.3: (75.83, 78.47)}
"""Targets and distilled, in percent, of a small re-run by networks: 4 elements, k in 4..7."""


def trees(p: float, bits: int, count: int) -> tuple[int, int]:
    """How many of so many roots HCH is right about, and of how many."""
    task = registry.build("tasks", Spec("permutation"))
    depth, least, right = max(0, bits - 2), 1 << bits - 1, 0
    numbers = min(count, NUMBERS)
    each = -(-count // numbers)
    for number in range(numbers):
        instance, rng = drawn(task, number), Random(number)
        queries = []
        for i in range(each):
            k, x = least + rng.randrange(least), rng.choice(instance.facts)[0]
            queries.append(Query(f"s^{k}({x})", instance.digest, ((depth + 1, 0, i),)))
        h = unrolled(Playing(task, errors=p), {instance.digest: instance}, depth)
        terms = [task.parse(put.body) for put in queries]
        told = zip(terms, h.answer(queries), strict=True)
        right += sum(task.grade(instance, term, answer) for term, (answer, _) in told)
    return right, each * numbers


def simulated_trees(p: float, bits: int, count: int) -> float:
    rng, right, least = Random(bits), 0, 1 << bits - 1
    for _ in range(count):
        world = World(rng, p, SIZE)
        k, x = least + rng.randrange(least), rng.randrange(SIZE)
        right += world.tree(k, x) == world.power(k, x)
    return right / count


def iterated(task: str, p: float, targets: int, instance: int, rounds: int) -> Accuracy:
    """What `hch iterate` comes to on an instance, each generation being taken."""
    settings = Settings(
        task=task,
        instances=str(instance),
        targets=targets,
        errors=p,
        take_worse=True,
        held_out=1,
        seed=instance,
    )
    built = registry.build("tasks", Spec.parse(task))
    learner = registry.build("learners", Spec("table"))
    iteration = Iteration(settings.name, settings, MemoryStore(), built, learner)
    last = list(iteration.generations(rounds))[-1]
    return Accuracy(last.targets.accuracy, last.learned.accuracy)


def measure(count: int, instances: int, small: int, most: int) -> dict[str, Any]:
    found: dict[str, Any] = {"bits": most, "trees": [], "tables": [], "small": []}
    for p in RATES:
        for bits in range(2, most + 1):
            right, of = trees(p, bits, count)
            forms = [expected(p, 1, of_bits(bits), SIZE, shared=s).targets for s in (False, True)]
            row = {"p": p, "bits": bits, "closed": forms, "right": right, "of": of}
            found["trees"].append({**row, "simulated": simulated_trees(p, bits, 5 * count)})
        for targets in TARGETS:
            found["tables"].append(_tables(p, targets, most, SIZE, instances))
            found["small"].append(_tables(p, targets, 3, 4, small))
    return found


def _tables(p: float, targets: int, bits: int, n: int, instances: int) -> dict[str, Any]:
    """Of each instance, by hch and by the simulation."""
    rng, task = Random(f"{p} {targets}"), f"permutation,size={n},bits={bits}"
    worlds = [World(rng, p, n).tables(targets, bits) for _ in range(SIMULATED * instances)]
    ours = [iterated(task, p, targets, number, bits - 1) for number in range(instances)]
    closed = expected(p, targets, range(1 << bits), n)
    return {"p": p, "targets": targets, "closed": closed, "hch": ours, "simulated": worlds}


def trees_table(rows: Sequence[dict[str, Any]]) -> str:
    head = (
        "HCH, right, %, for powers of",
        *(f"{bits} bits" for bits in sorted({row["bits"] for row in rows})),
    )
    shown = []
    for p in RATES:
        at = [row for row in rows if row["p"] == p]
        for which, what in enumerate(("if no question were shared", "closed form")):
            cells = (f"{100 * row['closed'][which]:.2f}" for row in at)
            shown.append((f"p = {p:.2f}: {what}", *cells))
        shown.append(("simulated", *(f"{100 * row['simulated']:.2f}" for row in at)))
        shown.append(("hch", *(_within(*wilson(row["right"], row["of"])) for row in at)))
    return table(head, shown)


def _within(low: float, high: float) -> str:
    return f"{100 * low:.2f} to {100 * high:.2f}"


def _mean(found: Sequence[Sequence[float]], which: int) -> str:
    """In percent, with a 95% interval by the instances, which share no error."""
    values = [100 * each[which] for each in found]
    return f"{mean(values):.2f} ± {1.96 * stdev(values) / sqrt(len(values)):.2f}"


def tables_table(rows: Sequence[dict[str, Any]], what: str, *, published: bool) -> str:
    """Targets, then what was learned from them; by the closed form, simulated, by hch."""
    three = ("closed form", "simulated", "hch", *["published"] * published)
    head = (what, f"targets: {three[0]}", *three[1:], f"learned: {three[0]}", *three[1:])
    shown = []
    for row in rows:
        cells = [f"p = {row['p']:.2f}, {row['targets']} targets a question"]
        for which in (0, 1):
            cells.append(f"{100 * row['closed'][which]:.2f}")
            cells += [_mean(row[of], which) for of in ("simulated", "hch")]
            cells += [f"{PUBLISHED[row['p']][which]:.2f}"] * published
        shown.append(cells)
    return table(head, shown)


def shown(found: dict[str, Any]) -> str:
    parts = (
        trees_table(found["trees"]),
        tables_table(
            found["tables"],
            f"64 elements, powers below {1 << found['bits']}, right, %",
            published=False,
        ),
        tables_table(found["small"], "4 elements, powers below 8, right, %", published=True),
        found["conditions"],
    )
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trees", type=int, default=TREES, help="of each rate and size")
    parser.add_argument("--instances", type=int, default=10, help="that tables are made for")
    parser.add_argument("--small", type=int, default=1000, help="instances of 4 elements")
    parser.add_argument("--bits", type=int, default=BITS, help="that a power may have, 2 or more")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    given = parser.parse_args(arguments)
    how = f"--trees {given.trees} --instances {given.instances} --small {given.small}"
    how += f" --bits {given.bits}"
    found = measure(given.trees, given.instances, given.small, given.bits)
    found["conditions"] = (
        f"`python -m benchmarks.errors {how}` on {machine()}. Intervals are of 95%: of trees by "
        f"Wilson, of tables by the {given.instances} instances, {given.small} of 4 elements. "
        f"Simulated are {5 * given.trees:,} trees, and {SIMULATED} instances for each of hch's."
    )
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=1))
    text = shown(found)
    print(text)
    if given.write:
        keep(PAGE, "errors", text)


if __name__ == "__main__":
    main()
