"""The iterations that are kept: lists them, shows one, and removes one."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import Annotated, TypeAlias

from typer import Argument, Exit, Option

from hch.commands._completion import complete_file, complete_iteration
from hch.commands._given import check_apart, check_filled
from hch.commands._terminal import columns, confirmed, say, say_json, tell
from hch.errors import StoreError
from hch.safe_text import one_line
from hch.words import count

WIDTH = 100
"""Columns where there is no terminal."""

StoreOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Where generations are kept. [traces/hch.db]",
        autocompletion=complete_file,
    ),
]
JsonOption: TypeAlias = Annotated[bool, Option("--json", help="Print the ledger as JSON instead.")]
PlotOption: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="Also draw it, as .png, .svg or .pdf; wants hch[plot].",
        autocompletion=complete_file,
    ),
]


def list_(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """List the iterations that are kept.

    Exit status:
      0  Listed, also where there are none.
      5  The store, or a ledger in it, cannot be read.

    Examples:
      hch iterate list
      hch iterate list --json
    """
    from hch.commands._generations import percent
    from hch.compose import HCH
    from hch.iterate import names, read

    check_filled(store=store)
    ledgers, damaged = [], []
    with closing(HCH(store=store).kept_in) as kept_in:
        for name in names(kept_in):
            try:
                ledgers.append(read(kept_in, name))
            except StoreError as error:
                damaged.append(str(error))
    if as_json:
        say_json([ledger.model_dump(mode="json") for ledger in ledgers])
    elif not ledgers and not damaged:
        tell(f"there are no iterations in {kept_in.place} yet: hch iterate --task NAME makes one")
    for ledger in () if as_json else ledgers:
        right = percent(ledger.standing.learned) if ledger.standing else "nothing yet"
        rounds = count(len(ledger.generations), "round")
        say("  ".join(map(one_line, (ledger.name, rounds, right, ledger.model))))
    for fault in damaged:
        tell(fault)
    if damaged:
        raise Exit(5)


def show(
    name: Annotated[
        str, Argument(metavar="NAME", help="What it is kept as.", autocompletion=complete_iteration)
    ],
    store: StoreOption = None,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show an iteration: a row for each generation, why it was taken or not, and a plot.

    Exit status:
      0  Shown.
      2  There is no such iteration.
      5  The store cannot be read.
      6  A missing package, such as that of --plot.

    Examples:
      hch iterate show permutation-1a2b3c4d
      hch iterate show permutation-1a2b3c4d --plot permutation.svg
    """
    from hch.commands._generations import lines
    from hch.commands._iterating import flags
    from hch.commands._plot import ledger_figure
    from hch.commands._running import Place
    from hch.compose import HCH
    from hch.iterate import read

    check_filled(NAME=name, store=store, plot=plot)
    draw = ledger_figure(plot)
    with closing(HCH(store=store).kept_in) as kept_in:
        check_apart(kept_in.place, plot=plot)
        ledger, place = read(kept_in, name), Place.of(store, kept_in)
    draw(ledger)
    if as_json:
        say_json(ledger.model_dump(mode="json"))
        return
    again = place.command("iterate", *flags(ledger.settings, name))
    say(one_line(f"{ledger.name}: {again}", 1000))
    for line in lines(ledger.generations, columns(sys.stdout, WIDTH)):
        say(line)
    for made in ledger.generations:
        if made.is_worse:
            say(one_line(f"round {made.number}: {made.why}"))
    say(one_line(f"X is {ledger.model}"))


def rm(
    name: Annotated[
        str, Argument(metavar="NAME", help="What it is kept as.", autocompletion=complete_iteration)
    ],
    store: StoreOption = None,
    yes: Annotated[bool, Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an iteration, with all its generations. Runs that asked one of them stay.

    Exit status:
      0  Removed.
      1  The question whether to remove it was not answered yes.
      2  There is no such iteration, or nobody is there to be asked.
      5  A process is at it, or the store cannot be written.

    Examples:
      hch iterate rm permutation-1a2b3c4d --yes
    """
    from hch.compose import HCH
    from hch.iterate import check_known, remove

    check_filled(NAME=name, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        check_known(kept_in, name)
        if not yes and not confirmed(f"remove iteration {name} for good?", "add --yes"):
            raise Exit(1)
        remove(kept_in, name)
    tell(f"removed {name}")
