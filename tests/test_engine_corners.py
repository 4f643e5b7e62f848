"""Corners of the engine where a promise could be lost: each was once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from hch import HCH, Completion, Question, Request, ScriptedModel, Text, Trace
from hch.budget import Price
from hch.errors import ConfigError, DeadEndpoint, RefusalError, TransientModelError, UsageError
from hch.past import Past
from tests.support import ask, check_tree, decomposition, memory, regular


class Own:
    """A strategy that is one function of the workspace."""

    thinks = True
    refuses_repeats = False
    prompts: ClassVar[Mapping[str, frozenset[str]]] = {"direct": frozenset()}

    def __init__(self, play: Any) -> None:
        self.play = play

    async def __call__(self, workspace: Any) -> Any:
        return await self.play(workspace)

    def least(self, workspace: Any) -> Price:
        return Price()

    def finish(self, workspace: Any, m: int) -> Price:
        return Price()


def played(play: Any, say: Any = None, **options: Any) -> Any:
    return ask(say or regular(), strategy=Own(play), **options)


async def test_after_a_dead_endpoint_a_resume_gives_the_tree_of_a_run_without_it():
    store = memory()
    say = regular(4)
    whole = await HCH(model=ScriptedModel(say), depth=2, store=store).ask("q?")
    ill = ScriptedModel(
        say,
        failures=lambda request, n: (
            None if request.form else TransientModelError("no", kind="reset")
        ),
    )
    run = HCH(model=ill, depth=2, store=store, pause=0.0, attempts=1).begin(["q?"])
    with pytest.raises(DeadEndpoint):
        await run.finish()
    [result] = await HCH(model=ScriptedModel(say), depth=2, store=store).resume(run.id).finish()
    assert result.trace.canonical() == whole.trace.canonical()
    check_tree(result.trace)


async def test_roots_that_are_other_samples_are_other_nodes():
    hch = HCH(model=ScriptedModel(lambda r: str(r.sample)), depth=0, store=memory())
    question = Question(Text("q?"))
    results = await hch.begin([question, question.again(1), question.again(2)]).finish()
    assert [r.text for r in results] == ["()", "((1, 0, 1),)", "((1, 0, 2),)"]
    assert [root.id for root in results[0].trace.roots] == ["0", "1", "2"]


def test_the_export_does_not_tell_which_of_two_equal_texts_came_first():
    def say(request):
        if request.form is None:
            return "so"
        if request.question == "q?":
            return decomposition("a?", "b?")
        sent = {"a?": [1], "b?": [2]}[request.question]
        return f'{{"questions": [{{"question": "x?", "texts": {sent}}}]}}'

    exports = set()
    for slow in ("a?", "b?"):
        model = ScriptedModel(say, latency=lambda r, s=slow: 0.01 if r.question == s else 0.0)
        context = [Text("same", "document:1", False), Text("same", "document:2", False)]
        trace = ask(model, "q?", depth=2, context=context).trace
        exports.add(trace.canonical())
    assert len(exports) == 1


@pytest.mark.parametrize("tokens", range(8, 40, 2))
def test_who_paid_for_its_children_can_always_finish(tokens):
    def say(request):
        if request.form:
            return decomposition("a?", "b?", "c?")
        return (
            "so"
            if any(p.origin == "answer 1" for p in request.messages[-1].parts)
            else "ab " * 2700
        )

    result = ask(say, depth=1, budget=f"{tokens}ktokens")
    assert result.status == "answered"


@pytest.mark.parametrize("tokens", range(6, 30, 3))
def test_refusals_and_repeats_are_paid_for_before_anything_is_asked(tokens):
    long = [f"what is {i}? " + "words " * 60 for i in range(8)]

    def say(request):
        return decomposition(*long, *long, "a?") if request.form else "so"

    assert ask(say, depth=1, budget=f"{tokens}ktokens").status == "answered"


def test_an_answer_is_shown_once_however_often_it_was_asked_for():
    prompts = []

    def say(request):
        prompts.append(request.messages[-1].content)
        return decomposition(*["a?"] * 300) if request.form else "the answer " * 300

    result = ask(say, depth=1)
    assert result.status == "answered"
    assert len(prompts[-1]) < 6000
    assert "Sub-question 2 was the same as sub-question 1." in prompts[-1]
    assert "291 more questions repeated an earlier one" in prompts[-1]


def wrapped(outer: Any, **options: Any) -> Trace:
    hch = HCH(model=ScriptedModel(regular()), strategy="direct", store=memory(), **options)
    players = [replace(p, layers=(Own(outer), *p.layers)) for p in hch.players]
    hch.__dict__["players"] = tuple(players)
    return hch.ask_sync("q?").trace


def test_tries_never_take_more_than_is_left():
    async def play(workspace):
        first = await workspace.tries(1, of=2)
        if workspace.level:
            await workspace.ask(Question(Text("a?")), Question(Text("b?")), last=True)
        second = await workspace.tries(1, of=2)
        return (first + second)[0]

    trace = wrapped(play, depth=2, budget="10calls")
    for node in trace.nodes():
        assert node.opened.grant.price().covers(node.spent)


def test_a_try_and_another_sample_of_the_own_question_are_two_things():
    async def play(workspace):
        if workspace.level == 0:
            return (await workspace.tries(1))[0]
        await workspace.tries(1)
        return (await workspace.ask(workspace.question.again(0)))[0]

    trace = wrapped(play, depth=1)
    assert [(a.how, a.node.level, a.node.opened.wrapper) for a in trace.roots[0].asks] == [
        ("try", 1, 1),
        ("ask", 0, 0),
    ]


def test_other_totals_of_tries_and_a_try_of_nothing_are_errors():
    async def changing(workspace):
        await workspace.tries(1, of=2)
        await workspace.tries(1, of=3)

    async def trying(workspace):
        return (await workspace.tries(1))[0]

    with pytest.raises(ValueError, match="declared as 2"):
        wrapped(changing, depth=0)
    with pytest.raises(ConfigError, match="tries another strategy"):
        played(trying, depth=0)


@pytest.mark.parametrize(
    ("returned", "status", "reason"),
    [
        (None, "unanswered", "refused: the question is empty"),
        ("", "failed", "the reply was empty"),
        ("  \n", "failed", "the reply was empty"),
    ],
)
def test_whatever_a_strategy_returns_its_node_is_closed_as_it_deserves(returned, status, reason):
    async def play(workspace):
        return (await workspace.ask(Question(Text(""))))[0] if returned is None else returned

    result = played(play, depth=1)
    assert (result.status, result.reason, result.text) == (status, reason, None)


def test_an_untrusted_text_taints_whoever_reads_it_and_its_askers():
    async def play(workspace):
        if workspace.level == 1:
            answers = await workspace.ask(Question(Text("a?")))
            return answers[0]
        return await workspace.think("direct", last=True, extra=Text("evil", "document:x", False))

    assert not played(play, depth=1).answer.text.trusted
    assert played(lambda w: w.think("direct", last=True), depth=0).answer.text.trusted


def test_a_failed_child_taints_as_well():
    async def play(workspace):
        if workspace.level == 1:
            await workspace.ask(Question(Text("a?"), (Text("x", "document:x", False),)))
            return "fine"
        return await workspace.think("direct", last=True)

    result = played(play, lambda request: RefusalError("read on in evil"), depth=1)
    assert not result.answer.text.trusted


def test_a_budget_must_have_a_node_and_a_call_for_each_root():
    hch = HCH(model=ScriptedModel({}), depth=0, store=memory(), budget="5nodes")
    with pytest.raises(UsageError, match="each of 20 questions"):
        hch.begin([f"q{i}?" for i in range(20)])


def test_a_strategys_own_timeout_is_a_bug_and_not_the_deadline():
    async def play(workspace):
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        played(play, depth=0)
    with pytest.raises(TimeoutError, match="mine"):
        played(play, depth=0, budget="10min")


async def test_a_run_is_recorded_without_aliases(tmp_path):
    (tmp_path / "hch.toml").write_text('[models]\nsmall = "scripted:rules.toml"\n')
    (tmp_path / "rules.toml").write_text('[[rule]]\nmatch = "."\nreply = "5"\n')
    store = memory()
    hch = HCH(strategy="script", at={"0": "direct@small"}, depth=1, store=store)
    run = hch.begin(["What is 2*(3+4)?"])
    await run.finish()
    for now in (
        "",
        '[players]\ndirect = "factored"\nscript = "consult"\n',
        '[models]\n"scripted:rules.toml" = "human"\n',
        '[defaults]\ntask = "none-such"\nfanout = 3\n',
        "this is no TOML",
    ):
        (tmp_path / "hch.toml").write_text(now)
        again = Past(store, run.id).hch()
        assert again.at == {"0": "direct@scripted:rules.toml"}
        assert again.resume(run.id).plan == run.plan
        assert again.chosen.fanout == 16


async def test_a_run_closes_no_model_that_another_one_uses():
    closed = []

    class Watched(ScriptedModel):
        async def close(self):
            closed.append(len(self.requests))

    model = Watched(regular(), latency=lambda r: 0.02 if r.question == "slow?" else 0.0)
    hch = HCH(model=model, depth=0, store=memory())
    await asyncio.gather(hch.ask("slow?"), hch.ask("fast?"))
    assert closed == [2]


def test_a_reason_is_cut_as_well():
    result = ask(lambda r: Completion("no " * 400_000, finish="refusal"), depth=0)
    assert (result.status, len(result.reason)) == ("unanswered", 2000)


class Crowd:
    """A person who replies to nobody before so many have come."""

    def __init__(self, needed: int) -> None:
        self._missing = needed
        self._all = asyncio.Event()

    async def reply(self, request: Request) -> str:
        if request.level:
            return decomposition("a?", "b?", "c?") if request.form else "so"
        self._missing -= 1
        if self._missing == 0:
            self._all.set()
        await self._all.wait()
        return "so"


def test_a_person_takes_no_tokens_of_a_cap():
    hch = HCH(depth=1, model="human", person=Crowd(3), store=memory(), budget="1000tokens")
    result = hch.ask_sync("q?")
    assert (result.status, result.clean) == ("answered", True)
    assert result.trace.bill.tokens == 0


def test_no_limit_of_requests_in_flight_holds_for_people():
    hch = HCH(depth=1, model="human", person=Crowd(3), store=memory(), concurrency=1)
    assert hch.ask_sync("q?").status == "answered"
