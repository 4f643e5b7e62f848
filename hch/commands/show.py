"""Shows a run's tree."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import columns, say, say_json

if TYPE_CHECKING:
    from rich.text import Text

    from hch.commands._running import Place
    from hch.keeping import RunRow
    from hch.trace import Trace

WIDTH = 100
"""Columns where stdout is no terminal."""

AT_ONCE = 500
"""Rows that are printed together."""


def build() -> Callable[..., None]:
    return show


def show(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    level: Annotated[
        int, Option(min=0, metavar="N", help="Leave out the nodes below level N.")
    ] = 0,
    width: Annotated[
        int | None, Option(min=20, metavar="N", help="Columns. [the terminal's, else 100]")
    ] = None,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where the run is kept. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, with every figure.")] = False,
) -> None:
    """Show a run's tree: who was asked what, what came back, and what it took.

    ✓ answered, ? unanswered, ✂ truncated, ✗ failed, ⊘ cancelled, … not ended, – refused,
    ↺ shared with a node that stands elsewhere. Figures are the subtree's. A `try` is of the
    question above it, `put` is what another player is asked; (3 of 5) are an answer's votes.

    A run that is still going on is shown as it stands.

    Exit status:
      0  Shown, however the run ended.
      2  There is no such run, or there are several.
      5  The store cannot be read.

    Examples:
      hch show
      hch show 260102 --level 2
      hch show --json | python -m json.tool

    See also:
      hch runs, hch resume
    """
    from hch.commands._running import Place
    from hch.compose import HCH
    from hch.trace import Trace

    check_filled(RUN=run, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        row = find(kept_in, run)
        trace = Trace(kept_in.events(row.run))
    if as_json:
        from hch.commands._figures import as_object

        say_json(as_object(trace, row.status, level))
        return
    _print(_page(trace, row, Place(store), level, width or columns(sys.stdout, WIDTH)))


def _page(trace: Trace, row: RunRow, place: Place, level: int, width: int) -> Iterator[Text]:
    from hch.commands._rows import evaluation, fitted, footer, header, rows_of

    yield header(trace, row, width)
    if "examination" in trace.started.roots:
        yield evaluation(trace, place)
    yield from fitted(rows_of(trace, level, width), width)
    yield from footer(trace, row, place)


def _print(lines: Iterator[Text]) -> None:
    """Print texts as they are, never as markup; coloured where stdout is a terminal."""
    from rich.console import Console
    from rich.text import Text

    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=True)
    if not console.is_terminal:
        say("\n".join(line.plain.rstrip() for line in lines))
        return
    for some in _in_groups(list(lines)):
        with console.capture() as captured:
            console.print(Text("\n").join(some), no_wrap=True, crop=False, overflow="ignore")
        say(captured.get().removesuffix("\n"))


def _in_groups(lines: Sequence[Text]) -> Iterator[Sequence[Text]]:
    for start in range(0, len(lines), AT_ONCE):
        yield lines[start : start + AT_ONCE]
