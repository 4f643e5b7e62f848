"""A real server that is not ours, llama.cpp's, with real weights: calls, and trees of them.

Through `openai:` forms are enforced; through `anthropic:` they are not, and trees end all the same.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from hch import HCH, Trace, registry
from hch.errors import ConfigError, LengthError
from hch.events import CallFinished
from hch.protocols import Model
from hch.registry import Spec
from hch.replies import ReplyProblem, parse
from hch.stores.sqlite import SqliteStore
from hch.strategies.factored import Decomposition
from hch.types import Form, Message, Part, Request, Sampling
from tests.servers import Served, llama_server
from tests.support import check_tree

pytest.importorskip("xllamacpp")

WEIGHTS = os.environ.get("HCH_TEST_GGUF", "")
KEY = "LLAMA_API_KEY"
WINDOW = 1024
LARGE = "1000calls,1000000tokens"
PROVIDERS = {
    "openai": "openai:small,base_url={server.url}",
    "anthropic": "anthropic:small,base_url={server.root}",
}
QUESTIONS = ("Who was Ada Lovelace?", "List the planets.")
SCHEMA = {
    "type": "object",
    "properties": {"sum": {"type": "integer"}},
    "required": ["sum"],
    "additionalProperties": False,
}

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not WEIGHTS, reason="HCH_TEST_GGUF names no file"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with llama_server(WEIGHTS, key="sesame", length=WINDOW) as served:
        yield served


@pytest.fixture(autouse=True)
def _key(home: object, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, server.key)


def named(server: Served, provider: str, *options: str) -> str:
    spec = PROVIDERS[provider].format(server=server)
    return ",".join((spec, f"api_key_env={KEY}", *options))


@asynccontextmanager
async def built(spec: str) -> AsyncIterator[Model]:
    keys = {KEY: SecretStr(os.environ[KEY])}
    model = registry.build("models", Spec.parse(spec), keys=keys, rate=None)
    yield model
    await model.close()


@pytest.fixture
async def model(server: Served) -> AsyncIterator[Model]:
    async with built(named(server, "openai", "temperature=0")) as model:
        yield model


def ask(text: str, form: Form | None = None, **sampling: Any) -> Request:
    settings = Sampling(**{"max_tokens": 16, **sampling})
    return Request((Message("user", (Part(text),)),), settings, form)


async def test_a_chat_and_its_limit(model: Model) -> None:
    completion = await model.complete(ask("Count to a hundred."))
    assert completion.text
    assert (completion.finish, completion.usage.output) == ("length", 16)
    assert completion.usage.input > 5


async def test_many_at_once(model: Model) -> None:
    asked = (model.complete(ask(f"What is {i}+1?")) for i in range(6))
    assert all(completion.text for completion in await asyncio.gather(*asked))


async def test_a_form_is_enforced(model: Model) -> None:
    completion = await model.complete(
        ask("What is 2+3?", Form("Sum", json.dumps(SCHEMA)), max_tokens=64)
    )
    assert set(json.loads(completion.text)) == {"sum"}


async def test_log_probabilities(model: Model) -> None:
    for wanted in (0, 3):
        completion = await model.complete(ask("What is 2+3?", logprobs=wanted))
        assert completion.logprobs
        assert {len(token.top) for token in completion.logprobs} == {wanted}


async def test_a_prompt_that_is_too_long(model: Model) -> None:
    with pytest.raises(LengthError, match="1024 tokens"):
        await model.complete(ask("word " * 2000))


async def test_a_wrong_path_says_what_to_do(server: Served) -> None:
    async with built(f"openai:small,base_url={server.url}/v2,api_key_env={KEY}") as model:
        with pytest.raises(ConfigError, match="base_url"):
            await model.complete(ask("x"))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_wrong_key_stops_the_run(
    server: Served, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, "open")
    async with built(named(server, provider)) as model:
        with pytest.raises(ConfigError, match=f"does not take the key in {KEY}"):
            await model.complete(ask("x"))


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_reply_that_the_server_shortens_in_silence(server: Served, provider: str) -> None:
    async with built(named(server, provider)) as model:
        few = [(await model.complete(ask(" a" * n, max_tokens=1))).usage.input for n in (100, 200)]
        most = 100 + (WINDOW - 4 - few[0]) * 100 // (few[1] - few[0])  # room for some four tokens
        with pytest.raises(LengthError, match="of a reply of up to 900 tokens") as caught:
            await model.complete(ask(" a" * most, max_tokens=900))
    assert caught.value.usage is not None
    assert sum(caught.value.usage[:2]) == WINDOW


async def test_anthropic_s_format_enforces_no_form_here(server: Served) -> None:
    form = Form("Sum", json.dumps(SCHEMA))
    async with built(named(server, "anthropic")) as model:
        completion = await model.complete(ask("Who was Ada Lovelace?", form, max_tokens=32))
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(completion.text)


@asynccontextmanager
async def grown(model: str, **more: Any) -> AsyncIterator[Trace]:
    """The trace of one run of all questions, kept in a file and read from it again."""
    settings = {"depth": 1, "answer_tokens": 128, "fanout": 2, "budget": LARGE, **more}
    with SqliteStore("runs.db") as store:
        results = await HCH(model=model, store=store, **settings).begin(QUESTIONS).finish()
        trace = results[0].trace
        check_tree(trace)
        assert trace.finished
        yield trace


async def test_trees_in_openai_s_format_have_their_form_and_log_probabilities(
    server: Served,
) -> None:
    """A reply may be cut before it is whole, so seeds are tried until one is; all are looked at."""
    whole = 0
    for seed in range(1, 9):
        options = ("temperature=1.2", f"seed={seed}", "logprobs=2")
        async with grown(named(server, "openai", *options)) as trace:
            assert all(fits(call) for call in typed(trace))
            assert all(call.text.startswith("{") for call in typed(trace, "stop", "length"))
            for call in trace.calls.values():
                if (done := call.finished) is not None:
                    assert done.logprobs is not None
                    assert abs(len(done.logprobs) - done.usage[1]) <= 1
                    assert all(len(top) == 2 for _, _, top in done.logprobs)
            whole += len(typed(trace))
        if whole:
            return
    raise AssertionError("every typed reply of eight seeds was cut")


async def test_trees_in_anthropic_s_format_end_though_no_form_is_enforced(server: Served) -> None:
    async with grown(named(server, "anthropic")) as trace:
        assert all(call.finished is not None for call in trace.calls.values())
        assert not all(fits(call) for call in typed(trace, "stop", "length"))


def typed(trace: Trace, *ends: str) -> list[CallFinished]:
    """The replies of a trace that should have a form, by how they ended: by default whole."""
    calls = [c.finished for c in trace.calls.values() if c.intents[0].form is not None]
    return [call for call in calls if call is not None and call.finish in (ends or ("stop",))]


def fits(call: CallFinished) -> bool:
    try:
        parse(call.text, Decomposition)
    except ReplyProblem:
        return False
    return True
