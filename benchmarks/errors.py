"""Errors in H's answers: what they come to up a tree, and what a table of majorities makes of them.

    python -m benchmarks.errors             # prints the tables, writes .cache/bench/errors.json
    python -m benchmarks.errors --write     # and puts them into docs/distillation.md
    python -m benchmarks.errors --show      # prints the last run's figures again

H errs at the end of its work: with probability p it says one of the n-1 other elements, each as
likely. The task is permutation powering. Beside what hch does stand a closed form and a simulation
that uses none of hch's code (`benchmarks.channel`). No two rows share an instance or a draw.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from benchmarks.channel import Accuracy, World, expected, of_bits
from benchmarks.tables import ROOT, keep, machine, table
from hch import registry
from hch.agents import Query
from hch.evals.intervals import bootstrapped, wilson
from hch.iterate import Iteration
from hch.ledger import Settings
from hch.playing import Playing, drawn
from hch.polls import unrolled
from hch.registry import Spec
from hch.stores.memory import MemoryStore
from hch.types import digest

PAGE = "docs/distillation.md"
JSON = ROOT / ".cache" / "bench" / "errors.json"

RATES = (0.01, 0.1, 0.3)
TARGETS = {64: (1, 3, 5), 4: (1, 5)}
"""That a question gets, by the elements that are permuted."""

BITS = 6
SIZE = 64

TREES = 20_000
"""Of each size and rate, each about an instance of its own."""

BATCH = 500
"""Trees that are grown at once."""

SIMULATED = 20
"""Simulated instances for each of hch's, and trees a quarter as many."""


def seed_of(*row: object) -> int:
    """A seed of a row's own: 48 bits."""
    return int(digest(*map(str, row))[:12], 16)


def trees(p: float, bits: int, count: int, first: int = 0) -> int:
    """How many of so many roots HCH is right about, one of each instance from a number on."""
    task, seed = registry.build("tasks", Spec("permutation")), seed_of("trees", p, bits)
    depth, least, right, rng = max(0, bits - 2), 1 << bits - 1, 0, Random(seed)
    for at in range(0, count, BATCH):
        numbers = range(first + at, first + min(at + BATCH, count))
        instances = [drawn(task, number) for number in numbers]
        facts = {instance.digest: instance for instance in instances}
        queries = []
        for instance in instances:
            k, x = least + rng.randrange(least), rng.choice(instance.facts)[0]
            queries.append(Query(f"s^{k}({x})", instance.digest, ((depth + 1, 0, 0),)))
        told = unrolled(Playing(task, errors=p), facts, depth, seed=seed).answer(queries)
        for instance, query, response in zip(instances, queries, told, strict=True):
            right += task.grade(instance, task.parse(query.body), response.answer)
    return right


def simulated_trees(p: float, bits: int, count: int) -> float:
    rng, right, least = Random(seed_of("simulated", p, bits)), 0, 1 << bits - 1
    for _ in range(count):
        world = World(rng, p, SIZE)
        k, x = least + rng.randrange(least), rng.randrange(SIZE)
        right += world.tree(k, x) == world.power(k, x)
    return right / count


def iterated(task: str, p: float, targets: int, rounds: int, instance: int) -> Accuracy:
    """What `hch iterate` comes to on an instance, each generation being taken."""
    settings = Settings(
        task=task,
        instances=str(instance),
        targets=targets,
        errors=p,
        take_worse=True,
        held_out=1,
        seed=seed_of(p, targets, instance),
    )
    built = registry.build("tasks", Spec.parse(task))
    learner = registry.build("learners", Spec("table"))
    iteration = Iteration(settings.name, settings, MemoryStore(), built, learner)
    last = list(iteration.generations(rounds))[-1]
    return Accuracy(last.targets.accuracy, last.learned.accuracy)


def simulated_tables(p: float, targets: int, bits: int, n: int, count: int) -> Accuracy:
    """Means over so many tables."""
    rng = Random(seed_of("simulated", p, targets, n))
    made = [World(rng, p, n).tables(targets, bits) for _ in range(count)]
    return Accuracy(*map(fmean, zip(*made, strict=True)))


def measure(pool: Executor, count: int, sizes: dict[int, int], bits: int) -> dict[str, Any]:
    """The rows of all tables; `sizes` says how many instances there are of each size."""
    grown = _trees(pool, count, bits)
    made = [_tables(pool, n, instances, bits if n == SIZE else 3) for n, instances in sizes.items()]
    return {"bits": bits, "trees": list(grown), "tables": [row for rows in made for row in rows]}


