"""What it takes to take up again what is there: replay, resume, shared questions, many runs.

    python -m benchmarks.again              # prints the tables, writes .cache/bench/again.json
    python -m benchmarks.again --write      # and puts the tables into docs/performance.md

Each figure is that of the real command in a process of its own, start and all; the least of the
rounds. The large run is a tree of 13,121 calls by a scripted model; the store of many runs has 100
of 1,093 nodes each. The shared questions are those of s^(2^20)(x) of a random permutation, by
scripts at all levels, with a driver that plays the same in one process beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.server import ROOT, size
from benchmarks.tables import arguments, keep, table
from benchmarks.tree import conditions
from hch import registry
from hch.agents import Query
from hch.playing import Playing, drawn
from hch.polls import unrolled
from hch.registry import Spec
from hch.stores.sqlite import SqliteStore

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "again.json"

LARGE, SMALL = 8, 6
"""Depths of trees of three sub-questions a node: 13,121 calls, and 1,457."""

RUNS = 100

SHARED = 7
"""The instance of a permutation, which has an element on a cycle of 28."""

POWER = "s^1048576(bh)"
SPEC = "permutation,bits=21"
MB = 1e6


RULES = r"""
[[rule]]
match = '(?s)Question: (.+?)\n.*Write the sub-questions'
reply = '{"questions": [QUESTIONS]}'

[[rule]]
match = '.'
reply = 'so'
"""
"""A model that asks three questions wherever it may."""


def grown(folder: Path, place: Path, depth: int, runs: int) -> None:
    """So many runs of whole trees in a store."""
    rules = folder / "rules.toml"
    parts = (json.dumps({"question": rf"\1 / {i}", "texts": []}) for i in (1, 2, 3))
    asked = ", ".join(parts).replace(r"\\", "\\")
    rules.write_text(RULES.replace("QUESTIONS", asked), "utf-8")
    for seed in range(runs):
        how = ("--depth", str(depth), "-m", f"scripted:{rules}", "--seed", str(seed), "-q")
        typed(1, "ask", "Why is the sky blue?", *how, "--store", str(place))


def typed(rounds: int, *words: str) -> float:
    """The least wall seconds that a command takes."""
    took = []
    for _ in range(rounds):
        begun = time.perf_counter()
        command = [sys.executable, "-m", "hch", *words]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        took.append(time.perf_counter() - begun)
    return min(took)


def power(store: Path, rounds: int = 1) -> dict[str, Any]:
    """A power of 2^20 by the command and by the driver: seconds, nodes, and calls if unshared."""
    words = (
        "ask",
        POWER,
        "--task",
        SPEC,
        "--instance",
        str(SHARED),
        "--depth",
        "19",
        "-s",
        "script",
    )
    took = typed(rounds, *words, "--store", str(store), "-q")
    task = registry.build("tasks", Spec.parse(SPEC))
    instance = drawn(task, SHARED)
    driver = unrolled(Playing(task), {instance.digest: instance}, 19)
    begun = time.perf_counter()
    [told] = driver.answer([Query(POWER, instance.digest)])
    return {
        "power": took,
        "driver": time.perf_counter() - begun,
        "nodes": SqliteStore(store).runs()[0].nodes,
        "unshared": told.calls,
    }


def measure(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one, many = folder / "one.db", folder / "many.db"
        grown(folder, one, LARGE, 1)
        [run] = SqliteStore(one).runs()
        assert run.calls == size(LARGE)[1]
        found: dict[str, Any] = {
            "calls": run.calls,
            "replay": typed(rounds, "replay", "--store", str(one)),
            "resume": typed(rounds, "resume", run.run, "--store", str(one)),
        }
        grown(folder, many, SMALL, RUNS)
        store = ("--store", str(many))
        return found | {
            "shared": power(folder / "power.db", rounds),
            "bytes": many.stat().st_size,
            "list": typed(rounds, "runs", *store),
            "show": typed(rounds, "show", *store),
            "check": typed(1, "store", "check", *store),
            "backup": typed(1, "store", "backup", str(folder / "copy.db"), *store),
        }


def shown(found: dict[str, Any]) -> str:
    calls = found["calls"]

    def rate(what: str) -> Sequence[str]:
        took = found[what]
        return (f"`hch {what}` of {calls:,} calls", f"{took:.2f} s", f"{calls / took:,.0f} calls/s")

    head = ("what", "wall", "target")
    rows = [
        (*rate("replay")[:2], f"{rate('replay')[2]}, at least 5,000"),
        (*rate("resume")[:2], f"{rate('resume')[2]}, at least 5,000"),
        ("`hch runs` of 100 runs, 109,300 nodes", f"{found['list']:.2f} s", "under 1 s"),
        ("`hch show` of one of them", f"{found['show']:.2f} s", "under 1 s"),
        ("`hch store check` of them", f"{found['check']:.1f} s", "within 30 s"),
        (f"`hch store backup` ({found['bytes'] / MB:.0f} MB)", f"{found['backup']:.1f} s", ""),
    ]
    shared = found["shared"]
    about = f"{shared['nodes']} distinct questions of {shared['unshared']:,}"
    rows += [
        (f"`hch ask` of s^(2^20)(x), {about}", f"{shared['power']:.2f} s", "each asked once"),
        ("the same by the batched driver", f"{1e3 * shared['driver']:.1f} ms", ""),
    ]
    return table(head, rows)


def main(arguments_: Sequence[str] | None = None) -> None:
    given = arguments(__doc__, JSON, PAGE).parse_args(arguments_)
    found = {**measure(given.rounds), "conditions": conditions()}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=1))
    text = f"{shown(found)}\n\n{found['conditions']}"
    print(text)
    if given.write:
        keep(PAGE, "again", text)


if __name__ == "__main__":
    main()
