"""`hch task`: the tasks, their instances, and what H does on a question."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.cells import cell_len

from hch import registry
from hch.playing import drawn
from hch.protocols import Task
from hch.safe_text import one_line
from tests.commands.terminal import Done, Screen, hch, install
from tests.payloads import PAYLOADS, plain, raw_controls

Typed = Callable[..., Done]

TASKS = registry.names("tasks")
WITH_FACTS = ["assignments", "path", "permutation", "unionfind", "wildcard"]
QUESTION = ("permutation", "s^13(ab)", "--instance", "7")


def built(spec: str) -> Task:
    task: Task = registry.build("tasks", registry.Spec.parse(spec))
    return task


def body_of(answer: Any) -> str:
    assert answer.answered
    text: str = answer.text.body
    return text


# list


def test_every_task_is_listed_with_a_question_that_it_can_read(typed: Typed) -> None:
    rows = json.loads(typed("task", "list", "--json").out)
    assert [row["name"] for row in rows] == TASKS
    for row in rows:
        task = built(row["name"])
        about, options = registry.describe("tasks", row["name"])
        assert (row["about"], row["options"]) == (about, options)
        assert (row["size"], row["facts"]) == (task.size, task.has_facts)
        assert task.render(task.parse(row["question"])) == row["question"]
    assert [row["name"] for row in rows if row["facts"]] == WITH_FACTS
    assert json.loads(typed("task", "--json").out) == rows


def test_the_list_is_two_lines_a_task(typed: Typed) -> None:
    done = typed("task")
    assert (done.code, done.err) == (0, "")
    assert typed("task", "list") == done
    lines = done.out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == TASKS
    at = 2 * TASKS.index("permutation")
    assert lines[at : at + 2] == [
        "permutation  Powers of a permutation: s^k(x), halved until it is s itself.",
        "             size 64, facts, such as s^29(af)",
    ]


def test_a_task_that_lacks_its_package_says_so(home: Path) -> None:
    env = install(home, "tasks.mine", "mine_", "import not_there_at_all\n")
    done = hch("task", "list", **env)
    assert done.code == 0
    assert "mine\n             not usable: " in done.out
    assert "needs 'not_there_at_all', which is not installed" in done.out
    assert "missing" in {key for row in json.loads(hch("task", "--json", **env).out) for key in row}


# sample


@pytest.mark.parametrize("spec", [*TASKS, "permutation,size=8,bits=21", "path,size=5"])
def test_a_sample_is_the_instance_and_questions_with_their_truths(typed: Typed, spec: str) -> None:
    done = typed("task", "sample", spec, "--instance", "3", "--json")
    said = json.loads(done.out)
    task = built(spec)
    instance = drawn(task, 3)
    assert (done.code, done.err) == (0, "")
    assert (said["task"], said["size"], said["instance"]) == (task.name, task.size, 3)
    assert (said["digest"], said["facts"]) == (instance.digest, instance.facts)
    assert len(said["questions"]) == (5 if task.has_facts else 1)
    for row in said["questions"]:
        truth = task.truth(instance, task.parse(row["question"]))
        assert (row["status"], row["answer"]) == ("answered", body_of(truth))


def test_a_sample_in_words(typed: Typed) -> None:
    done = typed("task", "sample", "permutation,size=4", "--instance", "7", "--count", "2")
    task = built("permutation,size=4")
    instance = drawn(task, 7)
    pairs = ", ".join(f"{x} {image}" for x, image in instance.facts)
    head, facts, *questions = done.out.splitlines()
    assert head == f"permutation, instance 7 ({instance.digest[:8]}), size 4"
    assert facts == f"facts {pairs}"
    assert len(questions) == 2
    for line in questions:
        question, _, answer = line.partition(" → ")
        assert answer == body_of(task.truth(instance, task.parse(question)))


def test_of_many_facts_the_first_are_shown_or_all(typed: Typed) -> None:
    instance = drawn(built("path"), 0)
    edges = [f"edges {u} {v}" for u, v in instance.facts["edges"]]
    _, size, some, *_ = typed("task", "sample", "path").out.splitlines()
    assert size == "size 64"
    shown = re.fullmatch(r"(edges .+), … 128 in all", some)
    assert shown
    assert shown[1] == f"edges {', '.join(e[6:] for e in edges[: shown[1].count(',') + 1])}"
    assert len(some) <= 100
    whole = typed("task", "sample", "path", "--facts", "--count", "0").out.splitlines()
    assert whole[1:] == ["size 64", *edges]


def test_a_task_without_facts_says_so(typed: Typed) -> None:
    for more in ((), ("--facts",)):
        out = typed("task", "sample", "minmax", "--count", "9", *more).out
        assert out.splitlines()[1] == "no facts: the question says all"
        assert len(out.splitlines()) == 3


def test_the_seed_draws_the_questions_and_not_the_instance(typed: Typed) -> None:
    one, two, again = (
        json.loads(typed("task", "sample", "wildcard", "--seed", seed, "--json").out)
        for seed in ("1", "2", "1")
    )
    assert one == again
    assert one["digest"] == two["digest"]
    assert one["questions"] != two["questions"]


# solve


def test_a_transcript(typed: Typed) -> None:
    task = built("permutation")
    instance = drawn(task, 7)

    def true(k: int, x: str) -> str:
        return body_of(task.truth(instance, task.parse(f"s^{k}({x})")))

    done = typed("task", "solve", *QUESTION)
    half = true(6, "ab")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        f"permutation, instance 7 ({instance.digest[:8]}), size 64",
        "Q              s^13(ab)",
        f"Q1  the truth  s^6(ab) → {half}",
        f"Q2  the truth  s^6({half}) → {true(12, 'ab')}",
        f"Q3  oracle     s^1({true(12, 'ab')}) → {true(13, 'ab')}",
        f"A   right      {true(13, 'ab')}",
    ]


@pytest.mark.parametrize("spec", TASKS)
def test_h_is_right_where_the_truth_answers_it(typed: Typed, spec: str) -> None:
    for seed in ("0", "1", "2"):
        done = typed("task", "solve", spec, "--seed", seed, "--json")
        said = json.loads(done.out)
        assert (done.code, said["right"], said["status"]) == (0, True, "answered")
        sampled = json.loads(typed("task", "sample", spec, "--seed", seed, "--json").out)
        assert said["question"] == sampled["questions"][0]["question"]
        assert said["truth"] == sampled["questions"][0]["answer"]
        assert typed("task", "solve", spec, "--seed", seed).out.splitlines()[1].startswith("Q ")


def test_a_loop_asks_again_and_its_oracle_is_told_from_its_copies(typed: Typed) -> None:
    """In path H asks itself the same question twice, and the oracle for edges and neighbours."""
    words = ("task", "solve", "path", "S(aa,bc)")
    said = json.loads(typed(*words, "--json").out)
    assert said["asked"][0]["question"] == "E(aa,bc)"
    own = [row for row in said["asked"] if row["question"] == "S(aa,bc)"]
    assert [(row["primitive"], row["again"], row["round"]) for row in own] == [
        (False, None, 2),
        (False, 0, 2),
    ]
    for row in said["asked"]:
        assert row["primitive"] == row["question"].startswith(("E", "N"))
    lines = typed(*words).out.splitlines()[2:-1]
    for line, row in zip(lines, said["asked"], strict=True):
        assert ("oracle" in line) == row["primitive"]
        assert (" again → " in line) == (row["again"] is not None)


@pytest.mark.parametrize(
    ("spec", "depth"), [("permutation", 4), ("wildcard", 3), ("path", 3), ("unionfind", 4)]
)
def test_by_depth_it_is_the_root_of_the_tree_that_ask_makes(
    typed: Typed, spec: str, depth: int
) -> None:
    for seed in map(str, range(6)):
        words = ("--instance", "4", "--depth", str(depth), "--seed", seed)
        solved = typed("task", "solve", spec, *words, "--json")
        said = json.loads(solved.out)
        done = typed("ask", said["question"], "--task", spec, *words, "--json")
        answer = json.loads(done.out)
        assert (said["status"], said["answer"]) == (answer["status"], answer["answer"])
        assert said["digest"] == answer["instance"]
        assert (solved.code == 0) == said["right"]
        root = json.loads(typed("show", "--json").out)["nodes"][0]
        asked = [row for row in said["asked"] if not row["primitive"]]
        primitive = [row for row in said["asked"] if row["primitive"]]
        assert [row["question"] for row in asked] == [ask["question"] for ask in root["asks"]]
        assert [(row["question"], row["answer"]) for row in primitive] == [
            (row["question"], row["answer"]) for row in root["primitives"]
        ]


def test_by_depth_it_says_what_it_took_or_why_it_cannot(typed: Typed) -> None:
    done = typed("task", "solve", *QUESTION, "--depth", "3")
    assert "\nQ1  HCH_2   s^6(ab) → " in done.out
    assert re.search(r"\nA   right   [a-h]{2}; 7 calls of H\n", done.out)
    low = typed("task", "solve", *QUESTION, "--depth", "1")
    assert (low.code, low.err) == (1, "")
    *_, last = low.out.splitlines()
    assert re.match(r"A   unanswered  it is [a-h]{2}; 1 call of H; level 1 reaches powers", last)
    alone = typed("task", "solve", "assignments", "value(hg)", "--depth", "0")
    assert alone.code == 1
    assert " → refused: level 0 has nobody to ask\n" in alone.out


def test_an_h_that_errs_is_seen_to_be_wrong(typed: Typed) -> None:
    done = typed("task", "solve", *QUESTION, "--errors", "1")
    right = typed("task", "solve", *QUESTION, "--json")
    assert done.code == 1
    assert re.search(
        rf"\nA   wrong      [a-h]{{2}}; it is {json.loads(right.out)['truth']}\n", done.out
    )
    assert typed("task", "solve", *QUESTION, "--errors", "0").code == 0
    halved = [
        typed("task", "solve", *QUESTION, "--errors", "0.5", "--seed", str(seed)).code
        for seed in range(20)
    ]
    assert {0, 1} == set(halved)
    assert typed("ask", *QUESTION[1:], "--task", "permutation", "-q", "-s", "script,errors=1").out


SURE = '''"""Sums at which nobody guesses."""
from hch.protocols import Task
from hch.tasks.arithmetic import Arithmetic

class Sure(Arithmetic):
    name = "sure"
    guess = Task.guess

def build():
    return Sure(2)
'''
ASK = ("ask", "What is 2 + 3?", "--task", "sure")
ERRING = (
    ("task", "solve", "sure", "--errors", "0.1"),
    (*ASK, "-s", "script,errors=1"),
    (*ASK, "--depth", "1", "--at", "0=script,errors=1"),
    (*ASK, "-s", "script,errors=1", "--dry-run"),
    ("iterate", "--task", "sure", "--errors", "0.1", "--sample", "3"),
)


def test_an_h_that_cannot_err_is_refused_and_nothing_is_begun(home: Path) -> None:
    env = install(home, "tasks.sure", "sure_", SURE)
    assert hch(*ASK, "-s", "script", "-q", "--store", "another.db", **env).out == "5\n"
    why = "task 'sure' has no guess at an answer, so that its H cannot err: leave errors out"
    for words in ERRING:
        assert hch(*words, **env) == Done(2, "", f"hch: {why}\n")
    assert hch("runs", "--json", **env).out == "[]\n"
    assert hch("iterate", "list", "--json", **env).out == "[]\n"


def test_a_tree_that_is_too_large_is_refused_before_it_fills_the_memory() -> None:
    done = hch("task", "solve", "unionfind", "V(aa)", "--instance", "0", "--depth", "30")
    assert (done.code, done.out) == (2, "")
    assert done.err == "hch: this takes more than 200,000 calls of H: lower --depth\n"


def test_one_of_several_right_answers_is_right(typed: Typed) -> None:
    """Of a path's next vertices the truth names one, and H may come to another by its neighbour."""
    task = built("path")
    both = None
    for seed in range(200):
        said = json.loads(
            typed("task", "solve", "path", "--depth", "4", "--seed", str(seed), "--json").out
        )
        if said["right"] and said["answer"] != said["truth"]:
            both = said
            break
    assert both is not None
    words = ("task", "solve", "path", "--depth", "4", "--seed", str(both["seed"]))
    assert f"{both['answer']}; so is {both['truth']}; " in typed(*words).out
    graph = drawn(task, 0).facts["edges"]
    start = both["question"][2:4]
    assert {(start, both["answer"]), (start, both["truth"])} <= {tuple(edge) for edge in graph}


