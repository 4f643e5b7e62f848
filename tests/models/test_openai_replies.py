"""What `openai:` makes of the replies it gets, good and bad."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.errors import ModelError, TransientModelError
from hch.models._chat import Endpoint, completion
from hch.rates import MESSAGE_TOKENS, token_bound
from hch.types import Completion, Form, Sampling, TokenLogprob, Usage
from tests.loopback import Loopback, Reply, chat
from tests.models.calls import CANARY, ask, build, call, fault_of


async def test_usage_thinking_and_finish_are_read() -> None:
    usage = {
        "prompt_tokens": 90,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 64},
        "completion_tokens_details": {"reasoning_tokens": 20},
    }
    said = chat("4", message={"reasoning_content": "hm"}, choice={"finish_reason": "length"})
    completion = await call(Reply({**said, "usage": usage}))
    assert completion == Completion(
        "4", "length", Usage(90, 30, 64, 20), thinking="hm", raw=completion.raw
    )
    assert (await call(Reply(chat("4", message={"reasoning": "so"})))).thinking == "so"


@pytest.mark.parametrize(
    ("body", "text", "finish"),
    [
        (chat(None, message={"refusal": "I will not."}), "I will not.", "refusal"),
        (chat("", choice={"finish_reason": "stop"}), "", "stop"),
        (chat(None, choice={"finish_reason": "length"}), "", "length"),
        (chat("par", choice={"finish_reason": "content_filter"}), "par", "content_filter"),
    ],
)
async def test_other_ends(body: object, text: str, finish: str) -> None:
    completion = await call(Reply(body))
    assert (completion.text, completion.finish) == (text, finish)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": -1, "completion_tokens": True}, 5])
async def test_usage_that_is_not_reported_is_bounded(usage: object) -> None:
    request = ask("x" * 100, form=Form("F", '{"type":"object"}'), sampling=Sampling(max_tokens=20))
    completion = await call(Reply(chat("four words, all told", usage=usage)), request)
    texts = "You are careful." + "x" * 100
    prompt = token_bound(texts) + token_bound('{"type":"object"}') + 2 * MESSAGE_TOKENS
    assert completion.usage == Usage(prompt, token_bound("four words, all told") + 1)


async def test_log_probabilities_are_asked_for_and_read() -> None:
    top = [{"token": "4", "logprob": -0.1}, {"token": "5", "logprob": -3.5}]
    entry = {"token": "4", "logprob": -0.1, "bytes": [52], "top_logprobs": top}
    body = chat("4", choice={"logprobs": {"content": [entry]}})
    with Loopback(lambda _: Reply(body)) as server:
        model = build(f"openai:small,base_url={server.url}")
        some = await model.complete(ask(sampling=Sampling(logprobs=2)))
        none = await model.complete(ask(sampling=Sampling(logprobs=0)))
        await model.close()
    assert some.logprobs == (TokenLogprob("4", -0.1, (("4", -0.1), ("5", -3.5))),)
    assert none.logprobs == (TokenLogprob("4", -0.1),)
    sent = [(r.body["logprobs"], r.body["top_logprobs"]) for r in server.requests]
    assert sent == [(True, 2), (True, 1)]


async def test_log_probabilities_that_do_not_come_are_missed() -> None:
    fault = await fault_of(Reply(chat("4")), ask(sampling=Sampling(logprobs=0)))
    assert isinstance(fault, ModelError)
    assert (fault.kind, fault.usage) == ("no logprobs", (7, 3, 0, 0))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b'{"choices": [',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b"<!doctype html><title>Welcome</title>",
        [],
        "text",
        None,
        {},
        {"error": {"message": f"overloaded, {CANARY}"}},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"finish_reason": "stop"}]},
        {"choices": [{"message": {"content": "no reason"}}]},
        chat(None),
        chat("x", choice={"finish_reason": "tool_calls"}),
        chat("x", choice={"finish_reason": ["stop"]}),
        chat("x", message={"content": ["parts"]}),
    ],
    ids=range(20),
)
async def test_bad_bodies_are_transient_and_paid(body: object) -> None:
    fault = await fault_of(Reply(body))
    assert isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == ("bad body", True)
    assert fault.usage == ((7, 3, 0, 0) if isinstance(body, dict) and "usage" in body else None)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A good body with one member anywhere replaced or removed, perhaps cut, perhaps garbled."""
    tokens = [{"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "4", "logprob": -0.1}]}]
    whole: Any = chat("4", choice={"logprobs": {"content": tokens}})
    node: Any = whole
    while True:
        key = draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not node[key] or not isinstance(node[key], dict | list) or draw(st.booleans()):
            break
        node = node[key]
    if draw(st.booleans()):
        del node[key]
    else:
        node[key] = draw(ANYTHING)
    raw = json.dumps(whole).encode()
    if draw(st.booleans()):
        place = draw(st.integers(0, len(raw) - 1))
        raw = raw[:place] + draw(st.binary(max_size=3)) + raw[place + draw(st.integers(0, 3)) :]
    return raw


def outcome(raw: bytes) -> Completion | ModelError:
    try:
        return completion(Endpoint("http://host/v1"), ask(sampling=Sampling(logprobs=1)), raw)
    except ModelError as error:
        return error


@given(mutations())
def test_no_mutation_of_a_good_body_is_anything_but_an_answer_or_our_error(raw: bytes) -> None:
    found = outcome(raw)
    if isinstance(found, ModelError):
        assert found.ran
    else:
        assert isinstance(found.text, str)
        assert found.usage.input >= found.usage.cached >= 0


@settings(max_examples=25, deadline=None)
@given(st.lists(mutations(), min_size=8, max_size=8))
def test_nor_over_the_wire(bodies: list[bytes]) -> None:
    async def ask_all() -> None:
        left = iter(bodies)
        with Loopback(lambda _: Reply(next(left))) as server:
            model = build(f"openai:small,base_url={server.url}")
            calls = (model.complete(ask()) for _ in bodies)
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            await model.close()
        assert all(isinstance(outcome, Completion | ModelError) for outcome in outcomes)

    asyncio.run(ask_all())
