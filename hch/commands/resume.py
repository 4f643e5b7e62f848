"""Goes on with a run that stopped, and prints the answer as `ask` does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from hch.commands._completion import complete_file, complete_unfinished
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.errors import UsageError

if TYPE_CHECKING:
    from hch.protocols import Store


def build() -> Callable[..., None]:
    return resume


def resume(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest that is unfinished.",
            autocompletion=complete_unfinished,
        ),
    ] = None,
    budget: Annotated[
        str | None,
        Option(metavar="AMOUNTS", help="The run's new cap in all, in the currencies of the old."),
    ] = None,
    store: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="Where the run is kept. [traces/hch.db]",
            autocompletion=complete_file,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Errors only on stderr.")] = False,
) -> None:
    """Go on with a run that stopped: what has a reply is not sent, nor paid, again.

    It goes on as it was set up: with its players, prompts and seed, whatever the configuration and
    the prompt files say by now. A run that some process is still working on is refused. A finished
    one is only read. A call that was under way when the run stopped is sent again, and may be
    charged twice.

    Exit status:
      As of hch ask; also 2 where no run waits, 5 where the run is alive, and 6 where it was made in
      Python with objects that no command can build.

    Examples:
      hch resume
      hch resume 260102-030405-6789ab --budget 5usd

    See also:
      hch runs, hch show, docs/budget.md
    """
    from hch.commands._person import Nobody, at_terminal
    from hch.commands._report import report
    from hch.commands._running import Place, complete
    from hch.compose import HCH
    from hch.safe_text import one_line

    check_filled(RUN=run, budget=budget, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        name = find(kept_in, run).run if run else _unfinished(kept_in)
        person, over = at_terminal(), any(kept_in.events(name, "RunFinished"))
        hch = HCH.recorded(kept_in, name, person=Nobody() if over else person)
        going = hch.resume(name, budget=budget)
        asked = one_line(going.roots[0].text.body, 60)
        notes = () if run or quiet else (f"goes on with {name}: {asked}",)
        place = Place.of(store, kept_in)
        finished = complete(going, place, quiet=quiet, notes=notes, person=person)
        raise Exit(report(finished, as_json=as_json, quiet=quiet))


def _unfinished(store: Store) -> str:
    rows = store.runs()
    found = next((row.run for row in rows if row.status == "unfinished"), None)
    if found is None:
        running = " (one is still running)" if any(row.status == "running" for row in rows) else ""
        raise UsageError(f"no run in {store.place} waits to be resumed{running}")
    return found
