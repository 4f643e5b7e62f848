"""Wildcard search: what an instance is, how H fills in the first star, and what that costs."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import islice, product
from math import comb
from random import Random

import pytest

from hch.steps import Ask, Instance, Primitive
from hch.tasks.wildcard import build
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
    return task.sample(Random(7), 6)


def summed(instance: Instance, pattern: str) -> int:
    """The clamped sum over every string of bits that fits the pattern."""
    fits = [
        value
        for bits, value in instance.facts
        if all(p in ("*", bit) for p, bit in zip(pattern, bits, strict=True))
    ]
    most = 1 << len(pattern) - 1
    return max(-most, min(most, sum(fits)))


@pytest.mark.parametrize("size", [1, 4, 6, 8])
def test_the_facts_are_a_value_of_every_string_of_bits(size: int) -> None:
    facts = task.sample(Random(0), size).facts
    assert [bits for bits, _ in facts] == ["".join(bits) for bits in product("01", repeat=size)]
    assert {value for _, value in facts} <= {-1, 1}


def test_every_function_is_as_likely() -> None:
    rng = Random(0)
    drawn = Counter(str(task.sample(rng, 2).facts) for _ in range(3200))
    assert len(drawn) == 16
    assert all(130 < count < 270 for count in drawn.values())


def test_the_number_of_stars_is_uniform_and_so_is_all_else(instance: Instance) -> None:
    drawn = [task.parse(q.text.body) for q in islice(task.questions(instance, Random(0)), 12_000)]
    stars = Counter(pattern.count("*") for pattern in drawn)
    assert set(stars) == {1, 2, 3, 4, 5, 6}
    assert all(1790 < count < 2210 for count in stars.values())
    single = Counter(pattern for pattern in drawn if pattern.count("*") == 1)
    assert set(single) == {p for p in task.space(instance) or () if p.count("*") == 1}
    places = Counter(pattern.index("*") for pattern in single.elements())
    assert all(240 < count < 420 for count in places.values())


def test_the_truth_is_the_sum_over_all_that_fits(instance: Instance) -> None:
    for pattern in task.space(instance) or ():
        assert text(task.truth(instance, pattern)) == str(summed(instance, pattern))


@pytest.mark.parametrize(("value", "right"), [(1, "32"), (-1, "-32")])
def test_sums_are_clamped_where_all_is_summed(value: int, right: str) -> None:
    strings = ["".join(bits) for bits in product("01", repeat=6)]
    uniform = Instance.of("wildcard", [[bits, value] for bits in strings])
    [told] = grown(task, uniform, ["******"], 5)
    assert text(task.truth(uniform, "******")) == text(told.answer) == right
    assert text(task.truth(uniform, "0*****")) == right


def test_the_space_is_every_pattern_once(instance: Instance) -> None:
    space = list(task.space(instance) or ())
    assert len(space) == len(set(space)) == 3**6


def test_a_pattern_of_another_length_has_no_truth(instance: Instance) -> None:
    for pattern in ("*", "0000000"):
        assert task.truth(instance, pattern).status == "unanswered"
        assert task.primitive(instance, pattern, Random(0)) is None
        assert not task.grade(instance, pattern, said("1"))


def test_only_the_right_number_in_its_one_spelling_is_right(instance: Instance) -> None:
    right = summed(instance, "0**1*0")
    assert task.grade(instance, "0**1*0", said(str(right)))
    for wrong in (f"+{right}", f"{right}\n", f" {right}", f"{right}.0", "-0", "٣", str(right + 2)):
        assert not task.grade(instance, "0**1*0", said(wrong))
    assert not task.valid("0**1*0", said("33"))
    assert task.valid("0**1*0", said("-32"))
    assert not task.valid("**", said("3"))
    assert task.measures(instance, "0**1*0", said(str(right))) == {}


def test_the_oracle_knows_bits_and_no_pattern(instance: Instance) -> None:
    values = {bits: str(value) for bits, value in instance.facts}
    for pattern in task.space(instance) or ():
        assert text(task.primitive(instance, pattern, Random(0))) == values.get(pattern)
    assert task.primitive(None, "000000", Random(0)) is None


def test_the_first_star_is_set_to_0_and_to_1_in_one_round() -> None:
    met, answer = played(task, "0**1", (said("-2"), said("1")))
    assert met == [(Ask("00*1"), Ask("01*1"))]
    assert text(answer) == "-1"


def test_the_values_of_a_last_star_are_the_oracles() -> None:
    met, answer = played(task, "0*01", said("-1"), said("1"))
    assert met == [Primitive("0001"), Primitive("0101")]
    assert text(answer) == "0"
    met, answer = played(task, "0101", said("1"))
    assert met == [Primitive("0101")]
    assert text(answer) == "1"


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "reply",
    [REFUSED, UNKNOWN, FAILED, *map(said, ("", "one", "33", "-33", "+1", "01", "1\n", "-0", "१"))],
)
def test_h_does_not_know_what_rests_on_no_sum(at: int, reply: Answer) -> None:
    replies = [said("1"), said("1")]
    replies[at] = reply
    _, answer = played(task, "**0000", tuple(replies))
    assert answer is not None
    assert answer.status == "unanswered"
    assert answer.reason == f"sum({at}*0000) got no sum"
    _, answer = played(task, "*00000", *replies)
    assert answer is not None
    assert answer.reason == f"sum({at}00000) got no sum"


def test_facts_that_are_no_function_are_refused() -> None:
    refuses(
        task,
        [
            ("no function of 1 bits", [["0", 1], ["0", 1]]),
            ("no function of 2 bits", [["00", 1], ["01", 1], ["10", 1]]),
            ("no function of 1 bits", [["0", 1], ["11", 1]]),
            ("give a value twice", [["0", 1], ["1", 1], ["1", -1]]),
            ("a value of 0", [["0", 0], ["1", 1]]),
            (r"facts\[0\]\[1\]", [["0", True], ["1", 1]]),
            (r"facts\[1\]\[1\]", [["0", 1], ["1", 1.0]]),
            (r"facts\[1\]\[0\]", [["0", 1], ["1\n", 1]]),
            ("at least 2 items", []),
        ],
    )
    refuses_hostile(task)


def test_unrolled_it_takes_20_calls_in_the_mean_and_63_at_the_most(instance: Instance) -> None:
    """A pattern of s stars takes 2^s - 1 calls; s is uniform in 1..6, and all else is too."""
    space = list(task.space(instance) or ())
    told = grown(task, instance, space, depth=5)
    assert all(task.grade(instance, p, t.answer) for p, t in zip(space, told, strict=True))
    assert all(t.calls == max(1, (1 << p.count("*")) - 1) for p, t in zip(space, told, strict=True))
    likely = {s: Fraction(1, 6 * comb(6, s) * 2 ** (6 - s)) for s in range(1, 7)}
    law = [likely.get(pattern.count("*"), Fraction(0)) for pattern in space]
    assert sum(law) == 1
    by_hand = Fraction(sum(2**s - 1 for s in range(1, 7)), 6)
    assert sum(p * t.calls for p, t in zip(law, told, strict=True)) == by_hand == 20
    assert max(t.calls for t in told) == 63


def test_h_asks_1_91_questions_in_the_mean(instance: Instance) -> None:
    """Over all 729 patterns, those to the oracle included: one where there is no star, else two."""
    counts = [len(asked(task, instance, pattern)) for pattern in task.space(instance) or ()]
    assert sum(counts) == 64 * 1 + 665 * 2
    assert round(sum(counts) / len(counts), 2) == 1.91


@pytest.mark.parametrize("level", range(6))
def test_a_level_reaches_one_star_more_than_it_is_high(level: int, instance: Instance) -> None:
    space = list(task.space(instance) or ())
    told = grown(task, instance, space, level)
    right = {p for p, t in zip(space, told, strict=True) if task.grade(instance, p, t.answer)}
    assert right == {p for p in space if p.count("*") <= level + 1}
    assert right == {p for p in space if task.beyond(p, level) is None}


def test_beyond_says_what_would_reach_it() -> None:
    assert task.beyond("0**1*", 1) == (
        "level 1 reaches patterns of 2 stars and this one has 3; use --depth 2 or more"
    )
