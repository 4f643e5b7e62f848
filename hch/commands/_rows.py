"""A run's tree as rows of text, one node or refusal each, fitted to a width; nothing recurses.

    ✓ HCH_2  Which rivers cross …? → The Rhône, …      3↳  1.4k tok  $0.004  2.1 s

The figures are the subtree's. They go, one column after the other, where it is narrow. A node that
others link to has its id before its question. A vote's answer has its votes before it: `(3 of 5)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.text import Text

from hch.browse.marks import MARKS, fit, share
from hch.commands._budgets import to_go_on
from hch.commands._report import blemishes, flaws, totals, uncertain
from hch.commands._running import Place
from hch.events import RunStarted
from hch.keeping import RunRow
from hch.safe_text import one_line
from hch.trace import Ask, Node, Trace
from hch.words import count, dollars, players, seconds, tokens

DROPPED = (0, 3, 1, 2)
"""The columns of figures (below, tokens, dollars, seconds) in the order they go."""

INTERRUPTED = dict.fromkeys(("CancelledError", "KeyboardInterrupt"), "interrupted")
"""What stopped a run, where it gives no reason, in words."""

MARKED = 60
"""The columns from which on rows say what is a try, or was put to another player."""

REFUSALS = 8
"""The refusals of a node that have rows of their own."""

WORTH_SHOWING = 0.1
"""A tree of which no node took so many seconds is shown without them."""


@dataclass(frozen=True, slots=True)
class More:
    """So many further questions of a node that came to the same, in one row."""

    status: str
    n: int
    said: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line before it is fitted; `figures` are four, some of them empty.

    `how` is `try` or `put`, and empty for a sub-question.
    """

    guide: str
    status: str
    level: str
    question: str
    said: str
    figures: tuple[str, str, str, str] = ("", "", "", "")
    how: str = ""

    def head(self, *, marked: bool) -> str:
        """What stands before the question, with how it was asked if it is to be `marked`."""
        level = f"{self.level} {self.how}" if marked and self.how else self.level
        return f"{MARKS[self.status][0]} {level}  " if level else f"{MARKS[self.status][0]} "


def rows_of(trace: Trace, lowest: int, width: int) -> list[Row]:
    """Every row in asking order; nodes below the level `lowest` are left out."""
    below = _below(trace)
    linked = {
        ask.node.key
        for node in trace.nodes()
        for ask in node.asks
        if ask.node and (ask.shared or ask.more)
    }
    timed = any((node.until or node.at) - node.at >= WORTH_SHOWING for node in trace.nodes())
    rows: list[Row] = []
    for root in trace.roots:
        stack: list[tuple[Node | Row, str, str, str]] = [(root, "", "", "")]
        while stack:
            node, how, guide, inside = stack.pop()
            if isinstance(node, Row):
                rows.append(node)
                continue
            row = _row(node, below[node.key], width, timed=timed)
            name = f"({node.id}) " if node.key in linked else ""
            rows.append(replace(row, guide=guide, question=name + row.question, how=how))
            asks = _few([ask for ask in node.asks if _level(ask, node) >= lowest])
            for ask in reversed(asks):
                mine, theirs = ("└─ ", "   ") if ask is asks[-1] else ("├─ ", "│  ")
                mine, theirs = (inside + mine)[-width:], (inside + theirs)[-width:]
                if isinstance(ask, More):
                    stack.append((_of_more(ask, mine, width), "", "", ""))
                elif ask.node is None or ask.shared:
                    stack.append((_link(ask, mine, _level(ask, node), width), "", "", ""))
                else:
                    stack.append((ask.node, _how(ask), mine, theirs))
    return rows


def fitted(rows: list[Row], width: int) -> Iterator[Text]:
    """The rows as lines of at most `width` cells, their figures in columns."""
    sizes = [max((len(row.figures[i]) for row in rows), default=0) for i in range(4)]
    for column in DROPPED:
        if sum(size + 2 for size in sizes if size) > width // 3:
            sizes[column] = 0
    marked = width >= MARKED
    widest = max((_wanted(row, marked=marked) for row in rows), default=0)
    width = min(width, widest + sum(size + 2 for size in sizes if size))
    for row in rows:
        figures = "".join(
            f"  {figure if len(figure) <= size else '':>{size}}"
            for figure, size in zip(row.figures, sizes, strict=True)
            if size
        )
        yield _line(row, figures, width, marked=marked)


