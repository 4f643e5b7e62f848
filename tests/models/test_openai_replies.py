"""What `openai:` makes of what only OpenAI's format has: thinking, log-probabilities, refusals.

What is common to all providers is in `test_faults.py`.
"""

from __future__ import annotations

import asyncio
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.errors import ModelError, TransientModelError
from hch.types import Completion, Sampling, TokenLogprob, Usage
from tests.faults import mutations
from tests.loopback import Loopback, Reply, chat
from tests.models.calls import ask, build, call, fault_of, outcomes


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
    assert (fault.kind, fault.usage and fault.usage[:2]) == ("no logprobs", (7, 3))


TOKENS = [{"token": "4", "logprob": -0.1, "top_logprobs": [{"token": "4", "logprob": -0.1}]}]
WITH_TOKENS = chat("4", choice={"logprobs": {"content": TOKENS}})


@pytest.mark.parametrize(
    "logprob", [None, "-0.1", True, inf, -inf, nan, 10**400], ids=lambda value: str(value)[:9]
)
async def test_log_probabilities_that_are_no_numbers_are_a_bad_body(logprob: object) -> None:
    tokens = [{"token": "4", "logprob": logprob}]
    body = chat("4", choice={"logprobs": {"content": tokens}})
    fault = await fault_of(Reply(body), ask(sampling=Sampling(logprobs=0)))
    assert isinstance(fault, TransientModelError)
    assert (fault.kind, fault.usage and fault.usage[:2]) == ("bad body", (7, 3))


@settings(max_examples=25, deadline=None)
@given(st.lists(mutations(WITH_TOKENS), min_size=16, max_size=16))
def test_no_mutation_of_log_probabilities_is_anything_but_an_answer_or_our_error(
    bodies: list[bytes],
) -> None:
    request = ask(sampling=Sampling(logprobs=1))
    for outcome in asyncio.run(outcomes("openai", bodies, request)):
        assert isinstance(outcome, Completion | ModelError)


async def test_cache_writes_and_thoughts_left_out_of_the_count_are_read() -> None:
    usage = {
        "prompt_tokens": 2000,
        "completion_tokens": 30,
        "total_tokens": 2130,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 1900},
        "completion_tokens_details": {"reasoning_tokens": 100},
    }
    completion = await call(Reply({**chat("4"), "usage": usage}))
    assert completion.usage == Usage(2000, 130, 64, 100, cache_write=1900)
