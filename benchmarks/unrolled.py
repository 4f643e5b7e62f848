"""HCH_n unrolled, scripts at all levels: how often it is right, and what a question takes.

    python -m benchmarks.unrolled            # prints the tables, writes .cache/bench/unrolled.json
    python -m benchmarks.unrolled --write    # and puts the tables into docs/tasks.md
    python -m benchmarks.unrolled --show     # prints the last run's figures again

Every question is one root question of an instance of its own, so that all are independent; both by
the task's law, at the sizes of the paper. A call is one H at work, level 0 included; what the
oracle answers is none. Level 0 is H alone, who has the oracle, or an agent that knows nothing. What
was found elsewhere was measured on the authors' code of arXiv 1810.08575, or by others for `path`.
The page has the rows with such a figure, and `minmax`; the JSON has all.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.tables import ROOT, keep, machine, table
from hch import registry
from hch.agents import Agent, Query, Response
from hch.amplify import Amplify
from hch.evals.intervals import normal, wilson
from hch.playing import Playing, drawn
from hch.types import Answer

PAGE = "docs/tasks.md"
JSON = ROOT / ".cache" / "bench" / "unrolled.json"

CHUNK = 25
DEEP = 56
"""Variables of an instance of `assignments` that are no constants: none is deeper."""

KNOWS, NOTHING = "the oracle", "nothing"
"""What level 0 has."""


class Case(NamedTuple):
    """What is measured; how often it was right elsewhere, and what it took."""

    task: str
    level: int
    has: str = KNOWS
    right: str = ""
    calls: str = ""

    @property
    def is_shown(self) -> bool:
        return bool(self.calls) or self.task == "minmax"


CASES = (
    *(Case("permutation", n) for n in range(4)),
    Case("permutation", 4, calls="11.4, at most 31"),
    *(Case("wildcard", n) for n in range(5)),
    Case("wildcard", 5, calls="20.0, at most 63"),
    *(Case("assignments", n) for n in (2, 4, 6, 8)),
    Case("assignments", DEEP, calls="13.5, at most 291; 9 shared"),
    Case("minmax", 3),
    *(
        Case("path", n, has, right, calls)
        for n, calls, *rights in (
            (1, "3", "48%", "40%"),
            (4, "45", "51%", "44%"),
            (6, "250", "59%", "53%"),
            (8, "1,549", "72%", "53%"),
        )
        for has, right in zip((KNOWS, NOTHING), rights, strict=True)
    ),
    *(
        Case("unionfind", n, has, right, calls)
        for n, calls, right in (
            (2, "7", "18%"),
            (4, "38", "35%"),
            (6, "236", "47%"),
            (8, "1,627", "67%"),
        )
        for has in (KNOWS, NOTHING)
    ),
)


@dataclass
class Found:
    """What became of questions: calls of each, distinct nodes of all, right ones by measure."""

    calls: list[int] = field(default_factory=list)
    nodes: int = 0
    right: Counter[str] = field(default_factory=Counter)
    of: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: Found) -> Found:
        return Found(
            self.calls + other.calls,
            self.nodes + other.nodes,
            self.right + other.right,
            self.of + other.of,
        )


class Silent:
    """Knows nothing."""

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        return [Response(Answer("unanswered", None, "nobody knows"), 1) for _ in queries]


def asked(case: Case, first: int, questions: int) -> Found:
    """One root question of each of so many instances, from this number on."""
    task = registry.build("tasks", registry.Spec(case.task))
    instances = [drawn(task, number) for number in range(first, first + questions)]
    roots = [next(iter(task.questions(i, Random(f"root {i.digest}")))) for i in instances]
    known = {instance.digest: instance for instance in instances}
    below: Agent | None = Silent() if case.has == NOTHING else None
    levels: list[Amplify] = []
    for level in range(case.has == NOTHING, case.level + 1):
        levels.append(Amplify(Playing(task), below, known, level=level))
        below = levels[-1]
    told = levels[-1].answer([Query(root.text.body, root.instance) for root in roots])
    found = Found([one.calls for one in told], sum(level.worked for level in levels))
    for instance, root, one in zip(instances, roots, told, strict=True):
        term = task.parse(root.text.body)
        measures = task.measures(instance, term, one.answer)
        for name, right in {"right": task.grade(instance, term, one.answer), **measures}.items():
            found.right[name] += right
            found.of[name] += 1
    return found


def measured(questions: int, jobs: int, up_to: int) -> dict[Case, Found]:
    """Every case up to a level, by so many questions; the largest first, so that none is last."""
    chunks = range(0, questions, CHUNK)
    cases = [case for case in CASES if case.level <= up_to]
    with ProcessPoolExecutor(jobs) as pool:
        parts = {
            case: [pool.submit(asked, case, at, min(CHUNK, questions - at)) for at in chunks]
            for case in sorted(cases, key=lambda case: -(case.level % DEEP))
        }
        return {case: sum((p.result() for p in parts[case]), Found()) for case in cases}


def share(found: Found, measure: str) -> str:
    """A share of right answers, with its interval."""
    right, of = found.right[measure], found.of[measure]
    low, high = wilson(right, of)
    return f"{right / of:.1%} ({low * 100:.1f}–{high * 100:.1f})"


def reached(found: dict[Case, Found]) -> str:
    """The table of accuracies and calls."""
    beside = ("right there", "calls", "most", "shared", "calls there")
    rows = []
    for case, got in found.items():
        if not case.is_shown:
            continue
        mean, about = normal(got.calls)
        calls = f"{mean:,.2f} ± {about:,.2f}"
        nodes = f"{got.nodes / len(got.calls):,.1f}" if case.has == KNOWS else ""
        most = f"{max(got.calls):,}"
        how = (f"`{case.task}`", str(case.level), case.has)
        rows.append((*how, share(got, "right"), case.right, calls, most, nodes, case.calls))
    return table(("task", "n", "level 0 has", "right", *beside), rows)


def ways(found: dict[Case, Found]) -> str:
    """The table of what is right of shortest paths."""
    parts = ("strict", "right", "steps", "distances", "reachable")
    head = ("n", "level 0 has", "strict", "valid", "steps", "distances", "reachable pairs")
    rows = [
        (str(case.level), case.has, *(share(got, part) for part in parts))
        for case, got in found.items()
        if case.task == "path"
    ]
    return table(head, rows)


def read(figures: Path) -> tuple[dict[Case, Found], str]:
    """What the last run measured, and its conditions."""
    kept = json.loads(figures.read_text())
    rows = {(row["task"], row["level"], row["has"]): row for row in kept["rows"]}
    measured = {case: rows[case[:3]] for case in CASES if case[:3] in rows}
    found = {
        case: Found(row["calls"], row["nodes"], Counter(row["right"]), Counter(row["of"]))
        for case, row in measured.items()
    }
    return found, kept["conditions"]


def measure(figures: Path, questions: int, jobs: int, up_to: int) -> None:
    """Measure every case up to a level, and keep the figures."""
    begun = time.perf_counter()
    found = measured(questions, jobs, up_to)
    conditions = (
        f"`python -m benchmarks.unrolled --questions {questions}` on {machine()}; "
        f"{time.perf_counter() - begun:.0f} s. Intervals are of 95%: Wilson's for shares, the "
        "normal one for means."
    )
    rows = [
        {"task": case.task, "level": case.level, "has": case.has, **vars(got)}
        for case, got in found.items()
    ]
    figures.parent.mkdir(parents=True, exist_ok=True)
    figures.write_text(json.dumps({"rows": rows, "conditions": conditions}))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--questions", type=int, default=1000, help="of each row")
    parser.add_argument("--up-to", type=int, default=DEEP, help="the highest level")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--show", action="store_true", help="the figures that are there")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    args = parser.parse_args(argv)
    if not args.show:
        measure(args.json, args.questions, args.jobs, args.up_to)
    found, conditions = read(args.json)
    made = {"unrolled": f"{reached(found)}\n\n{conditions}", "ways": ways(found)}
    print("\n\n".join(made.values()))
    if args.write:
        for name, text in made.items():
            keep(PAGE, name, text)


if __name__ == "__main__":
    main()
