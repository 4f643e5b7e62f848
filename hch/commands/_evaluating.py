"""An evaluation, or trees for data, as it goes on: what is done and right, and what is to come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import monotonic

from rich.text import Text

from hch import registry
from hch.budget import Price
from hch.commands._growth import Growth
from hch.commands._live import LiveTree
from hch.commands._terminal import encodable
from hch.evals.marking import Marking
from hch.events import Event, NodeClosed, RootOpened
from hch.examination import Entry
from hch.packing import length
from hch.protocols import Scorer
from hch.registry import Spec
from hch.rules import Lineup
from hch.run import Run
from hch.stash import Codec, Stash, as_bytes, of_bytes
from hch.types import Answer
from hch.words import dollars, listed, seconds

BAR = 24
"""The most cells of a bar."""

CLOSED: Codec[NodeClosed] = Codec(
    lambda event: as_bytes(event.model_dump()),
    lambda data: NodeClosed.model_validate(of_bytes(data)),
    lambda event: 2 * length(event.outcome()),
)


@dataclass(slots=True)
class Standing:
    """One entry so far: how many answers ended and are graded, and what `priced` of them cost.

    Of those that ended here, so many are `answered`, and `clean`.
    """

    name: str
    done: int = 0
    answered: int = 0
    clean: int = 0
    graded: int = 0
    right: int = 0
    priced: int = 0
    spent: Price = Price()


class Gauge:
    """Takes every event of an evaluation, after its growth has; cheap but where a root ends."""

    def __init__(self, run: Run, growth: Growth) -> None:
        self.entries = run.plan.entries
        self.each = len(run.plan.questions)
        labels = run.plan.examination.labels if run.plan.examination else ()
        self.standings = list(map(Standing, named(self.entries, labels, run.setup.lineups)))
        self._growth = growth
        self._began = monotonic()
        self._marks = Marks(run)
        self._roots: dict[str, list[int]] = {}
        self._ended = Stash(CLOSED)
        self._generates = run.plan.generates
        self._before = run.resumed.past.tokens if run.resumed else 0

    def take(self, event: Event) -> None:
        if isinstance(event, RootOpened):
            if (ended := self._ended.get(event.key)) is not None:
                self._end(event.index, ended)
            elif self._growth.place(event.key):
                self._roots.setdefault(event.key, []).append(event.index)
            else:  # it was a sub-question before, and has ended: nobody remembers with what
                self._standing(event.index).done += 1
        elif isinstance(event, NodeClosed) and event.key in self._roots:
            self._ended.put(event.key, event)
            for index in self._roots.pop(event.key):
                self._end(index, event)

    def _end(self, index: int, event: NodeClosed) -> None:
        standing = self._standing(index)
        standing.done += 1
        standing.priced += 1
        standing.spent += event.spent.price()
        ended = self._growth.ended(event.key)
        standing.answered += event.status == "answered"
        standing.clean += ended is not None and ended.clean
        right = self._marks(index // len(self.entries), event.outcome())
        standing.graded += right is not None
        standing.right += right is True

    def _standing(self, index: int) -> Standing:
        return self.standings[index % len(self.entries)]

    @property
    def asked(self) -> Sequence[tuple[Entry, Standing]]:
        """The entries that answer questions, none that grades."""
        pairs = zip(self.entries, self.standings, strict=True)
        return [(entry, standing) for entry, standing in pairs if entry.grades is None]

    def line(self) -> str:
        """`120 of 900 answers, 58% right, about $1.20 and 3m20s more`.

        Of trees: `120 of 900 roots, 118 answered, 117 clean, 58% right, about …`.
        """
        asked = [standing for _, standing in self.asked]
        done, graded = sum(s.done for s in asked), sum(s.graded for s in asked)
        right = f"{100 * sum(s.right for s in asked) // graded}% right" if graded else ""
        all_ = len(asked) * self.each
        if not self._generates:
            return listed((f"{done:,} of {all_:,} answers", right, self.foreseen()))
        answered, clean = sum(s.answered for s in asked), sum(s.clean for s in asked)
        so_far = (f"{done:,} of {all_:,} roots", f"{answered:,} answered", f"{clean:,} clean")
        return listed((*so_far, right, self.foreseen()))

    def foreseen(self) -> str:
        """What is still to come, by what there was so far; empty before anything is done.

        Each entry's answers cost what they did on average. What was shared is shared on.
        """
        whole, charged, growth = self._whole(), self._charged(), self._growth
        if whole.tokens:
            seen, wanted, paid = growth.tokens, whole.tokens, charged.tokens
        else:
            seen, wanted, paid = growth.opened, whole.nodes, charged.nodes
        new = seen - (self._before if whole.tokens else 0)
        if not paid or new <= 0:
            return ""
        left = max(0.0, wanted * min(1.0, seen / paid) - seen)
        money = growth.microusd * left / seen
        time = seconds((monotonic() - self._began) * left / new)
        return f"about {listed((dollars(money) if money else '', time))} more" if left else ""

    def _charged(self) -> Price:
        return sum((s.spent for s in self.standings), Price())

    def _whole(self) -> Price:
        """What all answers will be charged, were the rest as those that ended."""
        found = Price()
        for entry, standing in zip(self.entries, self.standings, strict=True):
            like = standing
            if not like.priced and entry.paid_by is not None:
                like = self.standings[entry.paid_by]
            if like.priced:
                found += _times(like.spent, self.each / like.priced)
        return found


def _times(price: Price, n: float) -> Price:
    return Price(*(amount * n for amount in price.amounts()))


def named(entries: Sequence[Entry], labels: Sequence[str], lineups: Sequence[Lineup]) -> list[str]:
    """What the entries of an evaluation are called: `factored HCH_2`, and `factored vote`."""
    found = []
    for entry in entries:
        what = f"HCH_{lineups[entry.lineup].depth}" if entry.paid_by is None else "vote"
        what = what if entry.grades is None else "grades"
        found.append(f"{labels[entry.lineup]} {what}")
    return found


class Marks:
    """Whether answers are right, as far as that is told at once; else None.

    What a player judges waits for it, and so does all of such an evaluation.
    """

    def __init__(self, run: Run) -> None:
        examination = run.plan.examination
        self._questions = run.plan.questions
        self._expected = examination.expected if examination else ()
        spec = examination and examination.scorer
        scorer: Scorer | None = registry.build("scorers", Spec.parse(spec)) if spec else None
        self._judged = bool(scorer and scorer.by)
        instances = {found.digest: found for found in run.setup.instances}
        self._marking = Marking(run.setup.task, scorer, instances)

    def __call__(self, number: int, answer: Answer) -> bool | None:
        if self._judged:
            return None
        if answer.text is None or not answer.answered:
            return False
        return self._marking.right(self._questions[number], answer, self._expected[number])


class LiveRows(LiveTree):
    """Draws an evaluation, a row for each entry, in the place of the tree."""

    def __init__(self, gauge: Gauge, growth: Growth, run: Run, *, encoding: str) -> None:
        super().__init__(growth, run, encoding=encoding)
        self._gauge = gauge

    def body(self, room: int, width: int, now: float) -> list[Text]:
        lines = [*self._rows(width), Text(), Text(f"  {self._gauge.line()}")]
        return lines[-room:] if room > 0 else []

    def _rows(self, width: int) -> Iterator[Text]:
        asked = [standing for _, standing in self._gauge.asked]
        widest = max((len(standing.name) for standing in asked), default=0)
        name, of = min(widest, max(8, width - 36)), self._gauge.each
        full, rest = ("█", "·") if encodable("█·", self._encoding) == "█·" else ("#", ".")
        bar = min(BAR, width - name - 34)
        for standing in asked:
            done = max(0, bar) * standing.done // of
            line = Text(f"{self._shown(standing.name, name):{name}}  ")
            line.append(f"{standing.done:>7,} of {of:,}  ")
            line.append(full * done, "green")
            line.append(rest * (bar - done), "dim")
            if standing.graded:
                line.append(f"  {100 * standing.right // standing.graded}% right")
            yield line
