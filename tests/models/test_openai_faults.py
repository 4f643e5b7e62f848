"""What `openai:` makes of refusals and of connections that break."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from email.utils import format_datetime
from math import inf
from typing import Any

import pytest

from hch.errors import (
    ConfigError,
    LengthError,
    ModelError,
    NodeError,
    RefusalError,
    TransientModelError,
)
from hch.models._chat import Endpoint
from hch.models.openai import OpenAIModel
from tests.loopback import Loopback, Reply, chat
from tests.models.calls import CANARY, ask, build, fault_of


def error(message: str = "no", **more: str) -> dict[str, Any]:
    return {"error": {"message": f"{message} ({CANARY})", **more}}


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 520, 529])
async def test_transient_refusals(status: int) -> None:
    fault = await fault_of(Reply(error("later"), status))
    assert isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == (f"http {status}", status in (500, 502, 504, 520))
    assert "later ([key])" in str(fault)


@pytest.mark.parametrize("status", [400, 405, 413, 415, 422, 451])
async def test_lasting_refusals(status: int) -> None:
    fault = await fault_of(Reply(error("bad request"), status))
    assert isinstance(fault, ModelError)
    assert not isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == (f"http {status}", False)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, error("Incorrect API key provided: sk-can***6789"), "OPENAI_API_KEY"),
        (403, error("not your project"), "OPENAI_API_KEY"),
        (404, error("no such model", code="model_not_found"), "'small'"),
        (404, b"<html>nothing here</html>", "/v1"),
        (402, error("top up"), "credit"),
        (429, error("quota", code="insufficient_quota"), "credit"),
        (400, error("temperature", code="unsupported_value"), "option of its spec"),
        (308, b"", "https://elsewhere/v1"),
    ],
)
async def test_settings_to_put_right_end_the_run(status: int, body: object, said: str) -> None:
    moved = {"Location": "https://elsewhere/v1"} if status == 308 else {}
    fault = await fault_of(Reply(body, status, moved))
    assert isinstance(fault, ConfigError)
    assert said in str(fault)
    assert "\n" not in str(fault)
    assert "sk-can" not in str(fault)


async def test_a_server_that_wants_a_key_says_how() -> None:
    with Loopback(lambda _: Reply(error("who?"), 401)) as server:
        model = build(f"openai:small,base_url={server.url}")
        with pytest.raises(ConfigError, match="api_key_env=NAME"):
            await model.complete(ask())
        await model.close()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (error("maximum context length is 9", code="context_length_exceeded"), LengthError),
        (error("request (9 tokens)", type="exceed_context_size_error"), LengthError),
        ({"message": "This model's maximum context length is 9 tokens."}, LengthError),
        (error("filtered", code="content_filter"), RefusalError),
    ],
)
async def test_prompts_that_cannot_be_answered(body: object, kind: type[NodeError]) -> None:
    assert isinstance(await fault_of(Reply(body, 400)), kind)


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[1]", b'{"error": "in words"}', b'{"error": []}', b'{"detail": []}']
)
async def test_a_refusal_may_have_any_body(body: bytes) -> None:
    for charset in ("utf-8", "hex", "nonsense"):
        headers = {"Content-Type": f"application/json; charset={charset}"}
        assert isinstance(await fault_of(Reply(body, 500, headers)), TransientModelError)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "0.05"}, 0.05),
        ({"Retry-After": "600"}, 600),
        ({"retry-after-ms": "1500", "Retry-After": "2"}, 1.5),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
    ],
)
async def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    fault = await fault_of(Reply(error(), 429, headers))
    assert isinstance(fault, ModelError)
    assert fault.retry_after == seconds


async def test_retry_after_a_date_to_come() -> None:
    date = format_datetime(datetime(2999, 1, 1, tzinfo=UTC), usegmt=True)
    fault = await fault_of(Reply(error(), 503, {"Retry-After": date}))
    assert isinstance(fault, ModelError)
    assert fault.retry_after is not None
    assert fault.retry_after > 86400


@pytest.mark.parametrize(
    "reply",
    [
        Reply(chat("4"), cut=0),
        Reply(chat("4"), cut=20),
        Reply(chat("4"), cut=200),
        Reply(chat("4"), headers={"Content-Length": "9999"}, cut=250),
        Reply(wire=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"),
        Reply(wire=b""),
    ],
)
async def test_a_connection_that_breaks_is_a_reset(reply: Reply) -> None:
    fault = await fault_of(reply)
    assert isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == ("reset", True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(wire=b"SSH-2.0-nonsense\r\n\r\n"),
        Reply(wire=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"),
        Reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
    ],
)
async def test_garbage_is_a_bad_body(reply: Reply) -> None:
    fault = await fault_of(reply)
    assert isinstance(fault, TransientModelError)
    assert (fault.kind, fault.ran) == ("bad body", True)


async def test_silence_is_a_timeout() -> None:
    with Loopback(lambda _: Reply(delay=inf)) as server:
        model = OpenAIModel("m", "m", Endpoint(server.url), silence=0.05)
        with pytest.raises(TransientModelError) as fault:
            await model.complete(ask())
        await model.close()
    assert (fault.value.kind, fault.value.ran) == ("timeout", True)


async def test_nobody_there_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        model = build(f"openai:small,base_url=http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(TransientModelError) as fault:
            await model.complete(ask())
        await model.close()
    assert (fault.value.kind, fault.value.ran) == ("unreachable", False)
