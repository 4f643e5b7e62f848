"""Evaluations that are killed and resumed: the same result, nothing paid twice; one cap for all."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hch.budget import Price
from hch.events import CallFailed, CallFinished, CallIntended
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.types import digest
from tests.chaos.warm import Warm
from tests.commands.terminal import Done
from tests.loopback import Loopback, Reply, chat
from tests.promises import LONG
from tests.support import check_tree, decomposition

QUESTIONS, KILLS = (1000, 12) if LONG else (30, 3)
IN_FLIGHT = 8

pytestmark = pytest.mark.leaves_open


class Provider:
    """Does sums, one in seven wrong, and splits what is more than one; counts what it is asked.

    It can send SIGKILL to whoever asks, when so many more requests have come.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.victim: tuple[int, int] | None = None

    def serve(self) -> Loopback:
        return Loopback(self._reply)

    async def _reply(self, body: Mapping[str, Any]) -> Reply:
        self.sent += 1
        if self.victim and self.sent >= self.victim[0]:
            os.kill(self.victim[1], signal.SIGKILL)
            self.victim = None
        await asyncio.sleep(0.002)
        found = re.findall(r"Question: What is (.*)\?", body["messages"][-1]["content"])
        if "response_format" in body:
            return Reply(chat(decomposition(*parts(found[0]))))
        wrong = Random(digest("provider", body)).random() < 1 / 7
        return Reply(chat(str(eval(found[0]) + wrong)))


def parts(expression: str) -> list[str]:
    """The questions of an expression's operands that are no numbers."""
    top = ast.parse(expression, mode="eval").body
    below = [top.left, top.right] if isinstance(top, ast.BinOp) else []
    return [f"What is {ast.unparse(part)}?" for part in below if not isinstance(part, ast.Constant)]


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as process:
        yield process


def words(url: str, store: str, *more: str) -> list[str]:
    model = f"vllm:small,base_url={url}"
    players = (f"direct@{model}", f"factored@{model}", f"0=direct@{model};1+=script")
    named = [word for player in players for word in ("--player", player)]
    asked = ["eval", "--task", "arithmetic", "--count", str(QUESTIONS), "--sizes", "1-2"]
    return [*asked, *named, "--depths", "0-1", "--json", "-q", "--store", store, *more]


def told(out: str) -> dict[str, Any]:
    """What an evaluation came to, without times and what the attempts cost."""
    found = json.loads(out)
    for name in ("run", "bill", "cap", "unknown"):
        del found[name]
    for row in found["rows"]:
        del row["seconds"]
    return found


def trace_of(store: str) -> Trace:
    with closing(SqliteStore(store)) as kept:
        assert kept.check() == []
        [row] = kept.runs()
        return Trace(kept.events(row.run))


def highest(store: str) -> Price:
    """The most that was spent and reserved at any moment: an open attempt counts at its worst."""
    with closing(SqliteStore(store)) as kept:
        events = [record.event for record in kept.events(kept.runs()[0].run)]
    flying: dict[tuple[str, int], Price] = {}
    peak = Price()
    for event in events:
        if isinstance(event, CallIntended):
            flying[event.request, event.attempt] = event.worst.price()
        elif isinstance(event, CallFinished | CallFailed):
            flying[event.request, event.attempt] = event.price.price()
        total = sum(flying.values(), Price())
        peak = Price(*map(max, peak.amounts(), total.amounts()))
    return peak


@pytest.mark.parametrize("seed", range(2 if LONG else 1))
def test_killed_at_random_and_resumed_it_comes_to_the_same_and_pays_for_nothing_twice(
    seed: int, warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCH_CONCURRENCY", str(IN_FLIGHT))
    rng, provider = Random(digest("evaluation", seed)), Provider()
    with provider.serve() as server:
        whole = warm.hch(*words(server.url, "whole.db"))
        assert whole.code == 0, whole.err
        calls = provider.sent
        assert calls == len(trace_of("whole.db").calls)
        provider.sent = 0
        done = killed(warm, provider, words(server.url, "killed.db"), rng, calls)
    assert told(done.out) == told(whole.out)
    trace = trace_of("killed.db")
    check_tree(trace)
    assert trace.canonical() == trace_of("whole.db").canonical()
    unknown = json.loads(done.out)["unknown"]["calls"]
    assert calls <= provider.sent <= calls + unknown <= calls + KILLS * IN_FLIGHT
    for call in trace.calls.values():  # what had a reply was not sent after it
        assert [type(end) for end in call.ends] == [CallFinished]
        assert call.ends[0].attempt == max(intent.attempt for intent in call.intents)


def killed(warm: Warm, provider: Provider, line: list[str], rng: Random, calls: int) -> Done:
    """The command that comes to the end, after so many that did not."""
    for n in range(KILLS):
        warm.type(*line)
        later = rng.randint(2 * IN_FLIGHT, calls // KILLS)  # so that some are answered before
        provider.victim = provider.sent + later, warm.pid
        assert warm.done().code == -signal.SIGKILL, n
        line = ["resume", "--json", "-q", "--store", line[line.index("--store") + 1]]
    provider.victim = None
    done = warm.hch(*line)
    assert done.code == 0, done.err
    return done


def test_one_cap_holds_for_all_and_is_never_exceeded(warm: Warm, home: Path) -> None:
    provider = Provider()
    with provider.serve() as server:
        each = ("--each", "60calls,60ktokens", "--answer-tokens", "64")
        whole = warm.hch(*words(server.url, "whole.db", *each, "--budget", "9Mtokens"))
        assert whole.code == 0, whole.err
        calls, tokens = provider.sent, int(trace_of("whole.db").bill.tokens)
        cap = tokens * 2 // 3
        capped = warm.hch(*words(server.url, "runs.db", *each, "--budget", f"{cap}tokens"))
        assert (capped.code, capped.out) == (3, ""), capped.err
        assert "hch: go on with: hch resume " in capped.err
        assert cap // 2 < trace_of("runs.db").bill.tokens <= highest("runs.db").tokens <= cap
        shown = json.loads(warm.hch("eval", "show", "--json", "--store", "runs.db").out)
        assert (shown["status"], shown["cap"]["tokens"]) == ("unfinished", cap)
        assert shown["questions"] + shown["open"] == QUESTIONS
        assert shown["questions"] == len(shown["rows"][0]["answers"])
        done = warm.hch("resume", "--budget", "9Mtokens", "--json", "-q", "--store", "runs.db")
    assert done.code == 0, done.err
    assert told(done.out) == told(whole.out)
    assert provider.sent == 2 * calls
