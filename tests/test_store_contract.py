"""What holds for every store: each file in `hch/stores` is covered by being there."""

from __future__ import annotations

import asyncio
import gc
import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import count
from math import inf
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hch import registry
from hch.errors import StoreError, UsageError
from hch.events import Record, RootOpened, RunFinished, RunResumed, RunStopped
from hch.keeping import RunRow, Store
from hch.labels import LONGEST, Label
from hch.registry import Spec
from hch.wire import Amounts
from tests.stores.samples import (
    FREE,
    anything,
    closed,
    finished,
    intended,
    label,
    opened,
    started,
    story,
    words,
)

pytestmark = pytest.mark.leaves_open


@pytest.fixture(params=registry.names("stores"))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    takes = inspect.signature(registry.load("stores", request.param).build).parameters
    arg = str(tmp_path / "new" / "runs.db") if "arg" in takes else None
    built = registry.build("stores", Spec(request.param, arg))
    yield built
    built.close()
    gc.collect()  # what it left open is told now


def write(store: Store, run: str, *events: object, at: float = 100.0) -> None:
    for number, event in enumerate(events):
        store.append(run, at + number, event)  # type: ignore[arg-type]
    store.flush()


def test_a_new_store_has_no_runs_and_says_where_it_is(store: Store) -> None:
    assert store.runs() == []
    assert store.place


def test_nothing_is_wrong_with_what_is_kept(store: Store) -> None:
    assert store.check() == []
    store.append("a", 1.0, opened("k"))
    assert store.check() == []
    write(store, "b", *story())
    with store.live("b"):
        assert store.check() == []
    store.remove(["a"])
    assert store.check() == []
    store.close()
    assert store.check() == []
    assert [row.run for row in store.runs()] == ["b"]


def test_an_unknown_run_is_refused_at_once(store: Store) -> None:
    write(store, "one", *story())
    for unknown in ("none", "", "ONE", "\ud800", "\x00", "on'e"):
        with pytest.raises(StoreError, match="no run"):
            store.events(unknown)


async def test_events_come_back_in_order_numbered_from_1(store: Store) -> None:
    for number, event in enumerate(story()):
        store.append("a", 100.0 + number, event)
    await store.durable()
    records = list(store.events("a"))
    assert [record.event for record in records] == story()
    assert [record.seq for record in records] == list(range(1, len(story()) + 1))
    assert [record.at for record in records] == [100.0 + n for n in range(len(story()))]
    assert {record.run for record in records} == {"a"}


def test_what_was_appended_is_read_before_it_is_durable(store: Store) -> None:
    store.append("a", 1.0, opened("k"))
    assert [record.event for record in store.events("a")] == [opened("k")]
    store.append("a", 2.0, closed("k"))
    assert [row.nodes for row in store.runs()] == [1]
    assert len(list(store.events("a"))) == 2


def test_reading_changes_nothing_and_can_be_done_twice_at_once(store: Store) -> None:
    write(store, "a", *(opened(f"k{n}") for n in range(600)))
    first, second = store.events("a"), store.events("a")
    assert next(first) == next(second)
    store.append("a", 9.0, closed("k0"))
    assert list(first) == list(second)
    assert len(list(store.events("a"))) == 601


def test_types_are_filtered(store: Store) -> None:
    write(store, "a", *story())
    assert [r.event for r in store.events("a", "NodeOpened", "RunFinished")] == [
        event for event in story() if event.type in {"NodeOpened", "RunFinished"}
    ]
    assert list(store.events("a", "RunStopped")) == []
    assert [record.seq for record in store.events("a", "RunFinished")] == [len(story())]


async def test_runs_are_numbered_apart_and_go_on_where_they_were(store: Store) -> None:
    for number in range(5):
        store.append("a", 1.0, opened(f"a{number}"))
        store.append("b", 1.0, opened(f"b{number}"))
        await store.durable()
    write(store, "a", closed("a0"))
    assert [record.seq for record in store.events("a")] == [1, 2, 3, 4, 5, 6]
    assert [record.event.key for record in store.events("b")] == [f"b{n}" for n in range(5)]  # type: ignore[union-attr]


