"""What goes wrong behind HTTP, and what it means: statuses, headers, bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, TypeVar

from hch.errors import (
    ConfigError,
    HchError,
    LengthError,
    ModelError,
    RefusalError,
    TransientModelError,
)
from hch.models._address import Address
from hch.types import Completion, RateLimit, RateLimits, Usage

T = TypeVar("T")

_UNPAID = {
    "insufficient_quota",
    "billing_not_active",
    "billing_hard_limit_reached",
    "billing_error",
    "linked_organization_billing_unavailable",
}
_SPENT = {
    "enforced_spend_limit_reached",
    "contract_spend_limit_reached",
    "linked_organization_spend_limit_reached",
}
_UNSUPPORTED = {"unsupported_parameter", "unsupported_value"}
_FILTERED = {"content_filter", "content_policy_violation"}
_NO_CREDIT = re.compile("credit balance is too low", re.IGNORECASE)
_TOO_LONG = re.compile(
    "context.length.exceeded|exceed.context.size|maximum context length|maximum model length"
    "|prompt is too long|exceed context limit|request too large|longer than the maximum"
    "|input tokens exceed|could not finish the message because max_tokens"
    "|max_tokens must be at least 1, got 0",  # vLLM's, for a prompt that leaves no room
    re.IGNORECASE,
)
_NO_ROOM = re.compile(
    r"cannot be greater than max_model_len|supports at most \d+ (completion|output) tokens"
    r"|max_tokens: \d+ > \d+",
    re.IGNORECASE,
)
_NOT_TAKEN = re.compile(
    "does not support|is not supported|not supported (with|on|by|for)|unrecognized request argument"
    "|unknown parameter|extra inputs are not permitted",
    re.IGNORECASE,
)
_OPTION = re.compile(
    "temperature|top_p|top_k|min_p|seed|logprob|effort|thinking|reasoning|max_(completion_)?tokens"
    "|response_format|output.(config|format)|structured|json_schema|stop|system|cache_control",
    re.IGNORECASE,
)
_FLAGGED = re.compile(r"\b(input|prompt|content|message)\b.{0,40}\bflagged\b", re.IGNORECASE)
_NO_GRAMMAR = re.compile("into a grammar|grammar specification|structured outputs constraint")
_LONGEST = 86_400.0
"""Seconds to wait at most for a limit: a day. What says more means something else."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class BadBody(ValueError):
    """What is wrong with the body of a reply; `usage` is what it reports to have used, if it does.

    In the order of a `Usage`.
    """

    usage: tuple[int, ...] | None = None


