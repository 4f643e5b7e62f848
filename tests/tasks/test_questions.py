"""Questions: what is asked is read and written back letter by letter, and all else is refused.

Arithmetic is the exception: it reads an expression out of a sentence, so that many texts mean one
term, and only what it writes itself is written back as it was.
"""

from __future__ import annotations

from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hch import registry
from hch.protocols import Task
from hch.safe_text import safe_text
from tests.tasks.scripts import hch

CANONICAL = ("assignments", "hanoi", "minmax", "path", "permutation", "unionfind", "wildcard")
DEPTH = {"path": 3, "unionfind": 3}
"""How high a tree is walked; the others end by themselves."""

relaxed = settings(deadline=None, max_examples=60)


def built(name: str) -> Task:
    task: Task = registry.build("tasks", registry.Spec(name))
    return task


TASKS = {name: built(name) for name in (*CANONICAL, "arithmetic")}
SAMPLES = {name: task.sample(Random(1), min(task.size, 16)) for name, task in TASKS.items()}
ROOTS = {
    name: [q.text.body for q in islice(task.questions(SAMPLES[name], Random(2)), 12)]
    for name, task in TASKS.items()
}


def holds(task: Task, term: Any) -> None:
    written = task.render(term)
    assert task.parse(written) == term
    assert task.render(task.parse(written)) == written


@pytest.mark.parametrize("name", CANONICAL)
def test_every_question_that_there_is_is_read_and_written_back(name: str) -> None:
    task = TASKS[name]
    instance = task.sample(Random(0), task.size)
    for term in task.space(instance) or ():
        holds(task, term)
    for question in islice(task.questions(instance, Random(0)), 1000):
        assert task.render(task.parse(question.text.body)) == question.text.body


@pytest.mark.parametrize("name", TASKS)
def test_so_is_every_question_of_a_tree(name: str) -> None:
    """Those that H asks, and those that it puts to the oracle."""
    task, instance, met = TASKS[name], SAMPLES[name], set()
    for text in ROOTS[name]:
        hch(task, instance, task.parse(text), DEPTH.get(name, 8), met.add)
    assert len(met) > 3
    for term in met:
        holds(task, term)


NASTY = "٣०1*()[],^sumaxSDEVPNin \n\r\t\x00\x1b\ud800\u202e\u200b\U0001d7d3－＊ａéh09-+_"


