"""Questions of a task with what it takes to grade an answer: all there are, or a sample of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from random import Random
from typing import Any, NamedTuple

from hch.agents import Agent, Query, Response
from hch.errors import UsageError
from hch.ledger import Score
from hch.playing import drawn
from hch.protocols import Task
from hch.steps import Instance

MOST = 1_000_000
"""The largest question space that is gone through whole."""

_DRAWS = 20
"""How often a law is asked for each question that it should give, since it may repeat itself."""


class Case(NamedTuple):
    """A question as it is put, its term, and the instance that it is about."""

    query: Query
    term: Any
    instance: Instance


class Cases:
    """The questions about some instances of a task, by the instances' numbers."""

    def __init__(self, task: Task, numbers: Iterable[int]) -> None:
        self._task = task
        self._numbers = numbers

    @cached_property
    def instances(self) -> tuple[Instance, ...]:
        return tuple(drawn(self._task, number) for number in self._numbers)

    @cached_property
    def facts(self) -> dict[str, Instance]:
        """The instances by their digest."""
        return {instance.digest: instance for instance in self.instances}

    @cached_property
    def space(self) -> list[Case]:
        """Every question there is. Raises UsageError for too many, and where none are listed."""
        found = list(islice(self._listed(), MOST + 1))
        if len(found) > MOST:
            raise UsageError(
                f"these instances have more than {MOST:,} questions: say how many to draw, such as "
                "--sample 1000"
            )
        return found

    def _listed(self) -> Iterator[Case]:
        for instance in self.instances:
            terms = self._task.space(instance)
            if terms is None:
                many = "such as --sample 1000"
                if not self._task.has_facts:
                    many = "such as --sample 1 --instances 0-999, an instance being one question"
                raise UsageError(
                    f"task {self._task.name!r} cannot list its questions: say how many to draw, "
                    f"{many}"
                )
            for term in terms:
                yield Case(Query(self._task.render(term), instance.digest), term, instance)

    def drawn(self, each: int, rng: Random) -> list[Case]:
        """So many different questions of each instance by the law, fewer where it has no more."""
        return [case for instance in self.instances for case in self._law(instance, each, rng)]

    def _law(self, instance: Instance, size: int, rng: Random) -> Iterator[Case]:
        seen: set[Query] = set()
        for question in islice(self._task.questions(instance, rng), _DRAWS * size):
            query = Query(question.text.body, question.instance)
            if query not in seen:
                seen.add(query)
                yield Case(query, self._task.parse(query.body), instance)
            if len(seen) == size:
                return

    def score(self, cases: Sequence[Case], told: Iterable[Response]) -> Score:
        """How good these answers are, one for each case."""
        answered = right = 0
        measures: dict[str, tuple[int, int]] = {}
        for (_, term, instance), (answer, _) in zip(cases, told, strict=True):
            answered += answer.answered
            right += self._task.grade(instance, term, answer)
            for name, good in self._task.measures(instance, term, answer).items():
                before = measures.get(name, (0, 0))
                measures[name] = (before[0] + good, before[1] + 1)
        return Score(of=len(cases), answered=answered, right=right, measures=measures)

    def score_of(self, agent: Agent, cases: Sequence[Case]) -> Score:
        """How well an agent answers these."""
        return self.score(cases, agent.answer([case.query for case in cases]))
