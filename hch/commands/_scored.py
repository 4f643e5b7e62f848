"""What is said of an evaluation: the page, the JSON, the CSV and the plot of one run."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from hch.commands._terminal import columns, say, say_json, tell
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count, listed, seconds

if TYPE_CHECKING:
    from hch.commands._running import Finished
    from hch.evals.evaluation import Evaluation, Row
    from hch.events import RunStarted
    from hch.trace import Trace

WIDTH = 100
"""Columns where stdout is no terminal."""

HEAD = (
    "row", "player", "depth", "by", "question", "kind", "answer", "status", "reason",
    "right", "nodes", "calls", "tokens", "dollars", "seconds",
)  # fmt: skip

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where an evaluation goes: the page or JSON to stdout, and into files."""

    as_json: bool
    csv: str | None
    draw: Callable[[Sequence[Row]], None]

    @classmethod
    def of(cls, *, as_json: bool, csv: str | None = None, plot: str | None = None) -> Outputs:
        """Raises UsageError for a file in no folder, ConfigError for a missing package."""
        from hch.commands._evaluation_plot import plot as plotted

        if csv is not None and not Path(csv).parent.is_dir():
            raise UsageError(f"--csv {csv}: there is no folder {Path(csv).parent}")
        return cls(as_json, csv, plotted(plot) if plot else lambda _: None)

    def give(self, trace: Trace, status: str) -> Evaluation:
        """Say what an evaluation came to. Raises UsageError where a file cannot be written."""
        found = evaluated(trace)
        if self.csv is not None:
            _write(self.csv, found.rows)
        self.draw(found.rows)
        if self.as_json:
            say_json({**_bill(trace, status), **found.json()})
        else:
            say("\n".join(page(found, trace.started, columns(sys.stdout, WIDTH))))
        return found


def report(finished: Finished, outputs: Outputs, *, quiet: bool) -> None:
    """Say what an evaluation that ended came to, and on stderr what it took."""
    from hch.commands._report import totals, uncertain

    trace = finished.results[0].trace
    found = outputs.give(trace, "finished")
    if not quiet:
        answers = sum(len(row.answers) for row in found.rows)
        figures = f"{count(answers, 'answer')}, {totals(trace)}"
        show = finished.place.command("eval", "show", trace.run)
        said = (f"evaluated: {figures}, {seconds(finished.seconds)}", uncertain(trace), show)
        tell("; ".join(filter(None, said)))


def _bill(trace: Trace, status: str) -> dict[str, Any]:
    """Which run it is, how it ended, and what its calls have cost in all."""
    from hch.commands._report import unknown
    from hch.wire import Amounts

    return {
        "run": trace.run,
        "status": "finished" if trace.finished else status,
        "bill": Amounts.of(trace.bill).model_dump(),
        "cap": Amounts.of(trace.cap).model_dump(),
        "unknown": unknown(trace),
    }


def evaluated(trace: Trace) -> Evaluation:
    """What a run came to. Raises UsageError where it is no evaluation."""
    from hch import registry
    from hch.evals.evaluation import Evaluation

    spec = registry.Spec.parse(trace.started.setup.get("task") or "arithmetic")
    return Evaluation.of(trace, registry.build("tasks", spec))


def _head(found: Evaluation) -> str:
    players = len({row.label for row in found.rows})
    counted = found.scorer and f"scorer {one_line(found.scorer, 60)}"
    said = (
        one_line(found.source, 80),
        count(found.questions, "question"),
        count(players, "player"),
        counted or "",
    )
    return f"{found.run}  {listed(said)}{'; not finished' if found.open else ''}"


def _open(found: Evaluation) -> str:
    """What the rows of an unfinished run are over."""
    of = count(found.questions + found.open, "question")
    if not found.questions:
        return f"no question of {found.open:,} has an answer of every player yet"
    return (
        f"{found.questions:,} of {of}: those that every player finished first, which may be the "
        "easier ones, and are no random sample of all"
    )


def page(found: Evaluation, started: RunStarted, width: int) -> Iterator[str]:
    """The tables, and below them what else there is to say."""
    from hch.commands import _evaluations as tables
    from hch.commands._evaluation_notes import notes

    rows = found.rows
    priced = all(rate is not None for rate in started.rates.values())
    yield from wrapped(_head(found), width)
    if found.open:
        yield from wrapped(_open(found), width)
    if not rows or not rows[0].answers:
        return
    yield ""
    yield from tables.scores(rows, width, priced=priced)
    yield from _titled("What the trees add, in points", tables.trees(rows, width))
    yield from _titled("By level", tables.levels(rows, width, priced=priced))
    yield from _titled("By kind of question", tables.kinds(rows, width))
    said = (line for about, note in notes(rows) for line in wrapped(f"{about}: {note}", width))
    yield from _titled("Beside", said)


def _titled(title: str, lines: Iterator[str]) -> Iterator[str]:
    found = list(lines)
    yield from ["", title, *found] if found else ()


def wrapped(text: str, width: int) -> list[str]:
    """Our own words in lines of so many columns; lines after the first stand under its text."""
    return wrap(text, max(width, 20), subsequent_indent="  ", break_on_hyphens=False)


def _write(path: str, rows: Sequence[Row]) -> None:
    try:
        with Path(path).open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(HEAD)
            writer.writerows(_cells(rows))
    except OSError as error:
        raise UsageError(f"--csv {path} cannot be written: {error.strerror}") from error


def _cells(rows: Sequence[Row]) -> Iterator[list[Any]]:
    for row in rows:
        for given in row.answers:
            spent = given.spent
            unknown = given.status == "answered" and given.right is None
            right = "" if unknown else str(given.right is True).lower()
            texts = (given.question.text.body, given.kind, given.text or "")
            question, kind, answer = map(cell, texts)
            said = (question, kind, answer, given.status, cell(given.reason), right)
            counts = (int(spent.nodes), int(spent.calls), int(spent.tokens))
            cost = (*counts, spent.microusd / 1e6)
            head = (row.number, cell(row.label), row.depth, row.what)
            yield [*head, *said, *cost, f"{given.seconds:.3f}"]


def cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
