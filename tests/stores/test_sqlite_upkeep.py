"""Backups, the room of removed runs, and runs that are brought in, while others use the store."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hch.errors import StoreError, UsageError
from hch.events import Record
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import finished, intended, opened, story
from tests.stores.writing import ENDLESSLY, older, python, while_written, write

pytestmark = pytest.mark.leaves_open


def requests(store: SqliteStore) -> list[str]:
    return [record.event.request for record in store.events("a")]  # type: ignore[union-attr]


def filled(path: Path, megabytes: int) -> Path:
    with SqliteStore(path) as store:
        for number in range(megabytes):
            write(store, "large", finished(f"r{number}", raw=os.urandom(1_000_000)))
    return path


def test_a_backup_is_made_while_another_process_writes_a_run(path: Path) -> None:
    filled(path, 20)
    process = python(*ENDLESSLY, f"asyncio.run(main(SqliteStore({str(path)!r})))")
    assert process.stdout is not None
    with process, SqliteStore(path) as store:
        for number in range(3):
            told = {process.stdout.readline().strip() for _ in range(20)}
            to = path.with_name(f"copy{number}.db")
            store.backup(to)
            with SqliteStore(to) as copy:
                kept = requests(copy)
                assert told <= set(kept)
                assert copy.check(deep=True) == []
                assert [row.run for row in copy.runs()] == [row.run for row in store.runs()]
            told = {process.stdout.readline().strip() for _ in range(20)}
            assert told <= set(requests(store))  # whoever writes goes on
        process.kill()
        process.stdout.read()
    assert not list(path.parent.glob("*.part"))


def test_a_backup_is_not_begun_anew_with_each_commit(path: Path) -> None:
    filled(path, 40)
    to = path.with_name("copy.db")
    with SqliteStore(path) as store, SqliteStore(to) as copy:
        while_written(path, lambda: store.backup(to))
        assert copy.check(deep=True) == []
        assert len(list(copy.events("large"))) == 40


def test_a_run_in_a_backup_can_be_gone_on_with(path: Path) -> None:
    to = path.with_name("copy.db")
    with SqliteStore(path) as store, SqliteStore(to) as copy:
        write(store, "a", *story()[:5])
        store.backup(to)
        write(copy, "a", *story()[5:])
        assert [row.status for row in copy.runs()] == ["answered"]
        assert [row.status for row in store.runs()] == ["unfinished"]


def test_whoever_is_killed_leaves_no_backup_that_looks_whole(path: Path) -> None:
    filled(path, 40)
    to = path.with_name("copy.db")
    backs_up = (
        "from pathlib import Path",
        "from hch.stores.sqlite import SqliteStore",
        "print('ready', flush=True)",
        f"SqliteStore({str(path)!r}).backup(Path({str(to)!r}))",
    )
    with python(*backs_up) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while not list(path.parent.glob("copy.db*")):
            assert process.poll() is None
        process.kill()
        process.wait()
    if to.exists():
        with SqliteStore(to) as copy:
            assert copy.check(deep=True) == []


def test_where_a_backup_cannot_be_nothing_is_left(path: Path) -> None:
    folder = path.parent
    with SqliteStore(path) as store:
        with pytest.raises(UsageError, match=r"no store .* yet, and nothing to back up"):
            store.backup(folder / "copy.db")
        write(store, "a", *story())
        (folder / "linked.db").symlink_to("nowhere")
        (folder / "late.db-wal").touch()
        for name in (".", path.name, "linked.db", "late.db"):
            with pytest.raises(UsageError, match="already: name a"):
                store.backup(folder / name)
        with pytest.raises(StoreError, match=r"No such file or directory: see that its folder"):
            store.backup(folder / "no" / "copy.db")
        with pytest.raises(StoreError, match="Not a directory"):
            store.backup(path / "copy.db")
    assert sorted(file.name for file in folder.iterdir()) == ["late.db-wal", "linked.db", path.name]


def test_who_may_not_read_the_store_may_not_read_its_backup(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        path.chmod(0o600)
        store.backup(path.with_name("copy.db"))
    assert path.with_name("copy.db").stat().st_mode & 0o777 == 0o600


def test_an_older_version_is_backed_up_as_it_is(path: Path) -> None:
    older(path, 1, *story())
    to = path.with_name("copy.db")
    with SqliteStore(path) as store:
        store.backup(to)
    for file in (path, to):
        with closing(sqlite3.connect(file)) as db:
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
    with SqliteStore(to) as copy:
        assert [record.event for record in copy.events("a")] == story()


def test_no_room_is_given_back_while_another_process_is_in_the_way(path: Path) -> None:
    filled(path, 2)
    with SqliteStore(path, patience=0.05) as store:
        store.remove(["large"])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process holds it; try again when"):
                store.vacuum()
            other.execute("ROLLBACK")
            other.execute("BEGIN")
            other.execute("SELECT count(*) FROM event_log").fetchone()
            with pytest.raises(StoreError, match="is being read, so that no room could be given"):
                store.vacuum()
            other.execute("ROLLBACK")
        _, after = store.vacuum()
        assert after == path.stat().st_size < 200_000
        assert store.check(deep=True) == []


def test_a_run_is_not_seen_and_is_held_until_all_of_it_is_there(path: Path) -> None:
    seen: list[int] = []

    def records() -> Iterator[Record]:
        for number in range(1000):
            yield Record(run="a", seq=1, at=1.0, event=opened(f"k{number}"))
        with SqliteStore(path, patience=0.05) as other:
            seen.append(len(other.runs()))
            with pytest.raises(StoreError, match="run a is in use by this process"):
                other.live("a").__enter__()

    with SqliteStore(path) as store:
        store.bring("a", records())
        assert seen == [0]
        assert [row.nodes for row in store.runs()] == [1000]


def test_a_run_of_any_length_is_brought_in_little_memory(path: Path) -> None:
    def records(n: int) -> Iterator[Record]:
        for number in range(n):
            event = finished(f"r{number}", text=f"{number} " * 2000, raw=os.urandom(10_000))
            yield Record(run="a", seq=1, at=1.0, event=event)

    with SqliteStore(path) as store:
        store.bring("warm", records(300))
        tracemalloc.start()
        try:
            store.bring("a", records(4000))  # 80 MB
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert most < 40e6


def test_what_only_a_removed_run_used_is_freed(path: Path, sql: Callable[..., list[Any]]) -> None:
    """Also of a run that was brought, and of texts that it had from another."""
    shared, own = "Shared by all. " * 100, "Only of this run. " * 100
    tables = ("run_ids", "run_index", "event_log", "replies", "texts", "text_refs", "imported_runs")

    def rows() -> list[int]:
        return [sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables]

    with SqliteStore(path) as store:
        write(store, "a", *story(), intended("r", "k", text=shared))
        before = rows()
        write(store, "b", *story(), intended("s", "k", text=shared), intended("t", "k", text=own))
        write(store, "b", finished("s", raw=b"reply"))
        store.bring("c", list(store.events("b")))
        assert all(now > once for now, once in zip(rows(), before, strict=True))
        store.remove(["b"])
        assert store.check(deep=True) == []
        assert {r.event.question for r in store.events("c", "CallIntended")} >= {own, shared}  # type: ignore[union-attr]
        store.remove(["c"])
        assert rows() == before
        assert store.check(deep=True) == []
