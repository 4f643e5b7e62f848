"""Whole trees by a server that fails every fourth attempt: not a byte of the export may change.

The server plays the tree of `benchmarks.server` in each wire format. What befalls an attempt is a
function of the request's body and of how often that body has come. HCH_TEST_LONG=1 makes every
tree a whole one of 1,457 calls, whose attempts last a second; faulthandler_timeout must be raised.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from benchmarks.server import answer, decomposition, question, size
from hch import HCH
from hch.budget import Price
from hch.events import CallFailed, CallFinished, CallIntended
from hch.run import Result
from hch.types import digest
from tests.commands.terminal import Done, hch
from tests.faults import Wire
from tests.loopback import Loopback, Reply
from tests.models.calls import PROVIDERS, Provider
from tests.support import memory

LONG = bool(os.environ.get("HCH_TEST_LONG"))

TROUBLES = {
    "429": "http 429",
    "500": "http 500",
    "reset": "reset",
    "truncated": "bad body",
    "drip": "timeout",
}
"""What befalls an attempt, each of them one in twenty, and the kind of fault that comes of it."""

_PART = re.compile(r"part (0(?:\.\d+)*)")


class Tree:
    """A server that plays the tree; without `troubles` it never fails.

    `attempts` counts what came of each body, and `befell` what was done to it.
    """

    def __init__(self, wire: Wire, troubles: Iterable[str] = ()) -> None:
        self._wire = wire
        self.troubles = tuple(troubles)
        self.attempts = Counter[str]()
        self.befell = Counter[str]()

    def __call__(self, body: Any) -> Reply:
        asked = json.dumps(body)
        self.attempts[asked] += 1
        number = int(digest(asked, self.attempts[asked]), 16) % 20
        trouble = self.troubles[number] if number < len(self.troubles) else "none"
        self.befell[trouble] += 1
        return self._reply(trouble, self._good(asked))

    def _good(self, asked: str) -> dict[str, Any]:
        found = _PART.search(asked)
        assert found
        typed = '"json_schema"' in asked
        return self._wire.good(decomposition(found[1]) if typed else answer(found[1]))

    def _reply(self, trouble: str, good: dict[str, Any]) -> Reply:
        match trouble:
            case "429":
                headers = {"Retry-After": "0.01"}
                return Reply(self._wire.error("rate_limit_error", "slow down"), 429, headers)
            case "500":
                return Reply(self._wire.error("api_error", "no"), 500)
            case "reset":
                return Reply(good, cut=60)
            case "truncated":
                return Reply(json.dumps(good).encode()[:-5])
            case "drip":
                return Reply(chunks=repeat(b" "), pause=0.05)
        return Reply(good)


def grown(server: Loopback, provider: Provider, depth: int, **options: Any) -> Result:
    """The whole tree of that depth."""
    calling = {"attempts": 10 if LONG else 20, "pause": 0.001, "concurrency": 64}
    model = provider.spec(server, keyed=False)
    tree = HCH(depth=depth, model=model, **{"store": memory(), **calling, **options})
    result = tree.ask_sync(question("0"))
    assert (result.status, result.clean) == ("answered", True)
    return result


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "depth"),
    [("openai", 6 if LONG else 4), ("anthropic", 6 if LONG else 4), ("vllm", 6)],
)
def test_a_fourth_of_the_attempts_fails_and_the_export_is_that_of_a_calm_run(
    name: str, depth: int, home: Path
) -> None:
    provider = PROVIDERS[name]
    tree = Tree(provider.wire)
    with Loopback(tree) as server:
        calm = grown(server, provider, depth)
        assert sum(tree.attempts.values()) == size(depth)[1]
        tree.troubles = tuple(TROUBLES)
        tree.attempts.clear()
        tree.befell.clear()
        # Random 429s keep few requests in flight, and these mostly drip: their deadline is the time
        # that the tree takes.
        kept = {"store": str(home / "wild.db"), "timeout": 1.0 if LONG else 0.15}
        wild = grown(server, provider, depth, **kept)
    try:
        assert wild.trace.canonical() == calm.trace.canonical()
        check_bill(wild, tree)
    finally:
        wild.store.close()  # type: ignore[attr-defined]


def check_bill(result: Result, tree: Tree) -> None:
    """Every attempt is on record as what befell it, and on the bill unless it was free.

    On a slow machine an attempt may be over before the server has seen or answered it: `late` ones.
    """
    events = [record.event for record in result.store.events(result.run)]
    ends = [e for e in events if isinstance(e, CallFailed | CallFinished)]
    intents = sum(isinstance(e, CallIntended) for e in events)
    kinds = Counter(end.kind for end in ends if isinstance(end, CallFailed))
    assert len(ends) == intents
    late = kinds["timeout"] - tree.befell["drip"]
    assert 0 <= intents - sum(tree.attempts.values()) <= late
    for trouble, kind in TROUBLES.items():
        assert kinds[kind] > 0
        assert kind == "timeout" or 0 <= tree.befell[trouble] - kinds[kind] <= late
    assert result.trace.bill.calls == intents - kinds["http 429"]
    assert result.trace.bill == sum((end.price.price() for end in ends), Price())


@pytest.mark.parametrize("name", PROVIDERS)
def test_one_request_at_a_time_or_a_thousand_is_the_same_tree(name: str) -> None:
    provider = PROVIDERS[name]
    quick = [trouble for trouble in TROUBLES if trouble != "drip"]
    with Loopback(Tree(provider.wire, quick)) as server:
        exports = {
            grown(server, provider, 3, concurrency=n).trace.canonical() for n in (1, 64, 1000)
        }
    assert len(exports) == 1


@pytest.mark.parametrize("name", PROVIDERS)
def test_with_a_wrong_key_no_more_is_sent_than_was_in_flight(name: str) -> None:
    provider = PROVIDERS[name]
    refusal = Reply(provider.wire.error("authentication_error", "who are you?"), 401)
    full = asyncio.Event()
    arrived = Counter[str]()

    async def reply(body: Any) -> Reply:
        """Eight sub-questions; these are refused, once as many wait as may be in flight."""
        form = json.dumps({"questions": [{"question": f"{i}?", "texts": []} for i in range(8)]})
        arrived["all"] += 1
        if arrived["all"] == 1:
            return Reply(provider.wire.good(form))
        if arrived["all"] == 1 + 4:
            full.set()
        await full.wait()
        return refusal

    with Loopback(reply) as server:
        done = asked(server, provider, "--depth", "2", "--concurrency", "4")
        assert len(server.requests) == 1 + 4
    check_refused(done, provider)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_key_that_is_wrong_from_the_start_is_sent_once(name: str) -> None:
    provider = PROVIDERS[name]
    refusal = Reply(provider.wire.error("authentication_error", "who are you?"), 401)
    with Loopback(lambda _: refusal) as server:
        done = asked(server, provider)
        assert len(server.requests) == 1
    check_refused(done, provider)


def asked(server: Loopback, provider: Provider, *words: str) -> Done:
    """A question by the command line, with a key that is wrong."""
    key = {provider.key: "sk-wrong-0123456789"}
    return hch("ask", "Who?", "-q", "-m", provider.spec(server), *words, **key)


def check_refused(done: Done, provider: Provider) -> None:
    """One line says what is wrong, and one how to go on."""
    assert (done.code, done.out) == (6, "")
    refused, resume = done.err.splitlines()
    assert refused.startswith("hch: ")
    assert f"it does not take the key in {provider.key}" in refused
    assert resume.startswith("hch: go on with: hch resume ")
