"""What is wrong at a node: how it ended, what it was refused, what is noted, doubted or known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hch.browse.book import Book
from hch.columns import DOUBTED, NOBODY, REJECTS
from hch.judging import verdict
from hch.nodes import UNCLEAN
from hch.types import Answer, Text


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, in a word: a status, `refused`, `cut`, `fallback`, `doubted`, `wrong`.

    A refusal has its question, and how many `more` came to the same.
    """

    what: str
    why: str
    question: str = ""
    more: int = 0


def problems(book: Book, node: int) -> Iterator[Problem]:
    """What is wrong at a node itself."""
    outline = book.outline
    [said] = book.said([node])
    if outline.status[node] > 1:
        yield Problem(outline.state(node), said.said)
    if outline.flags[node] & DOUBTED:
        yield Problem("doubted", _doubt(book, node))
    if book.verdict(node) == "wrong":
        yield Problem("wrong", "this is not the right answer, and nothing that it asked is wrong")
    for note in said.notes:
        if note.startswith(UNCLEAN):
            what, _, why = note.partition(":")
            yield Problem(what, why.strip())
    refused = [a for a in outline.asks(node) if outline.refused[a]]
    for position, (question, why) in zip(refused, book.asked(refused), strict=True):
        yield Problem("refused", why, question, outline.more[position])


def _doubt(book: Book, node: int) -> str:
    """Why a check rejects a node's answer."""
    outline, parent = book.outline, book.outline.parent[node]
    asks = range(0) if parent == NOBODY else outline.asks(parent)
    for position in range(outline.asked[node] + 1, asks.stop):
        ask = outline.ask(position)
        if ask.how == "try":
            break
        if ask.node != NOBODY and outline.flags[ask.node] & REJECTS:
            [said] = book.said([ask.node])
            why = verdict(Answer("answered", Text(said.said))).reason
            return f"{outline.id(ask.node)} rejects it: {why}"
    return "a check rejects it"
