"""The SQLite store commits in groups; other handles and processes may use it meanwhile."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hch.errors import StoreError
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import closed, finished, intended, opened, started
from tests.stores.writing import ENDLESSLY, python, write

pytestmark = pytest.mark.leaves_open


class Counted(SqliteStore):
    """Counts its commits."""

    commits = 0

    def _write(self, group: Any) -> None:
        self.commits += 1
        super()._write(group)


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


def test_far_more_than_a_commit_takes_is_written_without_being_waited_for(path: Path) -> None:
    with Counted(path) as store:
        for number in range(25_000):
            store.append("a", 1.0, opened(f"k{number}"))
        assert store.commits == 2
        assert len(list(store.events("a"))) == 25_000


def test_what_cannot_be_kept_is_told(path: Path) -> None:
    odd = started("Why?").model_copy(update={"setup": {"where": path}})
    with SqliteStore(path) as store, pytest.raises(StoreError, match="PosixPath cannot be kept"):
        write(store, "a", odd)


async def test_what_was_waited_for_is_in_the_file(path: Path) -> None:
    with SqliteStore(path) as store, SqliteStore(path) as other:
        for number in range(10):
            store.append("a", 1.0, opened(f"k{number}"))
            await store.durable()
            assert len(list(other.events("a"))) == number + 1


def test_a_killed_process_loses_nothing_that_it_was_told_is_durable(tmp_path: Path) -> None:
    random = Random(7)
    kills = [(tmp_path / f"{n}.db", random.randrange(1, 150)) for n in range(20)]

    def kill(path: Path, after: int) -> set[str]:
        process = python(*ENDLESSLY, f"asyncio.run(main(SqliteStore({str(path)!r})))")
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


def test_a_run_that_was_removed_and_brought_back_meanwhile_is_gone_on_with(path: Path) -> None:
    with SqliteStore(path) as one, SqliteStore(path) as two:
        write(one, "a", started("Why?"), opened("k"))
        kept = list(two.events("a"))
        two.remove(["a"])
        two.bring("a", kept)
        with one.live("a"):
            write(one, "a", closed("k"))
        assert [record.seq for record in two.events("a")] == [1, 2, 3]
        assert two.check(deep=True) == []


def test_a_run_is_read_while_another_process_writes_it(path: Path) -> None:
    process = python(*ENDLESSLY, f"asyncio.run(main(SqliteStore({str(path)!r})))")
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


def test_a_run_has_one_holder_at_a_time(path: Path) -> None:
    """Also while others come and go, with the file that is locked and its folder."""
    inside: list[int] = []

    def hold(number: int) -> int:
        store, held = SqliteStore(path), 0
        for _ in range(200):
            try:
                with store.live("a"):
                    inside.append(number)
                    held += 1
                    assert inside == [number]
                    inside.remove(number)
            except StoreError as error:
                assert "in use by" in str(error)  # noqa: PT017 - to be held is as good
        return held

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(hold, range(4))) > 0
    assert list(path.parent.iterdir()) == []


def test_a_place_where_no_lock_can_be_is_told(path: Path) -> None:
    path.with_name("runs.db.locks").write_text("no folder")
    with SqliteStore(path) as store:
        with pytest.raises(
            StoreError, match=r"cannot lock run a .*choose another .*--store"
        ) as raised:
            store.live("a").__enter__()
        assert f"{path}: Not a directory" in str(raised.value)
        write(store, "a", opened("k"))
        with pytest.raises(StoreError, match="cannot see whether run a is alive"):
            store.runs()


def test_two_handles_of_one_process_see_each_other_alive(path: Path) -> None:
    with SqliteStore(path) as one, SqliteStore(path) as two:
        write(one, "a", opened("k"))
        with one.live("a"):
            assert [row.status for row in two.runs()] == ["running"]
            with pytest.raises(StoreError, match="in use by this process"):
                two.live("a").__enter__()
        with two.live("a"):
            assert [row.status for row in one.runs()] == ["running"]
