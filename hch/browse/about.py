"""What a node is about: its question, its answer, what it was granted; and its ancestors."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import inf

from hch.browse.blocks import BLANK, Block, Lazy, More, Prose, Row, prose
from hch.browse.book import SHOWN, Book
from hch.browse.lines import Piece
from hch.browse.marks import MARKS, STYLES
from hch.browse.parts import Part
from hch.browse.rows import state
from hch.browse.texts import Looks
from hch.budget import Price
from hch.columns import NOBODY
from hch.errors import HchError
from hch.events import NodeClosed, NodeOpened
from hch.nodes import wrappers
from hch.outline import Outline
from hch.wire import Words
from hch.words import count, exactly, seconds, short

MARGIN = 14
"""The cells of a field's name."""

AT_ONCE = 200
"""The rows of a list that are shown at first."""

BATCH = 50
"""The rows that are read together."""

_WORDS = {
    "open": "has not ended", "doubted": "answered, but a check rejects it",
    "shared": "stands elsewhere", "queued": "has not begun",
}  # fmt: skip

_CURRENCIES = {"calls": 10, "tokens": 10, "dollars": 12, "nodes": 10}
"""What a budget is of, and the cells of its column."""


def title(text: str) -> Row:
    """A section's heading."""
    return Row(((text, "title"),))


def field(label: str, *parts: Part | str) -> Prose:
    """A name and what it is, aligned with others."""
    told = tuple(Part(part) if isinstance(part, str) else part for part in parts)
    return Prose(told, "exact", MARGIN, label)


def mark(status: str) -> Piece:
    """A status' mark, in its style."""
    sign, colour = MARKS[status]
    return sign, STYLES[colour]


def clock(at: float, form: str = "%H:%M:%S") -> str:
    """A time of the day, here; of a foreign file it may be any number."""
    try:
        return datetime.fromtimestamp(at).astimezone().strftime(form)
    except (ValueError, OverflowError, OSError):
        return f"{at:g}"


def question_blocks(book: Book, node: int, *, raw: bool = False) -> list[Block]:
    """The node's question and answer in full, and its figures."""
    outline = book.outline
    numbers = [number for number in (outline.opened[node], outline.closed[node]) if number]
    found = [record.event for record in book.store.picked(book.run, numbers)]
    opened = next(event for event in found if isinstance(event, NodeOpened))
    closed = next((event for event in found if isinstance(event, NodeClosed)), None)
    looks: Looks = "raw" if raw else "rendered"
    return [
        *_status(book, node, closed),
        BLANK,
        *_said("Question", opened.question, looks),
        *(
            block
            for i, words in enumerate(opened.context, 1)
            for block in (BLANK, *_said(f"Text {i}, sent along", words, looks))
        ),
        *(_outcome(closed, looks) if closed else ()),
        BLANK,
        *_amounts(outline, node, opened.grant.price(), ended=closed is not None),
        BLANK,
        *_whereabouts(outline, node, opened),
    ]


_KNOWN = {"": "", "wrong": ", wrong", "wrong↓": ", wrong, and so is something below it"}
"""What is known of an answer, by the verdict."""


def _status(book: Book, node: int, closed: NodeClosed | None) -> Iterator[Block]:
    outline = book.outline
    status = state(outline, node)
    sign, style = mark(status)
    said = f"   {_WORDS.get(status, status)}"
    if closed and status == "answered" and not outline.clean(node):
        said += ", not clean"
    yield Prose(
        (
            Part(f"{sign} ", style),
            Part(f"{outline.id(node)}  HCH_{outline.level[node]}", "level"),
            Part(said, style),
            Part(_KNOWN[book.verdict(node)], "bad"),
        ),
        "exact",
        0,
    )
    if closed and closed.reason:
        yield Prose((Part(closed.reason),), "exact")


def _said(name: str, words: Words, looks: Looks) -> Iterator[Block]:
    whence = f"   from {words.source}{'' if words.trusted else ', not trusted'}"
    yield Row(((name, "title"), (whence, "dim")))
    yield prose(words.body, looks)


def _outcome(closed: NodeClosed, looks: Looks) -> Iterator[Block]:
    if closed.answer:
        yield BLANK
        yield from _said("Answer", closed.answer, looks)
    if closed.notes:
        yield BLANK
        yield title("Notes")
        yield from (Prose((Part(note),), "exact") for note in closed.notes)
    if closed.ballot:
        ballot = closed.ballot.ballot()
        saved = f", {count(ballot.saved, 'try', 'tries')} saved" if ballot.saved > 0 else ""
        tried = f"   {count(ballot.tries, 'try', 'tries')} of at most {ballot.of}{saved}"
        yield BLANK
        yield Row((("Votes", "title"), (tried, "dim")))
        for text, n in ballot.votes:
            yield Prose((Part(text),), looks, 8, f"{n}", first=3)


def _amounts(outline: Outline, node: int, grant: Price, *, ended: bool) -> Iterator[Block]:
    heads = _columns(list(_CURRENCIES))
    yield Row((("Budget".ljust(8), "title"), (heads, "dim")))
    yield _figures("grant", grant)
    if ended:
        yield _figures("spent", outline.spent(node))
        yield _figures("own", outline.own(node))
    else:
        yield Row((("  spent", "dim"), ("  not told before it ends", "")))


