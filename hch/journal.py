"""What a run writes of itself: its events, in order, and of a call what was sent and received."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import fields
from typing import Protocol

from hch.budget import Price
from hch.errors import HchError, NodeError
from hch.events import CallFailed, CallFinished, CallIntended, Event, Used
from hch.types import Completion, Request, Sampling, Usage
from hch.wire import Amounts

SAMPLED = tuple(field.name for field in fields(Sampling))


class Log(Protocol):
    """What a journal writes into: a store, as far as it takes events."""

    def append(self, run: str, at: float, event: Event) -> None: ...

    async def durable(self) -> None: ...


class Journal:
    """Writes one run's events. On a resume it leaves out the node events that are there already."""

    def __init__(
        self,
        store: Log,
        run: str,
        clock: Callable[[], float],
        written: Container[Event] = (),
        watch: Callable[[Event], None] | None = None,
    ) -> None:
        self._store = store
        self._run = run
        self._clock = clock
        self._written = written
        self._watch = watch

    def write(self, event: Event) -> None:
        """Queue an event; a node event that is there already is not written again.

        Whoever watches is told of both.
        """
        if self._watch:
            self._watch(event)
        if event in self._written:
            return
        self._store.append(self._run, self._clock(), event)

    async def durable(self) -> None:
        """Wait until all that was written is durable. Raises StoreError."""
        await self._store.durable()


def intended(request: Request, key: str, attempt: int, model: str, worst: Price) -> CallIntended:
    return CallIntended(
        request=key,
        attempt=attempt,
        node=request.node,
        model=model,
        messages=tuple(
            [
                (message.role, tuple([(part.origin, part.body) for part in message.parts]))
                for message in request.messages
            ]
        ),
        sampling={
            name: n for name in SAMPLED if (n := getattr(request.sampling, name)) is not None
        },
        form=(request.form.name, request.form.schema) if request.form else None,
        sample=request.sample,
        seed=request.seed,
        question=request.question,
        instance=request.instance,
        worst=Amounts.of(worst),
    )


def finished(key: str, attempt: int, completion: Completion, price: Price) -> CallFinished:
    usage, tokens = completion.usage, completion.logprobs
    return CallFinished(
        request=key,
        attempt=attempt,
        text=completion.text,
        finish=completion.finish,
        usage=_used(usage),
        price=Amounts.of(price),
        thinking=completion.thinking,
        logprobs=None if tokens is None else tuple((t.token, t.logprob, t.top) for t in tokens),
        raw=completion.raw,
    )


def failed(key: str, attempt: int, error: HchError, price: Price) -> CallFailed:
    kind = error.kind if isinstance(error, NodeError) else "refused"
    return CallFailed(
        request=key, attempt=attempt, kind=kind, message=str(error), price=Amounts.of(price)
    )


def _used(usage: Usage) -> Used:
    first = (usage.input, usage.output, usage.cached, usage.reasoning)
    return (*first, usage.cache_write) if usage.cache_write else first
