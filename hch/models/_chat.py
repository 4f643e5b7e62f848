"""OpenAI's chat wire format, without any way of sending it: bodies and replies.

Not a plugin, but what those share that speak this format. A reply is checked by hand, field by
field, since that costs a hundredth of what an SDK's parsing costs, and since an SDK lets bad bodies
through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from hch.bounds import reply_bound
from hch.errors import ModelError
from hch.models._faults import BadBody, check_room, count, counts, member, parsed
from hch.types import Completion, Finish, Request, Sampling, TokenLogprob, Usage

_UNKNOWN = Usage(-1, -1)
_DEFAULT = Sampling()
_FINISH: dict[str, Finish] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
}


@dataclass(frozen=True, slots=True)
class Chat:
    """The chat format of one model at one server; a `hch.models._http.Format`.

    `own` holds where a request does not say. `limit` is what the server calls the longest reply.
    `least` is the fewest alternatives of a log-probability that it takes: llama.cpp and others
    record nothing for 0. `extra` goes along with every request, and `untyped` with those that have
    no form.
    """

    model: str
    own: Sampling = Sampling()
    limit: str = "max_tokens"
    least: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    untyped: Mapping[str, Any] = field(default_factory=dict)

    def body(self, request: Request, **more: Any) -> bytes:
        """The bytes of a request: as asked, or else by the model's own sampling.

        Lone surrogates become U+FFFD.
        """
        asked = self.asked(request)
        options: dict[str, Any] = {
            self.limit: asked.max_tokens,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "seed": asked.seed,
            "stop": asked.stop or None,
        }
        if asked.logprobs is not None:
            options |= {"logprobs": True, "top_logprobs": max(self.least, asked.logprobs)}
        if request.form is not None:
            form = {
                "name": request.form.name,
                "strict": True,
                "schema": schema(request.form.schema),
            }
            options["response_format"] = {"type": "json_schema", "json_schema": form}
        else:
            options |= self.untyped
        messages = [{"role": m.role, "content": m.content} for m in request.messages]
        given = {name: value for name, value in options.items() if value is not None}
        return encoded({"model": self.model, "messages": messages, **given, **self.extra, **more})

    def asked(self, request: Request) -> Sampling:
        """How a request is sampled, the model's own ways included."""
        return merged(request.sampling, self.own)

    def read(self, request: Request, raw: bytes) -> Completion:
        """The completion in the bytes of a reply.

        A count of tokens that the reply does not report is bounded as the bill bounds it. Raises
        BadBody, ModelError (`no logprobs`) where some were asked for and none came, and LengthError
        where there was less room than for the reply that was asked for; with the usage, where that
        is reported.
        """
        data = parsed(raw)
        asked = self.asked(request)
        try:
            completion = _completion(request, asked, data, raw)
        except BadBody as error:
            usage = _usage(data.get("usage"), _UNKNOWN)
            error.usage = None if min(usage.input, usage.output) < 0 else counts(usage)
            raise
        check_room(completion, asked.max_tokens)
        return completion


def encoded(body: Mapping[str, Any]) -> bytes:
    """A body as JSON; lone surrogates become U+FFFD."""
    try:
        return to_json(body)  # five times as quick as json's own
    except ValueError:  # there are surrogates
        text = json.dumps(body, ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def merged(asked: Sampling, own: Sampling) -> Sampling:
    """What was asked, and `own` where nothing was."""
    if own == _DEFAULT:
        return asked
    pairs = ((f.name, getattr(asked, f.name), getattr(own, f.name)) for f in fields(Sampling))
    return Sampling(**{name: theirs if mine is None else mine for name, mine, theirs in pairs})


@lru_cache(maxsize=64)
def schema(text: str) -> Any:
    """A form's schema, parsed."""
    return json.loads(text)


def _completion(request: Request, asked: Sampling, data: dict[str, Any], raw: bytes) -> Completion:
    choices = member(data, "choices", list)
    choice: Any = choices[0] if choices else None
    message = member(choice, "message", dict)
    thinking = message.get("reasoning_content") or message.get("reasoning")
    thinking = thinking if isinstance(thinking, str) else ""
    text, finish = _said(message, member(choice, "finish_reason", str), thinking)
    usage = _usage(data.get("usage"), _UNKNOWN)
    if min(usage.input, usage.output) < 0:
        usage = _usage(data.get("usage"), reply_bound(request, text + thinking, asked.max_tokens))
    tokens, wanted = None, asked.logprobs
    if wanted is not None:
        tokens = _logprobs(choice.get("logprobs"), wanted)
        if tokens is None and text and finish != "refusal":
            told = "log-probabilities were asked for, but none came"
            raise ModelError(told, kind="no logprobs", usage=counts(usage))
    return Completion(text, finish, usage, tokens, thinking, raw)


def _said(message: dict[str, Any], reason: str, thinking: str) -> tuple[str, Finish]:
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        return refusal, "refusal"
    if (finish := _FINISH.get(reason)) is None:
        raise BadBody(f"its finish_reason is {reason!r}")
    if message.get("content") is None and (finish != "stop" or thinking):
        return "", finish  # cut or filtered before any text, or nothing was said after thinking
    return member(message, "content", str), finish


def _usage(reported: object, otherwise: Usage) -> Usage:
    """What is reported, and `otherwise` for either count that is not."""
    sent = count(reported, "prompt_tokens", otherwise.input)
    written = count(reported, "completion_tokens", otherwise.output)
    details = reported if isinstance(reported, dict) else {}
    read = details.get("prompt_tokens_details")
    cached = min(count(read, "cached_tokens", 0), sent)
    kept = min(count(read, "cache_write_tokens", 0), sent - cached)
    reasoning = count(details.get("completion_tokens_details"), "reasoning_tokens", 0)
    if sent + written + reasoning == count(reported, "total_tokens", 0):
        written += reasoning  # some count it in the total only
    return Usage(sent, written, cached, min(reasoning, written), max(0, kept))


def _logprobs(node: object, most: int) -> tuple[TokenLogprob, ...] | None:
    content = node.get("content") if isinstance(node, dict) else None
    if not isinstance(content, list) or not content:
        return None
    return tuple(_token(entry, most) for entry in content)


def _token(entry: object, most: int) -> TokenLogprob:
    token, logprob = _pair(entry)
    others = member(entry, "top_logprobs", list) if most else []
    return TokenLogprob(token, logprob, tuple(_pair(other) for other in others[:most]))


def _pair(entry: object) -> tuple[str, float]:
    logprob: Any = entry.get("logprob") if isinstance(entry, dict) else None
    if type(logprob) not in (int, float) or not -1e9 < logprob < 1e9:
        raise BadBody("a log-probability is not a number")
    return member(entry, "token", str), float(logprob)
