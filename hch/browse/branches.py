"""The rows of a run's tree on the screen: those that are looked at, with their figures."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from enum import Enum
from itertools import compress

from hch.browse.book import Book
from hch.browse.canvas import Canvas
from hch.browse.folding import Branch, View
from hch.browse.lines import Line, marked
from hch.browse.openness import ALL, CLOSED, Key
from hch.browse.places import Place, find, place
from hch.browse.rows import Figures, Row, line, rows, sizes
from hch.browse.timeline import Timeline
from hch.columns import NOBODY
from hch.outline import Outline

AHEAD = 20
"""So many rows before and after those on the screen are read with them."""

SAID = 40
"""The columns from which on rows say what is a try, or was put to another player."""

TEXT = 0.45
"""The part of the width that a row's text has beside the timeline."""


class Sort(Enum):
    """The orders of siblings."""

    ASKED = "asked"
    COST = "cost"
    TIME = "time"


class Branches(Canvas):
    """Shows a `Book`; the cursor is on the row `branch`, of the node `node`.

    The nodes `hits` are marked.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.book: Book | None = None
        self.view: View | None = None
        self.sort = Sort.ASKED
        self.own = False
        self.timeline: Timeline | None = None
        self.hits: Container[int] = ()
        self.highlight: re.Pattern[str] | None = None
        self._state: dict[Key, int] = {}
        self._whole: View | None = None
        self._shown: bytearray | None = None
        self._sized: tuple[Outline | None, int, tuple[int, ...]] = (None, 0, ())
        self._rows: dict[int, tuple[Branch, Row]] = {}

    @property
    def count(self) -> int:
        return self.view.count if self.view else 0

    @property
    def branch(self) -> Branch | None:
        """The row under the cursor."""
        if self.view is None or not 0 <= self.cursor < self.view.count:
            return None
        return self.view.row(self.cursor)

    @property
    def node(self) -> int:
        """The node under the cursor, or the one that a row is about; `NOBODY` where none is."""
        branch = self.branch
        while branch is not None and branch.item.kind in {"refused", "queued", "more"}:
            branch = branch.parent
        return branch.item.node if branch is not None else NOBODY

    @property
    def outline(self) -> Outline:
        assert self.book is not None
        return self.book.outline

    def read(self, book: Book) -> None:
        """Show a run from its root on."""
        self.book, self._shown, self.hits, self._state = book, None, (), {}
        self.timeline = Timeline(book.outline) if self.timeline else None
        self._whole = None
        self.view = self._made()
        self.view.fill(self.size.height or self.app.size.height - 3)
        self.cursor = 0
        self.changed()

    def _made(self) -> View:
        figures, outline = Figures(self.outline, self.own), self.outline
        rank: Callable[[int], float] | None = None
        if self.sort is Sort.COST:
            rank = lambda node: -figures.weight(node)  # noqa: E731
        elif self.sort is Sort.TIME:
            rank = lambda node: -outline.seconds(node)  # noqa: E731
        if self._shown is None:
            self._whole = View(outline, self._state, rank=rank, before=self._whole)
            return self._whole
        view = View(outline, shown=self._shown, rank=rank)
        for branch in view.kids(view.top):
            view.turn(branch, ALL)
        return view

    def measure(self) -> None:
        """Find how many rows there are when all is open. In any thread."""
        if self._whole is not None:
            self._whole.full  # noqa: B018 - it is remembered

    def again(self) -> None:
        """Make the rows anew, and keep the cursor on its node, where that was on the screen."""
        self._again(self._at())

    def _at(self) -> tuple[Place, int]:
        """What the row under the cursor is known by, and its line on the screen."""
        return place(self.view, self.branch), self.cursor - self.scroll_offset.y

    def _again(self, at: tuple[Place, int]) -> None:
        self.view = self._made()
        branch = find(self.view, at[0])
        self.changed()
        if branch is not None:
            number = self.view.number(branch)
            self.scroll_to(y=max(0, number - at[1]), animate=False, immediate=True, force=True)
            self.cursor = number

    def has(self, node: int) -> bool:
        """Whether a node has a row, where not all have."""
        return self._shown is None or bool(self._shown[node])

    def grown(self, shown: bytearray | None) -> None:
        """The run has grown: its outline is another one. Show only those nodes, if any are said."""
        self.timeline = Timeline(self.outline) if self.timeline else None
        at_end = self.count > 1 and self.cursor == self.count - 1
        self.only(shown)
        if at_end:
            self.action_bottom()

    def only(self, shown: bytearray | None) -> None:
        """Show only those nodes, and their ancestors; all where there is None."""
        outline, at = self.outline, self._at()
        if shown is not None:
            shown = shown[:]
            for node in compress(range(outline.n), bytes(shown)):
                up = outline.parent[node]
                while up != NOBODY and not shown[up]:
                    shown[up] = 1
                    up = outline.parent[up]
        self._shown = shown
        self._again(at)

    def changed(self) -> None:
        self._rows.clear()
        super().changed()

    def line(self, y: int, width: int) -> Line:
        if y not in self._rows:
            self._load(y, width)
        if y not in self._rows:
            return []
        branch, row = self._rows[y]
        assert self.view is not None
        opens = self.view.opens(branch)
        mark = "  " if not opens else "▸ " if branch.state == CLOSED else "▾ "
        is_hit = branch.item.node in self.hits and branch.item.kind in {"node", "same"}
        lead = "  " * branch.depth + (f"{mark[0]}»" if is_hit else mark)
        found = self._drawn(branch, row, lead, width)
        return marked(found, self.highlight) if is_hit and self.highlight else found

    def _drawn(self, branch: Branch, row: Row, lead: str, width: int) -> Line:
        if self.timeline is None:
            return line(row, lead, width, self._columns(width), marked=width >= SAID)
        text = int(width * TEXT)
        bar: Line = []
        if branch.item.kind in {"node", "same"}:
            bar = self.timeline.bar(branch.item.node, width - text - 1)
        said = line(row, lead, text, (0, 0, 0, 0), marked=text >= SAID)
        return [*said, (" ", ""), *bar]

    def _columns(self, width: int) -> tuple[int, ...]:
        if self._sized[:2] != (self.outline, width):
            self._sized = self.outline, width, sizes(self.outline, width)
        return self._sized[2]

    def _load(self, y: int, width: int) -> None:
        """Read the rows round that one."""
        assert self.view is not None
        assert self.book is not None
        start = max(0, y - AHEAD)
        if len(self._rows) > 50 * AHEAD:
            self._rows.clear()
        branches = list(self.view.rows(start, self.size.height + 2 * AHEAD))
        found = rows(self.book, branches, width, Figures(self.outline, self.own))
        for i, pair in enumerate(zip(branches, found, strict=True)):
            self._rows[start + i] = pair

    def go_to(self, node: int) -> bool:
        """Put the cursor on a node, all above it opened; whether it has a row."""
        if self.view is None or not self.has(node):
            return False
        branch = self.view.reveal(node)
        if branch is None:
            return False
        self.changed()
        self.cursor = self.view.number(branch)
        return True
