"""One run, from `RunStarted` to `RunFinished`: its bill, its journal, its models in their wraps."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import cache, cached_property
from secrets import token_hex
from typing import Any

from hch import __version__
from hch.budget import Bill, Price, root_grant
from hch.endpoints import Endpoint
from hch.engine import Engine
from hch.errors import BillExhausted, StoreError
from hch.events import Event, RunFinished, RunResumed, RunStarted, RunStopped
from hch.journal import Journal
from hch.keeping import ReplyCache, Store
from hch.middleware import (
    Cached,
    Deadline,
    Journalled,
    Recorded,
    Redacted,
    Retrying,
    Throttled,
)
from hch.planting import planted
from hch.prompts import PromptSet
from hch.protocols import Model, Task
from hch.recording import Recording
from hch.redaction import Redaction
from hch.roots import Plan
from hch.rules import Limits, Lineup, Rules, put_to
from hch.steps import Instance
from hch.trace import Trace
from hch.types import Answer, Text
from hch.wire import Amounts, Tariff

Watch = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Calling:
    """How calls are made: what changes how long a run takes, never what it answers."""

    concurrency: int = 64
    attempts: int = 6
    timeout: float = 600.0
    pause: float = 0.5


@dataclass(frozen=True, slots=True)
class Setup:
    """A run's parts, put together; `recipe` is what to build them from again.

    `running` holds the loop of each run, by id, that uses these models now, and `cache` the replies
    of other runs. `grant` is each root's, None for a part of the cap.
    """

    lineups: tuple[Lineup, ...]
    prompts: PromptSet
    recipe: dict[str, Any]
    limits: Limits = Limits()
    seed: int = 0
    manual: Text | None = None
    task: Task | None = None
    cap: Price = Price()
    deadline: float | None = None
    calling: Calling = field(default_factory=Calling)
    running: dict[str, asyncio.AbstractEventLoop] = field(default_factory=dict)
    priced_by: str = ""
    redaction: Redaction = field(default_factory=Redaction)
    cache: ReplyCache | None = None
    instances: tuple[Instance, ...] = ()
    grant: Price | None = None

    @property
    def models(self) -> dict[str, Model]:
        """Everything that thinks, once, by name."""
        return {model.name: model for lineup in self.lineups for model in lineup.models()}

    def thinking_by(self, change: Callable[[Model], Model]) -> tuple[Lineup, ...]:
        """The lineups, each of their players with what this makes of its model."""
        return tuple(lineup.thinking_by(change) for lineup in self.lineups)

    def rules(self, journal: Journal) -> Rules:
        """What holds for the whole run."""
        return Rules(
            self.prompts,
            journal,
            self.limits,
            self.seed,
            self.manual,
            self.task,
            {instance.digest: instance for instance in self.instances},
        )


@dataclass(frozen=True)
class Result:
    """How one root of a run ended; `trace` is the run's tree, read when it is first asked for."""

    run: str
    index: int
    answer: Answer
    store: Store
    read: Callable[[], Trace] = field(repr=False)

    @property
    def text(self) -> str | None:
        return self.answer.text.body if self.answer.text else None

    @property
    def status(self) -> str:
        return self.answer.status

    @property
    def reason(self) -> str:
        return self.answer.reason

    @property
    def notes(self) -> tuple[str, ...]:
        return self.answer.notes

    @cached_property
    def trace(self) -> Trace:
        return self.read()

    @property
    def clean(self) -> bool:
        """Answered, every node below too, and nothing refused, cut or fallen back on."""
        return self.trace.roots[self.index].clean


@dataclass(frozen=True, slots=True)
class Resumed:
    """How a run goes on: from which past, under which cap, trying which requests again."""

    past: Recording
    cap: Price
    again: tuple[str, ...] = ()

    @property
    def over(self) -> bool:
        """Whether nothing is left to be done."""
        return self.past.finished is not None and not self.again

    def event(self) -> RunResumed:
        return RunResumed(version=__version__, cap=Amounts.of(self.cap), again=self.again)


