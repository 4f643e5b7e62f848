"""The trace browser: runs, the tree of one, its nodes and their calls, in a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from hch.browse.book import Book
from hch.browse.canvas import LOOKS
from hch.browse.filters import TYPED
from hch.browse.help import Help, commands
from hch.browse.leaving import Leaving
from hch.browse.listing import Listing
from hch.browse.named import named
from hch.browse.reading import Reading
from hch.browse.turns import InTurn
from hch.columns import NOBODY
from hch.errors import HchError, StoreError
from hch.keeping import Store
from hch.safe_text import one_line

THEMES = {"dark": "textual-dark", "light": "textual-light"}


class Browser(InTurn, Leaving):
    """Opens a run of a store, at a node of it; or the list of runs."""

    TITLE = "hch browse"
    CSS = LOOKS
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "keys and marks"),
    ]

    def __init__(
        self,
        store: Store,
        run: str | None = None,
        *,
        theme: str | None = None,
        node: str | None = None,
    ) -> None:
        """Raises StoreError where that run cannot be read, UsageError where it has no such node."""
        super().__init__()
        self.store = store
        self._first = self._read(run) if run is not None else None
        first = self._first
        found = named(first.outline, first.run, node) if first and node is not None else NOBODY
        self._node = found
        self._theme = THEMES[theme or "dark"]

    def on_mount(self) -> None:
        self.theme = self._theme
        if self._first is None:
            self.action_list()
        else:
            self._open(self._first, self._node)

    def _read(self, run: str) -> Book:
        row = next((row for row in self.store.runs() if row.run == run), None)
        if row is None:
            raise StoreError(f"run {run} is no longer in {self.store.place}")
        return Book(self.store, row)

    def _open(self, book: Book, node: int = NOBODY) -> None:
        """Show a run; when that is left, the list of runs."""
        self.push_screen(Reading(book, node), lambda _: self.action_list(book.run))

    def action_list(self, current: str | None = None) -> None:
        """Show the runs; the app ends when that is left."""
        self.push_screen(Listing(self.store, current), self._chosen)

    def _chosen(self, run: str | None) -> None:
        if run is None:
            self.exit()
            return
        try:
            self._open(self._read(run))
        except StoreError as error:
            self.action_list(run)
            self.notify(one_line(str(error), 300), severity="error", markup=False)

    async def run_action(self, *words: Any, **options: Any) -> bool:
        """Do what a key is for; what is wrong with the store is told."""
        try:
            return await super().run_action(*words, **options)
        except HchError as error:
            self.notify(one_line(str(error), 300), severity="error", markup=False)
            return True

    def action_help(self) -> None:
        self.push_screen(Help(self.screen, dict(TYPED)))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from commands(self, screen)
