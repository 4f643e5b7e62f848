"""`anthropic:`, over its real SDK and real sockets: what it sends, and how it reads what comes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hch import HCH
from hch.errors import ConfigError, LengthError, UsageError
from hch.protocols import Model
from hch.rates import Rate
from hch.types import Completion, Form, Message, Part, Request, Sampling, Usage
from tests.loopback import Loopback, Reply, messages
from tests.models.calls import CANARY, KEYS, ask, build

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
MARK = {"type": "ephemeral"}


async def sent(request: Request, options: str = "", **said: Any) -> tuple[Any, Completion]:
    """The body that arrives, and the completion that goes back."""
    with Loopback(lambda _: Reply(messages("4", **said))) as server:
        model = build(f"anthropic:small,base_url={server.origin}{options}")
        assert isinstance(model, Model)
        try:
            completion = await model.complete(request)
        finally:
            await model.close()
    assert server.requests[0].path == "/v1/messages"
    return server.requests[0].body, completion


async def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    body, completion = await sent(ask(sampling=Sampling(max_tokens=9, stop=("END",))))
    assert completion == Completion("4", usage=Usage(7, 3), raw=completion.raw)
    assert json.loads(completion.raw) == messages("4")
    assert body == {
        "model": "small",
        "max_tokens": 9,
        "system": [{"type": "text", "text": "You are careful."}],
        "messages": [{"role": "user", "content": "What is 2+2?"}],
        "stop_sequences": ["END"],
    }


async def test_the_prefix_that_siblings_share_is_marked_once_at_its_end() -> None:
    shared = (Part("A long text.", "context 1"), Part("<<end>>", "mark"), Part("\n\nQuestion: "))
    request = Request(
        (
            Message("system", (Part("You are careful."),)),
            Message("user", (*shared, Part("Which?", "question"))),
        )
    )
    body, _ = await sent(request, ",cache=true")
    assert body["system"] == [{"type": "text", "text": "You are careful."}]
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "A long text.<<end>>", "cache_control": MARK},
        {"type": "text", "text": "\n\nQuestion: Which?"},
    ]
    plain, _ = await sent(request)
    assert plain["messages"] == [
        {"role": "user", "content": "A long text.<<end>>\n\nQuestion: Which?"}
    ]
    assert "cache_control" not in str(plain)


async def test_the_system_prompt_is_marked_where_nothing_else_is_shared() -> None:
    body, _ = await sent(ask(), ",cache=true")
    assert body["system"] == [{"type": "text", "text": "You are careful.", "cache_control": MARK}]


def test_at_anthropic_itself_the_prefix_is_marked_unless_told_otherwise() -> None:
    for spec, marks in (("anthropic:m", 1), ("anthropic:m,cache=false", 0)):
        assert build(spec, KEYS)._format.body(ask()).count(b"ephemeral") == marks


async def test_a_form_and_the_effort_are_the_configuration_of_the_output() -> None:
    body, _ = await sent(ask(form=Form("Nothing", json.dumps(SCHEMA))), ",effort=low")
    assert body["output_config"] == {
        "effort": "low",
        "format": {"type": "json_schema", "schema": SCHEMA},
    }


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("adaptive", {"type": "adaptive"}),
        ("off", {"type": "disabled"}),
        ("1024", {"type": "enabled", "budget_tokens": 1024}),
    ],
)
async def test_how_to_think_is_said(option: str, said: object) -> None:
    body, _ = await sent(ask(), f",thinking={option}")
    assert body["thinking"] == said


async def test_thoughts_are_kept_apart_from_the_text() -> None:
    content = [
        {"type": "thinking", "thinking": "two and two", "signature": "x"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "fo"},
        {"type": "text", "text": "ur"},
    ]
    usage = {
        "input_tokens": 7,
        "output_tokens": 30,
        "output_tokens_details": {"thinking_tokens": 20},
    }
    _, completion = await sent(ask(), content=content, usage=usage)
    assert (completion.text, completion.thinking) == ("four", "two and two")
    assert completion.usage == Usage(7, 30, 0, 20)


async def test_what_was_read_from_a_cache_and_put_into_it_counts_as_input() -> None:
    usage = {
        "input_tokens": 7,
        "cache_creation_input_tokens": 2000,
        "cache_read_input_tokens": 500,
        "output_tokens": 3,
    }
    _, completion = await sent(ask(), usage=usage)
    assert completion.usage == Usage(2507, 3, cached=500, cache_write=2000)
    assert Rate(1, 5, cached=0.1, cache_write=1.25).cost(completion.usage) == 7 + 50 + 2500 + 15


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "refusal"),
    ],
)
async def test_stop_reasons(reason: str, finish: str) -> None:
    _, completion = await sent(ask(), stop_reason=reason)
    assert completion.finish == finish


async def test_a_refusal_without_text_says_why() -> None:
    why = {"type": "refusal", "category": "bio", "explanation": "Not that."}
    _, completion = await sent(ask(), content=[], stop_reason="refusal", stop_details=why)
    assert (completion.text, completion.finish) == ("Not that.", "refusal")


async def test_a_reply_cut_before_its_limit_is_refused_at_its_price() -> None:
    with pytest.raises(LengthError, match="of a reply of up to 900 tokens 3 had room") as fault:
        await sent(ask(sampling=Sampling(max_tokens=900)), stop_reason="max_tokens")
    assert fault.value.usage == (7, 3, 0, 0, 0)


@pytest.mark.parametrize(
    "sampling",
    [Sampling(temperature=0), Sampling(top_p=0.5), Sampling(seed=1), Sampling(logprobs=0)],
)
async def test_what_the_api_does_not_take_is_refused_and_not_dropped(sampling: Sampling) -> None:
    with pytest.raises(ConfigError, match="Anthropic's API takes no"):
        await sent(ask(sampling=sampling))


def test_thinking_that_leaves_no_room_is_told_before_anything_is_sent() -> None:
    hch = HCH(model="anthropic:m,base_url=http://127.0.0.1:1,thinking=2048", store="memory")
    with pytest.raises(UsageError, match="replies of 2049 tokens or more"):
        hch.ask_sync("What?")


async def test_thinking_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="raise answer_tokens"):
        await sent(ask(sampling=Sampling(max_tokens=1024)), ",thinking=1024")


async def test_a_key_goes_where_the_spec_says_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_WEBHOOK_SIGNING_KEY"):
        monkeypatch.setenv(name, CANARY)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"X-Secret: {CANARY}")
    with Loopback(lambda _: Reply(messages("4"))) as server:
        specs = [
            f"anthropic:small,base_url={server.origin}",
            f"anthropic:small,base_url={server.origin}/v1,api_key_env=OTHER_API_KEY",
        ]
        specs.append(f"{specs[0]},api_key_env=OTHER_API_KEY,key_header=Authorization")
        for spec in specs:
            model = build(spec, KEYS, Rate(1, 2))
            await model.complete(ask())
            await model.close()
    free, paid, bearer = (request.headers for request in server.requests)
    assert CANARY not in str(free)
    assert (paid["x-api-key"], paid.get("authorization")) == (f"other-{CANARY}", None)
    assert (bearer.get("x-api-key"), bearer["authorization"]) == (None, f"Bearer other-{CANARY}")
    assert {request.path for request in server.requests} == {"/v1/messages"}
    assert "x-secret" not in free


def test_anthropic_itself_wants_a_key() -> None:
    model = build("anthropic:small", KEYS, Rate(1, 2))
    assert (model.name, model.endpoint) == ("anthropic:small", "https://api.anthropic.com")
    assert (model.keyed, model.rate) == (True, Rate(1, 2))
    with pytest.raises(ConfigError, match="ANTHROPIC_API_KEY is not set"):
        build("anthropic:small")


@pytest.mark.parametrize("option", ["thinking=1023", "thinking=no", "effort=none", "temperature=0"])
def test_options_out_of_range_are_usage_errors(option: str) -> None:
    with pytest.raises(UsageError) as fault:
        build(f"anthropic:m,{option}", KEYS)
    assert "thinking" not in option or "a budget of 1024 tokens or more" in str(fault.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anthropic:m,cache=true", "anthropic:m"),
        ("anthropic:m,base_url=https://api.anthropic.com/v1", "anthropic:m"),
        ("anthropic:m,key_header=x-api-key", "anthropic:m"),
        ("anthropic:m,cache=no,effort=max", "anthropic:m,effort=max,cache=false"),
        ("anthropic:m,base_url=https://API.anthropic.com/", "anthropic:m"),
        ("anthropic:m,thinking=2048", "anthropic:m,thinking=02048"),
    ],
)
def test_equal_specs_have_equal_names(one: str, other: str) -> None:
    assert build(one, KEYS).name == build(other, KEYS).name
    assert build(build(one, KEYS).name, KEYS).name == build(one, KEYS).name
