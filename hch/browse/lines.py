"""Lines of a screen: pieces of safe text, each with the name of its style.

Nothing is ever markup, and every text that is somebody's has been through `safe_text` before it is
a piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size

Piece: TypeAlias = tuple[str, str]
Line: TypeAlias = list[Piece]

STYLES = {
    "": "",
    "dim": "dim",
    "bold": "bold",
    "level": "cyan",
    "good": "green",
    "warn": "yellow",
    "bad": "red",
    "info": "blue",
    "live": "cyan",
    "title": "bold",
    "hit": "reverse",
    "heat": "bold red",
    "warm": "yellow",
    "critical": "bold magenta",
    "task": "dim",
    "question": "bold cyan",
    "context": "blue",
    "child": "green",
    "budget": "yellow",
    "reply": "magenta",
}
"""How each style looks where there is no theme, as rich writes styles.

From `task` on they are what a part of a prompt is by where it came from: the prompt's own text, the
question, what was sent along, the answer of a child, the budget, an earlier reply of the copy's.
"""


def width(line: Line) -> int:
    """The cells of a line."""
    return sum(cell_len(text) for text, _ in line)


def cut(line: Line, cells: int) -> Line:
    """The line, with an ellipsis where it is longer than so many cells."""
    if width(line) <= cells:
        return line
    kept: Line = []
    room = max(0, cells - 1)
    for text, style in line:
        wide = cell_len(text)
        if wide > room:
            kept += [(set_cell_size(text, room), style), ("…"[:cells], style)]
            break
        kept.append((text, style))
        room -= wide
    return kept


def plain(line: Iterable[Piece]) -> str:
    """The line's text alone."""
    return "".join(text for text, _ in line)


def marked(line: Line, pattern: re.Pattern[str]) -> Line:
    """The line, with what matches in the style of a hit."""
    told = plain(line)
    hits = bytearray(len(told))
    for match in pattern.finditer(told):
        start, end = match.span()
        hits[start:end] = b"\1" * (end - start)
    if not any(hits):
        return line
    made: Line = []
    at = 0
    for text, style in line:
        for hit, run in groupby(range(at, at + len(text)), hits.__getitem__):
            made.append(("".join(told[i] for i in run), "hit" if hit else style))
        at += len(text)
    return made
