"""Two processes on one endpoint that takes so many requests at once, and neither starves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from typing import Any

from tests.loopback import Loopback, Reply, chat

CAPACITY = 12
CALLS = 500

RUN = """
import asyncio
import sys

from hch import HCH

model = f"vllm:{sys.argv[1]},base_url={sys.argv[2]}"
hch = HCH(depth=0, model=model, strategy="direct", store="memory", concurrency=64, pause=0.02)
questions = [f"What is {i}?" for i in range(int(sys.argv[3]))]
results = asyncio.run(hch.begin(questions).finish())
assert {result.status for result in results} == {"answered"}
"""


class Small:
    """Takes CAPACITY requests at once and refuses what is more; `done` counts by model.

    It answers nobody before both have come, and counts until one of them has all its answers.
    """

    def __init__(self) -> None:
        self.done = Counter[str]()
        self.refused = 0
        self._flying = 0
        self._both = asyncio.Event()
        self._seen: set[str] = set()

    async def __call__(self, body: Any) -> Reply:
        name = body["model"]
        self._seen.add(name)
        if len(self._seen) == 2:
            self._both.set()
        if self._flying >= CAPACITY:
            self.refused += 1
            return Reply({"error": {"message": "slow down"}}, 429)
        self._flying += 1
        await self._both.wait()
        await asyncio.sleep(0.01)
        self._flying -= 1
        if max(self.done.values(), default=0) < CALLS:
            self.done[name] += 1
        return Reply(chat("4"))


def test_each_of_two_processes_gets_at_least_a_third() -> None:
    small = Small()
    with Loopback(small) as server, ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", RUN, name, server.url, str(CALLS)])
            )
            for name in ("one", "other")
        ]
        assert [process.wait() for process in both] == [0, 0]
    assert small.refused, "there was room for all: nobody had to give way"
    assert min(small.done.values()) >= sum(small.done.values()) / 3
