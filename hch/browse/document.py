"""A document as a screen shows it: blocks laid out at a width, some of them unfolded.

    Answer
      The Rhône, the Rhine and …
      … 1,203 more lines (enter shows some)
  ▸ 12  03:04:05  CallFinished   stop, 120 tokens in, 14 out

What is long is folded, and wrapped no further than is shown; rows are made when they are looked at.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from hch.browse.blocks import Block, Fold, Lazy, More, Prose, Row, written
from hch.browse.lines import Line, cut, plain, width
from hch.browse.marks import fit
from hch.browse.texts import Flow, Wrapped
from hch.safe_text import one_line

SLACK = 4
"""Where no more than so many lines more are left, they are shown too."""

GROWS = (200, 500)
"""By how many lines a text grows that is unfolded, the first time and each time after."""

LONG = 2000
"""A rest of lines that have more characters than this on average is counted in characters."""


class Document:
    """Blocks laid out at a width, some of them unfolded."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        self.blocks = tuple(blocks)
        self.placed = [Placed(block) for block in blocks]
        self._gone: list[Placed] = []
        self._ends: list[int] = []
        self._width = 0

    def lay(self, cells: int) -> None:
        """Lay it out so many cells wide."""
        if cells != self._width:
            self._width = cells
            for placed in self.placed:
                placed.lay(cells)
            self.counted()

    def counted(self) -> None:
        """Count the lines anew: some block has others than before."""
        self._ends = list(accumulate(placed.count for placed in self.placed))

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self._ends[-1] if self._ends else 0

    def line(self, y: int) -> Line:
        i, within = self._find(y)
        return self.placed[i].line(within, self._width)

    def _find(self, y: int) -> tuple[int, int]:
        i = bisect_right(self._ends, y)
        return i, y - (self._ends[i - 1] if i else 0)

    def row(self, y: int) -> Row | None:
        """The row that is that line, if it is one."""
        return self.placed[self._find(y)[0]].row if 0 <= y < self.count else None

    def unfold(self, y: int) -> bool:
        """Unfold what is folded at that line, or fold it; whether there was anything to do."""
        if not 0 <= y < self.count:
            return False
        i, within = self._find(y)
        placed = self.placed[i]
        if isinstance(placed.block, More):
            self.placed[i : i + 1] = self._made(placed, placed.owner)
            self._gone.append(placed)
        elif isinstance(placed.block, Fold) and placed.open:
            end = i + 1
            while end < len(self.placed) and self.placed[end].under(placed):
                end += 1
            del self.placed[i + 1 : end]
            placed.open = False
        elif isinstance(placed.block, Fold):
            self.placed[i + 1 : i + 1] = self._made(placed, placed)
            placed.open = True
        elif not placed.grow(within):
            return False
        self.counted()
        return True

    def _made(self, placed: Placed, owner: Placed | None) -> list[Placed]:
        assert isinstance(placed.block, Fold | More)
        made = [Placed(block, owner) for block in placed.block.make()]
        for one in made:
            one.lay(self._width)
        return made

    def adopt(self, other: Document) -> None:
        """Unfold what is unfolded in another one that is much like this one."""
        self.lay(other._width)
        unfolded, i = other._unfolded(), 0
        while unfolded and i < len(self.placed):
            mine = self.placed[i]
            theirs = next((p for block, p in unfolded if block == mine.block), None)
            if theirs is None:
                i += 1
            elif isinstance(mine.block, More):
                self.placed[i : i + 1] = self._made(mine, mine.owner)
                self._gone.append(theirs)
            else:
                if isinstance(mine.block, Fold):
                    self.placed[i + 1 : i + 1] = self._made(mine, mine)
                    mine.open = True
                else:
                    theirs.owner = mine.owner
                    self.placed[i] = theirs
                i += 1
        self.counted()

    def _unfolded(self) -> list[tuple[Block, Placed]]:
        placed = [*self._gone, *(one for one in self.placed if one.open or one.grown)]
        return [(one.block, one) for one in placed]

    def text(self) -> str:
        """Everything in it as safe text, unfolded."""
        return "\n".join(written(self.blocks)) + "\n"


