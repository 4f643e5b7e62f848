"""The wraps of a model, each by itself and as a chain; where they wait, the clock is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.bounds import call_bound
from hch.budget import Bill, Price
from hch.endpoints import Endpoint
from hch.errors import (
    BillExhausted,
    ConfigError,
    GrantExhausted,
    LengthError,
    ModelError,
    NodeError,
    RefusalError,
    StoreError,
    TransientModelError,
)
from hch.events import CallFailed, CallFinished, CallGivenUp, CallIntended
from hch.journal import Journal
from hch.middleware import (
    Deadline,
    Journalled,
    Recorded,
    Retrying,
    Throttled,
)
from hch.protocols import Model
from hch.rates import MESSAGE_TOKENS, token_bound
from hch.recording import Recording
from hch.types import Completion, Form, Request, Usage
from hch.wire import Amounts
from tests.virtual import (
    RUN,
    Doing,
    Provider,
    Store,
    VirtualTime,
    busy,
    good,
    late,
    living,
    outcome,
    question,
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


# what wraps a model


async def test_a_wrap_is_a_model_of_the_same_name_and_price(journal: Journal) -> None:
    provider = Provider([good()])
    wraps: list[Model] = [
        Deadline(provider, 1.0),
        Journalled(provider, journal, Bill()),
        Throttled(provider, living()),
        Retrying(provider, journal, living(), 3, 0.0),
        Recorded(provider, {}),
    ]
    for wrap in wraps:
        assert isinstance(wrap, Model)
        assert (wrap.name, wrap.endpoint, wrap.rate) == ("small", "http://provider", provider.rate)
        assert await wrap.complete(question()) == good()
        await wrap.close()


# recorded


async def test_what_is_on_record_is_not_sent() -> None:
    provider = Provider([good("fresh")])
    request, failed, other = question("a"), question("b"), question("c")
    recording: Mapping[str, Completion | NodeError] = {
        request.call: good("recorded"),
        failed.call: ModelError("gone", kind="timeout"),
    }
    model = Recorded(provider, recording)
    assert (await model.complete(request)).text == "recorded"
    with pytest.raises(ModelError, match="gone"):
        await model.complete(failed)
    assert provider.sent == []
    assert (await model.complete(other)).text == "fresh"
    assert provider.sent == [other]


# retrying


@pytest.mark.parametrize("failures", [0, 1, 4])
async def test_a_transient_failure_is_tried_again(
    store: Store, journal: Journal, failures: int
) -> None:
    provider = Provider([*[late() for _ in range(failures)], good()])
    model = Retrying(provider, journal, living(), 5, 1.0)
    assert await model.complete(question()) == good()
    assert len(provider.sent) == failures + 1
    assert store.log == []


@pytest.mark.parametrize("attempts", [1, 2, 6])
async def test_a_call_is_given_up_once_after_its_last_attempt(
    store: Store, journal: Journal, attempts: int
) -> None:
    provider = Provider([late()])
    model = Retrying(provider, journal, living(), attempts, 1.0)
    with pytest.raises(ModelError, match=r"the call was given up \(timeout\): late") as caught:
        await model.complete(question())
    assert not isinstance(caught.value, TransientModelError)
    assert caught.value.kind == "timeout"
    assert len(provider.sent) == attempts
    assert store.written == [
        CallGivenUp(request=question().call, attempts=attempts, kind="timeout", message="late")
    ]
    assert store.log == ["CallGivenUp", "durable"]


async def test_a_429_counts_only_where_the_endpoint_answered_nobody_since_the_try_before(
    store: Store, journal: Journal
) -> None:
    endpoint = living()

    async def does(request: Request) -> Completion:
        if len(provider.sent) in (2, 3, 4, 7):
            endpoint.lives()
        raise busy()

    provider = Provider(does)
    model = Retrying(provider, journal, endpoint, 4, 1.0)
    assert isinstance(await outcome(model.complete(question())), ModelError)
    assert len(provider.sent) == 4 + 4
    assert [event.attempts for event in store.of(CallGivenUp)] == [4 + 4]


@pytest.mark.parametrize("attempts", [1, 2, 6])
async def test_a_call_to_a_busy_endpoint_is_given_up_after_five_times_its_attempts(
    store: Store, journal: Journal, attempts: int
) -> None:
    endpoint = living()

    async def does(request: Request) -> Completion:
        endpoint.lives()
        raise busy()

    provider = Provider(does)
    assert isinstance(
        await outcome(Retrying(provider, journal, endpoint, attempts, 1.0).complete(question())),
        ModelError,
    )
    assert len(provider.sent) == 5 * attempts
    assert [event.attempts for event in store.of(CallGivenUp)] == [5 * attempts]


async def test_another_fault_counts_however_much_the_endpoint_answers(journal: Journal) -> None:
    endpoint = living()

    async def does(request: Request) -> Completion:
        endpoint.lives()
        raise late()

    provider = Provider(does)
    await outcome(Retrying(provider, journal, endpoint, 3, 1.0).complete(question()))
    assert len(provider.sent) == 3


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (late(), [1, 2, 4, 8, 16, 32, 64, 100, 100]),
        (busy(), [1, 2, 4, 8, 16, 32, 64, 100, 100]),
        (busy(0.0), [1, 2, 4, 8, 16, 32, 64, 100, 100]),
        (busy(0.05), [1] * 9),
        (busy(6.0), [1, 2, 4, 6, 6, 6, 6, 6, 6]),
        (busy(600.0), [1, 2, 4, 8, 16, 32, 64, 100, 100]),
    ],
    ids=["late", "busy", "busy 0", "busy 0.05", "busy 6", "busy 600"],
)
async def test_a_call_waits_longer_after_each_fault_and_is_back_when_the_endpoint_said(
    journal: Journal, error: TransientModelError, longest: list[float]
) -> None:
    times: list[float] = []

    async def does(request: Request) -> Completion:
        times.append(asyncio.get_running_loop().time())
        raise error

    await outcome(Retrying(Provider(does), journal, living(), 10, 1.0).complete(question()))
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert all(wait <= most for wait, most in zip(waits, longest, strict=True))
    assert len(set(waits)) == len(waits), "calls that failed together do not come back together"


@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize(
    "error",
    [wrong(), LengthError("too long"), RefusalError("filtered")],
    ids=lambda error: type(error).__name__,
)
async def test_a_permanent_failure_is_not_tried_again(
    store: Store, journal: Journal, before: int, error: ModelError
) -> None:
    provider = Provider([*[late() for _ in range(before)], error])
    endpoint = Endpoint("e", 4)
    with pytest.raises(type(error), match=str(error)) as caught:
        await Retrying(provider, journal, endpoint, 6, 1.0).complete(question())
    assert caught.value.status == error.status
    [event] = store.written
    assert event == CallGivenUp(
        request=question().call, attempts=before + 1, kind=error.kind, message=str(error)
    )
    assert endpoint.answered, "who refuses a request is not dead"


@pytest.mark.parametrize(
    "error",
    [ConfigError("no key"), BillExhausted("no money"), ZeroDivisionError(), GrantExhausted()],
)
async def test_what_is_no_failure_of_a_call_passes_as_it_is(
    store: Store, journal: Journal, error: Exception
) -> None:
    provider = Provider([error])
    assert (
        await outcome(Retrying(provider, journal, living(), 6, 1.0).complete(question())) is error
    )
    assert len(provider.sent) == 1
    assert store.log == []


@pytest.mark.parametrize(
    "error",
    [late(), wrong(), LengthError("too long"), RefusalError("filtered")],
    ids=lambda error: type(error).__name__,
)
async def test_a_resumed_run_is_told_of_a_given_up_call_as_the_first_one_was(
    store: Store, journal: Journal, error: NodeError
) -> None:
    """Else an asker's prompt would differ, and a resume would pay for its calls again."""
    provider = Provider([error])
    live = await outcome(Retrying(provider, journal, living(), 2, 0.0).complete(question()))
    replies = store.past().replies
    again = await outcome(Recorded(provider, replies).complete(question()))
    assert isinstance(live, NodeError)
    assert isinstance(again, NodeError)
    assert type(again) is type(live)
    assert (str(again), again.kind, again.status) == (str(live), live.kind, live.status)


