"""The trace browser: runs, the tree of one, its nodes and their calls, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse.book import Book
from hch.browse.canvas import LOOKS
from hch.browse.filters import TYPED
from hch.browse.help import Help, commands
from hch.browse.leaving import Leaving
from hch.browse.listing import Listing
from hch.browse.reading import Reading
from hch.keeping import Store
from hch.outline import NOBODY

THEMES = {"dark": "textual-dark", "light": "textual-light"}


class Browser(Leaving):
    """Opens a run of a store, at a node of it; or the list of runs."""

    TITLE = "hch browse"
    CSS = LOOKS
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "keys and marks"),
    ]

    def __init__(
        self, store: Store, run: str | None = None, *, theme: str | None = None, node: int = NOBODY
    ) -> None:
        super().__init__()
        self.store = store
        self._run, self._node = run, node
        self._theme = THEMES.get(theme or "dark", "textual-dark")

    def on_mount(self) -> None:
        self.theme = self._theme
        if self._run is None:
            self.action_list()
        else:
            self.open(self._run, self._node)

    def open(self, run: str, node: int = NOBODY) -> None:
        """Show a run; when that is left, the list of runs."""
        row = next(row for row in self.store.runs() if row.run == run)
        self.push_screen(Reading(Book(self.store, row), node), lambda _: self.action_list(run))

    def action_list(self, current: str | None = None) -> None:
        """Show the runs; the app ends when that is left."""
        self.push_screen(Listing(self.store, current), self._chosen)

    def _chosen(self, run: str | None) -> None:
        if run is None:
            self.exit()
        else:
            self.open(run)

    def action_help(self) -> None:
        self.push_screen(Help(self.screen, dict(TYPED)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from commands(self, screen)
