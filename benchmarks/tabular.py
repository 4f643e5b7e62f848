"""What a table takes as a player: to answer, to be learned, and to be kept.

    python -m benchmarks.tabular              # prints the table, writes .cache/bench/table.json
    python -m benchmarks.tabular --write      # and puts it into docs/performance.md

A generation is all 64 x 64 questions of a permutation put to Amplify^H(table), where the table is
what three generations before it have learned. Each figure is the least of the rounds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.server import ROOT
from benchmarks.tables import keep, machine, table
from hch.agents import Learned, Query, Row
from hch.amplify import Amplify
from hch.learners.table import build
from hch.playing import Playing, drawn
from hch.tables import Table
from hch.tasks.permutation import build as permutation
from hch.types import Answer, Text

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "table.json"

LEARNED = 3
"""Generations before the one that is measured."""

ROWS = 8192
ANSWERS = 100_000

TASK = permutation()
INSTANCE = drawn(TASK, 0)
PUTS = [Query(TASK.render(term), INSTANCE.digest) for term in TASK.space(INSTANCE)]


def amplified(x: Learned) -> list[Row]:
    """What Amplify^H(x) answers to every question."""
    agent = build().agent(x, 0)
    h = Amplify(Playing(TASK), agent, {INSTANCE.digest: INSTANCE}, level=1)
    told = zip(PUTS, h.answer(PUTS), strict=True)
    return [Row(put.instance, put.body, answer) for put, (answer, _) in told]


def least(rounds: int, work: Callable[[], object]) -> float:
    """The least seconds that some work takes."""
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        took.append(time.perf_counter() - begun)
    return min(took)


def rate(rounds: int, answers: Sequence[str]) -> float:
    """Answers a second of a table that was told these of each of its questions."""
    told = [Answer("answered", Text(body)) for body in answers]
    rows = [Row(None, f"What is {n}?", answer) for n in range(ROWS) for answer in told]
    learner = build(soft=True)
    agent = learner.agent(learner.learn("x", rows, None), 0)
    queries = [Query(f"What is {n % ROWS}?", None, ((1, 0, n // ROWS),)) for n in range(ANSWERS)]
    return ANSWERS / least(rounds, lambda: agent.answer(queries))


def measure(rounds: int) -> dict[str, float]:
    x = build().learn("x/0", (), None)
    for number in range(LEARNED):
        x = build().learn(f"x/{number + 1}", amplified(x), x)
    rows = amplified(x)
    several = {"5": 0.25, "6": 0.75}
    kept = Table((f"{n % 64:032x}", f"What is {n}?", several) for n in range(ROWS))
    return {
        "amplify": least(rounds, lambda: amplified(x)),
        "learn": least(rounds, lambda: build().learn("y", rows, x)),
        "hard": rate(rounds, ["5"]),
        "soft": rate(rounds, ["5", "6", "6"]),
        "write": least(rounds, lambda: Table(kept.rows()).text),
        "read": least(rounds, lambda: Table.read(kept.text)),
    }


def page(found: dict[str, float]) -> str:
    """The table of what was measured beside the targets, and the conditions."""

    def most(what: str, name: str, target: float) -> list[str]:
        met = "yes" if found[name] <= target else "no"
        return [what, f"{1e3 * found[name]:,.0f} ms", f"at most {1e3 * target:,.0f} ms", met]

    def at_least(what: str, name: str) -> list[str]:
        met = "yes" if found[name] >= ANSWERS else "no"
        return [what, f"{found[name]:,.0f} a second", f"at least {ANSWERS:,}", met]

    rows = [
        most(f"Amplify^H(table), {len(PUTS):,} permutation questions", "amplify", 2),
        ["learning a table of them", f"{1e3 * found['learn']:,.0f} ms", "", ""],
        at_least("answers of a table, one to a question", "hard"),
        at_least("answers of a table, drawn from two to a question", "soft"),
        most(f"writing a table of {ROWS:,} questions, two answers each", "write", 0.05),
        most("reading it", "read", 0.05),
    ]
    told = f"`python -m benchmarks.tabular` on {machine()}."
    return f"{table(('what', 'measured', 'target', 'met'), rows)}\n\n{told}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    args = parser.parse_args(argv)
    found = measure(args.rounds)
    text = page(found)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(found, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "table", text)


if __name__ == "__main__":
    main()
