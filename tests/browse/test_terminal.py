"""The browser in a real terminal, by keys alone, at every size, on runs of every kind."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from asyncio import run
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from hch import HCH, Completion, Request, ScriptedModel
from hch.stores.sqlite import SqliteStore
from tests.browse.screens import PROMPT, Tmux, needs_tmux
from tests.commands.seat import Seat
from tests.commands.terminal import HCH as COMMAND
from tests.commands.terminal import gated
from tests.promises import LONG
from tests.support import decomposition, regular

SIZES = ((80, 24), (60, 20), (200, 60))
WIDE = 100


def kept(path: Path, model: ScriptedModel, *questions: str, depth: int, **options: int) -> None:
    """Ask these in a store."""
    with SqliteStore(path) as store:
        hch = HCH(depth=depth, model=model, store=store, pause=0.0, **options)
        run(hch.begin([*questions]).finish())


def many(request: Request) -> Completion:
    """Ten thousand sub-questions, or an answer."""
    if request.form:
        return Completion(decomposition(*(f"Word {i}?" for i in range(10_000))))
    return Completion("needle" if request.question.endswith(" 77?") else "a word")


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of stores, each of one run, by name."""
    folder = tmp_path_factory.mktemp("stores")
    kept(folder / "one.db", ScriptedModel(lambda _: "a needle"), "Why is it so?", depth=0)
    kept(folder / "tree.db", ScriptedModel(regular()), "Why is it so?", depth=4)
    line = f"needle {'x' * 5_000_000}"
    kept(folder / "line.db", ScriptedModel(lambda _: line), "Why is it so?", depth=0)
    kept(folder / "siblings.db", ScriptedModel(many), "Why is it so?", depth=1, fanout=10_000)
    roots = [f"Word {i}?" for i in range(1_000)]
    kept(folder / "roots.db", ScriptedModel(many), *roots, depth=0)
    with SqliteStore(folder / "empty.db") as empty:
        empty.shelve({"so": "it is"})
    shutil.copy(folder / "one.db", folder / "newer.db")
    with closing(sqlite3.connect(folder / "newer.db")) as newer:
        newer.execute("PRAGMA user_version = 1000")
    return folder


@contextmanager
def browsing(store: Path, *, shows: str, columns: int = 80, rows: int = 24) -> Iterator[Tmux]:
    """The browser on a store, once it shows a text; left by keys, and the terminal given back."""
    with Tmux(columns, rows) as tmux:
        tmux.command("browse", "--store", str(store))
        tmux.until(shows)
        assert tmux.alternate
        yield tmux
        tmux.keys("q")
        tmux.until("q end")
        tmux.keys("q")
        given_back(tmux, 0)


def given_back(tmux: Tmux, code: int) -> str:
    """What the command left on the screen; the terminal is as it was before."""
    screen = tmux.until(lambda screen: f"code {code}\n{PROMPT}" in screen)
    assert "Traceback" not in screen
    assert (tmux.alternate, tmux.cursor, tmux.mouse) == (False, True, False)
    tmux.type("clear; stty -a")
    tmux.keys("Enter")
    settings = tmux.until("iexten").split()
    assert {"icanon", "echo", "isig", "icrnl", "opost"} <= set(settings)
    return screen


def resized(tmux: Tmux, columns: int, rows: int) -> None:
    """Make it another size, and wait for the line of keys at its foot."""
    tmux.resize(columns, rows)
    tmux.until(lambda screen: screen.splitlines()[-1].rstrip().endswith("q back"))


def walk(tmux: Tmux, columns: int, root: str, word: str) -> None:
    """Down, into the node, through its tabs, back, the timeline and back, a search and back."""
    tmux.keys("g", "j", "Enter")
    tmux.until("[1 Question]")
    tmux.keys("3")
    tmux.until("[3 Calls]")
    tmux.keys("1", "q")
    tmux.until(lambda screen: ("[1 Question]" in screen) == (columns >= WIDE))
    tmux.keys("t")
    tmux.until("━")
    tmux.keys("t")
    tmux.until(lambda screen: "━" not in screen)
    tmux.keys("/")
    tmux.until(lambda screen: "\nsearch" in screen)
    tmux.type(word)
    tmux.keys("Enter")
    tmux.until(f"for {word}")
    while " searched)" in tmux.screen():
        tmux.keys("n")
    tmux.keys("q", "g")
    screen = tmux.until(lambda screen: f"for {word}" not in screen and root in screen)
    assert "Traceback" not in screen


