"""Whether answers are right, where that is known: by the run's task, or by what they are held to.

A node answers rightly as `hch eval` grades it; below the roots the task's truth is what counts. A
run whose task was not named is graded only where scripts play, who say what the task can read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from hch import registry
from hch.browse.book import Book
from hch.columns import NOBODY
from hch.errors import HchError
from hch.evals.marking import Marking
from hch.events import NodeClosed, NodeOpened
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


class Truth:
    """Grades the nodes of a run. Raises HchError where its task cannot be built here."""

    def __init__(self, book: Book) -> None:
        self._book, started = book, book.started
        named = started.setup.get("task")
        by_script = all(map(_plays_scripts, started.players))
        task = named or (DEFAULT if by_script else None)
        built = cast(Task, registry.build("tasks", Spec.parse(task))) if task else None
        plan = planned(started)
        held = plan.examination
        named = held and held.scorer
        scorer = registry.build("scorers", Spec.parse(named)) if named else None
        instances = instances_of(started, built) if built else ()
        known = {instance.digest: instance for instance in instances}
        self._marking = Marking(built, cast(Scorer | None, scorer), known)
        self._expected = held.expected if held else ()
        self._entries = len(plan.entries)
        self.known = built is not None or any(e is not None for e in self._expected)

    def batches(self, after: int = 0) -> Iterator[set[int]]:
        """For so many nodes after so many, the events that opened those that answer wrongly.

        Only nodes that ended after the event of that number are looked at.
        """
        outline = self._book.outline
        nodes = [node for node in range(outline.n) if outline.closed[node] > after]
        for first in range(0, len(nodes), TOGETHER):
            wrong = self._wrong(outline, nodes[first : first + TOGETHER])
            yield {outline.opened[node] for node in wrong}

    def _wrong(self, outline: Outline, nodes: Sequence[int]) -> list[int]:
        """Those of the nodes that answer, and not rightly, as far as that can be told."""
        book, wrong = self._book, []
        numbers = [seq for node in nodes for seq in (outline.opened[node], outline.closed[node])]
        found = {record.seq: record.event for record in book.store.picked(book.run, numbers)}
        for node in nodes:
            opened, closed = found[outline.opened[node]], found[outline.closed[node]]
            if isinstance(opened, NodeOpened) and isinstance(closed, NodeClosed):
                question = Question(opened.question.text(), (), opened.instance)
                if len(question.text.body) > LONGEST:
                    continue
                held = self._held(outline, node)
                if self._marking.right(question, closed.outcome(), held) is False:
                    wrong.append(node)
        return wrong

    def _held(self, outline: Outline, node: int) -> str | None:
        """What a root's answer, and each try for it, is held against."""
        while outline.way(node) == "try" and outline.parent[node] != NOBODY:
            node = outline.parent[node]
        if outline.parent[node] != NOBODY or not self._expected:
            return None
        number: int = outline.slot[outline.asked[node]]
        return self._expected[number // self._entries]


def truth_of(book: Book) -> Truth | None:
    """What grades a run's nodes; None where nothing can."""
    try:
        truth = Truth(book)
    except (HchError, ValueError, TypeError, KeyError, IndexError):
        return None
    return truth if truth.known else None


def _plays_scripts(player: str) -> bool:
    return PlayerSpec.parse(player).strategies[-1].name == "script"
