"""Whether an answer is right: by what its question expects, or else by the task's truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from hch.protocols import Scorer, Task
from hch.steps import Instance, named
from hch.types import Answer, Question, Text

_Asked: TypeAlias = tuple[str, str | None]


REMEMBERED = 10_000
"""How many answers, at the most, are remembered to be right or wrong."""


class Marking:
    """Holds answers against what is expected of them, as the scorer compares.

    Without an expectation the task's truth is what counts, wherever the task can read the question.
    What that says of an answer is worked out once for each question and each answer, as long as it
    is remembered: of the last `REMEMBERED` or so.
    """

    def __init__(
        self, task: Task | None, scorer: Scorer | None, instances: Mapping[str, Instance]
    ) -> None:
        self._task = task
        self._scorer = scorer
        self._instances = instances
        self._truths: dict[_Asked, Answer] = {}
        self._verdicts: dict[tuple[_Asked, Text, bool | None], bool | None] = {}

    def form(self, answer: Answer) -> str | None:
        """What equal answers have in common; None where there is none, or it is malformed."""
        if answer.text is None or not answer.answered:
            return None
        return form(self._scorer, answer.text.body)

    def right(
        self,
        question: Question,
        answer: Answer,
        expected: str | None = None,
        judged: bool | None = None,
    ) -> bool | None:
        """Whether it is; None where it is no answer, and where nobody can tell.

        `judged` is what the player of a scorer that has one said, for texts that differ.
        """
        if answer.text is None or not answer.answered:
            return None
        if expected is not None:
            return self._compared(answer, expected, judged)
        key = (question.text.body, question.instance), answer.text, judged
        if key not in self._verdicts:
            if len(self._verdicts) >= REMEMBERED:
                self._verdicts.clear()
                self._truths.clear()
            self._verdicts[key] = self._by_truth(question, answer, judged)
        return self._verdicts[key]

    def _by_truth(self, question: Question, answer: Answer, judged: bool | None) -> bool | None:
        instance, task = named(self._instances, question.instance), self._task
        if task is None or (task.has_facts and instance is None):
            return None
        try:
            term = task.parse(question.text.body)
        except ValueError:
            return None
        if self._scorer is None:
            return task.grade(instance, term, answer)
        truth = self._truth(task, question, term)
        found = self._compared(answer, truth.text.body if truth.text else None, judged)
        if found is None and task.valid(term, answer):
            return task.grade(instance, term, answer)
        return found

    def _truth(self, task: Task, question: Question, term: Any) -> Answer:
        key = question.text.body, question.instance
        if key not in self._truths:
            instance = named(self._instances, question.instance)
            self._truths[key] = task.truth(instance, term)
        return self._truths[key]

    def _compared(self, answer: Answer, expected: str | None, judged: bool | None) -> bool | None:
        said = self.form(answer)
        if said is not None and expected is not None and said == form(self._scorer, expected):
            return True
        return judged if self._scorer and self._scorer.by else False


def form(scorer: Scorer | None, text: str) -> str | None:
    """What texts have in common that say the same; without a scorer all but white space at ends."""
    return scorer.form(text) if scorer else text.strip() or None
