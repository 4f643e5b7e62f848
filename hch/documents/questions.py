"""Files of questions with their answers, as `hch eval --questions` reads them: each is labelled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from hch.documents.runs import Solved
from hch.errors import UsageError
from hch.evals.files import lines

LEVEL = 0
"""Of their trees, which have one node."""


def solved(path: Path) -> Iterator[Solved]:
    """The questions of a file, in order. Raises UsageError, naming the file and the line."""
    with closing(lines(path)) as given:
        for number, line in given:
            if not (line.answer or "").strip():
                raise UsageError(f"{path}, line {number}: there is no answer: add one")
            if line.instance is not None:
                raise UsageError(
                    f"{path}, line {number}: an instance is named, and a file has no task: leave "
                    "it out, or put the question to a task by hch eval --questions"
                )
            notes = (f"kind: {line.kind}",) if line.kind else ()
            yield Solved(line.question, line.answer, "good", "", notes, line.context)