@needs_tmux
@pytest.mark.parametrize(
    ("name", "root", "word"),
    [
        ("one", "Why", "needle"),
        ("tree", "Why", "answer"),
        ("line", "Why", "needle"),
        ("siblings", "Why", "needle"),
        ("roots", "Word 0?", "needle"),
    ],
)
def test_a_run_is_walked_by_keys_at_every_size(
    stores: Path, name: str, root: str, word: str
) -> None:
    with browsing(stores / f"{name}.db", shows=root) as tmux:
        for columns, rows in SIZES if LONG or name == "tree" else SIZES[::2]:
            resized(tmux, columns, rows)
            walk(tmux, columns, root, word)


@needs_tmux
def test_the_first_and_the_last_of_ten_thousand_siblings(stores: Path) -> None:
    with browsing(stores / "siblings.db", shows="Why") as tmux:
        for columns, rows in SIZES:
            resized(tmux, columns, rows)
            tmux.keys("g", "l")
            tmux.until("Word 0?")
            tmux.keys("G")
            tmux.until("Word 9999?")


@contextmanager
def asked(home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run in another process, of which two calls are answered and one is waited for."""
    model, env = gated(home)
    words = ("ask", "Big?", "-m", model, "--depth", "1", "--store", "live.db", "-q")
    process = subprocess.Popen([*COMMAND, *words], env={**os.environ, **env})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@needs_tmux
@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_a_run_that_another_process_writes_grows_on_the_screen(
    home: Path, columns: int, rows: int
) -> None:
    # The gate is open for writing when the call that waits at it reads.
    with asked(home) as process, (home / "gate").open("w", encoding="utf-8") as gate:
        with browsing(home / "live.db", shows="two?", columns=columns, rows=rows) as tmux:
            assert "three" not in tmux.screen()
            gate.write("go")
            gate.close()
            tmux.until("three")
            tmux.until("answered")
        assert process.wait() == 0


@needs_tmux
@pytest.mark.leaves_open
def test_a_run_that_was_killed_half_way(home: Path) -> None:
    with asked(home) as process, (home / "gate").open("w", encoding="utf-8"):
        process.kill()
        process.wait()
    with browsing(home / "live.db", shows="two?") as tmux:
        tmux.until("unfinished")
        for columns, rows in SIZES:
            resized(tmux, columns, rows)
            tmux.keys("g", "j", "j", "Enter", "2")
            tmux.until("[2 Sub-questions]")
            tmux.keys("q")
            tmux.until("▾ … HCH_1")


@needs_tmux
@pytest.mark.parametrize(
    ("name", "says", "code"),
    [("empty", "there are no runs in", 2), ("newer", "newer", 5)],
)
def test_a_store_that_cannot_be_browsed_leaves_one_line(
    stores: Path, name: str, says: str, code: int
) -> None:
    with Tmux(200, 24) as tmux:
        tmux.command("browse", "--store", str(stores / f"{name}.db"))
        screen = given_back(tmux, code)
    assert says in screen


def test_without_tmux_a_run_is_walked_in_a_terminal_and_left(stores: Path) -> None:
    with Seat("browse", "--store", str(stores / "tree.db")) as seat:
        seat.until("Why")
        seat.type("j\r")
        seat.until("[1 Question]")
        seat.type("q")
        seat.more("HCH_4", 1)
        seat.type("t")
        seat.until("━")
        seat.type("qq")
        said = seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    assert said.rfind("\x1b[?1049l") > said.rfind("\x1b[?1049h") >= 0
    assert "Traceback" not in said