class Run:
    """A run that can be finished once. `id` sorts by time.

    `watch` is told every event; `endpoints` are what its calls wait for, and `bill` what they have
    cost, once it goes.
    """

    def __init__(
        self,
        id: str,
        setup: Setup,
        store: Store,
        plan: Plan,
        *,
        resumed: Resumed | None = None,
    ) -> None:
        self.id = id
        self.setup = setup
        self.store = store
        self.plan = plan
        self.cap = resumed.cap if resumed else setup.cap
        self.watch: Watch | None = None
        self.endpoints: tuple[Endpoint, ...] = ()
        self.bill: Bill | None = None
        self.resumed = resumed

    @classmethod
    def new(cls, setup: Setup, store: Store, plan: Plan) -> Run:
        return cls(
            f"{time.strftime('%y%m%d-%H%M%S', time.gmtime())}-{token_hex(3)}", setup, store, plan
        )

    async def finish(self) -> list[Result]:
        """Go on to the end; each root's result, in order.

        A finished run is only read, unless something of it is to be tried again.

        Raises BillExhausted, StoreError, ConfigError, DeadEndpoint; the run can then be resumed.
        """
        answers: dict[int, Answer] = {}
        await self.end(answers.__setitem__)
        if self.resumed and self.resumed.over:
            ended = [root.answer for root in self.resumed.past.trace.roots]
            return self._results([answer for answer in ended if answer is not None])
        return self._results([answers[i] for i in range(self.plan.count)])

    async def end(self, done: Callable[[int, Answer], None] = lambda *_: None) -> None:
        """Go on to the end as `finish`, and keep no answer: `done` is told each root's.

        It is told nothing of a finished run.
        """
        with self.store.live(self.id):
            resumed = self.resumed
            past = resumed.past if resumed else None
            if past and self.store.last(self.id) != past.last:
                raise StoreError(f"run {self.id} went on meanwhile: look at it, and resume it anew")
            if resumed and resumed.over:
                return
            bill = self.bill = Bill(self.cap, past.bill if past else Price())
            journal = self.journal(past)
            journal.write(resumed.event() if resumed else self.started())
            await journal.durable()
            counts: Counter[str] = Counter()

            def counted(index: int, answer: Answer) -> None:
                counts[answer.status] += 1
                done(index, answer)

            try:
                await self._grow(journal, bill, past, counted)
            except BaseException as error:
                reason = self.setup.redaction.text(str(error))
                journal.write(RunStopped(kind=type(error).__name__, reason=reason))
                self.store.flush()
                raise
            journal.write(RunFinished(statuses=dict(sorted(counts.items()))))
            await journal.durable()

    def journal(self, past: Recording | None = None) -> Journal:
        """What writes this run's events, and tells them to `watch`; `past` is what is there."""
        written = past.written if past else ()
        return Journal(self.store, self.id, time.time, written, self.watch)

    async def _grow(
        self,
        journal: Journal,
        bill: Bill,
        past: Recording | None,
        done: Callable[[int, Answer], None],
    ) -> None:
        setup = self.setup
        models = self._wrapped(journal, bill, past)
        rules = setup.rules(journal)
        roots = planted(self.plan, setup.thinking_by(lambda model: models[model.name]), rules)
        try:
            async with AsyncExitStack() as stack:
                if setup.cache is not None:
                    stack.callback(setup.cache.close)
                for model in models.values():
                    stack.push_async_callback(self._close, model)
                setup.running[self.id] = asyncio.get_running_loop()
                async with asyncio.timeout(setup.deadline) as scope:
                    await Engine(rules).run(roots, self.grant, done, at_once=self._roots_at_once)
        except TimeoutError:
            if not scope.expired():
                raise
            raise BillExhausted(f"the run's {setup.deadline:g} s are over") from None

    @property
    def _roots_at_once(self) -> int:
        """As many as calls may fly, since a root may be a single call."""
        return max(256, self.setup.calling.concurrency)

    async def _close(self, model: Model) -> None:
        """Let go of a model, unless another run of the same parts is using it in this loop."""
        self.setup.running.pop(self.id, None)
        if asyncio.get_running_loop() not in self.setup.running.values():
            await model.close()

    def _wrapped(self, journal: Journal, bill: Bill, past: Recording | None) -> dict[str, Model]:
        """Every model of the run in its wraps, by name; those of one endpoint share its limits."""
        calling, endpoints, models = self.setup.calling, dict[str, Endpoint](), dict[str, Model]()
        retried = past is not None and past.retried
        model: Model
        for bare in self.setup.models.values():
            limit = min(calling.concurrency, bare.at_once or calling.concurrency)
            shared = Endpoint(bare.endpoint, limit, calling.pause)
            endpoint = endpoints.setdefault(bare.endpoint, shared)
            if retried:  # all that is left may be what failed before: that is no dead endpoint
                endpoint.lives()
            model = Redacted(bare, self.setup.redaction)
            model = model if bare.by_hand else Deadline(model, calling.timeout)
            model = Journalled(model, journal, bill, past.attempts if past else {})
            if not bare.by_hand:  # people have a queue of their own
                model = Throttled(model, endpoint)
            model = Retrying(model, journal, endpoint, calling.attempts, calling.pause)
            if self.setup.cache is not None and getattr(bare, "lasting", False):
                model = Cached(model, self.setup.cache, journal)
            models[bare.name] = Recorded(model, past.replies if past else None)
        self.endpoints = tuple(endpoints.values())
        return models

    @property
    def grant(self) -> Price:
        """Each root's grant: of the cap that the run was started with."""
        return self.setup.grant or root_grant(self.setup.cap, self.plan.count)

    def started(self) -> RunStarted:
        """The event that a new run begins with."""
        setup = self.setup
        models = list(setup.models.values())
        first, *further = (
            tuple(player.spec for player in lineup.players) for lineup in setup.lineups
        )
        return RunStarted(
            version=__version__,
            setup=setup.recipe,
            players=first,
            lineups=tuple(further),
            others=put_to(setup.lineups),
            prompts=setup.prompts.texts(),
            seed=setup.seed,
            roots=self.plan.kept(setup.instances),
            count=self.plan.count,
            grant=Amounts.of(self.grant),
            cap=Amounts.of(setup.cap),
            rates={m.name: Tariff.of(m.rate) if m.rate else None for m in models},
            priced_by=setup.priced_by,
            by_hand=tuple(dict.fromkeys(m.name for m in models if m.by_hand)),
        )

    def _results(self, answers: Sequence[Answer]) -> list[Result]:
        """Each root's result; they share the tree, which is read once."""
        past = self.resumed.past.trace if self.resumed and self.resumed.over else None
        read = cache(lambda: past or Trace(self.store.events(self.id)))
        return [Result(self.id, i, a, self.store, read) for i, a in enumerate(answers)]
