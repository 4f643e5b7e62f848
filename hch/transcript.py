"""Transcripts of H on one question: what it asked, in what order, and what it was answered.

(Q, Q1, A1, …, QN, AN, A) of Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). The steps
are those of `hch.amplify`, and so of the tree: what is sent to them is noted on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from hch.agents import Agent, Query, Response
from hch.amplify import Amplify
from hch.playing import Playing
from hch.polls import unrolled
from hch.protocols import Task
from hch.steps import Ask, Instance, Primitive, Step, named
from hch.types import Answer


@dataclass(frozen=True, slots=True)
class Line:
    """A question of H's with its answer; `again` tells second samples of it from the first.

    It went to the oracle if it is `primitive`. Rounds count from 1; the lines of one were asked at
    once.
    """

    round: int
    primitive: bool
    question: str
    answer: Answer
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Transcript:
    """H's work on a question; `calls` is how often H worked in all, in a tree that shares nothing.

    The truth that answers is no work of H's.
    """

    question: str
    lines: tuple[Line, ...]
    answer: Answer
    calls: int


@dataclass(frozen=True, slots=True)
class Truth:
    """An agent that is always right; of several right answers it gives the task's `truth`."""

    task: Task
    instances: Mapping[str, Instance]

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        return [Response(self._true(query), calls=0) for query in queries]

    def _true(self, query: Query) -> Answer:
        instance = named(self.instances, query.instance)
        return self.task.truth(instance, self.task.parse(query.body))


def transcribe(
    playing: Playing,
    query: Query,
    instances: Mapping[str, Instance],
    *,
    depth: int | None = None,
    seed: int = 0,
    most: int | None = None,
) -> Transcript:
    """What H does on a question whose sub-questions HCH_{depth-1} answers, or else the truth.

    Of HCH_depth it is the root's part of the run with that seed in which scripts play all levels.
    Raises UsageError where H works more often than `most`, what is equal once.
    """
    below: Agent | None = Truth(playing.task, instances)
    if depth is not None:
        playing = replace(playing, reach=depth)
        below = unrolled(playing, instances, depth - 1, seed=seed) if depth else None
    noted = _Noted(playing.task, playing.reach, playing.errors)
    level = 1 if depth is None else depth
    [told] = Amplify(noted, below, instances, level=level, seed=seed).answer([query], most=most)
    return Transcript(query.body, tuple(noted.lines), *told)


@dataclass(frozen=True, slots=True)
class _Noted(Playing):
    """Plays one question, and keeps every step and what it was sent."""

    lines: list[Line] = field(default_factory=list)

    def play(
        self, body: str, level: int, chance: Callable[[], Random]
    ) -> Generator[Step, Any, Answer]:
        steps, sent, rounds = Playing.play(self, body, level, chance), None, 0
        while True:
            try:
                step = steps.send(sent)
            except StopIteration as stop:
                answer: Answer = stop.value
                return answer
            sent = yield step
            rounds += 1
            pairs = zip(step, sent, strict=True) if isinstance(step, tuple) else [(step, sent)]
            self.lines.extend(self._line(rounds, part, answer) for part, answer in pairs)

    def _line(self, rounds: int, step: Ask | Primitive, answer: Answer) -> Line:
        again = step.again if isinstance(step, Ask) else None
        primitive = isinstance(step, Primitive)
        return Line(rounds, primitive, self.task.render(step.term), answer, again)
