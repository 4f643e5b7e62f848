"""The SQLite store: what its file promises to other processes, to later versions, and to SQL."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hch
from hch.errors import StoreError
from hch.events import Event, RootOpened, RunFinished, RunStopped
from hch.stores import _sqlite_schema as schema
from hch.stores import sqlite as module
from hch.stores.sqlite import SqliteStore, build
from tests.stores.samples import (
    anything,
    closed,
    failed,
    finished,
    intended,
    opened,
    started,
    story,
)

pytestmark = pytest.mark.leaves_open


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path) as store:
        yield store


@pytest.fixture
def sql(path: Path) -> Iterator[Callable[..., list[Any]]]:
    """Runs SQL on the file as a user would, on a connection that can only read."""
    opened: list[sqlite3.Connection] = []

    def run(query: str, *values: Any) -> list[Any]:
        if not opened:
            opened.append(sqlite3.connect(f"file:{path}?mode=ro", uri=True))
        return opened[0].execute(query, values).fetchall()

    yield run
    for db in opened:
        db.close()


def write(store: SqliteStore, run: str, *events: Event) -> None:
    for number, event in enumerate(events):
        store.append(run, 100.0 + number, event)
    store.flush()


def python(*lines: str, **options: Any) -> subprocess.Popen[str]:
    """Another Python process, with this hch and these tests on its path."""
    root = str(Path(hch.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


class Counted(SqliteStore):
    """Counts its commits."""

    commits = 0

    def _write(self, group: Any) -> None:
        self.commits += 1
        super()._write(group)


# Commits


async def test_who_waits_at_once_is_served_by_few_commits(path: Path) -> None:
    with Counted(path) as store:

        async def put(number: int) -> None:
            store.append("a", 1.0, opened(f"k{number}"))
            await store.durable()

        async with asyncio.TaskGroup() as group:
            for number in range(200):
                group.create_task(put(number))
        assert store.commits <= 3
        assert len(list(store.events("a"))) == 200


async def test_what_was_waited_for_is_in_the_file(path: Path) -> None:
    with SqliteStore(path) as store, SqliteStore(path) as other:
        for number in range(10):
            store.append("a", 1.0, opened(f"k{number}"))
            await store.durable()
            assert len(list(other.events("a"))) == number + 1


_WRITES = (
    "import asyncio, sys",
    "from hch.stores.sqlite import SqliteStore",
    "from tests.stores.samples import finished",
    "async def main(store):",
    "    async def one(name):",
    "        for n in range(10_000):",
    "            store.append('a', 1.0, finished(f'{name}.{n}', text='x' * 300, raw=b'r' * 900))",
    "            await store.durable()",
    "            print(f'{name}.{n}', flush=True)",
    "    async with asyncio.TaskGroup() as group:",
    "        for name in range(8):",
    "            group.create_task(one(name))",
)


def test_a_killed_process_loses_nothing_that_it_was_told_is_durable(tmp_path: Path) -> None:
    random = Random(7)
    kills = [(tmp_path / f"{n}.db", random.randrange(1, 150)) for n in range(20)]

    def kill(path: Path, after: int) -> set[str]:
        process = python(*_WRITES, f"asyncio.run(main(SqliteStore({str(path)!r})))")
        with process:
            assert process.stdout is not None
            told = {process.stdout.readline().strip() for _ in range(after)}
            process.send_signal(signal.SIGKILL)
            return told | set(process.stdout.read().split("\n")[:-1])

    with ThreadPoolExecutor(4) as pool:
        for (path, _), told in zip(kills, pool.map(lambda k: kill(*k), kills), strict=True):
            with SqliteStore(path) as store:
                kept = [record.event.request for record in store.events("a")]  # type: ignore[union-attr]
                assert told <= set(kept)
                assert len(kept) == len(set(kept))
                before = store.runs()
                store.rebuild_index()
                assert store.runs() == before
                write(store, "a", opened("after"))
            with sqlite3.connect(path) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            db.close()


# Two handles and two processes


def test_two_handles_may_write_one_run_in_turn(path: Path) -> None:
    long = "A long text. " * 50
    with SqliteStore(path) as one, SqliteStore(path) as two:
        write(one, "a", started(long), opened("k", long))
        write(two, "a", closed("k", long))
        write(one, "a", intended("r", "k", text=long), opened("l", long))
        write(two, "a", finished("r"), opened("k"))
        assert [record.seq for record in one.events("a")] == [1, 2, 3, 4, 5, 6, 7]
        [row] = one.runs()
        assert (row.nodes, row.calls, row.tokens) == (2, 1, 12)
        one.rebuild_index()
        assert one.runs() == [row] == two.runs()


def test_a_run_that_was_removed_meanwhile_takes_no_more_events(path: Path) -> None:
    with SqliteStore(path) as one, SqliteStore(path) as two:
        write(one, "a", opened("k"))
        two.remove(["a"])
        with pytest.raises(StoreError, match="run a was removed"):
            write(one, "a", closed("k"))
        assert two.runs() == []


def test_a_run_is_read_while_another_process_writes_it(path: Path) -> None:
    process = python(*_WRITES, f"asyncio.run(main(SqliteStore({str(path)!r})))")
    assert process.stdout is not None
    with process, SqliteStore(path) as store:
        for _ in range(50):
            told = process.stdout.readline().strip()
            kept = {record.event.request for record in store.events("a")}  # type: ignore[union-attr]
            assert told in kept
            assert store.runs()[0].tokens >= 12 * len(kept)
        process.kill()
        process.stdout.read()


def test_many_processes_make_and_write_one_store_at_once(path: Path) -> None:
    writes = (
        "import sys",
        "from hch.stores.sqlite import SqliteStore",
        "from tests.stores.samples import opened",
        f"with SqliteStore({str(path)!r}) as store:",
        "    print('ready', flush=True); sys.stdin.readline()",
        "    for number in range(20):",
        "        store.append(sys.argv[-1], 1.0, opened(f'k{number}')); store.flush()",
    )
    processes = [python(f"import sys; sys.argv.append('run {n}')", *writes) for n in range(4)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.communicate("go\n")
        assert process.returncode == 0
    with SqliteStore(path) as store:
        assert sorted(row.run for row in store.runs()) == [f"run {n}" for n in range(4)]
        assert {row.nodes for row in store.runs()} == {20}


def test_a_locked_store_is_an_error_in_bounded_time_and_stays_one(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", opened("k"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with SqliteStore(path, patience=0.05) as store:
        store.append("a", 1.0, closed("k"))

        async def wait() -> None:
            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(store.durable())

        with pytest.raises(BaseExceptionGroup) as raised:
            asyncio.run(wait())
        assert len(raised.value.exceptions) == 3
        for error in raised.value.exceptions:
            assert isinstance(error, StoreError)
            assert str(path) in str(error)
            assert "another process holds it" in str(error)
            assert isinstance(error.__cause__, StoreError)
            assert isinstance(error.__cause__.__cause__, sqlite3.OperationalError)
        other.execute("ROLLBACK")
        other.close()
        with pytest.raises(StoreError, match="another process holds it"):
            store.append("a", 1.0, closed("k"))
        with pytest.raises(StoreError, match="another process holds it"):
            store.flush()
        assert [record.event for record in store.events("a")] == [opened("k")]


def test_closing_tells_of_a_failure_that_nobody_saw(path: Path) -> None:
    path.write_text("This is a letter, not a store.\n" * 100)
    store = SqliteStore(path)
    store.append("a", 1.0, opened("k"))
    with pytest.raises(StoreError, match="no store of hch"):
        store.close()
    store.close()


def test_a_live_run_is_seen_from_another_process_until_that_is_killed(path: Path) -> None:
    holds = (
        "import sys",
        "from hch.stores.sqlite import SqliteStore",
        "from tests.stores.samples import opened",
        f"store = SqliteStore({str(path)!r})",
        "store.append('a', 1.0, opened('k')); store.flush()",
        "with store.live('a'):",
        "    print('alive', flush=True); sys.stdin.readline()",
    )
    with python(*holds) as process, SqliteStore(path) as store:
        assert process.stdout is not None
        assert process.stdout.readline() == "alive\n"
        assert [row.status for row in store.runs()] == ["running"]
        with pytest.raises(StoreError, match=rf"in use by another process \(pid {process.pid}\)"):
            store.live("a").__enter__()
        with pytest.raises(StoreError, match="in use by another process"):
            store.remove(["a"])
        process.kill()
        process.wait()
        assert [row.status for row in store.runs()] == ["unfinished"]
        with store.live("a"):
            assert [row.status for row in store.runs()] == ["running"]
        store.remove(["a"])
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_two_handles_of_one_process_see_each_other_alive(path: Path) -> None:
    with SqliteStore(path) as one, SqliteStore(path) as two:
        write(one, "a", opened("k"))
        with one.live("a"):
            assert [row.status for row in two.runs()] == ["running"]
            with pytest.raises(StoreError, match="in use by this process"):
                two.live("a").__enter__()
        with two.live("a"):
            assert [row.status for row in one.runs()] == ["running"]


# Files


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = build(str(tmp_path / "no" / "such" / "runs.db"))
    assert store.runs() == []
    with pytest.raises(StoreError, match="no run"):
        store.events("a")
    store.rebuild_index()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    zero, bare = tmp_path / "zero.db", tmp_path / "bare.db"
    zero.touch()
    db = sqlite3.connect(bare)
    db.execute("PRAGMA user_version = 0")
    db.execute("VACUUM")
    db.close()
    for path in (zero, bare):
        size = path.stat().st_size
        with SqliteStore(path) as store:
            assert store.runs() == []
            assert path.stat().st_size == size
            write(store, "a", *story())
            assert len(store.runs()) == 1


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter, foreign = tmp_path / "letter.db", tmp_path / "foreign.db"
    letter.write_text("This is a letter, not a store.\n" * 100)
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE songs (title TEXT)")
    db.close()
    for path, what in ((letter, "no store of hch"), (foreign, "another program's")):
        before = path.read_bytes()
        store = SqliteStore(path)
        with pytest.raises(StoreError, match=what) as raised:
            store.runs()
        assert str(path) in str(raised.value)
        assert "--store" in str(raised.value)
        store.append("a", 1.0, opened("k"))
        with pytest.raises(StoreError, match=what):
            store.flush()
        store.close()
        assert path.read_bytes() == before
        assert sorted(file.name for file in tmp_path.iterdir()) == ["foreign.db", "letter.db"]


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with SqliteStore(tmp_path) as store, pytest.raises(StoreError, match="unable to open"):
        store.runs()


def test_a_newer_version_is_refused(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    newer = len(schema.MIGRATIONS) + 1
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=rf"newer hch \(schema {newer}.*upgrade hch"):
            store.runs()
        store.append("a", 1.0, opened("k"))
        with pytest.raises(StoreError, match="upgrade hch"):
            store.flush()


def test_an_older_version_is_brought_up_to_date(path: Path) -> None:
    """Version 0 is a file of ours without a schema; a later one gets what it lacks, in order."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    with SqliteStore(path) as store:
        assert store.runs() == []
        write(store, "a", *story())
    versions = (*schema.MIGRATIONS, "CREATE TABLE late (n);\n\nINSERT INTO late VALUES (1)", "")
    schema.migrate(db, path, versions)
    assert db.execute("SELECT n FROM late").fetchall() == [(1,)]
    assert db.execute("PRAGMA user_version").fetchone() == (len(versions),)
    assert db.execute("SELECT count(*) FROM event_log").fetchone() == (len(story()),)
    db.close()


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    db = sqlite3.connect(path, isolation_level=None)
    broken = (*schema.MIGRATIONS, "CREATE TABLE late (n);\n\nINSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, path, broken)
    assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'late'").fetchall() == []
    db.close()


def test_a_full_disk_ends_writing_and_keeps_what_was_durable(path: Path) -> None:
    with SqliteStore(path, pragmas={"max_page_count": 30}) as store:
        acknowledged = 0
        with pytest.raises(StoreError, match="make room on the disk") as raised:
            for number in range(1000):
                write(store, "a", finished(f"r{number}", text="x" * 500, raw=b"r" * 500))
                acknowledged = number + 1
        assert isinstance(raised.value.__cause__, StoreError)
        assert acknowledged > 1
        with pytest.raises(StoreError, match="make room"):
            store.append("a", 1.0, opened("k"))
        assert len(list(store.events("a"))) == acknowledged
    with SqliteStore(path) as store:
        assert len(list(store.events("a"))) == acknowledged
        write(store, "a", opened("k"))
        assert store.runs()[0].tokens == 12 * acknowledged


def test_a_damaged_file_is_told(path: Path) -> None:
    with SqliteStore(path) as store:
        for number in range(50):
            write(store, "a", finished(f"r{number}", text="x" * 500))
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"damaged|malformed"):
        list(store.events("a"))


