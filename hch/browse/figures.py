"""A node as JSON-like data, with all its figures; infinite amounts are None."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from hch.browse.book import Book
from hch.columns import NOBODY
from hch.events import Thought
from hch.nodes import Ask, Call, Node
from hch.types import Ballot
from hch.wire import Amounts, Words


def of_node(book: Book, node: int) -> dict[str, Any]:
    """A node of a run, as `hch show --json` has it."""
    asks = book.asks(node)
    ids = [None if asking.node == NOBODY else book.outline.id(asking.node) for asking in asks]
    return entry(book.node(node), zip((asking.ask for asking in asks), ids, strict=True))


def entry(node: Node, asks: Iterable[tuple[Ask, str | None]]) -> dict[str, Any]:
    """A node with its asks, each with the id of the node that was asked."""
    opened, closed = node.opened, node.closed
    return {
        "id": node.id,
        "parent": node.id.rpartition(".")[0] or None,
        "level": opened.level,
        "wrapper": opened.wrapper,
        "player": opened.player,
        "status": node.status,
        "clean": node.clean,
        "question": opened.question.body,
        "instance": opened.instance,
        "context": [_text(words) for words in opened.context],
        "answer": closed.answer.body if closed and closed.answer else None,
        "reason": closed.reason if closed else "",
        "notes": list(closed.notes) if closed else [],
        **of_ballot(closed.ballot.ballot() if closed and closed.ballot else None),
        "grant": opened.grant.model_dump(),
        "spent": Amounts.of(node.spent).model_dump(),
        "opened": node.at,
        "closed": node.until,
        "thoughts": [_thought(thought, call) for thought, call in node.thoughts],
        "asks": [
            {
                "slot": ask.slot,
                "round": ask.round,
                "how": ask.how,
                "question": ask.question,
                "node": id,
                "shared": ask.shared,
                "refusal": ask.refusal,
                "more": ask.more,
            }
            for ask, id in asks
        ],
        "primitives": [event.model_dump(exclude={"type", "parent"}) for event in node.primitives],
    }


def of_ballot(ballot: Ballot | None) -> dict[str, Any]:
    """How a vote went as an entry `ballot` of JSON-like data; none where there was no vote."""
    if ballot is None:
        return {}
    return {"ballot": {**asdict(ballot), "confidence": ballot.confidence}}


def _thought(thought: Thought, call: Call | None) -> dict[str, Any]:
    done = call.finished if call else None
    return {
        "prompt": thought.prompt,
        "request": thought.request,
        "finish": done and done.finish,
        "text": done and done.text,
        "usage": asdict(call.usage) if call else None,
        "attempts": sum(i.attempt > 0 for i in call.intents) if call else 0,
        "price": Amounts.of(call.price).model_dump() if call else None,
        "given_up": call.given_up.kind if call and call.given_up else None,
    }


def _text(words: Words) -> dict[str, Any]:
    return {"source": words.source, "trusted": words.trusted, "body": words.body}
