"""A file of answers as finished runs, which are shown, exported and learned from like any other.

    root  the question, answered with the answer of the file
      0.1 the first step: what was rated in place of it is asked in the same round
      0.2 …

Nobody played such a run, so it can be neither resumed nor replayed: `RunStarted.setup` names the
`document` that it was read from. Many roots are several runs, since a run begins with all its
questions. A run's id is made of what is in it: the same file gives the same runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf

from hch import __version__
from hch.budget import Price
from hch.datasets.solutions import CHOSEN, STEP
from hch.events import (
    Asked,
    Event,
    NodeClosed,
    NodeOpened,
    Record,
    RootOpened,
    RunFinished,
    RunStarted,
)
from hch.labels import Label, Said
from hch.roots import Plan
from hch.safe_text import one_line
from hch.types import Question, Status, Text, digest, sha
from hch.wire import Amounts, Words

PLAYER = "document"
"""Who plays where nobody did."""

MOST = 1000
"""The roots of a run."""

LARGE = 1 << 22
"""The characters of a run, unless one root has more."""

LONGEST = 80
"""The characters that are kept of a file's name."""

FREE = Amounts.of(Price(inf, inf, inf, inf))


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a solution, or another in its place; `notes` say if it was `chosen`."""

    text: str
    said: Said | None = None
    score: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Solved:
    """A question with its answer, or with why there is none, and its steps by rounds."""

    question: str
    answer: str | None
    said: Said | None = None
    reason: str = ""
    notes: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    rounds: tuple[tuple[Step, ...], ...] = ()

    @property
    def size(self) -> int:
        """Its characters."""
        texts = (self.question, self.answer or "", *self.context)
        return sum(map(len, texts)) + sum(len(s.text) for steps in self.rounds for s in steps)


@dataclass(frozen=True, slots=True)
class Document:
    """A run that is to be made of a file: which file, its questions, and how high its trees are."""

    run: str
    name: str
    solved: tuple[Solved, ...]
    level: int

    def records(self, at: float) -> Iterator[Record]:
        """Its events, all of that time, in Unix seconds."""
        for seq, event in enumerate(self._events(), 1):
            yield Record(run=self.run, seq=seq, at=at, event=event)

    def labels(self, at: float) -> Iterator[Label]:
        """What the file says of its nodes."""
        by = f"file:{self.name}"
        for index, solved in enumerate(self.solved):
            if solved.said:
                yield Label(key=self._key(index), by=by, at=at, said=solved.said)
            for key, step, _, _ in self._steps(index, solved):
                if step.said or step.score is not None:
                    yield Label(key=key, by=by, at=at, said=step.said, score=step.score)

    def _events(self) -> Iterator[Event]:
        questions = [self._question(solved) for solved in self.solved]
        yield RunStarted(
            version=__version__,
            setup={"depth": self.level, "document": self.name},
            players=(PLAYER,) * (self.level + 1),
            prompts={},
            seed=0,
            roots=Plan(questions).kept(()),
            count=len(questions),
            grant=FREE,
            cap=FREE,
        )
        for index, solved in enumerate(self.solved):
            key = self._key(index)
            yield RootOpened(index=index, key=key, question=sha(solved.question))
            yield self._opened(key, self.level, questions[index])
            yield from self._below(index, solved)
            nodes = 1 + sum(map(len, solved.rounds))
            yield self._closed(key, solved.answer, solved.reason, solved.notes, nodes)
        yield RunFinished(statuses=dict(Counter(_status(each.answer) for each in self.solved)))

    def _below(self, index: int, solved: Solved) -> Iterator[Event]:
        for slot, (key, step, round_, before) in enumerate(self._steps(index, solved), 1):
            context = tuple(self._text(text) for text in (solved.question, *before))
            question = Question(self._text(STEP), context)
            yield Asked(
                parent=self._key(index),
                slot=slot,
                round=round_,
                question=Words.of(question.text),
                child=key,
            )
            yield self._opened(key, 0, question)
            said = step.text if step.text.strip() else None
            yield self._closed(key, said, "the step is empty", step.notes, 1)

    def _steps(
        self, index: int, solved: Solved
    ) -> Iterator[tuple[str, Step, int, tuple[str, ...]]]:
        """Each step with its key, its round, and those that were chosen before it."""
        before: tuple[str, ...] = ()
        for round_, steps in enumerate(solved.rounds, 1):
            for place, step in enumerate(steps):
                yield digest(self.run, index, round_, place), step, round_, before
            before += tuple(step.text for step in steps if CHOSEN in step.notes)

    def _key(self, index: int) -> str:
        return digest(self.run, index)

    def _text(self, body: str, *, trusted: bool = True) -> Text:
        return Text(body, f"document:{self.name}", trusted)

    def _question(self, solved: Solved) -> Question:
        context = tuple(self._text(text, trusted=False) for text in solved.context)
        return Question(self._text(solved.question), context)

    def _opened(self, key: str, level: int, question: Question) -> NodeOpened:
        return NodeOpened(
            key=key,
            level=level,
            wrapper=0,
            player=PLAYER,
            question=Words.of(question.text),
            context=tuple(map(Words.of, question.context)),
            instance=None,
            sample=(),
            grant=FREE,
        )

    def _closed(
        self, key: str, answer: str | None, reason: str, notes: tuple[str, ...], nodes: int
    ) -> NodeClosed:
        return NodeClosed(
            key=key,
            status=_status(answer),
            answer=None if answer is None else Words.of(self._text(answer)),
            reason=reason if answer is None else "",
            notes=notes,
            spent=Amounts.of(Price(nodes=nodes)),
        )


def documents(kind: str, file: str, level: int, solved: Iterable[Solved]) -> Iterator[Document]:
    """The runs of a file's questions, in order; `kind` begins their ids, and `file` names it."""
    name = one_line(file, LONGEST)
    some: list[Solved] = []
    size = 0
    for each in solved:
        if some and (len(some) == MOST or size + each.size > LARGE):
            yield _document(kind, name, level, some)
            some, size = [], 0
        some.append(each)
        size += each.size
    if some:
        yield _document(kind, name, level, some)


def _document(kind: str, name: str, level: int, solved: list[Solved]) -> Document:
    parts = [
        [s.question, s.answer, s.said, s.reason, s.notes, s.context,
         [[[t.text, t.said, t.score, t.notes] for t in steps] for steps in s.rounds]]
        for s in solved
    ]  # fmt: skip
    return Document(f"{kind}-{digest(name, level, parts)[:12]}", name, tuple(solved), level)


def _status(answer: str | None) -> Status:
    return "unanswered" if answer is None else "answered"
