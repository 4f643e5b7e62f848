"""Whether the answers of a run are right: those of its roots, and those below them."""

from __future__ import annotations

from collections.abc import Iterator

from hch.errors import UsageError
from hch.evals.marking import Marking
from hch.judging import verdict
from hch.nodes import Node
from hch.protocols import Scorer, Task
from hch.roots import instances_of, planned
from hch.trace import Trace
from hch.types import Answer


class Grades:
    """Grades of an examination's answers, worked out once for each node.

    A root is held against what its question expects, as the scorer compares; where that has a
    player judge, and the texts differ, against what this player said. Without an expectation, and
    below the roots, the task's truth is what counts, wherever it can read the question; a node
    below that is a root too, being asked the same, is graded as that. A try is graded as an answer
    to its asker's question. Raises UsageError where the run is no examination, ConfigError for
    facts that are none of the task.
    """

    def __init__(self, trace: Trace, task: Task, scorer: Scorer | None) -> None:
        plan = planned(trace.started)
        if plan.examination is None:
            raise UsageError(f"run {trace.run} is no evaluation: hch eval makes one")
        instances = {found.digest: found for found in instances_of(trace.started, task)}
        self._marking = Marking(task, scorer, instances)
        self._known: dict[str, bool | None] = {}
        self._expected: dict[str, str] = {}
        self._verdicts: dict[str, bool | None] = {}
        for index, root in trace.planted.items():
            number, place = divmod(index, len(plan.entries))
            expected = plan.examination.expected[number]
            if plan.entries[place].grades is not None:
                [graded] = plan.after(index)
                self._judge(trace.planted.get(graded), root)
            elif expected is not None:
                self._expected |= {node.key: expected for node in _attempts(root)}

    def right(self, node: Node) -> bool | None:
        """Whether it answers rightly; None where it does not answer, and where nobody can tell."""
        if node.key not in self._known:
            self._known[node.key] = self._graded(node)
        return self._known[node.key]

    def form(self, answer: Answer) -> str | None:
        """What equal answers have in common; None where there is none, or it is malformed."""
        return self._marking.form(answer)

    def _judge(self, root: Node | None, grading: Node) -> None:
        """What the player that judges said of a root holds for all its tries that say the same."""
        answer = grading.answer
        if root is None or root.answer is None or answer is None:
            return
        said = {"accept": True, "reject": False, "unsure": None}[verdict(answer).said]
        for node in _attempts(root):
            if node.answer and self.form(node.answer) == self.form(root.answer):
                self._verdicts[node.key] = said

    def _graded(self, node: Node) -> bool | None:
        if node.answer is None:
            return None
        expected, judged = self._expected.get(node.key), self._verdicts.get(node.key)
        return self._marking.right(node.question, node.answer, expected, judged)


def _attempts(root: Node) -> Iterator[Node]:
    """A node, the tries that were made for its answer, and those that were made for these."""
    todo = [root]
    while todo:
        node = todo.pop()
        yield node
        todo += [ask.node for ask in node.asks if ask.how == "try" and ask.node]