class Placed:
    """A block on the screen, with the lines that were made of it."""

    def __init__(self, block: Block, owner: Placed | None = None) -> None:
        self.block, self.owner = block, owner
        self.open = False
        self.limit = block.first if isinstance(block, Prose) else 0
        self.count = 1
        self._lines: list[Wrapped] = []
        self._flow: Flow | None = None
        self.left = False
        self._rest = ""

    def under(self, owner: Placed) -> bool:
        above = self.owner
        while above is not None and above is not owner:
            above = above.owner
        return above is owner

    @property
    def grown(self) -> bool:
        """Whether more is shown of a text than at first."""
        return isinstance(self.block, Prose) and self.limit > self.block.first

    @property
    def row(self) -> Row | None:
        found = self.block.row if isinstance(self.block, Fold) else self.block
        if isinstance(found, Lazy):
            return found.make()
        if isinstance(found, Prose) and found.call is not None:
            return Row(call=found.call)
        return found if isinstance(found, Row) else None

    def lay(self, cells: int) -> None:
        if isinstance(self.block, Prose):
            room = max(8, cells - self._before)
            self._flow = Flow(self.block.parts, room, self.block.looks)
            self._lines = []
            self._fill()

    @property
    def _before(self) -> int:
        assert isinstance(self.block, Prose)
        return self.block.margin + (self.block.gutter + 2 if self.block.gutter else 0)

    def _fill(self) -> None:
        assert self._flow is not None
        self._lines += self._flow.take(self.limit + SLACK + 1 - len(self._lines))
        self.left = not self._flow.done
        self.count = self.limit + 1 if self.left else max(1, len(self._lines))
        self._rest = _rest(self._flow, self._lines[self.limit :]) if self.left else ""

    def grow(self, within: int) -> bool:
        """Show more of a text, if that is what the line is for."""
        if not self.left or within < self.count - 1:
            return False
        self.grow_to(self.limit + GROWS[self.limit > GROWS[0]])
        return True

    def grow_to(self, limit: int) -> None:
        self.limit = limit
        self._fill()

    def texts(self, first: int) -> Iterator[str]:
        """The lines of a text that are shown, from that one on, without what is left of them."""
        shown = self._lines[first : self.limit if self.left else None]
        return (plain(line.pieces) for line in shown)

    def line(self, within: int, cells: int) -> Line:
        block = self.block
        if isinstance(block, Prose):
            if self.left and within == self.count - 1:
                return cut([(" " * block.margin, ""), (self._rest, "dim")], cells)
            return _margined(block, within, self._lines[within : within + 1])
        if isinstance(block, More):
            return cut([(f"  … {block.n:,} more (enter shows them)", "dim")], cells)
        row = self.row
        assert row is not None
        fold = isinstance(block, Fold)
        return row.line(cells, (("▾ " if self.open else "▸ ", "dim"),) if fold else ())


def _rest(flow: Flow, kept: list[Wrapped]) -> str:
    """What is said of what a text has beyond the lines that are shown; some of it is made."""
    lines, chars = flow.rest
    lines += len(kept)
    chars += sum(len(text) for line in kept for text, _ in line.pieces)
    if chars > LONG * lines or (lines <= len(kept) + 1 and chars > LONG):
        return f"… {chars:,} more characters (enter shows some)"
    return f"… {lines:,} more lines (enter shows {'some' if lines > GROWS[0] else 'them'})"


def _margined(block: Prose, n: int, lines: list[Wrapped]) -> Line:
    """A line of a text, with what stands left of it."""
    wrapped = lines[0] if lines else Wrapped([("(nothing)", "dim")])
    if not block.gutter:
        label = "  " + fit(one_line(block.label), block.margin - 3) if n == 0 else ""
        before = [(label[: block.margin].ljust(block.margin), "dim")] if block.margin else []
        return [*before, *wrapped.pieces]
    named = "+".join(dict.fromkeys(label for label, _, begins in wrapped.labels if begins))
    name = fit(one_line(named), block.gutter - 1)
    style = wrapped.labels[0][1] if wrapped.labels else ""
    bar = ("┃ " if wrapped.labels else "  ", style)
    name = " " * (block.margin + block.gutter - 1 - width([(name, "")])) + name + " "
    return [(name, style), bar, *wrapped.pieces]
