"""The evaluations that are kept: lists them, shows one, and compares two rows."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated, TypeAlias

from typer import Argument, Option

from hch.commands._completion import complete_evaluation, complete_file
from hch.commands._given import check_apart, check_filled
from hch.commands._options import OUTPUT, JsonOption
from hch.commands._terminal import columns, say, say_json, tell
from hch.safe_text import one_line

WIDTH = 100
"""Columns where stdout is no terminal."""

StoreOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Where runs are kept. [traces/hch.db]",
        autocompletion=complete_file,
        rich_help_panel=OUTPUT,
    ),
]
CsvOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also write every answer, a line each.",
        autocompletion=complete_file,
        rich_help_panel=OUTPUT,
    ),
]
PlotOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also draw it, as .png, .svg or .pdf; wants hch[plot].",
        autocompletion=complete_file,
        rich_help_panel=OUTPUT,
    ),
]


def list_(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the evaluations that are kept, newest first.

    Exit status:
      0  Listed, also where there are none.
      5  The store cannot be read.

    Examples:
      hch eval list
      hch eval list --json
    """
    from hch.commands._comparisons import evaluations
    from hch.compose import HCH
    from hch.words import count

    check_filled(store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        found = list(evaluations(kept_in))
    if as_json:
        say_json(found)
    elif not found:
        tell(f"there are no evaluations in {kept_in.place} yet: hch eval --task NAME makes one")
    for each in () if as_json else found:
        asked, answers = count(each["questions"], "question"), count(each["answers"], "answer")
        who = ", ".join(each["players"])
        said = (each["run"], each["status"], each["source"], asked, answers, who)
        say("  ".join(one_line(text, 200) for text in said))


def show(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest evaluation.",
            autocompletion=complete_evaluation,
        ),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
    csv: CsvOption = None,
    plot: PlotOption = None,
) -> None:
    """Show an evaluation: the tables that hch eval ends with, also of one that is not finished.

    What not every player has answered yet is left out, and counted.

    Exit status:
      0  Shown.
      2  There is no such evaluation.
      5  The store cannot be read.
      6  A missing package, such as that of --plot.

    Examples:
      hch eval show
      hch eval show 260102 --csv answers.csv --plot accuracy.svg
    """
    from hch.commands._comparisons import find
    from hch.commands._scored import Outputs
    from hch.compose import HCH
    from hch.trace import Trace

    check_filled(RUN=run, store=store, csv=csv, plot=plot)
    outputs = Outputs.of(as_json=as_json, csv=csv, plot=plot)
    with closing(HCH(store=store).kept_in) as kept_in:
        check_apart(kept_in.place, csv=csv, plot=plot)
        row = find(kept_in, run)
        trace = Trace(kept_in.events(row.run))
    outputs.give(trace, row.status)


def compare(
    one: Annotated[
        str, Argument(metavar="A", help="RUN or RUN:ROW.", autocompletion=complete_evaluation)
    ],
    other: Annotated[
        str, Argument(metavar="B", help="RUN or RUN:ROW.", autocompletion=complete_evaluation)
    ],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare two rows of evaluations on the questions that both were asked.

    A row is told by its number in the table, as in 260102:3. Without numbers every row of A is
    compared with the row of B that has the same player and depth.

    The difference is B's accuracy less A's, with an interval of 95% by the bootstrap; p is
    McNemar's, exact: how likely so uneven a split is where both are equally good.

    Exit status:
      0  Compared, whatever came out.
      2  There is no such run or row, or the two share no question.
      5  The store cannot be read.

    Examples:
      hch eval compare 260102-030405-6789ab:1 260102-030405-6789ab:3
      hch eval compare 260102 260103 --json
    """
    from hch.commands._comparisons import lines, pairs
    from hch.compose import HCH

    check_filled(A=one, B=other, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        found = pairs(kept_in, one, other)
    if as_json:
        say_json([pair.json() for pair in found])
    else:
        say("\n".join(lines(found, columns(sys.stdout, WIDTH))))
