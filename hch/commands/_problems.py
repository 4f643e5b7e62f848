"""The nodes with something wrong at them, what it is, and how the run came to them.

0.2.1  ✗ HCH_0  What is 6 * 7?
  failed: the call was given up (http 400): no such model
  under: What is ((2+3)*(4-1))-… › What is 6 * 7 + (8 - 5)?
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from hch.browse.book import Book
from hch.browse.lines import Line
from hch.browse.marks import MARKS, STYLES, fit
from hch.browse.problems import Problem, problems
from hch.commands._node import heading
from hch.outline import Outline
from hch.safe_text import one_line

FEW = 8
"""The refusals of a node that have lines of their own."""

WHY = 500
"""The characters of a reason."""

ABOVE = 4
"""The ancestors that are named."""


def lines(book: Book, node: int, width: int) -> Iterator[Line]:
    """A node, and what is wrong at it."""
    yield heading(book, node, width)
    refused = 0
    for problem in problems(book, node):
        refused += problem.what == "refused"
        if refused <= FEW:
            yield _told(problem)
    if refused > FEW:
        yield [(f"  …and {refused - FEW:,} more refused", "dim")]
    if path := _path(book, node, width):
        yield [(f"  under: {path}", "dim")]


def _told(problem: Problem) -> Line:
    more = f" ({problem.more:,} more like it)" if problem.more else ""
    question = f"{one_line(problem.question, 100)} → " if problem.question else ""
    why = f": {question}{one_line(problem.why, WHY)}" if problem.why or question else ""
    colour = "red" if problem.what == "wrong" else "yellow"
    style = STYLES[MARKS.get(problem.what, ("", colour))[1]]
    return [(f"  {problem.what}", style), (f"{why}{more}", "")]


def _path(book: Book, node: int, width: int) -> str:
    """The questions of those above a node, from the root; of many the nearest."""
    above = book.outline.path(node)[1:]
    named = above[:ABOVE][::-1]
    share = max(12, (width - 10) // max(1, len(named)) - 3)
    said = [fit(one_line(told.question, share), share) for told in book.said(named)]
    return " › ".join((["…"] if len(above) > ABOVE else []) + said)


def as_object(book: Book, node: int) -> dict[str, Any]:
    """The same as JSON-like data; the path has the ids of those above it, from the root."""
    outline: Outline = book.outline
    [said] = book.said([node])
    return {
        "id": outline.id(node),
        "level": outline.level[node],
        "status": outline.state(node),
        "question": said.question,
        "path": [outline.id(above) for above in outline.path(node)[:0:-1]],
        "problems": [asdict(problem) for problem in problems(book, node)],
    }
