"""Outlines against traces: of random runs at every moment, kept and read again, and damaged."""

from __future__ import annotations

import asyncio
import contextlib
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from math import inf, isclose
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel
from hch.browse.book import Book
from hch.browse.figures import of_node
from hch.browse.folding import View
from hch.browse.openness import ALL
from hch.columns import DOUBTED, NOBODY, Columns
from hch.commands._figures import as_object
from hch.commands._report import blemishes as of_trace
from hch.commands._report import in_doubt, sums, totals, uncertain
from hch.commands._shown import blemishes
from hch.errors import BillExhausted, DeadEndpoint, ModelError, TransientModelError
from hch.events import Asked, CallIntended, Event, NodeClosed, NodeOpened, Record, RootOpened
from hch.growing import Growing
from hch.judging import CHECKING, verdict
from hch.nodes import UNCLEAN, Node
from hch.outline import Outline
from hch.outline_bytes import dump, load
from hch.rates import Rate
from hch.stores.memory import MemoryStore
from hch.trace import Trace
from hch.types import Request, digest
from tests.commands.test_show import closed, opened, started, words
from tests.support import Plan

SLOW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
STRATEGIES = (
    "factored", "consult", "direct", "vote,k=3/consult", "verify/factored",
    "vote,k=3/verify/direct", "verify/vote,k=3/consult",
)  # fmt: skip
QUESTIONS = (("q?",), ("q?", "q?"), ("q?", "what else?", "q?"), ("what is it?", "q?"))
SCRIPTED = ("verify,by=oracle/vote,k=5/script,errors=0.4", "verify,by=oracle/script,errors=0.5")


class Mind:
    """A `Plan` that judges answers too, and fails as it is told to."""

    def __init__(self, seed: int, share: float, kind: str) -> None:
        self._seed, self._share = seed, share
        self._how = TransientModelError if kind == "unreachable" else ModelError
        self._kind, self._plan = kind, Plan(seed, seed % 3 * 0.06)

    def reply(self, request: Request) -> Any:
        if request.question.startswith(CHECKING[:20]):
            said = ["ACCEPT", "REJECT: it is wrong", "CANNOT TELL: who knows", "hm"]
            return Random(digest(self._seed, request.key(""))).choice(said)
        return self._plan(request)

    def fail(self, request: Request, attempt: int) -> ModelError | None:
        fate = Random(digest(self._seed, self._share, request.call))
        if fate.random() < self._share:
            return self._how("no", kind=self._kind, ran=False)
        if fate.random() < 0.2 and attempt == 1:
            return TransientModelError("not now", kind="http 500", ran=fate.random() < 0.5)
        return None


def run_of(seed: int) -> list[Record]:
    """A run that was cut off, gone on with and tried again a few times; or a script's."""
    rng = Random(seed)
    if rng.random() < 0.2:
        store = MemoryStore()
        asked = HCH(depth=0, strategy=rng.choice(SCRIPTED), seed=seed, store=store)
        return list(store.events(asyncio.run(asked.ask("What is 4-1?")).run))
    options: dict[str, Any] = {
        "depth": rng.randrange(3), "strategy": rng.choice(STRATEGIES), "pause": 0.0, "attempts": 2,
        "budget": rng.choice([None, None, "60calls", "1usd"]), "fanout": rng.choice([1, 3]),
    }  # fmt: skip

    def built(store: MemoryStore, share: float, kind: str) -> HCH:
        mind = Mind(seed, share, kind)
        model = ScriptedModel(mind.reply, failures=mind.fail, rate=Rate(3.0, 9.0))
        return HCH(model=model, store=store, **options)

    store = MemoryStore()
    run = built(store, rng.choice([0, 0.1, 0.3]), "http 500").begin(rng.choice(QUESTIONS))
    with contextlib.suppress(DeadEndpoint, BillExhausted):
        asyncio.run(run.finish())
    for _ in range(rng.randrange(4)):
        records = list(store.events(run.id))
        store = MemoryStore()
        for record in records[: rng.randint(1, len(records))]:
            store.append(run.id, record.at, record.event)
        again = built(store, rng.choice([0, 0.3]), rng.choice(["http 500", "unreachable"]))
        with contextlib.suppress(DeadEndpoint, BillExhausted):
            asyncio.run(again.resume(run.id, retry_failed=rng.random() < 0.6).finish())
    return list(store.events(run.id))


@cache
def records_of(seed: int) -> list[Record]:
    """Those of one of a hundred runs, made once."""
    return run_of(seed)


seeds = st.integers(0, 99)


def grown(records: Iterable[Record], growing: Growing | None = None) -> Growing:
    growing = growing or Growing()
    for record in records:
        growing.take(record.seq, record.at, record.event)
    return growing