async def test_nothing_to_wait_for_is_no_wait(store: Store) -> None:
    await store.durable()
    store.flush()
    assert store.runs() == []


async def test_many_wait_at_once_and_a_cancelled_one_harms_none(store: Store) -> None:
    async def put(number: int) -> None:
        store.append("a", 1.0, opened(f"k{number}"))
        await store.durable()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(put(number)) for number in range(100)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
    await store.durable()
    assert len(list(store.events("a"))) == 100


def test_it_serves_one_event_loop_after_another(store: Store) -> None:
    async def put(number: int) -> None:
        store.append("a", 1.0, opened(f"k{number}"))
        await store.durable()

    for number in range(3):
        asyncio.run(put(number))
    assert len(list(store.events("a"))) == 3


def test_texts_and_bytes_come_back_as_they_were(store: Store) -> None:
    wild = ["\x00", "a\x00b", "\ud800", "x\udfff" * 150, "\ud83d\ude00", "é" * 199, "\u2028", ""]
    texts = [*wild, "n\x00 \ud800 " * 3_000_000]
    raw = bytes(range(256)) * 80_000
    events = [
        *(opened(f"k{n}", text) for n, text in enumerate(texts)),
        finished("r", text=texts[-1], raw=raw),
        finished("s", text="short", raw=b""),
    ]
    write(store, "a", *events)
    assert [record.event for record in store.events("a")] == events


def test_infinite_amounts_and_numbers_come_back(store: Store) -> None:
    odd = Amounts(calls=3, tokens=inf, microusd=2**60, nodes=inf)
    logprobs = (("a", -inf, (("b", -0.5),)),)
    events = [
        started("Why?").model_copy(update={"grant": odd, "setup": {"a": inf, "$text": [-inf]}}),
        finished("r").model_copy(update={"logprobs": logprobs, "price": FREE}),
    ]
    write(store, "a", *events)
    assert [record.event for record in store.events("a")] == events


