"""`openai:` against a real server that is not ours: llama.cpp's, with real weights."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from hch import registry
from hch.errors import ConfigError, LengthError
from hch.protocols import Model
from hch.registry import Spec
from hch.types import Form, Message, Part, Request, Sampling

xllamacpp = pytest.importorskip("xllamacpp")

WEIGHTS = os.environ.get("HCH_TEST_GGUF", "")
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
def url() -> Iterator[str]:
    params = xllamacpp.CommonParams()
    params.model.path = WEIGHTS
    params.n_parallel = 4
    params.n_ctx = 4 * 1024
    params.cpuparams.n_threads = 1
    params.cpuparams.poll = 0
    params.verbosity = -1
    server = xllamacpp.Server(params)
    yield f"{server.listening_address}/v1"
    del server


@pytest.fixture
async def model(url: str) -> AsyncIterator[Model]:
    model = registry.build(
        "models", Spec.parse(f"openai:small,base_url={url},temperature=0"), keys={}, rate=None
    )
    yield model
    await model.close()


def ask(text: str, form: Form | None = None, **sampling: object) -> Request:
    settings = Sampling(**{"max_tokens": 16, **sampling})  # type: ignore[arg-type]
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


async def test_a_wrong_path_says_what_to_do(url: str) -> None:
    model = registry.build(
        "models", Spec("openai", "small", (("base_url", url + "/v2"),)), keys={}, rate=None
    )
    with pytest.raises(ConfigError, match="base_url"):
        await model.complete(ask("x"))
    await model.close()