def _trees(pool: Executor, count: int, most: int) -> list[dict[str, Any]]:
    rows = list(product(RATES, range(2, most + 1)))
    submitted = [
        (
            pool.submit(trees, p, bits, count, number * count),
            pool.submit(simulated_trees, p, bits, SIMULATED // 4 * count),
        )
        for number, (p, bits) in enumerate(rows)
    ]
    return [
        {
            "p": p,
            "bits": bits,
            "of": count,
            "closed": expected(p, 1, of_bits(bits), SIZE).targets,
            "right": right.result(),
            "simulated": simulated.result(),
        }
        for (p, bits), (right, simulated) in zip(rows, submitted, strict=True)
    ]


def _tables(pool: Executor, n: int, instances: int, bits: int) -> list[dict[str, Any]]:
    """Rows with what hch made of each instance, and the means of the simulation."""
    rows, task = list(product(RATES, TARGETS[n])), f"permutation,size={n},bits={bits}"
    submitted = [
        (
            pool.submit(simulated_tables, p, targets, bits, n, SIMULATED * instances),
            pool.map(
                partial(iterated, task, p, targets, bits - 1),
                range(number * instances, (number + 1) * instances),
                chunksize=1 if n == SIZE else 50,
            ),
        )
        for number, (p, targets) in enumerate(rows)
    ]
    return [
        {
            "size": n,
            "p": p,
            "targets": targets,
            "closed": expected(p, targets, range(1 << bits), n),
            "simulated": simulated.result(),
            "hch": list(made),
        }
        for (p, targets), (simulated, made) in zip(rows, submitted, strict=True)
    ]


def trees_table(rows: Sequence[dict[str, Any]]) -> str:
    sizes = sorted({row["bits"] for row in rows})
    shown = []
    for p in RATES:
        at = [row for row in rows if row["p"] == p]
        for of in ("closed", "simulated"):
            name = "closed form" if of == "closed" else of
            shown.append((f"p = {p:.2f}, {name}", *(f"{100 * row[of]:.2f}" for row in at)))
        ends = [wilson(row["right"], row["of"]) for row in at]
        shown.append((f"p = {p:.2f}, hch", *(f"{100 * a:.2f}–{100 * b:.2f}" for a, b in ends)))
    return table(("HCH, right, %, for powers of", *(f"{bits} bits" for bits in sizes)), shown)


def _mean(made: Sequence[Sequence[float]], which: int) -> str:
    """In percent, with an interval by the instances: what is asked of one shares its errors."""
    values = [100 * each[which] for each in made]
    low, high = bootstrapped(values)
    interval = f" ({low:.2f}–{high:.2f})" if high > low else ""
    return f"{fmean(values):.2f}{interval}"


def tables_table(rows: Sequence[dict[str, Any]], what: str, *, closed: bool) -> str:
    """Targets, and the table that was learned from them; `closed` is whether by the form too."""
    form = ["closed form"] * closed
    head = (what, "targets: simulated", "hch", *["table: closed form"] * closed)
    head = (*head, "simulated" if form else "table: simulated", "hch")
    shown = []
    for row in rows:
        cells = [f"p = {row['p']:.2f}, {row['targets']} target{'s' * (row['targets'] > 1)}"]
        for which, ways in ((0, ["simulated"]), (1, ["closed"] * closed + ["simulated"])):
            cells += [f"{100 * row[way][which]:.2f}" for way in ways]
            cells.append(_mean(row["hch"], which))
        shown.append(cells)
    return table(head, shown)


def shown(found: dict[str, Any]) -> str:
    of = {n: [row for row in found["tables"] if row["size"] == n] for n in TARGETS}
    large = f"64 elements, powers below {1 << found['bits']}, right, %"
    parts = (
        trees_table(found["trees"]),
        tables_table(of[64], large, closed=True),
        tables_table(of[4], "4 elements, powers below 8, right, %", closed=False),
        found["conditions"],
    )
    return "\n\n".join(parts)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trees", type=int, default=TREES, help="of each rate and size")
    parser.add_argument("--instances", type=int, default=40, help="that tables are made for")
    parser.add_argument("--small", type=int, default=1000, help="instances of 4 elements")
    parser.add_argument("--bits", type=int, default=BITS, help="that a power may have, 2 or more")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--show", action="store_true", help="the figures that are there")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    given = parser.parse_args(arguments)
    if not given.show:
        _run(given)
    text = shown(json.loads(given.json.read_text()))
    print(text)
    if given.write:
        keep(PAGE, "errors", text)


def _run(given: argparse.Namespace) -> None:
    """Measure, and keep the figures."""
    with ProcessPoolExecutor(given.jobs) as pool:
        sizes = {SIZE: given.instances, 4: given.small}
        found = measure(pool, given.trees, sizes, given.bits)
    found["conditions"] = (
        f"`python -m benchmarks.errors --trees {given.trees} --instances {given.instances} --small "
        f"{given.small} --bits {given.bits}` on {machine()}. "
        "Intervals are of 95%: of trees by Wilson, each about an instance of its own; of tables by "
        f"a bootstrap over their instances, {given.instances} of 64 elements and {given.small} of "
        f"4. Simulated are {SIMULATED // 4} times as many trees, {SIMULATED} times as many tables."
    )
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