# journalled


class Attempt:
    """A provider behind `Journalled`, its bill, and what was done in which order."""

    def __init__(
        self,
        comes: Doing | Sequence[Completion | BaseException],
        store: Store,
        cap: Price | None = None,
        attempts: Mapping[str, int] | None = None,
    ) -> None:
        self.bill = Bill(cap or Price(100, 10_000, 10_000, inf))
        self.store = store
        self.provider = Provider(comes)
        journal = Journal(store, RUN, lambda: 0.0)
        self.model = Journalled(self.provider, journal, self.bill, attempts)
        self.worst = call_bound(question(), self.provider)


async def test_an_attempt_is_reserved_and_intended_before_and_committed_after(store: Store) -> None:
    async def does(request: Request) -> Completion:
        assert attempt.bill.reserved == attempt.worst
        assert attempt.bill.spent == Price()
        store.log.append("sent")
        return good()

    attempt = Attempt(does, store)
    assert await attempt.model.complete(question()) == good()
    assert store.log == ["CallIntended", "durable", "sent", "CallFinished", "durable"]
    [intent] = store.of(CallIntended)
    assert intent.worst.price() == attempt.worst
    assert (intent.request, intent.attempt, intent.model) == (question().call, 1, "small")
    [end] = store.of(CallFinished)
    assert end.completion() == good()
    assert end.price.price() == Price(1, 6, 4 * 1 + 2 * 2)
    assert attempt.bill.spent == end.price.price()
    assert attempt.bill.reserved == Price()


