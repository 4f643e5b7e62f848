"""What a reply can make of a process and of its tree is bounded, whatever the reply asks for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.loopback import Loopback, Reply, chat
from tests.promises import Promise
from tests.support import check_tree, decomposition

MEASURED = """
import resource, sys
from hch import cli
code = cli.run(sys.argv[1:])
print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, "KB", file=sys.stderr)
sys.exit(code)
"""
"""The command line, which says at its end how much memory it had at the most."""

STORE = Path("runs.db")


def few(_: Any) -> str:
    return decomposition("What is 1?", "What is 2?")


def very_many(_: Any) -> str:
    return decomposition(*(f"What is {i}?" for i in range(100_000)))


def very_long(_: Any) -> str:
    return decomposition("What is 1?", "x" * 5_000_000)


def endless(body: Any) -> str:
    asked = re.search("Question: (.*)", body["messages"][-1]["content"])
    assert asked
    return decomposition(*(f"{asked[1][-200:]} / {i}" for i in range(1000)))


def measured(says: Callable[[Any], str], *words: str) -> tuple[int, int, str]:
    """A tree of a provider that says that to whoever can ask; the exit code, the peak in bytes."""

    def reply(body: Any) -> Reply:
        return Reply(chat(says(body) if "response_format" in body else "so"))

    with Loopback(reply) as server:
        model = f"vllm:small,base_url={server.url}"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
        command = [sys.executable, "-c", MEASURED, "ask", "Why?"]
        done = subprocess.run(
            [*command, "-m", model, "-q", "--store", str(STORE), *words],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
    peak = re.search(r"peak (\d+) KB", done.stderr)
    assert peak, done.stderr
    return done.returncode, int(peak[1]) * 1024, done.stderr


@pytest.mark.parametrize("says", [very_many, very_long])
def test_I10_no_reply_takes_200_MB(  # noqa: N802
    says: Callable[[Any], str], promise: Promise
) -> None:
    with promise.kept("I10"):
        code, least, _ = measured(few, "--depth", "1")
        assert code == 0
        code, most, said = measured(says, "--depth", "1")
        assert code == 4, said
        assert most - least < 200_000_000
        tree = newest()
        assert sum(ask.node is not None for ask in tree.roots[0].asks) <= 16


@pytest.mark.parametrize(
    ("budget", "nodes", "calls"),
    [("40calls", 40, 40), ("30nodes", 30, 60), ("25nodes,400calls", 25, 400)],
)
def test_I10_an_endless_decomposition_ends_within_its_budget(  # noqa: N802
    budget: str, nodes: int, calls: int, promise: Promise
) -> None:
    with promise.kept("I10"):
        code, _, said = measured(endless, "--depth", "50", "--fanout", "4", "--budget", budget)
        assert code in (3, 4), said
        tree = newest()
        check_tree(tree)
        assert sum(1 for _ in tree.nodes()) <= nodes
        assert sum(len(call.intents) for call in tree.calls.values()) <= calls
        assert all(0 <= node.level <= 50 for node in tree.nodes())
        assert max(len(node.children) for node in tree.nodes()) <= 4


def newest() -> Trace:
    with closing(SqliteStore(STORE)) as store:
        return Trace(store.events(store.runs()[0].run))
