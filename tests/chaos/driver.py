"""One process in one: trees that grow on a loop stepped by hand, in a store that can be killed.

The loop goes on until nobody has anything to do but to wait for the provider, whose replies come
when they are told to. Time passes where somebody waits for it, and then at once.
"""

from __future__ import annotations

import asyncio
import selectors
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import inf
from pathlib import Path
from random import Random
from typing import Any, Literal

from hch import HCH
from hch.config import Config
from hch.errors import BillExhausted, NodeError
from hch.events import Event
from hch.rates import Rate
from hch.stores._group import GroupCommit
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.types import Completion, Request, Usage
from tests.support import answering, asking, decomposition

PATIENCE = 1000.0
"""Seconds of virtual time that an attempt may take."""

SOON = 500.0
"""What is less far off comes at once where nobody has anything else to do."""

HANDLES = 2
"""How many handles write to one store, as if each were a process."""

ENDINGS = ("", "-wal")
"""Of the files that a kill leaves; the third of them is memory that dies with its process."""

POOL = tuple(f"What is {name}?" for name in "abcd")


@dataclass(frozen=True)
class Tree:
    """What is asked, and of whom; equal trees are grown alike."""

    roots: tuple[str, ...]
    depth: int
    strategy: str
    budget: str | None
    fanout: int
    seed: int
    attempts: int

    def hch(self, model: Any, store: Any) -> HCH:
        return HCH(
            depth=self.depth,
            model=model,
            strategy=self.strategy,
            budget=self.budget,
            fanout=self.fanout,
            seed=self.seed,
            attempts=self.attempts,
            answer_tokens=64,
            timeout=PATIENCE,
            pause=0.0,
            store=store,
            config=Config(store="memory"),
        )

    @property
    def rate(self) -> Rate:
        return Rate(3.0, 9.0) if "usd" in (self.budget or "") else Rate()


def said(call: str, form: str | None) -> Completion:
    """What is replied to a request: always the same, and now and then nothing good."""
    rng = Random(call)
    usage = Usage(rng.randint(1, 20), rng.randint(1, 8))
    if rng.random() < 0.06:
        bad = [
            Completion("", usage=usage),
            Completion("{not json", usage=usage),
            Completion("CANNOT ANSWER: nobody knows", usage=usage),
            Completion("I will not", "refusal", usage),
            Completion("half an ans", "length", usage),
        ]
        return rng.choice(bad)
    text = f"w{rng.randrange(10**6)}"
    questions = rng.choices(POOL, k=rng.randint(1, 3))
    if form == "Decomposition":
        text = decomposition(*questions)
    elif form == "Turn" and rng.random() < 0.6:
        text = asking(*questions, last=rng.random() < 0.3)
    elif form is not None:
        text = answering(text, form)
    return Completion(text, usage=usage)


class Instant:
    """Replies to everything at once."""

    name = endpoint = "mind"
    keyed = by_hand = False
    at_once = None

    def __init__(self, rate: Rate) -> None:
        self.rate: Rate | None = rate
        self.requests: set[str] = set()

    async def complete(self, request: Request) -> Completion:
        self.requests.add(request.call)
        return said(request.call, request.form and request.form.name)

    async def close(self) -> None:
        pass


class Provider(Instant):
    """Replies to one run when it is told to; `sending` is told each request before it is sent."""

    def __init__(
        self, rate: Rate, life: Life, sending: Callable[[str], None], late: Callable[[str], None]
    ) -> None:
        super().__init__(rate)
        self.pending: dict[str, tuple[Request, asyncio.Future[Completion | NodeError]]] = {}
        self._life, self._sending, self._late = life, sending, late

    async def complete(self, request: Request) -> Completion:
        future: asyncio.Future[Completion | NodeError] = self._life.loop.create_future()
        if self._life.dead:
            await future
        self._sending(request.call)
        assert request.call not in self.pending, "a request is in flight twice"
        self.pending[request.call] = request, future
        try:
            came = await future
        except asyncio.CancelledError:
            if not self._life.dead and self.pending.pop(request.call, None):
                self._late(request.call)
            raise
        if isinstance(came, NodeError):
            raise came
        return came

    def reply(self, call: str, came: Completion | NodeError) -> None:
        self.pending.pop(call)[1].set_result(came)


@cache
def calm(tree: Tree) -> tuple[bytes, frozenset[str]] | None:
    """The tree as it grows where nothing happens, and its requests; None if its cap ends it."""
    model = Instant(tree.rate)
    store = MemoryStore()
    try:
        run = tree.hch(model, store).begin(tree.roots)
        asyncio.run(run.finish())
    except BillExhausted:
        return None
    return Trace(store.events(run.id)).canonical(), frozenset(model.requests)


@dataclass(frozen=True)
class Death:
    """A kill at the commit of that number from now: before it, after it, or in its midst.

    `torn` is the part of what it wrote that has reached the file. Where there is no such commit any
    more, the kill comes when nobody has anything to do.
    """

    point: Literal["before", "after"]
    number: int
    torn: float = 1.0


class Steps(selectors.DefaultSelector):
    """Where a loop would wait, it waits for a commit, lets time pass, or else stops the loop."""

    def __init__(self, committing: Callable[[], bool], stop: Callable[[], None]) -> None:
        super().__init__()
        self.now = 0.0
        self.commits: float = inf
        self.quiet = threading.Event()
        self.quiet.set()
        self._committing, self._stop = committing, stop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self._committing():
            if self.commits <= 0:
                self._stop()
                return []
            self.commits -= 1
            self.quiet.set()
            ready = super().select(None)
            self.quiet.clear()
        elif timeout is not None and timeout < SOON:
            self.now += timeout
        else:
            self._stop()
        return ready