PAID = ModelError("bad body", kind="bad body", usage=(4, 2, 1, 0))


@pytest.mark.parametrize(
    ("error", "kind", "price"),
    [
        (ModelError("x", kind="http 400", ran=False), "http 400", Price()),
        (busy(), "http 429", Price()),
        (TransientModelError("x", kind="timeout"), "timeout", None),
        (ModelError("x", kind="http 500"), "http 500", None),
        (PAID, "bad body", Price(1, 6, 3 + 1 + 4)),
        (ModelError("x", kind="bad body", ran=False, usage=(4, 2, 1, 0)), "bad body", Price()),
        (LengthError("too long"), "length", Price()),
        (RefusalError("filtered"), "refusal", Price()),
        (ConfigError("no key"), "refused", Price()),
    ],
    ids=lambda value: ascii(value)[:40],
)
async def test_a_failed_attempt_is_settled_at_what_it_cost(
    store: Store, error: Exception, kind: str, price: Price | None
) -> None:
    attempt = Attempt([error], store)
    assert await outcome(attempt.model.complete(question())) is error
    [end] = store.of(CallFailed)
    settled_at = attempt.worst if price is None else price
    assert end == CallFailed(
        request=question().call,
        attempt=1,
        kind=kind,
        message=str(error),
        price=Amounts.of(settled_at),
    )
    assert attempt.bill.spent == settled_at
    assert attempt.bill.reserved == Price()
    assert store.log == ["CallIntended", "durable", "CallFailed", "durable"]
    assert store.past().trace.bill == settled_at


async def test_a_cancelled_attempt_counts_at_its_worst_case_and_is_unknown(store: Store) -> None:
    async def does(request: Request) -> Completion:
        await asyncio.sleep(60)
        return good()

    attempt = Attempt(does, store)
    task = asyncio.create_task(attempt.model.complete(question()))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert attempt.bill.spent == attempt.worst
    assert attempt.bill.reserved == Price()
    assert [event.type for event in store.written] == ["CallIntended"]
    trace = store.past().trace
    assert trace.bill == attempt.worst
    assert len(trace.calls[question().call].unknown) == 1


async def test_a_bug_counts_at_its_worst_case(store: Store) -> None:
    attempt = Attempt([ZeroDivisionError()], store)
    assert isinstance(await outcome(attempt.model.complete(question())), ZeroDivisionError)
    assert attempt.bill.spent == attempt.worst
    assert attempt.bill.reserved == Price()