def check(outline: Outline, records: Sequence[Record]) -> None:
    """That an outline says of these events what their trace says."""
    trace = Trace(records)
    nodes = list(trace.nodes())
    assert [outline.id(n) for n in range(outline.n)] == [node.id for node in nodes]
    number = {node.id: i for i, node in enumerate(nodes)}
    retries = _retries(records)
    doubted = _doubted(nodes)
    for i, node in enumerate(nodes):
        assert (outline.id(i), outline.find(node.id)) == (node.id, i)
        assert outline.state(i) == (node.status or "open")
        assert (outline.level[i], outline.wrapper[i]) == (node.level, node.opened.wrapper)
        assert outline.players[outline.player[i]] == node.opened.player
        assert outline.clean(i) == node.clean
        assert outline.spent(i) == node.spent
        assert outline.at[i] == node.at
        assert node.until is None or outline.until[i] == node.until
        assert outline.parent[i] == number.get(node.id.rpartition(".")[0], NOBODY)
        assert outline.below[i] == sum(other.startswith(f"{node.id}.") for other in number)
        assert outline.children(i) == [number[child.id] for child in node.children]
        assert outline.retries[i] == retries.get(node.key, 0)
        assert bool(outline.flags[i] & DOUBTED) == (node.key in doubted)
        asks = [outline.ask(position) for position in outline.asks(i)]
        assert [
            (a.slot, a.round, a.how, a.node, a.refused, a.shared, a.more) for a in asks
        ] == [
            (a.slot, a.round, a.how, number[a.node.id] if a.node else NOBODY,
             a.refusal is not None, a.shared, a.more)
            for a in node.asks
        ]  # fmt: skip
        assert outline.problem(i) == _problem(node, doubted)
        assert (i in outline.problems) == outline.problem(i)
    assert [outline.node(a) for a in outline.roots if outline.node(a) != NOBODY] == [
        number[root.id] for root in trace.roots
    ]
    took = outline.totals
    assert (took.requests, took.flying) == (
        len(trace.calls), sum(len(call.unknown) for call in trace.calls.values())
    )  # fmt: skip
    assert took.billed == trace.bill.microusd == inf or isclose(
        took.billed, trace.bill.microusd, abs_tol=1e-6
    )
    assert sums(trace.started, outline.n, took) == totals(trace)
    assert in_doubt(took.flying) == uncertain(trace)
    assert sorted(blemishes(outline).split(", ")) == sorted(of_trace(trace).split(", "))
    assert (outline.started, outline.ended) == trace.times


def _retries(records: Sequence[Record]) -> dict[str, int]:
    found: dict[str, int] = {}
    for record in records:
        match record.event:
            case NodeOpened() as event:
                found[event.key] = 0
            case CallIntended() as event if event.attempt > 1 and event.node in found:
                found[event.node] += 1
            case _:
                pass
    return found


def _doubted(nodes: Sequence[Node]) -> set[str]:
    """The keys of the tries that a check after them rejects."""
    found = set()
    for node in nodes:
        tried = None
        for ask in node.asks:
            if ask.how == "try":
                tried = ask.node
            elif ask.how == "put" and ask.node and tried:
                answer = ask.node.answer
                if ask.node.opened.question.body != CHECKING:
                    continue
                if answer is not None and answer.text and verdict(answer).said == "reject":
                    found.add(tried.key)
    return found


def _problem(node: Node, doubted: set[str]) -> bool:
    notes = node.closed.notes if node.closed else ()
    return (
        node.status not in (None, "answered")
        or node.key in doubted
        or any(note.startswith(UNCLEAN) for note in notes)
        or any(ask.refusal is not None for ask in node.asks)
    )


@SLOW
@given(seeds)
def test_an_outline_says_what_the_trace_says(seed: int) -> None:
    check(grown(records_of(seed)).settled(), records_of(seed))


@SLOW
@given(seeds, st.data())
def test_it_does_so_at_every_moment_of_a_run(seed: int, data: st.DataObject) -> None:
    records, growing = records_of(seed), Growing()
    moments = data.draw(st.lists(st.integers(1, len(records)), min_size=1, max_size=12))
    for before, moment in zip([0, *sorted(moments)], sorted(moments), strict=False):
        growing = grown(records[before:moment], growing)
        check(growing.settled(), records[:moment])


def test_of_some_runs_at_really_every_moment() -> None:
    for seed in range(3):
        growing = Growing()
        for n, record in enumerate(records_of(seed), 1):
            check(grown([record], growing).settled(), records_of(seed)[:n])


@SLOW
@given(seeds, st.data())
def test_one_that_was_kept_goes_on_as_if_it_had_never_been(seed: int, data: st.DataObject) -> None:
    records = records_of(seed)
    at, growing = 0, Growing()
    for moment in sorted(data.draw(st.lists(st.integers(1, len(records)), max_size=4))):
        growing = grown(records[at:moment], growing)
        kept = load(dump(growing.settled()))
        assert kept is not None
        check(kept, records[:moment])
        at, growing = moment, Growing.of(kept)
    check(grown(records[at:], growing).settled(), records)


@SLOW
@given(seeds)
def test_what_is_dumped_is_loaded_to_the_byte(seed: int) -> None:
    data = dump(grown(records_of(seed)).settled())
    again = load(data)
    assert again is not None
    assert dump(again) == data


