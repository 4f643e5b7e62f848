"""Which answers of a run are right: by the run's task, or by what its questions expect.

A node answers rightly as `hch eval` grades it; below the roots the task's truth is what counts. A
run whose task was not named is graded only where scripts play, who say what the task can read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, cast

from hch import registry
from hch.columns import NOBODY
from hch.errors import UsageError
from hch.evals.marking import Marking, form
from hch.events import NodeClosed, NodeOpened, RunStarted
from hch.keeping import Store
from hch.outline import Outline
from hch.protocols import Scorer, Task
from hch.registry import PlayerSpec, Spec
from hch.roots import instances_of, planned
from hch.types import Question

DEFAULT = "arithmetic"
"""The task of scripts that play none by name."""

LONGEST = 10_000
"""The characters of a question that a task is given."""

TOGETHER = 500
"""The nodes that are graded at once."""


class Verdict(NamedTuple):
    """Whether a node, which has that key, answers rightly."""

    node: int
    key: str
    right: bool


class Truth:
    """Grades the nodes of a run, which `started` so. Raises HchError where that cannot be done.

    With `scorer` only the roots are graded that have an expected answer, as it compares; else all
    that the task can read, as the run's own scorer does. `known` says whether any can be graded.
    """

    def __init__(self, started: RunStarted, scorer: Scorer | None = None) -> None:
        plan = planned(started)
        held = plan.examination
        task = _task(started) if scorer is None else None
        if scorer is None and held and held.scorer:
            scorer = cast(Scorer, registry.build("scorers", Spec.parse(held.scorer)))
        instances = instances_of(started, task) if task else ()
        known = {instance.digest: instance for instance in instances}
        self._scorer = scorer
        self._marking = Marking(task, scorer, known)
        self._expected = held.expected if held else ()
        self._entries = plan.entries
        self._below = task is not None
        self.known = task is not None or any(e is not None for e in self._expected)

    def verdicts(
        self, store: Store, run: str, outline: Outline, nodes: Iterable[int]
    ) -> Iterator[list[Verdict]]:
        """Of so many of the nodes at a time, those whose answers can be told right or wrong."""
        left = iter(nodes)
        while some := list(islice(left, TOGETHER)):
            numbers = [seq for n in some for seq in (outline.opened[n], outline.closed[n]) if seq]
            found = {record.seq: record.event for record in store.picked(run, numbers)}
            events = ((n, found.get(outline.opened[n]), found.get(outline.closed[n])) for n in some)
            told = (self._verdict(outline, *each) for each in events)
            yield [verdict for verdict in told if verdict]

    def _verdict(
        self, outline: Outline, node: int, opened: object, closed: object
    ) -> Verdict | None:
        if not isinstance(opened, NodeOpened) or not isinstance(closed, NodeClosed):
            return None
        root = self._root(outline, node)
        if root is not None and self._entries[root % len(self._entries)].grades is not None:
            return None
        expected = self._held(root)
        if expected is None and not self._below:
            return None
        question = Question(opened.question.text(), (), opened.instance)
        if expected is None and len(question.text.body) > LONGEST:
            return None
        right = self._marking.right(question, closed.outcome(), expected)
        return None if right is None else Verdict(node, opened.key, right)

    @staticmethod
    def _root(outline: Outline, node: int) -> int | None:
        """The number of the root that a node is, or is a try for; None of any other."""
        while outline.way(node) == "try" and outline.parent[node] != NOBODY:
            node = outline.parent[node]
        if outline.parent[node] != NOBODY:
            return None
        return int(outline.slot[outline.asked[node]])

    def _held(self, root: int | None) -> str | None:
        """What a root's answer is held against, where the scorer can read that."""
        if root is None or not self._expected:
            return None
        expected = self._expected[root // len(self._entries)]
        return expected if expected is not None and form(self._scorer, expected) else None


def alone(spec: str) -> Scorer:
    """A scorer that needs nobody to judge. Raises UsageError for one that does."""
    scorer = cast(Scorer, registry.build("scorers", Spec.parse(spec)))
    if scorer.by:
        raise UsageError(
            f"scorer {spec!r} has the player {scorer.by!r} judge, who is asked only by hch eval: "
            "name one that compares by itself, such as exact or numeric"
        )
    return scorer


def _task(started: RunStarted) -> Task | None:
    """The task that says what is right in a run, if any does."""
    named = started.setup.get("task")
    by_script = all(map(_plays_scripts, started.players))
    spec = named or (DEFAULT if by_script else None)
    return cast(Task, registry.build("tasks", Spec.parse(spec))) if spec else None


def _plays_scripts(player: str) -> bool:
    return PlayerSpec.parse(player).strategies[-1].name == "script"
