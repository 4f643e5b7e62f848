"""One call of a node on a screen of its own."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse import outside
from hch.browse.book import Book
from hch.browse.calls import call_document, calls_of, thinks
from hch.browse.canvas import Canvas
from hch.browse.pages import Pages
from hch.browse.strips import OneLine
from hch.safe_text import one_line

KEYS = "[ ] other calls  y copy prompt  Y reply  o pager  r raw  esc back"


class CallScreen(Screen[None]):
    """Shows a call in full, and the others of its node; esc leads back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "back", show=False),
        Binding("left_square_bracket", "other(-1)", "the call before", show=False),
        Binding("right_square_bracket", "other(1)", "the next call", show=False),
        Binding("r", "raw", "raw or rendered", show=False),
        Binding("y", "copy", "copy the prompt as sent", show=False),
        Binding("Y", "copy_reply", "copy the reply", show=False),
        Binding("o", "outside", "open in $PAGER or $EDITOR", show=False),
    ]

    def __init__(self, book: Book, node: int, index: int, *, raw: bool = False) -> None:
        """`index` is the call's number among those of the node, from 0."""
        super().__init__()
        self.book, self.index, self.raw = book, index, raw
        self._opened = book.outline.opened[node]
        self._node = node

    @property
    def node(self) -> int:
        """The node's number, which is another when the run has grown."""
        outline = self.book.outline
        if self._node >= outline.n or outline.opened[self._node] != self._opened:
            self._node = outline.by_opening()[self._opened]
        return self._node

    def compose(self) -> ComposeResult:
        yield OneLine(id="head")
        yield Pages()
        yield OneLine(id="foot")

    @property
    def pages(self) -> Pages:
        return self.query_one(Pages)

    def on_mount(self) -> None:
        self.pages.focus()
        self._show()

    def _show(self, cursor: int = 0) -> None:
        self.pages.turn(call_document(self.book, self.node, self.index, raw=self.raw), None, cursor)
        outline, node = self.book.outline, self.node
        [think] = thinks(self.book, node, self.index, 1)
        intent = next(iter(think.call.intents), None)
        name = one_line(think.thought.prompt, 60)
        told = f"  call {self.index + 1:,} of {calls_of(outline, node):,}"
        self.query_one("#head", OneLine).say(
            [
                (outline.id(node), "bold"),
                (f"  HCH_{outline.level[node]}", "level"),
                (told, ""),
                (f"  {name}", "level"),
                (f"  {one_line(intent.model, 60)}" if intent else "", "dim"),
            ],
            [("raw", "warn")] if self.raw else [],
        )
        self.tell("")

    def tell(self, text: str) -> None:
        """Say what a key came to, or what the keys are; and where the cursor is."""
        at = f"{self.pages.cursor + 1:,}/{self.pages.count:,}"
        said = (one_line(text), "") if text else (KEYS, "dim")
        self.query_one("#foot", OneLine).say([said], [(at, "dim")])

    @on(Canvas.Moved)
    def _moves(self) -> None:
        self.tell("")

    def action_other(self, way: int) -> None:
        if 0 <= self.index + way < calls_of(self.book.outline, self.node):
            self.index += way
            self._show()
        else:
            self.tell("this is its last call" if way > 0 else "this is its first call")

    def action_raw(self) -> None:
        self.raw = not self.raw
        self._show(self.pages.cursor)

    def action_copy(self) -> None:
        [think] = thinks(self.book, self.node, self.index, 1)
        sent = [message for intent in think.call.intents[:1] for message in intent.sent()]
        text = "\n\n".join(f"{message.role}:\n{message.content}" for message in sent)
        self.tell(outside.copy(self.app, text) if sent else "nothing was sent")

    def action_copy_reply(self) -> None:
        [think] = thinks(self.book, self.node, self.index, 1)
        done = think.call.finished
        self.tell(outside.copy(self.app, done.text) if done else "no reply came")

    def action_outside(self) -> None:
        text = call_document(self.book, self.node, self.index, raw=self.raw).text()
        self.tell(outside.opened(self.app, text) or "")

    def action_back(self) -> None:
        self.dismiss()
