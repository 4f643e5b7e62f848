"""Questions that came to no node of their own: refused, or not begun yet; in full, with the reason.

– 0.3  refused, and 2 more like it
     Where is the Po?
     → a node may ask 2 questions in all
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hch.browse.about import field, mark, title
from hch.browse.blocks import BLANK, Block, Prose, Row
from hch.browse.book import Book
from hch.browse.parts import Part
from hch.columns import NOBODY
from hch.events import Asked
from hch.outline import Outline
from hch.words import count

MARGIN = 7
"""The cells left of a question below its row."""


def unasked_blocks(book: Book, positions: Sequence[int]) -> Iterator[list[Block]]:
    """Of the ask at each of these positions: its row, its question in full, and the reason."""
    for position, event in zip(positions, _events(book, positions), strict=True):
        style, said = _named(book.outline, position)
        head = (("  ", ""), mark(_state(book.outline, position)), (f" {said}", style))
        blocks: list[Block] = [Row(head)]
        if event is not None:
            blocks.append(Prose((Part(event.question.body),), "exact", MARGIN))
        if event is not None and event.refusal:
            blocks.append(Prose((Part("→ ", "dim"), Part(event.refusal, style)), "exact", MARGIN))
        yield blocks


def ask_blocks(book: Book, positions: Sequence[int]) -> list[Block]:
    """All there is to these asks, one below the other; the line of the asker leads to it."""
    found = zip(positions, _events(book, positions), strict=True)
    blocks = [block for one in found for block in (BLANK, *_told(book, *one))]
    return blocks[1:]


def _told(book: Book, position: int, event: Asked | None) -> Iterator[Block]:
    outline = book.outline
    style, said = _named(outline, position)
    yield Row((mark(_state(outline, position)), (f" {said}", style)))
    yield BLANK
    if event is not None:
        whence = (
            f"   from {event.question.source}{'' if event.question.trusted else ', not trusted'}"
        )
        yield Row((("Question", "title"), (whence, "dim")))
        yield Prose((Part(event.question.body),), "exact")
    if event is not None and event.refusal:
        yield BLANK
        yield title("Why it was refused")
        yield Prose((Part(event.refusal, style),), "exact")
    asker = asker_of(outline, position)
    yield BLANK
    yield title("Places")
    if asker == NOBODY:
        yield field("asked", "as a root")
        return
    level = f"{outline.id(asker)}  HCH_{outline.level[asker]}"
    yield Row((("  asked by".ljust(14), "dim"), (level, "level")), node=asker)
    ask = outline.ask(position)
    how = {"try": ", as a try", "put": ", put to another player"}.get(ask.how, "")
    yield field("round", f"{ask.round}{how}")
    yield field("slot", f"{ask.slot}")
    if ask.more:
        yield field("more", f"{count(ask.more, 'more question')} of the round came to the same")


def asker_of(outline: Outline, position: int) -> int:
    """The node that asked there; `NOBODY` where it is a root's place."""
    return NOBODY if position < outline.first[0] else outline.asker(position)


def _named(outline: Outline, position: int) -> tuple[str, str]:
    """The style of an ask, and what is said of it: its place, its state, and how many more."""
    ask, asker = outline.ask(position), asker_of(outline, position)
    place = f"{outline.id(asker)}.{ask.slot}" if asker != NOBODY else f"{ask.slot}"
    state = "refused" if ask.refused else "has not begun"
    more = f", and {ask.more:,} more like it" if ask.more else ""
    return mark(_state(outline, position))[1], f"{place}  {state}{more}"


def _state(outline: Outline, position: int) -> str:
    return "refused" if outline.refused[position] else "queued"


def _events(book: Book, positions: Sequence[int]) -> list[Asked | None]:
    numbers = [book.outline.sequence[position] for position in positions]
    picked = book.store.picked(book.run, sorted({n for n in numbers if n}))
    found = {record.seq: record.event for record in picked}
    events = [found.get(n) for n in numbers]
    return [event if isinstance(event, Asked) else None for event in events]
