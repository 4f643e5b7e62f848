"""Finding a line in a document: on the screen, in a text's rest, or in what is folded."""

from __future__ import annotations

import re
from time import monotonic

from hch.browse.blocks import Fold, Prose, Row
from hch.browse.document import Document, Placed
from hch.browse.parts import texts_of

PATIENCE = 0.03
"""The seconds after which nothing more is looked through."""

READ = 1_000_000
"""The characters of a part that are looked through."""


def seek(document: Document, pattern: re.Pattern[str]) -> int | None:
    """The first line that matches; else one of a rest or of a fold, which then shows it.

    Looks as far as time allows. The document has been laid out.
    """
    until = monotonic() + PATIENCE
    y = 0
    for placed in document.placed:
        if (within := _shown(placed, pattern, 0)) is not None:
            return y + within
        y += placed.count
        if monotonic() > until:
            return None
    y = 0
    for placed in document.placed:
        if monotonic() > until:
            return None
        if (found := _below(document, placed, y, pattern, until)) is not None:
            return found
        y += placed.count
    return None


def _below(
    document: Document, placed: Placed, y: int, pattern: re.Pattern[str], until: float
) -> int | None:
    """The line in what a block does not show; what was unfolded in vain is folded again."""
    if not isinstance(placed.block, Fold) or placed.open:
        within = _grown(placed, pattern, until)
        document.counted()
        return None if within is None else y + within
    document.unfold(y)
    at = y + 1
    for inner in document.placed:
        if not inner.under(placed):
            continue
        within = _shown(inner, pattern, 0)
        within = _grown(inner, pattern, until) if within is None else within
        document.counted()
        if within is not None:
            return at + within
        at += inner.count
    document.unfold(y)
    return None


def _shown(placed: Placed, pattern: re.Pattern[str], first: int) -> int | None:
    """Which of a block's lines matches, from that one on."""
    if isinstance(placed.block, Prose):
        texts = placed.texts(first)
        return next((i for i, text in enumerate(texts, first) if pattern.search(text)), None)
    row = placed.row
    return 0 if row is not None and _matches(row, pattern) else None


def _matches(row: Row, pattern: re.Pattern[str]) -> bool:
    texts = (row.text, row.said, *(text for text, _ in row.head))
    return any(pattern.search(text, 0, READ) for text in texts)


def _grown(placed: Placed, pattern: re.Pattern[str], until: float) -> int | None:
    """Which line of a text's rest matches; so much of it is shown then."""
    block = placed.block
    if not isinstance(block, Prose) or not placed.left:
        return None
    if not any(pattern.search(text, 0, READ) for text in texts_of(block.parts)):
        return None
    first = placed.count - 1
    while placed.left and monotonic() < until:
        placed.grow(placed.count - 1)
        if (within := _shown(placed, pattern, first)) is not None:
            return within
        first = placed.count - 1
    return None
