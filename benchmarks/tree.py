"""What a tree costs its client: hch beside the bare recursions, in one run on one machine.

    python -m benchmarks.tree               # prints the tables, writes .cache/bench/tree.json
    python -m benchmarks.tree --write       # and puts the tables into docs/performance.md

A full tree of three children a node is answered by a loopback server in its own process. Every
client runs in a fresh process, after a small tree that imports and warms what it uses; the clients
take turns for several rounds, and the median of each is shown. CPU is that of the client's process,
all of its threads, user and system. The critical path is the calls from the root to a leaf and
back, which no client can undercut.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

from benchmarks.clients import CLIENTS
from benchmarks.server import ROOT, Served, size
from benchmarks.tables import arguments, keep, table

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "tree.json"

NAMES = {
    "bare-aiohttp": "bare recursion, aiohttp",
    "bare-openai": "bare recursion, openai SDK as it comes",
    "bare-openai-aiohttp": "bare recursion, openai SDK over aiohttp",
    "hch": "**hch, `openai`, durable store (sqlite)**",
    "hch-vllm": "**hch, `vllm`, durable store (sqlite)**",
    "hch-memory": "hch, `openai`, store in memory",
}
HEAD = (
    "client",
    "CPU per call",
    "CPU x aiohttp",
    "CPU x SDK",
    "wall",
    "wall x aiohttp",
    "wall / critical path",
    "commits a call",
)


def once(client: str, depth: int, latency: float) -> dict[str, Any]:
    """One tree by one client in a fresh process, against a fresh server, which counts along."""
    command = [sys.executable, "-m", "benchmarks.clients", client, f"--depth={depth}"]
    env = {**os.environ, "NO_PROXY": "127.0.0.1"}
    with Served(latency) as served:
        run = subprocess.run(
            [*command, f"--url={served.url}"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, timeout=600,
        )  # fmt: skip
    sent = size(depth)[1] + size(1)[1]
    if served.stats["requests"] != sent:
        raise SystemExit(f"{client} sent {served.stats['requests']} requests instead of {sent}")
    return {**json.loads(run.stdout), "bytes": served.stats["bytes"] / sent, "server": served.stats}


def measure(rounds: int, depth: int, latency: float) -> list[dict[str, Any]]:
    """Every client's runs; every other round goes backwards, so that a drift hits all alike."""
    runs = []
    for number in range(rounds):
        for client in list(CLIENTS)[:: -1 if number % 2 else 1]:
            runs.append(once(client, depth, latency))
            told = f"{runs[-1]['cpu']:.2f} s of CPU, {runs[-1]['wall']:.2f} s of wall"
            print(f"round {number + 1} of {rounds}: {client}: {told}", file=sys.stderr)
        runs.append(store(depth))
    return runs


def store(depth: int) -> dict[str, Any]:
    """What the durable store adds to a call of the same tree by a scripted model."""
    command = [sys.executable, "-m", "benchmarks.store", f"--depth={depth}"]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=600)
    return json.loads(run.stdout)


def medians(runs: Sequence[dict[str, Any]], depth: int) -> dict[str, dict[str, float]]:
    """By client: CPU a call in us, wall in s, memory in MB, commits a call."""
    calls = size(depth)[1]
    found = {}
    for client in CLIENTS:
        own = [run for run in runs if run["client"] == client]
        found[client] = {
            "cpu": 1e6 * median(run["cpu"] for run in own) / calls,
            "wall": median(run["wall"] for run in own),
            "memory": median(run["peak_kib"] for run in own) * 1024 / 1e6,
            "commits": median(run.get("commits", 0) for run in own) / calls,
            "bytes": median(run["bytes"] for run in own),
        }
    return found


def rows(found: dict[str, dict[str, float]], critical: float) -> list[list[str]]:
    lean, sdk = found["bare-aiohttp"], found["bare-openai"]
    return [
        [
            NAMES[client],
            f"{m['cpu']:,.0f} us",
            f"{m['cpu'] / lean['cpu']:.1f}",
            f"{m['cpu'] / sdk['cpu']:.2f}",
            f"{m['wall']:.2f} s",
            f"{m['wall'] / lean['wall']:.2f}",
            f"{m['wall'] / critical:.2f}",
            f"{m['commits']:.3f}" if m["commits"] else "",
        ]
        for client, m in found.items()
    ]


def targets(found: dict[str, dict[str, float]], added: float) -> str:
    """What this engine is held to, beside what it came to."""
    hch, sdk = found["hch"], found["bare-openai"]
    vllm, lean = found["hch-vllm"], found["bare-aiohttp"]
    held = [
        (
            "hch over `vllm`: CPU per call, x that of the bare recursion over aiohttp",
            1.8,
            vllm["cpu"] / lean["cpu"],
        ),
        (
            "hch over `vllm`: wall, x that of the bare recursion over aiohttp",
            1.25,
            vllm["wall"] / lean["wall"],
        ),
        (
            "hch over `openai`: CPU per call, x that of the SDK as it comes",
            0.4,
            hch["cpu"] / sdk["cpu"],
        ),
        ("durable store: us of CPU added to a call (`benchmarks.store`)", 60, added),
        ("durable store: commits a call", 0.1, hch["commits"]),
    ]
    shown = [
        [what, f"{most:g}", f"{now:.{2 * (most < 10)}f}", "yes" if now <= most else "no"]
        for what, most, now in held
    ]
    return table(("target", "at most", "measured", "met"), shown)


def page(found: dict[str, dict[str, float]], added: float, args: argparse.Namespace) -> str:
    """The tables, and the conditions that they were made under."""
    nodes, calls = size(args.depth)
    critical = (2 * args.depth + 1) * args.latency
    smallest, largest = (f(m["bytes"] for m in found.values()) for f in (min, max))
    told = (
        f"{nodes:,} nodes, {calls:,} calls of {smallest:,.0f} to {largest:,.0f} bytes, "
        f"{args.latency * 1000:g} ms each; critical path {critical * 1000:,.0f} ms; median of "
        f"{args.rounds} alternating rounds, each client in a fresh process.\n"
        f"`python -m benchmarks.tree --rounds {args.rounds} --depth {args.depth} "
        f"--latency {args.latency:g}` on {conditions()}."
    )
    return f"{table(HEAD, rows(found, critical))}\n\n{told}\n\n{targets(found, added)}"


def conditions() -> str:
    """The cores and the versions; the event loop and the collector's threshold."""
    uvloop = _version("uvloop")
    loop = f"uvloop {uvloop}" if uvloop else "the event loop of asyncio"
    packages = ", ".join(f"{name} {_version(name)}" for name in ("openai", "aiohttp", "hch"))
    return (
        f"{os.cpu_count()} cores, Python {platform.python_version()}, {packages}; {loop} for every "
        "client and the server; `gc.set_threshold(50000, 50, 1000)` for every client, as hch's "
        "commands set it"
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def main(argv: Sequence[str] | None = None) -> None:
    args = arguments(__doc__, JSON, PAGE).parse_args(argv)
    runs = measure(args.rounds, args.depth, args.latency)
    added = median(run["us"] for run in runs if run["client"] == "store")
    text = page(found := medians(runs, args.depth), added, args)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    data = {"conditions": conditions(), "command": sys.argv, "medians": found, "runs": runs}
    args.json.write_text(json.dumps(data, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "tree", text)
        keep("README.md", "tree", table(HEAD, rows(found, (2 * args.depth + 1) * args.latency)))


if __name__ == "__main__":
    main()
