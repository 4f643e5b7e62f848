"""What is said of trees that were made for datasets: how many are good, and why others are not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hch.columns import NOBODY
from hch.commands._evaluating import Marks
from hch.commands._report import in_doubt, sums
from hch.commands._running import Finished, Place
from hch.commands._shown import blemishes
from hch.commands._terminal import say, say_json, tell
from hch.events import CallGivenUp, NodeClosed
from hch.outline import Outline
from hch.recording import may_answer
from hch.run import Run
from hch.safe_text import one_line
from hch.wire import Amounts
from hch.words import listed, seconds

FORMAT = "prompt-completion"
"""The format of the dataset that is proposed."""

AT_ONCE = 500
"""Roots whose answers are read together."""

NAMED = 5
"""How many roots are named for each reason."""

REASON = 160
"""Characters of a reason."""

_FIGURE = re.compile("[0-9]+")


@dataclass(slots=True)
class Failure:
    """Roots that ended alike without an answer: the reason of the first, and a few ids."""

    status: str
    reason: str
    count: int = 0
    nodes: list[str] = field(default_factory=list)

    def json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "reason": self.reason,
            "count": self.count,
            "nodes": self.nodes,
        }


@dataclass(frozen=True, slots=True)
class Generated:
    """What a run's roots came to; of `graded` answers so many are `right`.

    `retriable` says whether some call that was given up can be tried again, and `seconds` how long
    it was from the first event to the last.
    """

    run: Run
    outline: Outline
    questions: int
    statuses: Counter[str]
    clean: int
    graded: int
    right: int
    failures: Sequence[Failure]
    retriable: bool

    @classmethod
    def of(cls, run: Run) -> Generated:
        """Reads the run from its store, some roots at a time."""
        outline = run.store.outline(run.id)
        roots = {outline.slot[a]: outline.node(a) for a in outline.roots}
        statuses = Counter(_state(outline, node) for node in roots.values())
        marks, graded, right = Marks(run), 0, 0
        failures: dict[tuple[str, str], Failure] = {}
        for index, node, event in _ended(run, outline, roots):
            if event.status == "answered":
                found = marks(index, event.outcome())
                graded += found is not None
                right += found is True
                continue
            alike = event.status, _FIGURE.sub("0", event.reason)
            failure = failures.setdefault(alike, Failure(event.status, event.reason))
            failure.count += 1
            if len(failure.nodes) < NAMED:
                failure.nodes.append(outline.id(node))
        clean = sum(node != NOBODY and outline.clean(node) for node in roots.values())
        given_up = (record.event for record in run.store.events(run.id, "CallGivenUp"))
        return cls(
            run=run,
            outline=outline,
            questions=sum(question.sample in ((), (0,)) for question in run.plan.questions),
            statuses=statuses,
            clean=clean,
            graded=graded,
            right=right,
            failures=sorted(failures.values(), key=lambda failure: -failure.count),
            retriable=clean < len(roots)
            and any(isinstance(event, CallGivenUp) and may_answer(event) for event in given_up),
        )

    @property
    def answered(self) -> int:
        return self.statuses["answered"]

    @property
    def seconds(self) -> float:
        return self.outline.ended - self.outline.started

    def lines(self, place: Place, took: float) -> Iterator[str]:
        """The report, with what to do next; `took` are the seconds of this command."""
        n = self.run.plan.count
        others = (item for item in self.statuses.most_common() if item[0] != "answered")
        failed = (f"{n:,} {status}" for status, n in others)
        marked = f"{self.right:,} right of {self.graded:,} whose truth is known"
        said = (f"{self.answered:,} answered", *failed, f"{self.clean:,} clean")
        yield f"{n:,} root{'s' * (n > 1)}: {listed((*said, marked if self.graded else ''))}"
        if why := blemishes(self.outline):
            yield f"not clean: {why}"
        for failure in self.failures:
            which = ", ".join(failure.nodes) + (", …" if failure.count > len(failure.nodes) else "")
            why = one_line(failure.reason, REASON) or "no reason"
            yield f"{failure.count:,} {failure.status}: {why} (node {which})"
        started, totals = self.run.started(), self.outline.totals
        yield listed((sums(started, self.outline.n, totals), seconds(took)))
        if unknown := in_doubt(totals.flying):
            yield unknown
        if self.failures and (show := self._show(place)):
            yield f"look at one with: {show}"
        if self.retriable and (again := place.command("resume", self.run.id, "--retry-failed")):
            yield f"try what was given up again with: {again}"
        if self.graded and (label := place.command("label", self.run.id, "--truth")):
            yield f"label what is right with: {label}"
        if self.answered and (build := self._build(place)):
            yield f"make a dataset of it with: {build}"

    def _show(self, place: Place) -> str:
        return place.command("show", self.run.id, "--node", self.failures[0].nodes[0])

    def _build(self, place: Place) -> str:
        words = ("dataset", "build", self.run.id, "--format", FORMAT, "--out", "DIR")
        return place.command(*words)

    def json(self) -> dict[str, Any]:
        """All of it as JSON-like data; of what is not capped the cap is None."""
        outline, totals = self.outline, self.outline.totals
        examination = self.run.plan.examination
        return {
            "run": self.run.id,
            "source": examination.source if examination else "",
            "questions": self.questions,
            "roots": self.run.plan.count,
            "statuses": dict(sorted(self.statuses.items())),
            "answered": self.answered,
            "clean": self.clean,
            "graded": self.graded,
            "right": self.right,
            "failures": [failure.json() for failure in self.failures],
            "retriable": self.retriable,
            "nodes": outline.n,
            "calls": totals.requests,
            "cached": totals.cached,
            "tokens": totals.tokens,
            "microusd": totals.billed,
            "unknown": totals.flying,
            "cap": Amounts.of(self.run.cap).model_dump(),
            "seconds": self.seconds,
        }


def report(run: Run, finished: Finished, *, as_json: bool, quiet: bool) -> int:
    """Print the run's id, or the report as JSON, and tell the report; the exit code."""
    found = Generated.of(run)
    if as_json:
        say_json(found.json())
    else:
        say(run.id)
    if not quiet:
        for line in found.lines(finished.place, finished.seconds):
            tell(line)
    elif not found.answered:
        tell(f"none of {run.plan.count:,} roots was answered")
    return 0 if found.answered else 1


def _state(outline: Outline, node: int) -> str:
    return "never begun" if node == NOBODY else outline.state(node)


def _ended(
    run: Run, outline: Outline, roots: dict[int, int]
) -> Iterator[tuple[int, int, NodeClosed]]:
    """The number, the node and the closing of every root that has ended, in order."""
    ended = ((i, node) for i, node in roots.items() if node != NOBODY and outline.closed[node])
    while some := list(islice(ended, AT_ONCE)):
        closings = run.store.picked(run.id, {outline.closed[node] for _, node in some})
        events = {record.seq: record.event for record in closings}
        for index, node in some:
            event = events[outline.closed[node]]
            assert isinstance(event, NodeClosed), "it closes"
            yield index, node, event
