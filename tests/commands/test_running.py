"""What a run may take of the machine when a command runs it."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.commands.terminal import HCH
from tests.loopback import Loopback, Reply, chat
from tests.support import decomposition

CALLS = 150


class All:
    """Answers the sub-questions when all of them have come, and no sooner."""

    def __init__(self) -> None:
        self._arrived = 0
        self._there = asyncio.Event()

    async def __call__(self, body: Any) -> Reply:
        if "response_format" in body:
            return Reply(chat(decomposition(*(f"What is {i}?" for i in range(CALLS)))))
        self._arrived += 1
        if self._arrived == CALLS:
            self._there.set()
        await self._there.wait()
        return Reply(chat("4"))


def test_as_many_connections_are_opened_as_calls_may_fly(home: Path) -> None:
    with Loopback(All()) as server:
        words = ["ask", "What?", "--depth", "1", "-m", f"vllm:small,base_url={server.url}"]
        words += ["--concurrency", str(CALLS), "--fanout", str(CALLS), "--quiet"]
        done = subprocess.run(
            ["sh", "-c", 'ulimit -Sn 80; exec "$@"', "sh", *HCH, *words],
            env=os.environ, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert (done.stdout, done.stderr, done.returncode) == ("4\n", "", 0)
