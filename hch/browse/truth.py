"""Whether answers are right, where that is known, as the browser marks them: `hch.evals.truth`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hch.browse.book import Book
from hch.errors import HchError
from hch.evals.truth import Truth as Known


@dataclass(frozen=True, slots=True)
class Truth:
    """Grades the nodes of a book."""

    book: Book
    known: Known

    def batches(self, after: int = 0) -> Iterator[set[int]]:
        """For so many nodes after so many, the events that opened those that answer wrongly.

        Only nodes that ended after the event of that number are looked at.
        """
        book, outline = self.book, self.book.outline
        nodes = [node for node in range(outline.n) if outline.closed[node] > after]
        for some in self.known.verdicts(book.store, book.run, outline, nodes):
            yield {outline.opened[verdict.node] for verdict in some if not verdict.right}


def truth_of(book: Book) -> Truth | None:
    """What grades a run's nodes; None where nothing can."""
    try:
        known = Known(book.started)
    except (HchError, ValueError, TypeError, KeyError, IndexError):
        return None
    return Truth(book, known) if known.known else None
