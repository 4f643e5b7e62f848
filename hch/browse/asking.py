"""What a node asked: its sub-questions by round, and what it asked the oracle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Generic, TypeVar

from hch.browse.about import AT_ONCE, BATCH, mark, title
from hch.browse.blocks import BLANK, Block, Fold, Lazy, More, Row
from hch.browse.book import Book
from hch.browse.rows import state
from hch.browse.unasked import unasked_blocks
from hch.events import PrimitiveAnswered
from hch.outline import Outline
from hch.words import count

T = TypeVar("T")

WHOLE = 50
"""Of so many questions without a node the text is read and shown at once; others unfold to it."""


class Batches(Generic[T]):
    """Things that are read some at a time, when one of them is looked at."""

    def __init__(self, keys: Sequence[int], read: Callable[[Sequence[int]], Sequence[T]]) -> None:
        self._keys, self._read = keys, read
        self._found: dict[int, Sequence[T]] = {}

    def __getitem__(self, i: int) -> T:
        n = i // BATCH
        if n not in self._found:
            self._found[n] = self._read(self._keys[n * BATCH : (n + 1) * BATCH])
        return self._found[n][i % BATCH]


def part_blocks(book: Book, node: int) -> list[Block]:
    """A node's asks and primitives, a row each."""
    outline = book.outline
    positions = outline.asks(node)
    blocks = list(_asks(book, node, positions))
    steps = [seq for seq, request in outline.steps(node) if not request]
    if steps:
        told = Batches(steps, partial(_primitives, book))
        rows = [
            Lazy(("primitive", seq), partial(told.__getitem__, i)) for i, seq in enumerate(steps)
        ]
        blocks += [BLANK] if blocks else []
        blocks += [title(f"Asked of the oracle: {count(len(steps), 'question')}")]
        blocks += _few(("primitives", node), rows)
    return blocks or [Row((("It asked nothing.", "dim"),))]


def _few(key: tuple[object, ...], rows: Sequence[Block]) -> list[Block]:
    rest = rows[AT_ONCE:]
    return [*rows[:AT_ONCE], *([More(key, len(rest), lambda: rest)] if rest else [])]


def _asks(book: Book, node: int, positions: range) -> Iterator[Block]:
    outline = book.outline
    told = Batches(positions, partial(_rows, book, node))
    blocks: list[Block] = []
    shown = 0
    vain = [p for p in positions if outline.node(p) < 0]
    whole = dict(zip(vain[:WHOLE], unasked_blocks(book, vain[:WHOLE]), strict=True))
    vain_since = set(vain[WHOLE:])
    for n, group in groupby(positions, outline.round.__getitem__):
        found = list(group)
        every = sum(1 + outline.more[position] for position in found)
        heading = title(f"Round {n}: {count(every, 'question')}")
        blocks += [BLANK, heading] if blocks else [heading]
        for p in found:
            row = Lazy(_key(outline, p), partial(told.__getitem__, p - positions.start))
            folded = Fold(row.key, row, partial(_unfolded, book, p)) if p in vain_since else row
            blocks += whole.get(p, [folded])
        if not shown and len(blocks) > AT_ONCE:
            shown = AT_ONCE
    if not shown:
        yield from blocks
        return
    yield from blocks[:shown]
    rest = blocks[shown:]
    yield More(("asks", node), len(rest), lambda: rest)


def _unfolded(book: Book, position: int) -> list[Block]:
    return next(unasked_blocks(book, [position]))[1:]


def _key(outline: Outline, position: int) -> tuple[object, ...]:
    child = outline.node(position)
    return "ask", outline.sequence[position], child, child >= 0 and outline.closed[child]


def _rows(book: Book, node: int, positions: Sequence[int]) -> list[Row]:
    outline = book.outline
    above = outline.id(node)
    slots = outline.asks(node)
    room = len(f"{above}.{outline.slot[slots[-1]]}")
    children = [child for p in positions if (child := outline.node(p)) >= 0]
    said = dict(zip(children, book.said(children), strict=True))
    rows = []
    for position, (question, refusal) in zip(positions, book.asked(positions), strict=True):
        ask = outline.ask(position)
        id = outline.id(ask.node) if ask.node >= 0 else f"{above}.{ask.slot}"
        status = _state(outline, position)
        sign, style = mark(status)
        way = "" if ask.how == "ask" else f" {ask.how}"
        more = f" and {ask.more:,} more" if ask.more else ""
        answer = said[ask.node].said if ask.node >= 0 else refusal
        head = ((f"  {sign} ", style), (f"{id.ljust(room)}{way}{more}  ", "level"))
        shade = "" if status == "answered" else style
        node_to = ask.node if ask.node >= 0 else None
        rows.append(Row(head, question, answer, ("", shade), node_to))
    return rows


def _state(outline: Outline, position: int) -> str:
    ask = outline.ask(position)
    if ask.node < 0:
        return "refused" if ask.refused else "queued"
    return "shared" if ask.shared else state(outline, ask.node)


def _primitives(book: Book, numbers: Sequence[int]) -> list[Row]:
    rows = []
    for record in book.store.picked(book.run, numbers):
        event = record.event
        assert isinstance(event, PrimitiveAnswered)
        status = event.status if event.status in {"answered", "unanswered"} else "unanswered"
        sign, style = mark(status)
        said = event.answer if event.answer is not None else event.reason
        if event.status is None:
            said = event.reason or "it is no primitive question"
        rows.append(
            Row(((f"  {sign} ", style), (f"{event.index}  ", "level")), event.question, said)
        )
    return rows
