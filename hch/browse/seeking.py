"""Searching a run and filtering it: what is typed for it, and what that comes to."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType

from hch.browse.book import Book
from hch.browse.filters import parse
from hch.browse.following import Following
from hch.browse.panes import Panes
from hch.browse.prompting import Bar
from hch.browse.searching import Searching
from hch.columns import NOBODY
from hch.errors import HchError, UsageError
from hch.words import count

TABS = {1: {"question", "answer"}, 2: {"refusal"}, 3: {"prompt", "reply"}}
"""The tab that has each of the places where words can be."""


class Seeking(Panes):
    """Finds nodes by their texts, and shows only some by their figures."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "search questions, answers, prompts, replies", show=False),
        Binding("n", "hit(1)", "next hit", show=False),
        Binding("N", "hit(-1)", "hit before", show=False),
        Binding("f", "filter", "show only: status, level, cost, model, …", show=False),
    ]

    def __init__(self, book: Book) -> None:
        super().__init__(book)
        self.following = Following(book)
        self.searching = Searching(book)

    def on_mount(self) -> None:
        self.call_after_refresh(self.run_worker, self._index, thread=True, group="index")

    def on_unmount(self) -> None:
        self.following.leave()
        self.searching.close()

    def renew(self) -> None:
        """Show the run as it is now: it has grown, and its nodes have other numbers."""
        wanted = parse(self.filter) if self.filter else None
        shown = wanted.apply(self.book.outline, self.book.wrong) if wanted else None
        if self.searching.text:
            self.searching.search(self.searching.text)
            self.rows.hits = self.searching.found
        self.rows.grown(shown)
        self.look()

    def action_search(self) -> None:
        self.query_one(Bar).ask("search", "search", self.searching.text)

    def action_filter(self) -> None:
        self.query_one(Bar).ask("filter", "show only", self.filter)

    @on(Bar.Left)
    def _gives_up(self) -> None:
        self.set_focus(self.detail.pages if self.has_class("looking") else self.rows)

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
        self.set_focus(self.rows)

    def _filter(self, text: str) -> None:
        """Raises UsageError where nobody can tell what it means."""
        if not text.strip():
            self.unfilter()
            self.tell("")
            return
        wanted = parse(text)
        shown = wanted.apply(self.book.outline, self.book.wrong)
        n = sum(shown)
        if not n:
            raise UsageError(f"no node is {wanted.describe()}")
        self.filter = text
        self.rows.only(shown)
        self.rows.go_to(shown.index(1))
        self.head()
        self.look()
        self.tell(f"{count(n, 'node')}: {wanted.describe()} (esc shows all)")

    def _search(self, text: str) -> None:
        self.searching.search(text)
        self.rows.hits = self.searching.found
        self.rows.highlight = self.detail.pages.highlight = self.searching.pattern
        self.rows.changed()
        if text.strip():
            self.action_hit(1)
        else:
            self.tell("")

    def action_hit(self, way: int) -> None:
        if self.searching.partial:
            self.searching.search(self.searching.text)
            self.rows.hits = self.searching.found
        if not self.searching.text:
            self.tell("nothing was searched for yet: / does")
            return
        node = self.searching.after(self.rows.node, way)
        if node is not None:
            self.go_to(node)
            self._point(node)
        more = "" if self.searching.progress >= 1 else f" ({self.searching.progress:.0%} searched)"
        self.tell(self.searching.told(node if node is not None else NOBODY) + more)

    def _point(self, node: int) -> None:
        """Show where in a node the words are, if it is on the screen."""
        pattern, where = self.searching.pattern, self.searching.found[node]
        if pattern is None or not self.detail.display:
            return
        tab = next(tab for tab, fields in TABS.items() if fields & where)
        if not any(request for _, request in self.book.outline.steps(node)):
            tab = min(tab, 2)  # of the oracle, which is no model
        self.detail.show(self.book, node, tab)
        self.detail.pages.seek(pattern)

    def clear(self) -> None:
        self.searching.search("")
        self.rows.highlight = self.detail.pages.highlight = None
        super().clear()

    def _index(self) -> None:
        """Index what is said, and what will be; in a thread."""
        try:
            while self.searching.index() and self.following.waited(self.searching.indexed):
                pass
        except HchError as error:
            self.app.call_from_thread(self.tell, str(error))
