"""Shows the tasks, their instances and questions, and what H does on one question."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, cast

from typer import Argument, Context, Exit, Option, Typer

from hch import registry
from hch.commands._asked import meant, sound
from hch.commands._completion import complete_task
from hch.commands._given import check_filled
from hch.commands._page import group
from hch.commands._terminal import columns, say, say_json
from hch.errors import HchError, UsageError

if TYPE_CHECKING:
    from hch.commands._transcripts import Drawn
    from hch.protocols import Task

WIDTH = 100
"""Columns where stdout is no terminal."""

DEEPEST = 200
"""The highest level that is unrolled here."""

MOST = 200_000
"""How often H works here at most, what is equal once."""

TaskArgument: TypeAlias = Annotated[
    str,
    Argument(
        metavar="TASK",
        help="A task and its options, such as path,size=8.",
        autocompletion=complete_task,
    ),
]
InstanceOption: TypeAlias = Annotated[
    int | None, Option("--instance", min=0, metavar="N", help="Which instance. [0]")
]
SeedOption: TypeAlias = Annotated[
    int, Option("--seed", metavar="S", help="Of all that is random. [0]", show_default=False)
]
JsonOption: TypeAlias = Annotated[bool, Option("--json", help="Print JSON instead.")]


def build() -> Typer:
    return group(task, list=list_, sample=sample, solve=solve)


def task(ctx: Context, as_json: JsonOption = False) -> None:
    """List the tasks, show an instance of one, or what H does on a question; alone it lists them.

    A task is a family of problems with checkable answers: instances, some with facts, a grammar of
    questions, H's script, an oracle that answers primitive questions, and the truth. H never sees
    the facts.

    Exit status:
      0  Shown; of solve, H's answer is right.
      1  H's answer is not right, or there is none.
      2  Wrong use: an unknown task, a size it does not have, a question it cannot read.

    Examples:
      hch task
      hch task sample path,size=8 --instance 3
      hch task solve permutation "s^13(ab)" --instance 7

    See also:
      hch ask, hch plugins tasks, CONTRIBUTING.md
    """
    if ctx.invoked_subcommand is None:
        list_(as_json)


def list_(as_json: JsonOption = False) -> None:
    """List the tasks: what each is, the size of its instances, a question, whether it has facts.

    Examples:
      hch task list
      hch task list --json
    """
    from hch.commands._transcripts import listed

    found = [_about(name) for name in registry.names("tasks")]
    if as_json:
        say_json(found)
        return
    width = columns(sys.stdout, WIDTH)
    say("\n".join(line for row in found for line in listed(row, width)))


def sample(
    task: TaskArgument,
    instance: InstanceOption = None,
    count: Annotated[
        int,
        Option(
            "--count",
            min=0,
            max=1_000_000,
            metavar="K",
            help="How many questions. [5]",
            show_default=False,
        ),
    ] = 5,
    seed: SeedOption = 0,
    facts: Annotated[bool, Option("--facts", help="Show all of its facts, a line each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show an instance of a task: its facts, and questions by the task's law with their answers.

    An instance is told by its number, and is the same one everywhere: hch ask takes that number.

    Examples:
      hch task sample permutation --instance 7
      hch task sample path,size=8 --facts --count 20
      hch task sample unionfind --json
    """
    from hch.commands._transcripts import Drawn, answered, of_task, sampled

    check_filled(TASK=task)
    chosen = _built(task)
    drawn = Drawn.of(chosen, instance or 0)
    about = drawn.instance
    law = _law(drawn, seed, count)
    asked = [(body, chosen.truth(about, chosen.parse(body))) for body in law]
    if as_json:
        rows = [{"question": body, **answered(truth)} for body, truth in asked]
        say_json({**of_task(chosen, drawn), "facts": about.facts, "questions": rows})
        return
    width = columns(sys.stdout, WIDTH)
    say("\n".join(sampled(drawn, asked, width, whole=facts)))


