"""Models that wrap a model, each with one concern, in this order from the outside:

Recorded > Cached > Retrying > Throttled > Journalled > Deadline > Redacted > the provider's model.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import tenacity

from hch.bounds import call_bound
from hch.budget import Bill, Price
from hch.endpoints import Endpoint
from hch.errors import (
    BillExhausted,
    ConfigError,
    DeadEndpoint,
    HchError,
    LengthError,
    ModelError,
    NodeError,
    RefusalError,
    TransientModelError,
)
from hch.events import CallGivenUp
from hch.journal import Journal, failed, finished, intended
from hch.keeping import ReplyCache
from hch.packing import Reply
from hch.protocols import Model
from hch.redaction import Redaction
from hch.stash import Stash
from hch.tries import Tries
from hch.types import Completion, Request, Usage

FAILURES = (ModelError, LengthError, RefusalError)
"""How a call can fail; for a prompt that it would not take a provider charges nothing."""


_INTERRUPTED = ModelError("interrupted", kind="interrupted", ran=False)


class Wrapper:
    """A model round a model: the inner one's name, endpoint and price."""

    def __init__(self, inner: Model) -> None:
        self.inner = inner
        self.name = inner.name
        self.endpoint = inner.endpoint
        self.rate = inner.rate
        self.keyed = inner.keyed
        self.by_hand = inner.by_hand
        self.at_once = inner.at_once

    async def complete(self, request: Request) -> Completion:
        return await self.inner.complete(request)

    async def close(self) -> None:
        await self.inner.close()


class Recorded(Wrapper):
    """A request found in the recording is not sent: its reply, or failure, comes from there."""

    def __init__(self, inner: Model, recording: Stash[Reply] | None) -> None:
        super().__init__(inner)
        self._recording = recording

    async def complete(self, request: Request) -> Completion:
        if self._recording is not None:
            found = self._recording.get(request.call)
            if isinstance(found, NodeError):
                raise found.again()
            if found is not None:
                return found
        return await self.inner.complete(request)


class Cached(Wrapper):
    """Answers from the replies that are kept across runs, and keeps those that come.

    A reply found there costs the bill nothing; the run's record has it as that of an attempt which
    was not sent.
    """

    def __init__(self, inner: Model, cache: ReplyCache, journal: Journal) -> None:
        super().__init__(inner)
        self._cache = cache
        self._journal = journal

    async def complete(self, request: Request) -> Completion:
        found = self._cache.find(request.call)
        if found is None:
            completion = await self.inner.complete(request)
            self._cache.keep(request.call, self.name, completion)
            return completion
        self._journal.write(intended(request, request.call, 0, self.name, Price()))
        self._journal.write(finished(request.call, 0, found, Price()))
        await self._journal.durable()
        return found


class Retrying(Wrapper):
    """The only retry loop: entered after a first failure, ends in a completion or `CallGivenUp`."""

    def __init__(
        self, inner: Model, journal: Journal, endpoint: Endpoint, attempts: int, pause: float
    ) -> None:
        super().__init__(inner)
        self._journal = journal
        self._endpoint = endpoint
        self._attempts = attempts
        self._pause = pause

    async def complete(self, request: Request) -> Completion:
        tries, answered = None, self._endpoint.answered
        try:
            try:
                return await self.inner.complete(request)
            except TransientModelError as error:
                tries = Tries(self._endpoint, answered, error)
            return await self._again(request, tries)
        except FAILURES as error:
            made = tries.made if tries else 1
            raise await self._given_up(request, error, made) from error

    async def _again(self, request: Request, tries: Tries) -> Completion:
        async def attempt() -> Completion:
            if (first := tries.first) is not None:
                tries.first = None
                raise first
            tries.made += 1
            try:
                return await self.inner.complete(request)
            except TransientModelError as error:
                tries.failed(error)
                raise

        return await tenacity.AsyncRetrying(
            stop=lambda _: tries.over(self._attempts),
            wait=lambda _: tries.wait(self._pause),
            retry=tenacity.retry_if_exception_type(TransientModelError),
            reraise=True,
        )(attempt)

    async def _given_up(self, request: Request, error: NodeError, attempts: int) -> HchError:
        event = CallGivenUp(
            request=request.call, attempts=attempts, kind=error.kind, message=str(error)
        )
        if isinstance(error, TransientModelError):
            self._endpoint.row.append(event)
            self._endpoint.given_up += 1
        else:
            self._endpoint.lives()
        if not self._endpoint.dead:
            self._journal.write(event)
            await self._journal.durable()
            return event.failure()
        for gone in self._endpoint.row:
            self._journal.write(gone.model_copy(update={"dead": True}))
        self._endpoint.row.clear()
        name = self._endpoint.name
        said = str(error).removeprefix(f"{name}: ").removeprefix(f"{name} ")
        spoke = said.startswith(("answered ", "sent "))
        how = "answers nobody as it should" if spoke else "does not answer"
        dead = DeadEndpoint(f"{name} {how}: it {said}" if spoke else f"{name} {how}: {said}")
        self._endpoint.close(dead)
        await self._journal.durable()
        return dead


