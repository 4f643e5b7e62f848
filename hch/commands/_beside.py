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

MATCHED = 1_000_000
"""The most pairs of lines that are compared, each with each."""

NARROWEST = 20
"""The fewest cells of one side."""


def beside(left: str, right: str, titles: tuple[str, str], width: int) -> list[str]:
    """Lines of at most `width` cells, each side in a column; safe to show."""
    cells = max(NARROWEST, (width - 3) // 2)
    ours, theirs = (safe_text(text).splitlines() for text in (left, right))
    lines = [*_row(" ", titles[0], titles[1], cells), *_row(" ", "─" * cells, "─" * cells, cells)]
    for tag, a, b, c, d in _changes(ours, theirs):
        if tag == "equal":
            lines += _alike(ours[a:b], cells, first=a == 0, last=b == len(ours))
            continue
        for one, other in zip_longest(ours[a:b], theirs[c:d]):
            mark = ">" if one is None else "<" if other is None else "|"
            lines += _row(mark, one or "", other or "", cells)
    return lines


def _changes(ours: list[str], theirs: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    """What became of which lines, as `difflib` tells it; much that differs is one stretch."""
    shorter = min(len(ours), len(theirs))
    pairs = zip(ours, theirs, strict=False)
    head = next((i for i, (one, two) in enumerate(pairs) if one != two), shorter)
    backwards = zip(reversed(ours[head:]), reversed(theirs[head:]), strict=False)
    tail = next((i for i, (one, two) in enumerate(backwards) if one != two), shorter - head)
    left, right = ours[head : len(ours) - tail], theirs[head : len(theirs) - tail]
    if head:
        yield "equal", 0, head, 0, head
    if len(left) * len(right) <= MATCHED:
        for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
            yield tag, a + head, b + head, c + head, d + head
    else:
        yield "replace", head, head + len(left), head, head + len(right)
    if tail:
        yield "equal", len(ours) - tail, len(ours), len(theirs) - tail, len(theirs)


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