def forged(seed: int) -> list[Record]:
    """A run that nobody made: slots in any order and twice, questions that came to one node."""
    rng = Random(seed)
    events: list[Event] = [started(6), RootOpened(index=0, key="0", question="")]
    for _ in range(rng.randrange(40)):
        key = rng.randrange(7)
        ours = [e for e in events if isinstance(e, NodeOpened | NodeClosed) and e.key == str(key)]
        is_open = bool(ours) and isinstance(ours[-1], NodeOpened)
        match rng.randrange(5) if is_open else rng.choice([0, 0, 0, 4]):
            case 0 | 1:
                events.append(opened(str(key), 6 - key, rng.choice(["Why?", CHECKING])))
            case 2:
                status = rng.choice(["answered", "answered", "unanswered", "failed"])
                said = rng.choice(["So.", "REJECT: no"])
                notes = rng.choice([(), ("cut: short",), ("fallback: other", "aside")])
                events.append(closed(str(key), status, said, *notes))
            case 3 if key < 6:
                child = str(rng.randrange(key + 1, 8)) if rng.random() < 0.8 else None
                refusal = "no" if child is None and rng.random() < 0.8 else None
                events.append(
                    Asked(
                        parent=str(key), slot=rng.randrange(1, 5), round=rng.randrange(3),
                        how=rng.choice(["ask", "try", "put"]), question=words(CHECKING),
                        child=child, refusal=refusal, more=rng.choice([0, 0, 2]),
                    )
                )  # fmt: skip
            case _:
                events.append(RootOpened(index=rng.randrange(3), key=str(key), question=""))
    return [Record(run="r", seq=i, at=i / 4, event=e) for i, e in enumerate(events, 1)]


@settings(SLOW, max_examples=300)
@given(st.integers(0, 10**6), st.data())
def test_a_foreign_run_is_the_same_to_both(seed: int, data: st.DataObject) -> None:
    records = forged(seed)
    moment = data.draw(st.integers(1, len(records)))
    growing = grown(records[:moment])
    kept = load(dump(growing.settled()))
    assert kept is not None
    check(kept, records[:moment])
    check(grown(records[moment:], Growing.of(kept)).settled(), records)
    check(grown(records[moment:], growing).settled(), records)


def walk(outline: Outline) -> None:
    """Ask an outline all that can be asked of it."""
    assert len({outline.id(n) for n in range(outline.n)}) == outline.n
    for node in range(outline.n):
        for position in outline.asks(node):
            outline.ask(position)
        outline.find(outline.id(node))
        outline.events(node)
        outline.own(node)
        outline.problem(node)
        outline.children(node)
        assert outline.path(node)[0] == node
        assert outline.state(node)
        assert outline.way(node)
        assert outline.players[outline.player[node]] is not None
    assert set(outline.problems) <= set(range(outline.n))
    view = View(outline)
    for branch in view.kids(view.top):
        view.turn(branch, ALL)
    for _ in view.rows(0, min(view.count, 1000)):
        pass
    Growing.of(outline).settled()


@SLOW
@given(seeds, st.data())
def test_damage_is_seen(seed: int, data: st.DataObject) -> None:
    whole = dump(grown(records_of(seed)).settled())
    at = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    assert load(whole[:at] + bytes([whole[at] ^ other]) + whole[at + 1 :]) is None
    assert load(whole[:at]) is None
    assert load(whole + b"\0") is None
    assert load(data.draw(st.binary(max_size=200))) is None


@SLOW
@given(seeds, st.data())
def test_numbers_that_lead_nowhere_are_not_followed(seed: int, data: st.DataObject) -> None:
    outline = grown(records_of(seed)).settled()
    tables = {name: Columns(table) for name, table in outline.tables.items()}
    columns = [(t, c) for t, table in tables.items() for c, values in table.items() if values]
    for _ in range(data.draw(st.integers(1, 3))):
        table, name = data.draw(st.sampled_from(columns))
        values = array(tables[table][name].typecode, tables[table][name])
        if data.draw(st.booleans()):
            size = values.itemsize
            raw = data.draw(st.binary(min_size=size, max_size=size))
            [value] = array(values.typecode, raw)
        else:
            value = data.draw(st.sampled_from(values))
        if data.draw(st.booleans()):
            values[data.draw(st.integers(0, len(values) - 1))] = value
        else:
            values.append(value)
        tables[table][name] = values
    kept = load(dump(Outline(outline.head, tables, outline.keys)))
    if kept is not None:
        walk(kept)


@pytest.mark.parametrize("seed", range(12))
def test_a_node_of_a_book_is_that_of_the_trace(seed: int) -> None:
    records = records_of(seed)
    store = MemoryStore()
    for record in records:
        store.append(record.run, record.at, record.event)
    book = Book(store, store.runs()[0])
    nodes = as_object(Trace(records), "", 0)["nodes"]
    assert [of_node(book, i) for i in range(book.outline.n)] == nodes
