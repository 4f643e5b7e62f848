"""What stands above and below a run's tree: which run it is, what it took, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hch.browse.book import Book
from hch.browse.lines import Line
from hch.browse.marks import fit
from hch.columns import NOBODY
from hch.commands._budgets import to_go_on
from hch.commands._report import counted, in_doubt, sums
from hch.commands._running import Place
from hch.commands._tree import Tree
from hch.events import RunStarted
from hch.outline import Outline
from hch.roots import evaluates
from hch.safe_text import one_line
from hch.trace import Trace
from hch.words import count, players, seconds

INTERRUPTED = dict.fromkeys(("CancelledError", "KeyboardInterrupt"), "interrupted")
"""What stopped a run, where it gives no reason, in words."""

_BILLED = ("CallIntended", "CallFinished", "CallFailed")
_TURNS = ("RunStarted", "RunStopped", "RunResumed", "RunFinished")


def header(book: Book, width: int) -> Line:
    """Which run, how it ended, who played and what was asked, in one line."""
    started, row = book.started, book.row
    asked = started.count // len(started.roots.get("entries", "-"))
    several = f"{asked} questions, first: " if asked > 1 else ""
    head = f"{one_line(row.run)}  {one_line(row.status)}  {seconds(row.seconds)}"
    who = f"  {one_line(players(started.players), width)}  "
    about = f"  {task}" if (task := one_line(_task(started), width)) else ""
    question = one_line(several + row.question, width)
    return [(head, "bold"), (fit(about + who + question, max(20, width - len(head))), "")]


def examined(book: Book, place: Place) -> Iterator[Line]:
    """That a run is an evaluation, or trees for data, and which command has its figures."""
    n, over = book.started.count, book.row.status not in ("unfinished", "running")
    if evaluates(book.started):
        figures = place.command("eval", "show", book.run)
        yield [(f"an evaluation of {n:,} roots; its figures: {figures}", "warn")]
    elif "examination" in book.started.roots:
        report = f"; its report: {place.command('resume', book.run)}" if over else ""
        yield [(f"{n:,} trees that hch generate made{report}", "warn")]


def unshown(tree: Tree, place: Place) -> Iterator[Line]:
    """How many roots are not shown, and what shows them."""
    if left := tree.left:
        show = "show", tree.book.run
        yield [(f"… and {count(left, 'more root')}; to see them, or some:", "warn")]
        yield [(f"  {place.command('browse', tree.book.run)}", "warn")]
        for options in (("--problems",), ("--node", "ID"), ("--level", "0")):
            yield [(f"  {place.command(*show, *options)}", "warn")]


def _task(started: RunStarted) -> str:
    """`permutation,size=8 88f3a2d3`: the task that was named, and the instance that was meant."""
    known = list(started.roots.get("instances", ()))
    which = count(len(known), "instance") if len(known) > 1 else "".join(known)[:8]
    return " ".join(filter(None, (started.setup.get("task"), which)))


def footer(book: Book, place: Place) -> Iterator[Line]:
    """What it took in all, what is not clean about it, and how to go on where it has not ended."""
    outline, row = book.outline, book.row
    why = blemishes(outline)
    took = sums(book.started, outline.n, outline.totals)
    yield [(f"{took}, {f'not clean: {why}' if why else 'clean'}", "dim")]
    if book.wrong:
        yield [(f"answers known to be wrong: {len(book.wrong):,}", "warn")]
    if unknown := in_doubt(outline.totals.flying, running=row.status == "running"):
        yield [(unknown, "warn")]
    if row.status == "unfinished":
        so_far = _so_far(book)
        stopped = so_far.stopped
        reason = one_line(stopped.reason or stopped.kind, 200) if stopped else "its process ended"
        resume = place.command("resume", row.run, *to_go_on(so_far))
        yield [(f"unfinished ({INTERRUPTED.get(reason, reason)}); {resume}", "warn")]


def _so_far(book: Book) -> Trace:
    """How the run stopped; and its calls, where it stopped for want of what these cost."""
    turns = Trace(book.store.picked(book.run, [1, *book.outline.totals.turns]))
    if turns.stopped is None or turns.stopped.kind != "BillExhausted":
        return turns
    return Trace(book.store.events(book.run, *_TURNS, *_BILLED))


def blemishes(outline: Outline) -> str:
    """Why a tree is not clean, counted: `2 refused, 1 fallback`; empty where it is clean."""
    found: Counter[str] = Counter()
    for node in range(outline.n):
        if (status := outline.state(node)) != "answered":
            found[status] += 1
        for what, column in (("cut", outline.cuts), ("fallback", outline.fallbacks)):
            if column[node]:
                found[what] += column[node]
        found["refused"] += 0  # so that what is equally often is told in the order of a trace
        for position in outline.asks(node):
            if outline.refused[position]:
                found["refused"] += 1 + outline.more[position]
            elif outline.node(position) == NOBODY:
                found["never begun"] += 1
    return counted(found)
