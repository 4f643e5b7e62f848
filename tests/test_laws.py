"""The laws of HCH over random trees: levels, prompts, grants, the bill, sharing, determinism."""

from __future__ import annotations

import asyncio
import contextlib
import re
from math import inf
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel, Trace
from hch.budget import Price
from hch.errors import BillExhausted, DeadEndpoint, TransientModelError
from hch.events import CallFailed, CallFinished, CallIntended, RunStarted
from hch.prompts import neutral
from hch.rates import Rate
from hch.trace import Node
from tests.support import Plan, ask, check_tree, memory, regular, rough, scripted

LAW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

seeds = st.integers(0, 10**6)
shapes = st.fixed_dictionaries(
    {
        "depth": st.integers(0, 3),
        "strategy": st.sampled_from(["factored", "consult", "direct"]),
        "budget": st.sampled_from(
            [
                None,
                "5calls",
                "30calls",
                "200calls",
                "20ktokens",
                "100ktokens,60calls",
                "12nodes",
                "1usd",
            ]
        ),
        "fanout": st.sampled_from([1, 3, 16]),
        "answer_tokens": st.sampled_from([64, 512]),
    }
)


@LAW
@given(seeds, shapes)
def test_every_node_is_lower_than_its_asker_and_closed_under_one_status(seed, shape):
    trace = ask(scripted(Plan(seed)), **shape).trace
    check_tree(trace)
    for node in trace.nodes():
        assert node.status in ("answered", "unanswered", "truncated", "failed")
        assert (node.closed.answer is not None) == (node.status == "answered")
        assert len({a.node.key for a in node.asks if a.node}) <= shape["fanout"]
        assert node.level > 0 or not any(ask.node for ask in node.asks)


@LAW
@given(seeds, shapes, seeds)
def test_latency_limits_and_transient_failures_change_no_byte_of_the_export(seed, shape, other):
    calm = ask(scripted(Plan(seed)), **{**shape, "budget": None}, concurrency=1)
    wild = ask(
        scripted(Plan(seed), **rough(other)),
        **{**shape, "budget": None},
        concurrency=Random(other).choice([1, 2, 7, 64]),
    )
    assert calm.trace.canonical() == wild.trace.canonical()


@LAW
@given(seeds, shapes)
def test_a_capped_tree_repeats_to_the_byte_when_the_bill_is_not_reached(seed, shape):
    results = [ask(scripted(Plan(seed)), **shape, concurrency=n) for n in (1, 64)]
    assert results[0].trace.canonical() == results[1].trace.canonical()


@LAW
@given(seeds, shapes, seeds)
def test_the_bill_never_exceeds_the_cap_at_any_commit(seed, shape, other):
    store = memory()
    hch = HCH(
        model=scripted(Plan(seed), rate=Rate(3.0, 9.0), **rough(other)),
        store=store,
        pause=0.0,
        **shape,
    )
    run = hch.begin(["Why is the sky blue?"])
    with contextlib.suppress(BillExhausted):
        asyncio.run(run.finish())
    spent, open_ = Price(), {}
    cap = next(store.events(run.id, "RunStarted")).event.cap.price()
    for record in store.events(run.id):
        match record.event:
            case CallIntended() as intent:
                open_[intent.request, intent.attempt] = intent.worst.price()
            case CallFinished() | CallFailed() as end:
                spent += end.price.price()
                del open_[end.request, end.attempt]
        assert cap.covers(sum(open_.values(), spent))


@LAW
@given(seeds, shapes)
def test_a_node_spends_its_own_calls_and_each_distinct_child_within_its_grant(seed, shape):
    trace = ask(scripted(Plan(seed), rate=Rate(3.0, 9.0)), **shape).trace
    for node in trace.nodes():
        grant = node.opened.grant.price()
        assert grant.covers(node.spent)
        children = {ask.node.key: ask.node for ask in node.asks if ask.node}.values()
        own = Price(nodes=1)
        for _, call in node.thoughts:
            used = call.usage
            dollars = Rate(3.0, 9.0).uncached(used) if call.finished else 0
            own += Price(1, used.input + used.output, dollars)
        assert node.spent == sum((child.spent for child in children), own)
        for child in children:
            assert grant.covers(child.opened.grant.price())


@LAW
@given(seeds, shapes)
def test_equal_nodes_and_equal_requests_are_done_once(seed, shape):
    model = scripted(Plan(seed))
    trace = ask(model, **{**shape, "strategy": "factored"}).trace
    sent = [request.key(model.name) for request in model.requests]
    assert len(sent) == len(set(sent)) == len(trace.calls)
    keys = [node.key for node in trace.nodes()]
    assert len(keys) == len(set(keys))


MANUAL = "Be kind."
ORIGINS = re.compile(
    r"prompt|mark|question|manual|level|grant|form|problem|reply|refusals"
    r"|(context|sub-question|status|answer|reason) \d+"
)


@LAW
@given(seeds, shapes, st.lists(st.text(max_size=80), max_size=2))
def test_a_prompt_holds_nothing_but_what_its_copy_may_see(seed, shape, documents):
    result = ask(scripted(Plan(seed)), manual=MANUAL, context=documents, **shape)
    started = next(result.store.events(result.run, "RunStarted")).event
    for node in result.trace.nodes():
        for thought, call in node.thoughts:
            if call is not None and call.intents:
                check_prompt(node, thought.prompt, call.intents[0], started)


