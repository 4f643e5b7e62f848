"""What it takes to join near-equal questions: time, memory, and how many pairs are missed.

    python -m benchmarks.near               # prints the table, writes .cache/bench/near.json
    python -m benchmarks.near --write       # and puts it into docs/hygiene.md

Each row is a process of its own. `arithmetic` are questions by that task's law, of much the same
few characters; `prose` are sentences of 12 words, each tenth a paraphrase of another: a word more,
a word less, two that changed places, a letter that is wrong.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.server import ROOT
from benchmarks.tables import keep, machine, table
from hch import registry
from hch.datasets.near import joined
from hch.registry import Spec

PAGE = "docs/hygiene.md"
JSON = ROOT / ".cache" / "bench" / "near.json"
KINDS = ("arithmetic", "prose")
COUNTS = (10_000, 100_000)
THRESHOLD = 0.8
MB = 1e6


def arithmetic(count: int) -> list[str]:
    """Different questions of the task arithmetic, without its instances' facts."""
    task = registry.build("tasks", Spec("arithmetic"))
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        rng = Random(number)
        found[next(task.questions(task.sample(rng, task.size), rng)).text.body] = None
        number += 1
    return [*found]


def prose(count: int) -> list[str]:
    """Sentences, each tenth a paraphrase of one before it."""
    chance = Random(1)
    letters = "abcdefghilmnoprstuw"
    words = ["".join(chance.choices(letters, k=chance.randrange(2, 10))) for _ in range(20_000)]
    found = list[str]()
    while len(found) < count:
        if len(found) % 10 == 9:
            found.append(paraphrase(chance.choice(found), chance))
        else:
            found.append(" ".join(chance.choices(words, k=12)) + "?")
    return found


def paraphrase(text: str, chance: Random) -> str:
    """Nearly the same text."""
    words = text.split()
    at = chance.randrange(len(words) - 1)
    match chance.randrange(4):
        case 0:
            words.insert(at, "indeed")
        case 1:
            del words[at]
        case 2:
            words[at], words[at + 1] = words[at + 1], words[at]
        case _:
            words[at] = f"{words[at][:1]}x{words[at][1:]}"
    return " ".join(words)


def measured(kind: str, count: int) -> dict[str, Any]:
    """One row, in this process."""
    texts = {"arithmetic": arithmetic, "prose": prose}[kind](count)
    before, began = peak(), time.perf_counter()
    groups = joined(texts, THRESHOLD)
    return {
        "questions": f"{count:,} {kind}",
        "seconds": time.perf_counter() - began,
        "before": before,
        "peak": peak(),
        "joined": count - len(set(groups)),
    }


def peak() -> float:
    """The most memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def page(found: Sequence[dict[str, Any]]) -> str:
    """The figures as a table."""
    head = ("questions", "time", "memory before", "at most", "joined to another")
    cells = [
        (
            row["questions"],
            f"{row['seconds']:.1f} s",
            f"{row['before']:.0f} MB",
            f"{row['peak']:.0f} MB",
            f"{row['joined']:,}",
        )
        for row in found
    ]
    return f"{table(head, cells)}\n\n{machine()}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs=2, metavar=("KIND", "COUNT"), help="one row, as JSON")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measured(args.only[0], int(args.only[1]))))
        return
    found = [json.loads(_run(kind, count)) for kind in KINDS for count in COUNTS]
    text = page(found)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(found, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "near", text)


def _run(kind: str, count: int) -> bytes:
    command = [sys.executable, "-m", "benchmarks.near", "--only", kind, str(count)]
    return subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout


if __name__ == "__main__":
    main()
