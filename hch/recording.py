"""What a resume needs of a run's past: replies by request, attempts, what was spent and written."""

from __future__ import annotations

from collections.abc import Iterable

from hch.errors import NodeError
from hch.events import CallFinished, CallGivenUp, CallIntended, NodeClosed, Record, identity
from hch.trace import Trace
from hch.types import Completion


class Recording:
    """A run's past, folded; `trace` is its tree so far.

    `written` names the events that a resume need not write again, and how nodes were closed. There
    are none where an endpoint was ever found dead: nodes went on after failures that are no part of
    the record, and so did their askers, so every node is opened again and begins again.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        kept = list(records)
        self.trace = Trace(kept)
        self.replies: dict[str, Completion | NodeError] = {}
        self.attempts: dict[str, int] = {}
        self.written: dict[tuple[str, ...], NodeClosed | None] = {}
        died = any(isinstance(r.event, CallGivenUp) and r.event.dead for r in kept)
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
            if name is not None and not died:
                self.written[name] = event if isinstance(event, NodeClosed) else None
