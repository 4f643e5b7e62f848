"""Goes on with a run that stopped, and prints the answer as `ask` does, or what it came to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit, Option

from hch.commands._completion import complete_file, complete_unfinished
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import confirmed, tell
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.words import count

if TYPE_CHECKING:
    from hch.commands._running import Finished
    from hch.keeping import RunRow, Store
    from hch.run import Run

LISTED = 10
"""How many calls of unknown outcome are named."""


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
    retry_failed: Annotated[
        bool, Option("--retry-failed", help="Try calls again that were given up.")
    ] = False,
    ask: Annotated[
        bool, Option("--ask", help="Ask before calls of unknown outcome are sent again.")
    ] = False,
    force: Annotated[
        bool, Option("--force", help="Go on also where something is not as it was.")
    ] = False,
    cache: Annotated[
        bool | None,
        Option("--cache/--no-cache", help="Take equal replies of other runs. [as at the start]"),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Errors only on stderr.")] = False,
) -> None:
    """Go on with a run that stopped: what has a reply is not sent, nor paid, again.

    It goes on as it was set up, with its players, prompts and seed. Where hch, a prompt file, or
    what an alias or a default stands for is another by now, it says so and sends nothing, unless
    there is --force; so it does with a run that was imported. A run that some process is still
    working on is refused. A finished one is only read.

    An evaluation ends with its tables, as hch eval does, trees for data with the report of hch
    generate; any other run of several questions with a line of JSON for each answer.

    A call that was under way when the run stopped has an unknown outcome: it is listed, counted at
    its worst case, and sent again once. A call that was given up stays a failure, unless there is
    --retry-failed, which also opens a finished run again.

    Exit status:
      As of hch ask; also 1 where --ask was not answered yes, 2 where no run waits or something is
      not as it was, 5 where the run is alive, and 6 where it was made in Python with objects that
      no command can build.

    Examples:
      hch resume
      hch resume 260102-030405-6789ab --budget 5usd
      hch resume 260102 --retry-failed

    See also:
      hch runs, hch show, hch replay, docs/recovery.md
    """
    from hch.commands._person import at_terminal
    from hch.commands._running import Place, complete
    from hch.compose import HCH
    from hch.past import Past

    check_filled(RUN=run, budget=budget, store=store)
    with closing(HCH(store=store).kept_in) as kept_in:
        row = find(kept_in, run) if run else _unfinished(kept_in, retry_failed=retry_failed)
        with kept_in.live(row.run):  # whoever works on it is told of before anything else is
            pass
        past, person = Past(kept_in, row.run), at_terminal()
        over = row.status not in ("unfinished", "running") and not retry_failed
        flags = () if over else _agreed(row.run, past.changes(person), force=force)
        hch = past.hch(person=person, cache=cache, sends=not over)
        going = hch.resume(row.run, budget=budget, retry_failed=retry_failed)
        if going.resumed and not going.resumed.over:
            _tell_unknown(going, ask=ask, quiet=quiet)
        asked = one_line(going.plan.questions[0].text.body, 60)
        notes = () if run or quiet else (f"goes on with {row.run}: {asked}",)
        place = Place.of(store, kept_in)
        finished = complete(going, place, quiet=quiet, notes=notes, person=person, again=flags)
        raise Exit(_said(going, finished, as_json=as_json, quiet=quiet))


def _said(run: Run, finished: Finished, *, as_json: bool, quiet: bool) -> int:
    """Print what a run came to, by what it asked; the exit code."""
    if run.plan.generates:
        from hch.commands import _generated

        return _generated.report(run, finished, as_json=as_json, quiet=quiet)
    if run.plan.examination is not None:
        from hch.commands import _scored

        outputs = _scored.Outputs.of(as_json=as_json)
        _scored.report(finished, outputs, quiet=quiet)
        return 0
    from hch.commands._report import report, report_all

    if run.plan.count == 1:
        return report(finished, as_json=as_json, quiet=quiet)
    return report_all(finished, as_json=as_json, quiet=quiet)


def _agreed(name: str, changes: list[str], *, force: bool) -> tuple[str, ...]:
    """Tell what is not as it was; the flags that pass over it.

    Raises UsageError where that is not to be passed over.
    """
    for change in changes:
        tell(f"run {name}: {change}")
    if changes and not force:
        raise UsageError(
            f"run {name} is not as it was when it was started, and nothing was sent: add --force "
            "to go on with what it was started with, or ask anew"
        )
    return ("--force",) if changes else ()


def _tell_unknown(run: Run, *, ask: bool, quiet: bool) -> None:
    """List the calls of unknown outcome. Raises Exit where somebody does not want them again."""
    from hch.commands._report import lost

    assert run.resumed is not None
    people = {name for name, model in run.setup.models.items() if model.by_hand}
    calls = [c for c in lost(run) if c[1].model not in people]
    if not calls:
        return
    what = "of unknown outcome, counted at its worst case, is"
    many = "of unknown outcome, counted at their worst case, are"
    head = f"{count(len(calls), 'call')} {what if len(calls) == 1 else many}"
    if ask or not quiet:
        tell(f"{head} sent again:")
        for node, intent in calls[:LISTED]:
            tell(f"  node {node}, attempt {intent.attempt}: {one_line(intent.question, 60)}")
        if len(calls) > LISTED:
            tell(f"  and {len(calls) - LISTED} more")
    if ask and not confirmed("send what may have been paid already again?", "leave --ask out"):
        tell("nothing was sent, and nothing changed")
        raise Exit(1)


def _unfinished(store: Store, *, retry_failed: bool) -> RunRow:
    rows = store.runs()
    found = next((row for row in rows if row.status == "unfinished"), None)
    if found is None:
        running = " (one is still running)" if any(row.status == "running" for row in rows) else ""
        named = "; name the finished one that is to be tried again" if retry_failed else ""
        raise UsageError(f"no run in {store.place} waits to be resumed{running}{named}")
    return found
