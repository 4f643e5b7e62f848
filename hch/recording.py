"""What a run has on record: replies by request, attempts, and what was written of its tree."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

from hch.budget import Price
from hch.errors import LengthError, NodeError, RefusalError
from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    RootOpened,
    RunFinished,
    RunResumed,
    RunStarted,
    RunStopped,
    Thought,
    identity,
)
from hch.packing import replies
from hch.stash import BYTES, Stash
from hch.trace import Trace
from hch.types import Completion, digest

Read: TypeAlias = Callable[[], Iterable[Record]]

_NODES = (RootOpened, NodeOpened, Thought, Asked, PrimitiveAnswered, NodeClosed)


class Recording:
    """A run's past, folded; `read` gives its records anew each time, and they are not kept.

    Of several replies to one request the first holds. `last` is the number of its last event,
    `requests` how many were ever sent or found in the cache, and `unknown` has the attempts whose
    outcome nobody knows.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self.last = self.requests = self.tokens = 0
        self.finished: RunFinished | None = None
        self.stopped: RunStopped | None = None
        self.cap = Price()
        self.replies = Stash(replies())
        self.attempts: dict[str, int] = {}
        self.unknown: dict[str, dict[int, CallIntended]] = {}
        self.written = Written()
        self._started: RunStarted | None = None
        self._given_up: dict[str, CallGivenUp] = {}
        self._spent = Price()
        self._retried = False
        steps: dict[type, Callable[[Any], None]] = {
            CallIntended: self._intend,
            CallFinished: self._finish,
            CallFailed: self._fail,
            CallGivenUp: self._give_up,
            RunStarted: self._start,
            RunStopped: self._stop,
            RunResumed: self._resume,
            RunFinished: self._end,
        }
        for record in read():
            self.last = record.seq
            if (step := steps.get(type(record.event))) is not None:
                step(record.event)
            else:
                self.written.add(record.event)

    @property
    def started(self) -> RunStarted:
        if self._started is None:
            raise ValueError("these events have no RunStarted")
        return self._started

    @property
    def events(self) -> Iterator[Event]:
        """All of them, in order."""
        return (record.event for record in self._records())

    @cached_property
    def trace(self) -> Trace:
        """Its tree so far: all of it in memory, so not for a run of many roots."""
        return Trace(self._records())

    def _records(self) -> Iterator[Record]:
        return (record for record in self._read() if record.seq <= self.last)

    @property
    def bill(self) -> Price:
        """What all attempts cost, unknown outcomes at their worst case."""
        flying = (intent for attempts in self.unknown.values() for intent in attempts.values())
        return sum((intent.worst.price() for intent in flying), self._spent)

    @property
    def retried(self) -> bool:
        """Whether failures were ever left out, to be tried again."""
        return self._retried

    @property
    def given_up(self) -> tuple[str, ...]:
        """The requests that were given up, and that another attempt may answer."""
        return tuple(request for request, event in self._given_up.items() if may_answer(event))

    def leave_out(self, requests: Sequence[str]) -> None:
        """From here on the failures of these requests are no part of the record."""
        if requests:
            self._retried = True
            self.written.void()
        for request in requests:
            self._forget(request)

    def _start(self, event: RunStarted) -> None:
        self._started, self.cap = event, event.cap.price()

    def _stop(self, event: RunStopped) -> None:
        self.stopped = event

    def _end(self, event: RunFinished) -> None:
        self.finished, self.stopped = event, None

    def _resume(self, event: RunResumed) -> None:
        self.finished = self.stopped = None
        self.cap = event.cap.price()
        if event.again:
            self._retried = True
            self.written.clear()
        for request in event.again:
            self._forget(request)

    def _intend(self, event: CallIntended) -> None:
        self.requests += event.attempt <= 1
        self.attempts[event.request] = max(self.attempts.get(event.request, 0), event.attempt)
        if event.attempt:  # 0 is not sent
            self.unknown.setdefault(event.request, {})[event.attempt] = event

    def _landed(self, event: CallFinished | CallFailed) -> None:
        self._spent += event.price.price()
        flying = self.unknown.get(event.request, {})
        flying.pop(event.attempt, None)
        if not flying:
            self.unknown.pop(event.request, None)

    def _finish(self, event: CallFinished) -> None:
        self._landed(event)
        if isinstance(self.replies.get(event.request), Completion):
            return
        self.replies.put(event.request, event.completion())
        self.tokens += event.usage[0] + event.usage[1]
        self.attempts.pop(event.request, None)  # it is not sent again
        self._given_up.pop(event.request, None)

    def _fail(self, event: CallFailed) -> None:
        self._landed(event)

    def _give_up(self, event: CallGivenUp) -> None:
        if event.dead:
            self.written.void()
            self._given_up.pop(event.request, None)
            self._forget(event.request)
            return
        found = self.replies.get(event.request)
        if found is None:
            self.replies.put(event.request, event.failure())
        if not isinstance(found, Completion):
            self._given_up[event.request] = event

    def _forget(self, request: str) -> None:
        if isinstance(self.replies.get(request), NodeError):
            self.replies.drop(request)


class Written(Container[Event]):
    """The node events that a resume need not write again.

    There are none where an endpoint was ever found dead, or a failure was left out: nodes went
    on after failures that are no part of the record, and so did their askers, so every node is
    opened again and begins again.
    """

    def __init__(self) -> None:
        self._found = Stash(BYTES)
        self._void = False

    def __contains__(self, event: object) -> bool:
        """Whether this event is there, a closing to the last field."""
        if self._void or not isinstance(event, _NODES):
            return False
        name = identity(event)
        return name is not None and self._found.get(digest(*name)) == _mark(event)

    def add(self, event: Event) -> None:
        """It was written, in the place of what was by that name."""
        if not self._void and isinstance(event, _NODES) and (name := identity(event)):
            self._found.put(digest(*name), _mark(event))

    def clear(self) -> None:
        """What was written up to now is superseded."""
        self._found.clear()

    def void(self) -> None:
        """Nothing is taken as written, from here on."""
        self._void = True
        self._found.clear()


def _mark(event: Event) -> bytes:
    """What tells closings of one node apart; of other events the name says all."""
    return digest(repr(event.__dict__)).encode() if isinstance(event, NodeClosed) else b""


def may_answer(event: CallGivenUp) -> bool:
    """Whether another attempt may answer what was given up so."""
    return not event.dead and not isinstance(event.failure(), LengthError | RefusalError)


def given_up(trace: Trace) -> tuple[str, ...]:
    """The requests of a run that were given up, and that another attempt may answer."""
    lost = ((call, call.given_up) for call in trace.calls.values() if not call.finished)
    return tuple(call.request for call, event in lost if event and may_answer(event))
