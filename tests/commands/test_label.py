"""`hch label`: what is said of nodes stands beside the run, which stays as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.terminal import Done
from tests.hostile_imports import ESCAPES, RUN, exported, whole
from tests.stores.samples import label

Typed = Callable[..., Done]

TOP = "What is ((2+3)*(4-1))-((6*7)+(8-5))?"
KEY = "sk-canary-0123456789"


@pytest.fixture
def run(typed: Typed) -> str:
    """A tree of seven right answers."""
    assert typed("ask", TOP, "--depth", "3", "-s", "script", "-q").code == 0
    [row] = json.loads(typed("runs", "--json").out)
    return str(row["run"])


def listed(typed: Typed, *words: str) -> dict[str, tuple[str | None, float | None, str]]:
    found = json.loads(typed("label", "list", *words, "--json").out)
    return {node["node"]: (node["said"], node["score"], node["by"]) for node in found}


def test_a_person_labels_a_node(run: str, typed: Typed) -> None:
    before = typed("export").out.splitlines()[1:-1]
    done = typed("label", run[:10], "0.2.1", "good", "--score", "0.75", "--note", "so")
    assert done == Done(0, "", f"hch: run {run}, node 0.2.1: good, 0.75, “so”, by person\n")
    assert typed("label", "list").out == "0.2.1  good  0.75  person  What is 6 * 7?  (so)\n"
    assert typed("export").out.splitlines()[1:-2] == before
    assert typed("replay", "-q").code == 0
    assert typed("store", "check").code == 0


def test_what_is_not_given_stays_as_the_same_person_said_it(run: str, typed: Typed) -> None:
    typed("label", run, "0.1", "good")
    typed("label", run, "0.1", "--score", "-2", "--by", "ada")
    typed("label", run, "0.1", "--note", "because")
    typed("label", run, "0.1", "bad", "--by", "ada")
    typed("label", run, "0.1", "--score", "3")
    [found] = json.loads(typed("label", "list", "--json").out)
    assert (found["said"], found["score"], found["by"]) == ("good", 3.0, "person")
    assert len(found["labels"]) == 5
    assert found["labels"][-1].items() >= {"said": "good", "score": 3.0, "note": "because"}.items()
    assert [x["by"] for x in found["labels"] if x["said"] == "bad"] == ["person:ada"]
    assert found["question"] == "What is (2 + 3) * (4 - 1)?"


def test_what_was_said_is_taken_back(run: str, typed: Typed) -> None:
    typed("label", run, "0.1", "good")
    typed("label", run, "0.1", "bad", "--by", "ada")
    assert listed(typed)["0.1"] == ("bad", None, "person:ada")
    assert "taken back, by person:ada" in typed("label", run, "0.1", "--clear", "--by", "ada").err
    assert listed(typed)["0.1"] == ("good", None, "person")
    typed("label", run, "0.1", "--clear")
    assert typed("label", "list") == Done(0, "", f"hch: run {run} has no labels\n")
    typed("label", run, "0.1", "bad")
    assert listed(typed)["0.1"] == ("bad", None, "person")


def test_a_label_counts_also_after_one_that_is_of_a_later_time(run: str, typed: Typed) -> None:
    key = json.loads(typed("export").out.splitlines()[2])["event"]["key"]
    out = typed("export").out.splitlines()
    out[0] = out[0].replace('"format":1', '"format":2')
    late = {"key": key, "by": "person", "at": 3e10, "said": "good"}
    out[-1:] = [
        json.dumps({"run": run, "label": late}),
        json.dumps({**json.loads(out[-1]), "labels": {run: 1}}),
    ]
    Path("late.jsonl").write_text("\n".join([*out, ""]))
    assert typed("import", "late.jsonl").code == 0
    assert listed(typed) == {"0": ("good", None, "person")}
    typed("label", run, "0", "bad")
    assert listed(typed) == {"0": ("bad", None, "person")}


def test_the_truth_labels_every_answer_and_again_none(run: str, typed: Typed) -> None:
    done = typed("label", run, "--truth")
    assert done.err == f"hch: run {run}: 7 good, 0 bad, by truth; 7 labels new\n"
    assert set(listed(typed).values()) == {("good", None, "truth")}
    assert typed("label", run, "--truth").err.endswith("; 0 labels new\n")
    typed("label", run, "0.1", "bad")
    assert listed(typed)["0.1"] == ("bad", None, "person")
    assert "7 labels by truth taken back" in typed("label", run, "--truth", "--clear").err
    assert listed(typed) == {"0.1": ("bad", None, "person")}
    assert typed("label", run, "--truth").err.endswith("; 7 labels new\n")


def test_the_truth_finds_what_is_wrong(typed: Typed) -> None:
    typed("ask", TOP, "--depth", "3", "-s", "script,errors=0.5", "--seed", "2", "-q")
    typed("label", "26", "--truth")
    shown = {node: said for node, (said, _, _) in listed(typed).items()}
    tree = json.loads(typed("show", "--json").out)
    wrong = {n["id"] for n in tree["nodes"] if n["status"] == "answered"} - {
        node for node, said in shown.items() if said == "good"
    }
    assert wrong == {node for node, said in shown.items() if said == "bad"}
    assert wrong
    assert f"{len(wrong)} bad" in typed("label", "26", "--truth").err


def exam(typed: Typed) -> str:
    Path("exam.jsonl").write_text(
        '{"question": "What is 2 + 3?", "answer": "5.0"}\n'
        '{"question": "What is 2 * 3?", "answer": "7"}\n'
        '{"question": "What is 2 - 3?"}\n'
    )
    words = ("--task", "arithmetic", "--player", "script", "--depths", "0", "--scorer", "numeric")
    assert typed("eval", "--questions", "exam.jsonl", *words, "-q").code == 0
    return str(json.loads(typed("runs", "--json").out)[0]["run"])


def test_answers_of_an_evaluation_are_held_against_what_is_expected(typed: Typed) -> None:
    run = exam(typed)
    assert typed("label", run, "--truth").code == 0
    assert {n: said for n, (said, _, _) in listed(typed, run).items()} == {
        "0": "good", "1": "bad", "2": "good",
    }  # fmt: skip


def test_a_scorer_labels_the_roots_that_have_an_expected_answer(typed: Typed) -> None:
    run = exam(typed)
    typed("label", run, "--scorer", "exact")
    assert listed(typed, run) == {
        "0": ("bad", None, "scorer:exact"), "1": ("bad", None, "scorer:exact"),
    }  # fmt: skip
    typed("label", run, "--scorer", "numeric")
    assert listed(typed, run)["0"] == ("good", None, "scorer:numeric")
    typed("label", run, "--scorer", "numeric", "--clear")
    assert listed(typed, run)["0"] == ("bad", None, "scorer:exact")
    done = typed("label", run, "--scorer", "choice,of=ABCD")
    assert "0 good, 0 bad" in done.err
    for judging in ("model", "model,by=direct"):
        done = typed("label", run, "--scorer", judging)
        assert (done.code, done.out) == (2, "")
        assert f"scorer '{judging}' has the player " in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name a run, and a node of it"),
        (["RUN"], "name a node, as in hch label RUN 0.2.1 good; or say --truth"),
        (["RUN", "0"], "say good or bad, or give a --score or a --note"),
        (["RUN", "0", "ugly"], "'ugly' is neither good nor bad"),
        (["RUN", "0", ESCAPES], "neither good nor bad"),
        (["RUN", "9", "good"], "has no node 9: its roots are 0"),
        (["RUN", "0.9", "good"], "has no node 0.9: below 0 there are 0.1 and 0.2"),
        (["RUN", "", "good"], "NODE is empty"),
        (["none", "0", "good"], "no run none"),
        (["RUN", "0", "good", "--score", "inf"], "--score inf is no finite number"),
        (["RUN", "0", "--score", "nan"], "--score nan is no finite number"),
        (["RUN", "0", "good", "--score", "much"], "should be a valid number"),
        (["RUN", "0", "--note", " "], "--note is empty"),
        (["RUN", "0", "--note", "x" * 10_001], "--note has 10,001 characters, and may have 10,000"),
        (["RUN", "0", "good", "--by", "a\x1bb"], "--by is a name of at most 200 characters"),
        (["RUN", "0", "good", "--by", "a" * 201], "--by is a name of at most 200 characters"),
        (["RUN", "0", "good", "--clear"], "--clear takes all back"),
        (["RUN", "0", "--truth"], "--truth and NODE do not go together"),
        (["RUN", "--truth", "--scorer", "exact"], "--truth and --scorer do not go together"),
        (["RUN", "--truth", "--note", "x"], "--truth and --note do not go together"),
        (["RUN", "--scorer", "exact"], "no answer is expected in it"),
        (["RUN", "--scorer", "none"], "no scorer 'none'"),
        (["list", "RUN", "more"], "unexpected extra argument"),
    ],
)
def test_what_cannot_be_said(words: list[str], said: str, run: str, typed: Typed) -> None:
    done = typed("label", *(run if word == "RUN" else word for word in words))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert "\x1b" not in done.err
    assert json.loads(typed("label", "list", "--json").out) == []


def test_where_nothing_says_what_is_right_nothing_is_labelled(typed: Typed) -> None:
    Path("runs.jsonl").write_bytes(exported(r260102_030405_6789ab=whole()))
    typed("import", "runs.jsonl")
    done = typed("label", RUN, "--truth")
    assert (done.code, done.out) == (2, "")
    assert "cannot be labelled by truth: it has no task, and expects no answers" in done.err


def test_what_steers_a_terminal_is_shown_safely(typed: Typed) -> None:
    labels = [label("leaf", f"person:{ESCAPES}", said="bad", note=f"{ESCAPES}\n\x00\ud800")]
    Path("runs.jsonl").write_bytes(exported(labels, r260102_030405_6789ab=whole(ESCAPES)))
    assert typed("import", "runs.jsonl").code == 0
    for words in (["label", "list"], ["show", "--node", "0.0"]):
        done = typed(*words)
        assert done.code == 0
        assert "\\x1b[5m" in done.out
        assert not {"\x1b", "\x00", "\ud800"} & set(done.out)


def test_show_tells_what_was_said_of_a_node(run: str, typed: Typed) -> None:
    plain = typed("show", "--node", "0.1").out
    assert "Labels" not in plain
    typed("label", run, "0.1", "good", "--note", "so it is")
    typed("label", run, "0.1", "--score", "0.5", "--by", "ada")
    shown = typed("show", "--node", "0.1").out
    assert "\nLabels\n  good  by person  so it is\n  0.5  by person:ada\n" in shown
    [first, second] = json.loads(typed("show", "--node", "0.1", "--json").out)["labels"]
    assert (first["by"], second["by"]) == ("person", "person:ada")


def test_a_key_of_this_environment_is_not_kept_in_a_note(
    run: str, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert KEY not in typed("label", run, "0", "--note", f"it is {KEY}").err
    assert typed("label", "list").out.endswith("(it is [key])\n")
