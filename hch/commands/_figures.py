"""A run's tree as JSON-like data: every node with all its figures; infinite amounts are None."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hch.browse.figures import entry
from hch.commands._report import unknown
from hch.trace import Trace
from hch.wire import Amounts


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
        "nodes": [
            entry(node, ((ask, ask.node.id if ask.node else None) for ask in node.asks))
            for node in trace.nodes()
            if node.level >= lowest
        ],
    }
