"""What the calls to one model of an endpoint share: their queue, and its limits a minute.

The limits are token buckets, kept in step with what the endpoint says in its replies; an endpoint
that says nothing is not waited for.
"""

from __future__ import annotations

import asyncio
from heapq import heappop
from math import inf, isfinite
from typing import NamedTuple, TypeAlias

from hch.types import RateLimit, RateLimits


class Sent(NamedTuple):
    """A call that was sent: its number, its time in seconds, the most tokens that it can take.

    `requests` and `tokens` are all that was taken of its model's limits by then, with its own.
    """

    number: int
    at: float
    most: int
    requests: float
    tokens: float


Place: TypeAlias = tuple[int, int, int, asyncio.Future[Sent | None]]
"""One place in a queue: level, number, the most tokens, and what tells that its turn has come."""


class Bucket:
    """What is left of one limit a minute, as a token bucket; without a limit until one is heard of.

    `level` was left of `limit` at the time `at`, and it grows by `rate` a second. `taken` is all
    that was ever taken.
    """

    CUSHION = 0.05
    """The part of the limit that is left alone, since what those in flight take is an estimate."""

    MEMORY = 60.0
    """Seconds for which a limit is believed at least, when nothing more is heard of it."""

    def __init__(self) -> None:
        self.limit = self.level = self.rate = self.at = self.taken = 0.0
        self._until = -inf
        self._heard = -1.0

    def wait(self, amount: float, now: float) -> float:
        """Seconds until this amount may be taken; more than the limit is never waited for."""
        if now >= self._until:
            return 0.0
        lack = min(amount + self.CUSHION * self.limit, self.limit) - self._left(now)
        # Rounding leaves a full bucket a hair short, and a wait of no time would never end.
        return min(lack / self.rate, self._until - now) if lack > 1e-6 * self.limit else 0.0

    def take(self, amount: float, now: float) -> float:
        """Take it off; all that was taken so far."""
        if now < self._until:
            self.level = max(0.0, self._left(now) - amount)
            self.at = now
        self.taken += amount
        return self.taken

    def hear(self, told: RateLimit, taken: float, at: float, now: float) -> None:
        """Believe a reply to a call that was sent at a time when so much had been taken.

        An endpoint counts when a call comes in. So what was left then has grown since, and what
        was taken since is still to come off. A reply to an earlier call than one already heard of
        says nothing new.
        """
        if told.limit <= 0 or taken < self._heard:
            return
        left = min(max(told.remaining, 0), told.limit)
        used, reset = told.limit - left, told.reset if isfinite(told.reset) else 0.0
        self.limit = told.limit
        self.rate = used / reset if reset > 0.001 and used else told.limit / 60
        grown = min(self.limit, left + self.rate * (now - at))
        self.level = max(0.0, grown - (self.taken - taken))
        self.at, self._heard, self._until = now, taken, now + max(reset, self.MEMORY)

    def _left(self, now: float) -> float:
        return min(self.limit, self.level + self.rate * (now - self.at))


class Lane:
    """What the calls to one model of an endpoint share: their queue and its limits a minute.

    `scale` is what calls truly took over the most that they could, since the limits are for what is
    used and the worst case is many times that; `spread` is how far they strayed from it. Both are
    moving averages, and four spreads are room enough, as for the time-outs of TCP (Jacobson,
    "Congestion avoidance and control", 1988).
    """

    def __init__(self) -> None:
        self.queue: list[Place] = []
        self.requests = Bucket()
        self.tokens = Bucket()
        self.scale, self.spread = 1.0, 0.0

    def first(self) -> Place | None:
        """Who is next; those who left are dropped."""
        while self.queue and self.queue[0][3].done():
            heappop(self.queue)
        return self.queue[0] if self.queue else None

    def wait(self, most: int, now: float) -> float:
        return max(
            self.requests.wait(1, now), self.tokens.wait(most * (self.scale + 4 * self.spread), now)
        )

    def short(self, now: float) -> tuple[str, float] | None:
        """Which limit whoever is next waits for, and for how many seconds."""
        first = self.first()
        if first is None or (rest := self.wait(first[2], now)) <= 0:
            return None
        by = "requests" if rest == self.requests.wait(1, now) else "tokens"
        return f"{by} a minute", rest

    def take(self, number: int, most: int, now: float) -> Sent:
        requests, tokens = self.requests.take(1, now), self.tokens.take(most * self.scale, now)
        return Sent(number, now, most, requests, tokens)

    def learn(self, part: float) -> None:
        """A call took this part of the most that it could."""
        self.spread += (abs(part - self.scale) - self.spread) / 8
        self.scale += (part - self.scale) / 8

    def hear(self, limits: RateLimits, sent: Sent, now: float) -> None:
        if limits.requests is not None:
            self.requests.hear(limits.requests, sent.requests, sent.at, now)
        if limits.tokens is not None:
            self.tokens.hear(limits.tokens, sent.tokens, sent.at, now)
