"""What can go wrong with a call, as data: one table for every wire format.

`faults(CHAT)` and `faults(MESSAGES)` map the name of each fault to the reply that shows it and to
what must come of the call. A fault says a text of the test's choice wherever it says anything.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, repeat
from operator import getitem
from typing import Any

from hypothesis import strategies as st

from hch.errors import (
    ConfigError,
    HchError,
    LengthError,
    ModelError,
    RefusalError,
    TransientModelError,
)
from tests.loopback import Reply, chat, messages

USED = (7, 3)
"""The tokens that `chat` and `messages` tell, sent and written."""

Says = Callable[[str], Reply]


@dataclass(frozen=True)
class Fault:
    """A reply that says a text, and what must come of it: an error, or a completion.

    `kind`, `ran`, `told` (whether the usage is known) and `retry_after` are those of a ModelError;
    `finish` and `text` (None: what was said) those of a completion.
    """

    reply: Says
    error: type[HchError] | None = None
    kind: str = ""
    ran: bool = True
    told: bool = False
    retry_after: float | None = None
    finish: str = "stop"
    text: str | None = None


@dataclass(frozen=True)
class Wire:
    """A wire format: where requests go, which header has the key, and its bodies.

    `good` makes a body of a text and `error` one of (type, message). `listed`, `text` and `finish`
    are the places in a good body of its list, of what is said, and of why it ends. `ends` are the
    other ends of a reply, by name; `refusals` what it answers to what no retry cures.
    """

    path: str
    key: str
    good: Callable[..., dict[str, Any]]
    error: Callable[[str, str], dict[str, Any]]
    listed: tuple[str | int, ...]
    text: tuple[str | int, ...]
    finish: tuple[str | int, ...]
    ends: Mapping[str, Fault] = field(default_factory=dict)
    refusals: Mapping[str, Fault] = field(default_factory=dict)

    def but(self, place: tuple[str | int, ...], value: Any, text: str = "4") -> dict[str, Any]:
        """A good body, but for what is in that place."""
        body = deepcopy(self.good(text))
        reduce(getitem, place[:-1], body)[place[-1]] = value  # type: ignore[call-overload]
        return body


def faults(wire: Wire) -> dict[str, Fault]:
    """The whole table for one wire format, by name."""
    return {
        **too_many(wire),
        **statuses(wire),
        **connections(wire),
        **bodies(wire),
        **texts(wire),
        **wire.ends,
        **wire.refusals,
    }


TYPES = {429: "rate_limit_error", 504: "timeout_error", 529: "overloaded_error"}


def too_many(wire: Wire) -> dict[str, Fault]:
    """429, with every way of saying when to come back."""

    def row(seconds: float | None, **headers: str) -> Fault:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Fault(
            lambda said: Reply(wire.error(TYPES[429], said), 429, named),
            TransientModelError, "http 429", ran=False, retry_after=seconds,
        )  # fmt: skip

    return {
        "429": row(None),
        "429, retry at once": row(0, Retry_After="0"),
        "429, retry soon": row(0.05, Retry_After="0.05"),
        "429, retry in ten minutes": row(600, Retry_After="600"),
        "429, retry in milliseconds": row(0.05, retry_after_ms="50", Retry_After="2"),
        "429, retry at a date that is past": row(0, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
        "429, retry at a garbled date": row(None, Retry_After="Wed, 99 Oct 2015"),
        "429, retry soon, in words": row(None, Retry_After="soon"),
        "429, retry nan": row(None, Retry_After="nan"),
        "429, retry infinitely late": row(None, Retry_After="inf"),
        "429, retry before": row(None, Retry_After="-5"),
    }


def statuses(wire: Wire) -> dict[str, Fault]:
    """Other statuses, those that pass and those that last."""

    def refused(status: int) -> Says:
        return lambda said: Reply(wire.error(TYPES.get(status, "api_error"), said), status)

    def row(status: int) -> Fault:
        ran = status in (500, 502, 504, 520)
        return Fault(refused(status), TransientModelError, f"http {status}", ran)

    def html(said: str) -> Reply:
        return Reply(f"<html>{said}</html>".encode(), 502, {"Content-Type": "text/html"})

    def lasting(status: int) -> Fault:
        return Fault(refused(status), ModelError, f"http {status}", ran=False)

    return {
        **{str(s): row(s) for s in (408, 409, 425, 500, 502, 503, 504, 520, 529)},
        **{str(s): lasting(s) for s in (400, 405, 415, 422, 451)},
        "413": Fault(refused(413), LengthError, ran=False),
        "502 as a page": Fault(html, TransientModelError, "http 502"),
        "500 without a body": Fault(lambda _: Reply(b"", 500), TransientModelError, "http 500"),
    }


def connections(wire: Wire) -> dict[str, Fault]:
    """What breaks, garbles or holds up a reply on its way."""

    def good(said: str) -> bytes:
        return json.dumps(wire.good(said)).encode()

    def head(length: int) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length

    def zipped(said: str, end: int | None) -> Reply:
        return Reply(gzip.compress(good(said))[:end], headers={"Content-Encoding": "gzip"})

    def reset(reply: Says) -> Fault:
        return Fault(reply, TransientModelError, "reset")

    def garbled(reply: Says) -> Fault:
        return Fault(reply, TransientModelError, "bad body")

    def slow(reply: Says) -> Fault:
        return Fault(reply, TransientModelError, "timeout")

    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return {
        "reset before the head": reset(lambda said: Reply(wire.good(said), cut=0)),
        "reset in the head": reset(lambda said: Reply(wire.good(said), cut=20)),
        "reset in the body": reset(lambda said: Reply(wire.good(said), cut=150)),
        "closed before the head": reset(lambda _: Reply(wire=b"")),
        "early end": reset(lambda said: Reply(wire=head(9999) + good(said))),
        "early end of the chunks": garbled(lambda _: Reply(wire=chunked + b"9\r\n{")),
        "silence": slow(lambda _: Reply(delay=float("inf"))),
        "drip": slow(
            lambda said: Reply(
                chunks=chain((b"%c" % byte for byte in good(said)), repeat(b" ")), pause=0.005
            )
        ),
        "slow headers": slow(
            lambda _: Reply(wire=chain([b"HTTP/1.1 200 OK\r\nX: "], repeat(b"x")), pause=0.005)
        ),
        "wrong length": garbled(
            lambda said: Reply(wire.good(said), headers={"Content-Length": "30"})
        ),
        "bad chunking": garbled(lambda said: Reply(wire=chunked + said.encode() + b"\r\n")),
        "not gzip": garbled(
            lambda said: Reply(good(said), headers={"Content-Encoding": "gzip"})
        ),
        "broken gzip": garbled(lambda said: zipped(said, -20)),
        "not HTTP": garbled(lambda said: Reply(wire=f"SSH-2.0-{said}\r\n\r\n".encode())),
        "gzip": Fault(lambda said: zipped(said, None)),
    }  # fmt: skip


def bodies(wire: Wire) -> dict[str, Fault]:
    """A 200 whose body is not as it should be."""

    def bad(make: Callable[[str], Any], *, told: bool = False) -> Fault:
        return Fault(
            lambda said: Reply(make(said)), TransientModelError, "bad body", told=told
        )  # fmt: skip

    def but(place: tuple[str | int, ...], value: Any) -> Fault:
        return bad(lambda said: wire.but(place, value, said), told=True)

    def usage(value: Any) -> Fault:
        return Fault(lambda said: Reply(wire.but(("usage",), value, said)))

    def without(place: tuple[str | int, ...]) -> Callable[[str], dict[str, Any]]:
        def make(said: str) -> dict[str, Any]:
            body = deepcopy(wire.good(said))
            del reduce(getitem, place[:-1], body)[place[-1]]  # type: ignore[call-overload]
            return body

        return make

    page = "<!doctype html><title>{}</title>"
    strange = {"input_tokens": True, "output_tokens": -1, "prompt_tokens": "7"}
    return {
        "no body": bad(lambda _: b""),
        "not JSON": bad(lambda said: said.encode()),
        "malformed JSON": bad(lambda said: json.dumps(wire.good(said)).encode()[:-9]),
        "not UTF-8": bad(lambda said: b"\xff\xfe{}" + said.encode()),
        "nested too deep": bad(lambda _: b"[" * 100_000),
        "a page": bad(lambda said: page.format(said).encode()),
        "a list": bad(lambda said: [wire.good(said)]),
        "an empty list": bad(lambda _: []),
        "a text": bad(lambda said: said),
        "a null": bad(lambda _: None),
        "a number": bad(lambda _: 4),
        "an empty object": bad(lambda _: {}),
        "an error in 200": bad(lambda said: wire.error("overloaded_error", said)),
        "no list": bad(without(wire.listed), told=True),
        "a null for the list": but(wire.listed, None),
        "a text for the list": but(wire.listed, "4"),
        "a null in the list": but((*wire.listed, 0), None),
        "a text in the list": but((*wire.listed, 0), "4"),
        "no text": bad(without(wire.text), told=True),
        "a null for the text": but(wire.text, None),
        "a number for the text": but(wire.text, 4),
        "a list for the text": but(wire.text, ["4"]),
        "no end": bad(without(wire.finish), told=True),
        "a null for the end": but(wire.finish, None),
        "a list for the end": but(wire.finish, ["stop"]),
        "a strange end": but(wire.finish, "tired"),
        "no usage": Fault(lambda said: Reply(without(("usage",))(said))),
        "a null for the usage": usage(None),
        "a list for the usage": usage([7, 3]),
        "an empty usage": usage({}),
        "a strange usage": usage(strange),
        "an endless usage": usage(dict.fromkeys(strange, 10**400)),
        "strange members": Fault(lambda said: Reply({**wire.good(said), said: {said: [said]}})),
    }


def texts(wire: Wire) -> dict[str, Fault]:
    """Good replies whose text is hard to keep."""

    def row(make: Callable[[str], str]) -> Fault:
        # The text is made when it is wanted, as some are large.
        return Fault(lambda said: Reply(wire.good(make(said))))

    return {
        "NUL": row(lambda said: f"{said}\0\0{said}"),
        "lone surrogates": row(lambda said: f"\udfff{said}\ud800"),
        "bidi": row(lambda said: f"\u202e{said}\u2066\u2069\u200f"),
        "tag characters": row(lambda said: said + "".join(chr(0xE0000 + ord(c)) for c in "obey")),
        "one line of 5 MB": row(lambda said: said + "x" * 5_000_000),
        "20 MB": row(lambda said: said + "four letters a line\n" * 1_000_000),
    }


def _ends(finish: str, make: Callable[[str], Any], text: str | None = None) -> Fault:
    return Fault(lambda said: Reply(make(said)), finish=finish, text=text)


def _refusals(
    error: Callable[[str, str], dict[str, Any]],
    rows: Mapping[str, tuple[int, str, str, type[HchError]]],
) -> dict[str, Fault]:
    def row(status: int, kind: str, message: str, fault: type[HchError]) -> Fault:
        return Fault(lambda said: Reply(error(kind, f"{message} {said}"), status), fault, ran=False)

    def moved(said: str) -> Reply:
        return Reply(b"", 308, {"Location": f"https://{said}/"})

    def nowhere(said: str) -> Reply:
        return Reply(f"<html>{said}".encode(), 404)

    others = {"moved": moved, "nowhere": nowhere}
    return {
        **{name: row(*told) for name, told in rows.items()},
        **{name: Fault(reply, ConfigError, ran=False) for name, reply in others.items()},
    }


def _chat_error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": kind}}


def _messages_error(kind: str, message: str) -> dict[str, Any]:
    """`kind` is a type, or one with the code of its details after a slash."""
    type_, _, code = kind.partition("/")
    detail = {"details": {"error_code": code}} if code else {}
    told = {"type": type_, "message": message, **detail}
    return {"type": "error", "error": told, "request_id": "req_1"}


CHAT = Wire(
    path="/v1/chat/completions",
    key="authorization",
    good=chat,
    error=_chat_error,
    listed=("choices",),
    text=("choices", 0, "message", "content"),
    finish=("choices", 0, "finish_reason"),
    ends={
        "an empty reply": _ends("stop", lambda _: chat(""), ""),
        "a refusal": _ends("refusal", lambda said: chat(None, message={"refusal": said})),
        "filtered": _ends(
            "content_filter", lambda said: chat(said, choice={"finish_reason": "content_filter"})
        ),
        "filtered before any text": _ends(
            "content_filter", lambda _: chat(None, choice={"finish_reason": "content_filter"}), ""
        ),
        "cut": _ends("length", lambda said: chat(said, choice={"finish_reason": "length"})),
        "cut before any text": _ends(
            "length", lambda _: chat(None, choice={"finish_reason": "length"}), ""
        ),
    },
    refusals=_refusals(
        _chat_error,
        {
            "a bad key": (401, "invalid_api_key", "Incorrect API key provided:", ConfigError),
            "a key that may not": (403, "forbidden", "not your project", ConfigError),
            "an unknown model": (404, "model_not_found", "no such model", ConfigError),
            "no credit": (429, "insufficient_quota", "You exceeded your quota", ConfigError),
            "payment required": (402, "payment", "top up", ConfigError),
            "spend limit": (429, "billing_hard_limit_reached", "the limit is", ConfigError),
            "an inactive account": (429, "billing_not_active", "not active", ConfigError),
            "too long a prompt": (
                400, "context_length_exceeded", "This model's maximum context length is 8 tokens",
                LengthError,
            ),
            "a filtered prompt": (400, "content_filter", "filtered", RefusalError),
        },
    ),
)  # fmt: skip

MESSAGES = Wire(
    path="/v1/messages",
    key="x-api-key",
    good=messages,
    error=_messages_error,
    listed=("content",),
    text=("content", 0, "text"),
    finish=("stop_reason",),
    ends={
        "an empty reply": _ends("stop", lambda _: messages(""), ""),
        "a reply without blocks": _ends("stop", lambda _: messages("", content=[]), ""),
        "a stop sequence": _ends(
            "stop",
            lambda said: messages(said, stop_reason="stop_sequence", stop_sequence="END"),
        ),
        "a refusal": _ends("refusal", lambda said: messages(said, stop_reason="refusal")),
        "a refusal without words": _ends(
            "refusal", lambda _: messages("", content=[], stop_reason="refusal"), ""
        ),
        "cut": _ends("length", lambda said: messages(said, stop_reason="max_tokens")),
        "cut before any text": _ends(
            "length", lambda _: messages("", content=[], stop_reason="max_tokens"), ""
        ),
        "cut by the window": _ends(
            "length", lambda said: messages(said, stop_reason="model_context_window_exceeded")
        ),
        **{
            name: Fault(
                lambda said, name=name: Reply(messages(said, stop_reason=name)),  # type: ignore[misc]
                TransientModelError, "bad body", told=True,
            )
            for name in ("pause_turn", "tool_use")
        },
    },
    refusals=_refusals(
        _messages_error,
        {
            "a bad key": (401, "authentication_error", "invalid x-api-key", ConfigError),
            "a key that may not": (403, "permission_error", "not your workspace", ConfigError),
            "an unknown model": (404, "not_found_error", "model: small", ConfigError),
            "no credit": (
                400, "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.", ConfigError,
            ),
            "payment required": (402, "billing_error", "top up", ConfigError),
            **{
                f"429, {code}": (429, f"rate_limit_error/{code}", "spent", ConfigError)
                for code in (
                    "enforced_spend_limit_reached",
                    "contract_spend_limit_reached",
                    "linked_organization_spend_limit_reached",
                )
            },
            "too long a prompt": (
                400, "invalid_request_error", "prompt is too long: 9 tokens > 8 maximum",
                LengthError,
            ),
        },
    ),
)  # fmt: skip


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutations(draw: st.DrawFn, good: dict[str, Any]) -> bytes:
    """The bytes of a body with one member anywhere replaced or removed, perhaps garbled."""
    whole = deepcopy(good)
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
