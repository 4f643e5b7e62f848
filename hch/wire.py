"""What values look like as bytes: frozen models that take nothing unknown."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Annotated, Any, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, InstanceOf, PlainSerializer, PlainValidator

from hch.budget import Price
from hch.rates import Rate
from hch.types import Ballot, Text

Chars: TypeAlias = InstanceOf[str]
"""Any Python string: unlike pydantic's own, lone surrogates pass."""


def _amount(value: Any) -> float:
    if value is None:
        return inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError("not an amount")
    return value


Amount: TypeAlias = Annotated[
    float, PlainValidator(_amount), PlainSerializer(lambda n: None if n == inf else n)
]


class Wire(BaseModel):
    """What enters or leaves as bytes: frozen, and nothing unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Amounts(Wire):
    """A `Price` on the wire; null is infinity."""

    calls: Amount
    tokens: Amount
    microusd: Amount
    nodes: Amount

    @classmethod
    @lru_cache(maxsize=1024)  # most nodes of a tree get and spend what others do
    def of(cls, price: Price) -> Amounts:
        calls, tokens, microusd, nodes = price.amounts()
        return cls(calls=calls, tokens=tokens, microusd=microusd, nodes=nodes)

    def price(self) -> Price:
        return Price(self.calls, self.tokens, self.microusd, self.nodes)


class PerToken(Wire):
    """A `Rate` on the wire, but for that of long prompts."""

    input: float
    output: float
    cached: float | None = None
    reasoning: float | None = None
    cache_write: float | None = None

    @classmethod
    def of(cls, rate: Rate, **more: Any) -> Self:
        return cls(
            input=rate.input,
            output=rate.output,
            cached=rate.cached,
            reasoning=rate.reasoning,
            cache_write=rate.cache_write,
            **more,
        )

    def rate(self) -> Rate:
        return Rate(self.input, self.output, self.cached, self.reasoning, self.cache_write)


class Tariff(PerToken):
    """A whole `Rate` on the wire."""

    longer: tuple[tuple[int, PerToken], ...] = ()

    @classmethod
    def of(cls, rate: Rate, **more: Any) -> Self:
        longer = tuple((above, PerToken.of(long)) for above, long in rate.longer)
        return super().of(rate, longer=longer, **more)

    def rate(self) -> Rate:
        longer = tuple((above, long.rate()) for above, long in self.longer)
        return replace(super().rate(), longer=longer)


class Polled(Wire):
    """A `Ballot` on the wire."""

    votes: tuple[tuple[Chars, int], ...]
    tries: int
    of: int

    @classmethod
    def of_ballot(cls, ballot: Ballot) -> Polled:
        return cls(votes=ballot.votes, tries=ballot.tries, of=ballot.of)

    def ballot(self) -> Ballot:
        return Ballot(self.votes, self.tries, self.of)


class Words(Wire):
    """A `Text` on the wire."""

    body: Chars
    source: str
    trusted: bool

    @classmethod
    def of(cls, text: Text) -> Words:
        return cls(body=text.body, source=text.source, trusted=text.trusted)

    def text(self) -> Text:
        return Text(self.body, self.source, self.trusted)
