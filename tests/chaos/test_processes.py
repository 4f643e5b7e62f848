"""Several processes on one store: each has its trees, and of those that want one run one wins."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.server import question, size
from hch.events import CallFinished, CallIntended, Record, RunFinished
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.types import digest
from tests.chaos.provider import Provider
from tests.chaos.warm import Warm
from tests.chaos.witness import Witness
from tests.commands.terminal import Done
from tests.promises import LONG, Promise
from tests.support import check_tree

MANY = 4
"""Processes at once."""

DEPTH = 3
"""Of a tree: 40 nodes and 53 calls."""

STORE = Path("runs.db")


@pytest.fixture(scope="module")
def crowd() -> Iterator[list[Warm]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Warm()) for _ in range(MANY)]


def asked(url: str, part: str = "0", store: str = str(STORE)) -> list[str]:
    """The words of a question about that part."""
    model = f"vllm:small,base_url={url}"
    words = ["ask", question(part), "--depth", str(DEPTH), "-m", model]
    return [*words, "--json", "-q", "--store", store]


@pytest.mark.parametrize("seed", range(40 if LONG else 4))
def test_I14_of_many_who_resume_a_run_one_wins(  # noqa: N802
    seed: int, crowd: list[Warm], promise: Promise
) -> None:
    rng = Random(digest("crowd", seed))
    provider = Provider("0", DEPTH, seed)
    witness = Witness(provider, rng)
    with provider.serve() as server:
        crowd[0].type(*asked(server.url))
        provider.kill_at(rng.randint(1, size(DEPTH)[1]), crowd[0].pid)
        assert crowd[0].done().code == -9
        witness.look(STORE)
        with promise.kept("I14", tries=MANY):
            with provider.silent():
                for process in crowd:
                    process.type("resume", str(witness.run), "--json", "-q", "--store", str(STORE))
                losers = first_to_end(crowd, MANY - 1)
            [winner] = [process for process in crowd if process not in losers]
            for lost in (process.done() for process in losers):
                assert (lost.code, lost.out) == (5, "")
                assert lost.err.count("\n") == 1
                assert f"run {witness.run} is in use by another process" in lost.err
            done = winner.done()
            assert done.code == 0, done.err
            check_one_result(witness, done)


def first_to_end(crowd: list[Warm], many: int) -> list[Warm]:
    """The first so many whose commands end."""
    ended: list[Warm] = []
    while len(ended) < many:
        going = [process for process in crowd if process not in ended]
        some = select.select(going, [], [], 20)[0]
        assert some, "more than one went on with the run"
        ended += some
    assert len(ended) == many, "nobody went on with the run"
    return ended


def check_one_result(witness: Witness, done: Done) -> None:
    witness.look(STORE)
    with closing(SqliteStore(STORE)) as store:
        trace = Trace(store.events(str(witness.run)))
    check_tree(trace)
    witness.check_end(trace, json.loads(done.out)["unknown"])


@pytest.mark.parametrize("seed", range(20 if LONG else 2))
def test_I14_processes_with_trees_of_their_own_share_a_store(  # noqa: N802
    seed: int, crowd: list[Warm], warm: Warm, promise: Promise
) -> None:
    parts = [f"0.{i}" for i in range(MANY)]
    provider = Provider("0", DEPTH + 1, seed)
    with provider.serve() as server:
        alone = {}
        for part in parts:
            assert warm.hch(*asked(server.url, part, f"{part}.db")).code == 0
            alone[part] = exports(Path(f"{part}.db"))
        provider.forget()
        with promise.kept("I14", tries=MANY):
            for process, part in zip(crowd, parts, strict=True):
                process.type(*asked(server.url, part))
            assert [process.done().code for process in crowd] == [0] * MANY
            assert exports(STORE) == set().union(*alone.values())
            assert set(provider.sent.values()) == {1}
            assert provider.sent.total() == MANY * size(DEPTH)[1]


def exports(path: Path) -> set[bytes]:
    """The canonical export of every run of a store that passes its check."""
    with closing(SqliteStore(path)) as store:
        assert store.check() == []
        return {Trace(store.events(row.run)).canonical() for row in store.runs()}


def test_I14_a_late_result_never_replaces_the_first(  # noqa: N802
    warm: Warm, promise: Promise
) -> None:
    provider = Provider("0", DEPTH, seed=0)
    with provider.serve() as server:
        assert warm.hch(*asked(server.url, store="whole.db")).code == 0
        with closing(SqliteStore("whole.db")) as store:
            records = list(store.events(store.runs()[0].run))
        whole = Trace(records)
        provider.forget()
        for number, request in zip(count(1), whole.calls, strict=False):
            path = Path(f"{number}.db")
            with promise.kept("I14"):
                with closing(SqliteStore(path)) as store, store.live("late"):
                    for event in with_a_late_one(records, request):
                        store.append("late", 0.0, event)
                done = warm.hch("resume", "late", "--json", "-q", "--store", str(path))
                assert done.code == 0, done.err
                with closing(SqliteStore(path)) as store:
                    trace = Trace(store.events("late"))
                assert trace.canonical() == whole.canonical()
                assert [end.attempt for end in trace.calls[request].ends] == [1, 2]
                assert trace.bill.calls == whole.bill.calls + 1
        assert not provider.sent


def with_a_late_one(records: list[Record], request: str) -> Iterator[Any]:
    """A run's events less its end, and a second attempt at a request with a result of its own."""
    events = [record.event for record in records if not isinstance(record.event, RunFinished)]
    yield from events
    for event in events:
        if isinstance(event, CallIntended | CallFinished) and event.request == request:
            late: dict[str, Any] = {"attempt": 2}
            if isinstance(event, CallFinished):
                late |= {"text": "something else altogether", "raw": b"late"}
            yield event.model_copy(update=late)
