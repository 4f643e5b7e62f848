"""Walks the tree of a run on the whole screen."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import is_drawn_on, is_terminal
from hch.errors import UsageError

if TYPE_CHECKING:
    pass


def build() -> Callable[..., None]:
    return browse


def browse(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest.",
            autocompletion=complete_run,
        ),
    ] = None,
    node: Annotated[
        str | None, Option(metavar="ID", help="Open this node, as hch show --json names it.")
    ] = None,
    theme: Annotated[
        str | None,
        Option(
            metavar="dark|light",
            help="The colours. [dark]",
            autocompletion=lambda: ["dark", "light"],
        ),
    ] = None,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where the runs are kept. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
) -> None:
    """Walk a run's tree: who was asked what, what was sent, what came back, what it cost.

    A hundred thousand nodes open in a second, and a run that is still going on grows on the
    screen. The key ? shows what every key does, ctrl-p finds an action by its name, q leaves.

    Environment:
      PAGER, EDITOR  What the key o opens a text in: the first that is set, else less.
      NO_COLOR  Set to anything, it takes the colours away.

    Exit status:
      0  Left.
      2  There is no such run, or several, or no terminal to draw on.
      5  The store cannot be read.
      129, 130, 143  Stopped by a signal.

    Examples:
      hch browse
      hch browse 260102 --theme light

    See also:
      hch show, hch runs, docs/browse.md
    """
    from hch.compose import HCH

    check_filled(RUN=run, node=node, theme=theme, store=store)
    if theme not in (None, "dark", "light"):
        raise UsageError(f"no theme is called {theme}: it is dark or light")
    _check_terminal()
    with closing(HCH(store=store).kept_in) as kept_in:
        row = find(kept_in, run)
        from hch.browse.app import Browser

        code = Browser(kept_in, row.run, theme=theme, node=node).leave()
    if code:
        raise Exit(code)


def _check_terminal() -> None:
    """Raises UsageError where no screen can be drawn, or nobody types."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        raise UsageError("hch browse needs a terminal, for stdin, stdout and stderr: use hch show")
    if not is_drawn_on(sys.stdout):
        raise UsageError("hch browse cannot draw on this terminal, as TERM has it: use hch show")