def _figures(name: str, price: Price) -> Row:
    calls, tokens, microusd, nodes = price.amounts()
    paid = exactly(microusd) if 0 < microusd < inf else _amount(microusd)
    shown = _columns([_amount(calls), _amount(tokens), paid, _amount(nodes)])
    return Row(((f"  {name}".ljust(8), "dim"), (shown, "")))


def _columns(texts: Sequence[str]) -> str:
    return "".join(f" {t:>{n - 1}}" for t, n in zip(texts, _CURRENCIES.values(), strict=True))


def _amount(amount: float) -> str:
    return "no limit" if amount == inf else f"{amount:,.0f}" if amount < 1e6 else short(amount)


def _whereabouts(outline: Outline, node: int, opened: NodeOpened) -> Iterator[Block]:
    at, until = outline.at[node], outline.until[node]
    yield title("Times and places")
    yield field("opened", clock(at, "%Y-%m-%d %H:%M:%S"))
    ended = outline.closed[node] > 0
    took = seconds(outline.seconds(node))
    yield field("took", f"{took}, until {clock(until)}" if ended else f"{took} up to now")
    yield field("asked", _asked(outline, node))
    below = outline.below[node]
    yield field("below", f"{below:,} node{'' if below == 1 else 's'}")
    yield field("player", opened.player)
    yield field("level", str(opened.level))
    if wrapper := _wrapper(opened):
        yield field("wrapper", wrapper)
    if opened.instance is not None:
        yield field("instance", opened.instance)
    if opened.sample:
        yield field("sample", " ".join("/".join(map(str, step)) for step in opened.sample))
    yield field("key", opened.key)


def _wrapper(opened: NodeOpened) -> str:
    """Which of the wrappers of its player it is; empty where that has none."""
    try:
        around = wrappers(opened.player)
    except HchError:  # of a foreign file it may be anything
        return ""
    return f"{opened.wrapper} of {around}" if around else ""


def _asked(outline: Outline, node: int) -> str:
    if outline.parent[node] == NOBODY:
        return f"as root {outline.id(node)}"
    ask = outline.ask(outline.asked[node])
    by = outline.id(outline.parent[node])
    how = {"try": "as a try of", "put": "as a question put to another player by"}
    return f"{how.get(ask.how, 'by')} {by}, in round {ask.round}"


def lineage_blocks(book: Book, node: int) -> list[Block]:
    """Question and answer of each ancestor, from the root; and who else asked the node."""
    outline = book.outline
    path = outline.path(node)[::-1]
    shown = path[-AT_ONCE:]
    blocks: list[Block] = [
        Row((("From the root to here", "title"), (f"   {count(len(path), 'node')}", "dim")))
    ]
    if len(path) > len(shown):
        above = path[:-AT_ONCE]
        blocks.append(More(("above", node), len(above), lambda: list(_ancestors(book, above))))
    blocks += _ancestors(book, shown)
    linking = list(_links(outline, node))
    if linking:
        blocks += [BLANK, Row((("Shared with", "title"), (_linked(len(linking)), "dim")))]
        blocks += listed(("links", node), [_link(outline, position) for position in linking])
    return blocks


def _linked(n: int) -> str:
    return f"   {count(n, 'further question came', 'further questions came')} to this node"


def _ancestors(book: Book, nodes: Sequence[int]) -> Iterator[Block]:
    outline = book.outline
    for node, said in zip(nodes, book.said(nodes), strict=True):
        sign, style = mark(state(outline, node))
        ask = outline.ask(outline.asked[node])
        way = "" if ask.how == "ask" else f" {ask.how}"
        yield BLANK
        yield Row(
            ((f"{sign} ", style), (f"{outline.id(node)}  HCH_{outline.level[node]}{way}", "level")),
            node=node,
        )
        yield Prose((Part(_short(said.question)),), "exact", 4, "?", first=4)
        if said.said:
            yield Prose((Part(_short(said.said)),), "exact", 4, "→", first=4)


def _short(text: str) -> str:
    return f"{text}…" if len(text) == SHOWN else text


def _links(outline: Outline, node: int) -> Iterator[int]:
    """The positions of those asks that came to a node which stands elsewhere."""
    at, child = 0, outline.child
    while True:
        try:
            at = child.index(node, at)
        except ValueError:
            return
        if at != outline.asked[node]:
            yield at
        at += 1


def _link(outline: Outline, position: int) -> Row:
    asker = bisect_right(outline.first, position) - 1
    if position < outline.first[0]:
        return Row((mark("shared"), (f" root {outline.slot[position]}", "level")))
    said = f" {outline.id(asker)}  HCH_{outline.level[asker]}, round {outline.round[position]}"
    return Row((mark("shared"), (said, "level")), node=asker)


def listed(key: tuple[object, ...], blocks: Iterable[Row | Lazy]) -> list[Block]:
    """The first of many blocks, and what stands for the others."""
    every = list(blocks)
    rest: list[Block] = [*every[AT_ONCE:]]
    shown: list[Block] = [*every[:AT_ONCE]]
    return [*shown, More(key, len(rest), lambda: rest)] if rest else shown
