"""Trees by a real vLLM server: through `vllm:`, `openai:` and `anthropic:`, on a tiny model.

Its weights are random, so nothing is asserted of what it says, but that it says it in the form that
was asked for, and that it is all in the trace.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hch import HCH, Question, Text, Trace, registry
from hch.datasets.alternatives import Alternatives
from hch.datasets.tokenizer import Tokenizer
from hch.errors import ConfigError, LengthError
from hch.nodes import Call
from hch.protocols import Model
from hch.registry import Spec
from hch.replies import form, parse
from hch.rows import Tokens
from hch.run import Result
from hch.stores.sqlite import SqliteStore
from hch.strategies.consult import LastTurn, Turn
from hch.strategies.factored import Decomposition
from hch.types import Form, Message, Part, Request, Sampling
from tests.commands.terminal import hch
from tests.servers import Served, vllm_server
from tests.support import check_tree

PYTHON, TINY = (os.environ.get(f"HCH_TEST_{name}", "") for name in ("VLLM", "TINY"))

pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(not (PYTHON and TINY), reason="HCH_TEST_VLLM or HCH_TEST_TINY is not set"),
]

KEY = "TINY_API_KEY"
WINDOW = 2048
BLOCK = 32
LARGE = "5000calls,5000000tokens"
PROVIDERS = {
    "vllm": "vllm:{name},base_url={server.url}",
    "openai": "openai:{name},base_url={server.url}",
    "anthropic": "anthropic:{name},base_url={server.root},key_header=Authorization",
}
QUESTIONS = (
    "Which rivers cross both Germany and France?",
    "Why is the sky blue?",
    "How many legs do three spiders have?",
)
DOCUMENT = " ".join(f"Row {i} says {i * i}." for i in range(20))
LONGER_THAN_THERE_IS_ROOM = Form(
    "Digits",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "digits": {"type": "array", "items": {"enum": [*range(10)]}, "minItems": WINDOW}
            },
            "required": ["digits"],
            "additionalProperties": False,
        }
    ),
)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    adapters = {"bent": Path(TINY) / "adapter"}
    with vllm_server(
        PYTHON, TINY, key="sesame", length=WINDOW, adapters=adapters, block_size=BLOCK
    ) as served:
        yield served


@pytest.fixture(autouse=True)
def _keys(home: Path, server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY, server.key)
    monkeypatch.setenv("WRONG_API_KEY", "open")


def named(
    server: Served, provider: str = "vllm", *options: str, name: str = "", key: str = KEY
) -> str:
    """The spec of a model of that server."""
    spec = PROVIDERS[provider].format(server=server, name=name or server.model)
    return ",".join((spec, f"api_key_env={key}", *options))


def sampled(provider: str, *options: str) -> tuple[str, ...]:
    """The options that the Messages API has no room for are left out there."""
    return () if provider == "anthropic" else options


@asynccontextmanager
async def grown(
    model: str, questions: Sequence[str | Question] = QUESTIONS, **more: Any
) -> AsyncIterator[tuple[list[Result], Trace]]:
    """The results and the trace of one run that was kept in a file and read from it again."""
    context = more.pop("context", ())
    settings = {"depth": 0, "model": model, "answer_tokens": 400, "budget": LARGE, **more}
    with SqliteStore("runs.db") as store:
        results = await HCH(store=store, **settings).begin(questions, context=context).finish()
        yield results, results[0].trace


async def said(model: str, questions: Sequence[str] = QUESTIONS, **more: Any) -> list[str | None]:
    async with grown(model, questions, **more) as (results, _):
        return [result.text for result in results]


def typed(trace: Trace) -> list[Call]:
    """The calls of a trace whose replies have a form and were not cut."""
    calls = [c for c in trace.calls.values() if c.intents[0].form is not None]
    return [c for c in calls if c.finished is not None and c.finished.finish == "stop"]


@asynccontextmanager
async def built(spec: str) -> AsyncIterator[Model]:
    keys = {KEY: SecretStr(os.environ[KEY])}
    model = registry.build("models", Spec.parse(spec), keys=keys, rate=None)
    yield model
    await model.close()


def request(text: str, form: Form | None = None, max_tokens: int = 600) -> Request:
    return Request((Message("user", (Part(text),)),), Sampling(max_tokens), form)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_trees_grow_and_every_reply_has_its_form(
    server: Served, provider: str, depth: int
) -> None:
    model = named(server, provider, *sampled(provider, f"seed={depth}"))
    async with grown(model, depth=depth) as (results, trace):
        check_tree(trace)
        assert trace.finished
        assert {result.status for result in results} == {"answered"}
        assert {node.level for node in trace.nodes()} == {*range(depth + 1)}
        assert len(typed(trace)) >= len(QUESTIONS)
        for call in typed(trace):
            parse(call.finished.text, Decomposition)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("texts", [0, 2])
async def test_the_three_forms_are_enforced(server: Served, provider: str, texts: int) -> None:
    forms = [form(returns, texts) for returns in (Decomposition, Turn, LastTurn)]
    wanted = [request(f"What is {i}?", one) for i in range(8) for one in forms]
    async with built(named(server, provider, *sampled(provider, "seed=1"))) as model:
        replies = await asyncio.gather(*map(model.complete, wanted))
    whole = [(w, r) for w, r in zip(wanted, replies, strict=True) if r.finish == "stop"]
    assert len(whole) > len(wanted) / 2
    for sent, reply in whole:
        assert sent.form is not None
        assert [*json.loads(reply.text)] == json.loads(sent.form.schema)["required"]


@pytest.mark.parametrize("provider", ["vllm", "openai"])
async def test_log_probabilities_are_kept_with_every_call(server: Served, provider: str) -> None:
    async with grown(named(server, provider, "logprobs=2", "seed=3"), depth=1) as (_, trace):
        calls = [call.finished for call in trace.calls.values() if call.finished]
        assert len(calls) > len(QUESTIONS)
        for call in calls:
            assert call.logprobs is not None
            assert len(call.logprobs) == call.usage[1]
            assert all(chosen <= 0 and len(top) == 2 for _, chosen, top in call.logprobs)
            joined = "".join(token for token, _, _ in call.logprobs)
            assert joined.removesuffix("<|im_end|>") == call.text


async def test_tokens_by_number(server: Served) -> None:
    model = named(server, "vllm", "logprobs=0", "token_ids=true", "temperature=0")
    async with grown(model, QUESTIONS[:1], answer_tokens=20) as (_, trace):
        [call] = trace.calls.values()
        assert call.finished is not None
        assert call.finished.logprobs
        tokens = [token for token, _, _ in call.finished.logprobs]
    assert all(token.startswith("token_id:") for token in tokens)


async def test_log_probabilities_are_rows_of_numbers(server: Served) -> None:
    tokenizer = Tokenizer.named(TINY)
    tokens = Alternatives(tokenizer).tokens
    model = named(server, "vllm", "logprobs=5", "token_ids=true", "temperature=0.8", "seed=5")
    async with grown(model, depth=1) as (_, trace):
        assert len(trace.calls) > len(QUESTIONS)
        for call in trace.calls.values():
            assert call.finished is not None
            found = tokens(call.intents[0], call.finished)
            assert isinstance(found, Tokens), found
            assert {*map(len, found.ids), *map(len, found.logprobs)} == {5}
            assert len(found.ids) == call.usage.output
            assert all([*row] == sorted(row, reverse=True) for row in found.logprobs)
            assert (found.tokenizer, found.temperature) == (tokenizer.hash, 0.8)
            drawn = [int(token[9:]) for token, _, _ in call.finished.logprobs or ()]
            assert tokenizer.text(drawn) == call.finished.text
            assert all(number in row for number, row in zip(drawn, found.ids, strict=True))


async def test_log_probabilities_by_number_are_those_by_text(server: Served) -> None:
    """Where each text is that of one token; which half of a character one is, no text says."""
    tokens = Alternatives(Tokenizer.named(TINY)).tokens
    made = dict[str, list[Tokens | str]]()
    for option in ("token_ids=false", "token_ids=true"):
        model = named(server, "vllm", "logprobs=2", "temperature=0", option)
        async with grown(model, answer_tokens=12, concurrency=1) as (_, trace):
            calls = [call for call in trace.calls.values() if call.finished]
            calls.sort(key=lambda call: call.intents[0].question)
            made[option] = [tokens(call.intents[0], call.finished) for call in calls]
    by_text, by_number = made.values()
    known = [pair for pair in zip(by_text, by_number, strict=True) if not isinstance(pair[0], str)]
    assert all(text == number for text, number in known)
    assert known


async def test_a_script_that_asks_a_model(server: Served) -> None:
    """Amplification: the script is H, and the model answers what it asks."""
    model = named(server, "vllm", "regex=[1-9][0-9]{0,,2}")
    asked = HCH(depth=1, at={"1+": "script", "0": f"direct@{model}"}, store="runs.db")
    result = await asked.ask("What is (2+3)*(4-1)?")
    factors = [node.answer.text.body for node in result.trace.roots[0].children]
    assert len(factors) == 2
    assert result.text == str(int(factors[0]) * int(factors[1]))


@pytest.mark.parametrize(
    ("option", "allowed"),
    [("choice=left|right", {"left", "right"}), ("grammar=sides.gbnf", {"to port", "to starboard"})],
)
async def test_replies_are_held_to(
    server: Served, home: Path, option: str, allowed: set[str]
) -> None:
    (home / "sides.gbnf").write_text('root ::= "to " ("port" | "starboard")\n', "utf-8")
    replies = await said(named(server, "vllm", option), [f"Which way? {i}" for i in range(12)])
    assert set(replies) <= allowed


async def test_an_adapter_is_a_model_of_its_own(server: Served) -> None:
    base = await said(named(server, "vllm", "temperature=0"), answer_tokens=16)
    for provider in ("vllm", "openai"):
        bent = named(server, provider, "temperature=0", name="bent")
        texts = await said(bent, answer_tokens=16)
        assert texts == await said(bent, answer_tokens=16)
        assert all(one != other for one, other in zip(base, texts, strict=True))


async def test_greedy_replies_are_the_same_alone_and_beside_others(server: Served) -> None:
    model = named(server, "vllm", "temperature=0")
    questions = [f"What is {i} + {i}?" for i in range(16)]
    together = await said(model, questions, answer_tokens=32)
    alone = await said(model, questions, answer_tokens=32, concurrency=1)
    assert together == alone
    assert len(set(together)) > 1


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_prompt_that_is_too_long_ends_its_node_only(server: Served, provider: str) -> None:
    questions = ["word " * n for n in (3 * WINDOW, 30 * WINDOW)]
    async with grown(named(server, provider), [*questions, *QUESTIONS]) as (results, trace):
        assert [result.status for result in results] == ["truncated"] * 2 + ["answered"] * 3
        assert all("maximum context length is 2048" in result.reason for result in results[:2])
        assert trace.finished


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_reply_that_the_server_shortens_in_silence(server: Served, provider: str) -> None:
    async with built(named(server, provider)) as model:
        with pytest.raises(LengthError, match="of a reply of up to 600 tokens") as caught:
            await model.complete(request("word " * 1800, LONGER_THAN_THERE_IS_ROOM))
    assert caught.value.usage is not None
    assert sum(caught.value.usage[:2]) == WINDOW


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_siblings_share_is_read_from_the_cache(server: Served, provider: str) -> None:
    model = named(server, provider, *sampled(provider, "seed=4"))
    document = Text(f"For {provider}. {DOCUMENT}", "document:rows", False)
    questions = [*QUESTIONS, *(f"What does row {i} say?" for i in range(5))]
    async with grown(model, questions, depth=1, context=[document], concurrency=1) as (_, trace):
        thoughts = [thought for n in trace.nodes() if n.level == 0 for thought in n.thoughts]
    calls = {call.request: call for _, call in thoughts if call and call.finished}
    used = sorted((call.usage for call in calls.values()), key=lambda usage: usage.cached)
    assert len(used) >= len(QUESTIONS)
    assert all(usage.cached % BLOCK == 0 for usage in used)
    assert all(usage.cached > 300 for usage in used[1:])


@pytest.mark.leaves_open
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "other"}, "no model 'other'"),
        ({"key": "WRONG_API_KEY"}, "does not take the key in WRONG_API_KEY"),
        ({"answer_tokens": WINDOW + 1}, "lower answer_tokens"),
    ],
)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_wrong_setting_stops_the_run_at_once(
    server: Served, provider: str, wrong: dict[str, Any], told: str
) -> None:
    tokens = wrong.get("answer_tokens", 100)
    spec = named(server, provider, **{k: v for k, v in wrong.items() if k != "answer_tokens"})
    with SqliteStore("runs.db") as store:
        asked = HCH(depth=0, model=spec, store=store, answer_tokens=tokens, concurrency=4)
        run = asked.begin([f"What is {i}?" for i in range(40)])
        with pytest.raises(ConfigError, match=told):
            await run.finish()
        trace = Trace(store.events(run.id))
    assert sum(len(call.intents) for call in trace.calls.values()) <= 4


async def test_this_server_reads_a_key_in_one_header_only(server: Served) -> None:
    async with built(f"anthropic:tiny,base_url={server.root},api_key_env={KEY}") as model:
        with pytest.raises(ConfigError, match=f"does not take the key in {KEY}"):
            await model.complete(request("Why?"))


def test_by_the_command_line(server: Served, home: Path) -> None:
    model = named(server, "vllm", "seed=1")
    (home / "hch.toml").write_text(f'[defaults]\nmodel = "{model}"\n', "utf-8")
    done = hch("doctor", "--call")
    assert (done.code, done.err) == (0, "")
    [called] = [line for line in done.out.splitlines() if "tiny" in line and "token" in line]
    assert "✓" in called
    done = hch("ask", QUESTIONS[0], "--depth", "1", "--json")
    told = json.loads(done.out)
    assert (done.code, told["status"]) == (0, "answered")
    assert all(told["usage"][level]["output"] > 0 for level in "01")


def test_a_dataset_of_log_probabilities(server: Served, home: Path) -> None:
    model = named(server, "vllm", "seed=1", "logprobs=5", "token_ids=true")
    assert hch("ask", QUESTIONS[0], "--depth", "1", "-m", model).code == 0
    [listed] = json.loads(hch("runs", "--json").out)
    run = listed["run"]
    words = ("dataset", "build", run, "-f", "logprobs", "--tokenizer", TINY, "--split", "train=1")
    done = hch(*words, "--out", "rows")
    assert done.code == 0, done.err
    [shard] = (home / "rows" / "soft" / "train").iterdir()
    rows = [json.loads(line) for line in shard.read_text("utf-8").splitlines()]
    tokenizer = Tokenizer.named(TINY)
    assert rows
    for row in rows:
        assert {*map(len, row["logprobs"]), *map(len, row["target_token_ids"])} == {5}
        assert len(row["logprobs"]) == len(row["target_token_ids"])
        assert row["tokenizer_hash"] == tokenizer.hash


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--answer-tokens", f"{WINDOW + 1}"), "lower answer_tokens"),
        (("-m", "other"), "it may have no model 'other'"),
    ],
)
def test_what_is_wrong_is_one_line(
    server: Served, home: Path, words: tuple[str, ...], told: str
) -> None:
    aliases = {"tiny": named(server), "other": named(server, name="other")}
    lines = [f'{alias} = "{spec}"' for alias, spec in aliases.items()]
    (home / "hch.toml").write_text("\n".join(["[models]", *lines]), "utf-8")
    done = hch("ask", "Why?", "-m", "tiny", *words)
    assert (done.code, done.out) == (6, "")
    [line] = [line for line in done.err.splitlines() if server.url in line and "answered" in line]
    assert told in line
