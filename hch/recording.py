"""What a run has on record: replies by request, attempts, and what was written of its tree."""

from __future__ import annotations

from collections.abc import Iterable

from hch.errors import LengthError, NodeError, RefusalError
from hch.events import (
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    Record,
    RunResumed,
    identity,
)
from hch.trace import Trace
from hch.types import Completion


class Recording:
    """A run's past, folded; `trace` is its tree so far.

    Of several replies to one request the first holds. `last` is the number of its last event.
    `written` names the events that a resume need not write again, and how nodes were closed. There
    are none where an endpoint was ever found dead, or a failure was left out: nodes went on after
    failures that are no part of the record, and so did their askers, so every node is opened again
    and begins again.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        kept = list(records)
        self.last = kept[-1].seq if kept else 0
        self.trace = Trace(kept)
        self.replies: dict[str, Completion | NodeError] = {}
        self.attempts: dict[str, int] = {}
        self.written: dict[tuple[str, ...], NodeClosed | None] = {}
        died = any(isinstance(r.event, CallGivenUp) and r.event.dead for r in kept)
        for record in kept:
            self._take(record.event)
            name = None if died else identity(record.event)
            if name is not None:
                closed = record.event if isinstance(record.event, NodeClosed) else None
                self.written[name] = closed

    def leave_out(self, requests: Iterable[str]) -> None:
        """From here on the failures of these requests are no part of the record."""
        for request in requests:
            self._forget(request)
            self.written.clear()

    def _take(self, event: Event) -> None:
        match event:
            case CallIntended():
                self.attempts[event.request] = event.attempt
            case CallFinished():
                if not isinstance(self.replies.get(event.request), Completion):
                    self.replies[event.request] = event.completion()
            case CallGivenUp(dead=False):
                self.replies.setdefault(event.request, event.failure())
            case CallGivenUp():
                self._forget(event.request)
            case RunResumed():
                self.leave_out(event.again)

    def _forget(self, request: str) -> None:
        if isinstance(self.replies.get(request), NodeError):
            del self.replies[request]


def given_up(trace: Trace) -> tuple[str, ...]:
    """The requests of a run that were given up, and that another attempt may answer."""
    lost = ((call, call.given_up) for call in trace.calls.values() if not call.finished)
    return tuple(
        call.request
        for call, event in lost
        if event and not isinstance(event.failure(), LengthError | RefusalError)
    )
