"""What a resume needs of a run's past: replies by request, attempts, what was spent and written."""

from __future__ import annotations

from collections.abc import Iterable

from hch.errors import NodeError
from hch.events import CallFinished, CallGivenUp, CallIntended, NodeClosed, Record, identity
from hch.trace import Trace
from hch.types import Completion


class Recording:
    """A run's past, folded; `trace` is its tree so far.

    `written` names the events that a resume need not write again, and how nodes were closed.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        kept = list(records)
        self.trace = Trace(kept)
        self.replies: dict[str, Completion | NodeError] = {}
        self.attempts: dict[str, int] = {}
        self.written: dict[tuple[str, ...], NodeClosed | None] = {}
        stale = _stale(self.trace)
        for record in kept:
            match event := record.event:
                case CallIntended():
                    self.attempts[event.request] = event.attempt
                case CallFinished():
                    self.replies[event.request] = event.completion()
                case CallGivenUp(dead=False):
                    self.replies.setdefault(event.request, event.failure())
                case CallGivenUp() if isinstance(self.replies.get(event.request), NodeError):
                    del self.replies[event.request]
            name = identity(event)
            if name is not None and not set(name) & stale:
                self.written[name] = event if isinstance(event, NodeClosed) else None


def _stale(trace: Trace) -> set[str]:
    """The nodes that went on after a failure which is no part of the record, and their askers."""
    stale: set[str] = set()
    for node in sorted(trace.nodes(), key=lambda n: (n.level, -n.opened.wrapper)):
        calls = [call for _, call in node.thoughts if call is not None]
        dead = any(c.given_up and c.given_up.dead and not c.finished for c in calls)
        if dead or any(ask.node is not None and ask.node.key in stale for ask in node.asks):
            stale.add(node.key)
    return stale
