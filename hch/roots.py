"""The roots of a run and the instances they are about: as they are asked, kept and read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from hch.errors import ConfigError, UsageError
from hch.events import RunStarted
from hch.protocols import Task
from hch.steps import Instance, recorded
from hch.types import Question, Text
from hch.wire import Words


def questioned(
    questions: Sequence[str | Question], context: Sequence[str | Text]
) -> list[Question]:
    """Questions as put; a bare text is sent these context texts along. Raises UsageError."""
    texts = tuple(t if isinstance(t, Text) else Text(t, "document", False) for t in context)
    roots = [q if isinstance(q, Question) else Question(Text(q), texts) for q in questions]
    if not roots or any(not root.text.body.strip() for root in roots):
        raise UsageError("the question is empty")
    return roots


def about(
    roots: Sequence[Question], instances: Sequence[Instance], task: Task | None
) -> list[Question]:
    """The roots, each with the instance that it names, or else the first of these.

    `task` is one that needs its facts. Raises UsageError where an instance is missing.
    """
    if instances:
        first = instances[0].digest
        roots = [replace(root, instance=root.instance or first) for root in roots]
    elif task is not None and any(root.instance is None for root in roots):
        raise UsageError(
            f"task {task.name!r} has facts that no question tells: say which instance is meant, "
            "such as --instance 7"
        )
    known = {instance.digest for instance in instances}
    if unknown := [root for root in roots if root.instance and root.instance not in known]:
        raise UsageError(f"there are no facts of instance {unknown[0].instance}")
    return list(roots)


def kept(roots: Sequence[Question], instances: Iterable[Instance]) -> dict[str, Any]:
    """Roots as `RunStarted` keeps them, with the facts that they are about."""
    source: dict[str, Any] = {"questions": [_wire(root) for root in roots]}
    facts = {instance.digest: instance.text for instance in instances}
    return {**source, "instances": facts} if facts else source


def _wire(question: Question) -> dict[str, Any]:
    return {
        "text": Words.of(question.text).model_dump(),
        "context": [Words.of(text).model_dump() for text in question.context],
        "instance": question.instance,
        "sample": list(question.sample),
    }


def roots_of(started: RunStarted) -> list[Question]:
    """The root questions that a run was started with."""
    return [
        Question(
            Words(**root["text"]).text(),
            tuple(Words(**text).text() for text in root["context"]),
            root["instance"],
            tuple(root["sample"]),
        )
        for root in started.roots["questions"]
    ]


def instances_of(started: RunStarted, task: Task) -> tuple[Instance, ...]:
    """The instances that a run was started with. Raises ConfigError if they are no such."""
    try:
        found = recorded(task.name, started.roots.get("instances", {}))
    except ValueError as error:
        raise ConfigError(str(error)) from error
    check_facts(task, found)
    return found


def check_facts(task: Task, instances: Iterable[Instance]) -> None:
    """Raises ConfigError for what cannot be an instance of this task."""
    for instance in instances:
        try:
            task.check(instance)
        except (ValueError, TypeError, KeyError, IndexError) as error:
            what = f"instance {instance.digest[:8]} is none of task {task.name!r}"
            raise ConfigError(f"{what}: {error}") from error
