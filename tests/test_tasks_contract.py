"""What holds for every task: each file in `hch/tasks` is covered by being there.

Every task takes the small sizes in `SIZES`. Its answers need not be unique, nor its oracle
deterministic: what counts is what its own `grade` says. Level limits are tested where `beyond`
tells of any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import count, islice
from json import dumps, loads
from random import Random
from typing import Any, NamedTuple

import pytest

from hch import registry
from hch.agents import Query
from hch.errors import ConfigError
from hch.playing import Playing, drawn
from hch.polls import unrolled
from hch.protocols import Task
from hch.roots import check_facts
from hch.steps import Ask, Instance, Primitive, Step
from hch.types import Answer, Question, Text
from tests.tasks.scripts import HOSTILE_FACTS, untold

SIZES = (4, 8)
SEEDS = range(10)
HIGHEST = 64  # no small question needs a higher level, where levels are known
NO_ORACLE = Answer("unanswered", reason="the oracle has no answer to it")
REFUSED = Answer("refused", reason="level 0 asks nobody")
NONSENSE = Answer("answered", Text("no such answer \x00", "model"))


class Case(NamedTuple):
    """A root question of a sampled instance, and its term."""

    instance: Instance
    question: Question
    term: Any


@pytest.fixture(params=registry.names("tasks"))
def task(request: pytest.FixtureRequest) -> Task:
    built: Task = registry.build("tasks", registry.Spec(request.param))
    assert built.name == request.param
    return built


@pytest.fixture
def cases(task: Task) -> list[Case]:
    return [
        Case(instance, question, task.parse(question.text.body))
        for size in SIZES
        for seed in SEEDS
        for instance in [task.sample(Random(seed), size)]
        for question in islice(task.questions(instance, Random(seed)), 3)
    ]


def play(task: Task, term: Any, reply_to: Callable[[Step], Any]) -> Answer:
    """H's answer, by the task's script, when each step is replied to like this."""
    script, reply = task.steps(term), None
    for _ in range(1000):
        try:
            step = script.send(reply)
        except StopIteration as end:
            answer: Answer = end.value
            return answer
        reply = reply_to(step)
    pytest.fail("the script does not end")


def replying(
    task: Task, instance: Instance, answer: Callable[[Any], Answer]
) -> Callable[[Step], Any]:
    """Replies to steps: primitives by the oracle, and what is asked by `answer`, given the term."""
    rng = Random(0)

    def reply_to(step: Step) -> Any:
        if isinstance(step, Primitive):
            return task.primitive(instance, step.term, rng) or NO_ORACLE
        return answer(step.term) if isinstance(step, Ask) else tuple(answer(a.term) for a in step)

    return reply_to


def hch(task: Task, instance: Instance, term: Any, level: int) -> Answer:
    """HCH_level with the script as H at every level."""

    def answer(asked: Any) -> Answer:
        return hch(task, instance, asked, level - 1) if level else REFUSED

    return play(task, term, replying(task, instance, answer))


def steps(task: Task, case: Case) -> list[Ask | Primitive]:
    """What the script asks on the way to an answer if all it asks is answered by the truth."""
    met: list[Ask | Primitive] = []
    reply_to = replying(task, case.instance, lambda term: task.truth(case.instance, term))

    def noting(step: Step) -> Any:
        met.extend(step if isinstance(step, tuple) else (step,))
        return reply_to(step)

    play(task, case.term, noting)
    return met


def test_the_seed_decides_the_sample_and_its_questions(task: Task) -> None:
    digests = set()
    for seed in SEEDS:
        one, two = (task.sample(Random(seed), SIZES[0]) for _ in range(2))
        assert one == two
        assert dumps(one.facts)
        digests.add(one.digest)
        first, second = (list(islice(task.questions(one, Random(seed)), 5)) for _ in range(2))
        assert first == second != []
    assert len(digests) > 1


def test_a_question_is_a_plain_root_question(cases: list[Case]) -> None:
    for case in cases:
        assert case.question.text.body.strip()
        assert case.question.text.trusted
        assert case.question.context == ()
        assert case.question.sample == ()
        assert case.question.instance in {None, case.instance.digest}


def test_every_question_parses_and_renders_back(task: Task, cases: list[Case]) -> None:
    for case in cases:
        assert task.render(case.term) == case.question.text.body
        assert task.parse(task.render(case.term)) == case.term


def test_what_the_script_asks_parses_and_renders_back(task: Task, cases: list[Case]) -> None:
    for case in cases:
        for step in steps(task, case):
            assert task.parse(task.render(step.term)) == step.term


def test_every_term_of_the_space_parses_renders_back_and_has_a_truth(
    task: Task, cases: list[Case]
) -> None:
    for instance in {case.instance.digest: case.instance for case in cases[::15]}.values():
        space = list(islice(task.space(instance) or (), 2000))
        assert len(set(space)) == len(space)
        for term in space:
            assert task.parse(task.render(term)) == term
            assert task.grade(instance, term, task.truth(instance, term))


def test_root_questions_are_of_the_space(task: Task, cases: list[Case]) -> None:
    for case in cases[::15]:
        space = task.space(case.instance)
        assert space is None or case.term in set(space)


def test_another_text_is_refused_by_a_value_error(task: Task) -> None:
    for text in ("", "What is the capital of France?", "\x00", "?" * 10_000):
        with pytest.raises(ValueError, match=r".+"):
            task.parse(text)


def test_the_truth_is_valid_and_right(task: Task, cases: list[Case]) -> None:
    for case in cases:
        truth = task.truth(case.instance, case.term)
        assert truth.answered
        assert task.valid(case.term, truth)
        assert task.grade(case.instance, case.term, truth)


@pytest.mark.parametrize(
    "answer",
    [NONSENSE, Answer("answered", Text("")), Answer("unanswered", reason="cannot tell"), REFUSED],
)
def test_what_is_no_answer_is_neither_valid_nor_right(
    task: Task, cases: list[Case], answer: Answer
) -> None:
    for case in cases:
        assert not task.valid(case.term, answer)
        assert not task.grade(case.instance, case.term, answer)


def test_only_what_is_answered_is_valid_or_right(task: Task, cases: list[Case]) -> None:
    for case in cases:
        unanswered = replace(task.truth(case.instance, case.term), status="unanswered")
        assert not task.valid(case.term, unanswered)
        assert not task.grade(case.instance, case.term, unanswered)


def test_measures_have_names_and_the_truth_is_right_by_all_of_them(
    task: Task, cases: list[Case]
) -> None:
    for case in cases:
        found = task.measures(case.instance, case.term, task.truth(case.instance, case.term))
        assert all(name.isidentifier() for name in found)
        assert all(value is True for value in found.values())
        wrong = task.measures(case.instance, case.term, NONSENSE)
        assert wrong.keys() == found.keys()
        assert not any(wrong.values())


def test_a_guess_is_of_the_type_of_its_question(task: Task, cases: list[Case]) -> None:
    rng = Random(0)
    for case in cases:
        for term in {case.term, *(step.term for step in steps(task, case))}:
            first, second = task.guess(term, Random(1)), task.guess(term, Random(1))
            assert first == second
            for guess in (first, *(task.guess(term, rng) for _ in range(5))):
                assert guess is None or task.valid(term, guess)


def test_every_term_has_a_kind_that_is_a_plain_word_or_two(task: Task, cases: list[Case]) -> None:
    for case in cases:
        for term in (case.term, *(step.term for step in steps(task, case))):
            kind = task.kind(term)
            assert kind == task.kind(task.parse(task.render(term)))
            assert kind.isprintable()
            assert len(kind) <= 40


def test_what_is_sampled_is_an_instance(task: Task, cases: list[Case]) -> None:
    """Also when it comes back as JSON."""
    for instance in (*(case.instance for case in cases), drawn(task, 7)):
        check_facts(task, [instance])
        again = Instance.of(task.name, loads(instance.text))
        assert again == instance
        check_facts(task, [again])


def test_other_facts_are_refused_by_an_error_of_ours_or_can_be_asked_about(task: Task) -> None:
    for facts in HOSTILE_FACTS:
        instance = Instance(facts, "0" * 32)
        try:
            check_facts(task, [instance])
        except ConfigError:
            with pytest.raises(ConfigError, match=rf"is none of task '{task.name}': .") as caught:
                check_facts(task, [instance])
            assert len(str(caught.value)) < 400
        else:
            for question in islice(task.questions(instance, Random(0)), 3):
                task.truth(instance, task.parse(question.text.body))


def test_the_oracle_answers_what_is_primitive_and_rightly(task: Task, cases: list[Case]) -> None:
    for case in cases:
        met = [step.term for step in steps(task, case) if isinstance(step, Primitive)]
        answers = {task.render(term): (term, oracle(task, case, term)) for term in met}
        assert None not in [answer for _, answer in answers.values()]
        for term, answer in (*answers.values(), (case.term, oracle(task, case, case.term))):
            if answer is not None:
                assert task.valid(term, answer)
                assert task.grade(case.instance, term, answer)


def oracle(task: Task, case: Case, term: Any) -> Answer | None:
    return task.primitive(case.instance, term, Random(0))


@pytest.mark.parametrize("reply", [REFUSED, NONSENSE, Answer("failed", reason="given up")])
def test_a_script_makes_no_malformed_answer_of_failures(
    task: Task, cases: list[Case], reply: Answer
) -> None:
    for case in cases:
        answer = play(task, case.term, replying(task, case.instance, lambda _: reply))
        if answer.answered:
            assert task.valid(case.term, answer)
        else:
            assert answer.reason


def test_levels_reach_what_beyond_says(task: Task, cases: list[Case]) -> None:
    if not any(task.beyond(case.term, 0) for case in cases):
        pytest.skip("no level of this task can be told to be too low")
    for case in cases:
        least = next(level for level in count() if task.beyond(case.term, level) is None)
        assert least <= HIGHEST
        assert task.grade(case.instance, case.term, hch(task, case.instance, case.term, least))
        for level in range(least):
            assert not hch(task, case.instance, case.term, level).answered
        assert all(task.beyond(case.term, level) is None for level in range(least, least + 5))


def test_what_is_not_beyond_a_level_is_answered_there_rightly_and_nothing_else(
    task: Task, cases: list[Case]
) -> None:
    """Where no level is told what is beyond it; and where it is, it comes to the same."""
    if not any(task.beyond(case.term, 0) for case in cases):
        pytest.skip("no level of this task can be told to be too low")
    instances = {case.instance.digest: case.instance for case in cases}
    for level in range(4):
        queries = [Query(case.question.text.body, case.question.instance) for case in cases]
        found = untold(task, instances, level).answer(queries)
        told = unrolled(Playing(task), instances, level).answer(queries)
        for case, (answer, _), (same, _) in zip(cases, found, told, strict=True):
            right = task.grade(case.instance, case.term, answer)
            assert right == (task.beyond(case.term, level) is None)
            assert right or not answer.answered
            assert (same.status, same.text) == (answer.status, answer.text)
