"""The questions of an evaluation and what they expect: a draw by a task's law, or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice, zip_longest
from pathlib import Path
from random import Random
from sys import intern
from typing import cast

from hch import registry
from hch.cases import Case, Cases
from hch.errors import UsageError
from hch.evals import MOST
from hch.evals.files import Line, lines
from hch.evals.marking import form
from hch.playing import drawn
from hch.protocols import Scorer, Task
from hch.registry import Spec
from hch.safe_text import one_line
from hch.steps import Instance
from hch.types import Question, Text, digest

_DRAWS = 20
"""How many instances are looked at for each question wanted, where each is one question."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """Questions with the answers they expect, None where the task's truth says it, and their kinds.

    `source` says where they are from, `instances` are those that some question is about, and
    `seed` is that of the draw.
    """

    source: str
    questions: tuple[Question, ...]
    expected: tuple[str | None, ...]
    kinds: tuple[str, ...]
    instances: tuple[Instance, ...] = ()
    seed: int = 0

    @classmethod
    def of_task(
        cls,
        task: Task,
        source: str,
        count: int,
        instances: Sequence[int] = (),
        seed: int = 0,
        *,
        sizes: Sequence[int] = (),
    ) -> Sheet:
        """So many different questions by the task's law, as many of each instance and each size.

        `source` is the task's spec, and `instances` are numbers, by default the first: of a task
        whose instance is one question, as many as it takes. Where an instance or a size has no
        more questions, the others give more. Raises UsageError where all of them give too few.
        """
        tasks = [_of_size(source, size) for size in sizes] or [task]
        several = [draw for each in tasks for draw in _draws(each, source, count, instances, seed)]
        for size in (-(-count // len(several)), count):
            questions: list[Question] = []
            kinds: list[str] = []
            about: dict[str, Instance] = {}
            for case in islice(_in_turn([draw.cases(size) for draw in several]), count):
                questions.append(_asked(case))
                kinds.append(intern(task.kind(case.term)))
                if case.query.instance:
                    about[case.instance.digest] = case.instance
            if len(questions) == count:
                break
        else:
            raise UsageError(
                f"{source} gives only {len(questions):,} different questions here, and {count:,} "
                "are wanted: ask for fewer, or name more --instances or --sizes"
            )
        return cls(
            source=source,
            questions=tuple(questions),
            expected=(None,) * count,
            kinds=tuple(kinds),
            instances=tuple(about.values()),
            seed=seed,
        )

    def sampled(self, k: int) -> Sheet:
        """Each question `k` times in a row, as independent samples of it; as it is for 1.

        Raises UsageError where that is more than can be.
        """
        if k == 1:
            return self
        check_samples(len(self.questions), k)
        again = (question.again(i) for question in self.questions for i in range(k))
        return replace(
            self,
            questions=tuple(again),
            expected=tuple(answer for answer in self.expected for _ in range(k)),
            kinds=tuple(kind for kind in self.kinds for _ in range(k)),
        )

    @classmethod
    def of_file(
        cls,
        path: Path,
        task: Task | None = None,
        scorer: Scorer | None = None,
        *,
        count: int | None = None,
        told: bool = True,
    ) -> Sheet:
        """The first so many questions of a file, .jsonl or .csv (`hch.evals.files`); or all.

        `task` is what tells the kind of those that it can read and that name none, the right answer
        to those without one, and the instance where one is named by number; `scorer` is what
        compares answers, and must be able to read those expected. Unless they have to be `told`,
        right answers may be missing. Raises UsageError, naming the file and the line.
        """
        with closing(lines(path)) as given:
            first_lines = islice(given, count or MOST + 1)
            found = [_Read(path, n, line, task, scorer) for n, line in first_lines]
        for read in found if told else ():
            read.check_told()
        _check_count(path, len(found), count)
        first: dict[tuple[object, ...], int] = {}
        for read in found:
            if (before := first.setdefault(read.key, read.number)) != read.number:
                raise UsageError(
                    f"{path}, line {read.number}: the question is that of line {before}: "
                    "leave one of them out"
                )
        about = {read.instance.digest: read.instance for read in found if read.instance}
        return cls(
            source=str(path),
            questions=tuple(read.question for read in found),
            expected=tuple(read.expected for read in found),
            kinds=tuple(read.kind for read in found),
            instances=tuple(about.values()),
        )


def check_samples(questions: int, samples: int) -> None:
    """Raises UsageError where so many samples of each question are more than can be put."""
    if (roots := questions * samples) > MOST:
        raise UsageError(
            f"{samples:,} samples of {questions:,} questions are {roots:,} trees, and a run "
            f"has {MOST:,} at most: ask for fewer questions, or fewer samples of each"
        )


@dataclass(frozen=True, slots=True)
class _Draw:
    """Questions of one instance of a task; or of many that are one question each."""

    task: Task
    source: str
    numbers: Sequence[int]
    seed: int

    def cases(self, size: int) -> Iterator[Case]:
        """At most so many different ones."""
        found: set[str] = set()
        for number in self.numbers:
            about = digest(self.seed, self.source, self.task.size, number)
            for case in Cases(self.task, [number]).drawn(size, Random(about)):
                if len(found) < size and case.query.body not in found:
                    found.add(case.query.body)
                    yield case
            if len(found) == size:
                return


def _draws(
    task: Task, source: str, wanted: int, instances: Sequence[int], seed: int
) -> list[_Draw]:
    if task.has_facts:
        return [_Draw(task, source, [number], seed) for number in instances or (0,)]
    return [_Draw(task, source, instances or range(_DRAWS * wanted), seed)]


def _of_size(source: str, size: int) -> Task:
    """The task of that spec at another size. Raises UsageError where it has no such option."""
    spec = Spec.parse(source)
    options = {**dict(spec.options), "size": str(size)}
    sized = Spec(spec.name, spec.arg, tuple(options.items()))
    return cast(Task, registry.build("tasks", sized))


def _in_turn(draws: Sequence[Iterator[Case]]) -> Iterator[Case]:
    """One of each in turn, each question once."""
    seen = set()
    for case in chain.from_iterable(zip_longest(*draws)):
        if case is not None and case.query not in seen:
            seen.add(case.query)
            yield case


def _asked(case: Case) -> Question:
    return Question(Text(case.query.body, "task"), instance=case.query.instance)


def _check_count(path: Path, found: int, wanted: int | None) -> None:
    if not found:
        raise UsageError(f"{path} has no questions: write one to a line")
    if found < (wanted or 0):
        raise UsageError(
            f"{path} has only {found:,} of the {wanted:,} questions wanted: ask for fewer"
        )
    if found > MOST:
        raise UsageError(
            f"{path} has more than {MOST:,} questions, the most there can be: ask for the first of "
            "them by --count"
        )


class _Read:
    """A line of a file as a question, under the task and the scorer of the run."""

    def __init__(
        self, path: Path, number: int, line: Line, task: Task | None, scorer: Scorer | None
    ) -> None:
        self.number = number
        self.line = line
        self._where = f"{path}, line {number}"
        self._task = task
        self.instance = self._named()
        name = path.name
        context = tuple(Text(text, f"document:{name}", False) for text in line.context)
        about = self.instance.digest if self.instance else None
        self.question = Question(Text(line.question), context, about)
        self.expected = self._expected(scorer)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two lines the same question."""
        return self.line.question, tuple(self.line.context), self.question.instance

    @property
    def kind(self) -> str:
        term = self._term()
        if self.line.kind or self._task is None or term is None:
            return self.line.kind
        return self._task.kind(term)

    def _named(self) -> Instance | None:
        if self.line.instance is None:
            return None
        if self._task is None or not self._task.has_facts:
            raise UsageError(
                f"{self._where}: an instance is named, and there is no task with facts: say which, "
                "such as --task permutation, or leave it out"
            )
        return drawn(self._task, self.line.instance)

    def _expected(self, scorer: Scorer | None) -> str | None:
        answer = self.line.answer or ""
        if answer.strip():
            if form(scorer, answer) is None:
                raise UsageError(
                    f"{self._where}: the scorer cannot read the answer {one_line(answer, 80)!r}, "
                    "so that nothing would be right: write it otherwise, or name another scorer"
                )
            return answer
        return None

    def check_told(self) -> None:
        """Raises UsageError where neither the line nor the task tells the right answer."""
        if self.expected is None and self._term() is None:
            raise UsageError(
                f"{self._where}: there is no answer, and no task that could tell it: add an answer"
            )

    def _term(self) -> object:
        try:
            return self._task.parse(self.line.question) if self._task else None
        except ValueError:
            return None
