"""Keys that come in one burst act as if they were typed one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Event, Key, Paste

from hch.browse.app import Browser
from hch.browse.listing import Listing
from hch.browse.prompting import Bar, Typing
from hch.stores.sqlite import SqliteStore
from tests.browse.runs_to_see import EXAMPLES, Reader, example, reading
from tests.commands.seat import Seat
from tests.promises import LONG

OFTEN = 20 if LONG else 6

NAMED = {
    "\t": "tab",
    "\r": "enter",
    "\x1b": "escape",
    "/": "slash",
    " ": "space",
    "=": "equals_sign",
}


def burst(reader: Reader, *parts: str | Event) -> None:
    """Put all of it before the app at once, as one read from the terminal does."""
    for part in parts:
        for one in part if isinstance(part, str) else [part]:
            event = Key(NAMED.get(one, one), one) if isinstance(one, str) else one
            event.set_sender(reader.app)
            reader.app.post_message(event)


async def acted(reader: Reader) -> None:
    """Wait until all has had its effects."""
    await reader.pilot.pause()
    while reader.app.acting:
        await reader.pilot.pause()


@pytest.fixture
def store(home: Path) -> SqliteStore:
    with SqliteStore(home / "runs.db") as store:
        for n, name in enumerate(EXAMPLES):
            example(store, name, -1000.0 * n)
    return SqliteStore(home / "runs.db")


async def test_what_is_typed_after_a_slash_goes_into_the_line(store: SqliteStore) -> None:
    async with reading(store, store.runs()[0].run) as reader:
        await reader.done("index")
        rows = len(reader.tree)
        for n in range(OFTEN):
            burst(reader, f"/hnt{n}\r")
            await acted(reader)
            assert f"nothing found for hnt{n}" in reader.foot
            burst(reader, "ffailed\r")
            await acted(reader)
            bar = reader.app.screen.query_one(Bar)
            assert (bar.kind, bar.query_one(Typing).value, bar.asking) == ("filter", "failed", True)
            burst(reader, "\x1b")
            await acted(reader)
            assert not bar.asking
            assert len(reader.tree) == rows


async def test_what_comes_before_and_after_a_line_acts_where_it_was_typed(
    store: SqliteStore,
) -> None:
    async with reading(store, store.runs()[0].run) as reader:
        await reader.done("index")
        burst(reader, "Gg*jj/Rhine\rn\t")
        await acted(reader)
        assert "of " in reader.foot
        assert "for Rhine" in reader.foot
        assert reader.panes.looking
        burst(reader, "\x1b\x1bfcalls=0", Paste(" level=1"), "\r")
        await acted(reader)
        assert reader.app.screen.query_one(Bar).asking
        assert "calls=0 level=1" in "\n".join(reader.lines)


async def test_a_run_is_chosen_and_walked_in_one_burst(store: SqliteStore) -> None:
    async with reading(store) as reader:
        burst(reader, "fscript\r\rj\rq")
        await acted(reader)
        assert "What is ((2+3)" in reader.head
        assert reader.canvas.cursor == 1
        burst(reader, "q")
        await acted(reader)
        assert isinstance(reader.app.screen, Listing)


async def test_ctrl_c_waits_for_nothing(store: SqliteStore) -> None:
    app = Browser(store)
    async with app.run_test() as pilot:
        reader = Reader(app, pilot)
        burst(reader, "f" + "x" * 1000, Key("ctrl+c", None))
        while app.is_running:
            await pilot.pause()


def test_a_burst_in_a_real_terminal(home: Path, store: SqliteStore) -> None:
    run = store.runs()[0].run
    with Seat("browse", run, "--store", str(home / "runs.db")) as seat:
        seat.until("HCH_3")
        for n in range(OFTEN):
            seat.type(f"/Rhine{n}x\r")
            seat.until(f"nothing found for Rhine{n}x")
            seat.type(f"fcalls<9{n}\r")
            seat.until(f"42 nodes: calls under 9{n}")
        seat.type("ffailed\r")
        seat.more("no node is failed", 1)
        seat.type("\x03")
        seat.rest()
        assert seat.code == 0
