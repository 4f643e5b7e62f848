"""Anthropic's Messages wire format, without any way of sending it: bodies and replies.

A reply is checked by hand, field by field, for the reasons of `hch.models._chat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hch.bounds import reply_bound
from hch.errors import ConfigError
from hch.models._chat import encoded, schema
from hch.models._faults import BadBody, check_room, count, counts, member, parsed
from hch.types import Completion, Finish, Message, Request, Usage

_UNKNOWN = Usage(-1, -1)
_MARK = {"type": "ephemeral"}
_FINISH: dict[str, Finish] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}

LONGEST = 4096
"""The longest reply where a request does not say: the format wants one."""


@dataclass(frozen=True, slots=True)
class Messages:
    """The Messages format of one model; a `hch.models._http.Format`.

    `thinking` is a budget in tokens, `adaptive`, or `off`; None and an `effort` of None leave it to
    the model. With `cache` the prefix that siblings share (the system prompt, and the texts that
    were sent along) is marked for the provider to keep.
    """

    model: str
    effort: str | None = None
    thinking: int | str | None = None
    cache: bool = True

    @property
    def least_tokens(self) -> int:
        """The fewest that a reply may be limited to: more than may be thought."""
        return self.thinking + 1 if isinstance(self.thinking, int) else 1

    def body(self, request: Request) -> bytes:
        """The bytes of a request. Raises ConfigError for a sampling that the format cannot send.

        Lone surrogates become U+FFFD.
        """
        asked = request.sampling
        names = ("temperature", "top_p", "seed", "logprobs")
        if unsent := [name for name in names if getattr(asked, name) is not None]:
            raise ConfigError(f"{self.model}: Anthropic's API takes no {' and no '.join(unsent)}")
        longest = asked.max_tokens or LONGEST
        config: dict[str, Any] = {"effort": self.effort} if self.effort else {}
        if request.form is not None:
            config["format"] = {"type": "json_schema", "schema": schema(request.form.schema)}
        options: dict[str, Any] = {
            "system": self._system(request.messages),
            "stop_sequences": list(asked.stop or ()),
            "output_config": config,
            "thinking": self._thinking(longest),
        }
        turns = [m for m in request.messages if m.role != "system"]
        messages = [{"role": m.role, "content": self._content(m)} for m in turns]
        given = {name: value for name, value in options.items() if value}
        return encoded({"model": self.model, "max_tokens": longest, "messages": messages, **given})

    def read(self, request: Request, raw: bytes) -> Completion:
        """The completion in the bytes of a reply.

        A count of tokens that is not reported is bounded as the bill bounds it. Raises BadBody, and
        LengthError where there was less room than for the reply that was asked for; both with the
        usage that is reported.
        """
        data = parsed(raw)
        reported = _usage(data.get("usage"), _UNKNOWN)
        unknown = min(reported.input, reported.output) < 0
        try:
            text, finish, thinking = _said(data)
        except BadBody as error:
            error.usage = None if unknown else counts(reported)
            raise
        if unknown:
            most = reply_bound(request, text + thinking, request.sampling.max_tokens)
            reported = _usage(data.get("usage"), most)
        completion = Completion(text, finish, reported, None, thinking, raw)
        check_room(completion, request.sampling.max_tokens)
        return completion

    def _system(self, messages: Sequence[Message]) -> list[dict[str, Any]]:
        """The system prompt's blocks; marked, unless what follows it is shared too."""
        texts = [m.content for m in messages if m.role == "system" and m.content.strip()]
        blocks: list[dict[str, Any]] = [{"type": "text", "text": text} for text in texts]
        if blocks and self.cache and not any(map(_shared, messages)):
            blocks[-1]["cache_control"] = _MARK
        return blocks

    def _content(self, message: Message) -> str | list[dict[str, Any]]:
        """A turn's text; in two blocks where it begins with texts that siblings have too."""
        shared = _shared(message) if self.cache else 0
        if not shared:
            return message.content
        bodies = [part.body for part in message.parts]
        first, rest = "".join(bodies[:shared]), "".join(bodies[shared:])
        kept = {"type": "text", "text": first, "cache_control": _MARK}
        return [kept, {"type": "text", "text": rest}] if rest.strip() else [kept]

    def _thinking(self, longest: int) -> dict[str, Any] | None:
        if self.thinking is None:
            return None
        if isinstance(self.thinking, int):
            if self.thinking >= longest:
                raise ConfigError(
                    f"thinking={self.thinking} leaves no room in replies of {longest} tokens: "
                    "raise answer_tokens above it"
                )
            return {"type": "enabled", "budget_tokens": self.thinking}
        return {"type": "disabled" if self.thinking == "off" else self.thinking}


def _shared(message: Message) -> int:
    """How many of a turn's parts siblings have too: up to the last text that was sent along."""
    origins = [*(part.origin for part in message.parts), ""]
    last = max((i + 1 for i, o in enumerate(origins) if o.startswith("context ")), default=0)
    return last + (last > 0 and origins[last] == "mark")


def _said(data: dict[str, Any]) -> tuple[str, Finish, str]:
    """The text, how it ended, and what was thought."""
    reason = member(data, "stop_reason", str)
    if (finish := _FINISH.get(reason)) is None:
        raise BadBody(f"its stop_reason is {reason!r}")
    texts, thoughts = [], []
    for block in member(data, "content", list):
        kind = member(block, "type", str)
        if kind == "text":
            texts.append(member(block, "text", str))
        elif kind == "thinking":
            thoughts.append(member(block, "thinking", str))
    text = "".join(texts)
    if finish == "refusal" and not text:
        details = data.get("stop_details")
        said = details.get("explanation") if isinstance(details, dict) else None
        text = said if isinstance(said, str) else ""
    return text, finish, "\n\n".join(thoughts)


def _usage(reported: object, otherwise: Usage) -> Usage:
    """What is reported, and `otherwise` for either count that is not."""
    fresh = count(reported, "input_tokens", -1)
    cached = count(reported, "cache_read_input_tokens", 0)
    written = count(reported, "cache_creation_input_tokens", 0)
    output = count(reported, "output_tokens", otherwise.output)
    details = reported.get("output_tokens_details") if isinstance(reported, dict) else None
    thought = min(count(details, "thinking_tokens", 0), output)
    if fresh < 0:
        return Usage(otherwise.input, output, 0, thought)
    return Usage(fresh + cached + written, output, cached, thought, written)
