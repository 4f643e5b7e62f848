"""One call to a server that replies as told, for the tests of what comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from hch import registry
from hch.errors import HchError
from hch.protocols import Model
from hch.rates import Rate
from hch.registry import Spec
from hch.types import Completion, Message, Part, Request
from tests.faults import CHAT, MESSAGES, Wire
from tests.loopback import Loopback, Reply

CANARY = "sk-canary-0123456789"


@dataclass(frozen=True)
class Provider:
    """A plugin that speaks a wire format over HTTP; `named` is its spec, by a server's origin."""

    wire: Wire
    named: str
    key: str

    def spec(self, server: Loopback, *, keyed: bool = True) -> str:
        """What names this provider's model `small` at a server; with the variable of a key."""
        key = f",api_key_env={self.key}" if keyed else ""
        return self.named.format(server.origin) + key


PROVIDERS = {
    "openai": Provider(CHAT, "openai:small,base_url={}/v1", "OPENAI_API_KEY"),
    "anthropic": Provider(MESSAGES, "anthropic:small,base_url={}", "ANTHROPIC_API_KEY"),
    "vllm": Provider(CHAT, "vllm:small,base_url={}/v1", "VLLM_API_KEY"),
}

KEYS = {p.key: SecretStr(CANARY) for p in PROVIDERS.values()}
KEYS["OTHER_API_KEY"] = SecretStr("other-" + CANARY)


def build(spec: str, keys: dict[str, SecretStr] | None = None, rate: Rate | None = None) -> Any:
    return registry.build("models", Spec.parse(spec), keys=keys or {}, rate=rate)


def ask(text: str = "What is 2+2?", **more: Any) -> Request:
    system = Message("system", (Part("You are "), Part("careful.")))
    return Request((system, Message("user", (Part(text, "question"),))), **more)


async def call(
    reply: Reply | Callable[[Any], Reply], request: Request | None = None, provider: str = "openai"
) -> Completion:
    """What a keyed model makes of one reply."""
    with Loopback(reply if callable(reply) else lambda _: reply) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        try:
            return await model.complete(request or ask())  # type: ignore[no-any-return]
        finally:
            await model.close()


async def fault_of(
    reply: Reply | Callable[[Any], Reply], request: Request | None = None, provider: str = "openai"
) -> HchError:
    """The error that a keyed model makes of one reply; the key is nowhere in it."""
    with Loopback(reply if callable(reply) else lambda _: reply) as server:
        model = build(PROVIDERS[provider].spec(server), KEYS)
        try:
            return await failure(model, request)
        finally:
            await model.close()


async def failure(model: Model, request: Request | None = None) -> HchError:
    """The error that a call ends in; the key is nowhere in it, nor in what caused it."""
    with pytest.raises(HchError) as caught:
        await model.complete(request or ask())
    shown: BaseException | None = caught.value
    while shown is not None:
        assert CANARY not in f"{shown} {shown!r} {vars(shown)}"
        shown = shown.__cause__ or shown.__context__
    return caught.value


async def outcomes(
    provider: str, bodies: Sequence[bytes], request: Request | None = None, status: int = 200
) -> list[Completion | BaseException]:
    """What comes of a call for each of these bodies, all at once."""
    left = iter(bodies)
    with Loopback(lambda _: Reply(next(left), status)) as server:
        model = build(PROVIDERS[provider].spec(server, keyed=False))
        calls = (model.complete(request or ask()) for _ in bodies)
        found = await asyncio.gather(*calls, return_exceptions=True)
        await model.close()
    return found
