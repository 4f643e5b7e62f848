"""A widget that shows one document: what is folded unfolds, and lines lead to nodes and calls."""

from __future__ import annotations

import re
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from hch.browse.canvas import Canvas
from hch.browse.document import Document
from hch.browse.finding import seek
from hch.browse.lines import Line, marked


class Pages(Canvas):
    """A document, with a cursor on its lines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "open", show=False),
        Binding("space", "unfold", "unfold", show=False),
    ]
    DEFAULT_CSS = "Pages { scrollbar-gutter: stable; }"

    class Follow(Message):
        """A line that leads to a node was opened."""

        def __init__(self, pages: Pages, node: int) -> None:
            super().__init__()
            self.pages, self.node = pages, node

        @property
        def control(self) -> Pages:
            return self.pages

    class Call(Message):
        """A line that leads to a call was opened: the node's call number `index`, from 0."""

        def __init__(self, pages: Pages, index: int) -> None:
            super().__init__()
            self.pages, self.index = pages, index

        @property
        def control(self) -> Pages:
            return self.pages

    def __init__(
        self, document: Document | None = None, *, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(id=id, classes=classes)
        self.document = document or Document([])
        self.highlight: re.Pattern[str] | None = None

    def turn(self, document: Document, like: Document | None = None, cursor: int = 0) -> None:
        """Show another document, unfolded as one that it is `like`, with the cursor there."""
        again = like is self.document
        if like is not None:
            document.adopt(like)
        self.document = document
        self.changed()
        self.go(cursor)
        if not again:
            above = max(0, self.cursor - self.size.height // 2)
            self.scroll_to(y=above, animate=False, immediate=True, force=True)
        self.show()

    @property
    def count(self) -> int:
        if self.room > 0:
            self.document.lay(self.room)
        return self.document.count

    def line(self, y: int, width: int) -> Line:
        line = self.document.line(y)
        return marked(line, self.highlight) if self.highlight else line

    def seek(self, pattern: re.Pattern[str]) -> bool:
        """Put the cursor on the first line that matches, unfolding it; whether one was found."""
        if not self.count:
            return False
        found = seek(self.document, pattern)
        if found is not None:
            self.changed()
            self.go(found)
        return found is not None

    def action_open(self) -> None:
        """Unfold, or follow, what the cursor is on."""
        if not self.action_unfold() and (row := self.document.row(self.cursor)):
            if row.node is not None:
                self.post_message(self.Follow(self, row.node))
            elif row.call is not None:
                self.post_message(self.Call(self, row.call))

    def action_unfold(self) -> bool:
        """Unfold what the cursor is on; whether there was anything to."""
        unfolded = self.document.unfold(self.cursor)
        if unfolded:
            self.changed()
        return unfolded

    def on_canvas_opened(self, event: Canvas.Opened) -> None:
        if event.canvas is self:
            event.stop()
            self.action_open()
