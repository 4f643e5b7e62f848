"""Keys are taken out of all that is kept: by their exact values, wherever they turn up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from hch import HCH, Completion, Request, ScriptedModel, Text
from hch.config import Config
from hch.errors import ModelError, UsageError
from hch.middleware import Redacted
from hch.redaction import Redaction
from hch.stores.sqlite import SqliteStore
from hch.types import Message, Part, TokenLogprob
from tests.commands.terminal import hch

KEY = 'sk-canary-"0123456789'
PLAIN = "sk-canary-0123456789"
REDACTION = Redaction([SecretStr(KEY), SecretStr("short"), SecretStr("sk-canary-other")])


def test_a_key_is_found_as_it_is_and_as_json_has_it() -> None:
    assert REDACTION.text(f"({KEY})") == "([key])"
    assert REDACTION.data(json.dumps({"said": KEY}).encode()) == b'{"said": "[key]"}'
    assert REDACTION.shows(KEY)
    assert not REDACTION.shows(KEY[:-1])


def test_what_is_too_short_for_a_key_is_no_key() -> None:
    assert REDACTION.text("in short") == "in short"


def test_a_text_without_a_key_is_the_same_object() -> None:
    raw, text = b"nothing here", "nor here"
    assert REDACTION.data(raw) is raw
    assert REDACTION.text(text) is text


async def said(reply: Completion | ModelError) -> Completion:
    model = Redacted(ScriptedModel(lambda request: reply), REDACTION)
    return await model.complete(Request((Message("user", (Part("What?"),)),)))


async def test_a_reply_with_a_key_loses_it_and_the_tokens_that_spell_it() -> None:
    tokens = (TokenLogprob(KEY[:4], -1.0), TokenLogprob(KEY[4:], -1.0))
    reply = Completion(KEY, logprobs=tokens, thinking=f"so, {KEY}", raw=KEY.encode())
    assert await said(reply) == Completion("[key]", thinking="so, [key]", raw=b"")
    spelt = json.dumps({"a": KEY, "b": "x"}).replace('"x"', '"\\u0073k-canary-other"').encode()
    plain = Completion(KEY, raw=spelt)
    assert json.loads((await said(plain)).raw) == {"a": "[key]", "b": "[key]"}


async def test_a_reply_without_one_passes_as_it_is() -> None:
    reply = Completion("4", logprobs=(TokenLogprob("4", -1.0),), thinking="so", raw=b"4")
    assert await said(reply) is reply


async def test_an_error_loses_it_and_what_caused_it() -> None:
    error = ModelError(f"no: {KEY}", kind="bad request", ran=False)
    error.__cause__ = ValueError(KEY)
    with pytest.raises(ModelError) as fault:
        await said(error)
    assert (str(fault.value), fault.value.kind, fault.value.__cause__) == (
        "no: [key]",
        "bad request",
        None,
    )


def test_what_is_asked_is_kept_and_sent_without_keys(tmp_path: Path) -> None:
    (tmp_path / "direct.md").write_text(f"--- user ---\n$context $question $manual {KEY}\n")
    model = ScriptedModel(lambda request: "4")
    asked = HCH(
        depth=0,
        model=model,
        strategy="direct",
        manual=f"By {KEY}.",
        prompts=tmp_path,
        store=f"sqlite:{tmp_path / 'runs.db'}",
        config=Config(store="memory", keys={"MY_API_KEY": SecretStr(KEY)}),
    )
    result = asked.ask_sync(f"What is {KEY}?", context=[f"It is {KEY}.", Text(KEY)])
    assert result.text == "4"
    assert "[key]" in model.requests[0].messages[0].content
    asked.kept_in.close()
    found = [path.read_bytes() for path in tmp_path.glob("runs.db*")]
    assert found
    assert not any(KEY.encode() in data or b"canary" in data for data in found)


def test_a_key_in_a_spec_is_refused_without_being_shown() -> None:
    config = Config(store="memory", keys={"MY_API_KEY": SecretStr("sk-canary-0123456789")})
    asked = HCH(model="vllm:m,base_url=http://127.0.0.1/sk-canary-0123456789/v1", config=config)
    with pytest.raises(UsageError, match="has a key in it") as fault:
        asked.ask_sync("What?")
    assert "canary" not in str(fault.value)


def test_a_run_that_a_bug_stops_says_so_without_keys(tmp_path: Path) -> None:
    def broken(request: Request) -> str:
        raise RuntimeError(f"a header cannot be {KEY}")

    store = SqliteStore(tmp_path / "runs.db")
    config = Config(store="memory", keys={"MY_API_KEY": SecretStr(KEY)})
    asked = HCH(depth=0, model=ScriptedModel(broken), strategy="direct", store=store, config=config)
    with pytest.raises(RuntimeError):
        asked.ask_sync("What?")
    [run] = store.runs()
    [stopped] = [r.event for r in store.events(run.run, "RunStopped")]
    store.close()
    assert stopped.reason == "a header cannot be [key]"


def test_a_traceback_and_a_line_of_error_have_no_key_in_them(home: Path) -> None:
    done = hch("ask", "What?", "-m", PLAIN, MY_API_KEY=PLAIN)
    assert (done.code, PLAIN in done.err) == (2, False)
    script = f"import sys, hch.cli\nhch.cli.run = lambda _: int('{PLAIN}')\nhch.cli.main()"
    ended = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "MY_API_KEY": PLAIN},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "invalid literal for int() with base 10: '[key]'" in ended.stderr
    assert PLAIN not in ended.stderr
