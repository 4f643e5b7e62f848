"""Trees of min and max: what an instance is, what H asks, and how far a level reaches."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.steps import Ask, Instance, Primitive
from hch.tasks.minmax import HIGHEST, Comparison, Term, build, height
from hch.types import Answer
from tests.tasks.scripts import (
    FAILED,
    REFUSED,
    UNKNOWN,
    asked,
    grown,
    played,
    refuses,
    refuses_hostile,
    said,
    text,
)

task = build()
relaxed = settings(deadline=None)

terms: st.SearchStrategy[Term] = st.recursive(
    st.sampled_from("0123456789"),
    lambda inner: st.builds(Comparison, st.sampled_from(("min", "max")), inner, inner),
    max_leaves=12,
)


def nothing(term: Term) -> Instance:
    return Instance.of("minmax", task.render(term))


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_an_instance_is_a_full_tree_and_its_one_question(size: int) -> None:
    instance = task.sample(Random(3), size)
    [question] = task.questions(instance, Random(0))
    assert question.text.body == instance.facts
    assert question.instance is None
    assert sum(map(str.isdigit, instance.facts)) == 2**size
    assert height(task.parse(instance.facts)) == size


def test_operators_and_digits_are_uniform() -> None:
    rng = Random(0)
    drawn = Counter(task.sample(rng, 1).facts for _ in range(40_000))
    assert len(drawn) == 200
    assert all(130 < count < 270 for count in drawn.values())


def test_a_size_out_of_bounds_is_refused() -> None:
    for size in (0, HIGHEST + 1):
        with pytest.raises(ValueError, match="an operator height is 1 to 16"):
            task.sample(Random(0), size)


@relaxed
@given(terms)
def test_the_truth_is_pythons_own_min_and_max(term: Term) -> None:
    right = eval(task.render(term), {"min": min, "max": max})
    assert text(task.truth(None, term)) == str(right)
    assert task.grade(None, term, said(str(right)))
    wrong = {*map(str, range(10)), f"{right}\n", f" {right}", f"0{right}", "", "²", "٣"}
    assert not any(task.grade(None, term, said(answer)) for answer in wrong - {str(right)})


@relaxed
@given(terms, st.integers(0, 4))
def test_a_level_reaches_one_operator_more_than_it_is_high(term: Term, level: int) -> None:
    [told] = grown(task, nothing(term), [term], level)
    reached = height(term) <= level + 1
    assert task.grade(None, term, told.answer) == told.answer.answered == reached
    assert (task.beyond(term, level) is None) == reached


def test_beyond_says_what_would_reach_it() -> None:
    assert task.beyond(task.parse("max(3,min(4,max(5,7)))"), 1) == (
        "level 1 reaches operator height 2 and this one has 3; use --depth 2 or more"
    )


def test_only_what_is_no_digit_is_asked_and_both_in_one_round() -> None:
    met, answer = played(task, task.parse("max(min(1,2),min(3,4))"), (said("1"), said("3")))
    assert met == [
        (Ask(task.parse("min(1,2)")), Ask(task.parse("min(3,4)"))),
        Primitive(task.parse("max(1,3)")),
    ]
    assert answer is None
    met, answer = played(task, task.parse("max(5,min(3,4))"), (said("3"),), said("5"))
    assert met == [(Ask(task.parse("min(3,4)")),), Primitive(task.parse("max(5,3)"))]
    assert text(answer) == "5"
    met, answer = played(task, "7")
    assert (met, text(answer)) == ([], "7")


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "reply", [REFUSED, UNKNOWN, FAILED, *map(said, ("", "10", "-1", "three", "3\n", " 3", "३"))]
)
def test_h_does_not_know_what_rests_on_no_digit(at: int, reply: Answer) -> None:
    replies = [said("1"), said("3")]
    replies[at] = reply
    _, answer = played(task, task.parse("max(min(1,2),min(3,4))"), tuple(replies))
    assert answer is not None
    assert answer.status == "unanswered"
    assert answer.reason == f"{('min(1,2)', 'min(3,4)')[at]} got no digit"
    _, answer = played(task, task.parse("max(1,2)"), reply)
    assert answer is not None
    assert answer.reason == "max(1,2) got no digit"


def test_the_oracle_compares_two_digits_and_no_more() -> None:
    for op, best in (("min", min), ("max", max)):
        for a in "0123456789":
            for b in "0123456789":
                found = task.primitive(None, Comparison(op, a, b), Random(0))
                assert text(found) == best(a, b)
    for other in ("7", "min(1,min(2,3))", "min(max(1,2),3)"):
        assert task.primitive(None, task.parse(other), Random(0)) is None


@pytest.mark.parametrize(
    "wrong",
    ["max(1)", "max(1,2,3)", "max(1,2", "max(1,2))", "max(,1)", "max(1,)", "1,2", "(1)", "12",
     "mid(1,2)", "MAX(1,2)", "max(1, 2)", "max (1,2)", "max(1,2)3", "max(1;2)", "max(-1,2)",
     "min(min(1,2,3),4)", "min()", "()", ")", ",", "max"],
)  # fmt: skip
def test_another_text_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is not of the form max\(3,min\(4,7\)\)|two operands"):
        task.parse(wrong)


def test_operators_may_be_nested_16_deep() -> None:
    deepest = "min(1," * HIGHEST + "2" + ")" * HIGHEST
    assert height(task.parse(deepest)) == HIGHEST
    with pytest.raises(ValueError, match="nested deeper than 16"):
        task.parse(f"max({deepest},3)")


def test_facts_that_are_no_question_are_refused() -> None:
    refuses(task, [("no text", ["max(1,2)"]), ("is not of the form", "max(1,2")])
    refuses_hostile(task)


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_full_tree_takes_a_call_for_each_operator(size: int) -> None:
    instance = task.sample(Random(1), size)
    [told] = grown(task, instance, [task.parse(instance.facts)], size - 1)
    assert told.answer.answered
    assert told.calls == 2**size - 1


def test_h_asks_three_questions_of_two_operands() -> None:
    """The one to the oracle included."""
    instance = task.sample(Random(1), 3)
    assert len(asked(task, instance, task.parse(instance.facts))) == 3
