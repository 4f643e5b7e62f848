"""Every fault of `tests.faults`, by every provider over HTTP: what one call, and a run, make of it.

What is a provider's own, in what it sends and in what it reads, is in a file of its own.
"""

from __future__ import annotations

import asyncio
import socket
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch import HCH
from hch.budget import Price
from hch.errors import ConfigError, HchError, ModelError, TransientModelError
from hch.events import CallFailed, CallFinished, CallIntended, RunStopped
from hch.middleware import Deadline
from hch.models._connections import LARGEST
from hch.rates import MESSAGE_TOKENS, token_bound
from hch.run import Result
from hch.stores.sqlite import SqliteStore
from hch.types import Completion, Form, Sampling, Usage
from tests.faults import (
    USED,
    Fault,
    Wire,
    bodies,
    connections,
    faults,
    mutations,
    statuses,
    texts,
    too_many,
)
from tests.loopback import Loopback, Reply
from tests.models.calls import (
    CANARY,
    KEYS,
    PROVIDERS,
    ask,
    build,
    call,
    failure,
    fault_of,
    outcomes,
)
from tests.support import memory

TABLE = {name: faults(provider.wire) for name, provider in PROVIDERS.items()}
QUESTION = "What is 2+2?"


def every(
    table: Callable[[Wire], dict[str, Fault]], where: Callable[[Fault], bool] = lambda _: True
) -> pytest.MarkDecorator:
    """Each fault of a table of which that holds, by each provider."""
    rows = [
        pytest.param(name, fault, id=f"{name}-{title}")
        for name, provider in PROVIDERS.items()
        for title, fault in table(provider.wire).items()
        if where(fault)
    ]
    return pytest.mark.parametrize(("provider", "fault"), rows)


by_every_provider = pytest.mark.parametrize("provider", PROVIDERS)


def wire(provider: str) -> Wire:
    return PROVIDERS[provider].wire


# one call


@by_every_provider
async def test_every_reply_is_a_completion(provider: str) -> None:
    table = {title: fault for title, fault in TABLE[provider].items() if fault.error is None}
    shown: list[Reply] = []
    with Loopback(lambda _: shown[-1]) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        for title, fault in table.items():
            shown.append(fault.reply("4"))
            found = await model.complete(ask())
            assert (found.text, found.finish) == (said(fault, provider), fault.finish), title
            assert found.usage.input >= found.usage.cached >= 0
        await model.close()


def said(fault: Fault, provider: str) -> str:
    """The text of a good reply, read from its own JSON; what was zipped says 4."""
    node: Any = fault.reply("4").body
    if fault.text is not None or not isinstance(node, dict):
        return "4" if fault.text is None else fault.text
    for step in wire(provider).text:
        node = node[step]
    return "4" if node is None else str(node)


@by_every_provider
async def test_everything_else_is_our_error_and_tells_no_key(provider: str) -> None:
    table = {title: fault for title, fault in TABLE[provider].items() if fault.error}
    shown: list[Reply] = []
    with Loopback(lambda _: shown[-1]) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        found = {}
        for title, fault in table.items():
            shown.append(fault.reply(CANARY))
            seconds = 0.2 if fault.kind == "timeout" else 60
            found[title] = told(await failure(Deadline(model, seconds)))
        await model.close()
    assert found == {
        title: (fault.error, fault.kind, fault.ran, fault.retry_after, fault.told)
        for title, fault in table.items()
    }


def told(error: HchError) -> tuple[type[HchError], str, bool, float | None, bool]:
    """What an error says of itself; on one line, and with the usage, if any, that was sent."""
    assert "\n" not in str(error)
    if not isinstance(error, ModelError):
        return type(error), "", False, None, False
    assert error.usage is None or error.usage[:2] == USED
    return type(error), error.kind, error.ran, error.retry_after, error.usage is not None


@by_every_provider
async def test_retry_after_a_date_to_come(provider: str) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    reply = Reply(wire(provider).error("api_error", "no"), 503, {"Retry-After": date})
    fault = await fault_of(reply, provider=provider)
    assert isinstance(fault, TransientModelError)
    assert fault.retry_after is not None
    assert 7000 < fault.retry_after <= 7200


@by_every_provider
@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b'{"error": "in words"}', b'{"error": []}', b'{"detail": []}']
)
async def test_a_refusal_may_have_any_body(body: bytes, provider: str) -> None:
    for charset in ("utf-8", "hex", "nonsense"):
        headers = {"Content-Type": f"application/json; charset={charset}"}
        fault = await fault_of(Reply(body, 500, headers), provider=provider)
        assert isinstance(fault, TransientModelError)


