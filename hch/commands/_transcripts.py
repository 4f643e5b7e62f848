"""Tasks, their instances and transcripts of H, as lines of text and as JSON-like data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from hch.browse.marks import fit, share
from hch.playing import drawn
from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Instance
from hch.transcript import Transcript
from hch.types import Answer
from hch.words import count

SAYS_ALL = "the question says all"


@dataclass(frozen=True, slots=True)
class Drawn:
    """An instance of a task, and the number by which it was drawn."""

    task: Task
    instance: Instance
    number: int

    @classmethod
    def of(cls, task: Task, number: int) -> Drawn:
        """That instance of a task. Raises UsageError where it has none of its size."""
        return cls(task, drawn(task, number), number)


def titled(task: Task, drawn: Drawn | None, width: int) -> str:
    """Which task, and which instance of it if there is one."""
    if drawn is None:
        return fit(task.name, width)
    instance = f"instance {drawn.number} ({drawn.instance.digest[:8]})"
    return fit(f"{task.name}, {instance}, size {task.size}", width)


def of_task(task: Task, drawn: Drawn | None) -> dict[str, Any]:
    """A task, and an instance of it if there is one, as data."""
    return {
        "task": task.name,
        "size": task.size,
        "instance": drawn and drawn.number,
        "digest": drawn and drawn.instance.digest,
    }


def listed(found: Mapping[str, Any], width: int) -> tuple[str, str]:
    """A line for a task, and one for its instances and a question, or for what it lacks."""
    if "missing" in found:
        more = f"not usable: {found['missing']}"
    else:
        facts = "facts" if found["facts"] else "no facts"
        more = f"size {found['size']}, {facts}, such as {found['question']}"
    first = f"{found['name']:11}  {one_line(found['about'] or '')}".rstrip()
    return fit(first, width), f"{'':13}{fit(one_line(more), width - 13)}"


def sampled(
    drawn: Drawn, asked: Sequence[tuple[str, Answer]], width: int, *, whole: bool
) -> Iterator[str]:
    """An instance: its facts, and questions with their answers."""
    yield titled(drawn.task, drawn, width)
    yield from _facts(drawn, width, whole=whole)
    yield from (put(body, truth, width) for body, truth in asked)


def _facts(drawn: Drawn, width: int, *, whole: bool) -> Iterator[str]:
    """The facts by kind: the first of each and how many there are, or the whole of them."""
    if not drawn.task.has_facts:
        yield f"no facts: {SAYS_ALL}"
        return
    known = drawn.instance.facts
    for kind, value in (known if isinstance(known, dict) else {"facts": known}).items():
        title = one_line(str(kind))
        if not isinstance(value, list):
            yield one_line(f"{title} {value}", None if whole else width)
        elif whole:
            yield from (one_line(f"{title} {_fact(fact)}") for fact in value)
        else:
            yield _first_of(title, value, width)


def _first_of(title: str, values: list[Any], width: int) -> str:
    """As many facts as there is room for, and how many there are in all."""
    end = f" … {len(values)} in all"
    line = title
    for i, value in enumerate(values):
        longer = f"{line}{',' if i else ''} {one_line(_fact(value), width)}"
        rest = "" if i == len(values) - 1 else f",{end}"
        if cell_len(longer) + len(rest) > width:
            return fit(f"{line},{end}" if i else f"{line}{end}", width)
        line = longer
    return line


def _fact(fact: Any) -> str:
    return " ".join(map(str, fact)) if isinstance(fact, list) else str(fact)


def put(question: str, answer: Answer, width: int) -> str:
    """`s^13(ab) → de`, in so many cells; what is no answer says so."""
    asked, said = share(one_line(question, width), one_line(_said(answer), width), width)
    return f"{asked} → {said}"


def _said(answer: Answer) -> str:
    return answer.text.body if answer.answered and answer.text else _unsaid(answer)


def _unsaid(answer: Answer) -> str:
    return f"{answer.status}: {answer.reason}" if answer.reason else answer.status


@dataclass(frozen=True, slots=True)
class Judged:
    """What H did on a question, with what is true; `depth` None: the truth answered H."""

    transcript: Transcript
    truth: Answer
    right: bool
    depth: int | None

    def lines(self, width: int) -> Iterator[str]:
        """Q, then each Qi with who answered it and what, then A and whether it is right."""
        done = self.transcript
        who = "the truth" if self.depth is None else f"HCH_{self.depth - 1}"
        names = ["oracle" if line.primitive else who for line in done.lines]
        verdict = "right" if self.right else "wrong" if done.answer.answered else done.answer.status
        first = len(f"Q{len(names)}") + 2
        second = max(map(len, (verdict, *names))) + 2
        margin, room = " " * (first + second), width - first - second
        yield f"{'Q':{first}}{margin[first:]}{fit(one_line(done.question, width), room)}"
        for i, (name, line) in enumerate(zip(names, done.lines, strict=True), 1):
            question = line.question if line.again is None else f"{line.question} again"
            yield f"{f'Q{i}':{first}}{name:{second}}{put(question, line.answer, room)}"
        yield f"{'A':{first}}{verdict:{second}}{fit(one_line(self._end(), width), room)}"

    def _end(self) -> str:
        """H's answer, or why there is none; the truth, where it is another; what HCH_D took."""
        answer, true = self.transcript.answer, self.truth
        body = answer.text.body if answer.answered and answer.text else ""
        other = "so is" if self.right else "it is" if true.answered else "the truth is"
        known = "" if _said(answer) == _said(true) else f"{other} {_said(true)}"
        calls = count(self.transcript.calls, "call") + " of H" if self.depth is not None else ""
        return "; ".join(filter(None, (body, known, calls, "" if body else answer.reason)))

    def as_object(self) -> dict[str, Any]:
        done = self.transcript
        lines = [
            {
                "question": line.question,
                "again": line.again,
                "round": line.round,
                "primitive": line.primitive,
                **answered(line.answer),
            }
            for line in done.lines
        ]
        return {
            "question": done.question,
            "asked": lines,
            **answered(done.answer),
            "right": self.right,
            "truth": self.truth.text.body if self.truth.answered and self.truth.text else None,
            "calls": done.calls,
        }


def answered(answer: Answer) -> dict[str, Any]:
    """An answer as data."""
    body = answer.text.body if answer.answered and answer.text else None
    return {"status": answer.status, "answer": body, "reason": answer.reason}
