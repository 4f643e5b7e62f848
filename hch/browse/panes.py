"""A run's tree and, beside it or in its place, the node under the cursor."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen

from hch.browse.book import Book
from hch.browse.branches import Sort
from hch.browse.calling import CallScreen
from hch.browse.canvas import Canvas
from hch.browse.detail import TABS, Detail
from hch.browse.lines import Line
from hch.browse.prompting import Bar
from hch.browse.strips import OneLine
from hch.browse.tree import Tree
from hch.columns import NOBODY
from hch.errors import HchError
from hch.roots import evaluates
from hch.safe_text import one_line
from hch.words import seconds

WIDE = 100
"""The columns from which on tree and node stand side by side."""

UNASKED = {"refused", "queued", "more"}
"""The rows that have no node."""


class Panes(Screen[None]):
    """Shows one run. Where it is narrow the node is a page of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back", show=False),
        Binding("tab,shift+tab", "pane", "the other pane", show=False),
        *(Binding(str(n), f"tab({n})", name.lower(), show=False) for n, name in enumerate(TABS, 1)),
        Binding("r", "raw", "raw or rendered", show=False),
    ]
    DEFAULT_CSS = """
    Panes Horizontal { height: 1fr; }
    Panes Tree { width: 3fr; }
    Panes Detail { width: 2fr; border-left: solid $panel; }
    Panes.narrow Detail { display: none; border-left: none; }
    Panes.narrow.looking Detail { display: block; }
    Panes.narrow.looking Tree { display: none; }
    """

    def __init__(self, book: Book) -> None:
        super().__init__()
        self.book = book
        self.filter = ""
        self._told_at = 0
        self._looked: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield OneLine(id="head", gives_way=True)
        with Horizontal():
            yield Tree()
            yield Detail()
        yield Bar()
        yield OneLine(id="foot")

    @property
    def rows(self) -> Tree:
        return self.query_one(Tree)

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    def tell(self, text: str) -> None:
        """Say what a key came to, or what the keys are where there is nothing to say."""
        keys = "? keys  / search  f filter  t timeline  q back"
        self.query_one("#foot", OneLine).say([(one_line(text), "")], [(keys, "dim")])
        self._told_at = self.rows.cursor

    def head(self) -> None:
        """Say which run it is, how it stands, and in which way it is shown."""
        row = self.book.row
        n, roots = self.book.outline.n, self.book.started.count
        what = "evaluation of " if evaluates(self.book.started) else ""
        several = f"{what}{roots:,} roots, first: " if roots > 1 else ""
        line: Line = [
            (one_line(row.run), "bold"),
            (f"  {one_line(row.status)}", "live"),
            (f"  {n:,} {'node' if n == 1 else 'nodes'}  {seconds(row.seconds)}", "dim"),
            (f"  {several}{one_line(row.question, 200)}", ""),
        ]
        self.query_one("#head", OneLine).say(line, [(text, "warn") for text in self.ways()])

    def ways(self) -> list[str]:
        """In which ways the run is not shown as it is at first."""
        rows = self.rows
        by = f"  by {rows.sort.value}" if rows.sort is not Sort.ASKED else ""
        scale = f"  0 to {seconds(rows.timeline.seconds)}" if rows.timeline else ""
        only = f"  only {one_line(self.filter, 30)}" if self.filter else ""
        return [*filter(None, (only, scale, "  own figures" if rows.own else "", by))]

    def look(self) -> None:
        """Show the node under the cursor, where there is room for it."""
        if self.detail.display:
            branch = self.rows.branch
            detail, wrong = self.detail, self.book.wrong
            shown = self.book.outline, branch, self.node, detail.tab, detail.raw, wrong
            if shown == self._looked:
                return
            self._looked = shown
            try:
                if branch is not None and branch.item.kind in UNASKED:
                    self.detail.show_ask(self.book, *branch.item.positions)
                else:
                    self.detail.show(self.book, self.node)
            except HchError as error:
                self.tell(str(error))

    def fit(self) -> None:
        """Put the node beside the tree where both have room; a timeline has all of it."""
        if self.looking:
            self.add_class("looking")
        self.set_class(self.size.width < WIDE or self.rows.timeline is not None, "narrow")
        self.call_after_refresh(self.look)

    @on(Canvas.Moved)
    def _moves(self, event: Canvas.Moved) -> None:
        if event.canvas is self.rows:
            self.call_later(self.look)
            if self.rows.cursor != self._told_at:
                self.tell("")

    @on(Tree.Told)
    def _hears(self, event: Tree.Told) -> None:
        self.tell(event.text)
        self.head()
        self.fit()

    def on_resize(self, event: Resize) -> None:
        self.fit()

    def action_look(self) -> None:
        """Go from the tree to the node."""
        self.add_class("looking")
        self.look()
        self.set_focus(self.detail.pages)

    @on(Canvas.Opened)
    def _clicks(self, event: Canvas.Opened) -> None:
        if event.canvas is self.rows:
            self.rows.action_turn()

    @property
    def looking(self) -> bool:
        """Whether the node has the focus, not the tree."""
        return self.detail.pages.has_focus

    def action_pane(self) -> None:
        if self.looking:
            self._leave()
        else:
            self.action_look()

    def _leave(self) -> None:
        self.remove_class("looking")
        self.set_focus(self.rows)

    def action_back(self) -> None:
        if self.looking:
            self._leave()
        elif self.rows.hits or self.filter:
            self.clear()
        else:
            self.dismiss()

    def action_tab(self, number: int) -> None:
        if self.has_class("narrow"):
            self.action_look()
        self.detail.show(self.book, self.node, number)

    @property
    def node(self) -> int | None:
        """The node under the cursor."""
        return self.rows.node if self.rows.node != NOBODY else None

    @on(Detail.Follow)
    def _follows(self, event: Detail.Follow) -> None:
        self.go_to(event.node)

    def go_to(self, node: int) -> None:
        """Put the cursor on a node, also where a filter hid it."""
        if not self.rows.has(node):
            self.unfilter()
        self.rows.go_to(node)
        self.look()

    @on(Detail.OpenCall)
    def _opens_call(self, event: Detail.OpenCall) -> None:
        if (node := self.node) is not None:
            self.app.push_screen(CallScreen(self.book, node, event.index, raw=self.detail.raw))

    def clear(self) -> None:
        """Take away what marks some nodes, or hides some."""
        self.rows.hits = ()
        self.unfilter()
        self.tell("")

    def unfilter(self) -> None:
        """Show all nodes again."""
        self.filter = ""
        self.rows.only(None)
        self.head()
        self.look()

    def action_raw(self) -> None:
        self.detail.toggle_raw()