@st.composite
def mutated(draw: st.DrawFn, texts: list[str]) -> str:
    """A question with up to three letters put in, taken out or replaced."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        put = draw(st.sampled_from(NASTY) | st.characters() | st.just(""))
        text = text[:at] + put + text[at + draw(st.integers(0, 1)) :]
    return text


def is_read_or_refused(task: Task, text: str) -> None:
    try:
        term = task.parse(text)
    except ValueError as error:
        message = str(error)
        assert 0 < len(message) < 300
        assert message == safe_text(message)
        assert message.isprintable()
    else:
        assert task.render(term) == text
        assert text.isascii()


@pytest.mark.parametrize("name", CANONICAL)
def test_another_text_is_refused_or_is_the_question_that_it_says(name: str) -> None:
    @relaxed
    @given(mutated(ROOTS[name]) | st.text(st.sampled_from(NASTY)) | st.text())
    @example("")
    @example("\ud800")
    def fuzz(text: str) -> None:
        is_read_or_refused(TASKS[name], text)

    fuzz()


@pytest.mark.parametrize("name", CANONICAL)
@pytest.mark.parametrize(
    "change",
    ["{}\n", " {}", "{} ", "\n{}", "{}?", "What is {}?", "{0}{0}", "({})", "{}\u200b", "\ufeff{}"],
)
def test_nothing_may_stand_around_a_question(name: str, change: str) -> None:
    for text in ROOTS[name]:
        with pytest.raises(ValueError, match=r".+"):
            TASKS[name].parse(change.format(text))


@pytest.mark.parametrize("name", CANONICAL)
def test_digits_and_letters_of_other_scripts_are_none_of_ours(name: str) -> None:
    """Not one of them."""
    others = dict(zip("0123456789abcdefgh", "٠١٢٣٤٥٦٧٨٩ａｂｃｄｅｆｇｈ", strict=True))
    for text in ROOTS[name]:
        for at in (at for at, letter in enumerate(text) if letter in others):
            with pytest.raises(ValueError, match=r".+"):
                TASKS[name].parse(text[:at] + others[text[at]] + text[at + 1 :])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("permutation", "s^64(ab)"),
        ("permutation", "s^01(ab)"),
        ("permutation", "s^-1(ab)"),
        ("permutation", "s^+1(ab)"),
        ("permutation", "s^1_0(ab)"),
        ("permutation", "s^(ab)"),
        ("permutation", "s(ab)"),
        ("permutation", "s^1(ai)"),
        ("permutation", "S^1(ab)"),
        ("permutation", f"s^{'9' * 19}(ab)"),
        ("permutation", f"s^{'9' * 100_000}(ab)"),
        ("wildcard", "sum()"),
        ("wildcard", f"sum({'*' * 17})"),
        ("wildcard", f"sum({'*' * 1_000_000})"),
        ("wildcard", "sum(01?1)"),
        ("wildcard", "0*1"),
        ("assignments", "value(a)"),
        ("assignments", "value(ab,cd)"),
        ("assignments", "f(a)"),
        ("assignments", "f(ab,cd)"),
        ("assignments", "f(a, b)"),
        ("assignments", "C(ab)"),
        ("path", "S(ab)"),
        ("path", "D(ab,cd,ef)"),
        ("path", "N(ab,cd)"),
        ("path", "d(ab,cd)"),
        ("unionfind", "V(ab,cd)"),
        ("unionfind", "E(ab)"),
        ("unionfind", "P()"),
        ("unionfind", "X(ab)"),
        *((name, nested) for name in CANONICAL for nested in ("(" * 10_000, "max(" * 10_000)),
        *((name, "s^1(" + "(" * 10_000 + "ab" + ")" * 10_001) for name in CANONICAL),
        *((name, "max(1," * 10_000 + "2" + ")" * 10_000) for name in CANONICAL),
        *((name, "\ud800" * 10_000) for name in CANONICAL),
    ],
    ids=lambda text: text[:24].encode("ascii", "backslashreplace").decode(),
)
def test_what_is_no_question_is_refused_in_a_line(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        TASKS[name].parse(text)
    message = str(caught.value)
    assert len(message) < 300
    assert message.isprintable()


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("arithmetic", "What is 2 * (3 + 4)?", "height 2"),
        ("assignments", "value(ab)", ""),
        ("hanoi", "from aaaaa, 31 moves", "up to 32 moves"),
        ("minmax", "max(3,min(4,7))", "height 2"),
        ("path", "D(ab,cd)", "D"),
        ("permutation", "s^13(ab)", "bits 4"),
        ("unionfind", "P(ab)", "P"),
        ("wildcard", "sum(0*1*10)", "stars 2"),
    ],
)
def test_questions_are_told_apart_by_what_makes_them_hard(name: str, text: str, kind: str) -> None:
    assert TASKS[name].kind(TASKS[name].parse(text)) == kind


def test_a_refusal_shows_the_form_that_is_wanted() -> None:
    for name, text, shown in (
        ("permutation", "s^64(ab)", "of the form s^13(ab), with a power up to 63"),
        ("wildcard", "sum(2)", "of the form sum(01**1*)"),
        ("assignments", "x(ab)", "of the form value(ab) or A(ab) or B(ab) or f(c,d)"),
        ("path", "S(ab)", "'S(ab)' is not of the form S(ab,cd)"),
        ("unionfind", "?", "of the form V(ab) or P(ab) or D(ab) or S(ab) or N(ab) or E(ab,cd)"),
        ("hanoi", "from aa", "'from aa' is not of the form 'from aaaaa, 31 moves'"),
        ("minmax", "max(1;2)", "'max(1;2)' is not of the form max(3,min(4,7)): see place 6, ';2)'"),
    ):
        with pytest.raises(ValueError, match=r".+") as caught:
            TASKS[name].parse(text)
        assert shown in str(caught.value)
