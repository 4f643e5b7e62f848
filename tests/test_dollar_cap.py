"""A cap in dollars is never exceeded, whatever the prices and the usages that were reserved for."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch import HCH, Completion, Request, ScriptedModel, Trace
from hch.budget import Price
from hch.errors import BillExhausted
from hch.events import CallFailed, CallFinished, CallIntended, Event
from hch.rates import Rate
from hch.types import Usage, digest
from tests.support import Plan, memory, regular, rough

PRICES = st.floats(0.0, 100.0, allow_nan=False)
MAYBE = st.none() | PRICES
FLAT = st.builds(Rate, PRICES, PRICES, MAYBE, MAYBE, MAYBE)


def ascending(rates: dict[int, Rate]) -> tuple[tuple[int, Rate], ...]:
    return tuple((above, rates[above]) for above in sorted(rates))


LONGER = st.dictionaries(st.integers(0, 2000), FLAT, max_size=2)
RATES = st.builds(Rate, PRICES, PRICES, MAYBE, MAYBE, MAYBE, LONGER.map(ascending))
"""Prices of prompts of any length, and of long ones."""


USAGES = st.builds(
    lambda read, wrote, cached, thought, kept: Usage(
        read, wrote, min(cached, read), min(thought, wrote), min(kept, max(0, read - cached))
    ),
    *[st.integers(0, 4000)] * 5,
)


class Watch:
    """Adds up the bill at every event, as it would stand if nothing more were known."""

    def __init__(self) -> None:
        self.spent = self.reserved = 0.0
        self.most = 0.0
        self._worst: dict[tuple[str, int], float] = {}

    def __call__(self, event: Event) -> None:
        match event:
            case CallIntended():
                self._worst[event.request, event.attempt] = event.worst.microusd
                self.reserved += event.worst.microusd
            case CallFinished() | CallFailed():
                self.reserved -= self._worst.pop((event.request, event.attempt))
                self.spent += event.price.microusd
        self.most = max(self.most, self.spent + self.reserved)


def spends(seed: int) -> ScriptedModel:
    """A random mind, whose every call uses any share of what was reserved for it."""
    plan = Plan(seed, trouble=0.05)

    def say(request: Request) -> Completion:
        rng = Random(digest(seed, "usage", request.call))
        said = plan(request)
        if isinstance(said, Exception):
            raise said
        made = said if isinstance(said, Completion) else Completion(said)
        read = rng.choice([request.bound, rng.randint(0, request.bound)])
        most = request.sampling.max_tokens or 0
        wrote = rng.choice([most, rng.randint(0, most)])
        usage = Usage(read, wrote, rng.randint(0, read), rng.randint(0, wrote))
        return Completion(made.text, made.finish, usage)

    return ScriptedModel(say, **rough(seed))


@settings(deadline=None)
@given(rate=RATES, usage=USAGES)
def test_what_a_call_costs_is_at_least_a_share_and_at_most_the_highest_rate(
    rate: Rate, usage: Usage
) -> None:
    cost = rate.cost(usage)
    assert int(rate.lowest_share * rate.uncached(usage)) <= cost <= rate.highest.uncached(usage)
    assert (
        cost <= rate.worst(usage.input, usage.output) <= rate.worst(usage.input + 1, usage.output)
    )
    assert cost <= rate.at_most(usage.input + usage.output, 1)


@settings(deadline=None)
@given(rate=RATES, usages=st.lists(USAGES, max_size=9))
def test_tokens_cost_no_more_than_they_can_however_they_are_parted(
    rate: Rate, usages: list[Usage]
) -> None:
    tokens = sum(usage.input + usage.output for usage in usages)
    assert sum(map(rate.cost, usages)) <= rate.at_most(tokens, len(usages))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6),
    rate=RATES,
    cap=st.integers(1, 5_000_000),
    strategy=st.sampled_from(["factored", "consult"]),
)
async def test_a_dollar_cap_is_never_exceeded(
    seed: int, rate: Rate, cap: int, strategy: str
) -> None:
    model = spends(seed)
    model.rate = rate
    budget = f"{cap / 1e6:.6f}usd"
    hch = HCH(depth=2, model=model, strategy=strategy, store=memory(), budget=budget, pause=0.0)
    run, watch = hch.begin(["Why is the sky blue?"]), Watch()
    run.watch = watch
    with suppress(BillExhausted):
        await run.finish()
    assert watch.most <= cap
    trace = Trace(hch.kept_in.events(run.id))
    assert trace.stopped is None or "reported more" not in trace.stopped.reason
    assert trace.bill.microusd <= cap
    assert watch.spent == sum(call.price.microusd for call in trace.calls.values())


async def test_a_usage_above_the_reservation_stops_the_run_and_is_shown() -> None:
    say = regular(2)

    def more(request: Request) -> Completion:
        return Completion(say(request), usage=Usage(10**6, 10))

    model = ScriptedModel(more, rate=Rate(1.0, 2.0))
    hch = HCH(depth=1, model=model, store=memory(), budget="1usd", pause=0.0)
    run = hch.begin(["Why?"])
    with pytest.raises(BillExhausted, match=r"reported more .* over by .* micro-dollars"):
        await run.finish()
    trace = Trace(hch.kept_in.events(run.id))
    assert trace.bill.microusd == 1_000_020
    assert trace.stopped is not None
    assert trace.stopped.kind == "BillExhausted"
    assert Price(microusd=trace.cap.microusd) == Price(microusd=1_000_000)
