"""A model behind HTTP: a format says what is sent and what a reply means, a transport sends it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from hch.errors import TransientModelError
from hch.models._address import Address
from hch.models._faults import BadBody, limits, refused
from hch.rates import Rate
from hch.types import Completion, Request

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, of whatever status; header names are looked up in any case."""

    status: int
    headers: Mapping[str, str]
    raw: bytes


class Format(Protocol):
    """A wire format, as one model at one server speaks it."""

    @property
    def model(self) -> str:
        """What the server calls the model."""
        ...

    def body(self, request: Request) -> bytes:
        """The bytes to send. Raises ConfigError for what cannot be sent."""
        ...

    def read(self, request: Request, raw: bytes) -> Completion:
        """What a 200 means. Raises BadBody, ModelError, LengthError."""
        ...


class Transport(Protocol):
    """A way of sending to one address."""

    async def post(self, sent: bytes) -> Response:
        """Send, and read to the end. Raises TransientModelError for a connection that fails."""
        ...

    async def close(self) -> None: ...


class HttpModel:
    """One model at one address; a `Model`. Without a key it is free.

    `least_tokens` is the fewest that a reply of it may be limited to. It is `lasting`: its name
    tells it from all others, so that its replies can be kept for other runs.
    """

    by_hand = False
    lasting = True
    at_once: int | None = None

    def __init__(
        self, name: str, at: Address, wire: Format, transport: Transport, rate: Rate | None
    ) -> None:
        self.name = name
        self.endpoint = at.url
        self.keyed = at.key is not None
        self.rate = rate if self.keyed else Rate()
        self.least_tokens = getattr(wire, "least_tokens", 1)
        self._at = at
        self._format = wire
        self._transport = transport

    async def complete(self, request: Request) -> Completion:
        """Answer one request by one call.

        Raises TransientModelError, ModelError, LengthError (the prompt is too long), RefusalError
        (a filter stopped it), ConfigError (a key, a name, an option or the credit is wrong).
        """
        response = await self._transport.post(self._format.body(request))
        if not 200 <= response.status < 300:
            raise refused(
                self._at, self._format.model, response.status, response.headers, response.raw
            )
        told = limits(response.headers)
        try:
            completion = self._format.read(request, response.raw)
        except BadBody as error:
            bad = error
        else:
            return completion if told is None else replace(completion, limits=told)
        begins = self._at.redaction.data(response.raw)[:80].decode("utf-8", "replace")
        said = self._at.clean(f"{bad}; it begins {begins!r}")
        message = f"{self.endpoint} sent a bad body: {said}"
        raise TransientModelError(message, kind="bad body", usage=bad.usage, limits=told)

    async def close(self) -> None:
        """Close the connections; the next request opens new ones."""
        await self._transport.close()


class PerLoop(Generic[C]):
    """One client for each event loop that asks for it; those of loops that are closed are ended."""

    def __init__(self, make: Callable[[], C], end: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._end = end
        self._clients: dict[asyncio.AbstractEventLoop, C] = {}

    async def get(self) -> C:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is not None:
            return client
        fresh = self._clients[loop] = self._make()
        await self._leave(None)
        return fresh

    def __len__(self) -> int:
        return len(self._clients)

    async def close(self) -> None:
        """End the client of this loop, and those of loops that are closed."""
        await self._leave(asyncio.get_running_loop())

    async def _leave(self, own: asyncio.AbstractEventLoop | None) -> None:
        for loop in [loop for loop in list(self._clients) if loop is own or loop.is_closed()]:
            if (client := self._clients.pop(loop, None)) is not None:
                await self._end(client)
