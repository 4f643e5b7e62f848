"""Plays a finished run once more out of its record, and says whether it comes to the same."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from hch.commands._completion import complete_file, complete_run
from hch.commands._finding import find
from hch.commands._given import check_filled
from hch.commands._terminal import columns, say, say_json, say_raw, tell
from hch.errors import ReplayDivergence, UsageError
from hch.words import count, seconds

if TYPE_CHECKING:
    from hch.keeping import Store
    from hch.trace import Trace

WIDTH = 100
"""Columns where stdout is no terminal."""


def build() -> Callable[..., None]:
    return replay


def replay(
    run: Annotated[
        str | None,
        Argument(
            metavar="RUN",
            help="A run's id, or how it begins; else the newest that is finished.",
            autocompletion=complete_run,
        ),
    ] = None,
    with_prompts: Annotated[
        str | None,
        Option(
            metavar="DIR",
            help="Take the prompts in this folder instead of the run's own.",
            autocompletion=complete_file,
        ),
    ] = None,
    width: Annotated[
        int | None, Option(min=43, metavar="N", help="Columns. [the terminal's, else 100]")
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
    """Play a finished run once more out of its record: nothing is sent, and nothing is changed.

    The same recursion goes over the recorded replies. It prints the answer, of a run of one root,
    where every node comes to the same, to the byte. Else it names the first node that does not,
    and prints what was asked there then and now, side by side: `|` differs, `<` was there only
    then, `>` is there only now.

    With --with-prompts it shows what edited prompts would have changed first. The folder holds
    only those that are edited, under the names of hch prompts list.

    Exit status:
      0  It came to the same.
      2  There is no such run, or it is not finished.
      5  The store cannot be read.
      6  It was made in Python with objects that no command can build.
      7  It diverged.

    Examples:
      hch replay
      hch replay 260102-030405-6789ab --with-prompts my-prompts

    See also:
      hch resume, hch show, hch prompts
    """
    import asyncio

    from hch.commands._running import loop_factory
    from hch.compose import HCH
    from hch.past import Past

    check_filled(RUN=run, with_prompts=with_prompts, store=store)
    begun = perf_counter()
    try:
        with _uncollected(), closing(HCH(store=store).kept_in) as kept_in:
            name = find(kept_in, run).run if run else _finished(kept_in)
            again = Past(kept_in, name).replay(prompts=with_prompts)
            with asyncio.Runner(loop_factory=loop_factory()) as runner:
                trace = runner.run(again.play())
    except ReplayDivergence as error:
        if as_json:
            say_json({"run": name, "same": False, **_divergence(error)})
        else:
            from hch.commands._beside import beside

            titles = ("recorded", "now")
            wide = width or columns(sys.stdout, WIDTH)
            say("\n".join(beside(error.recorded, error.now, titles, wide)))
        raise
    _report(name, trace, perf_counter() - begun, as_json=as_json, quiet=quiet)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector, which would find little: record and tree are kept to the end."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # nor would it find more in what is there now
        gc.enable()


def _report(name: str, trace: Trace, took: float, *, as_json: bool, quiet: bool) -> None:
    answers = [root.answer for root in trace.roots]
    texts = [answer.text.body if answer and answer.text else None for answer in answers]
    calls = sum(len(node.thoughts) for node in trace.nodes())
    nodes = sum(1 for _ in trace.nodes())
    if as_json:
        say_json({"run": name, "same": True, "nodes": nodes, "thinks": calls, "answers": texts})
    elif len(texts) == 1 and texts[0] is not None:
        say_raw(texts[0])
    if not quiet:
        done = f"{count(nodes, 'node')}, {count(calls, 'think')}"
        tell(f"{name} comes to the same, to the byte: {done}, nothing sent, {seconds(took)}")


def _divergence(error: ReplayDivergence) -> dict[str, Any]:
    return {"node": error.node, "why": str(error), "recorded": error.recorded, "now": error.now}


def _finished(store: Store) -> str:
    found = next((r.run for r in store.runs() if r.status not in ("unfinished", "running")), None)
    if found is None:
        raise UsageError(f"no run in {store.place} is finished: make one with hch ask")
    return found
