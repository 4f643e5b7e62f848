"""A line to type in at the bottom of the screen, for a search or a filter."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static

from hch.safe_text import one_line, safe_text

REMEMBERED = 100
"""How many lines of each kind are remembered."""


class Typing(Input):
    """A line of text, in which nothing typed or pasted is more than text."""

    def replace(self, text: str, start: int, end: int) -> None:
        super().replace(tame(text), start, end)

    def insert(self, text: str, index: int) -> None:
        super().insert(tame(text), index)


class Bar(Horizontal):
    """Asks for a line of text. Sends `Done` when it was entered, `Left` when it was given up.

    It stays until `shut`, so that `fail` can say what is wrong with what was entered.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave the line"),
        Binding("up", "older", "what was typed before"),
        Binding("down", "newer", "what was typed after that"),
    ]
    DEFAULT_CSS = """
    Bar { display: none; height: auto; max-height: 3; dock: bottom; background: $surface; }
    Bar.asking { display: block; }
    Bar Static { width: auto; height: auto; }
    Bar #label { padding: 0 1 0 0; color: $text-accent; text-style: bold; }
    Bar Typing { width: 1fr; min-width: 20; border: none; padding: 0; height: 1; }
    Bar #wrong { max-width: 60%; padding: 0 0 0 1; color: $text-error; }
    """

    class Done(Message):
        """A line was entered."""

        def __init__(self, kind: str, text: str) -> None:
            super().__init__()
            self.kind, self.text = kind, text

    class Left(Message):
        """Nothing is to be entered."""

        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.kind = ""
        self._typed: dict[str, list[str]] = {}
        self._at = 0
        self._draft = ""

    def compose(self) -> ComposeResult:
        yield Static(id="label", markup=False)
        yield Typing(compact=True, select_on_focus=False)
        yield Static(id="wrong", markup=False)

    @property
    def asking(self) -> bool:
        """Whether it is on the screen."""
        return self.has_class("asking")

    def ask(self, kind: str, label: str, text: str = "") -> None:
        """Show the line; what is typed replaces `text`, and comes back with its `kind`."""
        self.kind, self._at, self._draft = kind, len(self._typed.get(kind, ())), text
        self.query_one("#label", Static).update(one_line(label))
        self._put(text)
        self.add_class("asking")
        field = self.query_one(Typing)
        field.select_all()
        field.focus()

    def fail(self, why: str) -> None:
        """Say what is wrong with what was entered."""
        self.query_one("#wrong", Static).update(one_line(why, 300))

    def shut(self) -> None:
        """Take the line off the screen."""
        self.remove_class("asking")
        self.query_one(Typing).blur()

    @on(Input.Changed)
    def _changes(self, event: Input.Changed) -> None:
        event.stop()
        self.fail("")

    @on(Input.Submitted)
    def _enters(self, event: Input.Submitted) -> None:
        event.stop()
        typed = self._typed.setdefault(self.kind, [])
        if event.value and typed[-1:] != [event.value]:
            typed.append(event.value)
            del typed[:-REMEMBERED]
        self._at = len(typed)
        self.post_message(self.Done(self.kind, event.value))

    def action_leave(self) -> None:
        self.shut()
        self.post_message(self.Left(self.kind))

    def action_older(self) -> None:
        self._turn(-1)

    def action_newer(self) -> None:
        self._turn(1)

    def _turn(self, by: int) -> None:
        typed = self._typed.get(self.kind, [])
        if not 0 <= self._at + by <= len(typed):
            return
        if self._at == len(typed):
            self._draft = self.query_one(Typing).value
        self._at += by
        self._put(typed[self._at] if self._at < len(typed) else self._draft)

    def _put(self, text: str) -> None:
        field = self.query_one(Typing)
        field.value = tame(text)
        field.cursor_position = len(field.value)
        self.fail("")


def tame(text: str) -> str:
    """One line of text, what is unsafe in it shown as such."""
    return safe_text(re.sub(r"[\t\r\n]+", " ", text))
