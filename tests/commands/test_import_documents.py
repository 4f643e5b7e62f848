"""`hch import --as`: what others wrote becomes finished runs, wholly or not at all."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hch import Trace
from hch.documents import prm800k
from hch.documents.runs import CHOSEN, documents
from hch.labels import told
from hch.soundness import Soundness
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import Done
from tests.support import check_tree

Typed = Callable[..., Done]

KEY = "sk-canary-0123456789"
DB = ".local/share/hch/hch.db"


def completion(text: str, rating: int | None, flagged: bool | None = False) -> dict[str, Any]:
    return {"text": text, "rating": rating, "flagged": flagged}


def step(*completions: dict[str, Any], chosen: int | None = 0, human: Any = None) -> dict[str, Any]:
    return {
        "completions": list(completions), "human_completion": human, "chosen_completion": chosen,
    }  # fmt: skip


def rated(problem: str, *steps: dict[str, Any], finish: str = "solution", **more: Any) -> str:
    """A line as it is published, with the fields that are not read."""
    return json.dumps({
        "labeler": "340d89bc", "timestamp": "2022-07-17T16:56:51.323252", "generation": None,
        "is_quality_control_question": False, "is_initial_screening_question": False,
        "question": {"problem": problem, "ground_truth_answer": "14", **more},
        "label": {"steps": list(steps), "total_time": 278270, "finish_reason": finish},
    })  # fmt: skip


HUMAN = {"text": "2 + 12 = 14", "rating": None, "source": "human", "flagged": False}
PHASE_1 = rated(
    "What is $2+3\\cdot4$?",
    step(completion("3*4 = 12", 1), completion("2+3 = 5", -1), completion("Hm", 0, True)),
    step(completion("2 + 12 = 15", -1), completion("", None), chosen=None, human=HUMAN),
    step(completion("# Answer\n\n14", 1)),
)
PHASE_2 = rated(
    "GCF?",
    step(completion("a", 0, None)),
    step(completion("b", -1, None), completion("c", 1), chosen=None),
    finish="found_error",
    pre_generated_steps=["a", "b", "so d"],
    pre_generated_answer="d",
    pre_generated_verifier_score=0.01,
)
BAD = rated("Broken?", finish="bad_problem")
UNSOLVED = {
    "give_up": [step(completion("Let me try", 1)), step(completion("Hm", 0))],
    "bad_problem": [step(completion("Let me try", 1)), step(completion("Hm", 0), chosen=None)],
    "found_error": [
        step(completion("Let me try", 1)),
        step(completion("Hm", -1), completion("So", -1), chosen=None),
    ],
}
"""Steps of what came to no solution, by how it ended; nothing was generated before."""


EXAM = """
{"question":"What is 2 + 3?","answer":5}

{"question":"Wer?","answer":"Ada é","kind":"easy","context":["so","it"]}
"""


def write(*lines: str, name: str = "steps.jsonl") -> str:
    Path(name).write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return name


def brought(typed: Typed, kind: str, file: str) -> str:
    done = typed("import", "--as", kind, file)
    assert (done.code, done.err) == (0, "")
    [run] = done.out.split()
    return run


def read(home: Path, run: str) -> tuple[Trace, dict[str, tuple[str | None, float | None, str]]]:
    """A run's tree, and what holds of its nodes, by their ids."""
    with SqliteStore(home / DB) as store:
        assert store.check(deep=True) == []
        sound = Soundness()
        for record in store.events(run):
            sound.take(record)
        trace = Trace(store.events(run))
        check_tree(trace)
        held = told(store.labels(run))
    return trace, {
        node.id: (held[node.key].said, held[node.key].score, held[node.key].by)
        for node in trace.nodes()
        if node.key in held
    }


def test_rated_steps_become_a_tree(home: Path, typed: Typed) -> None:
    run = brought(typed, "prm800k", write(PHASE_1, PHASE_2, BAD))
    trace, labels = read(home, run)
    one, two, three = trace.roots
    assert [node.level for node in trace.nodes()].count(0) == 10
    assert one.answer is not None
    assert one.answer.text is not None
    assert one.answer.text.body == "3*4 = 12\n2 + 12 = 14\n# Answer\n\n14"
    assert one.answer.notes[:2] == ("finish_reason: solution", "ground_truth_answer: 14")
    assert [ask.round for ask in one.asks] == [1, 1, 1, 2, 2, 2, 3]
    notes = [ask.node.closed.notes for ask in one.asks if ask.node and ask.node.closed]
    assert notes == [(CHOSEN,), (), ("flagged",), (), (), (CHOSEN, "human"), (CHOSEN,)]
    last = one.children[-1].question
    assert [text.body for text in last.context] == [
        "What is $2+3\\cdot4$?", "3*4 = 12", "2 + 12 = 14",
    ]  # fmt: skip
    assert two.answer is not None
    assert two.answer.text is not None
    assert two.answer.text.body == "a\nb\nso d"
    assert (three.status, three.answer and three.answer.reason) == ("unanswered", "bad_problem")
    by = "file:steps.jsonl"
    assert labels == {
        "0": ("good", None, by), "0.1": ("good", 1.0, by), "0.2": ("bad", -1.0, by),
        "0.3": (None, 0.0, by), "0.4": ("bad", -1.0, by), "0.6": ("good", 1.0, by),
        "0.7": ("good", 1.0, by), "1": ("bad", None, by), "1.1": (None, 0.0, by),
        "1.2": ("bad", -1.0, by), "1.3": ("good", 1.0, by),
    }  # fmt: skip
    assert all(node.question.text.trusted for node in trace.nodes())
    assert {node.question.text.source for node in trace.nodes()} == {"document:steps.jsonl"}