@by_every_provider
async def test_a_server_that_wants_a_key_says_how(provider: str) -> None:
    with Loopback(lambda _: Reply(wire(provider).error("who", "who?"), 401)) as server:
        model = build(PROVIDERS[provider].spec(server, keyed=False))
        with pytest.raises(ConfigError, match="key"):
            await model.complete(ask())
        await model.close()


@by_every_provider
async def test_nobody_there_is_unreachable(provider: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        model = build(PROVIDERS[provider].named.format(address))
        with pytest.raises(TransientModelError) as fault:
            await model.complete(ask())
        await model.close()
    assert (fault.value.kind, fault.value.ran) == ("unreachable", False)


@by_every_provider
@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": -1, "prompt_tokens": True}, 5])
async def test_usage_that_is_not_reported_is_bounded(usage: object, provider: str) -> None:
    schema = '{"type":"object","properties":{},"additionalProperties":false}'
    request = ask("x" * 100, form=Form("F", schema), sampling=Sampling(max_tokens=20))
    body = wire(provider).good("four words, all told", usage=usage)
    completion = await call(Reply(body), request, provider)
    prompt = token_bound("You are careful." + "x" * 100) + token_bound(schema) + 2 * MESSAGE_TOKENS
    assert completion.usage == Usage(prompt, token_bound("four words, all told") + 1)


@by_every_provider
@pytest.mark.parametrize("cookie", ["a=b", "a=²", "a=" + "x" * 7000], ids=["one", "odd", "long"])
async def test_no_cookie_is_kept(cookie: str, provider: str) -> None:
    reply = Reply(wire(provider).good("4"), headers={"Set-Cookie": cookie})
    with Loopback(lambda _: reply) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        assert [(await model.complete(ask())).text for _ in range(2)] == ["4", "4"]
        await model.close()
    assert not any("cookie" in sent.headers for sent in server.requests)


NAMED = {
    "a bad key": "the key in {key}; set another",
    "a key that may not": "refuses this to the key in {key}; set another",
    "an unknown model": "no model 'small'",
    "nowhere": "base_url",
    "no credit": "no credit left",
    "payment required": "no credit left",
    "moved": "moved to https://elsewhere/",
}
"""Part of what is said of a setting to put right."""


@by_every_provider
@pytest.mark.parametrize("name", NAMED)
async def test_a_setting_to_put_right_is_named(name: str, provider: str) -> None:
    fault = await fault_of(TABLE[provider][name].reply("elsewhere"), provider=provider)
    assert NAMED[name].format(key=PROVIDERS[provider].key) in str(fault)


@by_every_provider
async def test_a_connection_that_was_garbled_spoils_no_other_call(provider: str) -> None:
    numbers = count(1)

    def reply(_: Any) -> Reply:
        good = wire(provider).good("4")
        return Reply(good, headers={"Content-Length": "30"} if next(numbers) % 2 else {})

    with Loopback(reply) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        for _ in range(3):
            with pytest.raises(TransientModelError, match="bad body"):
                await model.complete(ask())
            assert (await model.complete(ask())).text == "4"
        await model.close()


# a whole run


def run(server: Loopback, provider: str, monkeypatch: pytest.MonkeyPatch, **options: Any) -> Result:
    """HCH_0 at a server, asked once."""
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key.get_secret_value())
    hch = HCH(
        depth=0, model=PROVIDERS[provider].spec(server), **{"pause": 0.0, **options}
    )  # fmt: skip
    return hch.ask_sync(QUESTION)


def at_first(times: int, fault: Fault, wire: Wire) -> Callable[[Any], Reply]:
    """A server that fails so many times, and then answers."""
    numbers = count(1)
    return lambda _: fault.reply("no") if next(numbers) <= times else Reply(wire.good("4"))


def check_bill(result: Result, fault: Fault) -> list[CallFailed]:
    """Every attempt is an event with its price, and the bill is their sum; those that failed."""
    events = [record.event for record in result.store.events(result.run)]
    intents = {e.attempt: e for e in events if isinstance(e, CallIntended)}
    ends = [e for e in events if isinstance(e, CallFailed | CallFinished)]
    failed = [e for e in ends if isinstance(e, CallFailed)]
    assert [end.attempt for end in ends] == sorted(intents)
    for end in failed:
        worst = intents[end.attempt].worst.price()
        told = Price(1, sum(USED)) if fault.told else worst
        assert (end.kind, end.price.price()) == (fault.kind, told if fault.ran else Price())
    assert result.trace.bill == sum((end.price.price() for end in ends), Price())
    return failed


