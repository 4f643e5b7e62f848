"""A training row as a document: what the file has, where it is from, what was said of its node."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hch.browse.about import field, lineage_blocks, title
from hch.browse.asking import part_blocks
from hch.browse.blocks import BLANK, Block, Row, prose, written
from hch.browse.book import Book
from hch.datasets.dataset import Page
from hch.events import NodeOpened
from hch.labels import told
from hch.safe_text import one_line

MOST = 20
"""The items of a list that stand apart; of a longer one all are one text."""

SPEAKERS = (("role", "content"), ("from", "value"))
"""What a message has: who speaks, and what."""


def row_blocks(page: Page) -> list[Block]:
    """Every column of a row in full, then where the row is from."""
    blocks: list[Block] = []
    for name, value in page.row.items():
        blocks += _column(one_line(name, 80), value)
    origin = [(name, value) for name, value in page.origin.items() if value not in (None, "", [])]
    blocks += [BLANK, title("From"), field("file", page.place)]
    return [*blocks, *(field(one_line(name, 80), _shown(value)) for name, value in origin)]


def label_blocks(book: Book, page: Page) -> list[Block]:
    """What somebody said of the row's node, which is in the run, if anybody did."""
    key = str(page.origin.get("key"))
    said = told(book.store.labels(book.run, [key])).get(key)
    if said is None:
        return []
    score = () if said.score is None else (field("score", f"{said.score:g}"),)
    verdict = (field(said.said, f"by {said.by}"),) if said.said else ()
    return [
        BLANK,
        title("Labels"),
        *verdict,
        *score,
        *(field("note", note) for note in said.notes),
    ]


def described(page: Page, book: Book | None, node: int | None) -> Iterator[str]:
    """A row, and the nodes from its root to it, as safe lines, nothing folded."""
    yield from written(row_blocks(page))
    if book is not None and node is not None:
        yield from written(label_blocks(book, page))
        yield from written([BLANK, *lineage_blocks(book, node)])
        yield from written([BLANK, *part_blocks(book, node)])


def node_of(book: Book, page: Page) -> int | None:
    """The node that a row is from, in its run; None where the run has no such node."""
    id, key = page.origin.get("node"), page.origin.get("key")
    node = book.outline.find(id) if isinstance(id, str) else None
    if node is None:
        return None
    events = (one.event for one in book.store.picked(book.run, [book.outline.opened[node]]))
    own = any(isinstance(event, NodeOpened) and event.key == key for event in events)
    return node if own else None


def _column(name: str, value: Any) -> list[Block]:
    if isinstance(value, str):
        return [BLANK, title(name), prose(value, "exact")]
    if isinstance(value, Mapping):
        for who, what in SPEAKERS:
            if value.keys() == {who, what} and isinstance(value[what], str):
                speaker = one_line(str(value[who]), 40)
                heading = Row(((name, "title"), (f"  {speaker}", "dim")))
                return [BLANK, heading, prose(value[what], "exact")]
        if len(value) <= MOST:
            return [b for key in value for b in _column(f"{name}.{one_line(key, 40)}", value[key])]
    elif isinstance(value, Sequence) and _stand_apart(value):
        one = len(value) == 1
        numbered = ((name if one else f"{name} {n}", item) for n, item in enumerate(value, 1))
        return [block for title_, item in numbered for block in _column(title_, item)]
    if isinstance(value, Mapping | Sequence):
        return [BLANK, title(name), prose(json.dumps(value, ensure_ascii=False), "exact")]
    return [BLANK, field(name, _shown(value))]


def _stand_apart(items: Sequence[Any]) -> bool:
    texts = all(isinstance(item, str | Mapping) for item in items)
    return 0 < len(items) <= MOST and texts


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
