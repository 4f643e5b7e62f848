"""Evaluations to try things on: a contest over a sheet, in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hch import Completion, Question, Request, Text, Trace, registry
from hch.evals.contest import Contest, Contestant
from hch.evals.evaluation import Evaluation
from hch.evals.questions import Sheet
from hch.protocols import Task
from hch.registry import Spec
from hch.types import Usage
from tests.support import memory


def task_of(spec: str = "arithmetic") -> Task:
    task: Task = registry.build("tasks", Spec.parse(spec))
    return task


def contest(*players: str, depths: Sequence[int] = (), scorer: str | None = None) -> Contest:
    return Contest([Contestant.parse(player) for player in players], depths, scorer)


def sheet(*questions: str, expected: Sequence[str | None] | None = None) -> Sheet:
    """These questions, of the kinds of arithmetic."""
    task = task_of()
    return Sheet(
        source="by hand",
        questions=tuple(Question(Text(question)) for question in questions),
        expected=tuple(expected or [None] * len(questions)),
        kinds=tuple(_kind(task, question) for question in questions),
    )


def _kind(task: Task, question: str) -> str:
    try:
        return task.kind(task.parse(question))
    except ValueError:
        return ""


def traced(contest: Contest, sheet: Sheet, **options: Any) -> Trace:
    """The trace of the whole run."""
    store = memory()
    run = contest.begin(sheet, **{"store": store, "task": "arithmetic", "pause": 0.0, **options})
    asyncio.run(run.finish())
    return Trace(store.events(run.id))


def evaluated(contest: Contest, sheet: Sheet, **options: Any) -> Evaluation:
    return Evaluation.of(traced(contest, sheet, **options), task_of())


def said(text: str) -> Completion:
    """A reply that costs ten tokens."""
    return Completion(text, usage=Usage(8, 2))


def sampled(request: Request) -> int:
    """Which try it is, by the last step of the sample path; 0 where it is none."""
    return request.sample[-1][2] if request.sample else 0
