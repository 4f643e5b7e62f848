"""What `check` finds wrong with a store's file, and that it changes nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hch.stores import _sqlite_schema as schema
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import closed, finished, intended, opened, story
from tests.stores.writing import older, while_written, write

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


@pytest.mark.parametrize("version", range(1, len(schema.MIGRATIONS)))
def test_an_older_version_is_not_brought_up_to_date(path: Path, version: int) -> None:
    older(path, version, *story())
    before = path.read_bytes()
    for deep in (False, True):
        with SqliteStore(path) as store:
            assert store.check(deep=deep) == []
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


LARGE = "A large text. " * 100


def hung_together(path: Path) -> Path:
    """Two runs of which the second borrows a text of the first, and one that was brought in."""
    with SqliteStore(path) as store:
        write(store, "a", *story(), intended("r", "k", text=LARGE), finished("r", raw=b"a"))
        write(store, "b", *story(), intended("r", "k", text=LARGE), finished("r", raw=b"b"))
        store.bring("c", list(store.events("a")))
        assert store.check(deep=True) == []
    return path


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE run_index SET tokens = 7 WHERE id = 1", "run a is not listed as its events make"),
        ("UPDATE run_index SET question = 'No?'", "run b is not listed as its events make"),
        ("UPDATE event_log SET id = id + 99 WHERE id = 1 << 32 | 18", "lacks events of run a"),
        ("UPDATE event_log SET body = '{}' WHERE id = 1 << 32 | 4", "event 4 of run a cannot be"),
        ("DELETE FROM texts", "lacks the text "),
        ("DELETE FROM text_refs WHERE run = 2", "run b uses text 4294967297 of another run"),
        ("UPDATE text_refs SET text = 7 WHERE run = 2", "text 7, which a run refers to, is not"),
        ("INSERT INTO text_refs VALUES (4294967297, 9)", "run number 9, which refers to a text"),
        ("INSERT INTO texts VALUES (9 << 32, NULL, 'x', NULL)", "text 38654705664 is of no run"),
        ("UPDATE texts SET body = 'Another text'", "text 4294967297 is not what it was"),
        ("DELETE FROM replies WHERE raw = x'62'", "0 of 1 bytes of a reply are there"),
        ("INSERT INTO replies VALUES (7, x'00')", "reply 7 is of no event"),
        ("INSERT INTO event_log VALUES (9, 1, 'x', '', '{}')", "event 9 is of no run"),
        ("DELETE FROM run_ids WHERE run = 'c'", "run number 3, which was imported, is not there"),
        ("DELETE FROM run_ids WHERE run = 'a'", "the index lists run number 1, which is not there"),
    ],
)
def test_a_deep_check_tells_what_does_not_hang_together(
    path: Path, statement: str, said: str
) -> None:
    alter(hung_together(path), statement)
    with SqliteStore(path) as store:
        told = store.check(deep=True)
    assert any(said in line for line in told), told
    assert all(str(path) in line and "\n" not in line for line in told)
    assert all("the file is damaged; copy it" in line for line in told)


def test_a_deep_check_sees_one_moment_of_a_run_that_is_being_written(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *(opened(f"k{number}") for number in range(1000)))
        checks = while_written(path, lambda: [store.check(deep=True) for _ in range(5)])
    assert checks == [[]] * 5


def test_a_node_that_is_open_in_a_finished_run_is_told(path: Path) -> None:
    start, root, *rest, end = story()
    left = [event for event in rest if event.type != "NodeClosed"]
    with SqliteStore(path) as store:
        write(store, "a", start, root, *left)
        assert store.check(deep=True) == []
        write(store, "a", end)
        assert [line.split(": ")[1] for line in store.check(deep=True)] == [
            f"node {key} of run a is open, though the run finished" for key in ("leaf", "root")
        ]


def test_a_node_that_nobody_stands_on_any_more_may_stay_open(path: Path) -> None:
    """A root that was opened again has not asked what it asked before."""
    start, root, *rest, end = story()
    begun = [event for event in rest if event.type != "NodeClosed"]
    with SqliteStore(path) as store:
        write(store, "a", start, root, *begun, opened("root", level=1), closed("root"), end)
        assert store.check(deep=True) == []
