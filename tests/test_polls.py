"""Votes in the batched driver are those of the tree, to the letter: answers, ballots, notes."""

from __future__ import annotations

from itertools import islice
from random import Random

import pytest

from hch import HCH
from hch.agents import Query
from hch.errors import UsageError
from hch.playing import Playing, drawn
from hch.polls import Played, Vote, stacked, unrolled
from hch.registry import Spec, build
from hch.scorers.model import build as judged
from hch.tasks.permutation import Power
from hch.votes import Rule
from tests.support import memory

ROWS = {
    "majority": ("vote,k=3/script,errors=0.3", (Rule(),)),
    "majority of four, no ties": ("vote,k=4,ties=none/script,errors=0.3", (Rule(4, ties="none"),)),
    "ahead": ("vote,ahead=2,most=5/script,errors=0.3", (Rule(ahead=2, most=5),)),
    "ahead, by the batch": ("vote,ahead=2,batch=3/script,errors=0.3", (Rule(ahead=2, batch=3),)),
    "over each other": (
        "vote,k=3/vote,ahead=2/script,errors=0.3",
        (Rule(), Rule(ahead=2)),
    ),
}


def played(task, spec: str, votes: tuple[Rule, ...]) -> Played:
    errors = 0.3 if "errors" in spec else 0.0
    exact = build("scorers", Spec("exact"))
    return Played(Playing(task, errors=errors), tuple((rule, exact) for rule in votes))


@pytest.mark.parametrize("name", ["permutation,size=8", "arithmetic,size=3", "path,size=8"])
@pytest.mark.parametrize("row", ROWS)
def test_a_vote_in_the_driver_is_that_of_the_tree(name: str, row: str) -> None:
    spec, votes = ROWS[row]
    task = build("tasks", Spec.parse(name))
    instance = drawn(task, 3)
    facts = {instance.digest: instance}
    levels = [played(task, spec, votes), played(task, "script", ()), played(task, spec, votes)]
    driver = stacked(levels, facts, seed=5)
    forgetful = stacked(levels, facts, seed=5, remembers=False)
    hch = HCH(depth=2, at={"0": spec, "1": "script", "2": spec}, task=name, seed=5, store=memory())
    seen = set()
    for question in islice(task.questions(instance, Random(1)), 12):
        result = hch.ask_sync(question, instance=instance if task.has_facts else None)
        query = Query(question.text.body, question.instance)
        [told] = driver.answer([query])
        assert told.answer == result.answer
        assert told.answer.ballot == result.answer.ballot
        assert told.answer.ballot is not None
        assert forgetful.answer([query]) == [told]
        scripts = [n for n in result.trace.nodes() if n.opened.player.split("/")[-1] and not n.left]
        assert told.calls >= len(scripts)  # what is shared is worked for once in the tree
        seen.add(told.answer.status)
    assert seen <= {"answered", "unanswered"}


def test_what_forgets_holds_nothing_of_earlier_questions_and_works_for_each() -> None:
    task = build("tasks", Spec.parse("permutation,size=8"))
    instance = drawn(task, 0)
    levels = [Played(Playing(task, errors=0.1), ((Rule(), build("scorers", Spec("exact"))),))] * 3
    h = stacked(levels, {instance.digest: instance}, remembers=False)
    assert isinstance(h, Vote)
    queries = [Query(task.render(Power(k, "ab")), instance.digest) for k in range(4)]
    first = [h.answer([query]) for query in queries]
    before = h.tries
    assert [h.answer([query]) for query in queries] == first
    assert h.tries == 2 * before
    assert len(h._known) == 1


def test_nobody_judges_in_a_driver() -> None:
    task = build("tasks", Spec.parse("permutation,size=8"))
    below = unrolled(Playing(task), {}, 0)
    with pytest.raises(ValueError, match="nobody is here to judge"):
        Vote(Rule(), judged(), below, (0, 0))


def test_work_is_bounded_over_votes_too() -> None:
    task = build("tasks", Spec.parse("permutation,size=8"))
    instance = drawn(task, 0)
    levels = [Played(Playing(task), ((Rule(k=5), build("scorers", Spec("exact"))),))] * 2
    h = stacked(levels, {instance.digest: instance})
    with pytest.raises(UsageError, match="more than 5 calls"):
        h.answer([Query(task.render(Power(6, "ab")), instance.digest)], most=5)