class Throttled(Wrapper):
    """Sends a request when its endpoint lets it, and tells the endpoint what came of it."""

    def __init__(self, inner: Model, endpoint: Endpoint) -> None:
        super().__init__(inner)
        self._shared = endpoint
        self._lane = endpoint.lanes[inner.name]

    async def complete(self, request: Request) -> Completion:
        shared, lane = self._shared, self._lane
        sent = shared.enter(lane, request) or await shared.turn(lane, request)
        try:
            completion = await self.inner.complete(request)
            shared.completed(lane, sent, completion)
        except ModelError as error:
            shared.failed(lane, sent, error)
            raise
        except ConfigError as error:
            shared.close(error)
            await shared.landed()
            raise
        finally:
            shared.leave()
        return completion


class Journalled(Wrapper):
    """Each attempt: reserve, commit the intent, send, commit the reply and its price, settle."""

    def __init__(
        self, inner: Model, journal: Journal, bill: Bill, attempts: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(inner)
        self._journal = journal
        self._bill = bill
        self._attempts = dict(attempts or {})

    async def complete(self, request: Request) -> Completion:
        key = request.call
        worst = call_bound(request, self.inner)
        await self._bill.reserve(worst)
        settled, failure = worst, None
        try:
            attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
            self._journal.write(intended(request, key, attempt, self.name, worst))
            await self._journal.durable()
            try:
                completion = await self.inner.complete(request)
            except asyncio.CancelledError:
                settled = self._interrupted(key, attempt, worst)
                raise
            except (*FAILURES, ConfigError) as error:
                settled, failure = self._failure_price(error, worst), error
                self._journal.write(failed(key, attempt, error, settled))
            else:
                settled = self._price(completion.usage)
                self._journal.write(finished(key, attempt, completion, settled))
            await self._journal.durable()
        finally:
            self._bill.settle(worst, settled)
        if self._bill.overshoot != Price():
            over = settled - worst
            raise BillExhausted(
                f"{self.name} reported more than the worst case that was reserved, over by "
                f"{over.calls} calls, {over.tokens} tokens and {over.microusd} micro-dollars"
            ) from failure
        if failure is not None:
            raise failure
        self._attempts.pop(key, None)
        return completion

    def _interrupted(self, key: str, attempt: int, worst: Price) -> Price:
        """The worst case, but for a person: whoever was interrupted has cost nothing."""
        if not self.by_hand:
            return worst
        self._journal.write(failed(key, attempt, _INTERRUPTED, Price()))
        return Price()

    def _price(self, usage: Usage) -> Price:
        dollars = self.rate.cost(usage) if self.rate else 0
        return Price(1, usage.input + usage.output, dollars)

    def _failure_price(self, error: NodeError | ConfigError, worst: Price) -> Price:
        """Nothing where the provider says it did not run, its usage where told, else the worst."""
        told = error.usage if isinstance(error, ModelError | LengthError) else None
        ran = error.ran if isinstance(error, ModelError) else told is not None
        if not ran:
            return Price()
        return self._price(Usage(*told)) if told else worst


class Redacted(Wrapper):
    """Takes keys out of what a model says, and out of what its errors say, before anybody has it.

    Of a reply that had a key in it neither its log-probabilities nor the bytes with them are kept.
    """

    def __init__(self, inner: Model, redaction: Redaction) -> None:
        super().__init__(inner)
        self._redaction = redaction

    async def complete(self, request: Request) -> Completion:
        clean = self._redaction.text
        try:
            said = await self.inner.complete(request)
        except HchError as error:
            if (message := clean(str(error))) != str(error):
                error.args = (message,)
                error.__cause__ = error.__context__ = None
            raise
        text, thinking = clean(said.text), clean(said.thinking)
        raw = self._redaction.data(said.raw)
        if text is said.text and thinking is said.thinking and raw is said.raw:
            return said
        # Tokens spell a key in pieces, and a server may spell it in more ways than one.
        raw = b"" if said.logprobs else self._redaction.data(_plainly(said.raw))
        return replace(said, text=text, thinking=thinking, raw=raw, logprobs=None)


def _plainly(raw: bytes) -> bytes:
    """The same JSON without needless escapes; nothing where it is no JSON."""
    try:
        return json.dumps(json.loads(raw)).encode()
    except (ValueError, RecursionError):
        return b""


class Deadline(Wrapper):
    """Ends an attempt after so many seconds in all, also when bytes drip."""

    def __init__(self, inner: Model, seconds: float) -> None:
        super().__init__(inner)
        self._seconds = seconds

    async def complete(self, request: Request) -> Completion:
        try:
            async with asyncio.timeout(self._seconds) as scope:
                return await self.inner.complete(request)
        except TimeoutError as error:
            if not scope.expired():
                raise
            message = f"no whole reply within {self._seconds:g} s"
            raise TransientModelError(message, kind="timeout") from error
