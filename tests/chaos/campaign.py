"""A tree that is asked for by the command line, killed, resumed, killed again, and looked at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, Protocol

from benchmarks.server import question
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.chaos.provider import Provider
from tests.chaos.warm import Warm
from tests.chaos.witness import Witness, rows
from tests.commands.terminal import Done
from tests.promises import Promise
from tests.support import check_tree

DEPTH = 5
"""Of the tree: 364 nodes and 485 calls."""

CALLS = 760
"""The cap: the least by which the tree is whole, so that a few kills reach it."""

CONCURRENCY = 128
"""The most calls in flight, and so of unknown outcome by one kill."""


class Death(Protocol):
    """How a command is to die, if it lives so long; `env` goes into its environment."""

    @property
    def env(self) -> Mapping[str, str]: ...

    def watch(self, campaign: Campaign) -> None:
        """See to it, now that the command has begun."""
        ...


@dataclass(frozen=True)
class InTime:
    """After that share of the time that the whole tree takes."""

    share: float
    env: Mapping[str, str] = field(default_factory=dict)

    def watch(self, campaign: Campaign) -> None:
        if not campaign.warm.ends(within=self.share * campaign.seconds):
            campaign.warm.kill()


@dataclass(frozen=True)
class InMidstream:
    """When that many requests have come, with this one unanswered."""

    arrivals: int
    env: Mapping[str, str] = field(default_factory=dict)

    def watch(self, campaign: Campaign) -> None:
        campaign.provider.kill_at(self.arrivals, campaign.warm.pid)


@dataclass(frozen=True)
class AtPoint:
    """At a failpoint, when it is reached for the K-th time: `commit:3`."""

    point: str

    @property
    def env(self) -> Mapping[str, str]:
        return {"HCH_FAIL": self.point}

    def watch(self, campaign: Campaign) -> None:
        pass


class Campaign:
    """Trees of one provider, each in a store of its own; `kills` are counted.

    `seconds` is what the tree took without a kill, and `calm` its export then.
    """

    def __init__(
        self, warm: Warm, provider: Provider, url: str, rng: Random, promise: Promise
    ) -> None:
        self.warm, self.provider = warm, provider
        self.kills = 0
        self._rng, self._promise = rng, promise
        shape = f"--depth {DEPTH} --budget {CALLS}calls --concurrency {CONCURRENCY}".split()
        self._ask = ("ask", question("0"), *shape, "-m", f"vllm:small,base_url={url}")
        self._begin("calm.db")
        began = monotonic()
        done = self._typed()
        self.seconds = monotonic() - began
        assert done.code == 0, done.err
        self._answer = json.loads(done.out)["answer"]
        with closing(SqliteStore(self._path)) as store:
            self.calm = Trace(store.events(store.runs()[0].run)).canonical()

    def grow(self, name: str, deaths: Iterator[Death]) -> None:
        """Ask for the tree and resume it, however often it is killed, until it is answered."""
        self._begin(name)
        done = None
        while done is None or done.code:
            done = self._typed(next(deaths, None))
            assert done.code in (-9, 0, 3), (done.code, done.err)
            self.kills += done.code == -9
            if done.code == 3:  # the unknown outcomes of all these kills have reached the cap
                assert "--budget" in done.err, done.err
                self._cap += 2 * CONCURRENCY
            self._witness.look(self._path, killed=done.code == -9)
        self._check_end(done)

    def _begin(self, name: str) -> None:
        self._path, self._cap = Path(name), CALLS
        self.provider.forget()
        self._witness = Witness(self.provider, self._rng, self._promise)

    def _typed(self, death: Death | None = None) -> Done:
        """Ask, or resume what was asked."""
        words: tuple[str, ...] = self._ask
        if run := self._witness.run:
            words = ("resume", run)
            if self._cap > CALLS:
                words += ("--budget", f"{self._cap}calls")
        env = dict(death.env) if death else {}
        self.warm.type(*words, "--json", "-q", "--store", str(self._path), **env)
        if death:
            death.watch(self)
        done = self.warm.done()
        self.provider.spare()
        return done

    def _check_end(self, done: Done) -> None:
        said: dict[str, Any] = json.loads(done.out)
        with closing(SqliteStore(self._path)) as store:
            trace = Trace(store.events(said["run"]))
            with self._promise.kept("I3", tries=0):
                assert trace.canonical() == self.calm
                assert said["answer"] == self._answer
            with self._promise.kept("I5"):
                check_tree(trace)
                assert (said["status"], len(trace.roots)) == ("answered", 1)
            with self._promise.kept("I2", tries=0):
                self._witness.check_end(trace, said["unknown"])
        with self._promise.kept("I3"):
            before, sent = rows(self._path), self.provider.sent.copy()
            again = self._typed()
            assert (again.code, json.loads(again.out)) == (0, said)
            assert (rows(self._path), self.provider.sent) == (before, sent)
