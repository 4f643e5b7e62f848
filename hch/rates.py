"""What one call can cost and did cost: a model's price a token, and bounds on a text's tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil

from hch.budget import Price
from hch.types import Usage


@dataclass(frozen=True)
class Rate:
    """What a model costs, in micro-dollars a token (that is dollars a million tokens).

    Cached input, and input put into a cache, cost as fresh input, and reasoning as other output,
    where they have no own price.
    `longer` has the rates of long prompts, each with the number of input tokens above which it is
    that of the whole call, in ascending order.
    """

    input: float = 0.0
    output: float = 0.0
    cached: float | None = None
    reasoning: float | None = None
    cache_write: float | None = None
    longer: tuple[tuple[int, Rate], ...] = ()

    @cached_property
    def free(self) -> bool:
        own = any((self.input, self.output, self.cached, self.reasoning, self.cache_write))
        return not own and all(rate.free for _, rate in self.longer)

    def cost(self, usage: Usage) -> int:
        """The true price of a call, rounded up to whole micro-dollars."""
        if self.free:
            return 0
        if (rate := self._up_to(usage.input)[-1]) is not self:
            return rate.cost(usage)
        cached = self.input if self.cached is None else self.cached
        kept = self.input if self.cache_write is None else self.cache_write
        fresh = max(0, usage.input - usage.cached - usage.cache_write)
        read = fresh * self.input + usage.cached * cached + usage.cache_write * kept
        return _up(read + self._written(usage))

    def uncached(self, usage: Usage) -> int:
        """The price with cached input counted as fresh: what a grant is charged."""
        if self.free:
            return 0
        if (rate := self._up_to(usage.input)[-1]) is not self:
            return rate.uncached(usage)
        return _up(usage.input * self.input + self._written(usage))

    def worst(self, input_tokens: int, output_tokens: int) -> int:
        """The most that so many tokens or fewer can cost, of whatever kind they turn out to be."""
        if self.free:
            return 0
        rates = self._up_to(input_tokens)
        return max(_up(input_tokens * r.read(max) + output_tokens * r.wrote(max)) for r in rates)

    def at_most(self, tokens: int, calls: int) -> int:
        """The most that so many tokens can cost in so many calls, each rounded up by itself."""
        return calls + max(
            _up(tokens * max(r.read(max), r.wrote(max))) for r in self._up_to(tokens)
        )

    @property
    def lowest_share(self) -> float:
        """The least that a call's `cost` can be of what it is `uncached`."""
        rates = [self, *(rate for _, rate in self.longer)]
        pairs = [(r.read(min), r.input) for r in rates] + [(r.wrote(min), r.output) for r in rates]
        return min((least / usual for least, usual in pairs if usual), default=1.0)

    @property
    def highest(self) -> Rate:
        """A rate by which nothing costs less than by this one, nor less than what is shorter."""
        rate = Rate(self.read(max), self.wrote(max))
        longer: list[tuple[int, Rate]] = []
        for above, more in self.longer:
            last = longer[-1][1] if longer else rate
            most = Rate(max(last.input, more.read(max)), max(last.output, more.wrote(max)))
            longer.append((above, most))
        return replace(rate, longer=tuple(longer))

    def read(self, which: Callable[..., float]) -> float:
        """The least or the most of what a token read can cost, as `which` is min or max."""
        cached = (self.cached, self.cache_write)
        return which([self.input, *(price for price in cached if price is not None)])

    def wrote(self, which: Callable[..., float]) -> float:
        """The least or the most of what a token written can cost, as `which` is min or max."""
        return which([self.output, self.output if self.reasoning is None else self.reasoning])

    def _up_to(self, input_tokens: int) -> list[Rate]:
        """The rates of all prompts of so many tokens or fewer, the last that of the longest."""
        return [self, *(rate for above, rate in self.longer if input_tokens > above)]

    def _written(self, usage: Usage) -> float:
        reasoning = self.output if self.reasoning is None else self.reasoning
        plain = max(0, usage.output - usage.reasoning)
        return plain * self.output + usage.reasoning * reasoning


def _up(microusd: float) -> int:
    """Rounded up, but not for what a float's last digits have over."""
    return ceil(round(microusd, 6))


_VOWELS, _COMMON = b"aeiou", b"bcdfghlmnprsty"
_SMALL = bytes(ord("a") if 97 <= byte <= 122 else ord(" ") for byte in range(256))
MESSAGE_TOKENS = 32
"""What a chat template may add to a message, a default system text included."""


def token_bound(body: str) -> int:
    """At least as many tokens as a tokenizer makes of a text.

    Quarter tokens a byte: 1 for a small vowel, 2 for a space, 3 for a common small consonant, 4
    for any other, and 2 more for each run of small letters. Never below the truth for prose, code,
    random letters and base64 by ten tokenizers; `docs/budget.md` has the figures of one.
    """
    data = body.encode("utf-8", "replace")
    vowels = len(data) - len(data.translate(None, _VOWELS))
    common = len(data) - len(data.translate(None, _COMMON))
    runs = data.translate(_SMALL).count(b" a") + 1
    quarters = 4 * len(data) - 3 * vowels - common - 2 * data.count(b" ") + 2 * runs
    return min(len(data), quarters // 4 + 1)


def worst_call(input_tokens: int, max_tokens: int, rate: Rate | None) -> Price:
    """The most that one call with this input can cost; a model without a rate costs no dollars."""
    dollars = 0 if rate is None else rate.worst(input_tokens, max_tokens)
    return Price(1, input_tokens + max_tokens, dollars)
