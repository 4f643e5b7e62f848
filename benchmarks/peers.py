"""What the same tree costs the clients of other libraries: hch beside its neighbours, in one run.

    make bench-peers        # makes their environments, and puts the table into docs/performance.md

The tree, the server, the turns and the figures are those of `benchmarks.tree`. A neighbour is a
file of requirements `benchmarks/neighbours/NAME.txt`, installed into `.cache/peers/NAME`, and a
client `benchmarks/neighbours/NAME_tree.py`, run by the Python of that environment.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.server import ROOT, Served, size
from benchmarks.tables import arguments, keep, table

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "peers.json"
ENVIRONMENTS = ROOT / ".cache" / "peers"
NEIGHBOURS = sorted(path.stem for path in Path(__file__).with_name("neighbours").glob("*.txt"))

OURS = {
    "bare-aiohttp": ("bare recursion, aiohttp", ("aiohttp", "uvloop")),
    "hch": ("**hch, `openai`, durable store (sqlite)**", ("hch", "openai", "aiohttp", "uvloop")),
}
HEAD = (
    "client",
    "version",
    "CPU per call",
    "CPU x hch",
    "wall",
    "wall / critical path",
    "peak memory",
)
MALWARE = {"litellm": {"1.82.7", "1.82.8"}}

# The loopback server is asked directly, whatever proxies there are. DSPy and LiteLLM would fetch a
# table of models and prices when they are first used.
QUIET = {
    "NO_PROXY": "127.0.0.1",
    "no_proxy": "127.0.0.1",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OTEL_SDK_DISABLED": "true",
    "DO_NOT_TRACK": "1",
}
FOREIGN = ("OPENAI_", "DSPY_", "LITELLM_", "PYDANTIC_AI_", "LOGFIRE_", "INSPECT_", "OTEL_", "HCH_")


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The variables of every client: none of somebody's settings and keys, and nothing chatty."""
    kept = {
        name: value
        for name, value in outer.items()
        if not name.startswith(FOREIGN) and not name.endswith("_API_KEY")
    }
    return kept | QUIET


def python(neighbour: str) -> Path:
    """The Python of a neighbour's environment. Ends the run if it is not made or not to be run."""
    folder = ENVIRONMENTS / neighbour
    if not (folder / ".installed").exists():
        raise SystemExit(f"{neighbour} has no environment: `make bench-peers` makes it")
    refuse(folder)
    return folder / "bin" / "python"


def refuse(folder: Path) -> None:
    """End the run if what is installed in an environment is known as malware.

    Read from the files: that of LiteLLM ran as soon as a Python of its environment started.
    """
    found = distributions(path=[str(site) for site in folder.glob("lib*/python*/site-packages")])
    for package in found:
        if package.version in MALWARE.get(package.name.lower(), ()):
            raise SystemExit(f"{package.name} {package.version} in {folder} is malware: remove it")


def command(client: str) -> list[str]:
    if client in OURS:
        return [sys.executable, "-m", "benchmarks.clients", client]
    return [str(python(client)), "-m", f"benchmarks.neighbours.{client}_tree"]


def once(client: str, depth: int, latency: float) -> dict[str, Any]:
    """One tree by one client in a fresh process, against a fresh server, which counts along."""
    asked, env = command(client), environment(os.environ)
    with Served(latency) as served:
        run = subprocess.run(
            [*asked, f"--depth={depth}", f"--url={served.url}"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, timeout=600,
        )  # fmt: skip
    sent = size(depth)[1] + size(1)[1]
    if served.stats["requests"] != sent:
        raise SystemExit(f"{client} sent {served.stats['requests']} requests instead of {sent}")
    told = {"bytes": served.stats["bytes"] / sent, "most": served.stats["most"]}
    return {**titled(client, json.loads(run.stdout)), **told}


def titled(client: str, found: dict[str, Any]) -> dict[str, Any]:
    """A client's figures with its title and the versions of its packages, its own first."""
    if client not in OURS:
        return {**found, "client": client, "title": found["client"]}
    title, packages = OURS[client]
    return {**found, "title": title, "versions": {name: version(name) for name in packages}}


def measure(rounds: int, depth: int, latency: float) -> list[dict[str, Any]]:
    """Every client's runs; every other round goes backwards, so that a drift hits all alike."""
    clients, runs = [*OURS, *NEIGHBOURS], []
    for number in range(rounds):
        for client in clients[:: -1 if number % 2 else 1]:
            runs.append(once(client, depth, latency))
            told = f"{runs[-1]['cpu']:.2f} s of CPU, {runs[-1]['wall']:.2f} s of wall"
            print(f"round {number + 1} of {rounds}: {client}: {told}", file=sys.stderr)
    return runs


def medians(runs: Sequence[dict[str, Any]], depth: int) -> dict[str, dict[str, Any]]:
    """By client: its title and versions, CPU a call in us, wall in s, memory in MB."""
    calls = size(depth)[1]
    found = {}
    for client in [*OURS, *NEIGHBOURS]:
        own = [run for run in runs if run["client"] == client]
        found[client] = {
            "title": own[0]["title"],
            "versions": own[0]["versions"],
            "cpu": 1e6 * median(run["cpu"] for run in own) / calls,
            "wall": median(run["wall"] for run in own),
            "memory": median(run["peak_kib"] for run in own) * 1024 / 1e6,
            "bytes": median(run["bytes"] for run in own),
            "most": max(run["most"] for run in own),
        }
    return found


def rows(found: dict[str, dict[str, Any]], critical: float) -> list[list[str]]:
    return [
        [
            m["title"],
            next(iter(m["versions"].values())),
            f"{m['cpu']:,.0f} us",
            f"{m['cpu'] / found['hch']['cpu']:.2f}",
            f"{m['wall']:.2f} s",
            f"{m['wall'] / critical:.2f}",
            f"{m['memory']:,.0f} MB",
        ]
        for m in found.values()
    ]


def page(found: dict[str, dict[str, Any]], args: argparse.Namespace) -> str:
    """The table, and the conditions that it was made under."""
    nodes, calls = size(args.depth)
    critical = (2 * args.depth + 1) * args.latency
    told = (
        f"{nodes:,} nodes, {calls:,} calls, {args.latency * 1000:g} ms each; critical path "
        f"{critical * 1000:,.0f} ms; median of {args.rounds} alternating rounds, each client in a "
        f"fresh process of its own environment.\n"
        f"`python -m benchmarks.peers --rounds {args.rounds} --depth {args.depth} "
        f"--latency {args.latency:g}` on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}; `gc.set_threshold(50000, 50, 1000)` for every client."
    )
    return f"{table(HEAD, rows(found, critical))}\n\n{told}\n\n{each(found)}"


def each(found: dict[str, dict[str, Any]]) -> str:
    """A line for each client: what it ran with, its requests, and how many it had in flight."""
    return "\n".join(
        f"- {m['title']}: {', '.join(f'{name} {v}' for name, v in m['versions'].items())}; "
        f"{m['bytes']:,.0f} bytes a request, at most {m['most']:,} in flight"
        for m in found.values()
    )


def main(argv: Sequence[str] | None = None) -> None:
    args = arguments(__doc__, JSON, PAGE).parse_args(argv)
    runs = measure(args.rounds, args.depth, args.latency)
    text = page(found := medians(runs, args.depth), args)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    data = {"command": sys.argv, "medians": found, "runs": runs}
    args.json.write_text(json.dumps(data, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "peers", text)


if __name__ == "__main__":
    main()
