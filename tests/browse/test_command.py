"""`hch browse` as it is typed: what opens, and what is said where nothing can be opened."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.browse.small import restored
from tests.commands.seat import Seat
from tests.commands.terminal import hch

ASKED = ("ask", "What is (2 + 3) * 4?", "-s", "script", "--depth", "2", "--store", "runs.db")


@pytest.fixture
def run() -> str:
    """A run in `runs.db`."""
    assert hch(*ASKED).code == 0
    [row] = hch("runs", "--store", "runs.db").out.splitlines()[1:]
    return row.split()[0]


def said(*words: str, code: int, **env: str) -> str:
    """What a command says in one line on a terminal that it does not draw on."""
    with Seat("browse", *words, **env) as seat:
        text = seat.rest()
        assert seat.code == code
    assert text.startswith("hch: ")
    assert text.endswith("\r\n")
    assert text.count("\n") == 1
    assert "\x1b" not in text
    return text.removeprefix("hch: ").strip()


def test_it_opens_the_newest_run_and_is_left(run: str) -> None:
    with Seat("browse", "--store", "runs.db") as seat:
        seat.until("(2 + 3)")
        seat.type("\x03")
        seat.rest()
        assert (seat.code, restored(seat)) == (0, True)


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_it_opens_a_run_at_a_node_in_a_theme(theme: str, run: str) -> None:
    with Seat("browse", run[:8], "--store", "runs.db", "--node", "0.1", "--theme", theme) as seat:
        seat.until("2 + 3")
        seat.type("\x03")
        seat.rest()
        assert (seat.code, restored(seat)) == (0, True)


def test_what_is_not_there_is_said_before_anything_is_drawn(run: str) -> None:
    nosuch = said("nosuch", "--store", "runs.db", code=2)
    assert nosuch == f"no run nosuch in runs.db: the newest are {run}"
    node = said("--node", "7.7", "--store", "runs.db", code=2)
    assert node == f"run {run} has no node 7.7: its roots are 0"


def test_another_theme_is_refused() -> None:
    assert said("--theme", "pink", code=2) == "no theme is called pink: it is dark or light"


def test_an_empty_store_says_how_to_make_a_run() -> None:
    text = "there are no runs in empty.db yet: make one with hch ask"
    assert said("--store", "empty.db", code=2) == text


def test_a_store_of_a_newer_version_or_a_damaged_one_is_refused(run: str) -> None:
    with closing(sqlite3.connect("runs.db")) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy("runs.db", "newer.runs")
    with closing(sqlite3.connect("newer.runs")) as store:
        store.execute("PRAGMA user_version = 9999")
    assert "newer" in said("--store", "newer.runs", code=5)
    Path("damaged.runs").write_bytes(b"no database at all" * 100)
    assert "damaged.runs" in said("--store", "damaged.runs", code=5)


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_be_drawn_on_is_refused(term: str) -> None:
    assert "use hch show" in said("--store", "runs.db", code=2, TERM=term)


@pytest.mark.parametrize("away", ["</dev/null", ">/dev/null", "2>/dev/null"])
def test_without_a_terminal_it_is_refused(away: str) -> None:
    line = f'"$@" {away}; echo code $?'
    with Seat(command=["sh", "-c", line, "sh", sys.executable, "-m", "hch.cli", "browse"]) as seat:
        text = seat.rest()
    assert "\x1b" not in text
    if away != "2>/dev/null":
        assert "needs a terminal" in text
    assert "code 2" in text if away != ">/dev/null" else "code" in text