def test_an_event_that_cannot_be_understood_is_told(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("""UPDATE event_log SET body = '{"type": "Dreamt"}' WHERE type = 'Thought'""")
    db.close()
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="event 4 of run a cannot be read"):
            list(store.events("a"))
        assert len(list(store.events("a", "NodeOpened"))) == 2


def test_a_store_that_cannot_be_written_can_be_read(tmp_path: Path, path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    places = (path, path.parent)
    for place in places:
        place.chmod(0o555)
    reads = (
        "import sys",
        "from hch.errors import StoreError",
        "from hch.stores.sqlite import SqliteStore",
        "from tests.stores.samples import opened",
        f"with SqliteStore({path.name!r}) as store:",
        "    print(store.runs()[0].status, len(list(store.events('a'))))",
        "    store.append('a', 1.0, opened('k'))",
        "    try: store.flush()",
        "    except StoreError as error: print(error)",
    )
    try:
        # Root may write anywhere, unless it gives that power up; it keeps that of reading.
        gives_up = (
            "import ctypes, os",
            "libc = ctypes.CDLL(None)",
            "ok = os.geteuid() or not libc.prctl(24, 1, 0, 0, 0)",
            f"os.chdir({str(tmp_path)!r})",
        )
        told, _ = python(*gives_up, *reads).communicate()
    finally:
        for place in places:
            place.chmod(0o755)
    first, second = told.splitlines()
    assert first == f"answered {len(story())}"
    assert "readonly" in second
    assert "writable" in second


# Texts


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


# The index and the views


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
    queries = [line.strip() for line in (module.__doc__ or "").splitlines() if "SELECT" in line]
    runs, nodes, calls, events = (sql(query) for query in queries)
    assert runs == [("ID", "What is the answer?", 65 / 1e6)]
    assert nodes == [(0, "answered", 1), (1, "answered", 1)]
    assert calls == [("x", 4, 1.0)]
    assert [seq for seq, _ in events] == [11]


def test_the_views_have_the_columns_that_the_documentation_names(
    store: SqliteStore, sql: Callable[..., list[Any]]
) -> None:
    write(store, "a", *story())
    text = (module.__doc__ or "").split("\n\n")[3]
    for view in ("runs", "nodes", "calls", "events"):
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