def test_every_event_comes_back(store: Store) -> None:
    runs = count()

    @settings(deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
    @given(st.lists(anything(), min_size=1, max_size=8))
    def check(events: list[object]) -> None:
        run = f"run {next(runs)}"
        write(store, run, *events)
        assert [record.event for record in store.events(run)] == events
        assert store.runs()

    check()


def test_the_index_tells_a_run(store: Store) -> None:
    write(store, "a", *story())
    assert store.runs() == [
        RunRow(
            run="a",
            started=100.0,
            question="What is the answer?",
            players=("direct@x",),
            roots=1,
            status="answered",
            nodes=2,
            calls=3,
            tokens=24,
            microusd=65,
            seconds=15.0,
        )
    ]


def test_the_index_follows_a_run_as_it_is_written(store: Store) -> None:
    for number, event in enumerate(story(), 1):
        write(store, "a", event, at=100.0 + number)
        whole = story()[:number]
        [row] = store.runs()
        assert row.nodes == sum(event.type == "NodeOpened" for event in whole)
        assert row.calls == sum(event.type == "CallIntended" for event in whole)
        assert row.seconds == number - 1
        assert row.status == ("answered" if number == len(story()) else "unfinished")


def test_a_question_is_listed_by_its_first_characters_and_safely(store: Store) -> None:
    write(store, "a", started("\ud800" + "x" * 1000))
    write(store, "b", opened("k", "Asked by nobody?"))
    rows = {row.run: row for row in store.runs()}
    assert rows["a"].question == "\\ud800" + "x" * 199
    assert rows["b"].question == "Asked by nobody?"


def test_the_first_root_lends_its_last_status_once_the_run_has_finished(store: Store) -> None:
    write(
        store,
        "a",
        started("One?", "Two?"),
        RootOpened(index=1, key="second", question="q"),
        RootOpened(index=0, key="first", question="q"),
        opened("second"),
        closed("second", None, "failed"),
        opened("first"),
        closed("first", None, "cancelled"),
        RunStopped(kind="BillExhausted", reason="out of money"),
    )
    assert [row.status for row in store.runs()] == ["unfinished"]
    resumed = RunResumed(version="1", cap=FREE)
    end = RunFinished(statuses={"answered": 1, "failed": 1})
    write(store, "a", resumed, closed("first"), end)
    assert [(row.status, row.roots, row.nodes) for row in store.runs()] == [("answered", 2, 2)]


def test_the_newest_run_is_listed_first(store: Store) -> None:
    for run, at in (("b", 200.0), ("c", 300.0), ("a", 100.0), ("d", 300.0)):
        write(store, run, opened("k"), at=at)
    assert [row.run for row in store.runs()] == ["d", "c", "b", "a"]


def test_removed_runs_are_gone_and_the_others_whole(store: Store) -> None:
    long = "the same long text " * 100
    for run in ("a", "b", "c"):
        write(store, run, opened("k", long), finished("r", text=f"{run} only " * 50, raw=b"raw"))
    kept = list(store.events("b"))
    store.remove(["a", "c"])
    assert [row.run for row in store.runs()] == ["b"]
    assert list(store.events("b")) == kept
    for run in ("a", "c"):
        with pytest.raises(StoreError, match="no run"):
            store.events(run)
    write(store, "a", opened("new", long))
    assert [record.event for record in store.events("a")] == [opened("new", long)]
    assert [record.seq for record in store.events("a")] == [1]


def test_nothing_is_removed_when_one_run_is_unknown_or_alive(store: Store) -> None:
    write(store, "a", opened("k"))
    write(store, "b", opened("k"))
    with pytest.raises(StoreError, match="no run"):
        store.remove(["a", "none"])
    with store.live("b"), pytest.raises(StoreError, match="run b is in use"):
        store.remove(["a", "b"])
    assert len(store.runs()) == 2
    store.remove(["b", "a", "b"])
    assert store.runs() == []


def test_a_live_run_shows_and_is_held_once(store: Store) -> None:
    write(store, "a", opened("k"))
    with store.live("a"):
        assert [row.status for row in store.runs()] == ["running"]
        with pytest.raises(StoreError, match=re.escape("run a is in use")), store.live("a"):
            pass
        with store.live("b"):
            assert [row.status for row in store.runs()] == ["running"]
        write(store, "a", RootOpened(index=0, key="k", question=""), closed("k"))
        write(store, "a", RunFinished(statuses={"answered": 1}))
        assert [row.status for row in store.runs()] == ["answered"]
    with store.live("a"):
        pass


def test_a_run_is_let_go_of_when_its_body_fails(store: Store) -> None:
    write(store, "a", opened("k"))
    with pytest.raises(ZeroDivisionError), store.live("a"):
        raise ZeroDivisionError
    assert [row.status for row in store.runs()] == ["unfinished"]
    with store.live("a"):
        pass


def test_it_can_be_used_again_after_it_was_closed(store: Store) -> None:
    store.close()
    write(store, "a", opened("k"))
    store.close()
    store.close()
    write(store, "a", closed("k"))
    assert [record.seq for record in store.events("a")] == [1, 2]


def test_repeated_texts_in_messages_come_back(store: Store) -> None:
    shared = "Shared. " * 200
    events = [intended(f"r{n}", "k", text=shared + str(n % 3)) for n in range(50)]
    events += [intended(f"s{n}", "k", text=shared) for n in range(50)]
    write(store, "a", *events, started("Why?", shared), closed("k", shared))
    assert [record.event for record in store.events("a")][:100] == events
    assert [record.event.answer for record in store.events("a", "NodeClosed")] == [words(shared)]  # type: ignore[union-attr]


def records(events: Iterable[object], run: str = "elsewhere", first: int = 7) -> Iterator[Record]:
    """Events as they are numbered and timed elsewhere."""
    for number, event in enumerate(events):
        yield Record(run=run, seq=first + number, at=50.5 + number, event=event)  # type: ignore[arg-type]


def test_a_run_that_is_brought_is_kept_as_one_that_was_imported(store: Store) -> None:
    write(store, "own", *story())
    store.bring("a", records(story()))
    kept = list(store.events("a"))
    assert [record.event for record in kept] == story()
    assert [record.seq for record in kept] == list(range(1, len(story()) + 1))
    assert [record.at for record in kept] == [50.5 + n for n in range(len(story()))]
    assert {record.run for record in kept} == {"a"}
    [own, brought] = store.runs()
    assert (own.imported, brought.imported) == (False, True)
    assert (brought.run, brought.started, brought.status) == ("a", 50.5, "answered")
    assert (brought.nodes, brought.calls, brought.tokens) == (own.nodes, own.calls, own.tokens)
    assert store.check(deep=True) == []


def test_a_run_that_was_brought_can_be_gone_on_with(store: Store) -> None:
    store.bring("a", records(story()[:8]))
    assert [row.status for row in store.runs()] == ["unfinished"]
    with store.live("a"):
        write(store, "a", *story()[8:])
    assert [record.event for record in store.events("a")] == story()
    assert [record.seq for record in store.events("a")] == list(range(1, len(story()) + 1))
    assert [(row.status, row.imported) for row in store.runs()] == [("answered", True)]


def test_what_is_brought_is_new(store: Store) -> None:
    write(store, "a", opened("k"))
    with pytest.raises(StoreError, match="there is a run a already"):
        store.bring("a", records(story()))
    with store.live("b"), pytest.raises(StoreError, match="run b is in use"):
        store.bring("b", records(story()))
    with pytest.raises(StoreError, match="run c has no events"):
        store.bring("c", ())
    assert [(row.run, row.imported) for row in store.runs()] == [("a", False)]
    assert [record.event for record in store.events("a")] == [opened("k")]


@pytest.mark.parametrize("good", [0, 1, 5000])
def test_of_a_run_that_cannot_be_brought_nothing_is_kept(store: Store, good: int) -> None:
    def broken() -> Iterator[Record]:
        yield from records(finished(f"r{n}", text="long " * 300) for n in range(good))
        raise ZeroDivisionError

    write(store, "own", *story())
    with pytest.raises(ZeroDivisionError):
        store.bring("a", broken())
    assert [row.run for row in store.runs()] == ["own"]
    assert store.check(deep=True) == []
    store.bring("a", records(story()))  # its lock was let go of
    assert [row.imported for row in store.runs()] == [False, True]


def test_a_run_that_was_removed_is_not_an_imported_one_any_more(store: Store) -> None:
    store.bring("a", records(story()))
    store.remove(["a"])
    write(store, "a", *story())
    assert [row.imported for row in store.runs()] == [False]
    assert store.check(deep=True) == []


def test_a_run_is_brought_from_the_store_itself(store: Store) -> None:
    write(store, "a", *(opened(f"k{n}", f"{n} long " * 200) for n in range(600)))
    store.bring("b", store.events("a"))
    assert [r.event for r in store.events("b")] == [r.event for r in store.events("a")]


def test_a_backup_has_all_or_is_refused(store: Store, tmp_path: Path) -> None:
    to = tmp_path / "copy.db"
    write(store, "a", *story())
    store.append("b", 1.0, opened("k"))
    if store.place == "memory":
        with pytest.raises(UsageError, match="no file to back up"):
            store.backup(to)
        return
    store.backup(to)
    with pytest.raises(UsageError, match=r"there is .*copy\.db already"):
        store.backup(to)
    copy = registry.build("stores", Spec("sqlite", str(to)))
    assert copy.runs() == store.runs()
    for run in ("a", "b"):
        assert list(copy.events(run)) == list(store.events(run))
    assert copy.check(deep=True) == []
    copy.close()


def test_what_was_removed_gives_its_room_back(store: Store) -> None:
    assert store.vacuum() == (0, 0)
    for run in ("a", "b"):
        write(store, run, *(finished(f"{run}{n}", text=f"{run}{n} " * 500) for n in range(200)))
    kept = list(store.events("b"))
    _, whole = store.vacuum()
    store.remove(["a"])
    before, after = store.vacuum()
    assert before >= whole
    assert after < 0.7 * whole or store.place == "memory"
    assert list(store.events("b")) == kept
    write(store, "c", *story())
    assert store.check(deep=True) == []


def test_no_room_is_given_back_while_a_run_is_alive(store: Store) -> None:
    write(store, "a", *story()[:-1])
    with store.live("a"), pytest.raises(StoreError, match=r"run a .*is alive"):
        store.vacuum()
    store.vacuum()


def on_shelf(store: Store) -> dict[str, str | None]:
    return {name: store.shelved(name) for name in store.shelf()}


def test_texts_are_kept_by_name_until_they_are_dropped(store: Store) -> None:
    assert (store.shelf(), store.shelved("table/x")) == ([], None)
    store.shelve({"table/x": "one", "table/a": "", "iteration/x": "\n"})
    assert store.shelf() == ["iteration/x", "table/a", "table/x"]
    assert store.shelf("table/") == ["table/a", "table/x"]
    assert store.shelf("table/x/") == store.shelf("TABLE") == store.shelf("%") == []
    store.shelve({"table/x": "two", "table/a": None, "table/none": None})
    assert on_shelf(store) == {"iteration/x": "\n", "table/x": "two"}
    store.shelve({})
    store.close()
    if store.place != "memory":
        assert on_shelf(store) == {"iteration/x": "\n", "table/x": "two"}
    assert store.check() == store.check(deep=True) == store.runs() == []


@pytest.mark.parametrize("name", ["", "x" * 201, "a\x00", "a\nb", "\t", "\x9b", "\u202e", "\ud800"])
def test_a_name_that_cannot_be_one_is_refused_and_nothing_is_kept(store: Store, name: str) -> None:
    for use in (
        lambda: store.shelve({"good": "text", name: "text"}),
        lambda: store.shelve({"good": "text", name: None}),
        lambda: store.shelved(name),
    ):
        with pytest.raises(UsageError, match=r"^nothing can be kept under .*$"):
            use()
    assert store.shelf() == store.shelf(name or "x") == []


def test_any_text_comes_back_from_the_shelf(store: Store) -> None:
    wild = [
        "\x00",
        "a\x00b",
        "\ud800",
        "\ud83d\ude00",
        "\udfff\ud800",
        "\U0001f600",
        "\u2028",
        " \r\n",
    ]
    texts = dict(zip("abcdefgh", wild, strict=True))
    store.shelve({**texts, "long": "n\x00 \ud800 " * 1_000_000, "é ' % _": "x", "x" * 200: "y"})
    assert on_shelf(store)["long"] == "n\x00 \ud800 " * 1_000_000
    assert {name: store.shelved(name) for name in texts} == texts
    assert (store.shelved("é ' % _"), store.shelved("x" * 200)) == ("x", "y")
    assert store.shelf("é ' %") == ["é ' % _"]
    assert store.check(deep=True) == []


NAMES = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=3)


