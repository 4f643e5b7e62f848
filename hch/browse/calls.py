"""What a node's thinks came to: each prompt as it was sent, its attempts, and the reply."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from hch.browse.about import clock, mark, title
from hch.browse.about import field as named
from hch.browse.blocks import BLANK, FIRST, Block, Fold, More, Prose, Row, prose
from hch.browse.book import Book
from hch.browse.document import Document
from hch.browse.parts import Part
from hch.browse.prompted import prompt_blocks
from hch.browse.texts import Looks
from hch.events import (
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Record,
    Thought,
)
from hch.nodes import Call
from hch.outline import Outline
from hch.safe_text import one_line
from hch.words import count, exactly, listed, seconds

TOGETHER = 10
"""The calls that are read and shown at once."""

GENEROUS = 5000
"""The lines of a text in the document of one call."""

FEW = 2
"""Of so many calls, the prompts are shown at once; of more, when they are unfolded."""

HEAVY = 1000
"""Of a node with more asks than this, a call is read when it is unfolded: it may tell of all."""

_FINISHES = {"stop": "answered", "length": "truncated"}
_TOKENS = ("in", "out", "cached", "reasoning", "put into the cache")


@dataclass(slots=True)
class Think:
    """A think of a node: its request's call, and when each attempt began and ended."""

    index: int
    thought: Thought
    call: Call
    began: dict[int, float] = field(default_factory=dict)
    ended: dict[int, float] = field(default_factory=dict)


def calls_of(outline: Outline, node: int) -> int:
    """How many calls a node made."""
    return sum(1 for _, request in outline.steps(node) if request)


def thinks(book: Book, node: int, first: int, most: int) -> list[Think]:
    """So many of a node's thinks from that one on, in order."""
    outline = book.outline
    steps = [(seq, request) for seq, request in outline.steps(node) if request]
    steps = steps[first : first + most]
    numbers = {n for seq, request in steps for n in (seq, *outline.events_of(request))}
    thoughts: list[Thought] = []
    made: dict[str, list[Record]] = {}
    for record in book.store.picked(book.run, sorted(numbers)):
        if isinstance(record.event, Thought):
            thoughts.append(record.event)
        elif isinstance(record.event, CallIntended | CallFinished | CallFailed | CallGivenUp):
            made.setdefault(record.event.request, []).append(record)
    thoughts.sort(key=lambda thought: thought.index)
    return [
        _think(index, thought, made.get(thought.request, []))
        for index, thought in enumerate(thoughts, first)
    ]


def _think(index: int, thought: Thought, records: Sequence[Record]) -> Think:
    think = Think(index, thought, Call(thought.request))
    for record in records:
        match record.event:
            case CallIntended() as event:
                think.call.intents.append(event)
                think.began[event.attempt] = record.at
            case CallFinished() | CallFailed() as event:
                think.call.ends.append(event)
                think.ended[event.attempt] = record.at
            case CallGivenUp() as event:
                think.call.given_up = event
    return think


def call_blocks(book: Book, node: int, *, raw: bool = False) -> list[Block]:
    """Every call of a node, one below the other; the heading leads to the call alone."""
    n = calls_of(book.outline, node)
    if not n:
        return [Row((("It called no model.", "dim"),))]
    if len(book.outline.asks(node)) > HEAVY:
        return [_unread(book, node, i, raw=raw) for i in range(n)]
    return list(_some(book, node, 0, n, raw=raw))


def _unread(book: Book, node: int, index: int, *, raw: bool) -> Fold:
    heading = Row(((f"Call {index + 1}", "title"), ("   of many questions", "dim")))

    def read() -> list[Block]:
        return [
            block for one in thinks(book, node, index, 1) for block in think_blocks(one, raw=raw)
        ]

    return Fold(("call", node, index), heading, read)


def _some(book: Book, node: int, first: int, n: int, *, raw: bool) -> Iterator[Block]:
    for think in thinks(book, node, first, TOGETHER):
        if think.index:
            yield BLANK
        yield from think_blocks(think, raw=raw, folded=n > FEW)
    left = n - first - TOGETHER
    if left > 0:
        after = first + TOGETHER
        yield More(("calls", node, after), left, lambda: [*_some(book, node, after, n, raw=raw)])


def call_document(book: Book, node: int, index: int, *, raw: bool = False) -> Document:
    """One call in full."""
    found = thinks(book, node, index, 1)
    blocks = [block for think in found for block in think_blocks(think, raw=raw, first=GENEROUS)]
    return Document(blocks or [Row((("There is no such call.", "dim"),))])


