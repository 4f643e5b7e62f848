"""A provider on loopback that plays a tree, counts what it is asked for, and can end who asks.

It plays the tree of `benchmarks.server` in OpenAI's wire format. Every reply has an id of its own,
so that the bytes that are stored tell which of them it was.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

from benchmarks.server import K, answer, decomposition
from tests.loopback import Loopback, Reply, chat

Thought = tuple[str, bool]
"""A call of the tree: the part that it is about, and whether it asks for sub-questions."""

_PART = re.compile(r"part (0(?:\.\d+)*)")


def about(text: str) -> str:
    """The part that a question, or a prompt, is about."""
    found = _PART.search(text)
    assert found
    return found[1]


class Provider:
    """Answers after a few ms, and a share of the attempts, `refused`, by `slow down`.

    `sent` counts the requests for each call, `replies` has the ids of what was sent for it, and
    `bodies` the bytes in which it was asked for.
    """

    def __init__(self, root: str, depth: int, seed: int, *, refused: float = 0.0) -> None:
        self._rng = Random(seed)
        self._refused = refused
        self._leaf = root.count(".") + depth
        self._root = root
        self._victim: tuple[int, int] | None = None
        self._gate = threading.Event()
        self._gate.set()
        self.arrived = 0
        self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self.sent = Counter[Thought]()
        self.bodies = defaultdict[Thought, set[str]](set)
        self.replies = defaultdict[Thought, set[str]](set)

    def serve(self) -> Loopback:
        """The server, as a context manager."""
        return Loopback(self._reply)

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Answer nobody meanwhile."""
        self._gate.clear()
        try:
            yield
        finally:
            self._gate.set()

    def kill_at(self, arrivals: int, pid: int) -> None:
        """Send SIGKILL to a process as soon as so many more requests have come."""
        self._victim = (self.arrived + arrivals, pid)

    def spare(self) -> None:
        """Kill nobody more."""
        self._victim = None

    def known(self) -> set[Thought]:
        """The calls whose replies were used by what asked: they were committed before that.

        Who asks about a part has read that its asker asks about it; who sums a part up has read
        all the answers below it.
        """
        return {known for thought in list(self.sent) for known in self._before(thought)}

    def _before(self, thought: Thought) -> Iterator[Thought]:
        part, typed = thought
        if part != self._root:
            yield part.rpartition(".")[0], True
        if not typed and part.count(".") < self._leaf:
            yield part, True
            for i in range(1, K + 1):
                yield f"{part}.{i}", False

    async def _reply(self, body: Any) -> Reply:
        asked = json.dumps(body)
        thought = about(asked), '"response_format"' in asked
        self.arrived += 1
        self.sent[thought] += 1
        self.bodies[thought].add(asked)
        if self._victim and self.arrived >= self._victim[0]:
            os.kill(self._victim[1], signal.SIGKILL)
            self._victim = None
        if not self._gate.is_set():
            await asyncio.to_thread(self._gate.wait)
        await asyncio.sleep(self._rng.uniform(0.001, 0.008))
        if self._rng.random() < self._refused:
            return Reply({"error": {"message": "slow down"}}, 429, {"Retry-After": "0.01"})
        named = f"chatcmpl-{self.arrived}-{self.sent[thought]}"
        self.replies[thought].add(named)
        part, typed = thought
        return Reply(chat(decomposition(part) if typed else answer(part), id=named))
