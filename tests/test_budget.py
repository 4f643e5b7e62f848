"""Two ledgers: no share exceeds what there is, and no commit the cap, in whatever order."""

from __future__ import annotations

import asyncio
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import inf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hch.budget import (
    CURRENCIES,
    UNLIMITED,
    Bill,
    Price,
    Purse,
    parse_budget,
    power_of_two,
    root_grant,
    share,
    three_bits,
)
from hch.errors import BillExhausted, UsageError
from hch.rates import Rate, token_bound, worst_call
from hch.types import Usage

relaxed = settings(deadline=None)

WHOLE = st.integers(0, 2**60)
ANY = st.text(st.characters(codec=None, categories=None))


def prices(amounts: st.SearchStrategy[float]) -> st.SearchStrategy[Price]:
    return st.builds(Price, amounts, amounts, amounts, amounts)


FINITE = prices(WHOLE)
GRANTS = prices(WHOLE | st.just(inf))


# amounts


@relaxed
@given(WHOLE)
def test_three_bits_loses_less_than_a_quarter(n: int) -> None:
    kept = three_bits(n)
    assert kept <= n < kept * 5 / 4 or kept == n
    assert three_bits(kept) == kept
    assert len(f"{kept:b}".rstrip("0")) <= 3


@relaxed
@given(WHOLE, WHOLE)
def test_rounding_keeps_the_order(a: int, b: int) -> None:
    low, high = sorted((a, b))
    assert three_bits(low) <= three_bits(high)
    assert power_of_two(low) <= power_of_two(high)


@relaxed
@given(st.integers(1, 2**60))
def test_power_of_two_is_the_largest_not_above(n: int) -> None:
    shown = power_of_two(n)
    assert shown <= n < 2 * shown
    assert shown.bit_count() == 1


def test_nothing_stays_nothing() -> None:
    assert three_bits(0) == power_of_two(0) == 0


@relaxed
@given(FINITE, FINITE, FINITE)
def test_prices_add_up(a: Price, b: Price, c: Price) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert (a + b) - b == a
    assert (a + b).covers(a)
    assert UNLIMITED.covers(a)
    assert a.covers(b) == (a.lacks(b) == "")


@relaxed
@given(GRANTS, FINITE)
def test_what_is_left_is_never_below_nothing_and_infinity_stays(a: Price, b: Price) -> None:
    left = a - b
    assert all(n >= 0 for n in left.amounts())
    assert [n == inf for n in left.amounts()] == [n == inf for n in a.amounts()]


def test_what_is_lacking_is_said_by_currency() -> None:
    lacks = Price(1, 100, 0, inf).lacks(Price(2, 300, 0, 5))
    assert lacks == "2 calls wanted, 1 left; 300 tokens wanted, 100 left"


# the split


@relaxed
@given(GRANTS, FINITE, st.integers(1, 1000), st.booleans())
def test_shares_and_what_is_kept_never_exceed_what_is_left(
    left: Price, keep: Price, m: int, last: bool
) -> None:
    each = share(left, keep, m, last=last)
    for child, have, kept in zip(each.amounts(), left.amounts(), keep.amounts(), strict=True):
        if have == inf:
            assert child == inf
        elif have <= kept:
            assert child == 0
        else:
            spare = int(have - kept)
            assert m * child + kept <= have
            assert 4 * m * child <= (4 if last else 3) * spare
            assert child == three_bits(int(Fraction(spare) * (1 if last else Fraction(3, 4)) / m))


@relaxed
@given(FINITE, FINITE, st.integers(1, 100))
def test_a_round_that_is_not_the_last_leaves_a_quarter(left: Price, keep: Price, m: int) -> None:
    each = share(left, keep, m, last=False)
    spare = left - keep
    for child, have in zip(each.amounts(), spare.amounts(), strict=True):
        assert have - m * child >= have // 4


@relaxed
@given(GRANTS, st.integers(1, 1000))
def test_root_grants_leave_a_tenth_of_the_cap(cap: Price, roots: int) -> None:
    each = root_grant(cap, roots)
    assert each.calls >= 1
    assert each.nodes >= 1
    for name in CURRENCIES:
        whole, part = getattr(cap, name), getattr(each, name)
        if whole == inf:
            assert part == inf
        elif part > 1:
            assert part * roots <= whole * 9 // 10


def test_a_root_gets_one_call_though_the_cap_has_fewer() -> None:
    assert root_grant(Price(3, 1000, 10, 3), 10) == Price(1, 90, 0, 1)


@relaxed
@given(GRANTS, st.lists(FINITE, max_size=5))
def test_a_purse_pays_for_its_node_first(grant: Price, paid: list[Price]) -> None:
    purse = Purse(grant)
    for price in paid:
        purse.pay(price)
    assert purse.spent == sum(paid, Price(nodes=1))
    assert purse.left == grant - purse.spent


