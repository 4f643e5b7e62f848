"""What hch takes of a machine when a run is large: many nodes, and many calls in flight.

    python -m benchmarks.large              # prints the table, writes .cache/bench/large.json
    python -m benchmarks.large --write      # and puts the table into docs/performance.md

The player is `vllm`, the store is a SQLite file, and the server of `benchmarks.server` answers from
a process of its own. A node's cost is told by two full trees, one of 1,093 nodes and one of 29,524,
in turn and in fresh processes; its memory by what the larger one adds to the peak of the process.
The calls in flight are as many roots of one run, each of one call that takes 10 seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.server import ROOT, Served, question, size
from benchmarks.tables import arguments, keep, table
from benchmarks.tree import conditions

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "large.json"

SMALL, LARGE = 6, 9
WIDE = 10_000
FILES = 12_000
"""Open files that the wide run needs: its connections, and some."""

MB = 1e6


async def asked(url: str, depth: int, roots: int, at_once: int) -> None:
    """One run: trees of this depth, this many of them, over the lean client."""
    from hch import HCH
    from hch.config import Config
    from hch.stores.sqlite import SqliteStore

    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "hch.db") as store:
        hch = HCH(
            depth=depth,
            model=f"vllm:bench,base_url={url}",
            strategy="factored" if depth else "direct",
            store=store,
            concurrency=at_once,
            config=Config(store="memory"),
        )
        questions = [question("0" if roots == 1 else f"0.{i}") for i in range(roots)]
        results = await hch.begin(questions).finish()
        assert {result.status for result in results} == {"answered"}


def client(url: str, depth: int, roots: int, at_once: int) -> dict[str, Any]:
    """That run in this process, after a small one; its CPU, its wall and the growth of its peak."""
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    run(asked(url, min(depth, 1), 1, 1))
    gc.collect()
    gc.set_threshold(50_000, 50, 1_000)  # as hch's commands do
    before = peak()
    wall, cpu = time.perf_counter(), time.process_time()
    run(asked(url, depth, roots, at_once))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"cpu": cpu, "wall": wall, "grown": peak() - before, "peak": peak()}


def peak() -> int:
    """The most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if sys.platform == "darwin" else 1024
    )


def once(depth: int, roots: int = 1, at_once: int = 64, latency: float = 0.0) -> dict[str, Any]:
    """One run in a fresh process, against a fresh server."""
    run = {"depth": depth, "roots": roots, "at-once": at_once}
    command = [sys.executable, "-m", "benchmarks.large", *(f"--{k}={v}" for k, v in run.items())]
    env = {**os.environ, "NO_PROXY": "127.0.0.1"}
    with Served(latency) as served:
        done = subprocess.run(
            [*command, f"--client={served.url}"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, timeout=900,
        )  # fmt: skip
    told = {**json.loads(done.stdout), "most": served.stats["most"], **run}
    print({key: round(value, 3) for key, value in told.items()}, file=sys.stderr)
    return told


def page(trees: Sequence[dict[str, Any]], wide: Sequence[dict[str, Any]]) -> str:
    """The table of targets beside what was measured, and the conditions."""
    per_call = {
        depth: median(r["cpu"] for r in trees if r["depth"] == depth) / size(depth)[1]
        for depth in (SMALL, LARGE)
    }
    grown = median(r["grown"] for r in trees if r["depth"] == LARGE) / size(LARGE)[0]
    memory = median(r["peak"] for r in wide)
    ratio = per_call[LARGE] / per_call[SMALL]
    held = [
        (f"CPU per call at {size(LARGE)[0]:,} nodes, x that at {size(SMALL)[0]:,}", 1.15, ratio, 2),
        ("memory: kB a finished node", 4, grown / 1000, 1),
        (f"memory: MB with {min(r['most'] for r in wide):,} calls in flight", 500, memory / MB, 0),
    ]
    rows = [
        [what, f"{most:g}", f"{now:.{digits}f}", "yes" if now <= most else "no"]
        for what, most, now, digits in held
    ]
    told = (
        f"{1e6 * per_call[SMALL]:,.0f} us of CPU a call in the small tree, "
        f"{1e6 * per_call[LARGE]:,.0f} us in the large one; the wide run's {WIDE:,} calls of 10 s "
        f"took {median(r['wall'] for r in wide):.1f} s. `python -m benchmarks.large` on "
        f"{conditions()}."
    )
    return f"{table(('target', 'at most', 'measured', 'met'), rows)}\n\n{told}"


def main(argv: Sequence[str] | None = None) -> None:
    parser = arguments(__doc__, JSON, PAGE)
    parser.add_argument("--client", metavar="URL", help=argparse.SUPPRESS)
    parser.add_argument("--roots", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--at-once", type=int, default=64, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.client:
        print(json.dumps(client(args.client, args.depth, args.roots, args.at_once)))
        return
    trees = [once(depth) for _ in range(args.rounds) for depth in (SMALL, LARGE)]
    wide = [once(0, WIDE, WIDE, 10.0)]
    text = page(trees, wide)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"trees": trees, "wide": wide}, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "large", text)


if __name__ == "__main__":
    main()
