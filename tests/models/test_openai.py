"""`openai:`, over its real SDK and real sockets: what it sends, where to, and with which key."""

from __future__ import annotations

import asyncio
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from math import inf
from typing import Any

import pytest
from pydantic import SecretStr

from hch.errors import ConfigError, UsageError
from hch.protocols import Model
from hch.rates import Rate
from hch.types import Form, Sampling, TokenLogprob, Usage
from tests.loopback import Loopback, Reply, chat
from tests.models.calls import CANARY, KEYS, ask, build


async def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url}/")
        assert isinstance(model, Model)
        completion = await model.complete(ask())
        await model.close()
    assert (completion.text, completion.finish, completion.usage) == ("4", "stop", Usage(7, 3))
    assert completion.raw == json.dumps(chat("4")).encode()
    assert (completion.logprobs, completion.thinking) == (None, "")
    (sent,) = server.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "You are careful."},
            {"role": "user", "content": "What is 2+2?"},
        ],
    }


async def test_a_request_goes_before_the_options_of_the_spec() -> None:
    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url},temperature=0,top_p=0.5,seed=7")
        asked = Sampling(max_tokens=9, temperature=1.5, stop=("\n", "END"))
        await model.complete(ask(sampling=asked))
        await model.complete(ask())
        await model.close()
    first, second = (sent.body for sent in server.requests)
    assert first["max_tokens"] == 9
    assert first["stop"] == ["\n", "END"]
    assert [body["temperature"] for body in (first, second)] == [1.5, 0]
    assert [body["top_p"] for body in (first, second)] == [0.5, 0.5]
    assert [body["seed"] for body in (first, second)] == [7, 7]
    assert "max_tokens" not in second


async def test_a_form_is_sent_as_a_strict_schema() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    with Loopback(lambda _: Reply(chat("{}"))) as server:
        model = build(f"openai:small,base_url={server.url}")
        await model.complete(ask(form=Form("Nothing", json.dumps(schema))))
        await model.close()
    assert server.requests[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Nothing", "strict": True, "schema": schema},
    }


async def test_lone_surrogates_are_sent_as_replacements() -> None:
    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url}")
        await model.complete(ask("a\ud800b é\x00 \ud83d\ude00"))
        await model.close()
    assert server.requests[0].body["messages"][1]["content"] == "a\ufffdb é\x00 😀"


async def test_a_key_goes_where_the_spec_says_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Secret: {CANARY}")
    with Loopback(lambda _: Reply(chat("4"))) as server:
        free = build(f"openai:small,base_url={server.url}", KEYS, Rate(1, 2))
        paid = build(f"openai:small,base_url={server.url},api_key_env=OTHER_API_KEY", KEYS)
        await free.complete(ask())
        await paid.complete(ask())
        await free.close()
        await paid.close()
    headers = [sent.headers for sent in server.requests]
    assert [h.get("authorization") for h in headers] == [None, f"Bearer other-{CANARY}"]
    assert not any("openai-organization" in h or "openai-project" in h for h in headers)
    assert not any("x-secret" in h for h in headers)
    assert (free.keyed, free.rate, paid.keyed, paid.rate) == (False, Rate(), True, None)
    assert CANARY not in paid.name + paid.endpoint + repr(vars(paid))


def test_openai_itself_wants_a_key() -> None:
    model = build("openai:small", KEYS, Rate(1, 2))
    assert (model.name, model.endpoint) == ("openai:small", "https://api.openai.com/v1")
    assert (model.keyed, model.rate) == (True, Rate(1, 2))
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        build("openai:small")
    with pytest.raises(ConfigError, match="MINE_API_KEY is not set"):
        build("openai:small,base_url=http://127.0.0.1:1/v1,api_key_env=MINE_API_KEY", KEYS)
    with pytest.raises(ConfigError, match="MINE is no name for a key"):
        build("openai:small,base_url=http://127.0.0.1:1/v1,api_key_env=MINE", KEYS)
    with pytest.raises(ConfigError, match="characters") as fault:
        build("openai:small", {"OPENAI_API_KEY": SecretStr(f"{CANARY}\u201d")})
    assert CANARY not in str(fault.value)


@pytest.mark.parametrize(
    "spec",
    [
        "openai:small",
        "openai:small,base_url=https://mine.openai.azure.com/openai/v1,api_key_env=OPENAI_API_KEY",
    ],
)
def test_openai_and_azure_get_their_own_name_of_the_limit(spec: str) -> None:
    model = build(spec, KEYS)  # nothing here reaches these hosts: what would be sent is looked at
    body = json.loads(model._format.body(ask(sampling=Sampling(max_tokens=9, logprobs=0))))
    assert (body["max_completion_tokens"], body["top_logprobs"]) == (9, 0)
    assert "max_tokens" not in body


async def test_a_key_may_go_in_a_header_of_its_own_beside_others() -> None:
    options = "api_key_env=OTHER_API_KEY,key_header=api-key,headers=X-Team: 7; X-Title:a b"
    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url},{options}", KEYS)
        await model.complete(ask())
        await model.close()
    headers = server.requests[0].headers
    assert (headers["api-key"], headers["x-team"], headers["x-title"]) == (
        f"other-{CANARY}",
        "7",
        "a b",
    )
    assert "authorization" not in headers


