"""OpenAI's chat wire format, without any way of sending it: bodies, replies and refusals.

Not a plugin, but what those share that speak this format. A reply is checked by hand, field by
field, since that costs a hundredth of what an SDK's parsing costs, and since an SDK lets bad bodies
through.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import isfinite
from time import time
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import SecretStr

from hch.errors import (
    ConfigError,
    HchError,
    LengthError,
    ModelError,
    RefusalError,
    TransientModelError,
)
from hch.rates import MESSAGE_TOKENS, token_bound
from hch.types import Completion, Finish, Request, Sampling, TokenLogprob, Usage

T = TypeVar("T")

_UNKNOWN = Usage(-1, -1)
_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
}
_UNPAID = {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}
_UNSUPPORTED = {"unsupported_parameter", "unsupported_value"}
_FILTERED = {"content_filter", "content_policy_violation"}
_TOO_LONG = re.compile(r"context.length.exceeded|exceed.context.size|(?i:maximum context length)")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A base URL without a slash at its end, and the key for it, from the variable `key_name`."""

    url: str
    key: SecretStr | None = None
    key_name: str = ""

    @property
    def official(self) -> bool:
        """Whether this is OpenAI's own."""
        host = urlsplit(self.url).hostname or ""
        return host == "api.openai.com" or host.endswith(".api.openai.com")

    def clean(self, said: object) -> str:
        """What a server or a library said, on one line of at most 300 characters, without keys."""
        text = str(said)
        if self.key is not None:
            text = text.replace(self.key.get_secret_value(), "[key]")
        text = re.sub(r"\bsk-[\w*-]{4,}", "[key]", text)
        return " ".join(text.split())[:300]


def body(request: Request, model: str, own: Sampling, endpoint: Endpoint, **extra: Any) -> bytes:
    """The bytes of a request: as asked, or else by the model's own sampling, and `extra` as it is.

    Lone surrogates become U+FFFD. OpenAI takes `max_completion_tokens`, everybody else
    `max_tokens`; elsewhere at least one alternative is wanted, as llama.cpp records nothing for 0.
    """
    asked = _merged(request.sampling, own)
    options: dict[str, Any] = {
        "max_completion_tokens" if endpoint.official else "max_tokens": asked.max_tokens,
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "seed": asked.seed,
        "stop": asked.stop or None,
    }
    if asked.logprobs is not None:
        least = 0 if endpoint.official else 1
        options |= {"logprobs": True, "top_logprobs": max(least, asked.logprobs)}
    if request.form is not None:
        form = {"name": request.form.name, "strict": True, "schema": _parsed(request.form.schema)}
        options["response_format"] = {"type": "json_schema", "json_schema": form}
    messages = [{"role": m.role, "content": m.content} for m in request.messages]
    given = {name: value for name, value in options.items() if value is not None}
    text = json.dumps({"model": model, "messages": messages, **given, **extra}, ensure_ascii=False)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def completion(endpoint: Endpoint, request: Request, raw: bytes) -> Completion:
    """The completion in the bytes of a reply.

    A count of tokens that the reply does not report is bounded as the bill bounds it. Raises
    TransientModelError (`bad body`), and ModelError (`no logprobs`) where some were asked for and
    none came; both with the usage, where that is reported.
    """
    try:
        return _read(raw, request)
    except BadBody as error:
        start = raw[:80].decode("utf-8", "replace")
        told = endpoint.clean(f"{error}; it begins {start!r}")
        message = f"{endpoint.url} sent a bad body: {told}"
        fault = TransientModelError(message, kind="bad body", usage=_paid(raw))
    raise fault


def bound(request: Request, text: str) -> Usage:
    """At least the tokens of a request and of this reply to it, by their letters."""
    prompt = "".join(message.content for message in request.messages)
    form = request.form.schema if request.form else ""
    sent = token_bound(prompt) + token_bound(form) + MESSAGE_TOKENS * len(request.messages)
    most = request.sampling.max_tokens
    written = token_bound(text) + 1
    return Usage(sent, written if most is None else min(written, most))


class BadBody(ValueError):
    """What is wrong with the body of a reply."""


def _read(raw: bytes, request: Request) -> Completion:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadBody("it is not JSON") from None
    if isinstance(data, dict) and data.get("error"):
        raise BadBody(f"it is an error, {data['error']}")
    choices = _member(data, "choices", list)
    choice: Any = choices[0] if choices else None
    message = _member(choice, "message", dict)
    text, finish = _said(message, _member(choice, "finish_reason", str))
    thinking = message.get("reasoning_content") or message.get("reasoning")
    thinking = thinking if isinstance(thinking, str) else ""
    usage = _usage(data.get("usage"), _UNKNOWN)
    if min(usage.input, usage.output) < 0:
        usage = _usage(data.get("usage"), bound(request, text + thinking))
    tokens, wanted = None, request.sampling.logprobs
    if wanted is not None:
        tokens = _logprobs(choice.get("logprobs"), wanted)
        if tokens is None and text and finish != "refusal":
            told = "log-probabilities were asked for, but none came"
            raise ModelError(told, kind="no logprobs", usage=_counts(usage))
    return Completion(text, finish, usage, tokens, thinking, raw)


