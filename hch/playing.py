"""H as a task's script, step by step: what the tree and the batched loop have in common."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from random import Random
from typing import Any

from hch.errors import UsageError
from hch.protocols import Task
from hch.steps import Instance, Step
from hch.types import Answer, Text

NO_ORACLE = Answer("unanswered", None, "the oracle has no answer to it")
"""What a script is sent for a question that is no primitive one."""

_GUESSES = 1000


@dataclass(frozen=True, slots=True)
class Playing:
    """How H plays a task: at a rate of `errors` it says something else than it came to.

    `reach` is the highest level with nobody but scripts from there down to level 0: up to it a
    task knows which questions are beyond a level; None where another player is at level 0. Raises
    UsageError for an H that is to err at a task that has no guess.
    """

    task: Task
    reach: int | None = None
    errors: float = 0.0

    def __post_init__(self) -> None:
        if self.errors and type(self.task).guess is Task.guess:
            raise UsageError(
                f"task {self.task.name!r} has no guess at an answer, so that its H cannot err: "
                "leave errors out"
            )

    def play(
        self, body: str, level: int, chance: Callable[[], Random]
    ) -> Generator[Step, Any, Answer]:
        """H's steps on a question at a level; `chance` gives what decides where it errs."""
        try:
            term = self.task.parse(body)
        except ValueError as error:
            return Answer("unanswered", None, str(error))
        within = self.reach is not None and level <= self.reach
        if within and (beyond := self.task.beyond(term, level)):
            return Answer("unanswered", None, beyond)
        answer = yield from self.task.steps(term)
        if self.errors and answer.answered:
            return self._erring(term, answer, chance())
        return answer

    def _erring(self, term: Any, answer: Answer, chance: Random) -> Answer:
        """The answer, or by mistake another one, each as likely as the task guesses it.

        Where the task guesses no other, there is no mistake to be made.
        """
        if chance.random() >= self.errors:
            return answer
        for _ in range(_GUESSES):
            guess = self.task.guess(term, chance)
            if guess is None or guess.text is None:
                break
            if guess.text != answer.text:
                return Answer("answered", Text(guess.text.body, "script"))
        return answer


def drawn(task: Task, number: int) -> Instance:
    """Instance `number` of a task, at its own size: the same one everywhere.

    Raises UsageError where it has none of that size.
    """
    try:
        return task.sample(Random(f"{task.name} {task.size} {number}"), task.size)
    except ValueError as error:
        raise UsageError(
            f"task {task.name!r} has no instance of size {task.size}: {error}"
        ) from error
