"""Trees for data, made by a process that is stopped or killed: `hch resume` makes the others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.chaos.warm import Warm
from tests.loopback import Loopback, Reply, chat

ROOTS = 60

pytestmark = pytest.mark.leaves_open


class Provider:
    """Says 7; sends a signal to whoever asks when so many more requests have come."""

    def __init__(self) -> None:
        self.sent = 0
        self.victim: tuple[int, int, signal.Signals] | None = None

    def serve(self) -> Loopback:
        return Loopback(self._reply)

    async def _reply(self, _: Mapping[str, Any]) -> Reply:
        self.sent += 1
        if self.victim and self.sent >= self.victim[0]:
            os.kill(*self.victim[1:])
            self.victim = None
        await asyncio.sleep(0.002)
        return Reply(chat("7"))


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as process:
        yield process


def trace_of(store: str) -> Trace:
    with closing(SqliteStore(store)) as kept:
        assert kept.check() == []
        return Trace(kept.events(kept.runs()[0].run))


def told(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out)
    for name in ("run", "seconds", "unknown", "tokens", "microusd"):
        del found[name]
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_was_stopped_goes_on_to_the_same_report(
    number: signal.Signals, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCH_CONCURRENCY", "4")
    provider = Provider()
    with provider.serve() as server:
        players = ("-m", f"vllm:small,base_url={server.url}", "-s", "direct", "--depth", "0")
        sums = ("generate", "--task", "arithmetic", "--n", str(ROOTS // 2), "--samples", "2")
        whole = warm.hch(*sums, *players, "--json", "-q", "--store", "whole.db")
        assert whole.code == 0, whole.err
        provider.sent = 0
        warm.type(*sums, *players, "--json", "--store", "stopped.db")
        provider.victim = 20, warm.pid, number
        done = warm.done()
        assert done.out == ""
        if number == signal.SIGKILL:
            assert done.code == -number
        else:
            assert done.code == 128 + number
            assert f"hch: stopped by {number.name}\nhch: go on with: hch resume " in done.err
        again = warm.hch("resume", "--json", "-q", "--store", "stopped.db")
    assert again.code == 0, again.err
    assert told(again.out) == told(whole.out)
    assert trace_of("stopped.db").canonical() == trace_of("whole.db").canonical()
    assert ROOTS <= provider.sent <= ROOTS + 4
