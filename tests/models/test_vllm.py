"""`vllm:`, over real sockets: what it sends, and what it makes of what comes.

What a real vLLM server does with it is in tests/models/test_vllm_server.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hch.errors import ConfigError, LengthError, UsageError
from hch.protocols import Model
from hch.rates import Rate
from hch.types import Completion, Form, Request, Sampling, TokenLogprob, Usage
from tests.loopback import Loopback, Reply, chat
from tests.models.calls import CANARY, KEYS, ask, build


async def sent(request: Request, options: str = "", **said: Any) -> tuple[Any, Completion]:
    """The body that arrives, and the completion that goes back."""
    with Loopback(lambda _: Reply(chat("4", **said))) as server:
        model = build(f"vllm:org/small,base_url={server.url}{options}")
        assert isinstance(model, Model)
        try:
            completion = await model.complete(request)
        finally:
            await model.close()
    assert server.requests[0].path == "/v1/chat/completions"
    return server.requests[0].body, completion


async def test_a_question_goes_out_and_its_answer_comes_back() -> None:
    body, completion = await sent(ask(sampling=Sampling(max_tokens=9)))
    assert (completion.text, completion.usage) == ("4", Usage(7, 3))
    assert completion.raw == json.dumps(chat("4")).encode()
    assert body == {
        "model": "org/small",
        "messages": [
            {"role": "system", "content": "You are careful."},
            {"role": "user", "content": "What is 2+2?"},
        ],
        "max_tokens": 9,
    }


async def test_sampling_of_its_own_goes_along() -> None:
    options = ",temperature=0,top_p=0.5,top_k=4,min_p=0.1,seed=7,effort=low"
    body, _ = await sent(ask(), options)
    assert {name: body[name] for name in ("temperature", "top_p", "top_k", "min_p", "seed")} == {
        "temperature": 0,
        "top_p": 0.5,
        "top_k": 4,
        "min_p": 0.1,
        "seed": 7,
    }
    assert body["reasoning_effort"] == "low"


async def test_log_probabilities_are_recorded_by_text_or_by_number() -> None:
    tokens = [
        {"token": "token_id:19", "logprob": -0.5, "top_logprobs": []},
        {"token": "", "logprob": -9999.0, "top_logprobs": []},  # half a character, and forbidden
    ]
    choice = {"logprobs": {"content": tokens}}
    body, completion = await sent(ask(), ",logprobs=0,token_ids=true", choice=choice)
    assert completion.logprobs == (TokenLogprob("token_id:19", -0.5), TokenLogprob("", -9999.0))
    assert (body["logprobs"], body["top_logprobs"]) == (True, 0)
    assert body["return_tokens_as_token_ids"] is True


@pytest.mark.parametrize(
    ("option", "constraint"),
    [
        ("choice=yes|no", {"choice": ["yes", "no"]}),
        (r"regex=[0-9]{1,,3}", {"regex": "[0-9]{1,3}"}),
        ("grammar={file}", {"grammar": 'root ::= "a"\n'}),
    ],
)
async def test_a_reply_without_a_form_is_held_to_a_constraint(
    option: str, constraint: object, tmp_path: Path
) -> None:
    (tmp_path / "a.gbnf").write_text('root ::= "a"\n')
    option = option.replace("{file}", str(tmp_path / "a.gbnf"))
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    body, _ = await sent(ask(), f",{option}")
    assert body["structured_outputs"] == constraint
    typed, _ = await sent(ask(form=Form("Nothing", json.dumps(schema))), f",{option}")
    assert "structured_outputs" not in typed
    assert typed["response_format"]["json_schema"]["schema"] == schema


async def test_thoughts_are_kept_apart_from_the_text() -> None:
    _, completion = await sent(ask(), message={"reasoning": "two and two"})
    assert (completion.text, completion.thinking) == ("4", "two and two")
    _, silent = await sent(ask(), message={"content": None, "reasoning": "two and"})
    assert (silent.text, silent.finish, silent.thinking) == ("", "stop", "two and")


async def test_a_reply_cut_before_its_limit_is_refused_at_its_price() -> None:
    """vLLM shortens the limit where prompt and reply do not fit, and does not say so."""
    cut = {"finish_reason": "length"}
    with pytest.raises(LengthError, match="of a reply of up to 900 tokens 3 had room") as fault:
        await sent(ask(sampling=Sampling(max_tokens=900)), choice=cut)
    assert fault.value.usage == (7, 3, 0, 0, 0)
    _, completion = await sent(ask(sampling=Sampling(max_tokens=3)), choice=cut)
    assert completion.finish == "length"


async def refused(message: str, status: int = 400) -> Exception:
    said = {"error": {"message": message, "type": "BadRequestError", "code": status}}
    with Loopback(lambda _: Reply(said, status)) as server:
        model = build(f"vllm:small,base_url={server.url}")
        with pytest.raises((ConfigError, LengthError)) as fault:
            await model.complete(ask())
        await model.close()
    return fault.value


@pytest.mark.parametrize(
    ("message", "kind", "told"),
    [
        (
            "max_tokens=1025 cannot be greater than max_model_len=1024. Please request fewer",
            ConfigError,
            "lower answer_tokens",
        ),
        (
            "Failed to transform regex into a grammar: [19:00:15] position 4",
            ConfigError,
            "cannot hold replies to the form",
        ),
        ("Invalid grammar specification.", ConfigError, "cannot hold replies to the form"),
        (
            "This model's maximum context length is 1024 tokens. However, your prompt contains",
            LengthError,
            "maximum context length",
        ),
        ("max_tokens must be at least 1, got 0.", LengthError, "max_tokens must be at least 1"),
    ],
)
async def test_what_vllm_refuses_is_told_apart(message: str, kind: type, told: str) -> None:
    fault = await refused(message)
    assert type(fault) is kind
    assert told in str(fault)


async def test_a_key_goes_where_the_spec_says_and_nowhere_else() -> None:
    with Loopback(lambda _: Reply(chat("4"))) as server:
        free = build(f"vllm:small,base_url={server.url}", KEYS, Rate(1, 2))
        paid = build(f"vllm:small,base_url={server.url},api_key_env=OTHER_API_KEY", KEYS)
        for model in (free, paid):
            await model.complete(ask())
            await model.close()
    keys = [request.headers.get("authorization") for request in server.requests]
    assert keys == [None, f"Bearer other-{CANARY}"]
    assert (free.keyed, free.rate, paid.keyed, paid.rate) == (False, Rate(), True, None)


def test_it_is_at_the_port_that_vllm_takes_by_itself() -> None:
    model = build("vllm:org/small")
    assert (model.name, model.endpoint) == ("vllm:org/small", "http://127.0.0.1:8000/v1")


@pytest.mark.parametrize(
    "option",
    [
        "temperature=3",
        "top_k=0",
        "min_p=2",
        "logprobs=-1",
        "grammar=/nowhere",
        "choice=a|b,regex=c",
        "choice=|",
        "regex=",
        "base_url=localhost:8000",
    ],
)
def test_options_out_of_range_are_usage_errors(option: str) -> None:
    with pytest.raises(UsageError):
        build(f"vllm:m,{option}", KEYS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("vllm:m,temperature=0.0,seed=1", "vllm:m,seed=1,temperature=0"),
        ("vllm:m,token_ids=false", "vllm:m,base_url=http://127.0.0.1:8000/v1/"),
        ("vllm:m,regex=1.0", "vllm:m,regex=1.0"),
        ("vllm:m,regex=a{1,,2}", "vllm:m,regex=a{1,,2},token_ids=no"),
    ],
)
def test_equal_specs_have_equal_names(one: str, other: str) -> None:
    assert build(one, KEYS).name == build(other, KEYS).name
    assert build(build(one, KEYS).name, KEYS).name == build(one, KEYS).name
