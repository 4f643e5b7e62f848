"""Permutation powering: what an instance is, how H halves a power, and what that costs."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import islice
from random import Random
from statistics import mean
from typing import Any

import pytest

from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive
from hch.tasks._elements import ELEMENTS
from hch.tasks.permutation import Power, build
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


@pytest.fixture(scope="module")
def instance() -> Instance:
    return task.sample(Random(7), 64)


def applied(instance: Instance, k: int, x: str) -> str:
    """s^k(x), one application after the other."""
    successor = dict(instance.facts)
    for _ in range(k):
        x = successor[x]
    return x


@pytest.mark.parametrize("size", [2, 4, 8, 64])
def test_the_facts_are_a_permutation_of_the_first_elements(size: int) -> None:
    facts = task.sample(Random(0), size).facts
    assert [x for x, _ in facts] == list(ELEMENTS[:size])
    assert sorted(image for _, image in facts) == list(ELEMENTS[:size])


def test_every_permutation_is_as_likely() -> None:
    rng = Random(0)
    drawn = Counter(str(task.sample(rng, 4).facts) for _ in range(4800))
    assert len(drawn) == 24
    assert all(130 < count < 270 for count in drawn.values())  # five standard deviations


def test_the_leading_bit_is_uniform_and_so_is_all_else(instance: Instance) -> None:
    drawn = [task.parse(q.text.body) for q in islice(task.questions(instance, Random(0)), 20_000)]
    assert {power.k for power in drawn} == set(range(2, 64))
    leading = Counter(power.k.bit_length() for power in drawn)
    assert set(leading) == {2, 3, 4, 5, 6}
    assert all(3700 < count < 4300 for count in leading.values())
    highest = Counter(power.k for power in drawn if power.k >= 32)
    assert all(70 < count < 180 for count in highest.values())
    assert all(220 < count < 410 for count in Counter(power.x for power in drawn).values())


def test_more_bits_make_higher_powers(instance: Instance) -> None:
    wide = build(bits=21)
    drawn = [wide.parse(q.text.body).k for q in islice(wide.questions(instance, Random(0)), 2000)]
    assert max(drawn) >= 1 << 20
    assert min(drawn) >= 2
    assert wide.parse("s^2097151(ab)") == Power(2097151, "ab")
    with pytest.raises(ValueError, match="a power up to 2097151"):
        wide.parse("s^2097152(ab)")


def test_the_truth_is_one_application_after_the_other(instance: Instance) -> None:
    for term in task.space(instance):
        assert text(task.truth(instance, term)) == applied(instance, *term)
    far = Power(1 << 20, "ab")
    assert text(build(bits=21).truth(instance, far)) == applied(instance, *far)


def test_the_space_is_every_power_of_every_element_once(instance: Instance) -> None:
    space = list(task.space(instance))
    assert len(space) == len(set(space)) == 64 * 64
    assert {k for k, _ in space} == set(range(64))


def test_what_is_no_element_of_the_instance_has_no_truth() -> None:
    small = task.sample(Random(0), 4)
    assert task.truth(small, Power(3, "hh")).status == "unanswered"
    assert task.truth(None, Power(3, "aa")).status == "unanswered"
    assert not task.grade(small, Power(3, "hh"), said("aa"))


def test_only_the_right_element_is_right(instance: Instance) -> None:
    term = Power(13, "ab")
    right = applied(instance, 13, "ab")
    assert task.grade(instance, term, said(right))
    wrong = {*ELEMENTS, right.upper(), f" {right}", f"{right}\n", right[0], "", "ii"} - {right}
    assert not any(task.grade(instance, term, said(answer)) for answer in wrong)
    assert not task.grade(instance, term, Answer("unanswered", said(right).text))
    assert task.measures(instance, term, said(right)) == {}


def test_the_oracle_knows_powers_up_to_one_and_no_other(instance: Instance) -> None:
    for k, x in task.space(instance):
        found = task.primitive(instance, Power(k, x), Random(0))
        assert text(found) == (applied(instance, k, x) if k <= 1 else None)
    assert task.primitive(None, Power(1, "aa"), Random(0)) is None
    assert task.primitive(task.sample(Random(0), 4), Power(1, "hh"), Random(0)) is None


def test_a_power_is_halved_and_an_odd_one_takes_one_step_more() -> None:
    met, answer = played(task, Power(13, "ab"), said("cd"), said("ef"), said("gh"))
    assert met == [Ask(Power(6, "ab")), Ask(Power(6, "cd")), Primitive(Power(1, "ef"))]
    assert text(answer) == "gh"
    met, answer = played(task, Power(12, "ab"), said("cd"), said("ef"))
    assert met == [Ask(Power(6, "ab")), Ask(Power(6, "cd"))]
    assert text(answer) == "ef"


@pytest.mark.parametrize("k", [0, 1])
def test_a_primitive_power_is_asked_as_it_is(k: int) -> None:
    met, answer = played(task, Power(k, "ab"), said("cd"))
    assert met == [Primitive(Power(k, "ab"))]
    assert text(answer) == "cd"


def test_the_halves_of_two_and_three_are_primitive() -> None:
    met, _ = played(task, Power(3, "ab"), *[said("ab")] * 3)
    assert met == [Primitive(Power(1, "ab"))] * 3


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize(
    "reply",
    [REFUSED, UNKNOWN, FAILED, *map(said, ("", "a", "abc", "AB", "ii", "ab\n", " ab", "s(ab)"))],
)
def test_h_does_not_know_what_rests_on_no_element(at: int, reply: Answer) -> None:
    met, answer = played(task, Power(13, "ab"), *[said("cd")] * at, reply)
    assert answer is not None
    assert answer.status == "unanswered"
    assert answer.reason == f"{task.render(met[-1].term)} got no element"


def test_facts_that_are_no_permutation_are_refused() -> None:
    refuses(
        task,
        [
            ("no permutation", [["aa", "aa"], ["ab", "aa"]]),
            ("no permutation", [["aa", "ab"], ["ab", "ac"]]),
            ("no permutation", [["aa", "aa"], ["aa", "aa"]]),
            (r"facts\[1\]\[0\]", [["aa", "aa"], ["ai", "ai"]]),
            ("at least 1 item", []),
        ],
    )
    refuses_hostile(task)


def calls(told_by: Task, instance: Instance, depth: int) -> dict[int, int]:
    """Calls of H for each power in a tree that shares nothing."""
    powers = [Power(k, "cb") for k in range(64)]
    told = grown(told_by, instance, powers, depth)
    assert all(task.grade(instance, p, t.answer) for p, t in zip(powers, told, strict=True))
    return {power.k: found.calls for power, found in zip(powers, told, strict=True)}


def test_unrolled_it_takes_11_4_calls_in_the_mean_and_31_at_the_most(instance: Instance) -> None:
    found = calls(task, instance, depth=4)
    assert all(found[k] == max(1, (1 << k.bit_length() >> 1) - 1) for k in range(64))
    law = {k: Fraction(1, 5 * (1 << k.bit_length() - 1)) for k in range(2, 64)}
    assert sum(law.values()) == 1
    assert sum(law[k] * found[k] for k in law) == Fraction(114, 10)
    assert max(found.values()) == 31


def test_h_asks_two_and_a_half_questions_in_the_mean(instance: Instance) -> None:
    """Over k from 2 on, those to the oracle included."""
    counts = [len(asked(task, instance, Power(k, "ab"))) for k in range(2, 64)]
    assert mean(counts) == 2.5


@pytest.mark.parametrize("level", range(6))
def test_a_level_reaches_one_bit_more_than_the_one_below(level: int, instance: Instance) -> None:
    terms: list[Any] = [Power(k, "ab") for k in range(64)]
    told = grown(task, instance, terms, level)
    right = {t.k for t, o in zip(terms, told, strict=True) if task.grade(instance, t, o.answer)}
    assert right == set(range(min(64, 4 << level)))
    assert right == {term.k for term in terms if task.beyond(term, level) is None}


def test_beyond_says_what_would_reach_it() -> None:
    assert task.beyond(Power(13, "ab"), 1) == (
        "level 1 reaches powers up to 7, and this one is 13; use --depth 2 or more"
    )
