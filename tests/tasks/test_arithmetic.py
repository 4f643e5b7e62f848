"""Arithmetic: how far each level of HCH reaches, what is asked, and what is right."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.agents import Query
from hch.playing import Playing
from hch.polls import unrolled
from hch.steps import Ask, Primitive
from hch.tasks._expression import Number, Operation, Term
from hch.tasks.arithmetic import build
from hch.types import Answer, Text
from tests.tasks.terms import operator_height, terms, value

task = build()
relaxed = settings(deadline=None)


def said(text: str) -> Answer:
    return Answer("answered", Text(text, "model"))


def hch(term: Term, level: int) -> Answer:
    """HCH_level with the script as H at every level."""
    script = task.steps(term)
    try:
        step = next(script)
        while True:
            if isinstance(step, Primitive):
                step = script.send(task.primitive(None, step.term, Random(0)))
            else:
                assert isinstance(step, tuple)
                refused = Answer("refused", reason="level 0 asks nobody")
                step = script.send(
                    tuple(hch(ask.term, level - 1) if level else refused for ask in step)
                )
    except StopIteration as end:
        answer: Answer = end.value
        return answer


@relaxed
@given(terms)
def test_truth_is_pythons_own_arithmetic_and_its_precedence(term: Term) -> None:
    truth = task.truth(None, term)
    assert truth.text is not None
    assert truth.text.body == str(value(term)) == str(eval(str(term)))
    assert task.valid(term, truth)
    assert task.grade(None, term, truth)


@relaxed
@given(terms, st.integers(0, 6))
def test_level_n_answers_exactly_operator_height_n_plus_1(term: Term, level: int) -> None:
    answer = hch(term, level)
    reached = operator_height(term) <= level + 1
    assert reached == (task.beyond(term, level) is None)
    assert reached == task.grade(None, term, answer)
    assert answer.status == ("answered" if reached else "unanswered")
    assert reached or "level 0 asks nobody" in answer.reason or level > 0


def test_beyond_says_what_would_reach_it() -> None:
    term = task.parse("((1 + 2) * 3) - 4")
    assert task.beyond(term, 2) is None
    assert task.beyond(term, 1) == (
        "level 1 reaches operator height 2 and this one has 3; use --depth 2 or more"
    )


def test_operands_are_asked_in_one_round_and_combined_by_the_primitive() -> None:
    script = task.steps(task.parse("(17 + 4) * (3 - 1)"))
    assert next(script) == (Ask(task.parse("17 + 4")), Ask(task.parse("3 - 1")))
    assert script.send((said("21"), said(" 2\n"))) == Primitive(task.parse("21 * 2"))
    with pytest.raises(StopIteration) as end:
        script.send(task.primitive(None, task.parse("21 * 2"), Random(0)))
    assert end.value.value == Answer("answered", Text("42", "script"))


def test_only_what_is_no_number_is_asked() -> None:
    script = task.steps(task.parse("2 - (3 - -4)"))
    assert next(script) == (Ask(task.parse("3 - -4")),)
    assert script.send((said("7"),)) == Primitive(task.parse("2 - 7"))
    assert next(task.steps(task.parse("2 - 7"))) == Primitive(task.parse("2 - 7"))
    assert next(task.steps(task.parse("-(7)"))) == Primitive(task.parse("-(7)"))


def test_a_number_is_replied_at_once() -> None:
    with pytest.raises(StopIteration) as end:
        next(task.steps(task.parse("What is -5?")))
    assert end.value.value == Answer("answered", Text("-5", "script"))


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Answer("failed", reason="a call was given up"), "failed (a call was given up)"),
        (Answer("truncated", reason="grant"), "truncated (grant)"),
        (Answer("refused", reason="fan-out"), "refused (fan-out)"),
        (said("twelve"), "answered (twelve)"),
        (said("5."), "answered (5.)"),
        (said("5 \x1b[2J"), "answered (5 \\x1b[2J)"),
        (said(""), "answered ()"),
    ],
)
def test_a_sub_question_without_an_integer_is_named(reply: Answer, why: str) -> None:
    script = task.steps(task.parse("(17 + 4) * (3 - 1)"))
    next(script)
    with pytest.raises(StopIteration) as end:
        script.send((said("21"), reply))
    assert end.value.value.status == "unanswered"
    assert end.value.value.reason == f'"What is 3 - 1?" got no integer: {why}'


def test_an_oracle_that_does_not_answer_is_named() -> None:
    script = task.steps(task.parse("3 - 1"))
    next(script)
    with pytest.raises(StopIteration) as end:
        script.send(Answer("unanswered", reason="no answer to it"))
    assert end.value.value.reason == (
        '"What is 3 - 1?" got no integer: unanswered (no answer to it)'
    )


def test_what_rests_on_untrusted_text_is_untrusted() -> None:
    script = task.steps(task.parse("(1 + 2) * 3"))
    next(script)
    script.send((Answer("answered", Text("3", "model", trusted=False)),))
    with pytest.raises(StopIteration) as end:
        script.send(said("9"))
    assert end.value.value.text == Text("9", "script", trusted=False)


def test_primitive_is_one_operation_on_numbers_only() -> None:
    for text, result in (("2 - 5", "-3"), ("-(3)", "-3"), ("--3", "3")):
        assert task.primitive(None, task.parse(text), Random(0)) == Answer(
            "answered", Text(result, "oracle")
        )
    for text in ("5", "-5", "1 + 2 + 3", "-(1 + 2)", "--(3)"):
        assert task.primitive(None, task.parse(text), Random(0)) is None


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("-3", True),
        (" -3\n", True),
        *(
            (text, False)
            for text in ("3", "−3", "-03", "-3.", "-3.0", "- 3", "", "-", "-٣", "-3 -3")
        ),
    ],
)
def test_grade_wants_the_integer_and_nothing_else(text: str, right: bool) -> None:
    assert task.grade(None, task.parse("2 - 5"), said(text)) is right


def test_zero_has_no_sign_and_a_failure_is_no_answer() -> None:
    assert not task.grade(None, task.parse("5"), said("+5"))
    zero = task.parse("0")
    assert task.grade(None, zero, said("0"))
    assert not task.valid(zero, said("-0"))
    assert not task.valid(zero, said("00"))
    assert not task.valid(zero, Answer("unanswered", Text("0"), "cut"))


@pytest.mark.parametrize(
    ("text", "height", "right"),
    [
        ("(" * 100_000 + "7" + ")" * 100_000, 0, "7"),
        ("1" + "+1" * 100_000, 100_000, "100001"),
        ("1" + " - 1" * 20_000, 20_000, "-19999"),
        ("-" * 20_001 + "1", 20_000, "-1"),
        ("-(" * 20_000 + "1" + ")" * 20_000, 20_000, "1"),
        ("1-(" * 20_000 + "1" + ")" * 20_000, 20_000, "1"),
        ("What is 2 + 3? " + "please " * 150_000, 1, "5"),
        (" " * 1_000_000 + "2+3", 1, "5"),
        ("x" * 1_000_000 + " 2+3", 1, "5"),
    ],
    ids=range(9),
)
def test_size_is_no_obstacle(text: str, height: int, right: str) -> None:
    term = task.parse(text)
    assert task.grade(None, term, said(right))
    assert task.parse(task.render(term)) == term
    assert task.beyond(term, height - 1) is None
    assert height == 0 or task.beyond(term, height - 2) is not None


def test_a_deep_term_fails_as_briefly_as_a_small_one() -> None:
    answer = hch(task.parse("1" + "+1" * 5_000), 3)
    assert answer.status == "unanswered"
    assert len(answer.reason) < 300


@pytest.fixture(params=[4300, 640])
def digit_limit(request: pytest.FixtureRequest) -> Iterator[int]:
    """Python's own limit on the digits of an integer, at its default and at its least."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(request.param)
    yield request.param
    sys.set_int_max_str_digits(before)