async def test_nothing_is_sent_that_could_not_be_written_down(store: Store) -> None:
    attempt = Attempt([good()], store)
    store.broken = True
    assert isinstance(await outcome(attempt.model.complete(question())), StoreError)
    assert attempt.provider.sent == []
    assert attempt.bill.reserved == Price()


async def test_nothing_is_written_or_sent_that_the_bill_cannot_pay(store: Store) -> None:
    attempt = Attempt([good()], store, Price(1, 5, inf, inf))
    with pytest.raises(BillExhausted, match="tokens wanted, 5 left"):
        await attempt.model.complete(question())
    assert store.log == []
    assert attempt.provider.sent == []


async def test_attempts_are_numbered_on_from_those_on_record(store: Store) -> None:
    attempt = Attempt([late(), late(), good()], store, attempts={question().call: 2})
    for _ in range(3):
        await outcome(attempt.model.complete(question()))
    assert [intent.attempt for intent in store.of(CallIntended)] == [3, 4, 5]
    ends = [event for event in store.written if isinstance(event, CallFailed | CallFinished)]
    assert [end.attempt for end in ends] == [3, 4, 5]


async def test_a_reply_dearer_than_its_worst_case_is_kept_and_stops_the_run(store: Store) -> None:
    dear = good(usage=Usage(5000, 2))
    attempt = Attempt([dear, good()], store)
    with pytest.raises(BillExhausted, match=r"small reported more than .* 4956 tokens"):
        await attempt.model.complete(question())
    [end] = store.of(CallFinished)
    assert end.completion() == dear
    assert attempt.bill.spent == end.price.price() == Price(1, 5002, 5004)
    assert attempt.bill.overshoot.tokens > 0
    assert store.log[-1] == "durable"
    with pytest.raises(BillExhausted):
        await attempt.model.complete(question("another"))


async def test_so_does_a_failure_that_is_dearer(store: Store) -> None:
    error = TransientModelError("bad body", kind="bad body", usage=(5000, 2, 0, 0))
    attempt = Attempt([error, good()], store)
    with pytest.raises(BillExhausted) as caught:
        await attempt.model.complete(question())
    assert caught.value.__cause__ is error
    assert attempt.bill.spent == Price(1, 5002, 5004)
    assert [event.type for event in store.written] == ["CallIntended", "CallFailed"]


async def test_where_nothing_is_capped_a_dear_reply_is_a_reply(store: Store) -> None:
    attempt = Attempt([good(usage=Usage(5000, 2))], store, Price(inf, inf, inf, inf))
    assert (await attempt.model.complete(question())).usage.input == 5000


async def test_a_model_without_a_price_costs_tokens_only(store: Store) -> None:
    attempt = Attempt([good()], store)
    attempt.model.rate = attempt.provider.rate = None
    await attempt.model.complete(question())
    assert attempt.bill.spent == Price(1, 6, 0)


@relaxed
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["good", "late", "wrong", "leaves"])),
        min_size=1,
        max_size=12,
    ),
    st.integers(14, 200),
)
async def test_at_every_send_and_every_end_the_bill_is_within_its_cap(
    calls: list[tuple[int, str]], tokens: int
) -> None:
    def check() -> None:
        bill = attempt.bill
        assert bill.cap.covers(bill.spent + bill.reserved)

    async def does(request: Request) -> Completion:
        check()
        lasts, fate = request.question.split()[:2]
        await asyncio.sleep(int(lasts))
        if fate in ("late", "wrong"):
            raise late() if fate == "late" else wrong()
        return good()

    attempt = Attempt(does, Store(), Price(inf, tokens, inf, inf))
    tasks = []
    loop = asyncio.get_running_loop()
    for i, (lasts, fate) in enumerate(calls):
        request = question(f"{lasts} {fate} {i}")
        tasks.append(asyncio.create_task(outcome(attempt.model.complete(request))))
        if fate == "leaves":
            loop.call_later(1, tasks[-1].cancel)
    await asyncio.wait(tasks)
    check()
    assert attempt.bill.reserved == Price()
    assert attempt.store.past().trace.bill == attempt.bill.spent


