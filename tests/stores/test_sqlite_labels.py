"""Labels in the SQLite store's file: whole or not at all, older files, damage, other processes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from hch.errors import StoreError
from hch.stores import _sqlite_schema as schema
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import label, story
from tests.stores.writing import older, python, while_written, write

pytestmark = pytest.mark.leaves_open

KILLED = -9
GOOD, BAD = label("leaf", said="good"), label("root", "truth", said="bad", note="\ud800")


def labelled(path: Path) -> Path:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        store.label("a", [GOOD, BAD])
    return path


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


@pytest.mark.parametrize("version", range(1, schema.LABELS))
def test_a_version_without_labels_is_brought_up_to_date(path: Path, version: int) -> None:
    older(path, version, *story())
    with SqliteStore(path) as store:
        assert store.labels("a") == []
        store.label("a", [GOOD, BAD])
    with SqliteStore(path) as store:
        assert store.labels("a") == [GOOD, BAD]
        assert [record.event for record in store.events("a")] == story()
        assert store.check(deep=True) == []


LABELS = (
    "import os, signal",
    "from hch.stores.sqlite import SqliteStore",
    "from tests.stores.samples import label",
    "def run(path):",
    "    store = SqliteStore(path)",
    "    store.label('a', (label('leaf', score=float(n)) for n in range(3000)))",
    "    os.kill(os.getpid(), signal.SIGKILL)",
)


@pytest.mark.parametrize(("env", "more"), [("", 3000), ("label:1", 0)])
def test_I13_labels_survive_a_kill_and_else_nothing_of_them(  # noqa: N802
    path: Path, monkeypatch: pytest.MonkeyPatch, env: str, more: int
) -> None:
    labelled(path)
    monkeypatch.setenv("HCH_FAIL", env)
    with python(*LABELS, f"run({str(path)!r})") as killed:
        assert killed.wait() == KILLED
    monkeypatch.delenv("HCH_FAIL")
    with SqliteStore(path) as store:
        assert store.labels("a") == [GOOD, BAD, *(label("leaf", score=n) for n in range(more))]
        assert store.check(deep=True) == []


def test_a_run_is_labelled_while_another_process_writes_it(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())

    def put() -> None:
        with SqliteStore(path) as other:
            for number in range(20):
                other.label("a", [label("leaf", score=number)])

    while_written(path, put)
    with SqliteStore(path) as store:
        assert [x.score for x in store.labels("a")] == list(range(20))


def test_a_full_disk_leaves_the_labels_as_they_were(path: Path) -> None:
    with SqliteStore(path, pragmas={"max_page_count": 60}) as store:
        write(store, "a", *story())
        store.label("a", [GOOD])
        with pytest.raises(StoreError, match="make room on the disk, or name another"):
            store.label("a", (label("leaf", note="x" * 9_000) for _ in range(100)))
        assert store.labels("a") == [GOOD]
        assert store.check(deep=True) == []


def test_whoever_holds_the_file_is_waited_for_in_vain(path: Path) -> None:
    labelled(path)
    with SqliteStore(path, patience=0.05) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="another process holds it; try again when"):
                store.label("a", [GOOD])
            other.execute("ROLLBACK")
        assert store.labels("a") == [GOOD, BAD]


DAMAGE = [
    "UPDATE label_log SET said = 'perhaps'",
    "UPDATE label_log SET by = 'somebody'",
    "UPDATE label_log SET key = x'6c'",
    "UPDATE label_log SET at = 'noon'",
    "UPDATE label_log SET at = 9e999",
    "UPDATE label_log SET score = 'much'",
    "UPDATE label_log SET score = -9e999",
    "UPDATE label_log SET note = 7.5, note = x'00'",
    "UPDATE label_log SET raw = x'ff'",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_a_damaged_label_is_told(path: Path, statement: str) -> None:
    alter(labelled(path), statement)
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="the file is damaged; copy it") as told:
            store.labels("a")
        assert "\n" not in str(told.value)
        for deep in (False, True):
            lines = store.check(deep=deep)
            assert any("label 1 is none: the file is damaged; copy it" in line for line in lines)
        assert store.runs()


def test_labels_of_what_is_not_there_are_told(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        store.label("a", [label("none", said="good")])
        [line] = store.check(deep=True)
        assert "a label of run a is of node none, which is not there" in line
    alter(path, "UPDATE label_log SET run = 9, key = 'leaf'")
    with SqliteStore(path) as store:
        [line] = store.check(deep=True)
        assert "run number 9, which has labels, is not there" in line
