"""Lists the runs of a store, and removes some."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

from typer import Argument, Context, Exit, Option, Typer

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._page import group
from hch.commands._terminal import columns, confirmed, say, say_json, tell
from hch.safe_text import one_line
from hch.words import count, dollars, players, seconds, short

if TYPE_CHECKING:
    from hch.keeping import RunRow

WIDTH = 100
"""Columns where stdout is no terminal."""

QUESTION = 30
"""The columns that a question should have."""

FIGURES = ("nodes", "calls", "tokens", "cost", "time")
DROPPED = ("when", "calls", "time", "cost", "tokens", "players", "nodes", "status")
"""The columns in the order they go."""

StoreOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Where they are kept. [traces/hch.db]",
        autocompletion=complete_file,
    ),
]


def build() -> Typer:
    return group(runs, rm=rm)


def runs(
    ctx: Context,
    store: StoreOption = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, one object a run.")] = False,
) -> None:
    """List the runs that are kept, newest first.

    A run is a question with its tree; its status is that of its root, or unfinished, or running.
    Where the terminal is narrow, columns are left out. --json has all of them, with started in
    seconds since 1970 and cost in millionths of a dollar.

    Exit status:
      0  Listed, also where there are none.
      5  The store cannot be read.

    Examples:
      hch runs
      hch runs --json
      hch runs rm 260102-030405-6789ab

    See also:
      hch show, hch resume, docs/store.md
    """
    check_filled(store=store)
    if ctx.invoked_subcommand:
        return
    from hch.compose import HCH

    with closing(HCH(store=store).kept_in) as kept_in:
        rows = kept_in.runs()
    if as_json:
        say_json([asdict(row) for row in rows])
    elif rows:
        say(_table(rows, columns(sys.stdout, WIDTH)))
    else:
        tell(f"there are no runs in {kept_in.place} yet: make one with hch ask")


def rm(
    names: Annotated[
        list[str],
        Argument(metavar="RUN", help="Ids, or how they begin.", autocompletion=complete_run),
    ],
    store: StoreOption = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove runs and what only they used. A run that is alive stays.

    Exit status:
      0  Removed.
      1  The question whether to remove them was not answered yes.
      2  There is no such run, or nobody is there to be asked.
      5  A run is alive, or the store cannot be written.

    Examples:
      hch runs rm 260102-030405-6789ab
      hch runs rm 260102-03 260102-04 --yes
    """
    from hch.compose import HCH

    check_filled(RUN=names, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        doomed = list(dict.fromkeys(find(kept_in, name).run for name in names))
        what = f"remove {count(len(doomed), 'run')} for good ({', '.join(doomed)})?"
        if not yes and not confirmed(what, "add --yes"):
            raise Exit(1)
        kept_in.remove(doomed)
    tell(f"removed {', '.join(doomed)}")


def _table(rows: list[RunRow], width: int) -> str:
    """One line a run; where it is narrow, columns go until the question has room."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [_cells(row) for row in rows]
    sizes = {t: max(len(t), *(len(row[t]) for row in cells)) for t in cells[0]}
    sizes["players"] = min(sizes["players"], max(12, width // 5))
    titles = [t for t in sizes if any(row[t] for row in cells)]
    for title in filter(titles.__contains__, DROPPED):
        if sum(sizes[t] + 2 for t in titles if t != "question") + QUESTION > width:
            titles.remove(title)
    rest = width - 2 - sum(sizes[t] + 2 for t in titles if t != "question")
    rest = min(rest, max(8, *(cell_len(row["question"]) for row in cells)))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in titles:
        size = max(1, rest) if title == "question" else sizes[title]
        side: Literal["left", "right"] = "right" if title in FIGURES else "left"
        table.add_column(title, width=size, no_wrap=True, overflow="ellipsis", justify=side)
    for row in cells:
        table.add_row(*(Text(row[title]) for title in titles))
    console = Console(width=width, height=25, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(table)
    return captured.get().removesuffix("\n")


def _cells(row: RunRow) -> dict[str, str]:
    return {
        "run": one_line(row.run),
        "when": datetime.fromtimestamp(row.started).astimezone().strftime("%Y-%m-%d %H:%M"),
        "status": one_line(row.status),
        "question": one_line(row.question, 200),
        "players": one_line(players(row.players), 200),
        "nodes": str(row.nodes),
        "calls": str(row.calls),
        "tokens": short(row.tokens),
        "cost": dollars(row.microusd) if row.microusd else "",
        "time": seconds(row.seconds),
    }