def test_the_shelf_is_what_was_last_put_on_it(store: Store) -> None:
    kept: dict[str, str] = {}

    @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(NAMES, st.none() | st.text(), max_size=4), NAMES)
    def check(texts: dict[str, str | None], prefix: str) -> None:
        store.shelve(texts)
        merged = {**kept, **texts}
        kept.clear()
        kept.update((name, text) for name, text in merged.items() if text is not None)
        assert on_shelf(store) == kept
        assert store.shelf(prefix) == sorted(name for name in kept if name.startswith(prefix))

    check()


def test_runs_and_the_shelf_leave_each_other_alone(store: Store) -> None:
    write(store, "a", *story())
    store.append("b", 1.0, opened("k"))
    store.shelve({"a": "a text of a run's name"})
    write(store, "b", closed("k"))
    store.remove(["a"])
    store.vacuum()
    assert on_shelf(store) == {"a": "a text of a run's name"}
    assert [row.run for row in store.runs()] == ["b"]
    store.shelve({"a": None})
    assert len(list(store.events("b"))) == 2
    assert store.check(deep=True) == []


def test_a_backup_has_the_shelf(store: Store, tmp_path: Path) -> None:
    if store.place == "memory":
        return
    store.shelve({"table/x": "\ud800 text"})
    store.backup(tmp_path / "copy.db")
    store.shelve({"table/x": "another"})
    copy = registry.build("stores", Spec("sqlite", str(tmp_path / "copy.db")))
    assert on_shelf(copy) == {"table/x": "\ud800 text"}
    copy.close()


