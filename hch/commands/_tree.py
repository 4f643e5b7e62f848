"""A run's tree as lines for stdout: the rows of the browser, with guides, all of them open.

    ✓ HCH_2  Which rivers cross …? → The Rhône, …      3↳  1.4k tok  $0.004  2.1 s
    ├─ ✓ HCH_1  (0.1) Which rivers …? → The Rhône

A node that others link to has its id before its question. A tree of few rows is as narrow as these
let it be; of a larger one the rows are made as they are printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from rich.cells import cell_len

from hch.browse.book import Book
from hch.browse.folding import Branch, View
from hch.browse.items import below
from hch.browse.lines import Line, cut, plain
from hch.browse.openness import ALL
from hch.browse.rows import DROPPED, MARKED, WORTH_SHOWING, Figures, Row, line, rows
from hch.browse.timeline import Timeline
from hch.columns import NOBODY
from hch.outline import Outline, subtree
from hch.words import dollars, seconds, tokens

AT_ONCE = 1000
"""Rows that are read and fitted together."""

TEXT = 0.45
"""The part of the width that a row's text has beside the timeline."""

_WIDE = 100_000

Told = tuple[str, Branch, Row]
"""What stands before a row, which it is, and what it says."""


@dataclass(frozen=True, slots=True)
class Tree:
    """All rows of a run of the level `lowest` and above; or those of the node `top` and below.

    `most` is how many rows of roots there are, with what is below them; all where it is None.
    """

    book: Book
    width: int
    lowest: int = 0
    top: int = NOBODY
    most: int | None = None

    @property
    def left(self) -> int:
        """How many roots are in none of the rows."""
        found = below(self.book.outline, NOBODY, self.lowest)[self.most :] if self.most else ()
        return sum(len(item.positions) for item in found if item.kind != "more")

    def lines(self) -> Iterator[Line]:
        """The rows with their figures in columns."""
        told = self._told()
        first = list(islice(told, AT_ONCE))
        room, columns = self._fitted([(lead, row) for lead, _, row in first])
        marked = self.width >= MARKED
        for some in (first, told):
            for lead, _, row in some:
                yield _cut(line(row, lead, room, columns, marked=marked), self.width)

    def timeline(self) -> Iterator[Line]:
        """A scale, and the rows with a bar each for when their node was at work."""
        timeline = Timeline(self.book.outline)
        text = int(self.width * TEXT)
        bars = self.width - text - 1
        took = seconds(timeline.seconds)
        yield [(" " * (text + 1), ""), (f"0 s{took:>{max(0, bars - 3)}}"[:bars], "dim")]
        for lead, branch, row in self._told():
            drawn = cut(line(row, lead, text, (0, 0, 0, 0), marked=False), text)
            if branch.item.kind in {"node", "same"}:
                drawn += [(" ", ""), *timeline.bar(branch.item.node, bars)]
            yield drawn

    def nodes(self) -> Iterator[int]:
        """The nodes that are shown, in id order."""
        outline = self.book.outline
        shown = range(outline.n) if self.top == NOBODY else subtree(outline, self.top)
        return (node for node in shown if outline.level[node] >= self.lowest or node == self.top)

    def _told(self) -> Iterator[Told]:
        figures, linked = Figures(self.book.outline), _linked(self.book.outline)
        guided = _guided(self._branches(), self.width)
        while some := list(islice(guided, AT_ONCE)):
            found = rows(self.book, [branch for _, branch in some], self.width, figures)
            for (lead, branch), row in zip(some, found, strict=True):
                item = branch.item
                named = item.kind in {"node", "same"} and item.node in linked
                name = f"({self.book.outline.id(item.node)}) " if named else ""
                yield lead, branch, replace(row, question=name + row.question) if name else row

    def _branches(self) -> Iterator[Branch]:
        """Every row; of equal siblings only the one that tells of them all."""
        view = View(self.book.outline, lowest=self.lowest)
        if self.top != NOBODY and (branch := view.reveal(self.top)) is not None:
            view.turn(branch, ALL)
            return view.rows(view.number(branch), branch.height)
        roots = view.kids(view.top)[: self.most]
        for branch in roots:
            if branch.item.kind == "node":
                view.turn(branch, ALL)
        return view.rows(0, sum(branch.height for branch in roots))

    def _fitted(self, first: Sequence[tuple[str, Row]]) -> tuple[int, list[int]]:
        """How wide lines are, and each column of figures with two blanks before it."""
        found = self._sizes()
        for column in DROPPED:
            if sum(size + 2 for size in found if size) > self.width // 3:
                found[column] = 0
        columns = [size + 1 if size else 0 for size in found]
        if len(first) == AT_ONCE:
            return self.width, columns
        marked = self.width >= MARKED
        widest = max((_wanted(lead, row, marked=marked) for lead, row in first), default=0)
        return min(self.width, widest + sum(size + 1 for size in columns if size)), columns

    def _sizes(self) -> list[int]:
        """The cells of the longest figure of each column: below, tokens, dollars, seconds."""
        outline, nodes = self.book.outline, list(self.nodes())
        used, spent = {outline.tokens[n] for n in nodes}, {outline.microusd[n] for n in nodes}
        took = [outline.seconds(n) for n in nodes if outline.status[n]]
        worth = max(took, default=0.0) >= WORTH_SHOWING
        most = max((outline.below[n] for n in nodes), default=0)
        told = (
            [f"{most:,}↳"] if most else [],
            map(tokens, filter(None, used)),
            map(dollars, filter(None, spent)),
            map(seconds, took if worth else ()),
        )
        return [max(map(len, column), default=0) for column in told]


def _cut(made: Line, cells: int) -> Line:
    """The line, cut where what stands before its text is too much: that has no wide characters."""
    return made if sum(len(text) for text, _ in made) <= cells else cut(made, cells)


def _wanted(lead: str, row: Row, *, marked: bool) -> int:
    """The cells of a row that nothing is cut from, its figures left out."""
    return cell_len(plain(line(row, lead, _WIDE, (0, 0, 0, 0), marked=marked)).rstrip())


def _guided(branches: Iterable[Branch], width: int) -> Iterator[tuple[str, Branch]]:
    """Each row with the guides before it; as many of these as could be seen."""
    above: list[tuple[Branch, str]] = []
    for branch in branches:
        while above and above[-1][0] is not branch.parent:
            above.pop()
        mine, theirs = ("└─ ", "   ") if branch.last else ("├─ ", "│  ")
        inside = above[-1][1] if above else ""
        yield (inside + mine)[-width:] if above else "", branch
        above.append((branch, (inside + theirs)[-width:] if above else ""))


def _linked(outline: Outline) -> set[int]:
    """The nodes that rows elsewhere point to."""
    end = outline.first[outline.n]
    asked, more = outline.asked, outline.more
    return {
        child
        for position, child in enumerate(outline.child[:end])
        if 0 <= child < outline.n and (asked[child] != position or more[position])
    }
