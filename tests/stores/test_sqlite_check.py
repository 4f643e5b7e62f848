"""What `check` finds wrong with a store's file, and that it changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hch.stores.sqlite import SqliteStore
from tests.stores.samples import finished, opened, story
from tests.stores.writing import write

pytestmark = pytest.mark.leaves_open


def checked(path: Path) -> list[str]:
    with SqliteStore(path, patience=0.05) as store:
        return store.check()


def made(path: Path) -> Path:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        for number in range(200):
            write(store, "b", finished(f"r{number}", text="x" * 500))
    return path


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


def test_what_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert checked(tmp_path / "no" / "runs.db") == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind_and_nothing_changed(path: Path) -> None:
    before = made(path).read_bytes()
    assert checked(path) == []
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_an_older_version_is_not_brought_up_to_date(path: Path) -> None:
    alter(made(path), "PRAGMA user_version = 1")
    before = path.read_bytes()
    assert checked(path) == []
    assert path.read_bytes() == before


def test_an_empty_file_is_well(path: Path) -> None:
    alter(path, "PRAGMA user_version = 0", "VACUUM")
    assert checked(path) == []


def test_whoever_writes_is_not_in_the_way_nor_is_the_check(path: Path) -> None:
    with closing(sqlite3.connect(made(path), isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("DELETE FROM replies")
        assert checked(path) == []
        db.execute("ROLLBACK")


def test_a_file_that_is_locked_is_told(path: Path) -> None:
    with closing(sqlite3.connect(made(path), isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        [told] = checked(path)
    assert str(path) in told
    assert "another process holds it; try again when that has ended" in told


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("PRAGMA user_version = 99", "written by a newer hch (schema 99"),
        ("PRAGMA application_id = 7", "is another program's SQLite file"),
        ("DELETE FROM event_log WHERE type = 'NodeClosed'", "run a has not the events that"),
        ("DELETE FROM run_index WHERE last < 100", "run a has not the events that"),
    ],
)
def test_what_is_not_ours_or_lacks_something_is_told(path: Path, statement: str, said: str) -> None:
    alter(made(path), statement)
    [told] = checked(path)
    assert str(path) in told
    assert said in told


@pytest.mark.parametrize("at", [4096 * 3, 4096 * 20])
def test_a_damaged_file_is_told_in_lines(path: Path, at: int) -> None:
    data = bytearray(made(path).read_bytes())
    data[at:] = b"\xff" * (len(data) - at)
    path.write_bytes(data)
    told = checked(path)
    assert told
    assert all(str(path) in line and "\n" not in line for line in told)
    assert all("the file is damaged; copy it" in line for line in told)


def test_a_letter_is_no_store(path: Path) -> None:
    path.write_text("This is a letter.\n" * 100)
    [told] = checked(path)
    assert "this is no store of hch" in told


def test_what_cannot_be_written_any_more_is_told(path: Path) -> None:
    path.write_text("This is a letter.\n" * 100)
    store = SqliteStore(path)
    store.append("a", 1.0, opened("k"))
    assert "this is no store of hch" in store.check()[0]
    store.close()
