"""What the calls to one endpoint share: whose turn it is, how many may fly, and whether it lives.

A call is sent when no lower level waits for the same, fewer calls than the window are in flight,
no pause lasts, and its model has requests and tokens a minute left. Who cannot be sent yet waits
in a queue and holds nothing, so that the lowest level goes first whatever was waited for.

The window follows TCP (Jacobson, "Congestion avoidance and control", 1988): each reply widens it by
its reciprocal, so by one in a round of replies, and a 429 halves it, once a round.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from math import inf
from random import uniform

from hch.errors import ConfigError, DeadEndpoint, ModelError
from hch.events import CallGivenUp
from hch.lanes import Lane, Sent
from hch.types import Completion, Request

BUSY = "http 429"
"""The kind of a failure by which an endpoint says that it has too much to do."""


UNREACHABLE = "unreachable"
"""The kind of a failure to reach an endpoint at all."""


class Endpoint:
    """An endpoint in one run. Times are the event loop's.

    At most `ceiling` of its calls fly, `window` for now; `flying` do, and `waiting` wait, each in
    the lane of its model. `answered` counts what it replied to, if only with a refusal, `given_up`
    the give-ups since then, and `row` has those not yet told as dead.

    `pause` is its first rest, in seconds, where a 429 names none and the window can shrink no more.
    """

    DEAD_AFTER = 20
    GRACE = 10.0

    def __init__(self, name: str, ceiling: int, pause: float = 0.0) -> None:
        self.name = name
        self.ceiling = ceiling
        self.window = float(ceiling)
        self.flying = self.waiting = 0
        self.paused_until = -inf
        self.lanes: defaultdict[str, Lane] = defaultdict(Lane)
        self.answered = self.given_up = 0
        self.row: list[CallGivenUp] = []
        self.closed: ConfigError | None = None
        self._pause = pause
        self._over = 0
        self._down = asyncio.Event()
        self._rests = self._sent = self._narrowed = 0
        self._places = count()
        self._timer: asyncio.Handle | None = None
        self._wakes = inf

    @property
    def full(self) -> bool:
        """As many calls fly as may."""
        return self.flying + 1 > self.window

    @property
    def dead(self) -> bool:
        """It gave up call after call; or, with nothing in flight, all so far or as unreachable."""
        gone = not self.answered or all(event.kind == UNREACHABLE for event in self.row)
        alone = gone and not (self.flying or self.waiting)
        return self.given_up >= (1 if alone else self.DEAD_AFTER)

    def lives(self) -> None:
        """It has replied, if only with a refusal."""
        self.answered += 1
        self.given_up = 0
        self.row.clear()

    def enter(self, lane: Lane, request: Request) -> Sent | None:
        """The call as sent, where nothing keeps it from being sent at once."""
        now = asyncio.get_running_loop().time()
        if self.waiting or self.closed or self.full or now < self.paused_until:
            return None
        most = _most(request)
        return None if lane.wait(most, now) > 0 else self._send(lane, most, now)

    async def turn(self, lane: Lane, request: Request) -> Sent:
        """Wait until it is this call's turn. Raises ConfigError where nothing more is sent."""
        place: asyncio.Future[Sent | None] = asyncio.get_running_loop().create_future()
        heappush(lane.queue, (request.level, next(self._places), _most(request), place))
        self.waiting += 1
        self._let_in()
        try:
            sent = await place
        except asyncio.CancelledError:
            if place.cancelled():
                self.waiting -= 1
                self._let_in()
            elif place.result() is not None:
                self.leave()
            raise
        if sent is None:
            assert self.closed is not None, "nobody is let in but to be sent or sent away"
            if not isinstance(self.closed, DeadEndpoint):
                await self._quiet()
            raise type(self.closed)(str(self.closed))
        return sent

    def completed(self, lane: Lane, sent: Sent, completion: Completion) -> None:
        """A call was replied to: widen the window, and believe what the reply says of limits.

        A call sent before the window last shrank says nothing of whether it is now too narrow.
        """
        self.lives()
        self._rests = 0
        if self.window < self.ceiling and sent.number > self._narrowed:
            self.window = min(self.ceiling, self.window + 1 / self.window)
        usage = completion.usage
        if used := usage.input + usage.output:
            lane.learn(used / sent.most)
        if completion.limits is not None:
            lane.hear(completion.limits, sent, asyncio.get_running_loop().time())

    def failed(self, lane: Lane, sent: Sent, error: ModelError) -> None:
        """A call failed: shrink the window at a 429, pause where told to, believe the limits."""
        now = asyncio.get_running_loop().time()
        if error.limits is not None:
            lane.hear(error.limits, sent, now)
        rest = error.retry_after or 0.0
        if error.kind == BUSY and sent.number > self._narrowed:
            self._narrowed = self._sent
            if self.window == 1 and not rest:
                rest = uniform(0.5, 1) * self._pause * min(100, 2**self._rests)
                self._rests += 1
            self.window = max(1.0, self.window / 2)
        if rest:
            self.paused_until = max(self.paused_until, now + rest)

    def leave(self) -> None:
        """A call flies no more."""
        self.flying -= 1
        if self.closed:
            self._down.set()
        if self.waiting:
            self._let_in()

    def close(self, error: ConfigError) -> None:
        """Send nothing more: whoever waits, and whoever comes, is told this error."""
        self.closed = self.closed or error
        self._let_in()

    async def landed(self) -> None:
        """Wait, for a call that is over, until all others are: what they bring is paid for."""
        self._over += 1
        try:
            await self._quiet()
        finally:
            self._over -= 1

    async def _quiet(self) -> None:
        """Wait until no call flies but those that are over; `GRACE` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.GRACE):
                while self.flying > self._over:
                    await self._down.wait()
                    self._down.clear()

    def _send(self, lane: Lane, most: int, now: float) -> Sent:
        self.flying += 1
        self._sent += 1
        return lane.take(self._sent, most, now)

    def _let_in(self) -> None:
        """Send whoever may be; where time alone keeps them, wake up when it has passed."""
        if self.closed:
            self._send_away()
        while self.waiting and not self.full:
            now = asyncio.get_running_loop().time()
            if now < self.paused_until:
                return self._wake(self.paused_until)
            lane, rest = self._next(now)
            if lane is None:
                return self._wake(now + rest)
            _, _, most, place = heappop(lane.queue)
            self.waiting -= 1
            place.set_result(self._send(lane, most, now))
        if not self.waiting:
            self._wake(inf)
        return None

    def _next(self, now: float) -> tuple[Lane | None, float]:
        """The lane of whoever is next of those whom no limit keeps; else the seconds to wait."""
        best, found, rest = None, None, inf
        for lane in self.lanes.values():
            if (first := lane.first()) is None:
                continue
            if (wait := lane.wait(first[2], now)) > 0:
                rest = min(rest, wait)
            elif best is None or first < best:
                best, found = first, lane
        return found, rest

    def _send_away(self) -> None:
        for lane in self.lanes.values():
            while lane.first() is not None:
                *_, place = heappop(lane.queue)
                self.waiting -= 1
                place.set_result(None)

    def _wake(self, when: float) -> None:
        """Let in whoever may be sent then, and not only when a call comes back."""
        if self._timer is not None:
            if self._wakes <= when < inf:
                return
            self._timer.cancel()
            self._timer = None
        if when < inf:
            self._wakes = when
            self._timer = asyncio.get_running_loop().call_at(when, self._woken)

    def _woken(self) -> None:
        self._timer = None
        self._let_in()


def _most(request: Request) -> int:
    return max(1, request.bound + (request.sampling.max_tokens or 0))
