"""`hch ask --instance`: questions about an instance of a task, from the asking to the import."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hch import registry
from hch.playing import drawn
from hch.protocols import Task
from hch.steps import Instance
from tests.commands.terminal import Done, Screen, hch, rules

Typed = Callable[..., Done]

ABOUT = ("--task", "permutation", "--instance", "7")
DIGEST = "88f3a2d3a41fabe844cfd4bd67b1e5ad"


def built(spec: str) -> Task:
    task: Task = registry.build("tasks", registry.Spec.parse(spec))
    return task


@pytest.fixture
def guessing(home: Path) -> tuple[str, ...]:
    """Amplify^H(A), where A is a model that says `de` to whatever it is asked."""
    model = rules(home / "rules.toml", {"match": ".", "reply": "de"})
    return ("--at", "1+=script", "--at", f"0=direct@{model}", "--depth", "1")


def test_the_script_answers_what_the_facts_say(typed: Typed) -> None:
    done = typed("ask", "s^13(ab)", *ABOUT)
    task = built("permutation")
    truth = task.truth(drawn(task, 7), task.parse("s^13(ab)"))
    assert (done.code, done.out) == (0, f"{truth.text and truth.text.body}\n")
    first = done.err.splitlines()[0]
    assert "the built-in script answers, and it plays the task permutation; for a" in first
    assert "arithmetic" not in first


@pytest.mark.parametrize("spec", ["permutation,size=8", "wildcard", "assignments,size=8"])
@pytest.mark.parametrize("number", [0, 3])
def test_each_number_is_an_instance_of_its_own(typed: Typed, spec: str, number: int) -> None:
    task = built(spec)
    instance = drawn(task, number)
    question = next(task.questions(instance, Random(1)))
    about = ("--task", spec, "--instance", str(number), "--depth", "8")
    done = typed("ask", question.text.body, *about, "--json")
    said = json.loads(done.out)
    truth = task.truth(instance, task.parse(question.text.body))
    assert (done.code, said["answer"]) == (0, truth.text and truth.text.body)
    assert (said["task"], said["instance"]) == (spec, instance.digest)


def test_a_text_that_is_no_question_is_told_the_form(typed: Typed) -> None:
    done = typed("ask", "what?", "--task", "path", "--instance", "1", "-q")
    assert (done.code, done.out) == (1, "")
    assert "no answer (unanswered): 'what?' is not of the form S(ab,cd) or D(ab,cd)" in done.err


def test_a_model_below_the_script_is_asked_about_the_instance(
    typed: Typed, guessing: tuple[str, ...]
) -> None:
    """s^5(ab) is s(s^2(s^2(ab))): both squares are said to be de, and the oracle knows s(de)."""
    done = typed("ask", "s^5(ab)", *ABOUT, *guessing, "--json")
    said = json.loads(done.out)
    task = built("permutation")
    truth = task.truth(drawn(task, 7), task.parse("s^1(de)"))
    assert (done.code, said["answer"], said["calls"]) == (0, truth.text and truth.text.body, 2)
    nodes = json.loads(typed("show", "--json").out)["nodes"]
    assert [node["question"] for node in nodes] == ["s^5(ab)", "s^2(ab)", "s^2(de)"]
    assert [node["instance"] for node in nodes] == [DIGEST] * 3


def test_where_no_script_plays_no_instance_is_wanted(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "ab"})
    words = ("ask", "s^3(ab)", "--task", "permutation", "--depth", "1", "-q")
    done = typed(*words, "--at", f"0+=direct@{model}")
    assert (done.code, done.out) == (0, "ab\n")
    lacking = typed(*words, "--at", f"0=direct@{model}", "--at", "1=script")
    assert (lacking.code, lacking.out) == (2, "")
    assert "say which instance is meant, such as --instance 7" in lacking.err


def test_a_dry_run_goes_the_true_way_of_the_instance(
    typed: Typed, guessing: tuple[str, ...]
) -> None:
    done = typed("ask", "s^5(ab)", *ABOUT, *guessing, "--dry-run", "--json")
    bills = json.loads(done.out)
    assert done.code == 0
    for name in ("least", "typical", "most"):
        assert (bills[name]["calls"], bills[name]["nodes"]) == (2, 3)
    assert "nothing was sent" in typed("ask", "s^13(ab)", *ABOUT, "--dry-run").out
    assert "say which instance is meant" in typed("ask", "s^5(ab)", *ABOUT[:2], "--dry-run").err
    assert typed("runs").err.startswith("hch: there are no runs")


def test_show_says_what_a_run_was_about(typed: Typed) -> None:
    typed("ask", "s^13(ab)", *ABOUT)
    head = typed("show").out.splitlines()[0]
    assert head.endswith(f"  permutation {DIGEST[:8]}  HCH_2 by script  s^13(ab)")
    said = json.loads(typed("show", "--json").out)
    assert (said["task"], {node["instance"] for node in said["nodes"]}) == ("permutation", {DIGEST})
    typed("ask", "What is 2 + 3?")
    assert typed("show").out.splitlines()[0].endswith("s  HCH_2 by script  What is 2 + 3?")
    typed("ask", "min(2,3)", "--task", "minmax")
    assert typed("show").out.splitlines()[0].endswith("s  minmax  HCH_2 by script  min(2,3)")


def test_a_killed_run_goes_on_with_its_facts(home: Path, guessing: tuple[str, ...]) -> None:
    rules(home / "rules.toml", {"match": ".", "reply": "de", "latency": 600})
    words = ("ask", "s^5(ab)", *ABOUT, *guessing)
    with Screen(*words, TERM="xterm") as screen:
        screen.until("2 nodes, 2 open, 1 call, 1 in flight")
        screen.send(signal.SIGKILL)
        screen.rest()
    assert f"permutation {DIGEST[:8]}" in hch("show").out
    rules(home / "rules.toml", {"match": ".", "reply": "de"})
    done = hch("resume")
    assert done.code == 0
    assert "goes on with" in done.err
    assert hch("replay", "-q") == Done(0, done.out, "")
    assert hch(*words, "-q", "--store", "anew.db").out == done.out


def test_a_run_travels_with_its_facts(typed: Typed, guessing: tuple[str, ...]) -> None:
    said = typed("ask", "s^5(ab)", *ABOUT, *guessing).out
    shown = typed("show").out
    typed("export", "--all", "-o", "run.jsonl")
    assert typed("import", "run.jsonl", "--store", "there.db").code == 0
    assert typed("show", "--store", "there.db").out == shown
    assert typed("replay", "-q", "--store", "there.db") == Done(0, said, "")


def exchanged(facts: list[list[str]]) -> str:
    """Facts of which two have changed their second parts."""
    (a, b), (c, d), *rest = facts
    return json.dumps([[a, d], [c, b], *rest], separators=(",", ":"))


TAMPERED: dict[str, tuple[Callable[[str], dict[str, str]], str]] = {
    "other facts": (
        lambda text: {DIGEST: exchanged(json.loads(text))},
        f"instance {DIGEST[:8]} has other facts than its name says",
    ),
    "another name": (
        lambda text: {"0" * 32: text},
        "instance 00000000 has other facts than its name says",
    ),
    "no facts": (
        lambda text: {},
        f"a question is about instance {DIGEST[:8]}, which has no facts here",
    ),
    "no JSON": (
        lambda text: {DIGEST: text[:-1]},
        f"the facts of instance {DIGEST[:8]} are no JSON: ",
    ),
    "facts too deep": (
        lambda text: {DIGEST: "[" * 100_000},
        f"the facts of instance {DIGEST[:8]} are no JSON: ",
    ),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_tampered_facts_are_refused_with_their_line(typed: Typed, home: Path, how: str) -> None:
    change, said = TAMPERED[how]
    typed("ask", "s^13(ab)", *ABOUT)
    typed("export", "--all", "-o", "run.jsonl")
    lines = (home / "run.jsonl").read_text().splitlines(keepends=True)
    started: dict[str, Any] = json.loads(lines[1])
    roots = started["event"]["roots"]
    roots["instances"] = change(roots["instances"][DIGEST])
    (home / "run.jsonl").write_text("".join([lines[0], json.dumps(started) + "\n", *lines[2:]]))
    done = typed("import", "run.jsonl", "--store", "there.db")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert f"run.jsonl, line 2: {said}" in done.err
    assert typed("runs", "--store", "there.db").err.startswith("hch: there are no runs")


def test_facts_that_are_of_no_such_instance_are_not_played(typed: Typed, home: Path) -> None:
    """Whoever makes facts up can name them rightly too; then they are no permutation."""
    typed("ask", "s^13(ab)", *ABOUT)
    typed("export", "--all", "-o", "run.jsonl")
    made_up = Instance.of("permutation", [["aa", "ab"]])
    text = (home / "run.jsonl").read_text().replace(DIGEST, made_up.digest)
    lines = text.splitlines(keepends=True)
    started: dict[str, Any] = json.loads(lines[1])
    started["event"]["roots"]["instances"] = {made_up.digest: made_up.text}
    (home / "run.jsonl").write_text("".join([lines[0], json.dumps(started) + "\n", *lines[2:]]))
    typed("import", "run.jsonl", "--store", "there.db")
    done = typed("replay", "--store", "there.db")
    assert (done.code, done.out) == (6, "")
    assert f"instance {made_up.digest[:8]} is none of task 'permutation'" in done.err


def test_doctor_says_which_task_the_script_plays(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "it does arithmetic" in typed("doctor").out
    monkeypatch.setenv("HCH_TASK", "permutation,size=8")
    out = typed("doctor").out
    assert "no key is set: it plays the task permutation" in out
    assert "arithmetic" not in out


def test_tasks_and_their_options_are_completed(typed: Typed) -> None:
    words = ("--complete", "zsh", "ask", "Why?", "--task")
    assert "permutation\tPowers of a permutation" in typed(*words, "perm").out
    offered = typed(*words, "permutation,size=8,").out
    assert offered.splitlines() == ["permutation,size=8,bits=\t[6]"]
    assert typed(*words, "permutation,").out.startswith("permutation,size=\t[64]\n")
