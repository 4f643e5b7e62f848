"""Every event of a node, a line each, which unfolds to all that it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from hch.browse.about import AT_ONCE, clock
from hch.browse.asking import Batches
from hch.browse.blocks import Block, Fold, Lazy, More, Prose, Row
from hch.browse.book import Book
from hch.browse.parts import Part
from hch.browse.texts import Looks
from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    Thought,
)


def event_blocks(book: Book, node: int, *, raw: bool = False) -> list[Block]:
    """The node's events by number."""
    numbers = book.outline.events(node)
    told = Batches(numbers, lambda some: list(book.store.picked(book.run, some)))
    room = len(f"{numbers[-1]:,}")
    looks: Looks = "raw" if raw else "json"
    shown = [_fold(told, i, seq, room, looks) for i, seq in enumerate(numbers[:AT_ONCE])]
    rest = numbers[AT_ONCE:]
    if not rest:
        return [*shown]
    more = partial(_others, told, rest, room, looks)
    return [*shown, More(("events", node), len(rest), more)]


def _others(told: Batches[Record], rest: Sequence[int], room: int, looks: Looks) -> list[Block]:
    return [_fold(told, i, seq, room, looks) for i, seq in enumerate(rest, AT_ONCE)]


def _fold(told: Batches[Record], i: int, seq: int, room: int, looks: Looks) -> Fold:
    row = Lazy(("event", seq), lambda: _row(told[i], room))
    return Fold(("event", seq), row, lambda: [_whole(told[i], looks)])


def _row(record: Record, room: int) -> Row:
    event = record.event
    head = f"{record.seq:>{room},}  {clock(record.at)}  "
    said, came = _told(event)
    return Row(((head, "dim"), (f"{event.type:<17}  ", "level")), said, came)


def _told(event: Event) -> tuple[str, str]:
    """An event's main fields, and what it came to."""
    match event:
        case NodeOpened():
            return f"HCH_{event.level} {event.question.body}", ""
        case NodeClosed():
            return event.status, event.answer.body if event.answer else event.reason
        case Asked():
            came = event.refusal if event.refusal is not None else ""
            return f"{event.slot} {event.how}, round {event.round}: {event.question.body}", came
        case Thought():
            return f"{event.index} {event.prompt}", ""
        case PrimitiveAnswered():
            said = event.answer if event.answer is not None else event.reason
            return f"{event.index} {event.question}", said
        case CallIntended():
            size = sum(len(body) for _, parts in event.messages for _, body in parts)
            return f"attempt {event.attempt}, {size:,} characters to {event.model}", ""
        case CallFinished():
            used = f"{event.usage[0]:,} tokens in, {event.usage[1]:,} out"
            return f"attempt {event.attempt}, {event.finish}, {used}", event.text
        case CallFailed():
            return f"attempt {event.attempt}, {event.kind}", event.message
        case CallGivenUp():
            return f"after {event.attempts}, {event.kind}", event.message
    return "", ""


def _whole(record: Record, looks: Looks) -> Prose:
    data = record.model_dump()
    text = json.dumps(data, indent=2, ensure_ascii=False, default=_bytes)
    return Prose((Part(text),), looks, 4, first=40)


def _bytes(value: Any) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
