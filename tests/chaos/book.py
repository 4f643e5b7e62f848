"""What is known of a run that is killed and resumed at random, and what its record must hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from hch.errors import NodeError, TransientModelError
from hch.events import (
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Record,
    RunFinished,
    RunResumed,
)
from hch.types import Completion
from tests.chaos.driver import Provider, Tree, said


@dataclass
class Seen:
    """What a run's events come to: attempts by request, replies, and failures that stand."""

    intended: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    finished: dict[str, CallFinished] = field(default_factory=dict)
    given_up: set[str] = field(default_factory=set)
    odd: set[str] = field(default_factory=set)
    over: RunFinished | None = None

    @classmethod
    def of(cls, records: Iterable[Record]) -> Seen:
        seen, forms, open_ = cls(), dict[str, str | None](), set[tuple[str, int]]()
        for record in records:
            match record.event:
                case CallIntended() as event:
                    forms[event.request] = event.form and event.form[0]
                    assert (event.request, event.attempt) not in open_
                    open_.add((event.request, event.attempt))
                    seen.intended[event.request] += 1
                case CallFinished() as event:
                    assert event.request not in seen.finished, "a request has two results"
                    open_.remove((event.request, event.attempt))
                    seen.finished[event.request] = event
                    seen.given_up.discard(event.request)
                case CallFailed() as event:
                    open_.remove((event.request, event.attempt))
                case CallGivenUp() as event:
                    change = seen.given_up.discard if event.dead else seen.given_up.add
                    change(event.request)
                case RunResumed() as event:
                    seen.given_up -= set(event.again)
                    seen.over = None
                case RunFinished() as event:
                    seen.over = event
        seen.unknown = Counter(request for request, _ in open_)
        for request, event in seen.finished.items():
            if event.completion() != said(request, forms[request]):
                seen.odd.add(request)
        seen.odd |= seen.given_up
        return seen


@dataclass(eq=False)
class Book:
    """What is known of one run; `log` is its record, and `base` how long that was at this start.

    Of requests: `sent` counts those that the provider got, `unsent` the attempts that a kill left
    without being sent, `lost` those of unknown outcome; `replies` are what came, as far as it must
    be on record, and `moved` those of which something came since all was quiet last. `told` have a
    result, and `failed` were given up: none of these may be sent again. `faults` counts the
    transient ones of this start.
    """

    id: str
    tree: Tree
    handle: int = 0
    imported: bool = False
    task: asyncio.Task[Any] | None = None
    provider: Provider | None = None
    base: int = 0
    log: list[str] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    sent: Counter[str] = field(default_factory=Counter)
    unsent: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    replies: dict[str, Completion] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    stopping: bool = False
    row: bool = False
    status: str = "unfinished"

    @property
    def live(self) -> bool:
        return self.task is not None

    @property
    def pending(self) -> list[str]:
        return list(self.provider.pending) if self.provider else []

    def sending(self, call: str) -> None:
        """A request is about to be sent: it may have no result, and no failure that stands."""
        assert call not in self.told, "what has a result is sent again"
        assert call not in self.failed, "what was given up is sent again"
        assert self.faults[call] < self.tree.attempts, "there are more attempts than there may be"
        self.sent[call] += 1

    def late(self, call: str) -> None:
        """An attempt was given up on: its time was over, or the run was stopped."""
        if self.stopping:
            self.lost[call] += 1
        else:
            self.fault(call, busy=False)

    def fault(self, call: str, *, busy: bool) -> None:
        self.moved.add(call)
        self.faults[call] += not busy

    def reply(self, call: str, came: Completion | NodeError) -> None:
        """Let this come of a request that is in flight."""
        assert self.provider is not None
        if isinstance(came, TransientModelError):
            self.fault(call, busy=came.kind == "http 429")
        elif isinstance(came, NodeError):
            self.failed.add(call)
        else:
            self.replies[call] = came
            self.told.add(call)
        self.moved.add(call)
        self.provider.reply(call, came)

    def take(self, log: list[str], seen: Seen) -> None:
        """Believe the record: what was under way and is not there never came."""
        self.log, self.seen = log, seen
        self.told, self.failed = set(seen.finished), set(seen.given_up)
        self.replies = {call: self.replies[call] for call in self.told if call in self.replies}
        self.unsent = seen.intended - self.sent
        self.lost = +seen.unknown
        self.moved.clear()