def test_labels_come_back_in_the_order_in_which_they_were_given(store: Store) -> None:
    write(store, "a", *story())
    write(store, "b", *story())
    assert store.labels("a") == []
    first = [label("leaf", said="good"), label("root", "truth", 3.5, said="bad", score=-0.25)]
    store.label("a", first)
    store.label("b", [label("leaf", "file:x", said="bad")])
    store.label("a", [])
    store.label("a", iter([label("leaf", "person:ada", 1.0, note="no"), *first]))
    given = [*first, label("leaf", "person:ada", 1.0, note="no"), *first]
    assert store.labels("a") == given
    assert store.labels("a", ["leaf", "none", "leaf"]) == [x for x in given if x.key == "leaf"]
    assert store.labels("a", []) == []
    assert store.labels("a", (x.key for x in given)) == given
    store.close()
    if store.place != "memory":
        assert store.labels("a") == given
    assert [x.key for x in store.labels("b")] == ["leaf"]
    assert store.check() == store.check(deep=True) == []


def test_any_label_comes_back(store: Store) -> None:
    wild = ["\x00", "a\x00b", "\ud800", "\udfff\ud800", "\U0001f600\u2028", "\r\n\t", "x" * LONGEST]
    keys = ["leaf", "a\x00b", "' --", "é\u202e"]
    write(store, "a", *(opened(key) for key in keys))
    given = [label(key, f"person:{key}", 0.1, note=note) for key in keys for note in wild]
    given += [label("leaf", score=score) for score in (0.1, -1e308, 5e-324, 3)]
    store.label("a", given)
    assert store.labels("a") == given
    assert store.labels("a", keys[1:2]) == [x for x in given if x.key == keys[1]]
    assert store.check(deep=True) == []


