"""What `hch eval` and `hch generate` were asked for, put together, and what it may cost."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hch.budget import UNLIMITED
from hch.commands._asked import BUILT_IN, notices, plays
from hch.commands._evaluating import named
from hch.commands._foreseen import Foreseen, foresee
from hch.commands._scored import WIDTH
from hch.commands._settings import check_in_force
from hch.commands._terminal import columns, say, say_json
from hch.compose import HCH
from hch.errors import UsageError
from hch.evals.contest import Contest, Contestant
from hch.evals.questions import Sheet
from hch.examination import Entry, Examination
from hch.protocols import Scorer, Task
from hch.run import Run
from hch.safe_text import one_line
from hch.words import count

QUESTIONS = 100
"""Of a task, where nobody says how many."""

MOST = 10_000
"""The most numbers that a flag names."""

_NUMBERS = re.compile("([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Drawn:
    """The flags that say which questions are asked, as typed."""

    questions: str | None
    count: int | None
    instances: str | None
    sizes: str | None


@dataclass(frozen=True, slots=True)
class Asked(Drawn):
    """The flags of an evaluation that are no fields of `HCH`, as typed."""

    scorer: str | None
    players: Sequence[str]
    strategy: str | None
    depths: str


@dataclass(frozen=True, slots=True)
class Examined:
    """A run of many questions that can begin; `told` is what is to be noted of who answers."""

    sheet: Sheet
    hch: HCH
    entries: tuple[Entry, ...]
    examination: Examination
    told: Sequence[str]

    def begin(self) -> Run:
        """The run. Raises UsageError without a budget where it costs money."""
        self._check_budget()
        sheet = self.sheet
        return self.hch.examine(
            sheet.questions, self.entries, self.examination, instances=sheet.instances
        )

    def notes(self) -> list[str]:
        """What is told when it begins: who answers, and what it will come to if that costs."""
        costs = any(not model.by_hand for line in self.hch.lineups for model in line.models())
        return [*self.told, *([self.foreseen().line] if costs else ())]

    def foreseen(self) -> Foreseen:
        """What it will come to. Nothing is sent."""
        names = named(self.entries, self.examination.labels, self.hch.lineups)
        return asyncio.run(foresee(self.hch, self.sheet, self.entries, names))

    def say_foreseen(self, *, as_json: bool) -> None:
        """Print what `--dry-run` prints."""
        found = self.foreseen()
        if as_json:
            say_json(found.json())
        else:
            say("\n".join(found.page(columns(sys.stdout, WIDTH))))

    def _check_budget(self) -> None:
        hch = self.hch
        if _typed(hch) is None and hch.cap[0] != UNLIMITED:
            answers = len(self.sheet.questions) * sum(e.grades is None for e in self.entries)
            raise UsageError(
                f"{answers:,} answers cost money, and nothing says how much they may: give them a "
                "--budget, such as 2usd; --dry-run says what they come to"
            )


def examined(asked: Asked, given: Mapping[str, Any]) -> Examined:
    """The evaluation that flags ask for; `given` are fields of `HCH`.

    Raises UsageError and ConfigError for what cannot be.
    """
    scorer, depths = asked.scorer, numbers(asked.depths, "depths")
    if asked.players and asked.strategy:
        raise UsageError("--player and --strategy both say how H answers: leave one of them out")
    first = HCH(strategy=asked.strategy, **given)
    players = asked.players or [_own(first, given.get("model"))]
    contest = Contest([Contestant.parse(p, first.config.player) for p in players], depths, scorer)
    hch = contest.hch(**given)
    check_in_force(hch)
    built_in = not asked.players and first.casting.built_in
    told = [BUILT_IN.format(plays(first))] if built_in else []
    sheet = sheet_of(asked, hch, contest.compared_by)
    if asked.questions is None and contest.compared_by:
        _check_scorer(hch.casting.task, sheet, contest.compared_by)
    entries = contest.entries
    check_parts(hch, len(sheet.questions), entries)
    return Examined(sheet, hch, entries, contest.examination(sheet), [*told, *notices(hch)])


def _typed(hch: HCH) -> str | None:
    """The budget as it was given."""
    return hch.budget or hch.config.file.defaults.budget


def check_parts(hch: HCH, questions: int, entries: Sequence[Entry]) -> None:
    """Raises UsageError for a cap whose parts are less than a token or a micro-dollar."""
    if hch.each is not None:
        return
    cap, roots = hch.cap[0], questions * len(entries)
    asked = sum(entry.grades is None for entry in entries)
    answers = count(questions * asked, "answer")
    grades = " and its grade" if len(entries) > asked else ""
    for name, amount in (("tokens", cap.tokens), ("micro-dollars", cap.microusd)):
        if (part := 0.9 * amount / roots) < 1:
            raise UsageError(
                f"the budget {_typed(hch)} gives each of {answers}{grades} {part:.1g} {name}, and "
                "nobody answers for less than one: give more, or ask for fewer answers"
            )


def _own(first: HCH, model: str | None) -> str:
    """Who answers where no player is named, as `hch ask` has it: STRATEGY@MODEL."""
    recipe = first.casting.recipe()
    strategy, thinks = first.strategy or recipe["strategy"], model or recipe["model"]
    if not isinstance(strategy, str) or "@" in strategy or not thinks:
        return str(strategy)
    return f"{strategy}@{thinks}"


def sheet_of(asked: Drawn, hch: HCH, scorer: Scorer | None = None, *, told: bool = True) -> Sheet:
    """The questions that are asked for; unless they have to be `told`, a file may lack answers.

    Raises UsageError where there are none, or too few.
    """
    task = hch.chosen.task
    if asked.questions is not None:
        if asked.instances or asked.sizes:
            raise UsageError("--instances and --sizes are of a task, and --questions has its own")
        known = hch.casting.task if task else None
        return Sheet.of_file(Path(asked.questions), known, scorer, count=asked.count, told=told)
    if task is None:
        raise UsageError(
            "there is nothing to ask: name a --task, of those that hch task list shows, or a file "
            "of --questions"
        )
    return Sheet.of_task(
        hch.casting.task,
        task,
        asked.count or QUESTIONS,
        numbers(asked.instances, "instances") if asked.instances else (),
        hch.chosen.seed,
        sizes=numbers(asked.sizes, "sizes") if asked.sizes else (),
    )


def _check_scorer(task: Task, sheet: Sheet, scorer: Scorer) -> None:
    """Raises UsageError where the scorer cannot read the first right answer of a task."""
    facts = {instance.digest: instance for instance in sheet.instances}
    for question in sheet.questions:
        truth = task.truth(facts.get(question.instance or ""), task.parse(question.text.body))
        if truth.text is None:
            continue
        if scorer.form(truth.text.body) is None:
            right = one_line(truth.text.body, 60)
            raise UsageError(
                f"the scorer cannot read {right!r}, an answer of the task {task.name}, so that "
                "nothing would be right: name another --scorer, or none"
            )
        return


def numbers(text: str, flag: str) -> tuple[int, ...]:
    """`0-2,4` as 0, 1, 2, 4. Raises UsageError for what is none, and for too many."""
    found: dict[int, None] = {}
    for part in text.split(","):
        read = _NUMBERS.fullmatch(part.strip())
        if read is None:
            raise UsageError(f"--{flag} {text!r}: write numbers, such as 0-4 or 0,2,4")
        span = range(int(read[1]), int(read[2] or read[1]) + 1)
        if not span or len(found) + len(span) > MOST:
            raise UsageError(f"--{flag} {text!r}: these are not 1 to {MOST:,} numbers")
        found |= dict.fromkeys(span)
    return tuple(found)