def test_integers_have_any_number_of_digits(digit_limit: int) -> None:
    nines = "9" * 5_000
    term = task.parse(f"What is {nines} * -{nines}?")
    assert term == Operation("*", Number(10**5_000 - 1), Number(1 - 10**5_000))
    product = "-" + "9" * 4_999 + "8" + "0" * 4_999 + "1"
    assert hch(term, 0) == Answer("answered", Text(product, "script"))
    assert hch(task.parse(f"({nines} * {nines}) - {nines} * {nines}"), 1).text == Text(
        "0", "script"
    )
    assert task.grade(None, term, said(product))
    assert not task.grade(None, term, said(product[:-1] + "2"))
    assert sys.get_int_max_str_digits() == digit_limit


@relaxed
@given(st.integers(), st.integers(0, 40))
def test_a_sample_has_the_operator_height_of_its_size(seed: int, size: int) -> None:
    instance = task.sample(Random(seed), size)
    (question,) = task.questions(instance, Random(0))
    term = task.parse(question.text.body)
    assert operator_height(term) == size
    assert question.instance is None
    assert question.text.source == "task"
    assert str(term) == instance.facts
    assert sum(instance.facts.count(f" {op} ") for op in "+-*") <= 3 * size


@relaxed
@given(terms, st.integers())
def test_a_guess_is_at_most_9_off(term: Term, seed: int) -> None:
    guess = task.guess(term, Random(seed))
    assert guess is not None
    assert guess.text is not None
    assert abs(int(guess.text.body) - value(term)) <= 9


def test_guesses_from_9_below_to_9_above_are_as_likely() -> None:
    rng, term = Random(1), task.parse("What is 2 + 3?")
    guesses = [task.guess(term, rng) for _ in range(19_000)]
    counts = Counter(guess.text.body for guess in guesses if guess and guess.text)
    assert counts.keys() == {str(5 + off) for off in range(-9, 10)}
    assert all(abs(count - 1000) < 4 * 1000**0.5 for count in counts.values())


def test_an_h_that_errs_is_off_as_often_as_it_should_be() -> None:
    h = unrolled(Playing(task, errors=0.1), {}, 0)
    asked = [Query(f"What is {a} + {b}?") for a in range(50) for b in range(50)]
    told = [response.answer for response in h.answer(asked)]
    wrong = sum(
        not task.grade(None, task.parse(query.body), answer)
        for query, answer in zip(asked, told, strict=True)
    )
    assert abs(wrong - 250) < 4 * (2500 * 0.1 * 0.9) ** 0.5
    assert all(answer.answered for answer in told)


@relaxed
@given(terms)
def test_terms_are_told_apart_by_height(term: Term) -> None:
    assert task.kind(term) == f"height {operator_height(term)}"


def test_a_height_is_not_negative() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        task.sample(Random(0), -1)
