"""Solutions whose steps people rated, as lines of PRM800K.

Lightman et al. 2023, "Let's Verify Step by Step" (arXiv 2305.20050), github.com/openai/prm800k:

    {"labeler": "…", "timestamp": "…", "question": {"problem": "…", "ground_truth_answer": "…",
     "pre_generated_steps": ["…"]}, "label": {"steps": [{"completions": [{"text": "…",
     "rating": 1, "flagged": false}], "human_completion": null, "chosen_completion": 0}],
     "finish_reason": "solution"}}

Each line is a root. A step is a round of it, the completions in their order and what the person
wrote last; the ratings are their scores, 1 is good and -1 bad. A completion's notes say if it was
`chosen`, written by a `human`, or `flagged`. The root's answer is the path of what was chosen;
where an error was found, the whole solution as it was generated before, which is bad. Any other
that is no `solution` is bad too, and answered by what there is of it: the path, and of a last step
none of which was chosen, the first. The root's notes have what else the line says. Fields that are
not named here are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hch.beginning import reason
from hch.datasets.solutions import CHOSEN
from hch.documents.runs import Solved, Step
from hch.errors import UsageError
from hch.interchange import LONGEST
from hch.jsonl import decoded
from hch.labels import Said
from hch.safe_text import one_line
from hch.wire import Chars

LEVEL = 1
"""Of their trees: a root asks for steps."""

MOST = 1 << 28
"""The most characters that the contexts of a line's steps may have together."""

Rating: TypeAlias = Literal[-1, 0, 1]

_SAID: dict[int | None, Said] = {1: "good", -1: "bad"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class Completion(_Part):
    """A step that was generated, and how it was rated."""

    text: Chars
    rating: Rating | None = None
    flagged: bool | None = None


class Written(_Part):
    """A step that a person wrote."""

    text: Chars


class Rated(_Part):
    """What there was in place of one step, and which of it was followed."""

    completions: list[Completion] | None = None
    human_completion: Written | Chars | None = None
    chosen_completion: Annotated[int, Field(ge=0)] | None = None


class Verdict(_Part):
    """What a person said of a solution."""

    steps: list[Rated]
    finish_reason: Literal["found_error", "solution", "bad_problem", "give_up"] | None = None


class Problem(_Part):
    """What was to be solved."""

    problem: Chars
    ground_truth_answer: Chars | None = None
    pre_generated_steps: list[Chars] | None = None


class Line(_Part):
    """A line of the file."""

    question: Problem
    label: Verdict
    labeler: Chars | None = None
    timestamp: Chars | None = None
    generation: int | None = None


def solved(path: Path) -> Iterator[Solved]:
    """The solutions of a file, in order. Raises UsageError, naming the file and the line."""
    try:
        with path.open("rb") as file:
            number = 0
            while data := file.readline(LONGEST + 1):
                number += 1
                if data.strip():
                    yield _solved(f"{path}, line {number}", data)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _solved(where: str, data: bytes) -> Solved:
    if len(data) > LONGEST:
        raise UsageError(f"{where}: it is longer than {LONGEST:,} bytes")
    try:
        line = Line.model_validate(decoded(data.rstrip(b"\r\n")))
    except ValidationError as error:
        raise UsageError(f"{where}: {one_line(reason(error), 300)}") from error
    except ValueError as error:
        raise UsageError(f"{where}: {one_line(str(error), 300)}") from error
    if not line.question.problem.strip():
        raise UsageError(f"{where}: the problem is empty")
    for number, rated in enumerate(line.label.steps, 1):
        if (rated.chosen_completion or 0) >= len(rated.completions or ()) > 0 or (
            rated.chosen_completion is not None and not rated.completions
        ):
            raise UsageError(
                f"{where}: step {number} has no completion {rated.chosen_completion}, which is "
                "said to be chosen"
            )
    rounds = tuple(filter(None, map(_steps, line.label.steps)))
    if (size := _contexts(line.question.problem, rounds)) > MOST:
        raise UsageError(
            f"{where}: the steps before each of its steps have {size:,} characters together, and "
            f"may have {MOST:,}"
        )
    return _answered(line, rounds)


def _steps(rated: Rated) -> tuple[Step, ...]:
    """What there was in place of a step."""
    found = []
    for place, it in enumerate(rated.completions or ()):
        marks = {CHOSEN: place == rated.chosen_completion, "flagged": bool(it.flagged)}
        notes = tuple(mark for mark, is_so in marks.items() if is_so)
        score = None if it.rating is None else float(it.rating)
        found.append(Step(it.text, _SAID.get(it.rating), score, notes))
    if (human := rated.human_completion) is not None:
        text = human.text if isinstance(human, Written) else human
        notes = ("human",) if rated.chosen_completion is not None else (CHOSEN, "human")
        found.append(Step(text, "good", 1.0, notes))
    return tuple(found)


def _contexts(problem: str, rounds: tuple[tuple[Step, ...], ...]) -> int:
    total, before = 0, len(problem)
    for steps in rounds:
        total += before * len(steps)
        before += sum(len(step.text) for step in steps if CHOSEN in step.notes)
    return total


def _answered(line: Line, rounds: tuple[tuple[Step, ...], ...]) -> Solved:
    """The root: what the steps came to."""
    finish, said = line.label.finish_reason, None
    path = [step.text for steps in rounds for step in steps if CHOSEN in step.notes]
    answer: str | None = None
    if finish == "found_error" and line.question.pre_generated_steps:
        answer, said = "\n".join(line.question.pre_generated_steps), _SAID[-1]
    elif finish == "solution" and path:
        answer, said = "\n".join(path), _SAID[1]
    elif rounds:
        last = [] if any(CHOSEN in step.notes for step in rounds[-1]) else [rounds[-1][0].text]
        answer, said = "\n".join(path + last), _SAID[-1]
    if answer is not None and not answer.strip():
        answer = said = None
    told = {
        "finish_reason": finish,
        "ground_truth_answer": line.question.ground_truth_answer,
        "labeler": line.labeler,
        "timestamp": line.timestamp,
        "generation": line.generation,
    }
    notes = tuple(f"{name}: {value}" for name, value in told.items() if value is not None)
    why = finish or "it does not say how it ended"
    return Solved(line.question.problem, answer, said, why, notes, (), rounds)
