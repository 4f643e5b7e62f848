"""The roots of a run and the instances they are about: as they are asked, kept and read again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from hch.errors import ConfigError, UsageError
from hch.events import RunStarted
from hch.examination import Entry, Examination
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


def of_first(roots: Sequence[Question], instances: Sequence[Instance]) -> list[Question]:
    """The roots, those that name no instance being about the first of these, if there is one."""
    first = instances[0].digest if instances else None
    return [replace(root, instance=root.instance or first) for root in roots]


def about(
    roots: Sequence[Question], instances: Sequence[Instance], task: Task | None
) -> list[Question]:
    """The roots. `task` is one that needs its facts.

    Raises UsageError where one names no instance and needs it, or names one of no facts.
    """
    if task is not None and any(root.instance is None for root in roots):
        raise UsageError(
            f"task {task.name!r} has facts that no question tells: say which instance is meant, "
            'such as --instance 7, or by "instance": 7 in each line of a file'
        )
    known = {instance.digest for instance in instances}
    if unknown := [root for root in roots if root.instance and root.instance not in known]:
        raise UsageError(f"there are no facts of instance {unknown[0].instance}")
    return list(roots)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run asks: each question of every entry, and how the answers are graded, if they are.

    Root number `i` is question `i // len(entries)`, as entry `i % len(entries)` says.
    """

    questions: Sequence[Question]
    entries: tuple[Entry, ...] = (Entry(),)
    examination: Examination | None = None

    @property
    def count(self) -> int:
        """How many roots there are."""
        return len(self.questions) * len(self.entries)

    @property
    def generates(self) -> bool:
        """Whether its trees are what is wanted, and no answers or figures."""
        return self.examination is not None and self.examination.generated

    def __iter__(self) -> Iterator[tuple[Question, Entry]]:
        """Each root's question and entry, in order."""
        return product(self.questions, self.entries)

    def after(self, index: int) -> tuple[int, ...]:
        """The roots that a root waits for, in the order of `Entry.after`."""
        first = index - index % len(self.entries)
        return tuple(first + n for n in self.entries[index - first].after)

    def kept(self, instances: Iterable[Instance]) -> dict[str, Any]:
        """As `RunStarted` keeps it, with the facts that the questions are about."""
        source: dict[str, Any] = {"questions": [_wire(root) for root in self.questions]}
        if facts := {instance.digest: instance.text for instance in instances}:
            source["instances"] = facts
        if self.entries != (Entry(),):
            source["entries"] = [entry.model_dump(exclude_none=True) for entry in self.entries]
        if self.examination:
            source["examination"] = self.examination.model_dump(mode="json")
        return source


def _wire(question: Question) -> dict[str, Any]:
    return {
        "text": Words.of(question.text).model_dump(),
        "context": [Words.of(text).model_dump() for text in question.context],
        "instance": question.instance,
        "sample": list(question.sample),
    }


def planned(started: RunStarted) -> Plan:
    """What a run was started to ask."""
    questions = [
        Question(
            Words(**root["text"]).text(),
            tuple(Words(**text).text() for text in root["context"]),
            root["instance"],
            tuple(root["sample"]),
        )
        for root in started.roots["questions"]
    ]
    entries = tuple(Entry(**entry) for entry in started.roots.get("entries", [{}]))
    examined = started.roots.get("examination")
    return Plan(questions, entries, Examination(**examined) if examined else None)


def evaluates(started: RunStarted) -> bool:
    """Whether a run was started to say how many of its answers are right."""
    held = started.roots.get("examination")
    return held is not None and not held.get("generated")


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