def test_what_the_instance_does_not_have_is_not_right(typed: Typed) -> None:
    done = typed("task", "solve", "permutation,size=8", "s^9(hh)")
    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("A   unanswered  ")
    lost = typed("task", "solve", "path,size=8", "S(hh,aa)", "--json")
    assert (lost.code, json.loads(lost.out)["truth"]) == (1, None)


def test_a_question_that_says_all_has_no_instance(typed: Typed) -> None:
    done = typed("task", "solve", "arithmetic", "What is 2 + (3*4)?")
    assert done.code == 0
    assert done.out.splitlines() == [
        "arithmetic",
        "Q              What is 2 + (3*4)?",
        "Q1  the truth  What is 3 * 4? → 12",
        "Q2  oracle     What is 2 + 12? → 14",
        "A   right      14",
    ]
    said = json.loads(typed("task", "solve", "arithmetic", "What is 2?", "--json").out)
    assert (said["instance"], said["digest"], said["asked"]) == (None, None, [])


# screens


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_lines_fit_a_terminal(columns: int) -> None:
    for words in (
        ("list",),
        ("sample", "assignments"),
        ("sample", "minmax,size=8"),
        ("solve", "minmax,size=8"),
        ("solve", "permutation", "--depth", "1", "--seed", "3"),
    ):
        with Screen("task", *words, columns=columns, TERM="xterm-256color") as screen:
            lines = screen.rest().splitlines()
        assert len(lines) >= 3
        assert all(cell_len(line) <= columns for line in lines)
        cut = words[1:] == ("minmax,size=8",)
        assert not cut or max(map(cell_len, lines)) == columns


