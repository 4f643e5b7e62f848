"""One call of `openai:` to a server that replies as told, for the tests of what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from hch import registry
from hch.errors import HchError
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Message, Part, Request
from tests.loopback import Loopback, Reply

CANARY = "sk-canary-0123456789"
KEYS = {"OPENAI_API_KEY": SecretStr(CANARY), "OTHER_API_KEY": SecretStr("other-" + CANARY)}


def build(spec: str, keys: dict[str, SecretStr] | None = None, rate: Rate | None = None) -> Any:
    return registry.build("models", Spec.parse(spec), keys=keys or {}, rate=rate)


def ask(text: str = "What is 2+2?", **more: Any) -> Request:
    system = Message("system", (Part("You are "), Part("careful.")))
    return Request((system, Message("user", (Part(text, "question"),))), **more)


async def call(reply: Reply | Callable[[Any], Reply], request: Request | None = None) -> Completion:
    """What a keyed model makes of one reply."""
    with Loopback(reply if callable(reply) else lambda _: reply) as server:
        model = build(f"openai:small,base_url={server.url},api_key_env=OPENAI_API_KEY", KEYS)
        try:
            return await model.complete(request or ask())  # type: ignore[no-any-return]
        finally:
            await model.close()


async def fault_of(reply: Reply, request: Request | None = None) -> HchError:
    """The error that a keyed model makes of one reply; the key is nowhere in it."""
    with pytest.raises(HchError) as caught:
        await call(reply, request)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert CANARY not in f"{shown} {shown!r} {vars(shown)}"
        shown = shown.__cause__ or shown.__context__
    return caught.value
