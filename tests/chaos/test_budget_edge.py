"""Two hundred children at the edge of the budget, who all fail, or are all killed, at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import closing
from math import inf
from pathlib import Path
from typing import Any

import pytest

from hch.budget import Price
from hch.events import CallIntended
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.chaos.warm import Warm
from tests.chaos.witness import check_cap, readable
from tests.loopback import Loopback, Reply, chat
from tests.promises import LONG, Promise
from tests.support import check_tree, decomposition

CHILDREN = 200

STORE = Path("runs.db")

PLAN = decomposition(*(f"What is {i}?" for i in range(CHILDREN)))

BUDGETS = [("260calls", "600calls"), ("1300ktokens", "4mtokens"), ("7usd", "20usd")]
"""What is too little for every attempt, and what is enough."""


class Edge:
    """Waits until all the children have come, and answers 500 to whatever comes until `mended`."""

    def __init__(self) -> None:
        self.mended = False
        self.arrived = 0
        self._children = 0
        self._all = asyncio.Event()

    async def __call__(self, body: Any) -> Reply:
        self.arrived += 1
        if "response_format" in body:
            return Reply(chat(PLAN))
        if self.mended:
            return Reply(chat("4"))
        self._children += 1
        if self._children == CHILDREN:
            self._all.set()
        await self._all.wait()
        return Reply({"error": {"message": "no"}}, 500)


@pytest.mark.parametrize(("little", "enough"), BUDGETS)
@pytest.mark.parametrize("attempt", range(10 if LONG else 1))
def test_I4_two_hundred_children_at_the_edge_of_the_budget(  # noqa: N802
    little: str, enough: str, attempt: int, warm: Warm, promise: Promise, home: Path
) -> None:
    edge = Edge()
    with Loopback(edge) as server, promise.kept("I4", tries=CHILDREN):
        model = f"vllm:small,base_url={server.url}"
        (home / "hch.toml").write_text('[prices]\n"vllm:small" = { input = 0.1, output = 10 }\n')
        words = ["ask", "Why?", "--depth", "1", "-m", model, "--budget", little, "-q"]
        many = ["--fanout", str(CHILDREN), "--concurrency", str(CHILDREN)]
        stopped = warm.hch(*words, *many, "--store", str(STORE))
        assert stopped.code == 3, stopped.err
        records = readable(STORE)
        check_cap(records)
        trace = Trace(records)
        assert edge.arrived == sum(len(call.intents) for call in trace.calls.values())
        intents = [r.event for r in records if isinstance(r.event, CallIntended)]
        one_more = trace.bill + min((i.worst.price() for i in intents), key=Price.amounts)
        assert not trace.cap.covers(one_more), "there was room for another attempt"
        edge.mended = True
        on = ["resume", records[0].run, "--budget", enough, "--retry-failed"]  # 500 six times over
        done = warm.hch(*on, "--json", "--store", str(STORE))
        assert (done.code, json.loads(done.out)["clean"]) == (0, True), done.err
        with closing(SqliteStore(STORE)) as store:
            records = list(store.events(records[0].run))
        check_cap(records)
        check_tree(Trace(records))
        assert edge.arrived == sum(len(call.intents) for call in Trace(records).calls.values())


CAP = 260
"""Calls: for the plan, once for every child, and for `LEFT` of them once more."""

LEFT = CAP - CHILDREN - 1


class Silent:
    """Answers no child until `mended`, and kills `victim` when so many have come."""

    def __init__(self) -> None:
        self.mended = False
        self.arrived = 0
        self.deadly = CHILDREN
        self.victim = 0

    def __call__(self, body: Any) -> Reply:
        if "response_format" in body:
            return Reply(chat(PLAN))
        self.arrived += 1
        if self.arrived == self.deadly:
            os.kill(self.victim, signal.SIGKILL)
        return Reply(chat("4"), delay=0 if self.mended else inf)


@pytest.mark.parametrize("attempt", range(10 if LONG else 1))
def test_I4_what_was_in_flight_at_a_kill_counts_at_its_worst(  # noqa: N802
    attempt: int, warm: Warm, promise: Promise
) -> None:
    silent = Silent()
    with Loopback(silent) as server, promise.kept("I4", tries=CHILDREN):
        warm.type(
            *["ask", "Why?", "--depth", "1", "-m", f"vllm:small,base_url={server.url}"],
            *["--fanout", str(CHILDREN), "--concurrency", str(CHILDREN)],
            *["--budget", f"{CAP}calls", "--store", str(STORE)],
        )
        silent.victim = warm.pid
        assert warm.done().code == -9
        run = readable(STORE)[0].run
        resume = ["resume", run, "--json", "--store", str(STORE)]
        silent.deadly += LEFT
        warm.type(*resume)
        silent.victim = warm.pid
        assert warm.done().code == -9
        check_cap(readable(STORE))
        assert warm.hch(*resume).code == 3
        assert silent.arrived == CHILDREN + LEFT
        silent.mended = True
        done = warm.hch(*resume, "--budget", "600calls")
        assert (done.code, json.loads(done.out)["clean"]) == (0, True), done.err
        assert json.loads(done.out)["unknown"]["calls"] == CHILDREN + LEFT
        check_cap(readable(STORE))