def _line(row: Row, figures: str, width: int, *, marked: bool) -> Text:
    mark, style = MARKS[row.status]
    deepest = width // 9 * 3
    guide = row.guide if len(row.guide) <= deepest else f"⋯{row.guide[-deepest:]}"
    head = row.head(marked=marked)
    room = width - len(guide) - len(head) - len(figures)
    question, said = share(row.question, row.said, room)
    line = Text.assemble((guide, "dim"), (mark, style), (head[1:], "cyan"), question)
    if said:
        line.append(" → ", "dim")
        line.append(said, "bold" if row.status == "answered" else style)
    if figures.strip():
        line.append(" " * max(0, width - line.cell_len - len(figures)))
        line.append(figures, "dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _wanted(row: Row, *, marked: bool) -> int:
    """The cells of a row that nothing is cut from, its figures left out."""
    said = 3 + cell_len(row.said) if row.said else 0
    return len(row.guide) + len(row.head(marked=marked)) + cell_len(row.question) + said


def _row(node: Node, below: int, width: int, *, timed: bool) -> Row:
    spent, took = node.spent, (node.until or node.at) - node.at
    said = ""
    if node.closed is not None:
        said = node.closed.answer.body if node.closed.answer else node.closed.reason
    beside = "; ".join(filter(None, (_votes(node), *flaws(node))))
    return Row(
        "",
        node.status or "open",
        f"HCH_{node.level}",
        one_line(node.opened.question.body, width),
        one_line(f"({beside}) {said}" if beside else said, width),
        (
            f"{below}↳" if below else "",
            tokens(spent.tokens) if spent.tokens else "",
            dollars(spent.microusd) if spent.microusd else "",
            seconds(took) if timed and node.until is not None else "",
        ),
    )


def _link(ask: Ask, guide: str, level: int, width: int) -> Row:
    """A row without a node of its own: a subtree that stands elsewhere, or a refusal."""
    status, said = "refused", ask.refusal or ""
    if ask.node is not None:
        status, said = "shared", f"see {ask.node.id}"
    elif ask.refusal is None:
        status, said = "open", "never begun"
    question, said = one_line(ask.question, width), one_line(said, width)
    return Row(guide, status, f"HCH_{level}", question, said, how=_how(ask))


def _how(ask: Ask) -> str:
    return "" if ask.how == "ask" else ask.how


def _votes(node: Node) -> str:
    """`3 of 5`: the tries that voted for its answer; empty where it comes from no vote."""
    ballot = node.closed.ballot if node.closed and node.status == "answered" else None
    return f"{ballot.votes[0][1]} of {ballot.tries}" if ballot and ballot.votes else ""


def _few(asks: list[Ask]) -> list[Ask | More]:
    """Those that have rows; of many refusals for one reason the first few, and how many more."""
    few: list[Ask | More] = []
    refused = 0
    for ask in asks:
        status, said, more = "refused", ask.refusal or "", ask.more
        if ask.node is not None:
            status, said = "shared", f"see {ask.node.id}"
        refused += ask.refusal is not None
        if ask.refusal is None or refused <= REFUSALS:
            few.append(ask)
        else:
            more += 1
        last = few[-1] if few else None
        if more and isinstance(last, More) and (last.status, last.said) == (status, said):
            few[-1] = replace(last, n=last.n + more)
        elif more:
            few.append(More(status, more, said))
    return few


def _of_more(more: More, guide: str, width: int) -> Row:
    what = "more refused: " if more.status == "refused" else "more, "
    return Row(guide, more.status, "", one_line(f"…and {more.n:,} {what}{more.said}", width), "")


def _level(ask: Ask, asker: Node) -> int:
    return asker.level - 1 if ask.how == "ask" else asker.level


def _below(trace: Trace) -> dict[str, int]:
    """For each node's key the nodes that it and those below it own, itself not counted."""
    below: dict[str, int] = {}
    for node in reversed(list(trace.nodes())):
        below[node.key] = sum(1 + below[child.key] for child in node.children)
    return below


def header(trace: Trace, row: RunRow, width: int) -> Text:
    """Which run, how it ended, who played and what was asked, in one line."""
    asked = trace.started.count // len(trace.started.roots.get("entries", "-"))
    several = f"{asked} questions, first: " if asked > 1 else ""
    head = f"{one_line(row.run)}  {one_line(row.status)}  {seconds(row.seconds)}"
    who = f"  {one_line(players(trace.started.players), width)}  "
    about = f"  {task}" if (task := one_line(_task(trace.started), width)) else ""
    question = one_line(several + row.question, width)
    return Text.assemble((head, "bold"), fit(about + who + question, max(20, width - len(head))))


def evaluation(trace: Trace, place: Place) -> Text:
    """That a run is an evaluation, and which command has its figures."""
    figures = place.command("eval", "show", trace.run)
    return Text(f"an evaluation of {trace.started.count:,} roots; its figures: {figures}", "yellow")


def _task(started: RunStarted) -> str:
    """`permutation,size=8 88f3a2d3`: the task that was named, and the instance that was meant."""
    known = list(started.roots.get("instances", ()))
    which = count(len(known), "instance") if len(known) > 1 else "".join(known)[:8]
    return " ".join(filter(None, (started.setup.get("task"), which)))


def footer(trace: Trace, row: RunRow, place: Place) -> Iterator[Text]:
    """What it took in all, what is not clean about it, and how to go on where it has not ended."""
    why = blemishes(trace)
    yield Text(f"{totals(trace)}, {f'not clean: {why}' if why else 'clean'}", "dim")
    if unknown := uncertain(trace, running=row.status == "running"):
        yield Text(unknown, "yellow")
    if row.status == "unfinished":
        stopped = trace.stopped
        reason = one_line(stopped.reason or stopped.kind, 200) if stopped else "its process ended"
        resume = place.command("resume", row.run, *to_go_on(trace))
        yield Text(f"unfinished ({INTERRUPTED.get(reason, reason)}); {resume}", "yellow")