@pytest.mark.parametrize("finish", UNSOLVED)
def test_steps_to_no_solution_are_rows_and_their_answer_is_bad(
    finish: str, home: Path, typed: Typed
) -> None:
    run = brought(typed, "prm800k", write(rated("Why?", *UNSOLVED[finish], finish=finish)))
    trace, labels = read(home, run)
    [root] = trace.roots
    assert root.answer is not None
    assert root.answer.text is not None
    assert root.answer.text.body == "Let me try\nHm"
    assert root.answer.notes[0] == f"finish_reason: {finish}"
    assert labels["0"] == ("bad", None, "file:steps.jsonl")
    build = ("dataset", "build", run, "--split", "train=1")
    assert typed(*build, "--format", "stepwise", "--out", "steps").code == 0
    lines = Path("steps/step/train/00000.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert {"prompt": "Why?", "completions": ["Let me try", "Hm"],
            "labels": [True, finish != "found_error"]} in rows  # fmt: skip
    done = typed(*build, "--out", "answers")
    assert (done.code, "bad" in done.err) == (2, True)
    assert typed(*build, "--out", "answers", "--wrong").code == 0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("exam.jsonl", EXAM),
        ("exam.csv", "question,answer,kind,context\nWhat is 2 + 3?,5,,\nWer?,Ada é,easy,so\n"),
    ],
)
def test_questions_become_labelled_roots(name: str, text: str, home: Path, typed: Typed) -> None:
    Path(name).write_text(text, "utf-8")
    trace, labels = read(home, brought(typed, "questions", name))
    assert [root.question.text.body for root in trace.roots] == ["What is 2 + 3?", "Wer?"]
    answers = [root.answer and root.answer.text for root in trace.roots]
    assert [text and (text.body, text.source) for text in answers] == [
        ("5", f"document:{name}"), ("Ada é", f"document:{name}"),
    ]  # fmt: skip
    assert labels == dict.fromkeys(("0", "1"), ("good", None, f"file:{name}"))
    assert trace.roots[0].question.text.trusted
    context = trace.roots[1].question.context
    assert context
    assert not any(text.trusted for text in context)
    assert trace.roots[1].closed is not None
    assert trace.roots[1].closed.notes == ("kind: easy",)


def test_such_runs_are_runs_like_any_other(typed: Typed) -> None:
    run = brought(typed, "prm800k", write(PHASE_1, PHASE_2, BAD))
    for words in (["runs"], ["show"], ["show", "--node", "0.4"], ["show", "--json"],
                  ["show", "--problems"], ["show", "--timeline"], ["label", "list"],
                  ["label", run, "0.3", "bad"], ["export", "--format", "canonical"]):  # fmt: skip
        assert typed(*words).code == 0
    out = typed("export")
    Path("out.jsonl").write_text(out.out)
    assert typed("import", "out.jsonl", "--store", "other.db").out == f"{run}\n"
    assert typed("export", "--store", "other.db") == out


def test_nobody_can_go_on_with_such_a_run(typed: Typed) -> None:
    run = brought(typed, "prm800k", write(PHASE_1))
    for words in (["resume", run], ["resume", run, "--retry-failed", "--force"], ["replay", run]):
        done = typed(*words)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert f"run {run} was read from steps.jsonl, and nobody played it" in done.err


def test_the_same_file_is_the_same_runs(typed: Typed) -> None:
    run = brought(typed, "prm800k", write(PHASE_1, PHASE_2))
    again = typed("import", "--as", "prm800k", "steps.jsonl")
    assert again == Done(0, "", f"hch: run {run} is there already, with the same events\n")
    assert brought(typed, "prm800k", write(PHASE_2, PHASE_1)) != run
    [found] = json.loads(typed("import", "--as", "prm800k", write(BAD), "--json").out)
    assert (found["events"], found["labels"], found["brought"]) == (5, 0, True)