def test_labels_of_an_unknown_run_are_refused(store: Store) -> None:
    for use in (
        lambda: store.label("none", [label("leaf")]),
        lambda: store.label("none", []),
        lambda: store.labels("none"),
        lambda: store.labels("none", ["leaf"]),
    ):
        with pytest.raises(StoreError, match="no run"):
            use()
    assert store.runs() == []


@pytest.mark.parametrize("good", [0, 1, 1000])
def test_of_labels_that_cannot_be_made_nothing_is_kept(store: Store, good: int) -> None:
    def broken() -> Iterator[Label]:
        yield from (label("leaf", said="bad") for _ in range(good))
        raise ZeroDivisionError

    write(store, "a", *story())
    store.label("a", [label("leaf", said="good")])
    with pytest.raises(ZeroDivisionError):
        store.label("a", broken())
    assert store.labels("a") == [label("leaf", said="good")]
    with pytest.raises(ZeroDivisionError):
        store.bring("b", records(story()), broken())
    assert [row.run for row in store.runs()] == ["a"]
    assert store.check(deep=True) == []


def test_a_live_run_can_be_labelled_and_goes_on(store: Store) -> None:
    with store.live("a"):
        for event in story()[:-1]:
            store.append("a", 1.0, event)
        store.label("a", [label("leaf", said="good")])
        assert store.labels("a") == [label("leaf", said="good")]
        write(store, "a", story()[-1])
    assert [row.status for row in store.runs()] == ["answered"]
    assert [x.key for x in store.labels("a")] == ["leaf"]
    assert store.check(deep=True) == []


def test_labels_are_brought_with_a_run_and_removed_with_it(store: Store) -> None:
    given = [label("leaf", said="good"), label("root", score=1.0)]
    store.bring("a", records(story()), iter(given))
    write(store, "b", *story())
    store.label("b", given[:1])
    assert (store.labels("a"), store.labels("b")) == (given, given[:1])
    store.remove(["a"])
    with pytest.raises(StoreError, match="no run"):
        store.labels("a")
    store.vacuum()
    store.bring("a", records(story()))
    assert (store.labels("a"), store.labels("b")) == ([], given[:1])
    assert store.check(deep=True) == []


def test_a_backup_has_the_labels(store: Store, tmp_path: Path) -> None:
    if store.place == "memory":
        return
    write(store, "a", *story())
    store.label("a", [label("leaf", note="\ud800 \x00")])
    store.backup(tmp_path / "copy.db")
    store.label("a", [label("leaf", said="bad")])
    copy = registry.build("stores", Spec("sqlite", str(tmp_path / "copy.db")))
    assert copy.labels("a") == [label("leaf", note="\ud800 \x00")]
    copy.close()
