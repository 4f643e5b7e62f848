"""Two texts side by side: `|` differs, `<` and `>` stand on one side only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from rich.cells import set_cell_size
from rich.console import Console
from rich.text import Text

from hch.safe_text import safe_text

NEAR = 2
"""Lines that are alike and are shown before and after those that differ."""

NARROWEST = 20
"""The fewest cells of one side."""


def beside(left: str, right: str, titles: tuple[str, str], width: int) -> list[str]:
    """Lines of at most `width` cells, each side in a column; safe to show."""
    cells = max(NARROWEST, (width - 3) // 2)
    ours, theirs = (safe_text(text).splitlines() for text in (left, right))
    lines = [*_row(" ", titles[0], titles[1], cells), *_row(" ", "─" * cells, "─" * cells, cells)]
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        if tag == "equal":
            lines += _alike(ours[a:b], cells, first=a == 0, last=b == len(ours))
            continue
        for one, other in zip_longest(ours[a:b], theirs[c:d]):
            mark = ">" if one is None else "<" if other is None else "|"
            lines += _row(mark, one or "", other or "", cells)
    return lines


def _alike(lines: Sequence[str], cells: int, *, first: bool, last: bool) -> Iterator[str]:
    """What is the same on both sides; of much of it only the lines near a difference."""
    head, tail = 0 if first else NEAR, 0 if last else NEAR
    folded = len(lines) - head - tail
    shown = lines[:head] if folded > 1 else lines
    for line in shown:
        yield from _row(" ", line, line, cells)
    if folded > 1:
        yield f"⋯ {folded} lines alike"
        for line in lines[len(lines) - tail :]:
            yield from _row(" ", line, line, cells)


def _row(mark: str, left: str, right: str, cells: int) -> Iterator[str]:
    """One line of each side, wrapped."""
    console = Console(width=cells)
    pieces = [
        [line.plain for line in Text(text).wrap(console, cells, tab_size=4)] or [""]
        for text in (left, right)
    ]
    for one, other in zip_longest(*pieces, fillvalue=""):
        yield f"{set_cell_size(one, cells)} {mark} {other}".rstrip()
