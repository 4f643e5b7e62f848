"""The labels of a run as they are listed, and those of a node as `hch show` tells them.

0.2.1  good  0.7  person:ada  What is 2 + 3?  (the sign is right)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from hch.browse.book import Book
from hch.events import NodeOpened
from hch.labels import Label, Told, latest, told
from hch.safe_text import one_line

TOGETHER = 500
"""The nodes that are read at once."""

WIDE = 60
"""The characters of a question, and of a note, in a line."""


def labels_of(book: Book, node: int) -> list[Label]:
    """Every label of a node, in the order in which they were given."""
    [opened] = book.store.picked(book.run, [book.outline.opened[node]])
    assert isinstance(opened.event, NodeOpened)
    return book.store.labels(book.run, [opened.event.key])


def lines_of(book: Book, node: int) -> Iterator[str]:
    """What was said of a node, and by whom, in safe lines; none where nobody did."""
    said = [label for label in latest(labels_of(book, node)).values() if not label.blank]
    yield from ("", "Labels") if said else ()
    for label in said:
        note = one_line(label.note) if label.note else ""
        parts = (label.said or "", _written(label.score), f"by {one_line(label.by)}", note)
        yield f"  {'  '.join(filter(None, parts))}"


def labelled(book: Book) -> Iterator[tuple[int, Told, list[Label]]]:
    """The nodes of a run of which something holds, in id order; what that is, and all labels."""
    outline = book.outline
    keys = iter(enumerate(json.loads(outline.keys)[: outline.n]))
    while some := list(islice(keys, TOGETHER)):
        found: dict[str, list[Label]] = {}
        for label in book.store.labels(book.run, [key for _, key in some]):
            found.setdefault(label.key, []).append(label)
        for node, key in some:
            if key in found and (held := told(found[key])[key]) != Told():
                yield node, held, found[key]


def lines(book: Book) -> Iterator[str]:
    """A line for each node of which something holds."""
    for some in _together(labelled(book)):
        said = book.said([node for node, _, _ in some])
        for (node, held, _), about in zip(some, said, strict=True):
            note = f"({one_line(held.notes[0], WIDE)})" if held.notes else ""
            said_by = f"{held.said or '':4}", _written(held.score), one_line(held.by)
            parts = (book.outline.id(node), *said_by, one_line(about.question, WIDE), note)
            yield "  ".join(filter(None, parts))


def objects(book: Book) -> Iterator[dict[str, Any]]:
    """The same nodes as JSON-like data, with all labels that were given."""
    for some in _together(labelled(book)):
        said = book.said([node for node, _, _ in some])
        for (node, held, labels), about in zip(some, said, strict=True):
            yield {
                "node": book.outline.id(node),
                "key": labels[0].key,
                "question": about.question,
                "said": held.said,
                "score": held.score,
                "by": held.by,
                "notes": list(held.notes),
                "labels": [label.model_dump(exclude={"key"}) for label in labels],
            }


def _written(score: float | None) -> str:
    return "" if score is None else f"{score:g}"


def _together(items: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(items)
    while some := list(islice(left, TOGETHER)):
        yield some
