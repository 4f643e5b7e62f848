"""`hch store`: check, backup and vacuum."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import Done

Typed = Callable[..., Done]

KEPT = Path(".local/share/hch/hch.db")
"""Where runs are kept in the folder of a test."""


def made(typed: Typed, n: int = 1) -> list[str]:
    """Make so many runs; their ids, newest first."""
    for i in range(n):
        typed("ask", f"What is {i} + 1?")
    return [row["run"] for row in json.loads(typed("runs", "--json").out)]


def alter(statement: str) -> None:
    with closing(sqlite3.connect(KEPT, isolation_level=None)) as db:
        db.execute(statement)


def test_alone_it_says_where_runs_are_kept(typed: Typed, home: Path) -> None:
    made(typed, 2)
    assert typed("store") == Done(0, f"{home / KEPT}  2 runs\n", "")


def test_a_store_that_is_well(typed: Typed, home: Path) -> None:
    assert typed("store", "check").code == 0
    assert not (home / KEPT).exists()
    made(typed, 2)
    said = f"hch: nothing is wrong with {home / KEPT}: 2 runs, every event read\n"
    assert typed("store", "check") == Done(0, "", said)
    done = typed("store", "check", "--json")
    well = {"place": str(home / KEPT), "well": True, "runs": 2, "faults": []}
    assert (done.code, json.loads(done.out), done.err) == (0, well, "")


@pytest.mark.leaves_open
def test_each_fault_is_a_line(typed: Typed) -> None:
    [newer, older] = made(typed, 2)
    alter("UPDATE run_index SET nodes = nodes + 1")
    done = typed("store", "check")
    assert (done.code, done.err) == (5, "")
    lines = done.out.splitlines()
    for line, run in zip(lines, (older, newer), strict=True):
        assert f"run {run} is not listed as its events make it: the file is damaged" in line
    assert typed("doctor").out.count("is not listed") == 0  # it only takes a quick look
    done = typed("store", "check", "--json")
    said = json.loads(done.out)
    assert (done.code, said["well"], said["faults"]) == (5, False, lines)


def test_what_is_no_store_or_has_a_trigger_is_told_in_a_line(typed: Typed) -> None:
    Path("letter.txt").write_text("This is a letter.\n" * 100)
    done = typed("store", "check", "--store", "letter.txt")
    assert (done.code, done.err, done.out.count("\n")) == (5, "", 1)
    assert "this is no store of hch" in done.out
    made(typed)
    alter("CREATE TRIGGER t AFTER INSERT ON texts BEGIN SELECT 1; END")
    assert "the trigger t in it, which hch has not made" in typed("store", "check").out
    for words in (("runs",), ("show",), ("ask", "What is 2 + 3?"), ("resume",), ("store",)):
        done = typed(*words)
        assert (done.code, done.out, done.err.count("\n")) == (5, "", 1)
        assert "the trigger t in it, which hch has not made" in done.err
    alter("DROP TRIGGER t")
    assert typed("store", "check").code == 0


def test_a_backup_is_a_store(typed: Typed, home: Path) -> None:
    runs = made(typed, 2)
    done = typed("store", "backup", "a copy.db")
    assert done == Done(0, "", f"hch: copied {home / KEPT} to a copy.db\n")
    copied = json.loads(typed("runs", "--json", "--store", "a copy.db").out)
    assert [row["run"] for row in copied] == runs
    assert typed("store", "check", "--store", "a copy.db").code == 0
    assert typed("show", runs[1], "--store", "a copy.db").out == typed("show", runs[1]).out


def test_a_backup_overwrites_nothing(typed: Typed) -> None:
    done = typed("store", "backup", "copy.txt")
    assert (done.code, done.out) == (2, "")
    assert "nothing to back up" in done.err
    made(typed)
    Path("copy.txt").write_text("mine")
    done = typed("store", "backup", "copy.txt")
    assert done == Done(
        2, "", "hch: there is copy.txt already: name a file that is not there yet\n"
    )
    assert Path("copy.txt").read_text() == "mine"
    assert typed("store", "backup", "").err == "hch: FILE is empty\n"
    done = typed("store", "backup", "no/copy.db")
    assert (done.code, done.err.count("\n")) == (5, 1)
    assert "No such file or directory: see that its folder is there" in done.err
    assert typed("store", "backup", "copy2.db", "--store", "memory").code == 2


def test_room_is_given_back(typed: Typed, home: Path) -> None:
    runs = made(typed, 3)
    shown = typed("show", runs[0]).out
    typed("runs", "rm", *runs[1:], "--yes")
    before = KEPT.stat().st_size
    done = typed("store", "vacuum")
    after = KEPT.stat().st_size
    assert (done.code, done.out) == (0, "")
    assert done.err == f"hch: {home / KEPT} took {before:,} bytes, and takes {after:,}\n"
    assert after < before
    assert typed("show", runs[0]).out == shown
    assert typed("store", "check").code == 0


def test_a_run_that_is_alive_is_not_held_up(typed: Typed) -> None:
    [run] = made(typed)
    alter("UPDATE run_index SET status = 'unfinished'")
    with SqliteStore(KEPT) as store, store.live(run):
        done = typed("store", "vacuum")
    alter("UPDATE run_index SET status = 'answered'")
    assert (done.code, done.out) == (5, "")
    assert f"run {run} in the store" in done.err


def test_the_store_may_be_named_before_or_after(typed: Typed) -> None:
    typed("ask", "What is 2 + 3?", "--store", "own.db")
    for words in (("--store", "own.db", "vacuum"), ("vacuum", "--store", "own.db")):
        assert "own.db took " in typed("store", *words).err
