"""Nodes in whose texts words are found: a line each, with where they are.

0.1.2  ✓ HCH_0  answer, reply: … the Rhône crosses the border at …
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from hch.browse.book import Book
from hch.browse.lines import Line
from hch.browse.marks import MARKS, STYLES, fit
from hch.browse.rows import state
from hch.columns import NOBODY
from hch.search import FIELDS, Finder
from hch.search import nodes as by_node
from hch.wanted import Wanted, folded, snippet

LONGEST = 200
"""The characters of a snippet in JSON."""


@dataclass(frozen=True, slots=True)
class Found:
    """A node, in which of the `FIELDS` of it the words are, and the first text that has them."""

    node: int
    fields: tuple[str, ...]
    text: str


def finding(book: Book, query: str, among: Iterable[int]) -> Iterator[Found]:
    """The nodes `among` which some have a text with all the words of the query.

    Raises HchError where this Python's SQLite cannot search.
    """
    outline = book.outline
    with closing(Finder(book.store, book.run)) as finder:
        finder.take()
        hits = by_node(outline, finder.find(query, max(1, outline.n)))
    for node in among:
        if node in hits:
            fields = tuple(field for field in FIELDS if field in hits[node])
            yield Found(node, fields, _text(book, node, fields[0], query))


def _text(book: Book, node: int, field: str, query: str) -> str:
    """The first text of a field that has all the words."""
    words = Wanted.of(query).words
    texts = list(_texts(book, node, field))
    having = (text for text in texts if all(word in folded(text) for word in words))
    return next(having, "".join(texts[:1]))


def _texts(book: Book, node: int, field: str) -> Iterator[str]:
    if field == "refusal":
        for asking in book.asks(node):
            if asking.node == NOBODY:
                yield asking.ask.question
                yield asking.ask.refusal or ""
        return
    it = book.node(node)
    match field:
        case "question":
            yield it.opened.question.body
        case "answer":
            closed = it.closed
            if closed is not None:
                yield from (closed.answer.body if closed.answer else "", closed.reason)
                yield from closed.notes
        case "prompt":
            yield from (primitive.question for primitive in it.primitives)
            intents = (intent for _, call in it.thoughts if call for intent in call.intents[:1])
            yield from (body for i in intents for _, parts in i.messages for _, body in parts)
        case "reply":
            for primitive in it.primitives:
                yield from (primitive.answer or "", primitive.reason)
            replies = (call.finished for _, call in it.thoughts if call)
            yield from (text for done in replies if done for text in (done.text, done.thinking))


def line(book: Book, found: Found, query: str, width: int) -> Line:
    """A node that was found, on a line."""
    outline, node = book.outline, found.node
    sign, colour = MARKS[state(outline, node)]
    before = [
        (f"{outline.id(node)}  ", ""),
        (sign, STYLES.get(colour, "")),
        (f" HCH_{outline.level[node]}  ", "level"),
        (f"{', '.join(found.fields)}: ", "dim"),
    ]
    room = max(20, width - sum(len(text) for text, _ in before))
    return [*before, (fit(snippet(found.text, query, room), room), "")]


def as_object(book: Book, found: Found, query: str) -> dict[str, Any]:
    """The same as JSON-like data."""
    outline, node = book.outline, found.node
    return {
        "id": outline.id(node),
        "level": outline.level[node],
        "status": outline.state(node),
        "found": list(found.fields),
        "snippet": snippet(found.text, query, LONGEST),
    }
