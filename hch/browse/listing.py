"""The screen of all runs."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse.canvas import Canvas
from hch.browse.prompting import Bar
from hch.browse.runs import RunPane, Runs
from hch.browse.strips import OneLine
from hch.errors import StoreError
from hch.keeping import RunRow, Store
from hch.safe_text import one_line

PAUSE = 2.0
"""Seconds between two looks at the store."""


class Listing(Screen[str | None]):
    """Lists runs; ends with the one that was chosen, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "show all runs again"),
        Binding("q", "back", "end"),
        Binding("slash,f", "filter", "show only runs with these words"),
    ]

    def __init__(self, store: Store, current: str | None = None) -> None:
        super().__init__()
        self.store, self._current = store, current
        self._rows: list[RunRow] | None = None

    def compose(self) -> ComposeResult:
        yield RunPane(self.store.place)
        yield Bar()
        yield OneLine(id="about")
        yield OneLine(id="foot")

    @property
    def runs(self) -> Runs:
        return self.query_one(RunPane).runs

    def on_mount(self) -> None:
        self._fill()
        self.runs.focus()
        self.set_interval(PAUSE, self._fill)

    def tell(self, text: str) -> None:
        """Say what a key came to."""
        keys = "? keys  enter open  s sort  f filter  q end"
        self.query_one("#foot", OneLine).say([(one_line(text), "")], [(keys, "dim")])

    def _fill(self) -> None:
        try:
            rows = self.store.runs()
        except StoreError as error:
            self.tell(str(error))
            return
        if rows != self._rows:
            self._rows = rows
            self.runs.fill(rows, self._current)
            self.tell("")

    @on(Canvas.Moved)
    @on(Runs.Listed)
    def _says_more(self) -> None:
        self.query_one("#about", OneLine).say([(self.runs.about, "dim")])

    def action_back(self) -> None:
        self.dismiss(None)

    def action_clear(self) -> None:
        self.tell("" if self.runs.wanted else "q ends")
        self.runs.filter("")

    def action_filter(self) -> None:
        self.query_one(Bar).ask("runs", "runs with", self.runs.wanted)

    @on(Bar.Left)
    def _gives_up(self) -> None:
        self.runs.focus()

    @on(Bar.Done)
    def _enters(self, event: Bar.Done) -> None:
        self.runs.filter(event.text)
        self.query_one(Bar).shut()
        self.runs.focus()

    @on(Runs.Chosen)
    def _chooses(self, event: Runs.Chosen) -> None:
        self.dismiss(event.run)