HOSTILE = '''
"""Is hostile: {first}"""

from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive
from hch.types import Answer, Question, Text

TEXTS = {texts!r}

class Mine(Task):
    name, size, has_facts = "mine", len(TEXTS), True

    def sample(self, rng, size):
        return Instance.of(self.name, {{TEXTS[0]: TEXTS, "x": [[t] for t in TEXTS]}})

    def questions(self, instance, rng):
        return (Question(Text(text), instance=instance.digest) for text in TEXTS)

    def parse(self, text):
        return text

    def render(self, term):
        return term

    def steps(self, term):
        replies = []
        for text in TEXTS:
            replies.append((yield Primitive(text)))
        return Answer("answered", Text(term))

    def primitive(self, instance, term, rng):
        return self.truth(instance, term)

    def truth(self, instance, term):
        return Answer("answered", Text(term))

    def valid(self, term, answer):
        return True

def build():
    return Mine()
'''


def test_hostile_texts_of_a_task_steer_nothing(home: Path) -> None:
    texts = [payload.text for payload in PAYLOADS]
    source = HOSTILE.format(first="PWN", texts=texts)
    env = install(home, "tasks.mine", "mine_", source)
    for words in (
        ("list",),
        ("sample", "mine", "--facts", "--count", "200"),
        ("sample", "mine"),
        ("solve", "mine"),
    ):
        with Screen("task", *words, columns=200, TERM="xterm-256color", **env) as screen:
            screen.rest()
            assert screen.code == 0, screen.seen
        assert raw_controls(screen.seen) == [], words
        if words[0] == "solve" or "--facts" in words:
            seen = plain(screen.seen)
            assert all(one_line(text[:100])[:16].rstrip() in seen for text in texts)


def test_it_is_plain_where_nobody_looks_at_it(home: Path) -> None:
    done = hch("task", "solve", *QUESTION, PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert "Q1  the truth  s^6(ab) > " in done.out
    assert "\x1b" not in done.out
    with Screen("task", "solve", *QUESTION, TERM="xterm-256color", NO_COLOR="1") as screen:
        assert "\x1b" not in screen.rest()


def test_a_task_and_its_options_are_completed(typed: Typed) -> None:
    for command in ("sample", "solve"):
        words = ("--complete", "zsh", "task", command)
        assert typed(*words, "union").out.startswith("unionfind\t")
        assert typed(*words, "permutation,").out.splitlines() == [
            "permutation,size=\t[64]",
            "permutation,bits=\t[6]",
        ]


def test_a_drawn_instance_is_that_of_the_library() -> None:
    """The number is all that a person has to say: it draws the same on every machine."""
    task = built("permutation")
    assert drawn(task, 7) == task.sample(Random("permutation 64 7"), 64)
    assert drawn(task, 7).digest == "88f3a2d3a41fabe844cfd4bd67b1e5ad"
