"""Which questions stand in a node's rows: what a held-out tree must not ask, and no exam have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from hch.datasets.reading import Seen
from hch.events import NodeOpened
from hch.judging import REJECTED, about
from hch.rows import Kind

QUOTING: frozenset[Kind] = frozenset({"step", "decision", "soft"})
"""The kinds of rows that have sub-questions in them."""


class Standing(NamedTuple):
    """A question, and the texts that came with it."""

    text: str
    context: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str, context: Iterable[str]) -> Self:
        """That an earlier answer was rejected makes no other question of it."""
        return cls(text, tuple(one for one in context if not one.startswith(REJECTED)))


def own(opened: NodeOpened) -> Standing:
    """What a node was asked."""
    return Standing.of(opened.question.body, (words.body for words in opened.context))


def refused(seen: Seen) -> Iterator[Standing]:
    """What a node asked and was refused: with which texts nobody knows, so with its own or none."""
    for heard in seen.asks:
        if heard.opened is None and heard.question is not None:
            yield Standing(heard.question)
            if seen.opened.context:
                yield Standing(heard.question, own(seen.opened).context)


def standing(seen: Seen, kind: Kind) -> Iterator[Standing]:
    """The questions in a row of that kind, the node's own first.

    A check has the question in it whose answer it is about.
    """
    opened = seen.opened
    yield own(opened)
    judged = about(opened.question.body, [words.body for words in opened.context])
    if judged is not None:
        yield Standing.of(*judged)
    if kind in QUOTING:
        yield from (own(heard.opened) for heard in seen.asks if heard.opened is not None)
        yield from refused(seen)