def test_the_worst_case_is_all_that_is_sent_and_the_longest_reply() -> None:
    request, provider = question("Why? " * 10), Provider([])
    tokens = token_bound("Why? " * 10) + MESSAGE_TOKENS + 10
    assert call_bound(request, provider) == Price(1, tokens, tokens + 10)
    schema = Form("Turn", '{"type":"object"}')
    typed = call_bound(replace(request, form=schema), provider)
    assert typed.tokens == tokens + token_bound(schema.schema)
    known = call_bound(replace(request, bound=7), provider)
    assert known.tokens == 7 + 10


# deadline


async def test_an_attempt_ends_by_its_deadline_also_when_bytes_drip() -> None:
    loop, cancelled = asyncio.get_running_loop(), []

    async def drips(request: Request) -> Completion:
        try:
            for _ in range(1000):
                await asyncio.sleep(0.1)
            return good()
        finally:
            cancelled.append(True)

    start = loop.time()
    with pytest.raises(TransientModelError, match=r"no whole reply within 2\.5 s") as caught:
        await Deadline(Provider(drips), 2.5).complete(question())
    assert (caught.value.kind, caught.value.ran) == ("timeout", True)
    assert round(loop.time() - start, 3) == 2.5
    assert cancelled == [True]


async def test_in_time_everything_passes_as_it_is() -> None:
    assert await Deadline(Provider([good()]), 1.0).complete(question()) == good()
    error = wrong()
    assert await outcome(Deadline(Provider([error]), 1.0).complete(question())) is error


async def test_who_is_cancelled_is_not_late() -> None:
    async def waits(request: Request) -> Completion:
        await asyncio.sleep(60)
        return good()

    task = asyncio.create_task(Deadline(Provider(waits), 120).complete(question()))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


# all of them


def chain(provider: Provider, store: Store, bill: Bill, past: Recording | None = None) -> Model:
    """The wraps in the order in which a run puts them."""
    endpoint, journal = Endpoint(provider.endpoint, 2), Journal(store, RUN, lambda: 0.0)
    model: Model = Deadline(provider, 5.0)
    model = Journalled(model, journal, bill, past.attempts if past else {})
    model = Throttled(model, endpoint)
    model = Retrying(model, journal, endpoint, 4, 0.5)
    return Recorded(model, past.replies if past else None)


async def test_a_call_goes_through_all_of_them_and_every_attempt_is_counted(store: Store) -> None:
    fates = iter(["silence", "busy", "bad body", "good"])

    async def does(request: Request) -> Completion:
        match next(fates):
            case "silence":
                await asyncio.Event().wait()
            case "busy":
                raise busy(9.0)
            case "bad body":
                raise TransientModelError("bad", kind="bad body", usage=(4, 2, 0, 0))
        return good()

    bill, provider = Bill(Price(100, 10_000, 10_000, inf)), Provider(does)
    assert await chain(provider, store, bill).complete(question()) == good()
    worst = call_bound(question(), provider)
    assert bill.spent == worst + Price(1, 6, 8) + Price(1, 6, 8)
    ends = [event for event in store.written if isinstance(event, CallFailed | CallFinished)]
    assert [(end.attempt, getattr(end, "kind", "good")) for end in ends] == [
        (1, "timeout"),
        (2, "http 429"),
        (3, "bad body"),
        (4, "good"),
    ]
    assert len(store.of(CallIntended)) == 4
    assert store.of(CallGivenUp) == []


async def test_a_resume_sends_nothing_that_has_an_end_on_record(store: Store) -> None:
    bill = Bill(Price(100, 10_000, 10_000, inf))
    first = chain(Provider([good("a"), wrong(), late()]), store, bill)
    came = [await outcome(first.complete(question(name))) for name in "abc"]
    assert [type(c) for c in came] == [Completion, ModelError, ModelError]
    past = store.past()
    assert past.bill == bill.spent
    provider = Provider([good("again")])
    second = chain(provider, store, Bill(bill.cap, past.bill), past)
    again = [await outcome(second.complete(question(name))) for name in "abc"]
    assert provider.sent == []
    assert [str(c) for c in again] == [str(c) for c in came]
