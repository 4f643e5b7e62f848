"""A run that grows while somebody looks: what is open, filtered, found and marked stays so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hch import HCH
from hch.browse.named import named
from hch.errors import UsageError
from hch.stores.sqlite import SqliteStore
from tests.browse.runs_to_see import Reader, example, reading

pytestmark = pytest.mark.leaves_open


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(tmp_path / "runs.db") as store:
        yield store


class Half:
    """A run of which the first part is there, and the rest comes when it is let."""

    def __init__(self, store: SqliteStore, part: float) -> None:
        self._store = store
        self._records = list(store.events(example(store, "rivers")))
        self.run, self._at = "half", 0
        self.come(part)

    def come(self, part: float) -> None:
        """Have so much of it be there."""
        until = int(len(self._records) * part)
        for record in self._records[self._at : until]:
            self._store.append(self.run, record.at, record.event)
        self._store.flush()
        self._at = until


async def grown(reader: Reader, half: Half, part: float) -> None:
    """Let more come, and wait until it is on the screen."""
    before = reader.panes.book.outline.last
    half.come(part)
    while reader.panes.book.outline.last == before:
        await reader.pilot.pause(0.02)
    await reader.pilot.pause()


async def test_the_cursor_stays_on_its_row_whatever_kind_it_is_of(store: SqliteStore) -> None:
    half = Half(store, 0.8)
    async with reading(store, half.run, keys=("L", "asterisk")) as reader:
        rows = reader.panes.rows
        kinds = {}
        for number in range(rows.count):
            kinds.setdefault(rows.view.row(number).item.kind, number)
        assert {"node", "round"} < kinds.keys()
        for part, (kind, number) in enumerate(kinds.items(), 1):
            rows.go(number)
            await reader.pilot.pause()
            before = rows.branch.item
            told = reader.row.split("→")[0].strip()[4:30]
            await grown(reader, half, 0.8 + 0.02 * part)
            assert (rows.branch.item.kind, rows.branch.item.n) == (kind, before.n)
            assert told in reader.row


async def test_a_filter_takes_in_what_comes(store: SqliteStore) -> None:
    half = Half(store, 0.4)
    async with reading(store, half.run, keys=("L", "f")) as reader:
        await reader.write("level=0")
        before = reader.panes.rows.count
        await grown(reader, half, 0.9)
        assert reader.panes.rows.count > before
        assert "only level=0" in reader.head
        levels = {line.split("HCH_")[1][0] for line in reader.tree if "HCH_" in line}
        assert "0" in levels


async def test_a_search_goes_on_to_what_came_also_when_the_run_has_ended(
    store: SqliteStore,
) -> None:
    half = Half(store, 0.3)
    async with reading(store, half.run, keys=("L", "slash")) as reader:
        await reader.write("river")
        first = len(reader.panes.searching.found)
        await grown(reader, half, 1.0)
        await reader.done("index")
        await reader.press("n")
        assert len(reader.panes.searching.found) > first
        whole = set(reader.panes.searching.found)
        assert not reader.panes.following.on
    async with reading(store, half.run) as reader:
        await reader.done("index")
        await reader.press("slash")
        await reader.write("river")
        assert set(reader.panes.searching.found) == whole


async def test_a_search_in_what_a_filter_left_takes_the_filter_away_and_nothing_else(
    store: SqliteStore,
) -> None:
    run = example(store, "rivers")
    async with reading(store, run, keys=("f",)) as reader:
        await reader.write("level=3")
        await reader.done("index")
        await reader.press("slash")
        await reader.write("wissembourg")
        assert "»" in reader.row
        assert "for wissembourg" in reader.foot
        assert "only" not in reader.head


async def test_what_is_known_to_be_wrong_is_said_of_the_node_that_is_looked_at(
    tmp_path: Path, store: SqliteStore
) -> None:
    hch = HCH(depth=1, strategy="script,errors=1", store=store)
    run = hch.ask_sync("What is (2 + 3) * (4 - 1)?").run
    async with reading(store, run) as reader:
        await reader.done("grade")
        assert "wrong" in reader.row
        assert "answered, wrong" in reader.node[1]


async def test_a_place_without_a_node_is_named_for_what_it_is(store: SqliteStore) -> None:
    outline = store.outline(example(store, "rivers"))
    told = {"0.3.4": "was refused", "0.3.1": "stands at 0.1.2", "0.9": "0.1 to 0.6", "7.1": "0"}
    for id, said in told.items():
        with pytest.raises(UsageError, match=said):
            named(outline, "rivers", id)
    assert outline.id(named(outline, "rivers", "0.3.2")) == "0.3.2"
