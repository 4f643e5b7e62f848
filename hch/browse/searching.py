"""A search in one run: the nodes that were found, and which of them comes next."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from threading import Event

from hch.browse.book import Book
from hch.search import Finder, nodes
from hch.wanted import Wanted


class Searching:
    """Keeps the last search; texts are indexed in a thread, by `index`, until it is stopped.

    It was `partial` where not all was indexed. What was written up to event `indexed` is looked at.
    """

    def __init__(self, book: Book) -> None:
        self.book = book
        self.text, self.partial, self.indexed, self._taken = "", False, 0, 0
        self.found: dict[int, frozenset[str]] = {}
        self._finder: Finder | None = None
        self._stop = Event()

    @property
    def progress(self) -> float:
        """How much is indexed, from 0 to 1."""
        return self._finder.progress if self._finder else 0.0

    def index(self) -> bool:
        """Index what is new; False where it was stopped. Raises HchError. In any one thread."""
        if self._finder is None:
            self._finder = Finder(self.book.store, self.book.run)
        self.indexed = self.book.outline.last
        done = self._finder.take(self._stop.is_set)
        self._taken = self.indexed if done else self._taken
        return done

    def search(self, text: str) -> None:
        """Find the nodes whose texts have these words in them, among what is indexed."""
        self.text, self.partial = text, self._taken < self.book.outline.last
        hits = self._finder.find(text) if self._finder else []
        self.found = nodes(self.book.outline, hits)

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """What finds the words of the search in a line."""
        words = Wanted.of(self.text).words
        return re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None

    def after(self, node: int, way: int) -> int | None:
        """The hit after a node, or before it, round and round; None where there is no hit."""
        order = list(self.found)
        if not order:
            return None
        at = bisect_right(order, node) if way > 0 else bisect_left(order, node) - 1
        return order[at % len(order)]

    def told(self, node: int) -> str:
        """Which hit a node is, and where in it the words are."""
        order = list(self.found)
        if not order:
            return f"nothing found for {self.text}"
        where = ", ".join(sorted(self.found[node])) if node in self.found else ""
        at = bisect_left(order, node) + 1
        return f"{at:,} of {len(order):,} for {self.text}: in its {where}" if where else ""

    def close(self) -> None:
        """Stop indexing and let go of the index."""
        self._stop.set()
        if self._finder is not None:
            self._finder.close()
