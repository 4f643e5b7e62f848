"""What a trace is made of: nodes, what they asked, and the calls that were made for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from hch.budget import Price
from hch.events import (
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Thought,
)
from hch.registry import PlayerSpec
from hch.types import Answer, Question, Usage

UNCLEAN = ("cut:", "fallback:")
"""Notes that begin like this say that an answer is not all that it should be."""


@dataclass(slots=True)
class Call:
    """Everything about one request: its attempts, and the completion or why there is none."""

    request: str
    intents: list[CallIntended] = field(default_factory=list)
    ends: list[CallFinished | CallFailed] = field(default_factory=list)
    given_up: CallGivenUp | None = None
    times: list[float] = field(default_factory=list)

    @property
    def finished(self) -> CallFinished | None:
        return next((end for end in self.ends if isinstance(end, CallFinished)), None)

    @property
    def cached(self) -> bool:
        """Whether its reply is one of another run, by the cache."""
        return self.finished is not None and self.finished.attempt == 0

    @property
    def usage(self) -> Usage:
        return Usage(*self.finished.usage) if self.finished else Usage()

    @property
    def unknown(self) -> list[CallIntended]:
        """Attempts that were sent and of which nothing is known."""
        ended = {0, *(end.attempt for end in self.ends)}  # 0 is not sent
        return [intent for intent in self.intents if intent.attempt not in ended]

    @property
    def price(self) -> Price:
        """What the attempts cost in all; an unknown outcome counts at its worst case."""
        spent = [end.price.price() for end in self.ends]
        return sum(spent + [intent.worst.price() for intent in self.unknown], Price())


@dataclass(slots=True)
class Ask:
    """One slot of a node: the node asked, or the refusal. A `shared` node is owned elsewhere.

    `more` further questions of the round came to the same refusal, or repeated this one.
    """

    slot: int
    round: int
    how: str
    question: str
    node: Node | None
    refusal: str | None
    shared: bool = False
    more: int = 0


@dataclass(slots=True)
class Node:
    """A copy of HCH_level. `status` is None while it is open; times are Unix seconds."""

    id: str
    opened: NodeOpened
    closed: NodeClosed | None
    at: float
    until: float | None
    thoughts: list[tuple[Thought, Call | None]] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    primitives: list[PrimitiveAnswered] = field(default_factory=list)
    clean: bool = False

    @property
    def key(self) -> str:
        return self.opened.key

    @property
    def level(self) -> int:
        return self.opened.level

    @property
    def left(self) -> int:
        """How many wrappers its player has further in."""
        return wrappers(self.opened.player) - self.opened.wrapper

    @property
    def status(self) -> str | None:
        return self.closed.status if self.closed else None

    @property
    def question(self) -> Question:
        context = tuple(words.text() for words in self.opened.context)
        return Question(self.opened.question.text(), context, self.opened.instance)

    @property
    def answer(self) -> Answer | None:
        return self.closed.outcome() if self.closed else None

    @property
    def spent(self) -> Price:
        """What it and its children were charged; nothing while it is open."""
        return self.closed.spent.price() if self.closed else Price()

    @property
    def children(self) -> list[Node]:
        """The nodes it owns, in asking order."""
        return [ask.node for ask in self.asks if ask.node and not ask.shared]


@cache
def wrappers(player: str) -> int:
    """How many wrappers a player has round its innermost strategy, by its spec."""
    return len(PlayerSpec.parse(player).strategies) - 1


def is_clean(node: Node) -> bool:
    """Answered, nothing cut or fallen back on, nothing refused, and so is everything below."""
    return (
        node.closed is not None
        and node.closed.status == "answered"
        and not any(note.startswith(UNCLEAN) for note in node.closed.notes)
        and all(ask.node is not None and ask.node.clean for ask in node.asks)
    )


def is_equal(one: Node, two: Node) -> bool:
    """Whether two nodes have equal events, and calls with equal ends."""
    return (
        one.id == two.id
        and one.clean == two.clean
        and one.opened.__dict__ == two.opened.__dict__
        and (one.closed and one.closed.__dict__) == (two.closed and two.closed.__dict__)
        and [_slot(ask) for ask in one.asks] == [_slot(ask) for ask in two.asks]
        and one.primitives == two.primitives
        and len(one.thoughts) == len(two.thoughts)
        and all(
            mine.__dict__ == yours.__dict__ and _end(call) == _end(other)
            for (mine, call), (yours, other) in zip(one.thoughts, two.thoughts, strict=True)
        )
    )


def _slot(ask: Ask) -> tuple[Any, ...]:
    node = ask.node and ask.node.id
    return ask.slot, ask.round, ask.how, ask.question, node, ask.refusal, ask.more


def _end(call: Call | None) -> tuple[Any, ...]:
    return (call.finished, call.given_up) if call else ()


def plain(node: Node) -> dict[str, Any]:
    """A node as JSON-like data, as two equal runs share it: no times, no attempts, no sources."""
    source = {"source"}
    opened = node.opened.model_dump(
        exclude={"type": True, "key": True, "question": source, "context": {"__all__": source}}
    )
    closed = node.closed and node.closed.model_dump(
        exclude={"type": True, "key": True, "answer": source}
    )
    if closed and closed["ballot"] is None:
        del closed["ballot"]
    thoughts = []
    for thought, call in node.thoughts:
        done = call.finished if call else None
        given_up = call.given_up if call else None
        thoughts.append(
            {
                "prompt": thought.prompt,
                "request": thought.request,
                "text": done and done.text,
                "finish": done and done.finish,
                "usage": done and [done.usage[0], done.usage[1], done.usage[3]],
                "given_up": given_up.kind if given_up and not done else None,
            }
        )
    asks = [
        {"slot": a.slot, "round": a.round, "how": a.how, "question": a.question,
         "node": a.node and a.node.id, "refusal": a.refusal, "more": a.more}
        for a in node.asks
    ]  # fmt: skip
    primitives = [p.model_dump(exclude={"type", "parent"}) for p in node.primitives]
    return {
        "id": node.id, **opened, "closed": closed, "thoughts": thoughts, "asks": asks,
        "primitives": primitives, "clean": node.clean,
    }  # fmt: skip
