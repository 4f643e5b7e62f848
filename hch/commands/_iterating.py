"""An iteration as a command goes on with it: its settings, its rows on stderr, its end."""

from __future__ import annotations

import sys
from typing import Any

from pydantic import ValidationError

from hch.commands._generations import Rows, plot
from hch.commands._terminal import columns, is_drawn_on, mutter, tell
from hch.errors import UsageError
from hch.iterate import Iteration
from hch.ledger import Generation, Ledger, Settings
from hch.settings import reason
from hch.words import count

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


def flags(settings: Settings, name: str | None = None) -> list[str]:
    """The flags that say these settings, and the name where it is another than theirs."""
    fields = type(settings).model_fields
    words = ["--task", settings.task]
    for field, value in settings:
        if field != "task" and value != fields[field].default:
            flag = f"--{field.replace('_', '-')}"
            words += [flag] if value is True else [flag, str(value)]
    return [*words, "--name", name] if name and name != settings.name else words


def go(iteration: Iteration, rounds: int, again: str) -> None:
    """Make the generations that are missing, each told when it is kept; `again` shows all."""
    before = iteration.ledger.generations
    if before:
        tell(f"{iteration.name} has {count(len(before), 'round')} already")
    table = _Table()
    for made in before:
        table.add(made)
    table.work_on(len(before) + 1)
    try:
        for made in iteration.generations(rounds):
            table.add(made)
            table.work_on(made.number + 1)
    finally:
        table.erase()
    _say_end(iteration.ledger, again)


class _Table:
    """The rows on stderr, and where that is a terminal, a line below them that comes and goes."""

    def __init__(self) -> None:
        self._width = columns(sys.stderr, WIDTH)
        self._drawn = is_drawn_on(sys.stderr)
        self._rows: Rows | None = None

    def add(self, made: Generation) -> None:
        self.erase()
        if self._rows is None:
            self._rows = Rows(made, self._width)
            mutter(f"{self._rows.head}\n")
        mutter(f"{self._rows.row(made)}\n")

    def work_on(self, number: int) -> None:
        if self._drawn:
            mutter(f"round {number} …")

    def erase(self) -> None:
        if self._drawn:
            mutter("\r\x1b[K")


def _say_end(ledger: Ledger, again: str) -> None:
    made = ledger.generations
    encoding = (sys.stderr and sys.stderr.encoding) or "utf-8"
    mutter(f"{plot(made, columns(sys.stderr, WIDTH), encoding)}\n")
    if refused := sum(not each.taken for each in made):
        tell(f"not taken, since worse: {count(refused, 'round')}")
    how = "all is right" if ledger.is_over else "the rounds are over"
    shown = f"again: {again}" if again else "it was kept in memory, and is gone now"
    tell(f"{how} after {count(len(made), 'round')}; {shown}")