def check_prompt(node: Node, name: str, intent: CallIntended, started: RunStarted) -> None:
    parts = [part for message in intent.sent() for part in message.parts]
    allowed = {
        "question": {neutral(node.question.text.body)},
        "manual": {MANUAL},
        "level": {str(node.level)},
    }
    for i, text in enumerate(node.question.context, 1):
        allowed[f"context {i}"] = {neutral(text.body)}
    for i, asked in enumerate(node.asks, 1):
        answer = asked.node.answer if asked.node else None
        allowed[f"sub-question {i}"] = {" ".join(neutral(asked.question).split())}
        if answer and answer.text:
            allowed[f"answer {i}"] = {neutral(answer.text.body)}
        reason = asked.refusal if answer is None else answer.reason
        allowed[f"reason {i}"] = {" ".join(neutral(reason).split())}
    for part in parts:
        assert ORIGINS.fullmatch(part.origin), part.origin
        if part.origin in allowed:
            assert part.body in allowed[part.origin], (part.origin, part.body)
        if part.origin == "refusals":
            reasons = [asked.refusal for asked in node.asks if asked.refusal]
            assert any(part.body.endswith(reason) for reason in [*reasons, "an earlier one"])
    origins = {part.origin for part in parts}
    if name == "direct":
        assert not origins & {"level", "grant", "form"}
    for part in parts:
        if part.origin == "grant":
            check_grant(part.body, node.opened.grant.price())
    words = set(re.findall(r"w[0-9a-f]{8}", "".join(p.body for p in parts)))
    own = set(re.findall(r"w[0-9a-f]{8}", str(allowed) + "".join(said(node))))
    assert words <= own, "a copy was shown a word that nobody told it"


def said(node: Node) -> list[str]:
    """What a copy itself replied: a repair shows it its own bad reply."""
    return [call.finished.text for _, call in node.thoughts if call and call.finished]


def check_grant(shown: str, grant: Price) -> None:
    amounts = [int(n) for n in re.findall(r"\d+", shown)]
    finite = [n for n in grant.amounts() if n != inf]
    assert len(amounts) == len(finite)
    for amount, bound in zip(amounts, finite, strict=True):
        assert amount <= bound
        assert amount & (amount - 1) == 0


@LAW
@given(seeds, shapes)
def test_what_is_no_answer_comes_to_the_asker_as_such(seed, shape):
    trace = ask(scripted(Plan(seed, trouble=0.4)), **{**shape, "strategy": "factored"}).trace
    for node in trace.nodes():
        for thought, call in node.thoughts:
            if thought.prompt != "factored/synthesize" or not call.intents:
                continue
            text = "".join(message.content for message in call.intents[0].sent())
            for i, asked in enumerate(node.asks, 1):
                status = asked.node.status if asked.node else "refused"
                line = f"Sub-question {i}: {' '.join(neutral(asked.question).split())}\n"
                after = text.partition(line)[2]
                expected = "Answer:\n<<text" if status == "answered" else f"No answer ({status}): "
                if f"Sub-question {i} was the same as" in text:
                    assert asked.shared
                    continue
                assert after.startswith(expected)


@LAW
@given(seeds, shapes)
def test_clean_means_that_nothing_at_all_was_lacking(seed, shape):
    trace = ask(scripted(Plan(seed, trouble=0.05)), **shape).trace
    assert isinstance(trace, Trace)
    for node in trace.nodes():
        below = [asked.node for asked in node.asks]
        whole = node.status == "answered" and None not in below
        noted = any(note.startswith(("cut:", "fallback:")) for note in node.closed.notes)
        assert node.clean == (whole and not noted and all(n.clean for n in below if n))


@settings(LAW, max_examples=30)
@given(seeds, st.sampled_from([1, 3, 64]))
def test_a_dead_endpoint_and_any_crash_after_it_change_no_byte_of_the_tree(cuts, concurrency):
    """Nodes go on after failures, until these are told as a dead endpoint's; then it is resumed."""

    def hch(store, **failing):
        model = ScriptedModel(regular(4), **failing)
        options = {"depth": 2, "concurrency": concurrency, "pause": 0.0, "attempts": 1}
        return HCH(model=model, store=store, **options)

    whole = asyncio.run(hch(memory()).ask("q?")).trace
    dead = TransientModelError("no", kind="reset")
    store, rng = memory(), Random(cuts)
    run = hch(store, failures=lambda request, n: None if request.form else dead).begin(["q?"])
    with pytest.raises(DeadEndpoint):
        asyncio.run(run.finish())
    most = len(list(store.events(run.id)))
    for _ in range(3):
        records = list(store.events(run.id))
        store = memory()
        for record in records[: rng.randint(most, len(records))]:
            store.append(run.id, record.at, record.event)
        [result] = asyncio.run(hch(store).resume(run.id).finish())
        assert result.trace.canonical() == whole.canonical()
        check_tree(result.trace)
