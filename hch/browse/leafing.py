"""Pages through the rows of a dataset, each beside the tree that it is from."""

from __future__ import annotations

from collections import OrderedDict
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.events import Resize
from textual.screen import Screen

from hch.browse.app import Browser
from hch.browse.book import Book
from hch.browse.document import Document
from hch.browse.lines import Line
from hch.browse.pages import Pages
from hch.browse.panes import WIDE
from hch.browse.reading import Reading
from hch.browse.strips import OneLine
from hch.browse.training import label_blocks, node_of, row_blocks
from hch.browse.tree import Tree
from hch.datasets.dataset import Dataset, Page, Shard
from hch.errors import HchError
from hch.keeping import Store
from hch.safe_text import one_line

KEPT = 4
"""How many runs are held open."""


class Shelf:
    """The runs of a store, the last few of them open."""

    def __init__(self, store: Store) -> None:
        self.place = store.place
        self._store = store
        self._rows = {row.run: row for row in store.runs()}
        self._books: OrderedDict[str, Book] = OrderedDict()

    def book(self, run: object) -> Book | None:
        """That run; None where the store has none of that id."""
        if not isinstance(run, str) or run not in self._rows:
            return None
        if run not in self._books:
            self._books[run] = Book(self._store, self._rows[run])
        self._books.move_to_end(run)
        while len(self._books) > KEPT:
            self._books.popitem(last=False)
        return self._books[run]


class Leaf(Screen[None]):
    """Shows row `number` of these files, and the tree of its run where the store has that."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n,l,right", "turn(1)", "the next row", show=False),
        Binding("p,h,left", "turn(-1)", "the row before", show=False),
        Binding("N", "turn(100)", "a hundred rows on", show=False),
        Binding("P", "turn(-100)", "a hundred rows back", show=False),
        Binding("tab,shift+tab", "pane", "the other pane", show=False),
        Binding("o", "look", "walk the run from this node", show=False),
        Binding("escape,q", "back", "leave", show=False),
    ]
    DEFAULT_CSS = """
    Leaf Horizontal { height: 1fr; }
    Leaf Pages { width: 1fr; }
    Leaf Tree { width: 1fr; border-left: solid $panel; }
    Leaf.alone Tree { display: none; }
    Leaf.narrow Tree { display: none; border-left: none; }
    Leaf.narrow.looking Tree { display: block; }
    Leaf.narrow.looking Pages { display: none; }
    """

    def __init__(self, dataset: Dataset, shards: list[Shard], store: Store, number: int) -> None:
        super().__init__()
        self._dataset, self._shards = dataset, shards
        self._shelf = Shelf(store)
        self._rows = sum(shard.entry.rows for shard in shards)
        self._number = number
        self._shown: Book | None = None

    def compose(self) -> ComposeResult:
        yield OneLine(id="head", gives_way=True)
        with Horizontal():
            yield Pages()
            yield Tree()
        yield OneLine(id="foot")

    def on_mount(self) -> None:
        self.set_focus(self._row)
        self._show()

    @property
    def _row(self) -> Pages:
        return self.query_one(Pages)

    @property
    def _tree(self) -> Tree:
        return self.query_one(Tree)

    def _show(self) -> None:
        """Read the row, and find the node that it is from. Raises HchError."""
        page = self._dataset.page(self._shards, self._number)
        book = self._shelf.book(page.origin.get("run"))
        node = node_of(book, page) if book else None
        labels = label_blocks(book, page) if book and node is not None else []
        self._row.turn(Document([*row_blocks(page), *labels][1:]))
        self._head(page)
        self.set_class(node is None, "alone")
        if book is None or node is None:
            self._leave_tree()
            self._tell(f"the store {self._shelf.place} has no node that this row is from")
            return
        if book is not self._shown:
            self._shown = book
            self._tree.read(book)
        self._tree.go_to(node)
        self._tell("")

    def _head(self, page: Page) -> None:
        line: Line = [
            (f"{self._number:,}", "bold"),
            (f" of {self._rows:,}", "dim"),
            (f"  {page.shard.kind}/{page.shard.split}", "level"),
            (f"  run {one_line(str(page.origin.get('run')), 60)}", ""),
            (f"  node {one_line(str(page.origin.get('node')), 60)}", ""),
        ]
        self.query_one("#head", OneLine).say(line)

    def _tell(self, text: str) -> None:
        keys = "n next  p before  tab the tree  o walk it  q leave"
        self.query_one("#foot", OneLine).say([(one_line(text), "")], [(keys, "dim")])

    def _leave_tree(self) -> None:
        self.remove_class("looking")
        self.set_focus(self._row)

    @on(Tree.Told)
    def _hears(self, event: Tree.Told) -> None:
        self._tell(event.text)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width < WIDE, "narrow")

    def action_turn(self, by: int) -> None:
        before = self._number
        self._number = max(0, min(before + by, self._rows - 1))
        if self._number != before:
            try:
                self._show()
            except HchError as error:
                self._number = before
                self._tell(str(error))

    def action_pane(self) -> None:
        if self._tree.has_focus:
            self._leave_tree()
        elif not self.has_class("alone"):
            self.add_class("looking")
            self.set_focus(self._tree)

    def action_look(self) -> None:
        """Open the browser at the node under the tree's cursor."""
        if not self.has_class("alone") and self._shown is not None:
            self.app.push_screen(Reading(self._shown, self._tree.node))

    def action_back(self) -> None:
        if self._tree.has_focus:
            self._leave_tree()
        else:
            self.dismiss()


class Leafing(Browser):
    """Shows a row of a dataset first; the app ends when that is left."""

    TITLE = "hch dataset look"

    def __init__(
        self, dataset: Dataset, shards: list[Shard], store: Store, number: int,
        *, theme: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(store, theme=theme)
        self._leaf = Leaf(dataset, shards, store, number)

    def action_list(self, current: str | None = None) -> None:
        self.push_screen(self._leaf, lambda _: self.exit())
