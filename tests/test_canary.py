"""I12: a key appears in no store, log, exception, export or screen, whatever a server does with it.

The server says the key that it was sent wherever it says anything: in texts, in errors, as names of
members, in pages, in headers. Every fault of `tests.faults` is shown that way, by every provider.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hch import HCH
from hch.errors import HchError
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.commands.terminal import Done, hch
from tests.faults import Wire, faults
from tests.loopback import Loopback, Reply
from tests.models.calls import PROVIDERS, build, failure
from tests.support import decomposition

KEY = "canary/4f1d0a9b7c+2e6538"
"""A key as no pattern knows it."""

DEBUG = {"OPENAI_LOG": "debug", "ANTHROPIC_LOG": "debug"}

ECHOES = {
    name: f"https://host/?{name}={KEY}"
    for name in ("Location", "Set-Cookie", "X-Echo", "Request-Id", "X-Ratelimit-Limit-Tokens")
}


def echoed(reply: Reply) -> Reply:
    """The same, with the key in its headers, and as the name of a member."""
    body = {**reply.body, KEY: [KEY]} if isinstance(reply.body, dict) else reply.body
    return replace(reply, body=body, headers={**ECHOES, **reply.headers})


SLOW = ("20 MB", "one line of 5 MB")
"""Faults that take long to look through."""


class Watch:
    """Looks for the key, and for half of it, and keeps where it was."""

    PARTS = (KEY[: len(KEY) // 2].encode(), KEY[len(KEY) // 2 :].encode())

    def __init__(self) -> None:
        self.found: list[str] = []

    def look(self, where: str, shown: object) -> None:
        told = shown if isinstance(shown, bytes) else str(shown).encode("utf-8", "surrogatepass")
        at = max(told.find(part) for part in self.PARTS)
        if at >= 0:
            self.found.append(f"{where}: {told[max(0, at - 100) : at + 40]!r}")

    def look_at(self, folder: Path) -> None:
        """Every file in a folder."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        assert files
        for path in files:
            self.look(path.name, path.read_bytes())


def causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        monkeypatch.setenv(provider.key, KEY)


def was_sent(server: Loopback, wire: Wire) -> bool:
    return all(KEY in received.headers[wire.key] for received in server.requests)


@pytest.mark.parametrize("name", PROVIDERS)
def test_I12_no_fault_makes_a_key_appear(  # noqa: N802
    name: str, home: Path, keys: None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider, watch = PROVIDERS[name], Watch()
    shown: list[Reply] = []
    with Loopback(lambda _: shown[-1]) as server, SqliteStore(home / "runs.db") as store:
        for title, fault in faults(provider.wire).items():
            if title in SLOW:
                continue
            shown.append(echoed(fault.reply(KEY)))
            seconds = 0.2 if fault.kind == "timeout" else 60.0
            calling = {"attempts": 1, "timeout": seconds, "pause": 0.0, "store": store}
            asked = HCH(depth=0, model=provider.spec(server), **calling)
            try:
                watch.look(title, asked.ask_sync(f"Is it {title}?").answer)
            except HchError as error:
                for cause in causes(error):
                    told = f"{cause!s} {cause!r} {vars(cause)}"
                    watch.look(f"{type(cause).__name__} of {title}", told)
        assert len(server.requests) > len(shown) - 4  # those with a deadline may not arrive
        assert was_sent(server, provider.wire)
        for row in store.runs():
            events = list(store.events(row.run))
            watch.look("an event", events)
            watch.look("an export", Trace(events).canonical())
    watch.look("the log", caplog.text)
    watch.look_at(home)
    assert not watch.found


@pytest.mark.parametrize("name", PROVIDERS)
async def test_I12_no_message_is_cut_within_a_key(name: str) -> None:  # noqa: N802
    provider, watch = PROVIDERS[name], Watch()
    shown: list[Reply] = []
    with Loopback(lambda _: shown[-1]) as server:
        model = build(provider.spec(server), {provider.key: SecretStr(KEY)})
        for before in range(310):
            for status in (200, 500) if before < 90 else (500,):
                shown.append(Reply(b"x" * before + KEY.encode(), status))
                watch.look(f"{status}, {before}", await failure(model))
        await model.close()
    assert not watch.found


def test_I12_no_sub_question_takes_a_key_on(home: Path, keys: None) -> None:  # noqa: N802
    provider, watch = PROVIDERS["openai"], Watch()

    def reply(body: Any) -> Reply:
        asks = "response_format" in body
        return Reply(provider.wire.good(decomposition(KEY, f"Why {KEY}?") if asks else KEY))

    with Loopback(reply) as server, SqliteStore(home / "runs.db") as store:
        asked = HCH(depth=2, model=provider.spec(server), store=store, pause=0.0)
        result = asked.ask_sync("Why?")
        assert was_sent(server, provider.wire)
        for received in server.requests:
            watch.look("a request", received.raw)
        watch.look("an export", result.trace.canonical())
    watch.look_at(home)
    assert not watch.found
    assert (result.status, result.text) == ("answered", "[key]")


def echoing(body: Any) -> Reply:
    """Refuses or answers, as it is asked, in the format of the provider that the model is named."""
    wire = PROVIDERS[body["model"]].wire
    if "Refuse?" in json.dumps(body):
        return echoed(Reply(wire.error(KEY, f"no, {KEY}"), 401))
    return echoed(Reply(wire.good(f"It is {KEY}.")))


@pytest.mark.parametrize("name", PROVIDERS)
def test_I12_no_answer_shows_a_key(name: str, home: Path, keys: None) -> None:  # noqa: N802
    provider, watch = PROVIDERS[name], Watch()
    with Loopback(echoing) as server:
        model = ("-m", provider.spec(server).replace(":small", f":{name}"), "--depth", "0")
        answered = typed(watch, "ask", "Answer?", *model)
        refused = typed(watch, "ask", "Refuse?", "--json", *model)
        assert was_sent(server, provider.wire)
    watch.look_at(home)
    assert not watch.found
    assert (answered.out, answered.code, refused.code) == ("It is [key].\n", 0, 6)


def test_I12_no_command_shows_a_key(home: Path, keys: None) -> None:  # noqa: N802
    watch = Watch()
    with Loopback(echoing) as server:
        specs = {n: p.spec(server).replace(":small", f":{n}") for n, p in PROVIDERS.items()}
        lines = [f'my-{name} = "{spec}"' for name, spec in specs.items()]
        text = "\n".join(["[defaults]", 'model = "my-openai"', "depth = 0", "[models]", *lines])
        (home / "hch.toml").write_text(text, "utf-8")
        assert [typed(watch, *words.split()).code for words in COMMANDS] == [0] * len(COMMANDS)
        assert {received.body["model"] for received in server.requests} == set(PROVIDERS)
    watch.look_at(home)
    assert not watch.found


COMMANDS = (
    "ask Answer? --json",
    "show",
    "show --json",
    "runs --json",
    "doctor",
    "doctor --call",
    "config show --origin",
)


def typed(watch: Watch, *words: str) -> Done:
    """A command in a process of its own, whose SDKs log all that they can."""
    done = hch(*words, **DEBUG)
    watch.look(" ".join(words), done.out + done.err)
    return done