def test_many_roots_are_several_runs(home: Path, typed: Typed) -> None:
    lines = [json.dumps({"question": f"Q{n}?", "answer": str(n)}) for n in range(2001)]
    done = typed("import", "--as", "questions", write(*lines, name="many.jsonl"))
    runs = done.out.split()
    assert len(runs) == 3
    found = [root.question.text.body for run in runs for root in read(home, run)[0].roots]
    assert found == [f"Q{n}?" for n in range(2001)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "has no questions: write one to a line"),
        (["{not json"], "line 1: it is not JSON"),
        (["[]"], "line 1: it is no JSON object"),
        ([PHASE_1, "{}"], "line 2: question: Field required"),
        ([PHASE_1, PHASE_1[:-30]], "line 2: it is not JSON"),
        ([rated(" ")], "line 1: the problem is empty"),
        ([PHASE_1.replace('"rating": 1', '"rating": 2', 1)], "rating: Input should be -1, 0 or 1"),
        ([PHASE_1.replace('"rating": 1', '"rating": "1"', 1)], "rating: Input should be -1, 0"),
        ([PHASE_1.replace('"rating": 1', '"rating": NaN', 1)], "NaN is no number of JSON"),
        ([PHASE_1.replace('"text": "Hm"', '"text": 7')], "text: "),
        ([PHASE_1.replace('"labeler"', '"question": 1, "labeler"')], "has 'question' twice"),
        ([rated("Why?", step(completion("a", 1), chosen=1))], "step 1 has no completion 1, which"),
        ([rated("Why?", step(chosen=0))], "step 1 has no completion 0, which is said to be chosen"),
        ([rated("Why?", step(completion("a", 1), chosen=-1))], "greater than or equal to 0"),
        ([rated("Why?", finish="bored")], "finish_reason: Input should be 'found_error'"),
        (['{"a":' * 100_000 + "1" + "}" * 100_000], "nested too deeply"),
        ([rated("x" * 3_000_000, *[step(completion("a", 1))] * 100)], "and may have 268,435,456"),
    ],
)
def test_what_is_no_rated_solution(lines: list[str], said: str, home: Path, typed: Typed) -> None:
    done = typed("import", "--as", "prm800k", write(*lines))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("hch: steps.jsonl")
    assert said in done.err
    assert not (home / DB).exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"question":"a?","answer":"b"}\n{"question":"c?"}\n', "line 2: there is no answer"),
        ('{"question":"a?","answer":" "}\n', "line 1: there is no answer"),
        ('{"question":" ","answer":"b"}\n', "line 1: the question is empty"),
        ('{"question":"a?","answer":"b","instance":7}\n', "line 1: an instance is named"),
        (PHASE_1, "line 1: question: write a text or a number"),
        ("", "has no questions"),
    ],
)
def test_what_are_no_questions_with_answers(text: str, said: str, home: Path, typed: Typed) -> None:
    Path("exam.jsonl").write_text(text)
    done = typed("import", "--as", "questions", "exam.jsonl")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert not (home / DB).exists()


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("-", "stdin is read once: name a file beside --as"),
        ("none.jsonl", "none.jsonl cannot be read: No such file"),
        ("folder", "folder is a folder"),
        ("/dev/null", "/dev/null is no regular file"),
        ("a\0b", "cannot be read"),
    ],
)
def test_what_is_no_file(file: str, said: str, home: Path, typed: Typed) -> None:
    (home / "folder").mkdir()
    done = typed("import", "--as", "prm800k", file)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_without_as_it_is_no_export_and_the_way_is_told(typed: Typed) -> None:
    done = typed("import", write(PHASE_1))
    assert done.code == 2
    assert "not the header that hch export writes; --as prm800k or --as questions" in done.err
    assert typed("import", "--as", "csv", "steps.jsonl").code == 2


def test_a_key_of_this_environment_is_never_kept(
    home: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    done = typed("import", "--as", "prm800k", write(PHASE_1, rated(f"Is it {KEY}?")))
    assert (done.code, done.out) == (2, "")
    assert "it has a key of this environment in it" in done.err
    assert KEY not in done.err
    assert not (home / DB).exists()


def test_wild_texts_and_long_ones_come_back_as_they_were(home: Path, typed: Typed) -> None:
    wild, long = "\x00 \x1b[5m \ud800 \u2028", "word " * 4_000_000
    lines = [rated(wild, step(completion(wild, 1))), rated(long, step(completion("so", -1)))]
    name = "\u202e steps\x1b[5m.jsonl"
    Path(name).write_text("".join(f"{line}\n" for line in lines))
    done = typed("import", "--as", "prm800k", name)
    assert done.code == 0
    found = [read(home, run)[0] for run in done.out.split()]
    roots = [root for trace in found for root in trace.roots]
    assert [root.question.text.body for root in roots] == [wild, long]
    assert not {"\x1b", "\u202e", "\ud800"} & set(typed("show", done.out.split()[0]).out)


def test_what_is_kept_of_a_file_meanwhile_is_a_run(home: Path) -> None:
    def most(lines: int) -> int:
        path = home / write(*(PHASE_1.replace("What is", f"What {n}") for n in range(lines)))
        tracemalloc.start()
        for document in documents("prm800k", path.name, prm800k.LEVEL, prm800k.solved(path)):
            assert sum(1 for _ in document.records(0.0)) > sum(1 for _ in document.labels(0.0))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return peak

    most(10)
    assert most(5000) < 1.5 * most(2000)