# what is typed


@pytest.mark.parametrize(
    ("text", "cap", "seconds"),
    [
        ("2usd", Price(inf, inf, 2_000_000, inf), None),
        ("2$", Price(inf, inf, 2_000_000, inf), None),
        ("0.25usd", Price(inf, inf, 250_000, inf), None),
        ("50calls", Price(50, inf, inf, inf), None),
        ("1call", Price(1, inf, inf, inf), None),
        ("200ktokens", Price(inf, 200_000, inf, inf), None),
        ("1.5mtokens", Price(inf, 1_500_000, inf, inf), None),
        ("3tok", Price(inf, 3, inf, inf), None),
        ("100nodes", Price(inf, inf, inf, 100), None),
        ("10min", UNLIMITED, 600.0),
        ("1.5h", UNLIMITED, 5400.0),
        ("0.5s", UNLIMITED, 0.5),
        (
            "2usd,50calls,200ktokens,100nodes,10min",
            Price(50, 200_000, 2_000_000, 100),
            600.0,
        ),
        (" 2 USD , 50 Calls ", Price(50, inf, 2_000_000, inf), None),
    ],
)
def test_a_budget_is_read(text: str, cap: Price, seconds: float | None) -> None:
    assert parse_budget(text) == (cap, seconds)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not an amount"),
        ("2", "is not an amount"),
        ("usd", "is not an amount"),
        ("$", "is not an amount"),
        ("2eur", "2usd, 50calls"),
        ("-2usd", "is not an amount"),
        ("1e3calls", "is not an amount"),
        ("infcalls", "is not an amount"),
        ("nancalls", "is not an amount"),
        ("2usd,", "'' is not an amount"),
        ("2usd;3calls", "is not an amount"),
        (".5usd", "is not an amount"),
        ("\uff11calls", "is not an amount"),
        ("5m", "is not an amount"),
        ("2usd,3usd", "names microusd twice"),
        ("2usd,3$", "names microusd twice"),
        ("1h,5s", "names seconds twice"),
        ("0calls", "is less than one"),
        ("0.0000001usd", "is less than one"),
        ("1.5calls", "not a whole number"),
        ("1." + "9" * 30 + "calls", "not a whole number"),
        ("0.0000015usd", "not a whole number"),
        ("0.0015ktokens", "not a whole number"),
        ("0min", "no time at all"),
    ],
)
def test_a_budget_that_is_none_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("$", r"\$")):
        parse_budget(text)


@relaxed
@given(st.decimals(min_value="0.01", max_value="100000", places=2))
@example(Decimal("2.01"))
def test_dollars_and_millions_are_read_exactly(amount: Decimal) -> None:
    exact = int(amount * 1_000_000)
    assert parse_budget(f"{amount}usd")[0].microusd == exact
    assert parse_budget(f"{amount}mtokens")[0].tokens == exact


@relaxed
@given(ANY)
@example("9" * 5000 + "calls")
@example("9" * 400 + "h")
@example("٣calls")
def test_any_text_is_a_budget_or_a_usage_error(text: str) -> None:
    try:
        cap, seconds = parse_budget(text)
    except UsageError:
        return
    assert all(n == inf or n == int(n) >= 1 for n in cap.amounts())
    assert seconds is None or seconds > 0


# what a call costs

TOKENS = st.integers(0, 1_000_000)
USAGES = st.builds(Usage, TOKENS, TOKENS, TOKENS)
DOLLARS = st.integers(0, 1_000_000).map(lambda n: n / 10_000)


@relaxed
@given(USAGES, DOLLARS, DOLLARS, st.none() | DOLLARS)
def test_the_true_price_is_exact_and_rounded_up(
    usage: Usage, input_: float, output: float, cached: float | None
) -> None:
    usage = Usage(usage.input, usage.output, min(usage.cached, usage.input))
    again = input_ if cached is None else cached
    fresh = usage.input - usage.cached
    exact = (
        fresh * Decimal(str(input_))
        + usage.cached * Decimal(str(again))
        + usage.output * Decimal(str(output))
    )
    rounded = exact.to_integral_value(rounding=ROUND_CEILING)
    assert Rate(input_, output, cached).cost(usage) == rounded


def test_a_long_prompt_has_its_own_price() -> None:
    rate = Rate(1.0, 2.0, longer=((100, Rate(3.0, 4.0, 1.0)), (200, Rate(0.5, 0.5))))
    assert rate.cost(Usage(100, 10)) == 120
    assert rate.cost(Usage(101, 10, 100)) == 3 + 100 + 40
    assert rate.uncached(Usage(101, 10, 100)) == 303 + 40
    assert rate.cost(Usage(201, 10)) == 106
    assert rate.worst(201, 10) == 643  # a shorter prompt may cost more
    assert (rate.at_most(100, 1), rate.at_most(101, 3)) == (201, 407)
    assert not Rate(longer=((5, Rate(1.0)),)).free


