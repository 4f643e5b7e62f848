"""Checks an answer by the task's truth, wrong at a rate of `errors`: for the law of a check only.

It knows the truth, so it is no part of HCH: what it says measures what a check of that quality
does. It answers the question whether an answer is right (`hch.judging`), and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field

from hch.budget import Price
from hch.judging import Verdict, parts_of
from hch.protocols import Strategy, Workspace
from hch.types import Answer, Text

CHECKS = True
"""It answers checks only."""


class Oracle:
    """The task's own check of a question and an answer; it thinks nothing."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}
    thinks = False
    refuses_repeats = False

    def __init__(self, errors: float) -> None:
        self._errors = errors

    async def __call__(self, workspace: Workspace) -> Answer | Text:
        try:
            question, answer = parts_of(workspace.question)
        except ValueError as error:
            return Answer("unanswered", None, f"the oracle answers checks only: {error}")
        right = workspace.grade(question.body, answer.body)
        if right is None:
            return _said(Verdict("unsure", "the task cannot grade this question"))
        # Every check has the same words: what it is about has to name the draw.
        chance = workspace.chance(f"check\n{question.mark}\n{answer.mark}")
        if self._errors and chance.random() < self._errors:
            right = not right
        return _said(Verdict("accept") if right else Verdict("reject", "it is not the truth"))

    def least(self, workspace: Workspace) -> Price:
        return Price()

    def finish(self, workspace: Workspace, m: int) -> Price:
        return Price()


def _said(verdict: Verdict) -> Text:
    return Text(verdict.line, "oracle")


def build(*, errors: Annotated[float, Field(ge=0, le=1)] = 0.0) -> Strategy:
    """`errors` is how often its verdict is the wrong one."""
    return Oracle(errors)