async def test_effort_and_log_probabilities_are_options_too() -> None:
    tokens = {"content": [{"token": "4", "logprob": -0.5, "top_logprobs": []}]}
    with Loopback(lambda _: Reply(chat("4", choice={"logprobs": tokens}))) as server:
        model = build(f"openai:small,base_url={server.url},effort=low,logprobs=0")
        completion = await model.complete(ask())
        await model.close()
    assert completion.logprobs == (TokenLogprob("4", -0.5),)
    body = server.requests[0].body
    assert (body["reasoning_effort"], body["logprobs"]) == ("low", True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("openai:m,temperature=0", "openai:m,temperature=0.0"),
        ("openai:m,seed=1,top_p=0.5", "openai:m,top_p=0.50,seed=1"),
        ("openai:m,api_key_env=OPENAI_API_KEY", "openai:m,base_url=https://API.openai.com/v1/"),
        ("openai:m,base_url=HTTP://LocalHost:1/v1/", "openai:m,base_url=http://localhost:1/v1"),
        ("openai:m,key_header=authorization", "openai:m"),
        ("openai:m,headers=A: b ; C:d", "openai:m,headers=A:b;C:d"),
    ],
)
def test_equal_specs_have_equal_names(one: str, other: str) -> None:
    assert build(one, KEYS).name == build(other, KEYS).name
    assert build(build(one, KEYS).name, KEYS).name == build(one, KEYS).name


@pytest.mark.parametrize(
    "option",
    [
        "temperature=3",
        "temperature=nan",
        "top_p=0",
        "base_url=localhost",
        f"base_url=https://user:{CANARY}@host/v1",
        f"base_url=https://host/v1?key={CANARY}",
        "base_url=http://host:port/v1",
        "seed=x",
        "effort=hard",
        "logprobs=21",
        "headers=X-A",
        "headers=X-A:\u201d",
        f"headers=Authorization: Bearer {CANARY}",
        f"headers=X-Goog-Api-Key:{CANARY}",
        "base_url=http://..com/v1",
        "base_url=http://\u2603.com/v1",
        f"base_url=http://{'a' * 64}.com/v1",
        "limit=tokens",
        "key_header=a b",
        "key_header=Content-Length",
        "headers=Transfer-Encoding:chunked",
        "headers=X-A:1;x-a:2",
        "base_url=",
        "base_url=http://127.0.0.1 :1/v1",
    ],
)
def test_options_out_of_range_are_usage_errors(option: str) -> None:
    with pytest.raises(UsageError) as fault:
        build(f"openai:m,{option}", KEYS)
    assert CANARY not in str(fault.value)


def test_a_model_wants_a_name() -> None:
    with pytest.raises(UsageError, match="openai:NAME"):
        build("openai:", KEYS)


async def test_a_cancelled_request_leaves_the_model_usable() -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def reply(body: Any) -> Reply:
        loop.call_soon_threadsafe(arrived.set)
        return Reply(chat("4"), delay=inf if "slow" in body["messages"][1]["content"] else 0)

    with Loopback(reply) as server:
        model = build(f"openai:small,base_url={server.url}")
        slow = asyncio.ensure_future(model.complete(ask("slow")))
        await arrived.wait()
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await model.complete(ask("quick"))).text == "4"
        await model.close()


def test_a_model_is_used_by_several_loops_at_once() -> None:
    async def often(model: Model) -> list[str]:
        try:
            return [(await model.complete(ask())).text for _ in range(5)]
        finally:
            await model.close()

    with Loopback(lambda _: Reply(chat("4"))) as server, ThreadPoolExecutor(4) as pool:
        model = build(f"openai:small,base_url={server.url}")
        said = list(pool.map(lambda _: asyncio.run(often(model)), range(4)))
    assert said == [["4"] * 5] * 4


def test_a_model_lives_through_several_loops() -> None:
    async def once(model: Model) -> str:
        try:
            return (await model.complete(ask())).text
        finally:
            await model.close()

    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url}")
        assert [asyncio.run(once(model)) for _ in range(3)] == ["4", "4", "4"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_model_that_was_not_closed_lives_through_the_next_loop() -> None:
    async def once(model: Model) -> str:
        return (await model.complete(ask())).text

    with Loopback(lambda _: Reply(chat("4"))) as server:
        model = build(f"openai:small,base_url={server.url}")
        assert [asyncio.run(once(model)) for _ in range(2)] == ["4", "4"]
        asyncio.run(model.close())
        gc.collect()  # what was left open, here and not in the next test


async def test_many_requests_are_in_flight_at_once() -> None:
    arrived = 0
    all_there = asyncio.Event()

    async def reply(_: Any) -> Reply:
        nonlocal arrived
        arrived += 1
        if arrived == 200:
            all_there.set()
        await all_there.wait()
        return Reply(chat("4"))

    with Loopback(reply) as server:
        model = build(f"openai:small,base_url={server.url}")
        done = await asyncio.gather(*(model.complete(ask()) for _ in range(200)))
        await model.close()
    assert len(done) == 200
