"""What an evaluation came to, as a fold over its run: a row for each player at each depth.

Rows are over the questions that all of them have finished, so that those of an unfinished run can
be compared too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hch import registry
from hch.errors import UsageError
from hch.evals import plain
from hch.evals.checking import Checks
from hch.evals.grading import Grades
from hch.evals.paired import Paired, compared
from hch.evals.rows import Given, Row, What
from hch.evals.share import Share
from hch.evals.trees import Trees
from hch.evals.voting import Voting, ballot_of, together
from hch.examination import Examination
from hch.nodes import Node
from hch.protocols import Scorer, Task
from hch.registry import Spec
from hch.roots import planned
from hch.trace import Trace

__all__ = ["Evaluation", "Given", "Row", "What"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The rows of a run, where the questions come from, and what counted as the same answer.

    Each row is over `questions`; `open` is how many there are beside these that some player has not
    finished yet.
    """

    run: str
    source: str
    scorer: str | None
    questions: int
    open: int
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, trace: Trace, task: Task) -> Evaluation:
        """The evaluation that a run is, as far as it has come.

        Raises UsageError where it is none, ConfigError for facts that are none of the task's.
        """
        return _Fold(trace, task).evaluation()

    def row(self, number: int) -> Row:
        """Raises UsageError where there is no row of that number."""
        if not 1 <= number <= len(self.rows):
            raise UsageError(f"run {self.run} has rows 1 to {len(self.rows)}, and no row {number}")
        return self.rows[number - 1]

    def json(self) -> dict[str, Any]:
        """All of it as JSON-like data: the same for equal runs, but for the `seconds` of rows.

        `asked` are the questions, in the order of each row's `answers`.
        """
        first = self.rows[0].answers if self.rows else ()
        return {
            "source": self.source,
            "scorer": self.scorer,
            "questions": self.questions,
            "open": self.open,
            "asked": [{**plain.asked(given.question), "kind": given.kind} for given in first],
            "rows": [plain.row(row) for row in self.rows],
        }


class _Fold:
    """The entries of an examination, and how the roots of each came out."""

    def __init__(self, trace: Trace, task: Task) -> None:
        self._trace = trace
        self._plan = planned(trace.started)
        scorer = self._plan.examination and self._plan.examination.scorer
        built = registry.build("scorers", Spec.parse(scorer)) if scorer else None
        self._grades = Grades(trace, task, cast(Scorer | None, built))
        self._examination = cast(Examination, self._plan.examination)
        self._lineups = (trace.started.players, *trace.started.lineups)
        self._done = [n for n in range(len(self._plan.questions)) if self._is_done(n)]
        self._entries = [n for n, entry in enumerate(self._plan.entries) if entry.grades is None]
        self._given = {place: self._answers(place) for place in self._entries}

    def evaluation(self) -> Evaluation:
        return Evaluation(
            run=self._trace.run,
            source=self._examination.source,
            scorer=self._examination.scorer,
            questions=len(self._done),
            open=len(self._plan.questions) - len(self._done),
            rows=tuple(self._row(number, place) for number, place in enumerate(self._entries, 1)),
        )

    def _row(self, number: int, place: int) -> Row:
        entry = self._plan.entries[place]
        roots = [self._root(question, place) for question in self._done]
        trees = Trees(roots, self._grades)
        answering = list(trees.answering)
        alone, vote = self._alone(place), self._vote(place)
        return Row(
            number=number,
            label=self._label(place),
            scorer=self._examination.scorer,
            depth=self._depth(place),
            what=self._what(place),
            of=None if entry.paid_by is None else self._entries.index(entry.paid_by) + 1,
            k=None if entry.paid_by is None else _tries_at_most(roots),
            players=self._lineups[entry.lineup],
            answers=self._given[place],
            gain=self._compared(alone, place),
            against=self._compared(vote, place),
            agreement=self._agreement(place),
            wrong_reasons=trees.wrong_reasons(),
            levels=trees.levels(),
            entered=dict(sorted(trees.entered().items(), key=lambda item: (-item[0][0], *item))),
            votes=Voting.of(answering),
            checks=Checks.of((node for node, _ in answering), self._grades),
            together=together((node for node, _ in answering), self._grades),
        )

    # roots

    def _planted(self, question: int, place: int) -> Node | None:
        return self._trace.planted.get(question * len(self._plan.entries) + place)

    def _root(self, question: int, place: int) -> Node:
        root = self._planted(question, place)
        assert root is not None, "the question is done"
        return root

    def _is_done(self, question: int) -> bool:
        """Whether every root of it came to its own end; a run that stops cancels what is open."""
        roots = [self._planted(question, place) for place in range(len(self._plan.entries))]
        return all(root and root.status not in (None, "cancelled") for root in roots)

    def _answers(self, place: int) -> tuple[Given, ...]:
        return tuple(self._answer(question, place) for question in self._done)

    def _answer(self, question: int, place: int) -> Given:
        root = self._root(question, place)
        answer = root.answer
        assert answer is not None, "it is closed"
        return Given(
            question=self._plan.questions[question],
            expected=self._examination.expected[question],
            kind=self._examination.kinds[question],
            status=answer.status,
            text=answer.text.body if answer.text else None,
            reason=answer.reason,
            form=self._grades.form(answer),
            right=self._grades.right(root),
            clean=root.clean,
            spent=root.spent,
            seconds=(root.until or root.at) - root.at,
        )

    # entries

    def _label(self, place: int) -> str:
        return self._examination.labels[self._plan.entries[place].lineup]

    def _depth(self, place: int) -> int:
        return len(self._lineups[self._plan.entries[place].lineup]) - 1

    def _what(self, place: int) -> What:
        if self._plan.entries[place].paid_by is not None:
            return "vote"
        return "tree" if self._depth(place) else "alone"

    def _found(self, label: str, depth: int) -> int | None:
        """HCH_depth of that label."""
        return next(
            (
                place
                for place in self._entries
                if self._label(place) == label
                and self._depth(place) == depth
                and self._what(place) != "vote"
            ),
            None,
        )

    def _alone(self, place: int) -> int | None:
        """HCH_0 of the same player; None for that itself."""
        unit = self._plan.entries[place].unit
        found = self._found(self._label(place), 0) if unit is None else unit
        return None if found == place else found

    def _vote(self, place: int) -> int | None:
        """The vote that a tree paid for."""
        return next((n for n in self._entries if self._plan.entries[n].paid_by == place), None)

    def _compared(self, first: int | None, second: int) -> Paired | None:
        if first is None or not self._done:
            return None
        return compared(_right(self._given[first]), _right(self._given[second]))

    def _agreement(self, place: int) -> Share | None:
        below = self._found(self._label(place), self._depth(place) - 1)
        if below is None or self._what(place) != "tree":
            return None
        pairs = zip(self._given[below], self._given[place], strict=True)
        either = [(a.form, b.form) for a, b in pairs if "answered" in (a.status, b.status)]
        return Share(sum(a == b for a, b in either), len(either))


def _tries_at_most(roots: Sequence[Node]) -> float | None:
    """In the mean over those that are votes; None without any."""
    ballots = [ballot for root in roots if (ballot := ballot_of(root))]
    return sum(ballot.of for ballot in ballots) / len(ballots) if ballots else None


def _right(answers: Sequence[Given]) -> list[bool]:
    return [given.right is True for given in answers]
