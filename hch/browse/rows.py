"""A row of a run's tree as a line: its mark, its level, what was asked, what came back, figures.

    ▾ ✓ HCH_2  Which rivers cross …? → The Rhône, …      3↳  1.4k tok  $0.004  2.1 s

The figures are the subtree's, or the node's own. Columns of them go, one after the other, where it
is narrow. A vote's answer has its votes before it, `(3 of 5)`; `↻2` are two calls made again, and
`wrong` is an answer that is known to be, `wrong↓` one below which there is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rich.cells import cell_len

from hch.browse.book import Book, Said
from hch.browse.folding import Branch
from hch.browse.items import Item, level
from hch.browse.lines import Line
from hch.browse.marks import MARKS, STYLES, share
from hch.columns import DOUBTED, NOBODY
from hch.outline import Outline
from hch.safe_text import one_line
from hch.words import count, dollars, seconds, tokens

COLUMNS = (8, 8, 7, 8)
"""The cells of the columns of figures: below, tokens, dollars, seconds."""

DROPPED = (0, 3, 1, 2)
"""The columns in the order they go."""

MARKED = 60
"""The columns from which on rows say what is a try, or was put to another player."""

WORTH_SHOWING = 0.1
"""A tree of which no node took so many seconds is shown without them."""

HOT, WARM = 0.5, 0.2
"""Shares of what the run spent from which on a figure is hot, or warm."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line before it is fitted to a width; texts are safe and on one line."""

    status: str
    head: str
    question: str
    said: str = ""
    chip: str = ""
    figures: tuple[str, str, str, str] = ("", "", "", "")
    heat: str = "dim"


@dataclass(frozen=True)
class Figures:
    """Which figures rows have: the node's `own` or the subtree's, of those worth a column."""

    outline: Outline
    own: bool = False

    def of(self, node: int) -> tuple[str, str, str, str]:
        """The figures of a node in words: below, tokens, dollars, seconds."""
        outline = self.outline
        spent = outline.own(node) if self.own else outline.spent(node)
        below = outline.below[node]
        took = outline.seconds(node)
        return (
            f"{below:,}↳" if below else "",
            tokens(spent.tokens) if spent.tokens else "",
            dollars(spent.microusd) if spent.microusd else "",
            seconds(took) + ("" if outline.status[node] else "…"),
        )

    def heat(self, node: int) -> str:
        """The style of its figures, by the share of what all roots spent."""
        share_of_it = self.weight(node) / self.whole if self.whole else 0.0
        return "heat" if share_of_it >= HOT else "warm" if share_of_it >= WARM else "dim"

    def weight(self, node: int) -> float:
        """What a node cost, in the one unit that the run is paid in."""
        return self.outline.cost(node, own=self.own)

    @cached_property
    def whole(self) -> float:
        """What all roots cost."""
        asked = map(self.outline.node, self.outline.roots)
        return sum(self.outline.cost(root) for root in set(asked) - {NOBODY})


def rows(book: Book, branches: Sequence[Branch], width: int, figures: Figures) -> list[Row]:
    """The rows of these branches; their texts are read together."""
    items = [branch.item for branch in branches]
    spoken = [item.node for item in items if item.kind in {"node", "same"}]
    said = dict(zip(spoken, book.said(spoken), strict=True))
    positions = [item.positions[0] for item in items if item.kind in _ASKED]
    asked = dict(zip(positions, book.asked(positions), strict=True))
    found = []
    for branch in branches:
        item = branch.item
        if item.kind in _ASKED:
            found.append(_elsewhere(book.outline, branch, asked[item.positions[0]], width))
        elif item.kind == "round":
            n = count(len(item.positions), "question")
            found.append(Row("", f"round {item.n} ({n})", ""))
        else:
            found.append(_node(book, item, said[item.node], width, figures))
    return found


_ASKED = {"shared", "refused", "queued", "more"}
"""Rows that are told by the ask, since they have no node of their own."""


