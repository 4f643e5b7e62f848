"""One call at a time: a provider that does as it is told, a store with a log, virtual time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from hch.budget import Price
from hch.endpoints import Endpoint
from hch.errors import ModelError, StoreError, TransientModelError
from hch.events import Event, Record, RunStarted
from hch.rates import Rate
from hch.recording import Recording
from hch.stores.memory import MemoryStore
from hch.types import Completion, Message, Part, RateLimits, Request, Sampling, Usage
from hch.wire import Amounts

RUN = "run"
NOTHING = Amounts.of(Price())
STARTED = RunStarted(
    version="1", setup={}, players=(), prompts={}, seed=0, roots={}, count=0, grant=NOTHING,
    cap=NOTHING,
)  # fmt: skip


class Clock(selectors.DefaultSelector):
    """Where nothing is ready, the time of the next timer comes at once."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTime(asyncio.SelectorEventLoop):
    """A loop in which waiting takes no time."""

    def __init__(self) -> None:
        self._virtual = Clock()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


Doing = Callable[[Request], Awaitable[Completion]]


class Provider:
    """A model that does as it is told, by a function or by a list of what comes of each call."""

    endpoint = "http://provider"
    keyed = False
    at_once = None
    by_hand = False

    def __init__(
        self, does: Doing | Sequence[Completion | BaseException], name: str = "small"
    ) -> None:
        self.name = name
        self.rate: Rate | None = Rate(1.0, 2.0, 0.5)
        self.sent: list[Request] = []
        self._does = does

    async def complete(self, request: Request) -> Completion:
        self.sent.append(request)
        if callable(self._does):
            return await self._does(request)
        come = self._does[min(len(self.sent), len(self._does)) - 1]
        if isinstance(come, BaseException):
            raise come
        return come

    async def close(self) -> None:
        pass


class Store(MemoryStore):
    """A memory store that writes down what is done to it, and may fail to make durable."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []
        self.broken = False

    def append(self, run: str, at: float, event: Event) -> None:
        super().append(run, at, event)
        self.log.append(event.type)

    async def durable(self) -> None:
        await asyncio.sleep(0)
        if self.broken:
            raise StoreError("the disk is full")
        self.log.append("durable")

    @property
    def written(self) -> list[Event]:
        return [record.event for record in self.events(RUN)] if self.log else []

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.written if isinstance(event, kind)]

    def past(self) -> Recording:
        """What a resume would make of it."""
        events = enumerate([STARTED, *self.written], 1)
        records = [Record(run=RUN, seq=i, at=0.0, event=event) for i, event in events]
        return Recording(lambda: records)


def question(body: str = "Why?", **changes: Any) -> Request:
    message = Message("user", (Part(body),))
    request = Request((message,), Sampling(max_tokens=10), question=body, **changes)
    return replace(request, call=request.key("small"))


def good(text: str = "so", usage: Usage | None = None) -> Completion:
    return Completion(text, usage=usage or Usage(4, 2))


def late() -> TransientModelError:
    return TransientModelError("late", kind="timeout")


def busy(retry_after: float | None = None, limits: RateLimits | None = None) -> TransientModelError:
    return TransientModelError(
        "busy", kind="http 429", ran=False, retry_after=retry_after, limits=limits
    )


def wrong() -> ModelError:
    return ModelError("wrong", kind="http 400", ran=False)


async def outcome(work: Awaitable[Completion]) -> Completion | BaseException:
    try:
        return await work
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error


def living(limit: int = 4) -> Endpoint:
    endpoint = Endpoint(Provider.endpoint, limit)
    endpoint.lives()
    return endpoint


async def settled() -> None:
    """Let every task go as far as it can without time passing."""
    for _ in range(20):
        await asyncio.sleep(0)
