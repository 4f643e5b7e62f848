"""What an evaluation says of trees that were built by hand, of which everything is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from math import isclose
from typing import Any

import pytest

from hch import HCH, Completion, Request, ScriptedModel, Trace
from hch.budget import Price
from hch.commands._evaluating import Marks
from hch.errors import BillExhausted, UsageError
from hch.evals.comparison import Comparison
from hch.evals.correlation import ByQuestion
from hch.evals.evaluation import Evaluation
from hch.evals.share import Share
from hch.events import Asked
from hch.judging import CHECKING, GRADING
from hch.steps import Instance
from hch.tasks.arithmetic import Arithmetic
from hch.types import Answer, Text, Usage
from tests.evals.evaluating import contest, evaluated, said, sampled, sheet, task_of, traced
from tests.support import decomposition, memory

FIVE = "What is (2 + 3) * (4 - 1)?"
REPLY = "What is (5 + 6) * (7 - 2)?"
BELOW = "What is (1 + 1) * 2 + (9 - 1)?"
ODD = "What is (8 + 8) * (3 - 1)?"
SOUND = "What is (6 + 1) * (2 + 2)?"
ALONE = "What is 70 + 7?"

ASKED: Mapping[str, tuple[str, ...]] = {
    FIVE: ("What is 2 + 3?", "What is 4 - 1?"),
    REPLY: ("What is 5 + 6?", "What is 7 - 2?"),
    BELOW: ("What is (1 + 1) * 2?", "What is 9 - 1?"),
    "What is (1 + 1) * 2?": ("What is 1 + 1?",),
    ODD: ("Which number is meant?", "What is 3 - 1?"),
    SOUND: ("What is 6 + 1?", "What is 2 + 2?"),
}
"""Who asks what, above level 0; all others ask nothing."""

TOLD: Mapping[str, str] = {
    FIVE: "15", "What is 2 + 3?": "6", "What is 4 - 1?": "3",
    REPLY: "56", "What is 5 + 6?": "11", "What is 7 - 2?": "5",
    BELOW: "14", "What is (1 + 1) * 2?": "6", "What is 1 + 1?": "3", "What is 9 - 1?": "8",
    ODD: "33", "Which number is meant?": "16", "What is 3 - 1?": "2",
    SOUND: "28", "What is 6 + 1?": "7", "What is 2 + 2?": "4",
}  # fmt: skip
"""What whoever asked, or is asked, comes to."""

TRIES: Mapping[str, tuple[str, ...]] = {
    FIVE: ("14", "15", "15", "15", "15", "15"),
    REPLY: ("55",) * 6,
    BELOW: ("13", "12", "12", "12", "12", "12", "12"),
    ODD: ("32",) * 6,
    SOUND: ("1", "2", "3", "4", "5", "28"),
    ALONE: ("78", "77"),
}
"""What H alone says of a root question, try after try."""


def h(request: Request) -> Completion:
    """Every reply costs ten tokens, so that a tree pays for as many tries as it has calls."""
    if request.form:
        return said(decomposition(*ASKED.get(request.question, ())))
    told = any(part.origin == "answer 1" for part in request.messages[-1].parts)
    if told or request.question not in TRIES:
        return said(TOLD[request.question])
    return said(TRIES[request.question][sampled(request)])


@pytest.fixture(scope="module")
def trace() -> Trace:
    return traced(contest("factored", depths=[2]), sheet(*TRIES), model=ScriptedModel(h))


@pytest.fixture(scope="module")
def built(trace: Trace) -> Evaluation:
    return Evaluation.of(trace, task_of())


def test_beside_each_tree_there_is_a_vote_that_costs_as_much(
    built: Evaluation, trace: Trace
) -> None:
    alone, tree, _ = built.rows
    assert [(row.what, row.depth, row.of) for row in built.rows] == [
        ("alone", 0, None),
        ("tree", 2, None),
        ("vote", 0, 2),
    ]
    calls = [6, 6, 7, 6, 6, 2]
    assert [given.spent.calls for given in tree.answers] == calls
    assert [trace.planted[3 * i + 2].answer.ballot.of for i in range(6)] == calls  # type: ignore[union-attr]
    assert (tree.spent.tokens, alone.spent.tokens) == (330, 60)
    assert (built.questions, built.open) == (6, 0)


def test_accuracy_is_by_question_and_compared_by_question(built: Evaluation) -> None:
    alone, tree, vote = built.rows
    assert alone.right == (False, True, False, True, False, False)
    assert tree.right == (True, False, False, False, True, False)
    assert vote.right == (True, True, True, True, False, False)
    assert tree.by_kind == {
        "height 1": Share(0, 1),
        "height 2": Share(2, 4),
        "height 3": Share(0, 1),
    }
    assert alone.gain is None
    assert alone.against is None
    gain, against = tree.gain, tree.against
    assert gain
    assert (gain.both, gain.first, gain.second, gain.neither) == (0, 2, 2, 2)
    assert against
    assert (against.both, against.first, against.second) == (1, 3, 1)
    assert isclose(against.difference, -1 / 3)
    assert against.p == 2 * (1 + 4) / 16
    assert vote.gain
    assert (vote.gain.both, vote.gain.second) == (2, 2)
    assert vote.against is None


def test_a_right_answer_may_have_a_wrong_reason(built: Evaluation) -> None:
    alone, tree, vote = built.rows
    assert tree.wrong_reasons == Share(1, 2)
    assert alone.wrong_reasons == vote.wrong_reasons == Share(0, 0)


def test_errors_are_found_where_they_enter(built: Evaluation) -> None:
    alone, tree, vote = built.rows
    assert tree.entered == {
        (2, "alone"): 1,
        (2, "reply"): 1,
        (2, "sub-question"): 1,
        (1, "alone"): 1,
        (0, "alone"): 1,
    }
    assert next(iter(tree.entered))[0] == 2
    assert alone.entered == {(0, "alone"): 4}
    assert vote.entered == {(0, "alone"): 8, (0, "vote"): 2}


def test_levels_add_up_to_the_row(built: Evaluation) -> None:
    _, tree, vote = built.rows
    calls = [(level.calls, level.tokens) for level in tree.levels.values()]
    assert calls == [(12, 120), (20, 200), (1, 10)]
    counted = {n: (a.nodes, a.right, a.wrong, a.ungraded) for n, a in tree.levels.items()}
    assert counted == {2: (6, 2, 4, 0), 1: (10, 7, 2, 1), 0: (1, 0, 1, 0)}
    assert tree.levels[1].accuracy == Share(7, 9)
    assert vote.levels[0].tries == vote.votes.tries
    assert vote.levels[0].nodes == 6 + vote.votes.tries


def test_votes_say_what_they_saved(built: Evaluation) -> None:
    votes = built.rows[2].votes
    assert (votes.nodes, votes.tries, votes.declared, votes.saved) == (6, 26, 33, 7)
    assert (votes.ties, votes.discarded) == (2, 0)
    assert votes.spared == Price(calls=7, tokens=70, microusd=0, nodes=7)
    assert built.rows[1].votes.nodes == 0


def test_errors_go_together_as_far_as_the_tries_made_in_any_case_tell(built: Evaluation) -> None:
    [found] = built.rows[2].together.values()
    assert (found.level, found.k, found.unanswered) == (0, 6, Share(0, 22))
    assert found.by_question == ByQuestion(never=1, sometimes=3, always=2)
    assert found.correlation
    assert isclose(found.correlation.error, 1 / 3), "by question, as the ceiling of one try"
    assert found.ceiling
    assert isclose(found.correlation.error, 1 - found.ceiling.one)
    assert isclose(found.ceiling.one, (0.75 + 1 + 0.75 + 1 + 0 + 0.5) / 6)
    assert isclose(found.ceiling.vote, 4.5 / 6)
    assert isclose(found.ceiling.choice, 5 / 6)


def test_depths_converge_where_their_answers_agree() -> None:
    model = ScriptedModel(h)
    rows = evaluated(contest("factored", depths=[2, 1, 2]), sheet(*TRIES), model=model).rows
    assert [(row.what, row.depth) for row in rows] == [
        ("alone", 0), ("tree", 1), ("vote", 0), ("tree", 2), ("vote", 0),
    ]  # fmt: skip
    shares = [row.agreement for row in rows]
    assert shares == [None, Share(1, 6), None, Share(6, 6), None]


def test_answers_agree_only_where_there_are_some() -> None:
    asked = sheet("What is 1 + 2?", "What is (1 + 2) * 3?", "What is (((1 + 2) * 3) - 4) * 5?")
    rows = evaluated(contest("script", depths=[1]), asked).rows
    assert [row.answered for row in rows] == [1, 2, 1]
    assert rows[1].agreement == Share(1, 2)


def test_what_is_shared_counts_for_each_who_asked_it() -> None:
    asks = {
        "What is (2 + 3) * 1?": ("What is (2 + 3) * 4?",),
        "What is (2 + 3) * 2?": ("What is (2 + 3) * 4?",),
        "What is (2 + 3) * 4?": ("What is 2 + 3?",),
    }

    def say(request: Request) -> Completion:
        return said(decomposition(*asks.get(request.question, ())) if request.form else "6")

    trace = traced(contest("factored", depths=[2]), sheet(*[*asks][:2]), model=ScriptedModel(say))
    assert [node.question.text.body for node in trace.nodes() if node.level == 1] == [[*asks][2]]
    tree = Evaluation.of(trace, task_of()).rows[1]
    below = tree.levels[0]
    assert (below.nodes, below.wrong, below.calls, below.tokens) == (2, 2, 2, 20)
    assert sum(level.calls for level in tree.levels.values()) == tree.spent.calls == 10
    assert tree.entered == {(0, "alone"): 2}


def test_a_wrong_sub_answer_of_a_try_that_lost_is_no_reason() -> None:
    """Try 0 is told 6, and says 12; the others are told 5, and say 10."""

    def say(request: Request) -> str:
        if request.form:
            return decomposition("What is 2 + 3?")
        lost = sampled(request) == 0
        return ("6" if lost else "5") if "*" not in request.question else ("12" if lost else "10")

    asked = sheet("What is (2 + 3) * 2?")
    players = contest("0=direct;1+=vote,k=3/factored", depths=[1])
    _, tree, _ = evaluated(players, asked, model=ScriptedModel(say)).rows
    assert tree.right == (True,)
    assert tree.votes.tries == 3
    assert tree.wrong_reasons == Share(0, 1)
    assert tree.entered == {(0, "alone"): 1}


def test_votes_in_votes_and_under_checks_count_each_for_itself() -> None:
    tries = {
        "What is 1 + 1?": ("2", "2", "3"),
        "What is 1 + 2?": ("4", "3", "4"),
        "What is 1 + 3?": ("1", "2", "3"),
    }
    model = ScriptedModel(lambda request: tries[request.question][sampled(request)])
    rows = evaluated(
        contest("verify,by=oracle,tries=1/vote,k=3/direct", "vote,k=2/vote,k=3/direct"),
        sheet(*tries),
        model=model,
    ).rows
    under, inside = rows
    assert (under.votes.nodes, under.votes.tries, under.votes.declared) == (3, 8, 9)
    assert under.votes.ties == 1
    assert under.checks.said == {("accept", True): 1, ("reject", False): 2}
    assert under.together[0].by_question == ByQuestion(never=1, sometimes=1, always=1)
    assert inside.votes.nodes == 3 + 2 * 3
    assert (inside.together[0].k, under.together[0].k) == (2, 3)


def test_of_a_lead_the_first_tries_are_those_that_it_takes_at_least() -> None:
    tries = ("3", "2", "2", "3", "2", "2", "2")
    model = ScriptedModel(lambda request: tries[sampled(request)])
    players = contest("vote,ahead=2,most=7/direct")
    [row] = evaluated(players, sheet("What is 1 + 1?"), model=model).rows
    assert row.right == (True,)
    assert row.together[0].ceiling
    assert (row.together[0].ceiling.one, row.votes.tries, row.votes.ties) == (0.5, 6, 0)
    assert row.together[0].k is None


def test_a_lead_that_nobody_has_is_no_tie() -> None:
    model = ScriptedModel(lambda request: ("3", "2")[sampled(request)])
    players = contest("vote,ahead=2,most=2/direct", "vote,k=2/direct")
    ahead, most = evaluated(players, sheet("What is 1 + 1?"), model=model).rows
    assert (ahead.votes.nodes, ahead.votes.ties, ahead.answered) == (1, 0, 0)
    assert (most.votes.nodes, most.votes.ties, most.answered) == (1, 1, 1)


def test_however_many_tries_were_refused_those_of_the_ballot_count() -> None:
    """A trace from elsewhere may say that any number came to the same."""
    model = ScriptedModel(lambda request: ("3", "2", "2")[sampled(request)])
    store = memory()
    run = contest("vote,k=3/direct").begin(sheet("What is 1 + 1?"), store=store, model=model)
    asyncio.run(run.finish())
    events = [
        kept.model_copy(update={"event": kept.event.model_copy(update={"more": 10**9})})
        if isinstance(kept.event, Asked)
        else kept
        for kept in store.events(run.id)
    ]
    [row] = Evaluation.of(Trace(events), task_of()).rows
    assert (row.votes.tries, row.right) == (3, (True,))
    assert row.together[0].by_question == ByQuestion(never=1, sometimes=0, always=0)


def test_a_baseline_is_told_by_its_own_ballots_not_by_those_of_the_player() -> None:
    players = contest("vote,k=5/direct", depths=[1])
    trace = traced(players, sheet("What is 1 + 1?"), model=ScriptedModel(lambda _: said("2")))
    _, _, vote = Evaluation.of(trace, task_of()).rows
    assert vote.k == 1
    assert vote.votes.declared / vote.votes.nodes == 3


def test_what_is_no_answer_to_a_scorer_is_wrong_also_where_nothing_is_expected_by_it() -> None:
    """And so it is told while it goes on."""
    given = sheet("Which number?", expected=["none that is a number"])
    players = contest("direct", scorer="numeric")
    model = ScriptedModel(lambda _: "I cannot count")
    run = players.begin(given, model=model, store=memory(), task="arithmetic")
    assert Marks(run)(0, Answer("answered", Text("I cannot count"))) is False
    [result] = asyncio.run(run.finish())
    [row] = Evaluation.of(result.trace, task_of()).rows
    assert row.right == (False,)


class Counted(Arithmetic):
    """Arithmetic that counts how often it works out what is true."""

    def __init__(self) -> None:
        super().__init__(size=1)
        self.truths = 0

    def truth(self, instance: Instance | None, term: Any) -> Answer:
        self.truths += 1
        return super().truth(instance, term)


def test_what_is_true_is_worked_out_once_for_all_who_answer_the_same() -> None:
    players = contest("vote,k=9/direct", "direct")
    model = ScriptedModel(lambda request: "3" if sampled(request) % 2 else "2")
    trace = traced(players, sheet("What is 1 + 1?"), model=model)
    task = Counted()
    voted, alone = Evaluation.of(trace, task).rows
    assert (voted.right, alone.right) == ((True,), (True,))
    assert task.truths == 2


def test_a_check_lets_errors_in_by_what_it_accepts_and_rejects() -> None:
    """An oracle that is always wrong rejects what is right, and accepts what is not."""
    tries = {"What is 1 + 1?": "23", "What is 1 + 2?": "33", "What is 1 + 3?": "5"}
    model = ScriptedModel(lambda request: tries[request.question][sampled(request)])
    [row] = evaluated(
        contest("verify,by=liar,tries=2/direct"),
        sheet(*tries),
        model=model,
        others={"liar": "oracle,errors=1"},
    ).rows
    assert row.statuses == {"answered": 2, "unanswered": 1}
    assert row.entered == {(0, "check"): 2, (0, "alone"): 2}
    checks = row.checks
    assert checks.said == {("accept", False): 2, ("reject", True): 3}
    assert (checks.nodes, checks.unanswered, checks.rejected) == (3, 1, 3)
    assert (checks.before, checks.after, checks.predicted) == (Share(2, 3), Share(0, 2), 0.0)
    assert not checks.changed_nothing
    assert row.levels[0].beside == 5
    assert row.levels[0].tries == 5
    assert row.votes.nodes == 0


def test_a_check_lets_an_error_in_where_it_rejects_what_is_right() -> None:
    def say(request: Request) -> str:
        if request.question == CHECKING:
            return ("REJECT: it is not", "Perhaps.")[sampled(request)]
        return ("2", "3")[sampled(request)]

    [row] = evaluated(
        contest("verify,by=vague/direct"),
        sheet("What is 1 + 1?"),
        model=ScriptedModel(say),
        others={"vague": "direct"},
    ).rows
    assert row.right == (False,)
    assert row.entered == {(0, "check"): 1, (0, "alone"): 1}


def test_a_check_that_cannot_tell_lets_stand() -> None:
    def say(request: Request) -> str:
        return "Perhaps." if request.question == CHECKING else "2"

    [row] = evaluated(
        contest("verify,by=vague/direct"),
        sheet("What is 1 + 1?", "What is 1 + 2?"),
        model=ScriptedModel(say),
        others={"vague": "direct"},
    ).rows
    assert row.checks.said == {("unsure", True): 1, ("unsure", False): 1}
    assert row.checks.changed_nothing
    assert row.entered == {(0, "alone"): 1}
    assert row.checks.predicted == 0.5


def test_a_check_that_the_grant_does_not_pay_for_lets_stand() -> None:
    long = Completion("six " * 2000, usage=Usage(20, 8))
    players = contest("verify,by=direct/direct")
    limits = {"each": "3ktokens", "answer_tokens": 16}
    model = ScriptedModel(lambda request: long)
    [row] = evaluated(players, sheet("What is 1 + 1?"), model=model, **limits).rows
    assert row.checks.said == {("unsure", False): 1}
    assert row.clean == 0


def test_a_judge_grades_what_is_said_in_other_words() -> None:
    told = {
        "What is the capital of France?": ("Paris", "Paris", "CANNOT TELL: it is too far away"),
        "What is the capital of Italy?": ("Rome", "The city of Rome", "ACCEPT"),
        "What is the capital of Spain?": ("Madrid", "Lisbon", "REJECT: that is Portugal"),
        "What is the capital of Norway?": ("Oslo", "That town", "CANNOT TELL: which?"),
        "What is the capital of Sweden?": ("Stockholm", "CANNOT ANSWER: forgotten", "ACCEPT"),
    }

    def say(request: Request) -> str:
        if request.question != GRADING:
            return told[request.question][1]
        content = request.messages[-1].content
        return next(line for q, (_, _, line) in told.items() if q in content)

    given = sheet(*told, expected=[expected for expected, _, _ in told.values()])
    found = evaluated(
        contest("direct", depths=[1], scorer="model,by=judge"),
        given,
        model=ScriptedModel(say),
        others={"judge": "direct"},
    )
    assert [row.what for row in found.rows] == ["alone", "tree", "vote"]
    for row in found.rows[:2]:
        assert [given.right for given in row.answers] == [True, True, False, None, None]
        assert (row.ungraded, row.answered, row.accuracy) == (1, 4, Share(2, 5))
    assert found.rows[2].entered == {(0, "alone"): 1}
    assert found.rows[2].levels[0].beside == 0


def test_a_judge_is_not_needed_below_the_root_where_the_task_can_tell() -> None:
    asked = {"What is 2 + 3?": "6", "What is 2 + 2?": "I take it to be 4"}

    def say(request: Request) -> str:
        if request.question in asked:
            return asked[request.question]
        return decomposition(*asked) if request.form else "20"

    _, tree, _ = evaluated(
        contest("factored", depths=[1], scorer="model,by=judge"),
        sheet("What is (2 + 3) * (2 + 2)?"),
        model=ScriptedModel(say),
        others={"judge": "oracle"},
    ).rows
    assert tree.right == (True,)
    below = tree.levels[0]
    assert (below.wrong, below.ungraded) == (1, 1)


def test_a_try_is_held_against_what_its_question_expects() -> None:
    model = ScriptedModel(lambda request: ("Ada", "Bob", "Bob")[sampled(request)])
    asked = sheet("Who won?", expected=["Ada"])
    [row] = evaluated(contest("vote,k=3/direct"), asked, model=model).rows
    assert row.entered == {(0, "vote"): 1, (0, "alone"): 2}


def test_nobody_can_grade_what_is_about_no_instance() -> None:
    model = ScriptedModel(lambda request: "aa")
    trace = traced(contest("direct"), sheet("s^3(aa)"), model=model, task="permutation")
    [row] = Evaluation.of(trace, task_of("permutation")).rows
    assert (row.ungraded, row.right) == (1, (False,))


def test_a_scorer_says_what_is_right_below_the_root_too() -> None:
    said_by = {"What is 2 + 3?": "It is 5.", "What is (2 + 3) * 2?": "So it is 10, I think."}

    def say(request: Request) -> str:
        asked = ["What is 2 + 3?"] if "*" in request.question else []
        return decomposition(*asked) if request.form else said_by[request.question]

    for scorer, right in ((None, False), ("exact", False), ("numeric", True)):
        players = contest("factored", depths=[1], scorer=scorer)
        given = sheet("What is (2 + 3) * 2?")
        _, tree, _ = evaluated(players, given, model=ScriptedModel(say)).rows
        assert tree.right == (right,)
        assert tree.levels[0].right == right


def test_what_a_file_expects_goes_before_the_truth() -> None:
    given = sheet("What is 1 + 1?", "What is 1 + 2?", expected=["3", None])
    model = ScriptedModel(lambda request: "3")
    [row] = evaluated(contest("direct"), given, model=model).rows
    assert row.right == (True, True)


def test_an_unfinished_run_is_told_of_as_far_as_all_have_come() -> None:
    store, players = memory(), contest("factored", depths=[2])
    options = {"model": ScriptedModel(h), "store": store, "task": "arithmetic", "each": "40calls"}
    run = players.begin(sheet(*TRIES), budget="50calls", concurrency=1, **options)
    with pytest.raises(BillExhausted):
        asyncio.run(run.finish())
    found = Evaluation.of(Trace(store.events(run.id)), task_of())
    assert found.open > 0
    assert found.questions + found.open == 6
    assert {len(row.answers) for row in found.rows} == {found.questions}
    hch: HCH = players.hch(**options)
    asyncio.run(hch.resume(run.id, budget="100calls").finish())
    whole = Evaluation.of(Trace(store.events(run.id)), task_of())
    unbroken = evaluated(players, sheet(*TRIES), model=ScriptedModel(h), each="40calls")
    assert _timeless(whole) == _timeless(unbroken)


def test_what_a_stopped_run_cancelled_is_not_counted() -> None:
    store, players = memory(), contest("vote,k=5/direct")
    model = ScriptedModel(h, latency=0.001)
    options = {"model": model, "store": store, "task": "arithmetic", "each": "9calls"}
    run = players.begin(sheet(*TRIES), budget="15calls", concurrency=1, **options)
    with pytest.raises(BillExhausted):
        asyncio.run(run.finish())
    trace = Trace(store.events(run.id))
    assert "cancelled" in {root.status for root in trace.roots}
    [row] = (found := Evaluation.of(trace, task_of())).rows
    assert 0 < found.questions < 6
    assert "cancelled" not in row.statuses


def test_nothing_of_time_is_outside_seconds(built: Evaluation) -> None:
    again = evaluated(contest("factored", depths=[2]), sheet(*TRIES), model=ScriptedModel(h))
    assert _timeless(built) == _timeless(again)
    row = json.loads(json.dumps(built.json()))["rows"][1]
    assert row["accuracy"]["some"] == 2
    assert row["against"]["first"] == 3
    assert row["seconds"].keys() == {"median", "total", "calls_by_level", "answers"}
    assert row["entered"][0] == {"level": 2, "step": "alone", "errors": 1}
    assert [given["answer"] for given in row["answers"]] == ["15", "56", "14", "33", "28", "78"]


def _timeless(evaluation: Evaluation) -> dict[str, object]:
    data = evaluation.json()
    for row in data["rows"]:
        del row["seconds"]
    return data


def test_rows_are_compared_on_the_questions_they_share(built: Evaluation) -> None:
    other = evaluated(contest("direct"), sheet(ODD, SOUND, "What is 9 + 9?"), model=ScriptedModel(
        lambda request: {ODD: "32", SOUND: "28"}.get(request.question, "0")
    ))  # fmt: skip
    found = Comparison.of(built.row(2), other.row(1))
    assert (found.questions, found.only_one, found.only_other) == (2, 4, 1)
    paired = found.paired
    assert (paired.both, paired.first, paired.second, paired.neither) == (1, 0, 1, 0)
    assert found.json()["second"] == 1
    same = Comparison.of(built.row(1), built.row(1)).paired
    assert (same.first, same.second, same.p) == (0, 0, 1.0)
    strange = evaluated(contest("direct"), sheet("What is 9 + 9?"), model=ScriptedModel({"": "0"}))
    with pytest.raises(UsageError, match="share no question"):
        Comparison.of(built.row(1), strange.row(1))
    with pytest.raises(UsageError, match=r"rows 1 to 3, and no row 4"):
        built.row(4)


def test_a_run_of_another_kind_is_no_evaluation() -> None:
    store = memory()
    result = HCH(depth=0, strategy="script", store=store).ask_sync("What is 1 + 1?")
    with pytest.raises(UsageError, match="is no evaluation"):
        Evaluation.of(result.trace, task_of())
