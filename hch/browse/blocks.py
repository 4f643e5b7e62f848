"""What a document is made of: rows of one line, texts, and folds of either.

Texts are somebody's, and unsafe; they are made safe when a line is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeAlias

from rich.cells import cell_len

from hch.browse.lines import Line, Piece, cut, plain, width
from hch.browse.marks import fit, share
from hch.browse.parts import Part, texts_of
from hch.browse.texts import Looks, pretty, safe
from hch.safe_text import one_line, safe_text

FIRST = 12
"""The lines that a text has before it is unfolded."""

GOES_ON = "↳"
"""What stands before a part that begins within a line, where each has lines of its own."""

MOST = 2000
"""The characters of a piece of a row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: its head as it is, then a text, and what came of it, as far as there is room.

    Enter leads to the node, or to the call of that number.
    """

    head: tuple[Piece, ...] = ()
    text: str = ""
    said: str = ""
    styles: tuple[str, str] = ("", "dim")
    node: int | None = None
    call: int | None = None

    def line(self, cells: int, before: tuple[Piece, ...] = ()) -> Line:
        line = safe((*before, *self.head), MOST)
        room = cells - width(line)
        if self.text or self.said:
            text, said = share(one_line(self.text, MOST), one_line(self.said, MOST), room)
            line.append((text, self.styles[0]))
            if said:
                line += [(" → " if text else "", "dim"), (said, self.styles[1])]
        return cut(line, cells)

    def whole(self) -> str:
        """The row as text, nothing cut."""
        said = safe_text(self.said)
        text = " → ".join(filter(None, (safe_text(self.text), said)))
        return (plain(safe(self.head, len(self.text) + MOST)) + text).rstrip()


BLANK = Row()


@dataclass(frozen=True, slots=True)
class Lazy:
    """A row that is made when it is looked at; equal to another of the same `key`."""

    key: tuple[object, ...]
    make: Callable[[], Row] = field(compare=False)


@dataclass(frozen=True, slots=True)
class Prose:
    """A text, `margin` cells from the left; there its `label` stands, or what its parts' say.

    `gutter` is the width of these, none where parts have none. Enter leads to the `call` of that
    number. `plainly` is what is written of it where there are no colours.
    """

    parts: Sequence[Part]
    looks: Looks = "rendered"
    margin: int = 2
    label: str = ""
    gutter: int = 0
    first: int = FIRST
    call: int | None = None
    plainly: str | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """A line that enter unfolds, and folds again; `key` tells it from others that look alike."""

    key: tuple[object, ...]
    row: Row | Lazy
    make: Callable[[], Sequence[Block]] = field(compare=False)


@dataclass(frozen=True, slots=True)
class More:
    """What stands for `n` further blocks, until enter shows them."""

    key: tuple[object, ...]
    n: int
    make: Callable[[], Sequence[Block]] = field(compare=False)


Block: TypeAlias = Row | Lazy | Prose | Fold | More


def prose(text: str, looks: Looks = "rendered", *, margin: int = 2, label: str = "") -> Prose:
    """A text of one part; JSON is laid out where it is rendered."""
    laid_out = pretty(text) if looks == "rendered" else None
    if laid_out is not None:
        return Prose((Part(laid_out),), "json", margin, label)
    return Prose((Part(text),), looks, margin, label)


def written(blocks: Sequence[Block]) -> Iterator[str]:
    """The blocks as safe lines, nothing folded and nothing cut."""
    for block in blocks:
        match block:
            case Row():
                yield block.whole()
            case Lazy():
                yield block.make().whole()
            case Prose():
                yield from _told(block)
            case Fold(row=row):
                yield row.whole() if isinstance(row, Row) else row.make().whole()
                yield from written(block.make())
            case More():
                yield from written(block.make())


def _told(block: Prose) -> Iterator[str]:
    if block.plainly is not None:
        yield block.plainly
        return
    if block.gutter:
        yield from _sourced(block)
        return
    text = safe_text("".join(texts_of(block.parts)))
    label = f"  {one_line(block.label)}" if block.label else ""
    label, before = label.ljust(block.margin), " " * block.margin
    for i, line in enumerate(text.split("\n")):
        yield f"{before if i else label}{line}".rstrip()


def _sourced(block: Prose) -> Iterator[str]:
    """What each part says on lines of its own, the first with the name of where it is from."""
    room = block.margin + block.gutter - 1
    begun = False
    for label, text in _runs(block.parts):
        name = fit(one_line(label), block.gutter - 1)
        lines = text.split("\n")
        for i, line in enumerate(lines):
            begun = begun and not i
            if line or (i < len(lines) - 1 and not begun):
                yield _beside(name, room, "┃" * bool(label), GOES_ON * begun, line)
                name, begun = "", bool(line)
    if not begun:
        yield _beside("", room, "", "", "")


def _runs(parts: Sequence[Part]) -> Iterator[tuple[str, str]]:
    """The safe texts of parts, those of one label that follow on each other as one."""
    for label, some in groupby(parts, lambda part: part.label):
        yield label, safe_text("".join(part.text for part in some))


def _beside(name: str, room: int, bar: str, joined: str, line: str) -> str:
    before = f"{' ' * (room - cell_len(name))}{name} {bar or ' '}{joined or ' '}"
    return f"{before}{line}" if line else before.rstrip()
