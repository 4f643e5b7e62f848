"""The learner `table`: what it makes of rows, and that its agents are its model in a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from hch import HCH
from hch.agents import Learned, Query, Row
from hch.errors import ConfigError
from hch.learners.table import build
from hch.playing import drawn
from hch.stores.memory import MemoryStore
from hch.tables import UNKNOWN, Table
from hch.tasks.permutation import build as permutation
from hch.types import Answer, Question, Status, Text

UNANSWERED = Answer("unanswered", None, "nobody knows")


def learned(rows: Iterable[Row], before: Learned | None = None, *, soft: bool = False) -> Table:
    made = build(soft=soft).learn("x", rows, before)
    assert list(made.kept) == ["table/x"]
    table = Table.read(made.kept["table/x"])
    assert made.spec == f"table:x,sha={table.digest[:12]}"
    return table


def rows(question: str, *answers: str | None, instance: str | None = "i") -> list[Row]:
    return [Row(instance, question, said(answer)) for answer in answers]


def said(text: str | None) -> Answer:
    """An answer, or that there is none."""
    return UNANSWERED if text is None else Answer("answered", Text(text))


def test_the_most_frequent_answer_is_learned_and_the_first_of_several() -> None:
    table = learned(
        [
            *rows("often", "a", "b", "b", None),
            *rows("even", "b", "a", "a", "b"),
            *rows("never", None, None),
            *rows("often", "c", "c", "c", instance=None),
        ]
    )
    assert sorted(table.rows(), key=str) == [
        ("i", "even", "b"),
        ("i", "often", "b"),
        (None, "often", "c"),
    ]


def test_a_soft_table_keeps_all_answers_by_how_often_they_came() -> None:
    table = learned(
        [*rows("often", "a", "b", "b", None, "b"), *rows("sure", "a", "a"), *rows("never", None)],
        soft=True,
    )
    assert list(table.rows()) == [("i", "often", {"a": 0.25, "b": 0.75}), ("i", "sure", "a")]


@pytest.mark.parametrize("soft", [False, True])
def test_what_is_not_told_anew_stays_as_it_was_before(soft: bool) -> None:
    learner = build(soft=soft)
    first = [*rows("kept", "a"), *rows("changed", "a"), *rows("lost", "a")]
    before = learner.learn("gen/1", first, None)
    after = learner.learn("gen/2", [*rows("changed", "b"), *rows("lost", None)], before)
    assert list(after.kept) == ["table/gen/2"]
    assert list(Table.read(after.kept["table/gen/2"]).rows()) == [
        ("i", "changed", "b"),
        ("i", "kept", "a"),
    ]
    same = learner.learn("gen/1", (), before)
    assert same == before


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("status", ["failed", "truncated", "cancelled"])
def test_an_answer_that_failed_on_its_way_tells_nothing(status: Status, soft: bool) -> None:
    learner = build(soft=soft)
    lost = Answer(status, None, "the call was given up")
    before = learner.learn("gen/1", [*rows("known", "a"), *rows("told", "a")], None)
    several = [*rows("told", "b"), Row("i", "told", lost), *rows("told", None)]
    fresh = [Row("i", "known", lost), Row("i", "new", lost), *several]
    assert sorted(learned(fresh, before, soft=soft).rows()) == [
        ("i", "known", "a"),
        ("i", "told", "b"),
    ]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("none", [UNANSWERED, Answer("refused", None, "level 0 asks nobody")])
def test_what_nobody_could_answer_is_forgotten(none: Answer, soft: bool) -> None:
    before = build(soft=soft).learn("gen/1", [*rows("known", "a"), *rows("kept", "a")], None)
    lost = Row("i", "known", Answer("failed"))
    table = learned([Row("i", "known", none), lost], before, soft=soft)
    assert list(table.rows()) == [("i", "kept", "a")]


def test_what_no_table_learner_has_made_is_refused() -> None:
    learner = build()
    good = learner.learn("x", rows("Why?", "so"), None)
    for bad, why in (
        (Learned("openai:x", good.kept), "'openai:x' is no table: another learner has made it"),
        (Learned(good.spec, {}), "there is no table 'x'"),
        (Learned(good.spec, {"table/x": "{}"}), "the table 'x' cannot be read"),
        (Learned(good.spec, {"table/x": Table().text}), "is not the one that is meant"),
    ):
        with pytest.raises(ConfigError, match=why):
            learner.agent(bad, 0)
        with pytest.raises(ConfigError, match=why):
            learner.learn("y", (), bad)


ODD = [
    "plain",
    " \n padded ",
    "<think>so and so</think> reasoned",
    "<think>without an end",
    "",
    " \t",
    UNKNOWN,
    "CANNOT ANSWER",
    "CANNOT ANSWER: " + "why? " * 1000,
    "<think>hm</think>\nCANNOT ANSWER: no",
    "é" * 40_000,
    "\ud800 and \x00",
    "\x1b[2J",
    "x" * 65_536,
    "CANNOT ANSWER: " + "x" * 70_000,
]
"""What a table may have been told to say."""

INSTANCES = [drawn(permutation(), number) for number in range(3)]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("seed", [0, 7])
def test_an_agent_answers_as_its_model_does_at_level_0(soft: bool, seed: int) -> None:
    """Four times 1,002 questions, about instances and about none, with sample paths."""
    abouts = [*(instance.digest for instance in INSTANCES), None]
    told = [
        Row(about, f"Q{n}?", said(answer))
        for about in abouts
        for n in range(40)
        for answer in (
            ODD[n % len(ODD)],
            *((f"else {n}", ODD[(n + 4) % len(ODD)]) if n % 3 else ()),
        )
    ]
    learner = build(soft=soft)
    made = learner.learn("gen", told, None)
    samples = [(), (0,), (1,), (5, 0), (2,)]
    put = [(f"Q{n}?", about, sample) for n in range(50) for about in abouts for sample in samples]
    put += [put[3], put[-1]]
    agent = learner.agent(made, seed)
    queries = [Query(body, about, tuple((1, 0, i) for i in sample)) for body, about, sample in put]
    assert [answer for answer, _ in agent.answer(queries)] == in_a_tree(made, put, seed)
    assert {calls for _, calls in agent.answer(queries)} == {0}


def in_a_tree(
    made: Learned, put: list[tuple[str, str | None, tuple[int, ...]]], seed: int
) -> list[Answer]:
    """What the roots of HCH_0 by that model come to, each a node of its own."""
    store = MemoryStore()
    store.shelve(made.kept)
    hch = HCH(0, made.spec, "direct", task="permutation", seed=seed, store=store)
    answers: dict[int, Answer] = {}
    for about in (True, False):
        places = [n for n, (_, instance, _) in enumerate(put) if bool(instance) == about]
        roots = [Question(Text(put[n][0]), (), *put[n][1:]) for n in places]
        results = asyncio.run(hch.begin(roots, instances=INSTANCES if about else ()).finish())
        answers.update((n, result.answer) for n, result in zip(places, results, strict=True))
    return [answers[n] for n in range(len(put))]