@relaxed
@given(USAGES, DOLLARS, DOLLARS)
def test_a_grant_pays_cached_input_as_fresh(usage: Usage, input_: float, output: float) -> None:
    usage = Usage(usage.input, usage.output, min(usage.cached, usage.input))
    rate = Rate(input_, output, input_ / 10)
    assert rate.uncached(usage) == rate.cost(Usage(usage.input, usage.output))
    assert rate.cost(usage) <= rate.uncached(usage)


@relaxed
@given(USAGES, DOLLARS, DOLLARS, DOLLARS)
def test_no_usage_earns_money(usage: Usage, input_: float, output: float, cached: float) -> None:
    assert Rate(input_, output, cached).cost(usage) >= 0


def test_a_free_model_costs_nothing_and_one_without_a_rate_no_dollars() -> None:
    assert Rate().cost(Usage(10**9, 10**9, 10**9)) == 0
    assert worst_call(10, 20, None) == Price(1, 30, 0, 0)


@relaxed
@given(TOKENS, TOKENS, TOKENS, TOKENS, DOLLARS, DOLLARS)
def test_nothing_within_the_worst_case_costs_more(
    input_: int, output: int, more: int, longer: int, in_rate: float, out_rate: float
) -> None:
    rate = Rate(in_rate, out_rate, in_rate / 2)
    worst = worst_call(input_ + more, output + longer, rate)
    assert worst.covers(Price(1, input_ + output, rate.cost(Usage(input_, output, input_ // 2))))


@relaxed
@given(ANY, ANY)
def test_more_text_has_no_fewer_tokens(a: str, b: str) -> None:
    assert token_bound(a) <= token_bound(a + b) <= token_bound(a) + token_bound(b) + 1
    assert 0 <= token_bound(a) <= len(a.encode("utf-8", "replace"))


def test_a_bound_is_low_for_words_and_a_token_a_byte_for_anything_odd() -> None:
    assert token_bound("") == 0
    assert token_bound("the rivers of france " * 100) < 2100 * 0.75
    assert token_bound("JQXZVK" * 100) == 600
    assert token_bound("123.") == 4
    assert token_bound("é") == 2
    assert token_bound("\ud800") == 1


# the bill


async def settled() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


class Payers:
    """Calls that reserve on a bill, and are settled or given up by hand; checks the cap always."""

    def __init__(self, bill: Bill) -> None:
        self.bill = bill
        self.waiting: dict[asyncio.Task[None], Price] = {}
        self.flying: list[Price] = []
        self.order: list[int] = []
        self.exhausted = 0
        self._numbers = 0

    def come(self, worst: Price) -> None:
        number, self._numbers = self._numbers, self._numbers + 1
        task = asyncio.create_task(self._reserve(number, worst))
        self.waiting[task] = worst

    async def _reserve(self, number: int, worst: Price) -> None:
        try:
            await self.bill.reserve(worst)
        except BillExhausted:
            assert not self.flying, "exhausted while another was in flight"
            self.exhausted += 1
        else:
            self.order.append(number)
            self.flying.append(worst)
        finally:
            task = asyncio.current_task()
            assert task is not None
            self.waiting.pop(task, None)

    def settle(self, i: int, part: int) -> None:
        worst = self.flying.pop(i % len(self.flying))
        self.bill.settle(worst, worst.map(lambda n: n * part // 4))

    async def leave(self, i: int) -> None:
        task = list(self.waiting)[i % len(self.waiting)]
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() or task not in self.waiting

    def check(self) -> None:
        assert self.bill.reserved == sum(self.flying, Price())
        assert self.bill.cap.covers(self.bill.spent + self.bill.reserved)
        assert self.bill.overshoot == Price()
        assert self.order == sorted(self.order), "served out of turn"
        if self.waiting:
            first = next(iter(self.waiting.values()))
            committed = self.bill.spent + self.bill.reserved
            assert self.flying, "a waiter with nobody in flight waits for ever"
            assert not self.bill.cap.covers(committed + first), "room for the first in the queue"


ATTEMPTS = st.builds(Price, st.just(1), st.integers(1, 12), st.integers(0, 4))
CAPS = st.builds(
    Price, *(st.just(inf) | st.integers(*most) for most in ((4, 30), (9, 50), (3, 20)))
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), ATTEMPTS),
        st.tuples(st.just("come"), ATTEMPTS),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 4)),
        st.tuples(st.just("leave"), st.integers(0, 9)),
    ),
    min_size=12,
    max_size=40,
)


@relaxed
@given(CAPS, STEPS)
async def test_in_any_order_the_bill_never_exceeds_its_cap(
    cap: Price, steps: list[tuple[object, ...]]
) -> None:
    payers = Payers(Bill(cap))
    for step in steps:
        match step:
            case ("come", Price() as worst):
                payers.come(worst)
            case ("settle", int(i), int(part)) if payers.flying:
                payers.settle(i, part)
            case ("leave", int(i)) if payers.waiting:
                await payers.leave(i)
        await settled()
        payers.check()
    while payers.flying:
        payers.settle(0, 4)
        await settled()
        payers.check()
    assert not payers.waiting


async def test_those_who_wait_are_served_in_their_turn_when_there_is_room() -> None:
    payers = Payers(Bill(Price(inf, 10, inf, inf)))
    for tokens in (10, 6, 4, 1):
        payers.come(Price(1, tokens))
    await settled()
    assert payers.order == [0]
    payers.settle(0, 0)
    await settled()
    assert payers.order == [0, 1, 2]
    payers.settle(0, 0)
    await settled()
    assert payers.order == [0, 1, 2, 3]


async def test_a_small_one_does_not_overtake_a_large_one_that_waits() -> None:
    payers = Payers(Bill(Price(inf, 10, inf, inf)))
    for tokens in (6, 8, 1):
        payers.come(Price(1, tokens))
    await settled()
    assert payers.order == [0]


async def test_when_the_first_in_the_queue_leaves_the_next_one_is_served() -> None:
    payers = Payers(Bill(Price(inf, 10, inf, inf)))
    for tokens in (6, 8, 4):
        payers.come(Price(1, tokens))
    await settled()
    await payers.leave(0)
    await settled()
    assert payers.order == [0, 2]
    payers.check()


async def test_one_who_leaves_at_the_moment_of_being_served_gives_the_room_back() -> None:
    bill = Bill(Price(inf, 10, inf, inf))
    await bill.reserve(Price(1, 10))
    waiter = asyncio.create_task(bill.reserve(Price(1, 10)))
    await settled()
    bill.settle(Price(1, 10), Price())
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert bill.reserved == Price()
    await bill.reserve(Price(1, 10))


async def test_the_bill_is_exhausted_only_when_nothing_is_in_flight() -> None:
    bill = Bill(Price(2, inf, inf, inf))
    await bill.reserve(Price(1))
    await bill.reserve(Price(1))
    waiter = asyncio.create_task(bill.reserve(Price(1)))
    bill.settle(Price(1), Price(1))
    await settled()
    assert not waiter.done()
    bill.settle(Price(1), Price(1))
    with pytest.raises(BillExhausted, match="1 call wanted, 0 left"):
        await waiter
    with pytest.raises(BillExhausted):
        await bill.reserve(Price(1))


async def test_one_who_leaves_at_the_moment_of_exhaustion_leaves_no_trace() -> None:
    bill = Bill(Price(1, inf, inf, inf))
    await bill.reserve(Price(1))
    waiter = asyncio.create_task(bill.reserve(Price(1)))
    await settled()
    bill.settle(Price(1), Price(1))
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert bill.reserved == Price()


async def test_a_resumed_bill_begins_with_what_is_gone() -> None:
    bill = Bill(Price(5, inf, inf, inf), Price(4, 100, 100))
    await bill.reserve(Price(1, 10, 10))
    bill.settle(Price(1, 10, 10), Price(1, 5, 5))
    assert bill.spent == Price(5, 105, 105)
    with pytest.raises(BillExhausted):
        await bill.reserve(Price(1))


async def test_more_than_was_reserved_is_settled_as_it_is_and_shown() -> None:
    bill = Bill(Price(5, 100, inf, inf))
    await bill.reserve(Price(1, 10, 10))
    bill.settle(Price(1, 10, 10), Price(1, 250, 90))
    assert bill.spent == Price(1, 250, 90)
    assert bill.overshoot == Price(0, 240, 0)  # dollars have no cap here
    assert bill.reserved == Price()


async def test_less_in_one_call_does_not_hide_more_in_another() -> None:
    bill = Bill(Price(5, 100, inf, inf))
    for true in (60, 0):
        await bill.reserve(Price(1, 40))
        bill.settle(Price(1, 40), Price(1, true))
    assert bill.overshoot == Price(0, 20)


async def test_without_a_cap_nobody_waits() -> None:
    bill = Bill()
    await asyncio.gather(*(bill.reserve(Price(1, 10**9, 10**9)) for _ in range(1000)))
    assert bill.reserved.calls == 1000
