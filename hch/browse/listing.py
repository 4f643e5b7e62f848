"""The screen of all runs."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse.prompting import Bar
from hch.browse.runs import Runs
from hch.browse.strips import OneLine
from hch.errors import StoreError
from hch.keeping import Store


class Listing(Screen[str | None]):
    """Lists runs; ends with the one that was chosen, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "back", "end"),
        Binding("slash,f", "filter", "show only runs with these words"),
    ]

    def __init__(self, store: Store, current: str | None = None) -> None:
        super().__init__()
        self.store, self._current = store, current

    def compose(self) -> ComposeResult:
        yield Runs()
        yield Bar()
        yield OneLine(id="foot")