def _node(book: Book, item: Item, said: Said, width: int, figures: Figures) -> Row:
    outline, node = book.outline, item.node
    way = outline.way(node)
    chips = [
        f"×{item.n}" if item.kind == "same" else "",
        f"↻{outline.retries[node]}" if outline.retries[node] else "",
        book.verdict(node),
    ]
    beside = "; ".join(said.notes)
    return Row(
        state(outline, node),
        f"HCH_{outline.level[node]}" + ("" if way == "ask" else f" {way}"),
        one_line(said.question, width),
        one_line(f"({beside}) {said.said}" if beside else said.said, width),
        " ".join(filter(None, chips)),
        figures.of(node),
        figures.heat(node),
    )


def state(outline: Outline, node: int) -> str:
    """Its status as it is marked: one that a check rejected is `doubted`."""
    if outline.flags[node] & DOUBTED and outline.state(node) == "answered":
        return "doubted"
    return outline.state(node)


def _elsewhere(outline: Outline, branch: Branch, asked: tuple[str, str], width: int) -> Row:
    """A row without a node of its own: a subtree that stands elsewhere, or a refusal."""
    item, (question, why) = branch.item, asked
    position = item.positions[0]
    ask = outline.ask(position)
    linked = ask.shared or (item.kind == "more" and ask.node != NOBODY)
    said = f"see {outline.id(ask.node)}" if linked else why
    status = "shared" if linked else "refused" if ask.refused else "queued"
    if item.kind == "more":
        what = "more refused: " if ask.refused else "more, "
        return Row(status, "", one_line(f"…and {item.n:,} {what}{said}", width))
    head = ""
    if (asker := _asker(branch)) != NOBODY:
        way = "" if ask.how == "ask" else f" {ask.how}"
        head = f"HCH_{level(outline, asker, position)}{way}"
    elif ask.node != NOBODY:
        head = f"HCH_{outline.level[ask.node]}"
    said = said or "not begun"
    return Row(status, head, one_line(question, width), one_line(said, width))


def _asker(branch: Branch) -> int:
    up = branch.parent
    while up is not None and up.item.kind not in {"node", "top"}:
        up = up.parent
    return up.item.node if up is not None else NOBODY


def sizes(outline: Outline, width: int) -> tuple[int, ...]:
    """The cells that each column of figures has at this width; 0 where it has gone."""
    below, tokens, dollars, longest = outline.used
    used = (below, tokens, dollars, longest >= WORTH_SHOWING)
    found = [size if there else 0 for size, there in zip(COLUMNS, used, strict=True)]
    for column in DROPPED:
        if sum(size + 1 for size in found if size) > width // 3:
            found[column] = 0
    return tuple(found)


def line(row: Row, lead: str, width: int, columns: Sequence[int], *, marked: bool) -> Line:
    """A row as a line of exactly so many cells; `lead` stands before it."""
    deepest = width // 9 * 3
    lead = lead if len(lead) <= deepest else f"⋯{lead[-deepest:]}"
    head = row.head if marked else row.head.partition(" ")[0] if row.status else row.head
    mark, colour = MARKS.get(row.status, ("", "dim"))
    figures = "".join(
        f" {figure if len(figure) <= size else '':>{size}}"
        for figure, size in zip(row.figures, columns, strict=True)
        if size
    )
    found: Line = [(lead, "dim")]
    if mark:
        found.append((f"{mark} ", STYLES[colour]))
    if head:
        found.append((f"{head}  " if row.question else head, "level" if row.status else "dim"))
    if row.chip:
        found.append((f"{row.chip} ", "bad" if "wrong" in row.chip else "warn"))
    room = width - sum(cell_len(text) for text, _ in found) - len(figures)
    question, said = share(row.question, row.said, max(0, room))
    found.append((question, ""))
    if said:
        style = "bold" if row.status == "answered" else STYLES[colour]
        found += [(" → ", "dim"), (said, style)]
    used = sum(cell_len(text) for text, _ in found)
    if used < width - len(figures):
        found.append((" " * (width - len(figures) - used), ""))
    if figures:
        found.append((figures, row.heat))
    return found
