"""A run as it grows: the fold that the live tree is drawn from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from hch import HCH, Request, ScriptedModel
from hch.commands._growth import RECENT, SHOWN, Growth
from hch.commands._progress import Progress
from hch.commands._waiting import Waiting, totals
from hch.errors import ModelError, TransientModelError
from hch.events import Event, NodeClosed, NodeOpened
from hch.rates import Rate
from hch.recording import Recording
from hch.run import Resumed, Run
from hch.types import RateLimit, Sampling
from tests.support import Plan, decomposition, memory, regular, rough

Script = Callable[[Request], Any]


def going(script: Script, *, depth: int = 2, roots: int = 1, **options: Any) -> Run:
    given = {name: options.pop(name) for name in ("failures", "rate") if name in options}
    model = ScriptedModel(script, **given)
    hch = HCH(depth=depth, model=model, store=memory(), pause=0.0, **options)
    return hch.begin([f"Why {i}?" for i in range(roots)])


def events(run: Run) -> list[Event]:
    """All that happened in a run."""
    seen: list[Event] = []
    run.watch = seen.append
    asyncio.run(run.finish())
    return seen


def folded(seen: list[Event], clock: Callable[[], float] = lambda: 0.0) -> Growth:
    growth = Growth(clock)
    for event in seen:
        growth.take(event)
    return growth


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_left_of_a_run_that_ended_but_its_counts(seed: int) -> None:
    growth = folded(seen := events(going(Plan(seed), depth=3, roots=2, **failing(seed))))
    assert [growth.nodes, growth.calls, growth.flying, growth.failing] == [{}] * 4
    assert (growth.open, growth.asking, growth.queued) == (0, 0, 0)
    assert growth.opened == sum(isinstance(event, NodeOpened) for event in seen)
    closed = [event.status for event in seen if isinstance(event, NodeClosed)]
    assert growth.statuses == {status: closed.count(status) for status in set(closed)}


@pytest.mark.parametrize("seed", range(24))
def test_it_is_known_of_every_node_how_it_ended_and_whether_clean(seed: int) -> None:
    run = going(Plan(seed, 0.02), depth=3, roots=3, **failing(seed))
    growth = Growth()
    run.watch = growth.take
    trace = asyncio.run(run.finish())[0].trace
    for node in trace.nodes():
        assert growth.ended(node.key) == (node.status, node.clean)
    assert growth.ended("nobody") is None


def failing(seed: int) -> dict[str, Any]:
    return {"failures": rough(seed)["failures"]}


@pytest.mark.parametrize("seed", range(6))
def test_at_every_moment_what_is_counted_is_there(seed: int) -> None:
    growth = Growth()
    for event in events(going(Plan(seed), depth=3, **failing(seed))):
        growth.take(event)
        begun = [node for node in growth.nodes.values() if node.level >= 0]
        asking = [node for node in begun if node.children and node.children.awaited]
        assert (growth.open, growth.asking) == (len(begun), len(asking))
        for node in begun:
            if node.children is not None:
                ended = node.children.closed.total()
                assert len(node.children.known) == node.children.awaited + ended
                assert all(child.parent is node for child in node.children.open.values())
            assert node.call is None or node.call.state == "done" or node.call.thinkers > 0
        assert growth.queued >= 0


def test_places_are_the_ids_that_the_trace_will_have() -> None:
    run = going(regular(3))
    growth, places = Growth(), dict[str, str]()

    def watch(event: Event) -> None:
        growth.take(event)
        places.update((key, growth.place(key)) for key in growth.nodes)

    run.watch = watch
    [result] = asyncio.run(run.finish())
    assert places == {node.key: node.id for node in result.trace.nodes()}
    assert "0.2.1" in places.values()
    assert growth.place(next(iter(places))) == ""


def test_a_subtree_that_two_share_is_its_first_askers() -> None:
    def script(request: Request) -> str:
        if request.form is None:
            return "so"
        return decomposition("A?", "B?") if request.question == "Why 0?" else decomposition("C?")

    seen = events(going(script, depth=2))
    growth, elsewhere = Growth(), 0
    for event in seen:
        growth.take(event)
        for node in growth.nodes.values():
            if node.children is not None and node.children.elsewhere:
                elsewhere += 1
                assert node.id == "0.2"
                assert [shared.id for shared in growth.nodes.values() if shared.others] == ["0.1.1"]
    assert elsewhere
    assert growth.opened == 4


def test_texts_are_cut_and_only_the_last_children_are_kept() -> None:
    def script(request: Request) -> str:
        if request.form is None:
            return "y" * 9999
        return decomposition(*(f"{i} {'x' * 9999}" for i in range(40)))

    seen = events(going(script, depth=1, fanout=40))
    last = max(i for i, event in enumerate(seen) if isinstance(event, NodeClosed))
    growth = folded(seen[:last])
    [root] = growth.nodes.values()
    assert root.children is not None
    assert root.children.closed == {"answered": 40}
    assert len(root.children.recent) == RECENT
    assert {len(node.question) for node in root.children.recent} == {SHOWN}
    assert {len(node.said) for node in root.children.recent} == {SHOWN}


def test_what_a_call_waits_for_is_told() -> None:
    def failures(request: Request, attempt: int) -> ModelError | None:
        return TransientModelError("slow", kind="http 429", ran=False) if attempt < 3 else None

    time = [0.0]
    growth = Growth(lambda: time[0])
    said: list[str] = []
    waiting = Waiting(growth, None)
    for event in events(going(regular(3), depth=0, failures=failures)):
        growth.take(event)
        said += ["".join(waiting.of(node, time[0] + 12)[1:]) for node in growth.nodes.values()]
        time[0] += 1
    assert [what for i, what in enumerate(said) if what not in said[:i]] == [
        "to begin",
        "working",
        "queued",
        "thinking 12 s",
        "retry 1 after http 429",
        "retry 2 after http 429",
    ]


def test_what_is_waited_for_in_all() -> None:
    run = going(regular(3), depth=1)
    seen = events(run)
    growth = Growth(lambda: 100.0)
    for event in seen[:5]:
        growth.take(event)
    assert list(Waiting(growth, run).in_all(114.0)) == ["1 thinking, longest 14 s"]
    replied = next(i for i, event in enumerate(seen) if type(event).__name__ == "CallFinished")
    intended = [i for i, event in enumerate(seen) if type(event).__name__ == "CallIntended"]
    for event in seen[5 : next(i for i in intended if i > replied) + 1]:
        growth.take(event)
    assert "last reply 14 s ago" in list(Waiting(growth, run).in_all(114.0))
    [endpoint] = run.endpoints
    endpoint.paused_until, endpoint.flying, endpoint.window = 120.0, 12, 12.5
    thought = next(i for i, event in enumerate(seen) if type(event).__name__ == "Thought")
    queued = folded(seen[: thought + 1])
    assert list(Waiting(queued, run).in_all(114.0)) == [
        "scripted paused 6 s more",
        "1 queued behind 12 of 64 in flight",
    ]
    [root] = queued.nodes.values()
    assert Waiting(queued, run).of(root, 114.0) == ("held", "paused", " 6 s more")
    assert Waiting(queued, run).of(root, 121.0) == ("queued", "queued", " behind 12")


def test_a_limit_a_minute_that_is_waited_for_is_told() -> None:
    seen = events(run := going(regular(3), depth=0))
    thought = next(i for i, event in enumerate(seen) if type(event).__name__ == "Thought")
    queued = folded(seen[: thought + 1])
    [root] = queued.nodes.values()
    [endpoint] = run.endpoints

    async def waits() -> None:
        now, lane = asyncio.get_running_loop().time(), endpoint.lanes["scripted"]
        lane.tokens.hear(RateLimit(600, 0, 60.0), lane.tokens.taken, now, now)
        waiter = asyncio.create_task(endpoint.turn(lane, Request((), Sampling(max_tokens=9999))))
        await asyncio.sleep(0)
        waiting = Waiting(queued, run)
        assert waiting.of(root, now + 48) == ("held", "limited", " by tokens a minute, 12 s more")
        assert list(waiting.in_all(now + 48)) == [
            "scripted used up its tokens a minute, 12 s more",
            "1 queued",
        ]
        waiter.cancel()

    asyncio.run(waits())


def test_a_person_is_who_is_waited_for() -> None:
    growth = Growth(lambda: 0.0, people={"me"})
    for event in events(going(regular(3), depth=0))[:5]:
        if hasattr(event, "model"):
            event = event.model_copy(update={"model": "me"})  # noqa: PLW2901
        growth.take(event)
    [root] = growth.nodes.values()
    assert Waiting(growth, None).of(root, 40.0) == ("person", "asks you", " 40 s")
    assert list(Waiting(growth, None).in_all(40.0)) == ["1 asks you"]


def test_what_a_resume_finds_recorded_leaves_nothing_waiting() -> None:
    store = memory()
    dead = ModelError("no", kind="http 400", ran=False)
    asked = [0]

    def script(request: Request) -> Any:
        asked[0] += 1
        return dead if asked[0] == 6 else regular(3)(request)

    hch = HCH(depth=2, model=ScriptedModel(script), store=store)
    run = hch.begin(["Why?"])
    asyncio.run(run.finish())
    seen: list[Event] = []
    past = Resumed(Recording(partial(store.events, run.id)), run.cap)
    again = Run(run.id, run.setup, store, run.plan, resumed=past)
    again.watch = seen.append
    asyncio.run(again.finish())
    growth = folded(seen)
    assert [growth.nodes, growth.calls] == [{}] * 2


def test_totals_are_those_of_the_run() -> None:
    run = going(regular(3), rate=Rate(1e6, 1e6))
    growth = Growth()
    run.watch = growth.take
    [result] = asyncio.run(run.finish())
    assert growth.microusd == result.trace.bill.microusd
    said = list(totals(growth, run))
    assert said[:3] == ["13 nodes", "0 open", "17 calls"]
    assert said[-1].startswith("$")


def test_totals_of_a_resumed_run_go_on() -> None:
    hch = HCH(
        depth=2, model=ScriptedModel(regular(3), rate=Rate(1e6, 1e6)), store=memory(),
        budget="9calls", seed=1,
    )  # fmt: skip
    [first] = asyncio.run(hch.begin(["Why?"]).finish())
    stored = list(hch.kept_in.events(first.run))
    store = memory()
    for record in stored[: len(stored) // 2]:
        store.append(first.run, record.at, record.event)
    again = replace(hch, store=store).resume(first.run)
    progress = Progress(quiet=False, run=again)
    begun = progress.growth.microusd
    again.watch = progress.watch
    [second] = asyncio.run(again.finish())
    assert 0 < begun < progress.growth.microusd == second.trace.bill.microusd
    assert progress.growth.sent == len(second.trace.calls)


def test_totals_say_that_the_cost_is_unknown() -> None:
    run = going(regular(3))
    for model in run.setup.models.values():
        model.rate = None
    growth = Growth()
    for event in events(run):
        growth.take(event)
    assert list(totals(growth, run))[-1] == "cost unknown"
