"""Generations of an iterated amplification as rows of a table and as a plot in text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hch.commands._terminal import encodable
from hch.ledger import Generation, Score
from hch.safe_text import one_line
from hch.words import seconds, short

ROWS = 8
"""The height of a plot in text."""

BAR = 10
"""The least cells that a bar is worth."""

_BLOCKS = " ▁▂▃▄▅▆▇█"
LONGEST = 12
"""Characters of a measure's name."""

_DROPPED = ("primitives", "asked", "x calls", "h calls", "time")
"""The columns in the order they go where it is narrow; then go the measures, and these."""

_DROPPED_LAST = ("held out", "targets", "taken")


def percent(score: Score) -> str:
    """`12.50%`, rounded down, so that only what is perfect is `100.00%`."""
    return share(score.right, score.of)


def share(right: int, of: int) -> str:
    """`12.50%`, rounded down; a dash where there is nothing."""
    return f"{right * 10_000 // of / 100:.2f}%" if of else "-"


def cells(made: Generation) -> dict[str, str]:
    """A generation's row: each cell by its column's title."""
    measures = sorted(made.learned.measures.items())
    return {
        "round": str(made.number),
        "targets": percent(made.targets),
        "X": percent(made.learned),
        **{_titled(name): share(*pair) for name, pair in measures},
        "held out": percent(made.held_out[1]),
        "h calls": short(made.work.h),
        "asked": short(made.work.asked),
        "x calls": short(made.work.x),
        "primitives": short(made.work.primitives),
        "time": seconds(sum(made.seconds.values())),
        "taken": "yes" if made.taken else "no, worse",
    }


def _titled(measure: str) -> str:
    return one_line(measure, LONGEST)


class Rows:
    """Lines of a table that is printed while it grows, in so many columns of a terminal."""

    def __init__(self, first: Generation, width: int) -> None:
        self._sizes = {title: max(len(title), 7) for title in cells(first)}
        self._sizes |= {"round": 5, "time": 6, "taken": 9}
        measures = [t for t in self._sizes if t in map(_titled, first.learned.measures)]
        for title in (*_DROPPED, *reversed(measures), *_DROPPED_LAST):
            if self._used > width:
                del self._sizes[title]
        self._bar = min(40, width - self._used)

    @property
    def _used(self) -> int:
        return sum(size + 2 for size in self._sizes.values())

    @property
    def head(self) -> str:
        return self._line({title: title for title in self._sizes}).rstrip()

    def row(self, made: Generation) -> str:
        """One line, with a bar for how much X gets right where there is room for one."""
        line = self._line(cells(made))
        if self._bar < BAR:
            return line.rstrip()
        return f"{line}{'█' * round(self._bar * made.learned.accuracy)}".rstrip()

    def _line(self, texts: dict[str, str]) -> str:
        return "".join(f"{texts.get(t, ''):>{size}}  " for t, size in self._sizes.items())


def lines(generations: Sequence[Generation], width: int) -> Iterator[str]:
    """The whole table."""
    if generations:
        rows = Rows(generations[0], width)
        yield rows.head
        yield from map(rows.row, generations)


def plot(generations: Sequence[Generation], width: int, encoding: str) -> str:
    """How much X gets right by round, as a chart of one column a round; the last that fit."""
    shown = generations[-max(1, width - 7) :]
    wide = max(1, min(4, (width - 7) // len(shown)))
    lines = [*_columns(shown, wide), _axis(shown, wide)]
    return "\n".join(_plain(line.rstrip(), encoding) for line in lines)


def _columns(shown: Sequence[Generation], wide: int) -> Iterator[str]:
    for row in reversed(range(ROWS)):
        label = {ROWS - 1: "100%", ROWS // 2 - 1: "50%"}.get(row, "")
        eighths = [round(made.learned.accuracy * ROWS * 8) - row * 8 for made in shown]
        blocks = [_BLOCKS[max(0, min(8, level))] for level in eighths]
        yield f"{label:>5} " + "".join(f"{block * max(1, wide - 1):{wide}}" for block in blocks)


def _axis(shown: Sequence[Generation], wide: int) -> str:
    first, last = str(shown[0].number), str(shown[-1].number)
    gap = len(shown) * wide - len(first)
    return f"{'round':>5} {first}" + (f"{last:>{gap}}" if len(shown) > 1 and gap > 0 else "")


def _plain(line: str, encoding: str) -> str:
    """The line, its blocks as `#` where the encoding has none."""
    if encodable("█", encoding) == "█":
        return line
    return "".join("#" if c in _BLOCKS[4:] else " " if c in _BLOCKS else c for c in line)
