"""The pane that shows one node: tabs, and the document of the one that is open."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Click
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from hch.browse.about import lineage_blocks, question_blocks
from hch.browse.asking import part_blocks
from hch.browse.blocks import Block, Row
from hch.browse.book import Book
from hch.browse.calls import call_blocks
from hch.browse.canvas import drawn
from hch.browse.document import Document
from hch.browse.happened import event_blocks
from hch.browse.lines import STYLES, Line, cut, width
from hch.browse.pages import Pages
from hch.browse.unasked import ask_blocks, asker_of
from hch.columns import NOBODY

TABS = ("Question", "Sub-questions", "Calls", "Events", "Lineage")


class Tabs(Widget, can_focus=False):
    """One line that names the tabs; brackets are round the one that is open."""

    DEFAULT_CSS = "Tabs { height: 1; background: $panel; color: $foreground; }"
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{name}" for name in STYLES if name}

    class Chosen(Message):
        """A tab was clicked, by its number from 1."""

        def __init__(self, tab: int) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self) -> None:
        super().__init__()
        self.tab = 1
        self._ends: list[int] = []

    def choose(self, tab: int) -> None:
        self.tab = tab
        self.refresh()

    def render_line(self, y: int) -> Strip:
        room = self.size.width
        line = self._line(short=False)
        if width(line) > room:
            line = self._line(short=True)
        return drawn(self, cut(line, room), room)

    def _line(self, *, short: bool) -> Line:
        """All tabs; where it is narrow, the others as their numbers."""
        line: Line = []
        self._ends = []
        for n, name in enumerate(TABS, 1):
            if n == self.tab:
                line.append((f"[{n} {name}]", "bold"))
            else:
                line.append((f" {n} " if short else f" {n} {name} ", "dim"))
            self._ends.append(width(line))
        return line

    def on_click(self, event: Click) -> None:
        found = [n for n, end in enumerate(self._ends, 1) if event.x < end]
        if found:
            self.post_message(self.Chosen(found[0]))


class Detail(Vertical):
    """One node in tabs."""

    DEFAULT_CSS = """
    Detail Pages { height: 1fr; }
    """

    class Follow(Message):
        """A line that leads to a node was opened."""

        def __init__(self, detail: Detail, node: int) -> None:
            super().__init__()
            self.detail, self.node = detail, node

    class OpenCall(Message):
        """A call's heading was opened: the node's call number `index`, from 0."""

        def __init__(self, detail: Detail, index: int) -> None:
            super().__init__()
            self.detail, self.index = detail, index

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.tab = 1
        self.raw = False
        self.tabs, self.pages = Tabs(), Pages()
        self._book: Book | None = None
        self._asks: tuple[int, ...] = ()
        self._of = ("", 0)
        self._shown: tuple[str, int, int] | None = None
        self._left: dict[tuple[str, int, int], tuple[Document, int]] = {}
        self.node: int | None = None

    def compose(self) -> ComposeResult:
        yield self.tabs
        yield self.pages

    def show(self, book: Book, node: int | None, tab: int | None = None) -> None:
        """Show that node of a run; None for none. A tab that was left is as it was."""
        self._book, self.node, self._asks = book, node, ()
        self.tab = tab or self.tab
        self._turn((book.run, 0 if node is None else book.outline.opened[node]), self.tab)

    def show_ask(self, book: Book, *positions: int) -> None:
        """Show what was asked there and came to no node; another tab is that of who asked it."""
        asker = asker_of(book.outline, positions[0])
        self._book, self.node = book, asker if asker != NOBODY else None
        self._asks = positions
        self._turn((book.run, -1 - positions[0]), 0)

    def _turn(self, of: tuple[str, int], tab: int) -> None:
        """Show that document, unfolded as it was left."""
        if self._shown is not None:
            self._left[self._shown] = (self.pages.document, self.pages.cursor)
        self.tabs.choose(tab)
        self._shown = (*of, tab)
        if of != self._of:
            self._left.clear()
            self._of = of
        self.pages.turn(Document(self._blocks()), *self._left.get(self._shown, (None, 0)))

    def toggle_raw(self) -> None:
        """Show texts as they are stored, every character to be seen; or as they are meant."""
        self.raw = not self.raw
        if self._book is not None and not self._asks:
            self.show(self._book, self.node)

    def text(self) -> str:
        """All that the tab shows, as safe text, nothing folded."""
        return Document(self._blocks()).text()

    def _blocks(self) -> list[Block]:
        book, node = self._book, self.node
        if book is not None and self._asks:
            return ask_blocks(book, self._asks)
        if book is None or node is None:
            return [Row((("Nothing is chosen.", "dim"),))]
        match self.tab:
            case 1:
                return question_blocks(book, node, raw=self.raw)
            case 2:
                return part_blocks(book, node)
            case 3:
                return call_blocks(book, node, raw=self.raw)
            case 4:
                return event_blocks(book, node, raw=self.raw)
            case _:
                return lineage_blocks(book, node)

    def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        event.stop()
        if self._book is not None:
            self.show(self._book, self.node, event.tab)

    def on_pages_follow(self, event: Pages.Follow) -> None:
        event.stop()
        self.post_message(self.Follow(self, event.node))

    def on_pages_call(self, event: Pages.Call) -> None:
        event.stop()
        self.post_message(self.OpenCall(self, event.index))