def think_blocks(
    think: Think, *, raw: bool, folded: bool = False, first: int = FIRST
) -> Iterator[Block]:
    """One call: its figures, its attempts, its prompt and its reply."""
    call, intent = think.call, next(iter(think.call.intents), None)
    status = "answered" if call.finished else "failed" if call.given_up else "open"
    if call.finished:
        status = _FINISHES.get(call.finished.finish, "failed")
    sign, style = mark(status)
    name = one_line(think.thought.prompt, 60)
    yield Row(
        ((f"{sign} ", style), (f"Call {think.index + 1}  ", "title"), (name, "level")),
        call=think.index,
    )
    for block in _head(think):
        yield replace(block, call=think.index)
    if intent:
        yield BLANK
        yield from _prompt(intent, raw=raw, folded=folded, first=first)
    if call.finished:
        yield BLANK
        yield from _reply(call.finished, "raw" if raw else "rendered", first)


def _head(think: Think) -> Iterator[Prose]:
    intent = next(iter(think.call.intents), None)
    yield named("model", intent.model if intent else "none was asked")
    yield from _attempts(think)
    yield from _figures(think.call)
    if intent:
        yield from _request(intent)


def _attempts(think: Think) -> Iterator[Prose]:
    call = think.call
    ends = {end.attempt: end for end in call.ends}
    for attempt in sorted({*(intent.attempt for intent in call.intents), *ends}):
        began, ended = think.began.get(attempt), think.ended.get(attempt)
        when = clock(began if began is not None else ended or 0.0)
        if attempt == 0:
            yield named("from", "the cache: nothing was sent")
            continue
        took = f", {seconds(ended - began)}" if began is not None and ended is not None else ""
        yield named(f"attempt {attempt}", f"{when}{took}  ", *_end(ends.get(attempt)))
    if given_up := call.given_up:
        sign, style = mark("failed")
        tries = count(given_up.attempts, "attempt")
        yield named(
            "given up",
            Part(f"{sign} after {tries}, {given_up.kind}", style),
            f": {given_up.message}" if given_up.message else "",
        )


def _end(end: CallFinished | CallFailed | None) -> tuple[Part, ...]:
    if end is None:
        sign, style = mark("open")
        return (Part(f"{sign} no end on record, counted at its worst case", style),)
    if isinstance(end, CallFailed):
        sign, style = mark("failed")
        said = f": {end.message}" if end.message else ""
        return (Part(f"{sign} {end.kind}", style), Part(said))
    sign, style = mark(_FINISHES.get(end.finish, "failed"))
    return (Part(f"{sign} {end.finish}", style),)


def _figures(call: Call) -> Iterator[Prose]:
    if call.finished:
        told = zip(call.finished.usage, _TOKENS, strict=False)
        usage = [f"{n:,} {what}" for n, what in told if n or what in {"in", "out"}]
        yield named("tokens", listed(usage))
    price = call.price
    if price.microusd:
        yield named("price", exactly(price.microusd))


def _request(intent: CallIntended) -> Iterator[Prose]:
    given = [f"{name} {value}" for name, value in intent.sampling.items() if value is not None]
    given += [f"form {intent.form[0]}"] if intent.form else []
    yield named("sampling", listed([*given, f"seed {intent.seed}"]))
    if intent.sample:
        yield named("sample", " ".join("/".join(map(str, step)) for step in intent.sample))


def _prompt(intent: CallIntended, *, raw: bool, folded: bool, first: int) -> Iterator[Block]:
    size = sum(len(body) for _, parts in intent.messages for _, body in parts)
    told = f"   {count(len(intent.messages), 'message')}, {size:,} characters"
    heading = Row((("Prompt as sent", "title"), (told, "dim")))
    if folded:
        key = ("prompt", intent.request)
        yield Fold(key, heading, lambda: [*prompt_blocks(intent, raw=raw, first=first)])
        return
    yield heading
    yield from prompt_blocks(intent, raw=raw, first=first)


def _reply(done: CallFinished, looks: Looks, first: int) -> Iterator[Block]:
    if done.thinking:
        yield title("Thinking")
        yield _sized(prose(done.thinking, looks), first)
        yield BLANK
    yield title("Reply")
    yield _sized(prose(done.text, looks), first)
    if done.raw:
        size = f"   {len(done.raw):,} bytes"
        yield BLANK
        yield Fold(
            ("raw", done.request, done.attempt),
            Row((("Reply as received", "title"), (size, "dim"))),
            lambda: [_sized(prose(_text(done.raw), looks), first)],
        )


def _sized(block: Prose, first: int) -> Prose:
    return replace(block, first=first)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
