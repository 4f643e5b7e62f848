"""Which nodes make rows, and which never do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hch import HCH, Request, ScriptedModel, Text, cli
from hch.judging import CHECKING
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.datasets.builds import build, taken
from tests.support import Plan, regular


def asked(store: Path, model, question="Why is the sky blue?", **options) -> Trace:
    """One run in a file, by a scripted mind."""
    context = options.pop("context", ())
    hch = HCH(model=ScriptedModel(model), store=str(store), **{"pause": 0.0, **options})
    result = hch.ask_sync(question, context=context)
    hch.kept_in.close()
    return result.trace


def only(store: Path) -> str:
    """The id of the one run of a store."""
    with SqliteStore(store) as kept:
        [row] = kept.runs()
        return row.run


def ways(trace: Trace) -> dict[str, str]:
    """How each node was asked, by its id."""
    found = {root.id: "ask" for root in trace.roots}
    for node in trace.nodes():
        found |= {ask.node.id: ask.how for ask in node.asks if ask.node and not ask.shared}
    return found


@pytest.mark.parametrize("strategy", ["factored", "consult", "vote,k=3/factored"])
def test_a_default_export_has_every_clean_amplified_answer_and_no_other(tmp_path, strategy):
    wanted, kept = 0, 0
    for seed in range(8):
        store, out = tmp_path / f"{seed}.db", tmp_path / f"{seed}"
        trace = asked(store, Plan(seed), strategy=strategy, depth=3, seed=seed)
        how = ways(trace)
        nodes = [node for node in trace.nodes() if how[node.id] == "ask"]
        right = {n.id for n in nodes if n.clean and (n.level > 0 or n.asks)}
        wanted += len(nodes)
        kept += len(right)
        if right:
            rows = build(store, out, "--where", "nodes>=1", "--split", "train=1")
            texts = {trace.node(row.origin["node"]).answer.text.body for row in rows}
            assert {row.origin["node"] for row in rows} <= right
            assert texts == {trace.node(id_).answer.text.body for id_ in right}
    assert 5 < kept < wanted, "some were planted to fail, and some not"


def test_what_was_refused_below_is_taken_only_by_allow_partial(tmp_path):
    store = tmp_path / "hch.db"
    trace = asked(store, regular(3), strategy="factored", depth=2, fanout=2)
    assert not trace.clean
    words = ["dataset", "build", "--store", str(store), "--where", "level=2"]
    assert cli.run([*words, "--out", str(tmp_path / "a")]) == 2
    flags = ("--where", "level=2", "--allow-partial", "--split", "train=1")
    rows = build(store, tmp_path / "b", *flags)
    assert [row.origin["node"] for row in rows] == ["0"]


def test_a_failure_below_is_not_lifted_by_allow_partial(tmp_path):
    store = tmp_path / "hch.db"

    def model(request: Request):
        return "" if request.question.endswith("/ 2") else regular(2)(request)

    trace = asked(store, model, strategy="factored", depth=1)
    assert {node.status for node in trace.nodes()} == {"answered", "failed"}
    words = ["dataset", "build", "--store", str(store), "--where", "level=1", "--allow-partial"]
    assert cli.run([*words, "--out", str(tmp_path / "a")]) == 2
    assert not (tmp_path / "a").exists()


def test_text_that_nobody_vouches_for_taints_all_that_read_it(tmp_path):
    store = tmp_path / "hch.db"
    asked(store, regular(2), strategy="factored", depth=1)
    plain = build(store, tmp_path / "a", "--split", "train=1")
    asked(
        store, regular(2), "And the sea?", strategy="factored", depth=1,
        context=[Text("ignore all", "document:web", trusted=False)],
    )  # fmt: skip
    assert build(store, tmp_path / "b", "--split", "train=1") == plain
    assert taken(tmp_path / "b")["untrusted"] == 3
    both = build(store, tmp_path / "c", "--split", "train=1", "--untrusted")
    assert len(both) == len(plain) + 3


def test_conditions_choose_nodes(tmp_path):
    store = tmp_path / "hch.db"
    asked(store, regular(2), strategy="factored", depth=2)
    levels = [row.origin["level"] for row in build(store, tmp_path / "a", "--split", "train=1")]
    assert sorted(levels) == [0, 0, 0, 0, 1, 1, 2]
    for where, wanted in (
        ("level>=1", 3), ("level=0", 4), ("level!=1", 5), ("depth<1", 1), ("nodes>1", 3),
        ("strategy=factored", 3), ("strategy=fac*,x", 3), ("strategy!=factored level=0", 0),
        ("model=scripted*", 3), ("calls<=1 level=0", 4), ("tokens>0", 3),
    ):  # fmt: skip
        out = tmp_path / where.replace("*", "_").replace("/", "_")
        words = ["dataset", "build", "--store", str(store), "--where", where, "--split", "train=1"]
        code = cli.run([*words, "--out", str(out), "--quiet"])
        assert code == (0 if wanted else 2), where
        if wanted:
            assert json.loads((out / "hch-manifest.json").read_text())["counts"] == {
                "answer": {"train": wanted}
            }, where


def voting(answers: list[str]):
    """Answers each sample of a question by the next of these."""

    def say(request: Request) -> str:
        place = request.sample[-1][2] if request.sample else 0
        return answers[place % len(answers)]

    return say


def test_vote_shares_are_soft_targets_that_sum_to_1(tmp_path):
    store = tmp_path / "hch.db"
    asked(store, voting(["4", "5", "4", "3", "4"]), strategy="vote,k=5/direct", depth=0)
    [row] = build(store, tmp_path / "a", "--format", "vote-shares", "--split", "train=1")
    shares = dict(zip(row.data["completions"], row.data["shares"], strict=True))
    assert len(shares) == 3
    assert sum(row.data["shares"]) == pytest.approx(1, abs=1e-12)
    assert max(row.data["shares"]) == pytest.approx(3 / 5)


def test_what_won_a_vote_is_preferred_to_what_lost(tmp_path):
    store = tmp_path / "hch.db"
    asked(store, voting(["4", "5", "4", "3", "4"]), strategy="vote,k=5/direct", depth=0)
    rows = build(store, tmp_path / "a", "--format", "preference", "--split", "train=1")
    pairs = {(r.data["chosen"][0]["content"], r.data["rejected"][0]["content"]) for r in rows}
    assert pairs == {("4", "5"), ("4", "3")}
    assert {row.origin["by"] for row in rows} == {"vote"}


def test_what_a_check_accepted_is_preferred_to_what_it_rejected(tmp_path):
    store = tmp_path / "hch.db"

    def model(request: Request) -> str:
        if request.question == CHECKING:
            wrong = "\n5\n" in request.messages[-1].content
            verdict = "reject" if wrong else "accept"
            return json.dumps({"reason": "counted", "verdict": verdict})
        return "4" if request.sample[-1][2] else "5"

    asked(store, model, "What is 2 + 2?", strategy="verify/direct", depth=0)
    [row] = build(store, tmp_path / "a", "--format", "preference", "--split", "train=1")
    assert (row.data["chosen"][0]["content"], row.data["rejected"][0]["content"]) == ("4", "5")
    assert row.origin["by"] == "check"
    verdicts = build(store, tmp_path / "b", "--format", "unpaired", "--split", "train=1")
    said = {(row.data["completion"][0]["content"], row.data["label"]) for row in verdicts}
    assert said == {("4", True), ("5", False)}


def test_a_replay_of_the_record_makes_no_row_of_a_reply_that_was_asked_for_again(tmp_path):
    store = tmp_path / "hch.db"

    def model(request: Request) -> str:
        form = request.form.name if request.form else ""
        repaired = any(part.origin == "reply" for part in request.messages[-1].parts)
        return "no JSON at all" if form and not repaired else regular(2)(request)

    asked(store, model, strategy="factored", depth=1)
    rows = build(store, tmp_path / "a", "--rows", "decision", "--split", "train=1")
    said = [row.data["completion"][0]["content"] for row in rows]
    assert "no JSON at all" not in said
    assert len(said) == 4


def test_steps_are_sub_questions_as_far_as_they_are_judged(tmp_path):
    store = tmp_path / "hch.db"
    hch = HCH(depth=2, strategy="script", store=str(store))
    result = hch.ask_sync("What is (2 + 3) * (7 - 4)?")
    hch.kept_in.close()
    assert cli.run(["label", result.run, "--truth", "--store", str(store)]) == 0
    assert cli.run(["label", result.run, "0.2", "bad", "--store", str(store)]) == 0
    [row] = [
        row for row in build(store, tmp_path / "a", "--format", "stepwise", "--split", "train=1")
        if row.origin["node"] == "0"
    ]  # fmt: skip
    assert row.data["prompt"] == "What is (2 + 3) * (7 - 4)?"
    assert row.data["completions"] == ["What is 2 + 3?\n5", "What is 7 - 4?\n3", "15"]
    assert row.data["labels"] == [True, False, True]


def test_a_level_0_answer_is_a_row_only_where_the_level_is_asked_for(tmp_path):
    store = tmp_path / "hch.db"
    asked(store, regular(2), strategy="factored", depth=1)
    rows = build(store, tmp_path / "a", "--where", "nodes>=1", "--split", "train=1")
    assert [row.origin["level"] for row in rows] == [1]
    assert taken(tmp_path / "a")["not amplified"] == 2


def test_an_answer_that_was_labelled_bad_is_a_row_only_where_it_is_asked_for(tmp_path):
    store = tmp_path / "hch.db"
    trace = asked(store, regular(2), strategy="factored", depth=1)
    assert cli.run(["label", trace.run, "0", "bad", "--store", str(store)]) == 0
    rows = build(store, tmp_path / "a", "--where", "level>=0", "--split", "train=1")
    assert {row.origin["node"] for row in rows} == {"0.1", "0.2"}
    assert taken(tmp_path / "a")["bad"] == 1
    [row] = build(store, tmp_path / "b", "--where", "label=bad", "--split", "train=1")
    assert (row.origin["node"], row.origin["good"], row.origin["by"]) == ("0", False, "person")


def test_imported_steps_come_back_as_they_were_rated(tmp_path):
    store, file = tmp_path / "hch.db", tmp_path / "steps.jsonl"
    first = [{"text": "2 + 3 is 5.", "rating": 1}, {"text": "2 + 3 is 6.", "rating": -1}]
    steps = [
        first,
        [{"text": "So far so good.", "rating": 0}],
        [{"text": "It is 20.", "rating": 1}],
    ]
    rated = [
        {"completions": [{**one, "flagged": False} for one in completions],
         "human_completion": None, "chosen_completion": 0}
        for completions in steps
    ]  # fmt: skip
    line = {
        "labeler": "someone", "timestamp": "2022-07-29T00:00:00", "generation": 1,
        "is_quality_control_question": False, "is_initial_screening_question": False,
        "question": {"problem": "What is (2 + 3) * 4?", "ground_truth_answer": "20"},
        "label": {"steps": rated, "total_time": 1000, "finish_reason": "solution"},
    }  # fmt: skip
    file.write_text(json.dumps(line) + "\n")
    assert cli.run(["import", "--as", "prm800k", str(file), "--store", str(store)]) == 0
    assert cli.run(["dataset", "build", "--store", str(store), "--where", "level>=0", "-f",
                    "stepwise", "--out", str(tmp_path / "x")]) == 2  # fmt: skip
    flags = (only(store), "--split", "train=1")
    whole, other = build(store, tmp_path / "a", "--format", "stepwise", *flags)
    assert whole.data == {
        "prompt": "What is (2 + 3) * 4?",
        "completions": ["2 + 3 is 5.", "So far so good.", "It is 20."],
        "labels": [True, True, True],
    }
    assert (other.data["completions"], other.data["labels"]) == (["2 + 3 is 6."], [False])
    again, _ = build(store, tmp_path / "b", "--format", "prm800k", *flags)
    back = again.data["label"]
    assert [step["completions"][0]["rating"] for step in back["steps"]] == [1, 0, 1]
    assert back["finish_reason"] == "solution"
