"""A table as lines of text that fit a width: columns go where it is narrow, then texts are cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from hch.browse.marks import fit

GAP = "  "

SHORTEST = 12
"""The least cells of a column of texts, where it has so many."""


@dataclass(frozen=True, slots=True)
class Column:
    """A title and its cells, which are safe to show. `kept` says how long: the lowest goes first.

    A column of texts is on the left, and is cut before the last figures go.
    """

    title: str
    cells: Sequence[str]
    kept: int = 0
    texts: bool = False

    @property
    def size(self) -> int:
        return max(map(cell_len, (self.title, *self.cells)))

    @property
    def empty(self) -> bool:
        return not any(self.cells)


def table(columns: Sequence[Column], width: int) -> Iterator[str]:
    """The lines, titles first; columns without anything in them are left out."""
    shown = [column for column in columns if not column.empty]
    while shown and _least(shown) > width and len(shown) > 1:
        shown.remove(min(shown, key=lambda column: column.kept))
    sizes = [column.size for column in shown]
    over = sum(sizes) + len(GAP) * (len(sizes) - 1) - width
    for i, column in enumerate(shown):
        if column.texts and over > 0:
            cut = min(over, max(0, sizes[i] - SHORTEST))
            sizes[i], over = sizes[i] - cut, over - cut
    for row in zip(*((column.title, *column.cells) for column in shown), strict=True):
        cells = zip(row, sizes, shown, strict=True)
        line = GAP.join(
            _padded(fit(text, size), size, column.texts) for text, size, column in cells
        )
        yield fit(line.rstrip(), width)


def _least(shown: Sequence[Column]) -> int:
    """The cells that these take with their texts cut."""
    sizes = [min(column.size, SHORTEST) if column.texts else column.size for column in shown]
    return sum(sizes) + len(GAP) * (len(sizes) - 1)


def _padded(text: str, size: int, left: bool) -> str:
    blank = " " * (size - cell_len(text))
    return text + blank if left else blank + text
