"""Two ledgers (design §6): a node's grant, which decides, and the run's bill, which counts.

Four currencies: calls, tokens (input and output together), dollars (whole micro-dollars), nodes.
A currency without a cap is infinite and stays so in every share.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import inf

from hch.errors import BillExhausted, UsageError

CURRENCIES = ("calls", "tokens", "microusd", "nodes")


@dataclass(frozen=True, slots=True)
class Price:
    """An amount in each of the four currencies: whole numbers, or infinity."""

    calls: float = 0
    tokens: float = 0
    microusd: float = 0
    nodes: float = 0

    def __add__(self, other: Price) -> Price:
        return Price(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.microusd + other.microusd,
            self.nodes + other.nodes,
        )

    def __sub__(self, other: Price) -> Price:
        """What is left, never below zero."""
        return Price(
            self.calls - other.calls if self.calls > other.calls else 0,
            self.tokens - other.tokens if self.tokens > other.tokens else 0,
            self.microusd - other.microusd if self.microusd > other.microusd else 0,
            self.nodes - other.nodes if self.nodes > other.nodes else 0,
        )

    def __mul__(self, n: int) -> Price:
        return Price(*(amount * n for amount in self.amounts()))

    def covers(self, other: Price) -> bool:
        return (
            self.calls >= other.calls
            and self.tokens >= other.tokens
            and self.microusd >= other.microusd
            and self.nodes >= other.nodes
        )

    def lacks(self, other: Price) -> str:
        """What `other` wants over this, in words; empty where nothing is short."""
        units = (
            ("call", "calls"),
            ("token", "tokens"),
            ("micro-dollar", "micro-dollars"),
            ("node", "nodes"),
        )
        short = []
        for name, (one, many) in zip(CURRENCIES, units, strict=True):
            have, want = getattr(self, name), getattr(other, name)
            if want > have:
                short.append(f"{want} {one if want == 1 else many} wanted, {have} left")
        return "; ".join(short)

    def map(self, change: Callable[[int], int]) -> Price:
        """Each finite amount through `change`; infinities stay."""
        return Price(*(n if n == inf else change(int(n)) for n in self.amounts()))

    def amounts(self) -> tuple[float, float, float, float]:
        return (self.calls, self.tokens, self.microusd, self.nodes)


UNLIMITED = Price(inf, inf, inf, inf)


def three_bits(n: int) -> int:
    """n with all but its three highest bits cleared, so that equal positions get equal grants."""
    shift = max(0, n.bit_length() - 3)
    return n >> shift << shift


def power_of_two(n: int) -> int:
    """The largest power of two not above n; what H is shown of its grant. 0 stays 0."""
    return 1 << (n.bit_length() - 1) if n > 0 else 0


def share(left: Price, keep: Price, m: int, *, last: bool) -> Price:
    """One child's grant when m are asked: R3(floor(f * (left - keep) / m)), f = 1 or 3/4."""
    spare = left - keep
    return spare.map(lambda n: three_bits(n // m if last else n * 3 // (4 * m)))


def shares(price: Price, m: int) -> Price:
    """The least of which m equal parts, as they are given, are each at least this price."""
    return price.map(_whole) * m


def _whole(n: int) -> int:
    """The smallest number with nothing below its three highest bits that is not below n."""
    step = 1 << max(0, n.bit_length() - 3)
    return -(-n // step) * step


def root_grant(cap: Price, roots: int) -> Price:
    """Each root's grant: 0.9 of the cap in equal parts, at least one call and one node."""
    grant = cap.map(lambda n: n * 9 // (10 * roots))
    return Price(max(1, grant.calls), grant.tokens, grant.microusd, max(1, grant.nodes))


_ITSELF = Price(nodes=1)


class Purse:
    """A node's grant as it is spent; the node itself is paid for at once.

    An `endless` one has no cap in any currency: it affords everything, and nothing lessens it.
    """

    def __init__(self, grant: Price) -> None:
        self.grant = grant
        self.endless = grant == UNLIMITED
        self.left = grant - _ITSELF
        self.spent = _ITSELF

    def affords(self, *prices: Price) -> bool:
        """Whether what is left covers the sum of these."""
        return self.endless or self.left.covers(sum(prices, Price()))

    def pay(self, price: Price) -> None:
        if not self.endless:
            self.left -= price
        self.spent += price


_UNITS = {
    "usd": ("microusd", 1_000_000), "$": ("microusd", 1_000_000),
    "calls": ("calls", 1), "call": ("calls", 1),
    "tokens": ("tokens", 1), "token": ("tokens", 1), "tok": ("tokens", 1),
    "nodes": ("nodes", 1), "node": ("nodes", 1),
    "s": ("seconds", 1), "min": ("seconds", 60), "h": ("seconds", 3600),
}  # fmt: skip
_PREFIXES = {"": 1, "k": 1000, "m": 1_000_000}
_AMOUNT = re.compile(
    r"\s*(\d{1,30}(?:\.\d{1,30})?)\s*([km]?)\s*(usd|\$|calls?|tokens?|tok|nodes?|s|min|h)\s*",
    re.IGNORECASE | re.ASCII,
)


def parse_budget(text: str) -> tuple[Price, float | None]:
    """`2usd,50calls,200ktokens,10min` as a cap, and the run's deadline in seconds if one is named.

    Raises UsageError for an unknown unit, a currency named twice, an amount below one unit, or one
    that is not whole (seconds may be broken, but not nought).
    """
    amounts: dict[str, Fraction] = {}
    for item in text.split(","):
        match = _AMOUNT.fullmatch(item)
        if match is None:
            raise UsageError(
                f"budget {item.strip()!r} is not an amount: write for example 2usd, 50calls, "
                "200ktokens, 100nodes or 10min, joined by commas"
            )
        name, unit = _UNITS[match[3].lower()]
        if match[2] and name in ("microusd", "seconds"):
            raise UsageError(f"budget {item.strip()!r}: write it without {match[2]!r}")
        amount = Fraction(match[1]) * _PREFIXES[match[2].lower()] * unit
        if name in amounts:
            raise UsageError(f"budget {text!r} names {name} twice")
        if amount <= 0 or (amount < 1 and name != "seconds"):
            little = "no time at all" if name == "seconds" else "less than one"
            raise UsageError(f"budget {item.strip()!r} is {little}")
        if name != "seconds" and amount.denominator != 1:
            raise UsageError(f"budget {item.strip()!r} is not a whole number")
        amounts[name] = amount
    seconds = float(amounts.pop("seconds")) if "seconds" in amounts else None
    return Price(*(int(amounts[c]) if c in amounts else inf for c in CURRENCIES)), seconds


class Bill:
    """The run's ledger: every attempt at its true price, its worst case reserved before it is sent.

    `spent + reserved` never exceeds `cap`, unless a provider reports more than the reservation:
    that is settled as it is, shown as `overshoot`, and stops the run. `largest` is the most that
    a call was to reserve, under a cap.
    """

    def __init__(self, cap: Price = UNLIMITED, spent: Price = Price()) -> None:
        self.cap = cap
        self._capped = cap != UNLIMITED
        self.spent = spent
        self.reserved = Price()
        self.overshoot = Price()
        self.largest = Price()
        self._flying = 0
        self._waiting: deque[tuple[Price, asyncio.Future[None]]] = deque()

    async def reserve(self, worst: Price) -> None:
        """Put the worst case aside; waits while others are in flight, else raises BillExhausted."""
        if self._capped:
            self.largest = Price(*map(max, self.largest.amounts(), worst.amounts()))
        if not self._waiting and self._fits(worst):
            self._take(worst)
            return
        if not self._flying:
            raise self._exhausted(worst)
        place = asyncio.get_running_loop().create_future()
        self._waiting.append((worst, place))
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.settle(worst, Price())
            else:
                self._waiting = deque(w for w in self._waiting if w[1] is not place)
                self._let_in()
            raise

    def settle(self, worst: Price, true: Price) -> None:
        """Turn a reservation into what was truly spent, and let in those who wait."""
        self._flying -= 1
        self.reserved -= worst
        self.spent += true
        if not worst.covers(true):
            over, caps = (true - worst).amounts(), self.cap.amounts()
            pairs = zip(over, caps, strict=True)
            self.overshoot += Price(*(o if cap != inf else 0 for o, cap in pairs))
        self._let_in()
        while self._waiting and not self._flying:
            want, place = self._waiting.popleft()
            if not place.done():
                place.set_exception(self._exhausted(want))

    def _let_in(self) -> None:
        while self._waiting and self._fits(self._waiting[0][0]):
            want, place = self._waiting.popleft()
            if not place.done():
                self._take(want)
                place.set_result(None)

    def _fits(self, worst: Price) -> bool:
        return not self._capped or self.cap.covers(self.spent + self.reserved + worst)

    def _take(self, worst: Price) -> None:
        self.reserved += worst
        self._flying += 1

    def _exhausted(self, worst: Price) -> BillExhausted:
        free = self.cap - self.spent - self.reserved
        return BillExhausted(f"the budget cannot pay for another call: {free.lacks(worst)}")