def _said(message: dict[str, Any], reason: str) -> tuple[str, Finish]:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal, "refusal"
    if (finish := _FINISH.get(reason)) is None:
        raise BadBody(f"its finish_reason is {reason!r}")
    if message.get("content") is None and finish != "stop":
        return "", finish  # cut, or filtered, before any text
    return _member(message, "content", str), finish


def _usage(reported: object, otherwise: Usage) -> Usage:
    """What is reported, and `otherwise` for either count that is not."""
    sent = _count(reported, "prompt_tokens", otherwise.input)
    written = _count(reported, "completion_tokens", otherwise.output)
    details = reported if isinstance(reported, dict) else {}
    cached = _count(details.get("prompt_tokens_details"), "cached_tokens", 0)
    reasoning = _count(details.get("completion_tokens_details"), "reasoning_tokens", 0)
    return Usage(sent, written, min(cached, sent), min(reasoning, written))


def _count(node: object, name: str, otherwise: int) -> int:
    value = node.get(name) if isinstance(node, dict) else None
    return value if type(value) is int and 0 <= value < 2**31 else otherwise


def _paid(raw: bytes) -> tuple[int, int, int, int] | None:
    """The usage that a bad body reports; None where it cannot be read."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    usage = _usage(data.get("usage") if isinstance(data, dict) else None, _UNKNOWN)
    return None if min(usage.input, usage.output) < 0 else _counts(usage)


def _counts(usage: Usage) -> tuple[int, int, int, int]:
    return (usage.input, usage.output, usage.cached, usage.reasoning)


def _logprobs(node: object, most: int) -> tuple[TokenLogprob, ...] | None:
    content = node.get("content") if isinstance(node, dict) else None
    if not isinstance(content, list) or not content:
        return None
    return tuple(_token(entry, most) for entry in content)


def _token(entry: object, most: int) -> TokenLogprob:
    token, logprob = _pair(entry)
    others = _member(entry, "top_logprobs", list) if most else []
    return TokenLogprob(token, logprob, tuple(_pair(other) for other in others[:most]))


def _pair(entry: object) -> tuple[str, float]:
    logprob = entry.get("logprob") if isinstance(entry, dict) else None
    if not isinstance(logprob, int | float) or not isfinite(logprob):
        raise BadBody("a log-probability is not a number")
    return _member(entry, "token", str), float(logprob)


def _member(node: Any, name: str, kind: type[T]) -> T:
    value = node.get(name) if isinstance(node, dict) else None
    if not isinstance(value, kind):
        raise BadBody(f"its {name} is not as it should be")
    return value


def refused(
    endpoint: Endpoint, model: str, status: int, said: object, headers: Mapping[str, str]
) -> HchError:
    """The error that a status other than 2xx means; `said` is the body, parsed where it is JSON.

    A setting to put right is a ConfigError (3xx, 401, 402, 403, 404, an account without credit, an
    option that the model does not take), a prompt that is too long a LengthError, a filtered one a
    RefusalError; 408, 409, 425, 429 and 5xx are transient, other 4xx are not.
    """
    inner = said.get("error", said) if isinstance(said, dict) else said
    detail = inner if isinstance(inner, dict) else {}
    codes = {str(detail.get("code")), str(detail.get("type"))}
    told = endpoint.clean(detail.get("message", inner))
    if hint := _hint(endpoint, model, status, codes, headers):
        return ConfigError(f"{endpoint.url} answered {status}: {hint}: {told}".removesuffix(": "))
    message = f"{endpoint.url} answered {status}: {told}"
    if codes & _FILTERED:
        return RefusalError(message)
    if status < 500 and _TOO_LONG.search(f"{codes} {told}"):
        return LengthError(message)
    kind = f"http {status}"
    if status in (408, 409, 425, 429) or status >= 500:
        ran = status >= 500 and status not in (503, 529)
        pause = _retry_after(headers)
        return TransientModelError(message, kind=kind, ran=ran, retry_after=pause)
    return ModelError(message, kind=kind, ran=False)


def _hint(
    endpoint: Endpoint, model: str, status: int, codes: set[str], headers: Mapping[str, str]
) -> str:
    """What to put right; empty where the fault is not one of settings."""
    if status in (401, 403):
        if endpoint.key is None:
            return "it wants a key; set one in the environment, and name it by api_key_env=NAME"
        return f"it does not take the key in {endpoint.key_name}; set another"
    if status == 404:
        return f"it may have no model {model!r}, or base_url may lack a part such as /v1"
    if status == 402 or codes & _UNPAID:
        return "the account of the key has no credit left"
    if codes & _UNSUPPORTED:
        return f"{model!r} does not take an option of its spec"
    if status < 400:
        return f"it has moved to {endpoint.clean(headers.get('location'))}; set base_url to that"
    return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `retry-after` as seconds or a date; None from others."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if isfinite(seconds) and seconds >= 0:
            return seconds
    try:
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - time())
    except (ValueError, OverflowError):
        return None


def _merged(asked: Sampling, own: Sampling) -> Sampling:
    if own == Sampling():
        return asked
    pairs = ((f.name, getattr(asked, f.name), getattr(own, f.name)) for f in fields(Sampling))
    return Sampling(**{name: theirs if mine is None else mine for name, mine, theirs in pairs})


@lru_cache(maxsize=64)
def _parsed(schema: str) -> Any:
    return json.loads(schema)
