"""One call of a node on a screen of its own, or any other document."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse.document import Document
from hch.browse.pages import Pages


class CallScreen(Screen[None]):
    """Shows a call in full; esc leads back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q", "back", "back")]

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document

    def compose(self) -> ComposeResult:
        yield Pages(self._document)

    def action_back(self) -> None:
        self.dismiss()
