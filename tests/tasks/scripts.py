"""H's scripts played by hand, and whole trees of them, for the tests of the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from hch.agents import Agent, Query, Response
from hch.amplify import Amplify
from hch.playing import NO_ORACLE, Playing
from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive, Step
from hch.types import Answer, Text

REFUSED = Answer("refused", reason="level 0 has nobody to ask")
UNKNOWN = Answer("unanswered", reason="nobody knows")
FAILED = Answer("failed", reason="the model broke")

HOSTILE_FACTS: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, float("nan"), "", "aa", "\ud800", [], {}, [None], [[]], [{}],
    [["aa"]], [["aa", "aa", "aa", "aa"]], [["aa", None]], [["aa", ["aa"]]], [["zz", "zz"]],
    [["aa\n", "aa\n"]], [["aa", 1]], [[0, 1]], ["aa", "ab"], {"aa": "aa"}, {"facts": []},
    {"size": 4}, {"edges": []}, {"size": 10**30, "edges": []}, {"size": "4", "edges": []},
    {"size": 4, "edges": None}, {"size": 4, "edges": [["aa"]]}, {"size": 4, "edges": [[{}, []]]},
    {"given": []}, {"given": [], "equal": []}, {"given": None, "equal": [["aa", "aa"]]},
    {"given": {}, "equal": {}}, [["aa", "aa"]] * 100_000,
)  # fmt: skip
"""What stands in a file of a run that somebody else has written."""


def said(text: str) -> Answer:
    return Answer("answered", Text(text, "model"))


def text(answer: Answer | None) -> str | None:
    """What was said, where anything was."""
    return answer.text.body if answer and answer.text else None


def played(task: Task, term: Any, *replies: Any) -> tuple[list[Step], Answer | None]:
    """The steps of H's script when sent these, in order, and its answer if it has come to one."""
    script, met, waiting = task.steps(term), [], [None, *replies]
    try:
        while waiting:
            met.append(script.send(waiting.pop(0)))
    except StopIteration as end:
        return met, end.value
    return met, None


def answered(task: Task, term: Any, reply: Callable[[Ask | Primitive], Answer]) -> Answer:
    """H's answer when every one of its steps is replied to like this."""
    script, sent = task.steps(term), None
    for _ in range(100):
        try:
            step = script.send(sent)
        except StopIteration as end:
            found: Answer = end.value
            return found
        sent = tuple(map(reply, step)) if isinstance(step, tuple) else reply(step)
    pytest.fail("the script does not end")


def asked(task: Task, instance: Instance, term: Any) -> list[Ask | Primitive]:
    """What H asks on the way to an answer, where all that it asks is answered by the truth."""
    met: list[Ask | Primitive] = []

    def reply(step: Ask | Primitive) -> Answer:
        met.append(step)
        return task.truth(instance, step.term)

    answered(task, term, reply)
    return met


def hch(
    task: Task, instance: Instance, term: Any, level: int, met: Callable[[Any], None]
) -> Answer:
    """HCH_level by scripts alone; `met` is told every term that is asked anywhere in the tree."""
    rng = Random(0)

    def reply(step: Ask | Primitive) -> Answer:
        met(step.term)
        if isinstance(step, Primitive):
            return task.primitive(instance, step.term, rng) or NO_ORACLE
        return hch(task, instance, step.term, level - 1, met) if level else REFUSED

    return answered(task, term, reply)


def grown(
    task: Task, instance: Instance, terms: Iterable[Any], depth: int, *, knows: bool = True
) -> list[Response]:
    """HCH_depth of each; where level 0 does not know anything, H at level 1 is the lowest."""
    queries = [Query(task.render(term), instance.digest) for term in terms]
    return untold(task, {instance.digest: instance}, depth, knows=knows).answer(queries)


def untold(
    task: Task, instances: Mapping[str, Instance], depth: int, *, knows: bool = True
) -> Agent:
    """HCH_depth in which no level is told what is beyond it, so that it has to find out."""
    playing = Playing(task)
    found: Agent = Amplify(playing, None, instances, level=0) if knows else Silent()
    for level in range(1, depth + 1):
        found = Amplify(playing, found, instances, level=level)
    return found


class Silent:
    """An agent that knows nothing."""

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        return [Response(UNKNOWN, 1) for _ in queries]


def refuses(task: Task, wrong: Iterable[tuple[str, Any]]) -> None:
    """Each of these facts is refused, and why."""
    for why, facts in wrong:
        with pytest.raises(ValueError, match=why):
            task.check(Instance.of(task.name, facts))


def refuses_hostile(task: Task) -> None:
    """Whatever facts are, they are refused with a line that says where or what is wrong."""
    for facts in HOSTILE_FACTS:
        with pytest.raises(ValueError, match=r".+") as caught:
            task.check(Instance(facts, "d"))
        message = str(caught.value)
        assert len(message) < 300
        assert message.isprintable()
