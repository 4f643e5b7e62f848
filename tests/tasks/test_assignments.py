"""Sequential assignments: what an instance is, how H takes a variable apart, and what it costs."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from functools import cache
from itertools import islice
from random import Random
from statistics import mean

import pytest

from hch.steps import Ask, Instance, Primitive
from hch.tasks._calls import Call
from hch.tasks._elements import ELEMENTS, LETTERS
from hch.tasks.assignments import build
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


class Program:
    """The assignments of an instance, worked out by the definition."""

    def __init__(self, instance: Instance) -> None:
        self.constants = {f[0]: f[1] for f in instance.facts if len(f) == 2}
        self.operands = {f[0]: (f[1], f[2]) for f in instance.facts if len(f) == 3 and f[0][1:]}
        self.uses = [(f[0], f[1], f[2]) for f in instance.facts if len(f) == 3 and not f[0][1:]]
        self.f = {(a, b): value for a, b, value in self.uses}
        self.value, self.calls = cache(self._value), cache(self._calls)
        self.depth, self.below = cache(self._depth), cache(self._below)

    def _value(self, x: str) -> str:
        if x in self.constants:
            return self.constants[x]
        y, z = self.operands[x]
        return self.f[self.value(y), self.value(z)]

    def _calls(self, x: str) -> int:
        return 1 + sum(map(self.calls, self.operands.get(x, ())))

    def _depth(self, x: str) -> int:
        return max((1 + self.depth(y) for y in self.operands.get(x, ())), default=0)

    def _below(self, x: str) -> frozenset[str]:
        return frozenset({x}).union(*map(self.below, self.operands.get(x, ())))


@pytest.mark.parametrize(("size", "constants"), [(4, 2), (8, 2), (9, 3), (64, 8)])
def test_the_first_variables_are_constants_and_the_others_are_of_earlier_ones(
    size: int, constants: int
) -> None:
    facts = task.sample(Random(0), size).facts
    assigned = [fact for fact in facts if len(fact[0]) == 2]
    names = [fact[0] for fact in assigned]
    assert sorted(names) == list(ELEMENTS[:size])
    assert [len(fact) for fact in assigned] == [2] * constants + [3] * (size - constants)
    assert all(set(fact[1:]) <= set(LETTERS) for fact in assigned[:constants])
    for i, (_, *operands) in enumerate(assigned[constants:], constants):
        assert set(operands) <= set(names[:i])


def test_there_are_120_facts_of_64_variables_and_f_is_told_where_it_is_used() -> None:
    for seed in range(20):
        instance = task.sample(Random(seed), 64)
        program = Program(instance)
        assert len(instance.facts) == 64 + 56
        wanted = [(program.value(y), program.value(z)) for y, z in program.operands.values()]
        assert wanted == [(a, b) for a, b, _ in program.uses]


def test_operands_constants_names_and_f_are_uniform() -> None:
    rng = Random(0)
    programs = [Program(task.sample(rng, 4)) for _ in range(4000)]
    seconds = Counter()
    for program in programs:
        names = [*program.constants, *program.operands]
        y, z = program.operands[names[2]]
        seconds[names.index(y), names.index(z)] += 1
    assert set(seconds) == {(i, j) for i in range(2) for j in range(2)}
    assert all(850 < count < 1150 for count in seconds.values())
    constants = Counter(v for program in programs for v in program.constants.values())
    assert all(850 < constants[v] < 1150 for v in LETTERS)
    firsts = Counter(next(iter(program.constants)) for program in programs)
    assert all(850 < firsts[x] < 1150 for x in ELEMENTS[:4])
    values = Counter(program.uses[0][2] for program in programs)
    assert all(390 < values[v] < 610 for v in LETTERS)


def test_each_variable_is_as_likely_to_be_asked(instance: Instance) -> None:
    drawn = Counter(q.text.body for q in islice(task.questions(instance, Random(0)), 12_800))
    assert set(drawn) == {f"value({x})" for x in ELEMENTS}
    assert all(130 < count < 270 for count in drawn.values())


def test_the_truth_is_by_the_definition() -> None:
    for seed in range(20):
        instance = task.sample(Random(seed), 64)
        program = Program(instance)
        terms = list(task.space(instance) or ())
        assert {term.args[0] for term in terms} == set(ELEMENTS)
        assert all(text(task.truth(instance, t)) == program.value(*t.args) for t in terms)


def test_the_oracle_tells_operands_and_f_and_nothing_else(instance: Instance) -> None:
    program = Program(instance)

    def oracle(name: str, *args: str) -> str | None:
        return text(task.primitive(instance, Call(name, args), Random(0)))

    for x, operands in program.operands.items():
        assert (oracle("A", x), oracle("B", x)) == operands
        assert oracle("value", x) is None
    for x, value in program.constants.items():
        assert (oracle("A", x), oracle("B", x)) == (value, None)
        assert oracle("value", x) is None
    for pair in ((a, b) for a in LETTERS for b in LETTERS):
        assert oracle("f", *pair) == program.f.get(pair)
    assert task.primitive(None, Call("A", ("aa",)), Random(0)) is None
    small = task.sample(Random(0), 4)
    assert task.primitive(small, Call("A", ("hh",)), Random(0)) is None
    assert task.truth(small, Call("value", ("hh",))).status == "unanswered"
    assert task.truth(small, Call("A", ("hh",))).status == "unanswered"
    assert not task.grade(small, Call("value", ("hh",)), said("a"))


def test_only_the_right_letter_is_right(instance: Instance) -> None:
    term = Call("value", ("cd",))
    right = Program(instance).value("cd")
    assert task.grade(instance, term, said(right))
    for wrong in ({*LETTERS, right.upper(), f"{right}\n", f" {right}", "", "cd", "i"}) - {right}:
        assert not task.grade(instance, term, said(wrong))
    assert not task.valid(term, said("cd"))
    assert task.valid(Call("A", ("cd",)), said("cd"))
    assert not task.valid(Call("B", ("cd",)), said("c"))
    assert task.measures(instance, term, said(right)) == {}


def test_h_asks_for_both_operands_their_values_and_f() -> None:
    term = Call("value", ("hh",))
    replies = [said(answer) for answer in ("ab", "c", "de", "f", "g")]
    met, answer = played(task, term, *replies)
    assert met == [
        Primitive(Call("A", ("hh",))),
        Ask(Call("value", ("ab",))),
        Primitive(Call("B", ("hh",))),
        Ask(Call("value", ("de",))),
        Primitive(Call("f", ("c", "f"))),
    ]
    assert text(answer) == "g"


def test_a_constant_is_replied_at_once() -> None:
    met, answer = played(task, Call("value", ("aa",)), said("c"))
    assert met == [Primitive(Call("A", ("aa",)))]
    assert text(answer) == "c"


@pytest.mark.parametrize("term", [Call("A", ("aa",)), Call("B", ("aa",)), Call("f", ("a", "b"))])
def test_what_is_asked_of_the_oracle_is_passed_on(term: Call) -> None:
    met, answer = played(task, term, UNKNOWN)
    assert met == [Primitive(term)]
    assert answer == UNKNOWN


@pytest.mark.parametrize("at", range(5))
@pytest.mark.parametrize(
    "reply", [REFUSED, UNKNOWN, FAILED, *map(said, ("", "i", "AB", "abc", "a b", "ab\n", "no"))]
)
def test_h_does_not_know_what_rests_on_another_kind_of_answer(at: int, reply: Answer) -> None:
    right = [said(answer) for answer in ("ab", "c", "de", "f", "g")]
    _, answer = played(task, Call("value", ("hh",)), *right[:at], reply)
    assert answer is not None
    assert answer.status == "unanswered"
    questions = ("A(hh)", "value(ab)", "B(hh)", "value(de)", "f(c,f)")
    assert answer.reason.startswith(f"{questions[at]} got no ")


@pytest.mark.parametrize("at", [1, 3])
def test_a_variable_is_no_value(at: int) -> None:
    right = [said(answer) for answer in ("ab", "c", "de", "f", "g")]
    _, answer = played(task, Call("value", ("hh",)), *right[:at], said("aa"))
    assert answer is not None
    assert answer.status == "unanswered"


def test_facts_that_are_no_assignments_are_refused() -> None:
    refuses(
        task,
        [
            (r"is no \[ab, c\]", [["aa", "a", "b"]]),
            (r"is no \[ab, c\]", [["a", "b"]]),
            (r"is no \[ab, c\]", [["aa", "ab"]]),
            ("two values of the same", [["aa", "a"], ["a", "a", "b"], ["a", "a", "c"]]),
            ("to a variable twice", [["aa", "a"], ["aa", "b"]]),
            ("or to none", [["a", "a", "b"]]),
            ("or to none", []),
            ("have not told it before", [["aa", "ab", "ab"], ["ab", "a"], ["a", "a", "b"]]),
            ("facts use aa", [["aa", "aa", "aa"], ["a", "a", "b"]]),
            (r"facts use \('a', 'a'\)", [["aa", "a"], ["ab", "aa", "aa"]]),
            (r"facts\[0\]\[1\]", [["aa", "i"]]),
        ],
    )
    refuses_hostile(task)


def test_unrolled_calls_are_one_and_those_of_both_operands(instance: Instance) -> None:
    program = Program(instance)
    deepest = max(map(program.depth, ELEMENTS))
    terms = [Call("value", (x,)) for x in ELEMENTS]
    for x, found in zip(ELEMENTS, grown(task, instance, terms, deepest), strict=True):
        assert text(found.answer) == program.value(x)
        assert found.calls == program.calls(x)


@pytest.mark.parametrize("level", [0, 1, 3, 6])
def test_a_level_reaches_variables_as_deep_as_it_is_high(level: int, instance: Instance) -> None:
    program = Program(instance)
    told = grown(task, instance, [Call("value", (x,)) for x in ELEMENTS], level)
    for x, found in zip(ELEMENTS, told, strict=True):
        assert found.answer.answered == (program.depth(x) <= level)


def test_a_root_question_takes_about_13_5_calls_and_9_where_equal_questions_are_shared() -> None:
    """By the law of instances, one takes 1 and twice the mean of those before it."""
    total = Fraction(8)
    for earlier in range(8, 64):
        total += 1 + 2 * total / earlier
    assert total / 64 == Fraction(121, 9)  # 13.44
    programs = [Program(task.sample(Random(seed), 64)) for seed in range(600)]
    calls = [program.calls(x) for program in programs for x in ELEMENTS]
    assert abs(mean(calls) - float(total / 64)) < 0.5
    assert 100 < max(calls) < 400
    assert 8 < mean(len(program.below(x)) for program in programs for x in ELEMENTS) < 9


def test_h_asks_four_and_a_half_questions_in_the_mean(instance: Instance) -> None:
    """Over all variables, those to the oracle included: one of a constant, five of another."""
    counts = [len(asked(task, instance, Call("value", (x,)))) for x in ELEMENTS]
    assert Counter(counts) == {1: 8, 5: 56}
    assert mean(counts) == 4.5
