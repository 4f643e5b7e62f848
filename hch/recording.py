"""What a run has on record: replies by request, attempts, and what was written of its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

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
    """

    def __init__(self, records: Iterable[Record]) -> None:
        self._kept = list(records)
        self.last = self._kept[-1].seq if self._kept else 0
        self.trace = Trace(self._kept)
        self.replies: dict[str, Completion | NodeError] = {}
        self.attempts: dict[str, int] = {}
        self._again = False
        steps: dict[str, Callable[[Any], None]] = {
            "CallIntended": self._intended,
            "CallFinished": self._finished,
            "CallGivenUp": self._given_up,
            "RunResumed": self._resumed,
        }
        for event in self.events:
            if (step := steps.get(event.type)) is not None:
                step(event)

    @property
    def events(self) -> Iterator[Event]:
        """All of them, in order."""
        return (record.event for record in self._kept)

    @cached_property
    def written(self) -> dict[tuple[str, ...], NodeClosed | None]:
        """The node events that a resume need not write again, and how nodes were closed.

        There are none where an endpoint was ever found dead, or a failure was left out: nodes went
        on after failures that are no part of the record, and so did their askers, so every node is
        opened again and begins again.
        """
        found: dict[tuple[str, ...], NodeClosed | None] = {}
        if self._again or any(isinstance(e, CallGivenUp) and e.dead for e in self.events):
            return found
        for event in self.events:
            if isinstance(event, RunResumed) and event.again:
                found.clear()
            elif (name := identity(event)) is not None:
                found[name] = event if isinstance(event, NodeClosed) else None
        return found

    @property
    def retried(self) -> bool:
        """Whether failures were ever left out, to be tried again."""
        return self._again or any(isinstance(e, RunResumed) and e.again for e in self.events)

    def leave_out(self, requests: Sequence[str]) -> None:
        """From here on the failures of these requests are no part of the record."""
        self._again = self._again or bool(requests)
        for request in requests:
            self._forget(request)

    def _intended(self, event: CallIntended) -> None:
        last = self.attempts.get(event.request, 0)
        self.attempts[event.request] = max(last, event.attempt)

    def _finished(self, event: CallFinished) -> None:
        if not isinstance(self.replies.get(event.request), Completion):
            self.replies[event.request] = event.completion()

    def _given_up(self, event: CallGivenUp) -> None:
        if event.dead:
            self._forget(event.request)
        else:
            self.replies.setdefault(event.request, event.failure())

    def _resumed(self, event: RunResumed) -> None:
        for request in event.again:
            self._forget(request)

    def _forget(self, request: str) -> None:
        if isinstance(self.replies.get(request), NodeError):
            del self.replies[request]


def given_up(trace: Trace) -> tuple[str, ...]:
    """The requests of a run that were given up, and that another attempt may answer."""
    lost = ((call, call.given_up) for call in trace.calls.values() if not call.finished)
    return tuple(
        call.request
        for call, event in lost
        if event and not event.dead and not isinstance(event.failure(), LengthError | RefusalError)
    )
