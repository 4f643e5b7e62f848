"""What is in the SQLite store's tables: each text once, the derived index, the views for SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch.events import Event, RootOpened, RunFinished, RunStopped
from hch.stores import sqlite as module
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import anything, closed, failed, finished, intended, label, opened, story
from tests.stores.writing import write

pytestmark = pytest.mark.leaves_open


def test_long_texts_are_kept_once_and_freed_with_their_last_run(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    own, shared = "Only of this run. " * 20, "Shared by all. " * 100
    for run in ("a", "b", "c"):
        events = [intended(f"r{n}", "k", text=text) for n in range(20) for text in (own, shared)]
        write(store, run, *events)
    bodies = [body.decode() for (body,) in sql("SELECT body FROM texts")]
    assert bodies.count(shared) == 1
    assert bodies.count(own) == 3
    assert len(bodies) == 4
    store.remove(["a"])
    assert [len(list(store.events(run))) for run in ("b", "c")] == [40, 40]
    assert {r.event.question for r in store.events("c")} == {own, shared}  # type: ignore[union-attr]
    assert sql("SELECT count(*) FROM texts") == [(3,)]
    write(store, "d", opened("k", shared))
    assert sql("SELECT count(*) FROM texts") == [(3,)]
    store.remove(["b", "d"])
    assert {r.event.question for r in store.events("c")} == {own, shared}  # type: ignore[union-attr]
    store.remove(["c"])
    for table in ("texts", "text_refs", "event_log", "replies", "run_index", "run_ids"):
        assert sql(f"SELECT count(*) FROM {table}") == [(0,)]


def test_a_run_that_goes_on_after_it_stopped_shares_large_texts(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    large = "A large text. " * 100
    write(store, "a", opened("k", large), RunStopped(kind="x", reason=""))
    write(store, "a", opened("l", large), RunFinished(statuses={}))
    write(store, "a", opened("m", large))
    assert sql("SELECT count(*) FROM texts") == [(1,)]
    assert sql("SELECT count(*) FROM text_refs") == [(0,)]
    assert [row.nodes for row in store.runs()] == [3]


def test_more_texts_than_are_remembered(store: SqliteStore) -> None:
    texts = [f"{n} " * 40_000 for n in range(40)]
    events = [opened(f"k{n}", text) for n, text in enumerate(texts * 2)]
    write(store, "a", *events)
    assert [record.event for record in store.events("a")] == events


def test_the_index_is_the_one_that_its_events_make(store: SqliteStore) -> None:
    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.sampled_from("abc"), anything() | _nodes()), max_size=12))
    def check(events: list[tuple[str, Event]]) -> None:
        for number, (run, event) in enumerate(events):
            store.append(run, float(number), event)
            if number % 3 == 2:
                store.flush()
        before = store.runs()
        store.rebuild_index()
        assert store.runs() == before

    check()


def _nodes() -> st.SearchStrategy[Event]:
    keys = st.sampled_from("klm")
    return st.one_of(
        st.builds(opened, keys),
        st.builds(closed, keys, st.none(), st.sampled_from(["failed", "cancelled"])),
        st.builds(RootOpened, index=st.integers(0, 2), key=keys, question=st.just("")),
        st.builds(RunFinished, statuses=st.just({})),
    )


def test_the_queries_of_the_documentation_are_answered(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    write(store, "ID", *story())
    store.label("ID", [label("leaf", said="good", note="so"), label("root", score=0.5)])
    queries = [line.strip() for line in (module.__doc__ or "").splitlines() if "SELECT" in line]
    runs, nodes, calls, events, labels = (sql(query) for query in queries)
    assert runs == [("ID", "What is the answer?", 65 / 1e6)]
    assert nodes == [(0, "answered", 1), (1, "answered", 1)]
    assert calls == [("x", 4, 1.0)]
    assert [seq for seq, _ in events] == [11]
    assert labels == [("leaf", "good", None, "so"), ("root", None, 0.5, "")]


def test_the_views_have_the_columns_that_the_documentation_names(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    write(store, "a", *story())
    text = (module.__doc__ or "").split("\n\n")[3]
    for view in ("runs", "nodes", "calls", "events", "labels"):
        columns = {row[1] for row in sql(f"PRAGMA table_info({view})")}
        assert all(column in text for column in columns), view


def test_nodes_show_how_they_ended_last(store: SqliteStore, sql: Callable[..., list[Any]]) -> None:
    long, wild = "A long question. " * 100, "\ud800 wild \x00"
    write(store, "a", opened("k", long), opened("l", wild), opened("open"))
    write(store, "b", opened("k", "Of another run?"), closed("k", "of another run"))
    write(store, "a", closed("k", None, "cancelled"), closed("k", long), closed("l", wild))
    rows = sql("SELECT key, question, status, answer, spent_calls FROM nodes WHERE run = 'a'")
    assert sorted(rows) == [
        ("k", long, "answered", long, 1),
        ("l", "\\ud800 wild \x00", "answered", "\\ud800 wild \x00", 1),
        ("open", "Why?", None, None, None),
    ]
    assert sql("SELECT answer FROM nodes WHERE run = 'b' AND key = 'k'") == [("of another run",)]


def test_a_node_that_is_opened_again_is_open(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    """A resumed run opens those nodes again whose replies it no longer trusts."""
    root = RootOpened(index=0, key="k", question="Why?")
    write(store, "a", root, opened("k"), closed("k", None, "failed"), RunFinished(statuses={}))
    query = "SELECT status, answer FROM nodes"
    for events, status, row in (
        ((), "failed", ("failed", None)),
        ((opened("k"),), "unfinished", (None, None)),
        ((closed("k"),), "answered", ("answered", "42")),
    ):
        write(store, "a", *events)
        for _ in range(2):
            assert [row.status for row in store.runs()] == [status]
            assert sql(query) == [row]
            store.rebuild_index()


def test_calls_show_each_attempt(store: SqliteStore, sql: Callable[..., list[Any]]) -> None:
    write(store, "a", intended("r", "k"), failed("r"), intended("r", "k", 2), finished("r", 2))
    write(store, "b", intended("r", "k"), intended("s", "k"))
    query = (
        "SELECT run, request, attempt, status, kind, input, output, cached, reasoning, microusd "
        "FROM calls ORDER BY 1, 2, 3"
    )
    assert sql(query) == [
        ("a", "r", 1, "failed", "timeout", None, None, None, None, 5),
        ("a", "r", 2, "finished", None, 10, 2, 4, 1, 30),
        ("b", "r", 1, "intended", None, None, None, None, None, None),
        ("b", "s", 1, "intended", None, None, None, None, None, None),
    ]
