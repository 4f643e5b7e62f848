"""The most that a request and a reply to it can be: put aside for them, and counted where a
server counts nothing.
"""

from __future__ import annotations

from hch.budget import Price
from hch.protocols import Model
from hch.rates import MESSAGE_TOKENS, token_bound, worst_call
from hch.types import Request, Usage


def call_bound(request: Request, model: Model) -> Price:
    """The worst case of a request: its input bounded by its text, its output by its limit.

    A person uses no tokens.
    """
    if model.by_hand:
        return Price(calls=1)
    tokens = request.bound or input_bound(request, "".join(m.content for m in request.messages))
    return worst_call(tokens, request.sampling.max_tokens or 0, model.rate)


def input_bound(request: Request, text: str) -> int:
    """The most tokens of a request with this text in its messages, its form and template too."""
    schema = token_bound(request.form.schema) if request.form else 0
    return token_bound(text) + schema + MESSAGE_TOKENS * len(request.messages)


def reply_bound(request: Request, text: str, most: int | None) -> Usage:
    """At least the tokens of a request and of this reply to it, which has `most` at most."""
    prompt = "".join(message.content for message in request.messages)
    written = token_bound(text) + 1
    return Usage(input_bound(request, prompt), written if most is None else min(written, most))
