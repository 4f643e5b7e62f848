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
from hch.commands._labels import lines_of
from hch.safe_text import one_line


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
    yield from lines_of(book, node)
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
