"""What the calls to one endpoint share: turns, a window, pauses, limits. Time is virtual."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hch import HCH
from hch.endpoints import Endpoint
from hch.errors import ConfigError, DeadEndpoint, ModelError, TransientModelError
from hch.events import CallGivenUp
from hch.journal import Journal
from hch.lanes import Bucket, Sent
from hch.middleware import Retrying, Throttled
from hch.types import Completion, RateLimit, RateLimits, Request, Sampling, Usage
from tests.support import decomposition, memory
from tests.virtual import (
    RUN,
    Provider,
    Store,
    VirtualTime,
    busy,
    good,
    late,
    living,
    outcome,
    question,
    settled,
    wrong,
)

relaxed = settings(deadline=None)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": VirtualTime}


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def journal(store: Store) -> Journal:
    return Journal(store, RUN, lambda: 0.0)


# whose turn it is


class Fates:
    """Takes its time over each request, and counts how many it has at once.

    A question is the seconds it lasts, what comes of it, and a name.
    """

    def __init__(self) -> None:
        self.flying = self.most = 0
        self.order: list[str] = []

    async def __call__(self, request: Request) -> Completion:
        self.flying += 1
        self.most = max(self.most, self.flying)
        self.order.append(request.question)
        lasts, fate = request.question.split()[:2]
        try:
            await asyncio.sleep(float(lasts))
        finally:
            self.flying -= 1
        little = RateLimits(RateLimit(5, 1, 10.0), RateLimit(100, 0, 4.0))
        errors = {"fails": late(), "busy": busy(), "pauses": busy(3.0), "short": busy(1.0, little)}
        if fate in errors:
            raise errors[fate]
        return replace(good(), limits=little if fate == "limited" else None)


CALLERS = st.lists(
    st.tuples(
        st.integers(0, 6),  # when it comes
        st.integers(0, 3),  # its level
        st.integers(0, 3),  # how long it takes
        st.sampled_from(["fails", "busy", "pauses", "short", "limited", "succeeds"]),
        st.none() | st.integers(0, 12),  # when it is cancelled
        st.integers(0, 1),  # its model
    ),
    min_size=1,
    max_size=14,
)


@relaxed
@given(st.integers(1, 3), CALLERS)
@example(1, [(0, 0, 1, "fails", None, 0), (0, 0, 1, "fails", 1, 0), (0, 0, 1, "succeeds", None, 0)])
async def test_no_more_than_the_ceiling_fly_and_whoever_leaves_holds_nobody_up(
    ceiling: int, callers: list[tuple[int, int, int, str, int | None, int]]
) -> None:
    fates, endpoint = Fates(), Endpoint("e", ceiling, pause=1.0)
    models = [Throttled(Provider(fates, name), endpoint) for name in ("small", "large")]

    async def call(i: int, caller: tuple[int, int, int, str, int | None, int]) -> Completion:
        comes, level, lasts, fate, _, model = caller
        await asyncio.sleep(comes)
        return await models[model].complete(question(f"{lasts} {fate} {i}", level=level))

    tasks = [asyncio.create_task(call(i, caller)) for i, caller in enumerate(callers)]
    loop = asyncio.get_running_loop()
    for task, caller in zip(tasks, callers, strict=True):
        if caller[4] is not None:
            loop.call_later(caller[4], task.cancel)
    await asyncio.wait(tasks)
    assert (endpoint.flying, endpoint.waiting) == (0, 0)
    for task, (*_, fate, cancelled, _) in zip(tasks, callers, strict=True):
        if cancelled is None:
            good = fate in ("succeeds", "limited")
            assert isinstance(task.exception(), TransientModelError) != good
    await asyncio.gather(*(models[i % 2].complete(question(f"1 succeeds {i}")) for i in range(9)))
    assert fates.most <= ceiling
    assert (endpoint.flying, endpoint.waiting, fates.flying) == (0, 0, 0)


async def test_who_leaves_at_the_moment_of_its_turn_passes_it_on() -> None:
    endpoint = Endpoint("e", 1)
    lane = endpoint.lanes["m"]
    assert endpoint.enter(lane, question())
    waiters = [asyncio.create_task(endpoint.turn(lane, question())) for _ in range(2)]
    await settled()
    endpoint.leave()
    waiters[0].cancel()
    await asyncio.wait(waiters)
    assert [waiter.cancelled() for waiter in waiters] == [True, False]
    assert (endpoint.flying, endpoint.waiting) == (1, 0)


async def test_who_may_be_sent_at_once_does_not_wait_one_turn_of_the_loop() -> None:
    told = replace(good(), limits=RateLimits(RateLimit(9, 8, 1.0), RateLimit(999, 900, 1.0)))
    model = Throttled(Provider([told]), Endpoint("e", 1))
    for _ in range(3):
        with pytest.raises(StopIteration):
            model.complete(question()).send(None)


@relaxed
@given(st.lists(st.integers(0, 3), max_size=8))
async def test_the_lowest_level_goes_first_and_equals_in_turn(levels: list[int]) -> None:
    fates, endpoint = Fates(), Endpoint("e", 1)
    models = [Throttled(Provider(fates, name), endpoint) for name in ("small", "large")]
    names = [f"1 succeeds {i} of level {level}" for i, level in enumerate(levels)]
    calls = [question("1 succeeds first", level=9)]
    calls += [question(name, level=level) for name, level in zip(names, levels, strict=True)]
    await asyncio.gather(*(models[i % 2].complete(call) for i, call in enumerate(calls)))
    assert fates.order[1:] == [names[i] for i in sorted(range(len(levels)), key=levels.__getitem__)]


async def test_those_who_wait_and_leave_hold_nobody_up() -> None:
    fates, endpoint = Fates(), Endpoint("e", 1)
    model = Throttled(Provider(fates), endpoint)
    calls = [asyncio.create_task(model.complete(question(f"1 succeeds {i}"))) for i in range(4)]
    await settled()
    calls[1].cancel()
    calls[2].cancel()
    await asyncio.wait(calls)
    assert fates.order == ["1 succeeds 0", "1 succeeds 3"]
    assert (endpoint.flying, endpoint.waiting) == (0, 0)


# pauses


async def test_one_retry_after_stops_everybody() -> None:
    loop, begun = asyncio.get_running_loop(), dict[str, float]()

    async def does(request: Request) -> Completion:
        begun[request.question] = loop.time()
        pause = {"first": 30.0, "second": 10.0}.get(request.question)
        await asyncio.sleep(1)
        if pause:
            raise busy(pause)
        return good()

    endpoint = Endpoint("e", 2)
    model, other = (Throttled(Provider(does), endpoint) for _ in range(2))
    start = loop.time()
    names = ["first", "second", "third", "fourth"]
    await asyncio.gather(*(outcome(model.complete(question(name))) for name in names))
    await other.complete(question("fifth"))
    assert {name: round(at - start) for name, at in begun.items()} == {
        "first": 0,
        "second": 0,
        "third": 31,  # the longer of the two pauses
        "fourth": 32,  # and half the window
        "fifth": 33,
    }


async def test_another_endpoint_does_not_pause() -> None:
    loop = asyncio.get_running_loop()
    await outcome(Throttled(Provider([busy(60.0)]), Endpoint("a", 1)).complete(question()))
    before = loop.time()
    await Throttled(Provider([good()]), Endpoint("b", 1)).complete(question())
    assert loop.time() == before


async def test_who_leaves_in_a_pause_is_never_sent_and_keeps_nobody() -> None:
    endpoint = Endpoint("e", 1)
    provider = Provider([busy(60.0), good()])
    model = Throttled(provider, endpoint)
    await outcome(model.complete(question()))
    leaver = asyncio.create_task(model.complete(question()))
    await asyncio.sleep(5)
    leaver.cancel()
    await asyncio.wait([leaver])
    assert (endpoint.flying, endpoint.waiting) == (0, 0)
    assert len(provider.sent) == 1
    await model.complete(question())
    assert asyncio.get_running_loop().time() == 60


@pytest.mark.parametrize(
    ("retry_after", "sent"), [(None, 0.0), (0.0, 0.0), (0.05, 0.05), (600.0, 600.0)]
)
async def test_the_next_call_is_sent_when_the_endpoint_said(
    retry_after: float | None, sent: float
) -> None:
    model = Throttled(Provider([busy(retry_after), good()]), Endpoint("e", 4))
    await outcome(model.complete(question()))
    await model.complete(question())
    assert asyncio.get_running_loop().time() == pytest.approx(sent)


async def test_a_pause_can_become_longer_while_calls_wait_for_its_end() -> None:
    async def does(request: Request) -> Completion:
        if request.question in ("1", "2"):
            await asyncio.sleep(int(request.question))
            raise busy(10.0 * int(request.question))
        return good()

    model = Throttled(Provider(does), Endpoint("e", 2))
    first = [asyncio.create_task(outcome(model.complete(question(q)))) for q in "12"]
    await asyncio.sleep(1.5)
    await model.complete(question("3"))
    assert asyncio.get_running_loop().time() == 22
    await asyncio.gather(*first)


@relaxed
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
async def test_after_a_pause_the_lowest_level_goes_first_and_equals_in_turn(
    levels: list[int],
) -> None:
    fates = Fates()
    model = Throttled(Provider(fates), Endpoint("e", 4))
    await outcome(model.complete(question("0 pauses first")))
    names = [f"{1 + i / 100} succeeds {i} of level {level}" for i, level in enumerate(levels)]
    calls = [question(name, level=level) for name, level in zip(names, levels, strict=True)]
    await asyncio.gather(*map(model.complete, calls))
    order = [int(name.split()[2]) for name in fates.order[1:]]
    assert order == sorted(range(len(levels)), key=levels.__getitem__)


async def test_an_endpoint_that_can_be_asked_no_less_is_left_alone_for_longer_and_longer() -> None:
    times = []

    async def does(request: Request) -> Completion:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 10:
            return good()
        raise busy()

    model = Throttled(Provider(does), Endpoint("e", 1, pause=2.0))
    for _ in range(12):
        await outcome(model.complete(question()))
    waits = [later - sooner for sooner, later in pairwise(times)]
    for wait, most in zip(waits, [2, 4, 8, 16, 32, 64, 128, 200, 200, 0, 2], strict=True):
        assert most / 2 <= wait <= most


# the window


@relaxed
@given(st.integers(1, 64), st.lists(st.tuples(st.sampled_from("sgb"), st.integers(0, 99))))
async def test_a_reply_widens_the_window_by_its_reciprocal_and_a_round_halves_it_once(
    ceiling: int, moves: list[tuple[str, int]]
) -> None:
    endpoint = Endpoint("e", ceiling)
    lane, flying, old = endpoint.lanes["m"], list[Sent](), set[int]()
    for move, which in moves:
        if move == "s" and (sent := endpoint.enter(lane, question())):
            flying.append(sent)
        elif move != "s" and flying:
            sent, before = flying.pop(which % len(flying)), endpoint.window
            after = before
            if move == "g":
                endpoint.completed(lane, sent, good())
                after = before if sent.number in old else min(ceiling, before + 1 / before)
            else:
                endpoint.failed(lane, sent, busy())
                if sent.number not in old:
                    after, old = max(1, before / 2), {s.number for s in flying}
            endpoint.leave()
            assert endpoint.window == pytest.approx(after)
        assert 1 <= endpoint.window <= ceiling
        assert endpoint.flying == len(flying) <= ceiling


async def test_other_faults_leave_the_window_as_it_is() -> None:
    endpoint = Endpoint("e", 8)
    for error in (late(), wrong(), TransientModelError("x", kind="http 503", retry_after=1.0)):
        await outcome(Throttled(Provider([error]), endpoint).complete(question()))
    assert endpoint.window == 8


class Crowded:
    """A provider that takes so many requests at once, and answers 429 to any more."""

    def __init__(self, capacity: int, lasts: float = 1.0) -> None:
        self.capacity = capacity
        self.lasts = lasts
        self.working = self.asked = 0
        self.random = random.Random(capacity)

    async def __call__(self, request: Request) -> Completion:
        await asyncio.sleep(0.02 * self.random.random())
        self.asked += 1
        if self.working >= self.capacity:
            await asyncio.sleep(0.02)
            raise busy()
        self.working += 1
        await asyncio.sleep(self.lasts * self.random.uniform(0.8, 1.2))
        self.working -= 1
        await asyncio.sleep(0.02 * self.random.random())
        return good()


class Calling:
    """Many calls to one provider through an endpoint of their own, as one process makes them."""

    def __init__(self, provider: Callable[[Request], Any], calls: Sequence[Request]) -> None:
        random.seed(len(calls))
        self.answered = self.given_up = 0
        endpoint, journal = Endpoint("e", 64, 0.5), Journal(Store(), RUN, lambda: 0.0)
        model = Throttled(Provider(provider), endpoint)
        self._model = Retrying(model, journal, endpoint, 6, 0.5)
        self._calls = calls

    async def __call__(self) -> None:
        await asyncio.gather(*map(self._one, self._calls))

    async def _one(self, request: Request) -> None:
        came = await outcome(self._model.complete(request))
        self.answered += isinstance(came, Completion)
        self.given_up += not isinstance(came, Completion)


def many(n: int) -> list[Request]:
    return [question(f"q{i}", level=i % 3) for i in range(n)]


@pytest.mark.parametrize("capacity", [1, 2, 3, 5, 8, 13, 21, 34, 55, 63, 64])
async def test_the_window_finds_how_much_a_provider_takes(capacity: int) -> None:
    provider = Crowded(capacity)
    calling = Calling(provider, many(500))
    await calling()
    assert (calling.answered, calling.given_up) == (500, 0)
    assert provider.asked < 2 * 500
    assert asyncio.get_running_loop().time() < 2 * 500 / capacity


@pytest.mark.parametrize("capacity", [1, 2, 8])
async def test_a_burst_over_a_small_limit_gives_nobody_up_while_the_endpoint_is_busy(
    capacity: int,
) -> None:
    calling = Calling(Crowded(capacity, lasts=300.0), many(64))
    await calling()
    assert (calling.answered, calling.given_up) == (64, 0)


@pytest.mark.parametrize("capacity", [2, 5, 13, 34, 64])
async def test_two_processes_share_what_a_provider_takes(capacity: int) -> None:
    provider = Crowded(capacity)
    two = [Calling(provider, many(1000)) for _ in range(2)]
    tasks = [asyncio.create_task(calling()) for calling in two]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    answered = [calling.answered for calling in two]
    assert min(answered) >= sum(answered) / 3
    await asyncio.gather(*tasks)
    assert [calling.given_up for calling in two] == [0, 0]


# limits a minute


async def test_what_says_nothing_of_limits_is_not_waited_for() -> None:
    bucket = Bucket()
    for now in (0.0, 1.0):
        assert bucket.wait(10**9, now) == 0
        bucket.take(10**9, now)
    bucket.hear(RateLimit(0, 0, 60.0), inf, 0.0, 1.0)
    assert bucket.wait(10**9, 1.0) == 0


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        (RateLimit(600, 0, 60.0), 10.0),
        (RateLimit(600, 0, 6.0), 100.0),
        (RateLimit(600, 599, 0.1), 10.0),
        (RateLimit(600, 600, 0.0), 10.0),
        (RateLimit(600, 0, 0.0), 10.0),
        (RateLimit(600, -5, 60.0), 10.0),
        (RateLimit(600, 900, 60.0), 10.0),
        (RateLimit(600, 0, inf), 10.0),
        (RateLimit(600, 0, nan), 10.0),
        (RateLimit(600, 0, 1e-320), 10.0),
    ],
)
def test_a_limit_grows_as_fast_as_the_endpoint_says(told: RateLimit, rate: float) -> None:
    bucket = Bucket()
    bucket.hear(told, bucket.take(1, 0.0), 0.0, 0.0)
    assert bucket.rate == pytest.approx(rate)
    assert 0 <= bucket.level <= 600


def test_what_was_taken_since_comes_off_and_what_has_grown_comes_on() -> None:
    bucket = Bucket()
    first, second = bucket.take(100, 0.0), bucket.take(50, 1.0)
    bucket.hear(RateLimit(600, 300, 30.0), first, 0.0, 5.0)
    assert bucket.level == 300 + 5 * 10 - 50
    bucket.hear(RateLimit(600, 300, 30.0), second, 1.0, 5.0)
    assert bucket.level == 300 + 4 * 10
    bucket.hear(RateLimit(600, 0, 60.0), first, 0.0, 6.0)
    assert bucket.level == 300 + 4 * 10, "an older call's reply is no news"
    assert bucket.wait(340 - 30, 5.0) == 0
    assert bucket.wait(340, 5.0) == pytest.approx(3.0)
    assert bucket.wait(10**6, 5.0) == pytest.approx(26.0), "more than the limit is never there"


def test_a_limit_that_is_not_heard_of_again_is_forgotten() -> None:
    bucket = Bucket()
    bucket.hear(RateLimit(10**6, 10**6 - 1, 59.0), bucket.take(1, 0.0), 0.0, 0.0)
    bucket.take(10**6, 0.0)
    assert bucket.wait(1, 0.0) == 60
    assert bucket.wait(1, 60.0) == 0


class Metered:
    """A provider with so many tokens a minute, that grow evenly; each reply says what is left."""

    def __init__(self, limit: int, *, lasts: float = 2.0, late: bool = False) -> None:
        self.limit = limit
        self.lasts = lasts
        self.late = late
        self.left, self.at = float(limit), 0.0
        self.asked = self.refused = self.used = 0
        self.random = random.Random(limit)

    async def __call__(self, request: Request) -> Completion:
        await asyncio.sleep(0.02 * self.random.random())
        usage = Usage(self.random.randint(300, 700), self.random.randint(50, 400))
        self.asked += 1
        limits = self.limits()
        if self.left < usage.input + usage.output:
            self.refused += 1
            raise busy(limits=limits)
        self.left -= usage.input + usage.output
        self.used += usage.input + usage.output
        limits = self.limits()
        await asyncio.sleep(self.lasts * self.random.uniform(0.5, 1.5))
        return replace(good(usage=usage), limits=self.limits() if self.late else limits)

    def limits(self) -> RateLimits:
        now = asyncio.get_running_loop().time()
        self.left = min(self.limit, self.left + self.limit / 60 * (now - self.at))
        self.at = now
        reset = 60 * (1 - self.left / self.limit)
        return RateLimits(tokens=RateLimit(self.limit, int(self.left), reset))


@pytest.mark.parametrize("late", [False, True], ids=["counts at once", "counts at the end"])
@pytest.mark.parametrize("lasts", [2.0, 30.0])
async def test_a_limit_of_tokens_is_used_up_and_hardly_ever_run_into(
    lasts: float, *, late: bool
) -> None:
    provider = Metered(60_000, lasts=lasts, late=late)
    calls = [replace(call, bound=1500, sampling=Sampling(max_tokens=1000)) for call in many(1000)]
    calling = Calling(provider, calls)
    await calling()
    assert (calling.answered, calling.given_up) == (1000, 0)
    assert provider.refused < 0.02 * provider.asked
    assert provider.used >= 0.8 * 1000 * asyncio.get_running_loop().time()


async def test_who_waits_for_tokens_goes_by_level_too_and_another_model_is_not_held_up() -> None:
    order: list[str] = []

    async def does(request: Request) -> Completion:
        order.append(request.question)
        return replace(good(), limits=RateLimits(tokens=RateLimit(100, 0, 60.0)))

    endpoint = Endpoint("e", 8)
    model = Throttled(Provider(does), endpoint)
    await model.complete(question("first"))
    calls = [
        asyncio.create_task(model.complete(question(f"level {n}", level=n))) for n in (2, 0, 1)
    ]
    await settled()
    what, rest = endpoint.lanes["small"].short(0.0) or ("", 0.0)
    assert what == "tokens a minute"
    assert 0 < rest < 60
    await Throttled(Provider(does, "large"), endpoint).complete(question("large"))
    assert asyncio.get_running_loop().time() == 0
    await asyncio.gather(*calls)
    assert order == ["first", "large", "level 0", "level 1", "level 2"]
    assert endpoint.lanes["small"].short(0.0) is None


def of(name: str, bound: int, level: int = 0) -> Request:
    return replace(question(name, level=level), bound=bound, sampling=Sampling())


def half_left() -> tuple[Endpoint, Throttled, dict[str, float]]:
    """A limit of 1,000 tokens, of which 500 are left and 10 a second come; and who is sent when."""
    begun: dict[str, float] = {}

    async def does(request: Request) -> Completion:
        begun[request.question] = asyncio.get_running_loop().time()
        return Completion("so", usage=Usage(request.bound))

    endpoint = Endpoint("e", 8)
    tokens = endpoint.lanes["small"].tokens
    tokens.hear(RateLimit(1000, 500, 50.0), tokens.taken, 0.0, 0.0)
    return endpoint, Throttled(Provider(does), endpoint), begun


async def test_who_waits_for_many_tokens_is_not_overtaken_by_who_needs_few() -> None:
    _, model, begun = half_left()
    await asyncio.gather(*map(model.complete, [of("many", 750), of("few", 10), of("one", 1, 9)]))
    assert begun["many"] == pytest.approx(30)
    assert begun["many"] < begun["few"] < begun["one"]


async def test_when_who_waits_for_many_tokens_leaves_the_next_is_sent_at_once() -> None:
    endpoint, model, begun = half_left()
    calls = [asyncio.create_task(model.complete(of(*c))) for c in [("many", 750), ("few", 10)]]
    await asyncio.sleep(7)
    calls[0].cancel()
    await asyncio.wait(calls)
    assert begun == {"few": 7}
    assert (endpoint.flying, endpoint.waiting) == (0, 0)


async def test_who_comes_from_below_and_needs_fewer_tokens_waits_for_these_only() -> None:
    _, model, begun = half_left()
    await asyncio.gather(*map(model.complete, [of("many", 850, 1), of("fewer", 550, 0)]))
    assert begun["fewer"] == pytest.approx(10)


async def test_calls_of_unlike_sizes_hardly_ever_run_into_a_limit_of_a_few_of_them() -> None:
    provider = Metered(3000)
    calls = [replace(call, bound=1500, sampling=Sampling(max_tokens=1000)) for call in many(1000)]
    await Calling(provider, calls)()
    begun = 64 - 4  # nothing is known of the limit until a first reply
    assert provider.refused - begun < 0.02 * provider.asked


async def test_a_limit_of_requests_is_waited_for() -> None:
    told = replace(good(), limits=RateLimits(RateLimit(3, 0, 180.0), None))
    endpoint = Endpoint("e", 8)
    model = Throttled(Provider([told]), endpoint)
    await model.complete(question())
    waits = asyncio.create_task(model.complete(question()))
    await settled()
    assert endpoint.lanes["small"].short(0.0) == ("requests a minute", pytest.approx(69.0))
    await waits
    assert asyncio.get_running_loop().time() == pytest.approx(69.0)


# what stops everything


async def test_after_a_wrong_key_nothing_more_is_sent() -> None:
    sent: list[str] = []

    async def does(request: Request) -> Completion:
        if request.form is not None:
            return good(decomposition(*(f"{i}?" for i in range(40))))
        sent.append(request.question)
        await asyncio.sleep(0.1 * len(sent))
        raise ConfigError("the key is wrong")

    hch = HCH(depth=1, model=Provider(does), store=memory(), concurrency=8, fanout=40)
    with pytest.raises(ConfigError, match="the key is wrong"):
        await hch.ask("Why?")
    assert len(sent) == 8


async def test_who_waits_for_an_endpoint_that_is_closed_is_told_why() -> None:
    async def does(request: Request) -> Completion:
        await asyncio.sleep(1)
        raise ConfigError("the key is wrong")

    provider, endpoint = Provider(does), Endpoint("e", 2)
    model = Throttled(provider, endpoint)
    calls = [asyncio.create_task(model.complete(question(f"{i}"))) for i in range(5)]
    await asyncio.sleep(0.5)
    calls[4].cancel()
    came = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(c) for c in came] == [ConfigError] * 4 + [asyncio.CancelledError]
    assert len({id(c) for c in came}) == 5, "an exception object is raised once only"
    with pytest.raises(ConfigError, match="the key is wrong"):
        await model.complete(question())
    assert len(provider.sent) == 2
    assert (endpoint.flying, endpoint.waiting) == (0, 0)


async def test_after_a_dead_endpoint_nothing_more_is_sent(journal: Journal) -> None:
    async def does(request: Request) -> Completion:
        await asyncio.sleep(1)
        raise late()

    provider, endpoint = Provider(does), living(1)
    model = Retrying(Throttled(provider, endpoint), journal, endpoint, 1, 0.0)
    came = await asyncio.gather(*(outcome(model.complete(question(f"{i}"))) for i in range(60)))
    assert [type(c) for c in came] == [ModelError] * 19 + [DeadEndpoint] * 41
    assert len(provider.sent) <= 21
    assert len({str(c) for c in came[19:]}) == 1


# dead endpoints


async def give_up(
    journal: Journal, endpoint: Endpoint, n: int, error: Callable[[], ModelError] = late
) -> list[Completion | BaseException]:
    """What comes of n calls, one after the other, that fail like this."""
    model = Retrying(Provider([error()]), journal, endpoint, 1, 0.0)
    return [await outcome(model.complete(question(f"q{i}"))) for i in range(n)]


async def test_an_endpoint_that_gives_up_twenty_calls_in_a_row_is_dead(
    store: Store, journal: Journal
) -> None:
    came = await give_up(journal, living(), 20)
    assert [type(error) for error in came] == [ModelError] * 19 + [DeadEndpoint]
    assert "http://provider does not answer: late" in str(came[-1])
    assert DeadEndpoint.exit_code == 6


async def test_give_ups_of_a_dead_endpoint_are_no_part_of_the_record(
    store: Store, journal: Journal
) -> None:
    endpoint = living()
    await give_up(journal, endpoint, 1, wrong)
    early = store.past().replies
    await give_up(journal, endpoint, 20)
    replies = store.past().replies
    assert replies.keys() == early.keys() - {question("q0").call}
    dead = [event.request for event in store.of(CallGivenUp) if event.dead]
    assert dead == [question(f"q{i}").call for i in range(20)]


async def test_a_reply_or_a_refusal_in_between_shows_that_it_lives(journal: Journal) -> None:
    for alive in (good(), wrong()):
        endpoint = living()
        came = await give_up(journal, endpoint, 19)
        between = Retrying(Throttled(Provider([alive]), endpoint), journal, endpoint, 1, 0.0)
        await outcome(between.complete(question()))
        came += await give_up(journal, endpoint, 19)
        assert not [error for error in came if isinstance(error, DeadEndpoint)]


async def test_an_endpoint_that_never_replied_is_dead_at_once_when_nothing_is_in_flight(
    store: Store, journal: Journal
) -> None:
    [came] = await give_up(journal, Endpoint("e", 4), 1)
    assert isinstance(came, DeadEndpoint)
    assert [event.dead for event in store.of(CallGivenUp)] == [True]
    assert store.past().replies.keys() == set()


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_it_is_not_dead_while_others_are_in_flight_or_wait(
    journal: Journal, limit: int
) -> None:
    """Not even at the moment in which the slot goes over to the next."""

    async def does(request: Request) -> Completion:
        await asyncio.sleep(1)
        if request.question == "last":
            return good()
        raise late()

    endpoint = Endpoint("e", limit)
    model = Retrying(Throttled(Provider(does), endpoint), journal, endpoint, 1, 0.0)
    names = ["a", "b", "c", "d", "last"]
    came = await asyncio.gather(*(outcome(model.complete(question(name))) for name in names))
    assert [type(c) for c in came] == [ModelError] * 4 + [Completion]


async def test_it_is_not_dead_while_others_wait_for_the_end_of_a_pause(journal: Journal) -> None:
    fates = iter([busy(5.0), good()])

    async def does(request: Request) -> Completion:
        await asyncio.sleep(1)
        if isinstance(fate := next(fates), Completion):
            return fate
        raise fate

    endpoint = Endpoint("e", 1)
    model = Retrying(Throttled(Provider(does), endpoint), journal, endpoint, 1, 0.0)
    came = await asyncio.gather(*(outcome(model.complete(question(name))) for name in "ab"))
    assert [type(c) for c in came] == [ModelError, Completion]


async def test_all_that_there_was_is_given_up_and_the_last_finds_it_dead(
    store: Store, journal: Journal
) -> None:
    async def does(request: Request) -> Completion:
        await asyncio.sleep(1)
        raise late()

    endpoint = Endpoint("e", 2)
    model = Retrying(Throttled(Provider(does), endpoint), journal, endpoint, 1, 0.0)
    came = await asyncio.gather(*(outcome(model.complete(question(f"{i}"))) for i in range(5)))
    assert [type(c) for c in came] == [ModelError] * 4 + [DeadEndpoint]
    assert store.past().replies.keys() == set()


async def test_what_flies_lands_before_a_wrong_key_stops_the_run(store: Store) -> None:
    """What was sent before is paid for: its reply is kept, and nothing more is sent."""
    arrived, bad = asyncio.Event(), asyncio.Event()

    async def does(request: Request) -> Completion:
        if request.question == "bad":
            await arrived.wait()
            bad.set()
            raise ConfigError("a wrong key")
        arrived.set()
        await bad.wait()
        await asyncio.sleep(5)
        return good()

    provider, endpoint = Provider(does), Endpoint("e", 2)
    throttled = Throttled(provider, endpoint)

    async def call(which: str) -> tuple[float, Completion | BaseException]:
        came = await outcome(throttled.complete(question(which)))
        return asyncio.get_running_loop().time(), came

    ended = await asyncio.gather(*map(call, ("good", "bad", "late")))
    done = [came for _, came in ended]
    assert [time for time, _ in ended] == [5, 5, 5], "nobody stops the run before it has landed"
    assert done[0] == good()
    assert [str(error) for error in done[1:]] == ["a wrong key"] * 2
    assert len(provider.sent) == 2


async def test_what_does_not_land_is_not_waited_for_without_end() -> None:
    async def does(request: Request) -> Completion:
        if request.question == "bad":
            raise ConfigError("a wrong key")
        await asyncio.Event().wait()
        raise AssertionError

    endpoint = Endpoint("e", 2)
    throttled = Throttled(Provider(does), endpoint)
    hung = asyncio.ensure_future(throttled.complete(question("hung")))
    await settled()
    before = asyncio.get_running_loop().time()
    with pytest.raises(ConfigError):
        await throttled.complete(question("bad"))
    assert asyncio.get_running_loop().time() - before == Endpoint.GRACE
    hung.cancel()
    await asyncio.gather(hung, return_exceptions=True)
