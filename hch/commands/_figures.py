"""A run's tree as JSON-like data: every node with all its figures; infinite amounts are None."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hch.commands._report import of_ballot, unknown
from hch.events import Thought
from hch.trace import Call, Node, Trace
from hch.wire import Amounts, Words


def as_object(trace: Trace, status: str, lowest: int) -> dict[str, Any]:
    """The run, and in id order its nodes of the level `lowest` and above."""
    started, (first, last) = trace.started, trace.times
    return {
        "run": trace.run,
        "status": status,
        "clean": trace.clean,
        "players": list(started.players),
        "task": started.setup.get("task"),
        "seed": started.seed,
        "started": first,
        "seconds": last - first,
        "cap": Amounts.of(trace.cap).model_dump(),
        "bill": Amounts.of(trace.bill).model_dump(),
        "calls": len(trace.calls),
        "unknown": unknown(trace),
        "usage": {
            str(level): {"thinks": thinks, **asdict(usage)}
            for level, (thinks, usage) in trace.usage_by_level().items()
        },
        "nodes": [_node(node) for node in trace.nodes() if node.level >= lowest],
    }


def _node(node: Node) -> dict[str, Any]:
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
                "node": ask.node and ask.node.id,
                "shared": ask.shared,
                "refusal": ask.refusal,
                "more": ask.more,
            }
            for ask in node.asks
        ],
        "primitives": [event.model_dump(exclude={"type", "parent"}) for event in node.primitives],
    }


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
