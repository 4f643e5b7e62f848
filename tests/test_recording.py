"""What is on record: what a resume, a retry and a replay go by."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel
from hch.errors import DeadEndpoint, ModelError, StoreError, TransientModelError
from hch.events import CallFinished, CallGivenUp, CallIntended, RunResumed
from hch.keeping import Store
from hch.recording import Recording, given_up
from hch.run import Result
from hch.stores.memory import MemoryStore
from hch.types import Completion, Request
from tests.support import check_tree, memory, regular
from tests.test_laws import LAW, seeds


def built(store: Store, **failing: Any) -> HCH:
    model = ScriptedModel(regular(3), **failing)
    return HCH(depth=2, model=model, store=store, pause=0.0, attempts=2)


def resumed(store: Store, run: str, **options: Any) -> Result:
    return asyncio.run(built(store).resume(run, **options).finish())[0]


def copied(store: Store, run: str, most: int) -> MemoryStore:
    """The first events of a run, as a crash would leave them."""
    other = memory()
    for record in list(store.events(run))[:most]:
        other.append(run, record.at, record.event)
    return other


def failing(seed: int, share: float, kind: str = "http 500") -> Any:
    """Random calls that fail at each attempt."""
    how = TransientModelError if kind == "unreachable" else ModelError

    def fail(request: Request, attempt: int) -> ModelError | None:
        broken = Random(f"{seed} {request.call}").random() < share
        return how("no", kind=kind, ran=False) if broken else None

    return fail


@settings(LAW, max_examples=40)
@given(seeds, st.sampled_from([0.1, 0.5, 1.0]))
def test_what_was_given_up_is_tried_again_and_any_crash_changes_no_byte(seed, share):
    whole = asyncio.run(built(memory()).ask("q?")).trace.canonical()
    store, rng = memory(), Random(seed)
    result = asyncio.run(built(store, failures=failing(seed, share)).ask("q?"))
    lost = given_up(result.trace)
    assert (result.trace.canonical() == whole) == (not lost)
    most = store.last(result.run)
    retried = resumed(store, result.run, retry_failed=True)
    assert retried.trace.canonical() == whole
    check_tree(retried.trace)
    assert (store.last(result.run) == most) == (not lost)
    for _ in range(3):
        cut = copied(store, result.run, rng.randint(most, store.last(result.run)))
        again = resumed(cut, result.run, retry_failed=rng.random() < 0.5)
        if any(isinstance(r.event, RunResumed) for r in cut.events(result.run)):
            assert again.trace.canonical() == whole
        check_tree(again.trace)


@pytest.mark.leaves_open
@settings(LAW, max_examples=100)
@given(seeds)
def test_whatever_befalls_a_run_it_comes_to_the_same_in_the_end(seed):
    """It fails, finds nobody, is cut off anywhere and tried again, and at last all is well."""
    whole = asyncio.run(built(memory()).ask("q?")).trace.canonical()
    store, rng = memory(), Random(seed)
    run = built(store, failures=failing(seed, 0.3)).begin(["q?"])
    with contextlib.suppress(DeadEndpoint):
        asyncio.run(run.finish())
    for turn in range(rng.randrange(5)):
        store = copied(store, run.id, rng.randint(1, store.last(run.id)))
        kind = rng.choice(["http 500", "unreachable"])
        options = {"failures": failing(seed + turn, rng.random(), kind)}
        with contextlib.suppress(DeadEndpoint):
            again = rng.random() < 0.6
            asyncio.run(built(store, **options).resume(run.id, retry_failed=again).finish())
    result = resumed(store, run.id, retry_failed=True)
    assert result.trace.canonical() == whole
    check_tree(result.trace)


def test_a_finished_run_stays_as_it_is_without_being_told_to_try_again() -> None:
    store = memory()
    run = asyncio.run(built(store, failures=failing(1, 0.5)).ask("q?")).run
    before = list(store.events(run))
    assert resumed(store, run).trace.finished
    assert list(store.events(run)) == before


def test_a_run_that_went_on_elsewhere_is_not_gone_on_with() -> None:
    store = memory()
    run = asyncio.run(built(store, failures=failing(1, 0.5)).ask("q?")).run
    late = built(store).resume(run, retry_failed=True)
    assert resumed(store, run, retry_failed=True).answer.answered
    with pytest.raises(StoreError, match="went on meanwhile"):
        asyncio.run(late.finish())


def test_I14_the_first_reply_to_a_request_stays(  # noqa: N802
) -> None:
    store = memory()
    run = asyncio.run(built(store).ask("q?")).run
    first = next(r.event for r in store.events(run) if isinstance(r.event, CallFinished))
    late = first.model_copy(update={"attempt": 2, "text": "something else"})
    store.append(run, 0.0, late)
    recording = Recording(partial(store.events, run))
    reply = recording.replies.get(first.request)
    assert isinstance(reply, Completion)
    assert reply.text == first.text
    call = recording.trace.calls[first.request]
    assert call.finished == first
    assert call.ends[-1] == late


def test_an_endpoint_that_nobody_can_reach_any_more_stops_a_small_run_too() -> None:
    whole = asyncio.run(built(memory()).ask("q?")).trace.canonical()
    gone = TransientModelError("no", kind="unreachable", ran=False)
    for share in (0.3, 0.6, 0.9):
        rng = Random(share)
        doomed: dict[str, bool] = {}

        def fail(
            request: Request, _: int, share: float = share, rng: Any = rng, doomed: Any = doomed
        ) -> ModelError | None:
            first = not doomed  # the first call is replied to
            dead = doomed.setdefault(request.call, not first and rng.random() < share)
            return gone if dead else None

        store = memory()
        run = built(store, failures=fail).begin(["q?"])
        with pytest.raises(DeadEndpoint):
            asyncio.run(run.finish())
        given = [r.event for r in store.events(run.id) if isinstance(r.event, CallGivenUp)]
        assert given
        again = resumed(store, run.id)
        assert again.trace.canonical() == whole
        sent = [r.event for r in store.events(run.id) if isinstance(r.event, CallIntended)]
        ended = [r.event for r in store.events(run.id) if isinstance(r.event, CallFinished)]
        assert len({e.request for e in ended}) == len(ended)
        assert len(sent) > len(ended)
