"""The shelf in the SQLite store's file: whole or not at all, older files, damage, and SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hch.errors import StoreError
from hch.stores import _sqlite_schema as schema
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import hch
from tests.stores.samples import story
from tests.stores.writing import older, python, while_written, write

pytestmark = pytest.mark.leaves_open

KILLED = -9
BOTH = {"table/a": "one", "table/b": "two"}


def shelf(path: Path) -> dict[str, str | None]:
    with SqliteStore(path) as store:
        return {name: store.shelved(name) for name in store.shelf()}


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)


def test_looking_at_the_shelf_makes_no_file(tmp_path: Path) -> None:
    with SqliteStore(tmp_path / "no" / "runs.db") as store:
        assert (store.shelf(), store.shelved("table/a")) == ([], None)
        store.shelve({})
    assert list(tmp_path.iterdir()) == []
    with SqliteStore(tmp_path / "no" / "runs.db") as store:
        store.shelve(BOTH)
        assert [file.name for file in (tmp_path / "no").iterdir()] == ["runs.db"]
    assert shelf(tmp_path / "no" / "runs.db") == BOTH


@pytest.mark.parametrize("version", range(1, schema.SHELF))
def test_the_shelf_of_a_version_without_one_is_empty_and_comes_with_the_first_text(
    path: Path, version: int
) -> None:
    older(path, version, *story())
    before = path.read_bytes()
    assert shelf(path) == {}
    with SqliteStore(path) as store:
        assert store.shelved("table/a") is None
    assert path.read_bytes() == before
    with SqliteStore(path) as store:
        store.shelve(BOTH)
        assert [record.event for record in store.events("a")] == story()
        assert store.check(deep=True) == []
    assert shelf(path) == BOTH


def test_what_cannot_be_written_can_be_read(path: Path) -> None:
    with SqliteStore(path) as store:
        store.shelve(BOTH)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert shelf(path) == BOTH
    finally:
        path.parent.chmod(0o700)


def test_texts_are_put_while_runs_are_written(path: Path) -> None:
    def put() -> None:
        with SqliteStore(path) as store:
            for number in range(20):
                store.shelve({f"text {number}": "x" * 10_000})

    while_written(path, put)
    assert len(shelf(path)) == 20


SHELVES = (
    "import os, signal, sys",
    "from hch.stores.sqlite import SqliteStore",
    "def shelve(path, **texts):",
    "    SqliteStore(path).shelve(texts)",
    "    os.kill(os.getpid(), signal.SIGKILL)",
)


@pytest.mark.parametrize(
    ("env", "left"), [("", {"a": "3", "b": "x" * 9_000_000}), ("shelve:1", {"a": "1", "c": "2"})]
)
def test_I13_what_was_put_survives_a_kill_and_else_nothing_of_it(  # noqa: N802
    path: Path, monkeypatch: pytest.MonkeyPatch, env: str, left: dict[str, str]
) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        store.shelve({"a": "1", "c": "2"})
    monkeypatch.setenv("HCH_FAIL", env)
    killed = python(*SHELVES, f"shelve({str(path)!r}, a='3', b='x' * 9_000_000, c=None)")
    with killed:
        assert killed.wait() == KILLED
    monkeypatch.delenv("HCH_FAIL")
    assert shelf(path) == left
    with SqliteStore(path) as store:
        assert store.check(deep=True) == []


def test_a_full_disk_leaves_the_shelf_as_it_was(path: Path) -> None:
    with SqliteStore(path, pragmas={"max_page_count": 40}) as store:
        store.shelve(BOTH)
        with pytest.raises(StoreError, match="make room on the disk, or name another"):
            store.shelve({"table/a": None, "table/c": "small", "table/d": "x" * 1_000_000})
        assert {name: store.shelved(name) for name in store.shelf()} == BOTH
        store.shelve({"table/a": "three"})
    assert shelf(path) == {**BOTH, "table/a": "three"}


def test_whoever_holds_the_file_is_waited_for_in_vain(path: Path) -> None:
    with SqliteStore(path, patience=0.05) as store:
        store.shelve(BOTH)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process holds it; try again when"):
                store.shelve({"table/a": None})
            assert store.shelved("table/a") == "one"
            other.execute("ROLLBACK")


NO_UTF8 = sha256(bytes([255])).hexdigest()

DAMAGE = [
    "UPDATE shelf SET body = x'6f6e66' WHERE name = 'table/a'",
    "UPDATE shelf SET body = 'another' WHERE name = 'table/a'",
    "UPDATE shelf SET hash = '' WHERE name = 'table/a'",
    "UPDATE shelf SET hash = 7 WHERE name = 'table/a'",
    f"UPDATE shelf SET body = x'ff', hash = x'{NO_UTF8}' WHERE name = 'table/a'",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_damaged_text_is_told(path: Path, statement: str) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        store.shelve(BOTH)
    alter(path, statement)
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=r"runs\.db: .*: the file is damaged; copy it") as told:
            store.shelved("table/a")
        assert "\n" not in str(told.value)
        assert store.shelved("table/b") == "two"
        assert store.shelf() == ["table/a", "table/b"]
        for deep in (False, True):
            [line] = store.check(deep=deep)
            assert f"the store {path}: table/a on the shelf" in line
            assert "the file is damaged; copy it" in line
        assert store.runs()
        store.shelve({"table/a": "mended"})
        assert store.check(deep=True) == []


def test_names_that_are_damaged_are_told_and_do_no_harm(path: Path) -> None:
    with SqliteStore(path) as store:
        store.shelve(BOTH)
    alter(path, "UPDATE shelf SET name = x'80' WHERE name = 'table/a'")
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="the file is damaged"):
            store.shelf()
        [line] = store.check()
        assert "the file is damaged" in line
    alter(path, "UPDATE shelf SET name = 'e' || char(27) || '[2J', hash = 7 WHERE name = x'80'")
    with SqliteStore(path) as store:
        [line] = store.check()
        assert "e\\x1b[2J on the shelf" in line


def test_the_commands_know_of_the_shelf(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        store.shelve(BOTH)
    to = path.with_name("copy.db")
    assert hch("runs", "rm", "a", "--yes", "--store", str(path)).code == 0
    assert hch("store", "backup", str(to), "--store", str(path)).code == 0
    assert shelf(path) == shelf(to) == BOTH
    alter(to, "UPDATE shelf SET body = x'00' WHERE name = 'table/b'")
    assert hch("store", "check", "--store", str(path)).code == 0
    done = hch("store", "check", "--store", str(to))
    assert (done.code, done.out.count("table/b on the shelf")) == (5, 1)


def test_sql_can_read_the_shelf(path: Path, sql: Callable[..., list[Any]]) -> None:
    with SqliteStore(path) as store:
        store.shelve({"table/x": '{"answers":{"":{"Why?":"so"}}}', "other": "é"})
    page = (Path(__file__).parents[2] / "docs" / "store.md").read_text("utf-8")
    queries = [line for line in page.splitlines() if line.startswith("SELECT") and "shelf" in line]
    sizes, answers = (sql(query.replace("NAME", "x")) for query in queries)
    assert sizes == [("other", 2), ("table/x", 30)]
    assert answers == [("", "Why?", "so")]