class Loop(asyncio.SelectorEventLoop):
    """A loop whose time is that of its steps."""

    def __init__(self, committing: Callable[[], bool]) -> None:
        self.steps = Steps(committing, self.stop)
        super().__init__(self.steps)

    def time(self) -> float:
        return self.steps.now


class Patient(GroupCommit[Any]):
    """Commits when it is its turn and the loop stands still: the same steps, the same groups."""

    def __init__(self, commit: Callable[[Sequence[Any]], None]) -> None:
        super().__init__(commit)
        self.turn = threading.Event()
        self.turn.set()

    def _commit_group(self, *, hurry: bool = False) -> None:
        self.turn.wait()
        super()._commit_group(hurry=hurry)


class Handle(SqliteStore):
    """A store that knows who waits for its commits, and can be killed at one of them.

    `promised` counts, by run, the events of which somebody was told that they are durable; none is
    synced, since what was written outlives a process.
    """

    def __init__(self, path: Path, life: Life) -> None:
        super().__init__(path, pragmas={"synchronous": 0})
        self.waiting = 0
        self.promised = Counter[str]()
        self._appended = Counter[str]()
        self._life = life
        self._group = self.patient = Patient(self._write)

    def begin(self, run: str) -> None:
        """From here on the events of that run are counted."""
        self.promised[run] = self._appended[run] = 0

    def append(self, run: str, at: float, event: Event) -> None:
        super().append(run, at, event)
        self._appended[run] += 1

    async def durable(self) -> None:
        appended = self._appended.copy()
        self.waiting += 1
        try:
            await super().durable()
        finally:
            self.waiting -= 1
        if not self._life.dead:
            self.promised |= appended

    def flush(self) -> None:
        events = (self._life.loop.steps.quiet, self.patient.turn)
        before = [event.is_set() for event in events]
        for event in events:
            event.set()
        try:
            super().flush()
        finally:
            for event, was in zip(events, before, strict=True):
                if not was:
                    event.clear()
        if not self._life.dead:
            self.promised |= self._appended

    def _write(self, group: Sequence[Any]) -> None:
        with self._life.committing:
            self._life.reach("before")
            super()._write(group)
            self._life.reach("after")


class Life:
    """A process from its start to its kill: a loop, handles to write by, and one to look with."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.dead = False
        self.committing = threading.Lock()
        self.loop = Loop(self._commit)
        self.handles = [Handle(path, self) for _ in range(HANDLES)]
        self.looker = SqliteStore(path)
        self.tasks: list[asyncio.Task[Any]] = []
        self._death: Death | None = None
        self._reached = 0
        self._before = (0, 0)
        self._left: Path | None = None

    def start(self, work: Any) -> asyncio.Task[Any]:
        task = self.loop.create_task(work)
        self.tasks.append(task)
        return task

    def settle(self, commits: float = inf) -> None:
        """Go on until nobody has anything to do, or so many commits were waited for."""
        steps = self.loop.steps
        steps.commits = commits
        steps.quiet.clear()
        self._let(())
        self.loop.run_forever()
        steps.quiet.set()
        self._let(self.handles)

    def pass_time(self, seconds: float) -> None:
        self.loop.steps.now += seconds

    def kill(self, death: Death, left: Path) -> None:
        """Go on until death comes; what is then on the disk is `left`."""
        self._death, self._left, self._reached = death, left, 0
        self.settle()
        with self.committing:
            if not self.dead:
                self._die()

    def reach(self, point: str) -> None:
        """Called at each commit, in its thread: all others stand still when death comes there."""
        log, death = self.path.with_name(f"{self.path.name}-wal"), self._death
        if self.dead:
            return
        if point == "before":
            self._before = self._sizes(log)
        if death is None or death.point != point:
            return
        self._reached += 1
        if self._reached == death.number:
            self.loop.steps.quiet.wait()
            self._die()
            size, changed = self._sizes(log)
            if point == "after" and size > self._before[0] and changed == self._before[1]:
                assert self._left is not None
                torn = self._before[0] + int(death.torn * (size - self._before[0]))
                with self._left.with_name(f"{self._left.name}-wal").open("r+b") as file:
                    file.truncate(torn)

    def end(self) -> None:
        """Let go of everything; what is still written on the way is nobody's any more."""
        self.dead, self._death = True, None
        for task in self.tasks:
            task.cancel()
        self.loop.run_until_complete(self._gone())
        self.loop.steps.quiet.set()
        self._let(self.handles)
        for store in (*self.handles, self.looker):
            store.close()
        self.loop.close()

    def _commit(self) -> bool:
        """Let the first handle commit for which somebody waits, if there is one."""
        first = [handle for handle in self.handles if handle.waiting][:1]
        self._let(first)
        return bool(first)

    def _let(self, handles: Sequence[Handle]) -> None:
        for handle in self.handles:
            if handle in handles:
                handle.patient.turn.set()
            else:
                handle.patient.turn.clear()

    async def _gone(self) -> None:
        for task in self.tasks:
            with suppress(BaseException):
                await task

    def _die(self) -> None:
        assert self._left is not None
        for ending in ENDINGS:
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{self.path}{ending}", f"{self._left}{ending}")
        self.dead = True

    def _sizes(self, log: Path) -> tuple[int, int]:
        """The bytes of the log, and when the file itself was changed last."""
        return (
            log.stat().st_size if log.exists() else 0,
            self.path.stat().st_mtime_ns if self.path.exists() else 0,
        )
