"""The screen of one run: its tree, and beside it, or in its place, the node under the cursor."""

from __future__ import annotations

import json
from asyncio import sleep, to_thread
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen

from hch.browse import outside
from hch.browse.book import Book
from hch.browse.canvas import Canvas
from hch.browse.calling import CallScreen
from hch.browse.detail import Detail, call_document
from hch.browse.filters import parse
from hch.browse.following import Following
from hch.browse.lines import Line
from hch.browse.pages import Pages
from hch.browse.prompting import Bar
from hch.browse.searching import Searching
from hch.browse.strips import OneLine
from hch.browse.tree import Tree
from hch.errors import HchError, UsageError
from hch.outline import NOBODY
from hch.safe_text import one_line
from hch.words import count, seconds

WIDE = 100
"""The columns from which on tree and node stand side by side."""


class Reading(Screen[None]):
    """Reads one run; `Bar` asks what to search for, and what to show only."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back"),
        Binding("tab,shift+tab", "pane", "the other pane"),
        *(Binding(str(n), f"tab({n})", f"tab {n}", show=False) for n in range(1, 6)),
        Binding("slash", "search", "search questions, answers, prompts, replies"),
        Binding("n", "hit(1)", "next hit", show=False),
        Binding("N", "hit(-1)", "hit before", show=False),
        Binding("f", "filter", "show only: status, level, cost, model"),
        Binding("L", "follow", "follow a run that is going on, or stop to", show=False),
        Binding("y", "copy", "copy the answer", show=False),
        Binding("Y", "copy_json", "copy the node as JSON", show=False),
        Binding("o", "outside", "open in $PAGER or $EDITOR", show=False),
        Binding("r", "raw", "raw or rendered", show=False),
    ]
    DEFAULT_CSS = """
    Reading Horizontal { height: 1fr; }
    Reading Tree { width: 1fr; }
    Reading Detail { width: 1fr; border-left: solid $panel; }
    Reading.narrow Detail { display: none; border-left: none; }
    Reading.narrow.looking Detail { display: block; }
    Reading.narrow.looking Tree { display: none; }
    """

    def __init__(self, book: Book, node: int = NOBODY) -> None:
        super().__init__()
        self.book = book
        self._node = node
        self.searching = Searching(book)
        self.following = Following(book)
        self.filter = ""

    def compose(self) -> ComposeResult:
        yield OneLine(id="head")
        with Horizontal():
            yield Tree()
            yield Detail()
        yield Bar()
        yield OneLine(id="foot")

    @property
    def tree(self) -> Tree:
        return self.query_one(Tree)

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    def on_mount(self) -> None:
        self.set_class(self.size.width < WIDE, "narrow")
        self.tree.read(self.book)
        self.tree.focus()
        if self._node != NOBODY:
            self.tree.go_to(self._node)
            self.call_after_refresh(self.tree.show)
        self._head()
        self.tell("")
        self._show()
        self.run_worker(self._look, exclusive=True, group="look")
        self.run_worker(self._index, thread=True, group="index")

    def on_unmount(self) -> None:
        self.searching.close()

    # what is on the screen

    def tell(self, text: str) -> None:
        """Say what a key came to, or what the keys are where there is nothing to say."""
        keys = "? keys  / search  f filter  t timeline  q back"
        self.query_one("#foot", OneLine).say([(one_line(text), "")], [(keys, "dim")])

    def _head(self) -> None:
        row, outline, started = self.book.row, self.book.outline, self.book.started
        line: Line = [(one_line(row.run), "bold"), (f"  {one_line(row.status)}", "live")]
        line += [(f"  {outline.n:,} nodes  {seconds(row.seconds)}", "dim")]
        line += [(f"  {one_line(row.question, 200)}", "")]
        right: Line = [("following", "live")] if self.following.on else []
        if self.tree.sort.value != "asked" or self.tree.own:
            whose = "own " if self.tree.own else ""
            right = [*right, (f"  {whose}figures by {self.tree.sort.value}", "warn")]
        if self.filter:
            right = [*right, (f"  only {self.filter}", "warn")]
        assert started
        self.query_one("#head", OneLine).say(line, right)

    def _show(self) -> None:
        if self.detail.display:
            self.detail.show(self.book, self.tree.node if self.tree.node != NOBODY else None)

    @on(Canvas.Moved)
    def _moves(self, event: Canvas.Moved) -> None:
        if event.canvas is self.tree:
            self.call_later(self._show)

    @on(Tree.Told)
    def _hears(self, event: Tree.Told) -> None:
        self.tell(event.text)
        self._head()

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "narrow")
        self.call_after_refresh(self._show)

    # panes

    @on(Tree.Looked)
    def action_look(self) -> None:
        """Go from the tree to the node."""
        self.add_class("looking")
        self._show()
        self.detail.pages.focus()

    @on(Canvas.Opened)
    def _clicks(self, event: Canvas.Opened) -> None:
        if event.canvas is self.tree:
            self.tree.action_turn()

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
        self.tree.focus()

    def action_back(self) -> None:
        if self.looking:
            self._leave()
        elif self.tree.hits or self.filter:
            self._clear()
        else:
            self.dismiss()

    def action_tab(self, number: int) -> None:
        self.action_look()
        self.detail.show(self.book, self._node_or_none(), number - 1)

    def _node_or_none(self) -> int | None:
        return self.tree.node if self.tree.node != NOBODY else None

    @on(Pages.Follow)
    def _follows(self, event: Pages.Follow) -> None:
        self.go_to(event.node)

    def go_to(self, node: int) -> None:
        """Put the cursor on a node, also where a filter hid it."""
        if not self.tree.has(node):
            self._clear()
        self.tree.go_to(node)
        self._show()

    @on(Detail.OpenCall)
    def _opens_call(self, event: Detail.OpenCall) -> None:
        if (node := self._node_or_none()) is not None:
            self.app.push_screen(CallScreen(call_document(self.book, node, event.index)))

    # searching and filtering

    def action_search(self) -> None:
        self.query_one(Bar).ask("search", "search", self.searching.text)

    def action_filter(self) -> None:
        self.query_one(Bar).ask("filter", "show only", self.filter)

    @on(Bar.Left)
    def _gives_up(self) -> None:
        self.tree.focus()

    @on(Bar.Done)
    def _enters(self, event: Bar.Done) -> None:
        bar = self.query_one(Bar)
        try:
            if event.kind == "filter":
                self._filter(event.text)
            else:
                self._search(event.text)
        except HchError as error:
            bar.fail(str(error))
            return
        bar.shut()
        self.remove_class("looking")
        self.tree.focus()

    def _filter(self, text: str) -> None:
        """Raises UsageError where nobody can tell what it means."""
        if not text.strip():
            self._clear()
            return
        wanted = parse(text)
        shown = wanted.apply(self.book.outline)
        n = sum(shown)
        if not n:
            raise UsageError(f"no node is {wanted.describe()}")
        self.filter = text
        self.tree.only(shown)
        self._head()
        self.tell(f"{count(n, 'node')}: {wanted.describe()} (esc shows all)")

    def _search(self, text: str) -> None:
        self.searching.search(text)
        self.tree.hits = self.searching.found
        self.tree.changed()
        if text.strip():
            self.action_hit(1)
        else:
            self.tell("")

    def action_hit(self, way: int) -> None:
        node = self.searching.after(self.tree.node, way)
        if node is not None:
            self.go_to(node)
        more = "" if self.searching.progress >= 1 else f" ({self.searching.progress:.0%} searched)"
        self.tell(self.searching.told(node if node is not None else NOBODY) + more)

    def _clear(self) -> None:
        """Take away a search and a filter."""
        self.filter = ""
        self.searching.search("")
        self.tree.hits = ()
        self.tree.only(None)
        self._head()
        self.tell("")

    def _index(self) -> None:
        try:
            self.searching.index()
        except HchError as error:
            self.app.call_from_thread(self.tell, str(error))

    # a run that is going on

    async def _look(self) -> None:
        """Look for news as long as the screen is there."""
        while True:
            await sleep(self.following.pause)
            if not self.following.on:
                continue
            try:
                outline = await to_thread(self.following.look)
            except HchError as error:
                self.tell(str(error))
                continue
            if outline is not None:
                self.book.outline = outline
                self.tree.grown()
                self._show()
            self.following.on = self.following.on and self.following.running
            self._head()

    def action_follow(self) -> None:
        self.following.on = not self.following.on
        self.tell("following what is written" if self.following.on else "no longer followed")
        self._head()

    # taking texts out

    def action_copy(self) -> None:
        if (node := self._node_or_none()) is not None:
            closed = self.book.node(node).closed
            said = closed and (closed.answer.body if closed.answer else closed.reason)
            self.tell(outside.copy(self.app, said) if said else "it has said nothing yet")

    def action_copy_json(self) -> None:
        if (node := self._node_or_none()) is not None:
            self.tell(outside.copy(self.app, json.dumps(of_node(self.book, node), indent=1)))

    def action_outside(self) -> None:
        if (node := self._node_or_none()) is None:
            return
        self.detail.show(self.book, node)
        self.tell(outside.opened(self.app, self.detail.text()) or "")

    def action_raw(self) -> None:
        self.detail.toggle_raw()
