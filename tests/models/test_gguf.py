"""`gguf:` with real weights, in the file that HCH_TEST_GGUF names (`make integration` sets it)."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from hch import registry
from hch.errors import ConfigError, LengthError, ModelError, UsageError
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Form, Message, Part, Request, Sampling

pytest.importorskip("xllamacpp")

WEIGHTS = os.environ.get("HCH_TEST_GGUF", "")
SCHEMA = {
    "type": "object",
    "properties": {
        "questions": {"type": "array", "items": {"type": "string", "maxLength": 40}, "maxItems": 2},
        "last": {"type": "boolean"},
    },
    "required": ["questions", "last"],
    "additionalProperties": False,
}

integration = pytest.mark.integration
weights = pytest.mark.skipif(not WEIGHTS, reason="HCH_TEST_GGUF names no file")


def build(spec: str) -> Model:
    model = registry.build("models", Spec.parse(spec), keys={}, rate=None)
    assert isinstance(model, Model)
    return model


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    model = build(f"gguf:{WEIGHTS},threads=1")
    yield model
    asyncio.run(model.close())


def ask(text: str, seed: int = 0, form: Form | None = None, **sampling: object) -> Request:
    settings = Sampling(**{"max_tokens": 16, **sampling})  # type: ignore[arg-type]
    return Request((Message("user", (Part(text),)),), settings, form, seed=seed)


@integration
@weights
async def test_a_chat(model: Model, capfd: pytest.CaptureFixture[str]) -> None:
    completion = await model.complete(ask("What is 2+3?", temperature=0.0))
    assert completion.text
    assert completion.finish in ("stop", "length")
    assert completion.usage.input > 5
    assert 0 < completion.usage.output <= 16
    assert json.loads(completion.raw)["choices"][0]["message"]["content"] == completion.text
    assert capfd.readouterr() == ("", "")
    assert (model.rate, model.keyed, model.at_once) == (Rate(), False, 8)


@integration
@weights
async def test_eight_at_once_and_more_in_line(model: Model) -> None:
    requests = [ask(f"Tell me about the number {i}.", seed=i) for i in range(10)]
    completions = await asyncio.gather(*map(model.complete, requests))
    assert all(completion.text for completion in completions)
    assert len({completion.text for completion in completions}) > 1


@integration
@weights
async def test_a_seed_is_a_sample(model: Model) -> None:
    story = "Tell a story."
    texts = [(await model.complete(ask(story, seed=seed))).text for seed in (1, 1, 2, 2**40)]
    assert texts[0] == texts[1]
    assert len(set(texts)) == 3
    with pytest.raises(ConfigError, match="seed 4294967295"):
        await model.complete(Request((), Sampling(seed=2**32 - 1)))


@integration
@weights
async def test_a_form_is_enforced(model: Model) -> None:
    form = Form("Split", json.dumps(SCHEMA))
    requests = [ask("Split 2+3*4 in parts.", seed=i, form=form, max_tokens=300) for i in range(3)]
    for completion in await asyncio.gather(*map(model.complete, requests)):
        assert completion.finish == "stop"
        reply = json.loads(completion.text)
        assert set(reply) == {"questions", "last"}
        assert len(reply["questions"]) <= 2
        assert isinstance(reply["last"], bool)


@integration
@weights
async def test_log_probabilities(model: Model) -> None:
    completion = await model.complete(ask("What is 2+3?", temperature=0.0, logprobs=2))
    assert completion.logprobs is not None
    assert "".join(token.token for token in completion.logprobs) == completion.text
    assert all(token.logprob <= 0 and len(token.top) == 2 for token in completion.logprobs)
    chosen_only = await model.complete(ask("What is 2+3?", temperature=0.0, logprobs=0))
    assert [t.top for t in chosen_only.logprobs or ()] == [()] * len(completion.logprobs)


@integration
@weights
async def test_the_length_limit_and_a_stop(model: Model) -> None:
    cut = await model.complete(ask("Count to a hundred.", temperature=0.0, max_tokens=3))
    assert (cut.finish, cut.usage.output) == ("length", 3)
    whole = await model.complete(ask("Say: one two three", temperature=0.0))
    word = whole.text.split()[1]
    stopped = await model.complete(ask("Say: one two three", temperature=0.0, stop=(word,)))
    assert word not in stopped.text
    assert stopped.finish == "stop"


@integration
@weights
async def test_a_prompt_that_is_too_long(model: Model) -> None:
    with pytest.raises(LengthError, match="4096 tokens"):
        await model.complete(ask("word " * 6000))


@integration
@weights
async def test_text_that_is_no_unicode_and_a_form_that_is_no_schema(model: Model) -> None:
    assert (await model.complete(ask("a\ud800\x00b"))).text
    with pytest.raises(ModelError) as fault:
        await model.complete(ask("x", form=Form("Bad", '{"type": "frob"}')))
    assert (fault.value.kind, fault.value.ran) == ("bad request", False)


@integration
@weights
async def test_a_cancelled_request_stops_and_the_model_goes_on(model: Model) -> None:
    endless = ask("Count to a million, one number a line.", max_tokens=1900)
    calls = [asyncio.ensure_future(model.complete(endless)) for _ in range(7)]
    assert (await model.complete(ask("Hello", max_tokens=4))).text
    calls += [asyncio.ensure_future(model.complete(endless)) for _ in range(4)]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    assert (await model.complete(ask("Hello"))).text


@integration
@weights
def test_two_loops_and_a_reload() -> None:
    model = build(f"gguf:{WEIGHTS},parallel=2,ctx=512,threads=1,temperature=0")

    async def twice() -> list[str]:
        both = await asyncio.gather(*(model.complete(ask("What is 2+3?")) for _ in range(2)))
        await model.close()
        return [completion.text for completion in both]

    assert len({*asyncio.run(twice()), *asyncio.run(twice())}) == 1


@integration
async def test_a_damaged_file_cannot_be_loaded(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(1000))
    model = build(f"gguf:{tmp_path / 'bad.gguf'}")
    with pytest.raises(ConfigError, match=r"cannot load .*bad\.gguf"):
        await model.complete(ask("x"))
    await model.close()
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    for name, said in (("missing", "No such file"), ("text", "not a GGUF file"), ("", "directory")):
        path = tmp_path / f"{name}.gguf" if name else tmp_path
        with pytest.raises(UsageError, match=said):
            build(f"gguf:{path}")


@pytest.mark.parametrize(
    "option", ["parallel=0", "ctx=10", "threads=0", "temperature=-1", "top_p=2", "seed=-1"]
)
def test_options_out_of_range_are_usage_errors(tmp_path: Path, option: str) -> None:
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    with pytest.raises(UsageError, match=option):
        build(f"gguf:{tmp_path / 'some.gguf'},{option}")


def test_equal_specs_have_equal_names(tmp_path: Path) -> None:
    (tmp_path / "some.gguf").write_bytes(b"GGUF")
    start = f"gguf:{tmp_path / 'some.gguf'}"
    assert build(f"{start},temperature=0.70,parallel=8,ctx=4096").name == start
    name = f"{start},ctx=1024,temperature=0,seed=3"
    assert build(f"{start},seed=3,temperature=0.0,ctx=1024").name == build(name).name == name
