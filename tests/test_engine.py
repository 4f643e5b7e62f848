"""The engine through the public API: trees, budgets, sharing, tries, many roots, resumes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from hch import HCH, Question, ScriptedModel, Text, Trace
from hch.budget import Price
from hch.errors import BillExhausted, ConfigError, DeadEndpoint, TransientModelError
from hch.events import CallIntended
from hch.rates import Rate
from tests.support import ask, decomposition, memory, regular

HARD = "What is ((2+3)*(4-1))-((6*7)+(8-5))?"


def test_the_script_answers_an_expression_by_a_tree_of_copies():
    result = HCH(depth=3, strategy="script", store=memory()).ask_sync(HARD)
    assert (result.text, result.status, result.clean) == ("-30", "answered", True)
    assert [(node.id, node.level, node.answer.text.body) for node in result.trace.nodes()] == [
        ("0", 3, "-30"),
        ("0.1", 2, "15"),
        ("0.1.1", 1, "5"),
        ("0.1.2", 1, "3"),
        ("0.2", 2, "45"),
        ("0.2.1", 1, "42"),
        ("0.2.2", 1, "3"),
    ]
    assert not result.trace.calls


def test_a_level_too_low_says_so():
    result = HCH(depth=1, strategy="script", store=memory()).ask_sync(HARD)
    assert (result.status, result.text) == ("unanswered", None)
    assert "level 1 reaches operator height 2 and this one has 3" in result.reason


def test_a_full_tree_has_the_nodes_and_calls_that_its_shape_says():
    result = ask(regular(3), depth=3)
    levels = {level: count for level, (count, _) in result.trace.usage_by_level().items()}
    assert levels == {0: 27, 1: 18, 2: 6, 3: 2}
    assert len(list(result.trace.nodes())) == 40
    assert result.trace.bill.calls == 53


@pytest.mark.parametrize("strategy", ["factored", "consult"])
def test_ten_calls_on_a_tree_that_wants_121_nodes_end_by_themselves(strategy):
    result = ask(regular(3), depth=4, strategy=strategy, budget="10calls")
    assert result.trace.bill.calls <= 10
    assert (result.status, result.clean) == ("answered", False)
    lacking = [note for node in result.trace.nodes() for note in node.closed.notes]
    lacking += [
        asked.refusal for node in result.trace.nodes() for asked in node.asks if asked.refusal
    ]
    assert any("grant" in what for what in lacking)


def test_a_cap_of_a_thousand_calls_buys_the_whole_tree_of_depth_five():
    trace = ask(regular(3), depth=5, budget="1000calls").trace
    assert (len(list(trace.nodes())), trace.clean) == (364, True)


def test_a_grant_too_small_for_a_single_call_truncates_the_root():
    result = ask(regular(3), depth=2, budget="100tokens")
    assert result.status == "truncated"
    assert "tokens wanted" in result.reason


def test_what_was_shared_in_flight_is_charged_to_each_asker_and_run_once():
    same = "what is common?"

    def say(request):
        if request.form is None:
            return "so"
        return (
            decomposition(same) if request.question in ("a?", "b?") else decomposition("a?", "b?")
        )

    model = ScriptedModel(say, latency=0.005)
    trace = ask(model, depth=2).trace
    first, second = trace.roots[0].children
    assert first.asks[0].node is second.asks[0].node
    assert (first.asks[0].shared, second.asks[0].shared) == (False, True)
    assert [r.question for r in model.requests].count(same) == 1
    assert first.spent == second.spent
    assert trace.roots[0].spent.calls == 8
    assert trace.bill.calls == 7


@dataclass
class Again:
    """A wrapper for tests: asks itself again, a batch at a time, and gives all that it was told."""

    batches: tuple[int, ...]
    of: int | None = None
    thinks: bool = True
    refuses_repeats: bool = False
    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}

    async def __call__(self, workspace: Any) -> str:
        answers = [a for n in self.batches for a in await workspace.tries(n, of=self.of)]
        return " ".join(a.text.body if a.text else a.status for a in answers)

    def least(self, workspace: Any) -> Price:
        return Price()

    def finish(self, workspace: Any, m: int) -> Price:
        return Price()


def retried(say: Any, wrapper: Again, **options: Any) -> Trace:
    """A run whose only level is `wrapper` round `direct`."""
    from dataclasses import replace

    hch = HCH(model=ScriptedModel(say), strategy="direct", depth=0, store=memory(), **options)
    [player] = hch.players
    hch.__dict__["players"] = (replace(player, layers=(wrapper, *player.layers)),)
    return hch.ask_sync("heads or tails?").trace


def test_tries_are_numbered_through_the_workspace_and_have_paths_of_their_own():
    trace = retried(lambda request: str(request.sample), Again((2, 1), of=3))
    [root] = trace.roots
    assert root.answer.text.body == "((0, 1, 0),) ((0, 1, 1),) ((0, 1, 2),)"
    assert [(a.slot, a.round, a.how, a.node.id) for a in root.asks] == [
        (1, 1, "try", "0.1"),
        (2, 1, "try", "0.2"),
        (3, 2, "try", "0.3"),
    ]
    assert {node.opened.wrapper for node in root.children} == {1}


def test_tries_share_the_grant_over_all_that_were_declared_and_no_more_are_made():
    trace = retried(lambda request: "x", Again((2, 2), of=3), budget="10calls")
    assert [a.node and a.node.opened.grant.calls for a in trace.roots[0].asks] == [3, 3, 3, None]
    assert trace.roots[0].answer.text.body == "x x x refused"


def test_a_second_opinion_is_another_sample_and_a_repeat_is_not():
    seen = []

    class Twice(Again):
        async def __call__(self, workspace):
            if workspace.level == 0:
                return await workspace.think("direct", last=True)
            asked = Question(Text("a?", "model"))
            await workspace.ask(asked, asked.again(0), asked.again(0).again(1), asked)
            seen.append(workspace.question.sample)
            return "done"

        prompts: ClassVar[Mapping[str, frozenset[str]]] = {"direct": frozenset()}

    model = ScriptedModel(lambda request: str(request.sample))
    result = HCH(model=model, strategy=Twice(()), depth=1, store=memory()).ask_sync("q?")
    assert [a.node.answer.text.body for a in result.trace.roots[0].asks] == [
        "()",
        "((1, 0, 0),)",
        "((1, 0, 0), (1, 0, 1))",
        "()",
    ]
    assert seen == [()]


def test_a_workspace_does_one_thing_at_a_time():
    class Hasty(Again):
        async def __call__(self, workspace):
            await asyncio.gather(
                workspace.think("direct", last=True), workspace.think("direct", last=True)
            )
            return "?"

        prompts: ClassVar[Mapping[str, frozenset[str]]] = {"direct": frozenset()}

    hch = HCH(model=ScriptedModel(regular()), strategy=Hasty(()), depth=0, store=memory())
    with pytest.raises(RuntimeError, match="one thing at a time"):
        hch.ask_sync("q?")


async def test_many_roots_share_one_run_one_cap_and_their_subtrees():
    hch = HCH(model=ScriptedModel(regular(2)), depth=1, store=memory(), budget="100calls")
    run = hch.begin([f"q{i % 3}?" for i in range(9)])
    results = await run.finish()
    assert [r.text for r in results] == [f"answer to q{i % 3}?" for i in range(9)]
    trace = results[0].trace
    assert [root.id for root in trace.roots] == ["0", "1", "2"] * 3
    assert trace.started.grant.calls == 10
    assert trace.bill.calls == 12


async def test_ask_sync_works_inside_a_running_loop():
    assert HCH(strategy="script", store=memory()).ask_sync("What is 2+3?").text == "5"


def test_usage_is_told_by_level():
    usage = ask(regular(2), depth=1).trace.usage_by_level()
    assert {level: count for level, (count, _) in usage.items()} == {0: 2, 1: 2}
    assert all(used.input > 0 < used.output for _, used in usage.values())


def test_levels_can_have_players_of_their_own():
    hch = HCH(
        depth=2, strategy="script", at={"0": "direct"}, model=ScriptedModel({}), store=memory()
    )
    result = hch.ask_sync("What is 2*(3+4)?")
    assert result.text == "14"
    assert result.trace.started.players == ("direct@scripted", "script", "script")


def test_a_strategy_that_thinks_needs_a_model():
    with pytest.raises(ConfigError, match="there is no model"):
        HCH(strategy="consult", store=memory()).ask_sync("q?")


def test_a_model_without_a_price_cannot_run_under_a_dollar_cap():
    model = ScriptedModel(regular())
    model.rate = None
    with pytest.raises(ConfigError, match="no known price"):
        HCH(model=model, budget="1usd", store=memory()).ask_sync("q?")


def test_a_prompt_that_lacks_a_placeholder_is_an_error_before_anything_is_sent(tmp_path):
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / "direct.md").write_text("--- user ---\n$context $manual Say something.\n")
    model = ScriptedModel(regular())
    with pytest.raises(ConfigError, match=r"'direct' lacks \$question"):
        HCH(model=model, depth=0, prompts=folder, store=memory()).ask_sync("q?")
    assert not model.requests


def test_the_bill_ends_a_run_that_overspends_and_the_run_can_be_resumed():
    store = memory()
    model = ScriptedModel(
        regular(2),
        failures=lambda r, n: TransientModelError("no", kind="http 500") if n < 4 else None,
    )
    hch = HCH(model=model, depth=1, store=store, budget="10calls", pause=0.0, attempts=9)
    run = hch.begin(["q?"])
    with pytest.raises(BillExhausted, match="call wanted"):
        asyncio.run(run.finish())
    stopped = Trace(store.events(run.id))
    assert (stopped.stopped.kind, stopped.finished) == ("BillExhausted", None)
    assert stopped.bill.calls == 10
    assert {node.status for node in stopped.nodes()} == {"cancelled"}

    [result] = asyncio.run(hch.resume(run.id, budget="100calls").finish())
    assert (result.text, result.clean) == ("answer to q?", True)
    assert result.trace.bill.calls <= 100
    assert result.trace.started.cap.calls == 10


async def test_a_resume_sends_nothing_again_and_gives_the_same_tree():
    store = memory()
    whole = await HCH(model=ScriptedModel(regular(2)), depth=2, store=store).ask("q?")
    tasks = []

    def stopping(request):
        if len(first.requests) >= 6:
            tasks[0].cancel()
        return regular(2)(request)

    first = ScriptedModel(stopping, latency=0.001)
    run = HCH(model=first, depth=2, store=store).begin(["q?"])
    tasks.append(asyncio.create_task(run.finish()))
    with pytest.raises(asyncio.CancelledError):
        await tasks[0]
    kept = {e.event.request for e in store.events(run.id, "CallFinished")}
    assert 0 < len(kept) < 10
    second = ScriptedModel(regular(2))
    [result] = await HCH(model=second, depth=2, store=store).resume(run.id).finish()
    assert result.trace.canonical() == whole.trace.canonical()
    assert not {request.call for request in second.requests} & kept

    before = len(list(store.events(run.id)))
    silent = ScriptedModel({})
    [again] = await HCH(model=silent, depth=2, store=store).resume(run.id).finish()
    assert (again.text, silent.requests) == (result.text, [])
    assert len(list(store.events(run.id))) == before


def test_a_run_is_not_resumed_by_other_players():
    result = ask(regular(2), depth=1, store=(store := memory()))
    with pytest.raises(ConfigError, match="started with other players"):
        HCH(model=ScriptedModel({}), depth=2, store=store).resume(result.run)


def test_a_dead_endpoint_stops_the_run_and_its_failures_are_no_record():
    store = memory()
    dead = ScriptedModel(
        {}, failures=lambda r, n: TransientModelError("no route", kind="unreachable")
    )
    hch = HCH(model=dead, depth=0, store=store, pause=0.0, attempts=3)
    run = hch.begin(["q?"])
    with pytest.raises(DeadEndpoint, match="does not answer"):
        asyncio.run(run.finish())
    assert Trace(store.events(run.id)).stopped.kind == "DeadEndpoint"
    alive = HCH(model=ScriptedModel({"q?": "here"}), depth=0, store=store)
    assert asyncio.run(alive.resume(run.id).finish())[0].text == "here"


def test_a_dead_server_is_named_once():
    model = "openai:x,base_url=http://127.0.0.1:1/v1"
    with pytest.raises(DeadEndpoint) as told:
        HCH(model=model, depth=0, store=memory(), pause=0.0, attempts=2).ask_sync("q?")
    assert str(told.value).count("http://127.0.0.1:1/v1") == 1


def test_the_seconds_of_a_budget_are_the_runs_deadline():
    hch = HCH(model=ScriptedModel({"q?": "late"}, latency=30), depth=0, store=memory(), budget="1s")
    with pytest.raises(BillExhausted, match="1 s are over"):
        hch.ask_sync("q?")


def test_a_usage_above_its_worst_case_is_settled_as_it_is_and_stops_the_run():
    from hch import Completion
    from hch.types import Usage

    def say(request):
        return Completion("x", usage=Usage(10, 5000))

    store = memory()
    hch = HCH(model=ScriptedModel(say), depth=0, store=store, budget="9ktokens")
    run = hch.begin(["q?"])
    with pytest.raises(BillExhausted, match="more than the worst case"):
        asyncio.run(run.finish())
    assert Trace(store.events(run.id)).bill.tokens == 5010


def test_prices_are_charged_to_the_micro_dollar():
    from hch import Completion
    from hch.types import Usage

    model = ScriptedModel(
        lambda r: Completion("x", usage=Usage(100, 10, cached=60)), rate=Rate(2.0, 8.0, 0.5)
    )
    trace = ask(model, depth=0, budget="1usd").trace
    assert trace.bill.microusd == 40 * 2 + 60 * 0.5 + 10 * 8
    assert trace.roots[0].spent.microusd == 100 * 2 + 10 * 8


def test_messages_are_recorded_as_sent():
    result = ask(regular(), "Why?", depth=0, manual="Be brief.")
    [intent] = [e.event for e in result.store.events(result.run, "CallIntended")]
    assert isinstance(intent, CallIntended)
    system, user = intent.sent()
    assert system.content.endswith("Be brief.")
    assert user.content == "Question: Why?"
