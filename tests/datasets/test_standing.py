"""A question that stands in a row of another is held out, or held against a file, like its own."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from hch import HCH, Question, Request, ScriptedModel, Text, cli
from hch.examination import Entry, Examination
from hch.judging import GRADING, MATCHING, REJECTED, about
from hch.sides import Side
from tests.datasets.builds import Line, build, manifest, taken
from tests.datasets.test_splitting import grown, left_out
from tests.support import decomposition

SECRET = "How large is the thing of the test?"
ASKS = {
    "A root to train on?": ("A harmless one?", SECRET),
    "A root of the test?": (SECRET, "Another one?"),
}

HALVES = ("--split", "train=0.5,test=0.5", "--rows", "decision", "--where", "level>=0")


def thinking(judge: Callable[[Request], str] = lambda _: "ACCEPT") -> ScriptedModel:
    """Splits what `ASKS` has, judges answers, and answers all else."""

    def say(request: Request) -> str:
        if request.form is not None and request.form.name == "Decomposition":
            return decomposition(*ASKS.get(request.question, (f"{request.question} / 1",)))
        if "Is the answer right?" in request.question:
            return judge(request)
        again = any("rejected" in part.body for m in request.messages for part in m.parts)
        return f"{'second' if again else 'first'} answer to {request.question}"

    return ScriptedModel(say)


def divided(store: Path, out: Path, runs: list[str], *flags: str) -> list[Line]:
    """A dataset in which the first run is trained on, and the second is held out."""
    for seed in range(60):
        place = out / str(seed)
        words = ["dataset", "build", *runs, "--store", str(store), "--out", str(place), *flags]
        assert cli.run([*words, "--near", "off", "--seed", str(seed), "--quiet"]) == 0
        roots = map(json.loads, (place / "roots.jsonl").read_text().splitlines())
        if {root["run"]: root["split"] for root in roots} == dict(
            zip(runs, ("train", "test"), strict=True)
        ):
            return list(built(place))
    raise AssertionError("no seed divides them so")


def built(folder: Path) -> list[Line]:
    from tests.datasets.builds import lines

    return list(lines(folder))


def told(rows: list[Line], split: str) -> str:
    return "\n".join(json.dumps(row.data) for row in rows if row.split == split)


@pytest.mark.parametrize(("strategy", "judge", "flags"), [
    ("verify,by=direct/factored", lambda _: "ACCEPT", ()),
    ("verify,by=direct/factored",
     lambda r: "REJECT: no" if "first answer" in r.messages[-1].content else "ACCEPT", ()),
    ("factored", None, ("--allow-partial",)),
])  # fmt: skip
def test_no_row_that_is_trained_on_tells_what_a_held_out_tree_asks(
    tmp_path, strategy, judge, flags
):
    """By a check of its answer, by a retry after a rejection, or where it was refused."""
    store = tmp_path / "hch.db"
    fanout = {"fanout": 1} if judge is None else {}
    model = thinking(judge) if judge else thinking()
    train = grown(store, ["A root to train on?"], model=model, strategy=strategy, depth=1, **fanout)
    test = grown(store, ["A root of the test?"], model=thinking(), strategy="factored", depth=1)
    rows = divided(store, tmp_path, [train.run, test.run], *HALVES, *flags)
    assert SECRET in told(rows, "test")
    assert SECRET not in told(rows, "train")
    assert "harmless" in told(rows, "train") or judge is None


def test_a_check_of_an_answer_to_a_question_of_a_file_goes_with_it(tmp_path):
    store, exam = tmp_path / "hch.db", tmp_path / "exam.txt"
    exam.write_text(f"{SECRET}\n")
    asked = ["A root to train on?"]
    grown(store, asked, model=thinking(), strategy="verify,by=direct/factored", depth=1)
    flags = ("--rows", "decision", "--split", "train=1", "--decontaminate", str(exam))
    rows = build(store, tmp_path / "a", *flags)
    assert rows
    assert SECRET not in told(rows, "train")


@pytest.mark.parametrize(("kind", "form"), [
    ("step", "stepwise"), ("decision", "prompt-completion"),
])  # fmt: skip
def test_what_earlier_rows_quote_is_no_row_of_a_held_out_tree_that_is_added(tmp_path, kind, form):
    store = tmp_path / "hch.db"
    first = grown(store, ["A root to train on?"], model=thinking(), strategy="factored", depth=1)
    then = grown(store, [SECRET], model=thinking(), strategy="factored", depth=1)
    for trace in (first, then):
        for node in trace.nodes():
            assert cli.run(["label", trace.run, node.id, "good", "--store", str(store)]) == 0
    flags = ("--format", form, "--rows", kind, "--split", "train=0.5,test=0.5", "--near", "off")
    words = ["dataset", "build", "--store", str(store), "--where", "level>=1", "--quiet", *flags]
    tried = 0
    for seed in range(20):
        a, b = tmp_path / f"a{seed}", tmp_path / f"b{seed}"
        assert cli.run([*words, first.run, "--seed", str(seed), "--out", str(a)]) == 0
        if built(a)[0].split == "train":
            more = [*words, then.run, "--seed", str(seed), "--extends", str(a), "--out", str(b)]
            rows = built(b) if cli.run(more) == 0 else built(a)
            tried += any(row.split == "test" for row in rows) or not b.exists()
            assert SECRET in told(rows, "train")
            assert f"Question: {SECRET}" not in told(rows, "test")
            assert f'"prompt": "{SECRET}"' not in told(rows, "test")
    assert tried


def test_what_earlier_rows_taught_and_a_held_out_tree_asks_is_counted(tmp_path):
    store = tmp_path / "hch.db"
    runs = [
        grown(store, [root], model=thinking(), strategy="factored", depth=1).run for root in ASKS
    ]
    for seed in range(60):
        a, b = tmp_path / f"a{seed}", tmp_path / f"b{seed}"
        words = ["dataset", "build", "--store", str(store), "--split", "train=0.5,test=0.5", "-q"]
        flags = ["--where", "level>=0", "--near", "off", "--seed", str(seed)]
        assert cli.run([*words, *flags, runs[0], "--out", str(a)]) == 0
        assert cli.run([*words, *flags, runs[1], "--extends", str(a), "--out", str(b)]) == 0
        sides = {row.origin["run"]: row.split for row in built(b)}
        first_held = '"split": "test"' in (a / "roots.jsonl").read_text()
        taught = manifest(b)["split"]["taught"]
        assert taught == (not first_held and sides[runs[1]] == "test")
        if taught:
            return
    raise AssertionError("no seed divides them so")


def test_a_root_that_grades_is_no_sample_of_the_question(tmp_path):
    store = tmp_path / "hch.db"

    def say(request: Request) -> str:
        return "ACCEPT" if "same in substance" in request.question else "a long answer to that"

    hch = HCH(
        store=str(store), pause=0.0, model=ScriptedModel(say), strategy="vote,k=9/direct",
        depth=0, beside=[Side(0, strategy="direct")],
    )  # fmt: skip
    asked = [Question(Text("Why is the sky blue?")), Question(Text("Has a spider legs?"))]
    about_them = Examination(source="x", labels=("a", "b"), expected=("a", "b"), kinds=("k", "k"))
    run = hch.examine(asked, [Entry(lineup=0), Entry(lineup=1, grades=0)], about_them)
    asyncio.run(run.finish())
    hch.kept_in.close()
    rows = build(store, tmp_path / "a", "--best", "tokens", "--split", "train=1")
    assert {row.origin["root"] for row in rows} == {0, 2}


def test_a_row_of_two_lines_counts_once_where_it_is_taken(tmp_path):
    store, exam = tmp_path / "hch.db", tmp_path / "exam.txt"
    exam.write_text("Is the sky blue?\n")
    trace = grown(
        store, ["Is the sky blue?", "Is the sea wet?"], strategy="vote,k=3/direct", depth=0,
        model=ScriptedModel(lambda request: "no" if request.sample[-1][2] == 0 else "yes"),
    )  # fmt: skip
    flags = ("--format", "unpaired", "--rows", "answer,preference", "--split", "train=1")
    build(store, tmp_path / "a", *flags, "--decontaminate", str(exam))
    assert taken(tmp_path / "a")["contaminated"] == 1
    assert left_out(tmp_path / "a", trace.run)["contaminated"] == 1


def test_what_a_held_out_row_is_held_out_by_is_told(tmp_path):
    store = tmp_path / "hch.db"
    train = grown(store, ["A root to train on?"], model=thinking(), strategy="factored", depth=1)
    test = grown(store, ["A root of the test?"], model=thinking(), strategy="factored", depth=1)
    divided(store, tmp_path, [train.run, test.run], *HALVES)
    whys = Counter(
        line["why"]
        for place in tmp_path.glob("*/left-out.jsonl")
        for line in map(json.loads, place.read_text().splitlines())
        if line["filter"] == "held out" and line["run"] == train.run
    )
    assert whys[f"asked in test, by root 0 of run {test.run}"]


def test_an_answer_that_reads_like_a_rejection_hides_nothing(tmp_path):
    """The texts of a check are its question and its answer, whatever they say."""
    store, exam = tmp_path / "hch.db", tmp_path / "exam.txt"
    exam.write_text(f"{SECRET}\n")

    def say(request: Request) -> str:
        if request.form is not None and request.form.name == "Decomposition":
            return decomposition(*ASKS["A root to train on?"])
        return "ACCEPT" if "Is the answer right?" in request.question else f"{REJECTED}no"

    grown(
        store, ["A root to train on?"], model=ScriptedModel(say), depth=1,
        strategy="verify,by=direct/factored",
    )  # fmt: skip
    flags = ("--rows", "decision", "--split", "train=1", "--decontaminate", str(exam))
    rows = build(store, tmp_path / "a", *flags)
    assert rows
    assert SECRET not in told(rows, "train")


def test_what_a_question_is_about_is_known_of_those_that_judge():
    assert about("Why?", ["a", "b"]) is None
    assert about(GRADING, ["c", "q", "right", "said"]) == ("q", ("c",))
    assert about(MATCHING, ["one", "two", "q", "said"]) == ("q", ())
