"""An iteration as a command goes on with it: its settings, its rows on stderr, its end."""

from __future__ import annotations

import sys
from typing import Any, TextIO, cast

from pydantic import ValidationError
from rich.console import Console
from rich.live import Live
from rich.text import Text

from hch.commands._generations import Rows, plot
from hch.commands._terminal import Narration, columns, mutter, tell
from hch.commands._words import count
from hch.errors import UsageError
from hch.iterate import Iteration
from hch.ledger import Generation, Ledger, Settings
from hch.settings import reason

WIDTH = 100
"""Columns where stderr is no terminal."""


def settled(**given: Any) -> Settings:
    """Settings as typed. Raises UsageError, naming the flag."""
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = error.errors()[0]
        flag = f"--{str(wrong['loc'][0]).replace('_', '-')}"
        raise UsageError(f"{flag} {wrong['input']!r}: {reason(wrong['msg'])}") from error


def flags(settings: Settings) -> list[str]:
    """The flags that say these settings."""
    fields = type(settings).model_fields
    words = ["--task", settings.task]
    for name, value in settings:
        if name != "task" and value != fields[name].default:
            flag = f"--{name.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
    return words


def go(iteration: Iteration, rounds: int, *, quiet: bool) -> None:
    """Make the generations that are missing, with a row for each when it is kept."""
    if quiet:
        for _ in iteration.generations(rounds):
            pass
        return
    before = iteration.ledger.generations
    if before:
        tell(f"{iteration.name} has {count(len(before), 'round')} already")
    table = _Table()
    for made in before:
        table.add(made)
    with table.working_on(len(before) + 1) as live:
        for made in iteration.generations(rounds):
            table.add(made)
            live.update(_round(made.number + 1), refresh=True)
    _say_end(iteration.ledger)


def _round(number: int) -> Text:
    return Text(f"round {number} …", "dim")


class _Table:
    """The rows on stderr, and below them, on a terminal, what is worked on."""

    def __init__(self) -> None:
        width = columns(sys.stderr, WIDTH)
        file = cast(TextIO, Narration())
        self._console = Console(file=file, width=width, highlight=False, emoji=False)
        self._rows: Rows | None = None

    def add(self, made: Generation) -> None:
        if self._rows is None:
            self._rows = Rows(made, self._console.width)
            self._print(self._rows.head)
        self._print(self._rows.row(made))

    def working_on(self, number: int) -> Live:
        """Leaves stdout and stderr as they are: what is drawn is drawn on stderr itself."""
        return Live(
            _round(number),
            console=self._console,
            transient=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)


def _say_end(ledger: Ledger) -> None:
    made = ledger.generations
    encoding = (sys.stderr and sys.stderr.encoding) or "utf-8"
    mutter(f"{plot(made, columns(sys.stderr, WIDTH), encoding)}\n")
    if refused := [str(each.number) for each in made if not each.taken]:
        tell(f"not taken, since worse: round {', '.join(refused)}")
    how = "all is right" if ledger.is_over else "the rounds are over"
    tell(f"{how} after {count(len(made), 'round')}; again: hch iterate show {ledger.name}")
