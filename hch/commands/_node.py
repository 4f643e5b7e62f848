"""One node in full, as text: what it was asked, what came back, what was sent for it.

user
              Question:
   question ┃↳Which rivers cross the border?
"""

from __future__ import annotations

from collections.abc import Iterator

from hch.browse.about import question_blocks
from hch.browse.asking import part_blocks
from hch.browse.blocks import BLANK, Fold, written
from hch.browse.book import Book
from hch.browse.calls import TOGETHER, think_blocks, thinks
from hch.browse.lines import Line
from hch.browse.marks import MARKS, STYLES, fit
from hch.browse.rows import state
from hch.columns import NOBODY
from hch.errors import UsageError
from hch.safe_text import one_line


def numbered(book: Book, id: str) -> int:
    """The node of that id. Raises UsageError, with the ids nearest to it, where there is none."""
    outline = book.outline
    node = outline.find(id)
    if node is not None:
        return node
    near = id
    while node is None and near:
        near = near.rpartition(".")[0]
        node = outline.find(near) if near else None
    asks = outline.roots if node is None else outline.asks(node)
    there = [outline.id(n) for a in asks if (n := outline.node(a)) != NOBODY]
    below = f"below {near} there are" if near else "its roots are"
    known = f"{there[0]} to {there[-1]}" if len(there) > 2 else " and ".join(there) or "none"
    raise UsageError(f"run {book.run} has no node {id}: {below} {known}")


def heading(book: Book, node: int, width: int) -> Line:
    """Which node it is, on a line."""
    outline = book.outline
    sign, colour = MARKS[state(outline, node)]
    [said] = book.said([node])
    id, level = f"{outline.id(node)}  ", f" HCH_{outline.level[node]}  "
    question = fit(one_line(said.question, width), max(20, width - len(id) - len(level) - 1))
    return [(id, "bold"), (sign, STYLES.get(colour, "")), (level, "level"), (question, "")]


def described(book: Book, node: int, *, prompts: bool) -> Iterator[str]:
    """All there is to a node but what is below it, in safe lines."""
    yield from written(question_blocks(book, node, raw=True))
    if len(book.outline.asks(node)) or any(not request for _, request in _steps(book, node)):
        yield ""
        yield from written(part_blocks(book, node))
    yield from called(book, node, prompts=prompts)


def called(book: Book, node: int, *, prompts: bool) -> Iterator[str]:
    """A node's calls, with what was sent and received if `prompts`."""
    n = sum(1 for _, request in _steps(book, node) if request)
    for first in range(0, n, TOGETHER):
        for think in thinks(book, node, first, TOGETHER):
            blank = True
            for block in think_blocks(think, raw=True, folded=True):
                prompt = isinstance(block, Fold) and block.key[0] == "prompt"
                if prompt and not prompts:
                    break
                if blank:
                    yield ""
                blank = block == BLANK
                if not blank:
                    yield from written([block])


def _steps(book: Book, node: int) -> list[tuple[int, int]]:
    return book.outline.steps(node)