def solve(
    task: TaskArgument,
    question: Annotated[
        str | None, Argument(metavar="QUESTION", help="What H is asked; else the law draws it.")
    ] = None,
    instance: InstanceOption = None,
    depth: Annotated[
        int | None,
        Option(
            "--depth",
            "-d",
            min=0,
            max=DEEPEST,
            metavar="D",
            help="H is the root of HCH_D; else the truth answers its sub-questions.",
        ),
    ] = None,
    errors: Annotated[
        float,
        Option("--errors", metavar="P", help="How often H errs, 0 to 1. [0]", show_default=False),
    ] = 0.0,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Show what H does on one question: all it asks, what it is answered, and its own answer.

    Sub-questions are answered by the truth, or with --depth by HCH_{D-1}, as in hch ask; primitive
    questions by the task's oracle. At the end it says whether H's answer is right. Without QUESTION
    it is the first of hch task sample.

    Exit status:
      0  H's answer is right.
      1  It is not, or there is none.
      2  Wrong use: a question that the task cannot read, or more than 200,000 calls of H.

    Examples:
      hch task solve permutation "s^13(ab)" --instance 7
      hch task solve path --depth 4 --seed 2
      hch task solve wildcard --errors 0.3 --json
    """
    from hch.agents import Query
    from hch.commands._transcripts import Judged, of_task, titled
    from hch.playing import Playing
    from hch.transcript import transcribe

    check_filled(TASK=task, QUESTION=question)
    if not 0 <= errors <= 1:
        raise UsageError(f"--errors {errors}: a rate is 0 to 1")
    chosen = _built(task)
    drawn, body = _asked(chosen, question, instance, seed)
    term = _read(chosen, body)
    about = drawn.instance if drawn else None
    facts = {about.digest: about} if about and chosen.has_facts else {}
    playing, root = Playing(chosen, errors=errors), Query(body, next(iter(facts), None))
    done = transcribe(playing, root, facts, depth=depth, seed=seed, most=MOST)
    truth = chosen.truth(about, term)
    right = truth.answered and chosen.grade(about, term, done.answer)
    judged = Judged(done, truth, right, depth)
    if as_json:
        given = {"depth": depth, "errors": errors, "seed": seed}
        say_json({**of_task(chosen, drawn), **given, **judged.as_object()})
    else:
        width = columns(sys.stdout, WIDTH)
        say("\n".join([titled(chosen, drawn, width), *judged.lines(width)]))
    raise Exit(0 if right else 1)


def _built(spec: str) -> Task:
    return cast("Task", registry.build("tasks", registry.Spec.parse(spec)))


def _asked(
    task: Task, question: str | None, number: int | None, seed: int
) -> tuple[Drawn | None, str]:
    """The instance that a question is about, if it is about any, and the question, or one drawn.

    Raises UsageError.
    """
    from hch.commands._transcripts import Drawn

    if question is None:
        drawn = Drawn.of(task, number or 0)
        return drawn, next(_law(drawn, seed, 1))
    about = meant(task, number or 0 if task.has_facts else number)
    return Drawn(task, about, number or 0) if about else None, sound(question)


def _law(drawn: Drawn, seed: int, count: int) -> Iterator[str]:
    """The first questions about an instance by its task's law."""
    questions = drawn.task.questions(drawn.instance, Random(seed))
    return (question.text.body for question in islice(questions, count))


def _read(task: Task, body: str) -> Any:
    """The term of a question. Raises UsageError with what is wrong."""
    try:
        return task.parse(body)
    except ValueError as error:
        raise UsageError(f"task {task.name!r} cannot read it: {error}") from error


def _about(name: str) -> dict[str, Any]:
    """A task as data; `missing` says why it cannot be built."""
    from hch.commands._transcripts import Drawn

    about: str | None = None
    try:
        about, options = registry.describe("tasks", name)
        task = _built(name)
        [example] = _law(Drawn.of(task, 0), 0, 1)
    except HchError as error:
        return {"name": name, "about": about, "missing": str(error)}
    return {
        "name": name,
        "about": about,
        "size": task.size,
        "facts": task.has_facts,
        "question": example,
        "options": dict(options),
    }
