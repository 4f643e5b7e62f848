"""H as a task's script: every move is the task's own, so no model is needed.

An ask of H's script goes to HCH_{n-1}, a primitive to the task's oracle. At level 0 there are
primitives only. A text that the task cannot parse is `unanswered` with the reason; so is one that
it knows to be beyond the level, where scripts play all levels below.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hch.budget import Price
from hch.errors import ConfigError
from hch.playing import NO_ORACLE, Playing
from hch.protocols import Strategy, Task, Workspace
from hch.steps import Ask, Primitive, Step
from hch.types import Answer, Question, Text


class Script:
    """Drives `task.steps` through a workspace."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}
    thinks = False
    refuses_repeats = False

    def __init__(self, playing: Playing) -> None:
        self._playing = playing
        self._task = playing.task

    async def __call__(self, workspace: Workspace) -> Answer:
        body = workspace.question.text.body
        steps = self._playing.play(body, workspace.level, partial(workspace.chance, "H"))
        sent: Any = None
        while True:
            try:
                step = steps.send(sent)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]
            sent = await self._take(step, workspace)

    async def _take(self, step: Step, workspace: Workspace) -> Any:
        if isinstance(step, Primitive):
            answer = await workspace.primitive(self._question(step.term, workspace))
            return answer or NO_ORACLE
        asks = step if isinstance(step, tuple) else (step,)
        answers = await workspace.ask(*(self._asked(ask, workspace) for ask in asks))
        return tuple(answers) if isinstance(step, tuple) else answers[0]

    def _asked(self, ask: Ask, workspace: Workspace) -> Question:
        question = self._question(ask.term, workspace)
        return question if ask.again is None else question.again(ask.again)

    def _question(self, term: Any, workspace: Workspace) -> Question:
        text = Text(self._task.render(term), "script")
        return Question(text, instance=workspace.question.instance)

    def least(self, workspace: Workspace) -> Price:
        return Price()

    def finish(self, workspace: Workspace, m: int) -> Price:
        return Price()


def build(
    *,
    task: Task | None,
    reach: int | None = None,
    errors: Annotated[float, Field(ge=0, le=1)] = 0.0,
) -> Strategy:
    """Plays the run's task. Raises ConfigError where the run has none, UsageError as `Playing`."""
    if task is None:
        raise ConfigError("strategy 'script' plays a task: name one, such as task=arithmetic")
    return Script(Playing(task, reach, errors))
