"""Checks where runs are kept, copies it, and makes it smaller."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, TypeAlias

from typer import Argument, Context, Exit, Option, Typer

from hch import registry
from hch.commands._completion import complete_file
from hch.commands._given import check_filled
from hch.commands._page import group
from hch.commands._terminal import say, say_json, tell
from hch.errors import StoreError, UsageError
from hch.safe_text import one_line
from hch.settings import is_spec
from hch.words import count

PlaceOption: TypeAlias = Annotated[
    str | None,
    Option(
        "--store",
        metavar="FILE",
        help="Where runs are kept. [traces/hch.db]",
        autocompletion=complete_file,
    ),
]


def build() -> Typer:
    return group(store, check=check, backup=backup, vacuum=vacuum)


def store(ctx: Context, place: PlaceOption = None) -> None:
    """Say where runs are kept and how many; see also check, backup and vacuum.

    Exit status:
      0  Done, and nothing is wrong.
      2  Wrong use, such as a backup where a file is.
      5  The store is not well, or cannot be read or written.

    Examples:
      hch store
      hch store check
      hch store backup runs-copy.db
      hch store vacuum

    See also:
      hch runs, hch doctor, docs/store.md
    """
    check_filled(store=place)
    if ctx.invoked_subcommand:
        return
    from hch.compose import HCH

    with closing(HCH(store=place).kept_in) as kept_in:
        say(f"{one_line(kept_in.place)}  {count(len(kept_in.runs()), 'run')}")


def check(
    place: PlaceOption = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Read all that is kept and say what is wrong with it, a line for each fault.

    Every event of every run is read, every text and reply that one refers to, and the list of
    runs is compared with what they come to. hch doctor takes a quicker look. Nothing is changed.

    Exit status:
      0  Nothing is wrong.
      5  Something is wrong, or the store cannot be read.

    Examples:
      hch store check
      hch store check --store runs-copy.db
      hch store check --json
    """
    from hch.compose import HCH

    check_filled(store=place)
    with closing(HCH(store=place).kept_in) as kept_in:
        faults = kept_in.check(deep=True)
        runs = 0 if faults else len(kept_in.runs())
        kept = bool(runs or (not faults and kept_in.shelf()))
    if as_json:
        say_json({"place": kept_in.place, "well": not faults, "runs": runs, "faults": faults})
    for fault in () if as_json else faults:
        say(one_line(fault))
    if faults:
        raise Exit(StoreError.exit_code)
    if not as_json:
        well = f"nothing is wrong with {kept_in.place}: {count(runs, 'run')}, every event read"
        tell(well if kept else f"there are no runs in {kept_in.place}")


def backup(
    file: Annotated[
        str,
        Argument(metavar="FILE", help="Not there yet.", autocompletion=complete_file),
    ],
    place: PlaceOption = None,
) -> None:
    """Copy all that is kept into a new file, also while runs are written.

    The copy is a store: --store FILE reads it, and a run in it can be gone on with. It has all that
    was kept when it was begun, and its name when it is whole.

    Exit status:
      0  Copied.
      2  There is such a file already, or nothing to copy.
      5  The store cannot be read, or the copy cannot be made.

    Examples:
      hch store backup runs-copy.db
      hch runs --store runs-copy.db
    """
    from hch.compose import HCH

    check_filled(FILE=file, store=place)
    if is_spec(file, registry.names("stores")):
        raise UsageError(f"{file!r} is a store's spec: name the new file alone")
    to = Path(file)
    with closing(HCH(store=place).kept_in) as kept_in:
        kept_in.backup(to)
    tell(f"copied {kept_in.place} to {file}")


def vacuum(place: PlaceOption = None) -> None:
    """Give the room of removed runs back to the disk.

    That takes as much room again while it goes on, and no run may be going on.

    Exit status:
      0  Done, also where there was nothing to give back.
      5  A run is alive, another process holds the store, or it cannot be written.

    Examples:
      hch runs rm 260102-03 --yes && hch store vacuum
    """
    from hch.compose import HCH

    check_filled(store=place)
    with closing(HCH(store=place).kept_in) as kept_in:
        before, after = kept_in.vacuum()
    tell(f"{kept_in.place} took {before:,} bytes, and takes {after:,}")