def passing(wire: Wire) -> dict[str, Fault]:
    """What another attempt cures soon: of bad bodies one whose usage is known, and one other."""
    known = {title: bodies(wire)[title] for title in ("a strange end", "an error in 200")}
    return too_many(wire) | statuses(wire) | connections(wire) | known


def is_cured(fault: Fault) -> bool:
    soon = fault.kind != "timeout" and (fault.retry_after or 0) < 1
    return fault.error is TransientModelError and soon


@every(passing, is_cured)
def test_I8_every_attempt_is_an_event_with_its_cost(  # noqa: N802
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(at_first(2, fault, wire(provider))) as server:
        result = run(server, provider, monkeypatch, store=memory(), attempts=3)
        assert len(server.requests) == 3
    assert (result.status, result.text) == ("answered", "4")
    assert len(check_bill(result, fault)) == 2


@every(connections, lambda fault: fault.kind == "timeout")
def test_I9_an_attempt_ends_by_its_total_deadline(  # noqa: N802
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(at_first(1, fault, wire(provider))) as server:
        # More attempts than one, since on a slow machine a good reply may be too late as well.
        result = run(server, provider, monkeypatch, store=memory(), attempts=9, timeout=0.3)
    assert (result.status, result.text) == ("answered", "4")
    assert check_bill(result, fault)
    sent = [record.at for record in result.store.events(result.run, "CallIntended")]
    failed = [record.at for record in result.store.events(result.run, "CallFailed")]
    assert all(ended - begun < 0.3 + 3 * 0.5 for begun, ended in zip(sent, failed, strict=False))


@every(lambda wire: wire.refusals, lambda fault: fault.error is ConfigError)
def test_what_must_be_put_right_stops_the_run_at_once(
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = memory()
    with Loopback(lambda _: fault.reply(CANARY)) as server:
        with pytest.raises(ConfigError) as stopped:
            run(server, provider, monkeypatch, store=store)
        assert len(server.requests) == 1
    [row] = store.runs()
    events = [record.event for record in store.events(row.run)]
    assert [e.price.price() for e in events if isinstance(e, CallFailed)] == [Price()]
    assert isinstance(events[-1], RunStopped)
    assert events[-1].reason == str(stopped.value)
    assert CANARY not in str(events)


@every(faults, lambda fault: fault.error not in (None, TransientModelError, ConfigError))
def test_what_no_retry_cures_is_sent_once_and_ends_its_node(
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(lambda _: fault.reply("no")) as server:
        result = run(server, provider, monkeypatch, store=memory())
        assert len(server.requests) == 1
    assert fault.error is not None
    assert result.status == fault.error.status
    assert result.trace.bill == Price()


@every(lambda wire: wire.ends, lambda fault: fault.finish != "stop" or fault.text == "")
def test_other_ends_are_sent_once_and_show(
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Loopback(lambda _: fault.reply("4")) as server:
        # No more may be said than the server tells, since vllm holds a shorter cut to be a fault.
        result = run(server, provider, monkeypatch, store=memory(), answer_tokens=USED[1])
        assert len(server.requests) == 1
    [call] = result.trace.calls.values()
    assert call.finished
    assert call.finished.finish == fault.finish
    assert not result.clean


@every(texts)
def test_I11_stored_bytes_are_wire_bytes(  # noqa: N802
    provider: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = fault.reply("4")
    with Loopback(lambda _: reply) as server, SqliteStore("runs.db") as store:
        result = run(server, provider, monkeypatch, store=store)
        [call] = result.trace.calls.values()
    assert call.finished
    assert call.finished.raw == reply.sent
    assert call.finished.text == said(fault, provider)


# bodies that nobody thought of


@by_every_provider
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_mutation_of_a_good_body_is_anything_but_an_answer_or_our_error(
    data: st.DataObject, provider: str
) -> None:
    good = wire(provider).good("4")
    bodies = data.draw(st.lists(mutations(good), min_size=16, max_size=16))
    status = data.draw(st.sampled_from([200, 200, 200, 400, 429, 500]))
    for outcome in asyncio.run(outcomes(provider, bodies, status=status)):
        if isinstance(outcome, Completion):
            assert isinstance(outcome.text, str)
            assert outcome.usage.input >= outcome.usage.cached >= 0
        else:
            assert isinstance(outcome, ModelError)
            assert outcome.ran or status != 200


@by_every_provider
async def test_a_reply_without_end_is_not_read_to_its_end(provider: str) -> None:
    bomb = zlib.compress(b" " * 2 * LARGEST, wbits=31)
    fault = await fault_of(Reply(bomb, headers={"Content-Encoding": "gzip"}), provider=provider)
    assert isinstance(fault, ModelError)
    assert not isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == ("too large", True)