def parsed(raw: bytes) -> dict[str, Any]:
    """A reply's object. Raises BadBody for what is none, and for an error sent as a success."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        data = None  # and raised below: json's own error would go along, and with it the body
    if not isinstance(data, dict):
        raise BadBody("it is no JSON object")
    if data.get("error"):
        raise BadBody(f"it is an error, {data['error']}")
    return data


def member(node: Any, name: str, kind: type[T]) -> T:
    """A member of that kind. Raises BadBody."""
    value = node.get(name) if isinstance(node, dict) else None
    if not isinstance(value, kind):
        raise BadBody(f"its {name} is not as it should be")
    return value


def count(node: object, name: str, otherwise: int) -> int:
    """A member that is a sound number of tokens, else what it is `otherwise`."""
    value = node.get(name) if isinstance(node, dict) else None
    return value if type(value) is int and 0 <= value < 2**31 else otherwise


def counts(usage: Usage) -> tuple[int, ...]:
    return (usage.input, usage.output, usage.cached, usage.reasoning, usage.cache_write)


def check_room(completion: Completion, most: int | None) -> None:
    """Raises LengthError for a reply that ends before the limit that was asked for.

    Servers with too little room left in a model's context shorten that limit, and do not say so.
    """
    used = completion.usage
    if completion.finish == "length" and most is not None and used.output < most - 1:
        raise LengthError(
            f"the model's context was full: of a reply of up to {most} tokens {used.output} had "
            f"room beside a prompt of {used.input}",
            usage=counts(used),
        )


def refused(
    at: Address, model: str, status: int, headers: Mapping[str, str], raw: bytes
) -> HchError:
    """The error that a status other than 2xx means.

    A setting to put right is a ConfigError (3xx, 401, 402, 403, 404, an account without credit or
    at its spend limit, an option that the model does not take), a prompt that is too long a
    LengthError, a filtered one a RefusalError; 408, 409, 425, 429 and 5xx are transient, other 4xx
    are not.
    """
    said, codes = _said(raw)
    told = at.clean(said)
    message = f"{at.url} answered {status}: {told}"
    if codes & _FILTERED or (status == 403 and _FLAGGED.search(f"{said}")):
        return RefusalError(message)
    if status == 413 or (400 <= status < 500 and _TOO_LONG.search(f"{codes} {said}")):
        return LengthError(message)
    if hint := _hint(at, model, status, codes, f"{said}", headers):
        return ConfigError(f"{at.url} answered {status}: {hint}: {told}".removesuffix(": "))
    kind = f"http {status}"
    if status in (408, 409, 425, 429) or status >= 500:
        ran = status >= 500 and status not in (503, 529)
        pause, left = _retry_after(headers), limits(headers)
        return TransientModelError(message, kind=kind, ran=ran, retry_after=pause, limits=left)
    return ModelError(message, kind=kind, ran=False)


def _said(raw: bytes) -> tuple[object, set[str]]:
    """What a refusal says in words, and its codes."""
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace"), set()
    inner = data.get("error", data) if isinstance(data, dict) else data
    if not isinstance(inner, dict):
        return inner, set()
    details = inner.get("details")
    cause = details.get("error_code") if isinstance(details, dict) else None
    codes = {str(code) for code in (inner.get("code"), inner.get("type"), cause)}
    return inner.get("message", inner), codes


def _hint(
    at: Address, model: str, status: int, codes: set[str], said: str, headers: Mapping[str, str]
) -> str:
    """What to put right; empty where the fault is not one of settings."""
    if status == 402 or codes & _UNPAID or (status < 500 and _NO_CREDIT.search(said)):
        return f"the account of {at.key_name or 'the key'} has no credit left"
    if codes & _SPENT:
        return f"the account of {at.key_name or 'the key'} has reached its spend limit: raise it"
    if status in (401, 403):
        if at.key is None:
            return "it wants a key: set NAME_API_KEY, and say api_key_env=NAME_API_KEY"
        if status == 403:
            return f"it refuses this to the key in {at.key_name}; set another"
        return f"it does not take the key in {at.key_name}; set another"
    if status == 407:
        return "the proxy on the way refuses it: see HTTP_PROXY, and NO_PROXY"
    if status == 404:
        return f"it may have no model {model!r}, or base_url may lack a part such as /v1"
    if status < 400:
        to = at.clean(headers.get("location", ""))
        return f"it has moved to {to}; set base_url to that" if to else "base_url is not its own"
    return _not_taken(model, codes, said) if status in (400, 422) else ""


def _not_taken(model: str, codes: set[str], said: str) -> str:
    """What a model cannot be asked for, where that is what a refusal says."""
    if _NO_ROOM.search(said):
        return f"replies may be longer than all that {model!r} has room for: lower answer_tokens"
    if _NO_GRAMMAR.search(said):
        return "it cannot hold replies to the form or constraint that was asked for"
    start = said[:300]  # what follows may be the prompt, said back
    if codes & _UNSUPPORTED or (_NOT_TAKEN.search(start) and _OPTION.search(start)):
        return f"{model!r} does not take what it is sent; see the options of its spec"
    return ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds, from `retry-after-ms`, or `retry-after` as seconds or a date.

    None from others, and from what is more than a day.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if 0 <= seconds <= _LONGEST else None
    try:
        date = parsedate_to_datetime(headers.get("retry-after", "")).timestamp()
    except (ValueError, OverflowError):
        return None
    return max(0.0, date - time()) if date - time() <= _LONGEST else None


_LIMITS = (
    ("x-ratelimit-limit-{}", "x-ratelimit-remaining-{}", "x-ratelimit-reset-{}"),
    (
        "anthropic-ratelimit-{}-limit",
        "anthropic-ratelimit-{}-remaining",
        "anthropic-ratelimit-{}-reset",
    ),
)
_KINDS = {
    kind: [tuple(name.format(kind) for name in names) for names in _LIMITS]
    for kind in ("requests", "tokens")
}


def limits(headers: Mapping[str, str]) -> RateLimits | None:
    """What an endpoint says of its limits, in OpenAI's or Anthropic's headers; None from others."""
    requests, tokens = (_limit(headers, _KINDS[kind]) for kind in ("requests", "tokens"))
    return RateLimits(requests, tokens) if requests or tokens else None


def _limit(headers: Mapping[str, str], names: list[tuple[str, ...]]) -> RateLimit | None:
    for limit, remaining, reset in names:
        most, left = headers.get(limit, ""), headers.get(remaining, "")
        if most.isdecimal() and left.isdecimal() and int(most[:18]) > 0:
            return RateLimit(int(most[:18]), int(left[:18]), _until(headers.get(reset, "")))
    return None


def _until(said: str) -> float:
    """Seconds, from `6m0s`, `20ms`, a number or an ISO time; 0 from others, and from over a day."""
    if parts := _DURATION.findall(said):
        seconds = sum(float(n) * _UNITS[unit] for n, unit in parts)
    else:
        try:
            seconds = max(0.0, datetime.fromisoformat(said).timestamp() - time())
        except (ValueError, OverflowError):
            seconds = float(said) if said.replace(".", "", 1).isdecimal() else 0.0
    return seconds if seconds <= _LONGEST else 0.0
