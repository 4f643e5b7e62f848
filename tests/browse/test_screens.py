"""The main screens of the browser, compared with texts in `golden`.

python -m tests.browse.test_screens    makes those texts anew
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from rich.color_triplet import ColorTriplet

from hch.browse.marks import MARKS
from hch.stores.sqlite import SqliteStore
from tests.browse.runs_to_see import EXAMPLES, Reader, example, reading

GOLDEN = Path(__file__).parent / "golden"
SIZES = ((60, 20), (80, 24), (120, 30))

SCREENS: dict[str, tuple[str | None, Sequence[str]]] = {
    "runs": (None, ()),
    "tree": ("rivers", ()),
    "problem": ("rivers", ("E", "E")),
    "question": ("rivers", ("tab", "1")),
    "sub-questions": ("rivers", ("tab", "2")),
    "calls": ("rivers", ("tab", "3")),
    "events": ("rivers", ("tab", "4")),
    "lineage": ("rivers", ("E", "E", "tab", "5")),
    "call": ("consult-failed", ("3", "enter")),
    "timeline": ("rivers", ("t",)),
    "filter": ("rivers", ("f", *"unanswered", "enter")),
    "search": ("rivers", ("slash", *"lauter", "enter")),
    "help": ("script-arithmetic", ("question_mark",)),
}
"""By name: the example that is opened, or the list of all, and the keys that lead there."""


async def screen(store: SqliteStore, name: str, size: tuple[int, int]) -> str:
    """What is on a screen, as text."""
    opened, keys = SCREENS[name]
    runs = dict(zip(EXAMPLES, (row.run for row in store.runs()), strict=True))
    async with reading(store, runs[opened] if opened else None, size) as reader:
        await reader.done("index", "grade")
        await reader.press(*keys)
        return "\n".join(reader.lines) + "\n"


def fill(store: SqliteStore) -> None:
    """All examples, the first of them the newest."""
    for n, name in enumerate(EXAMPLES):
        example(store, name, -1000.0 * n)


def path(name: str, size: tuple[int, int]) -> Path:
    return GOLDEN / f"{name}-{size[0]}x{size[1]}.txt"


@pytest.fixture
def store(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteStore]:
    """The examples, in a place where the clocks are right."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with SqliteStore(home / "runs.db") as store:
        fill(store)
        yield store
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
async def test_a_screen(name: str, size: tuple[int, int], store: SqliteStore) -> None:
    assert await screen(store, name, size) == path(name, size).read_text("utf-8")


def test_no_text_is_of_no_screen() -> None:
    made = {path(name, size) for name in SCREENS for size in SIZES}
    assert set(GOLDEN.glob("*.txt")) == made


async def test_no_color_takes_the_colours_and_leaves_the_rest(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    rivers = store.runs()[0].run
    async with reading(store, rivers, keys=("E", "E")) as reader:
        coloured = reader.lines
        assert not all(map(grey, look(reader).values()))
    monkeypatch.setenv("NO_COLOR", "1")
    async with reading(store, rivers, keys=("E", "E")) as reader:
        assert reader.lines == coloured
        assert all(map(grey, look(reader).values()))


async def test_themes_differ_in_their_colours_and_not_in_their_marks(store: SqliteStore) -> None:
    rivers = store.runs()[0].run
    looks = {}
    for theme in ("dark", "light"):
        async with reading(store, rivers, keys=("E", "E"), theme=theme) as reader:
            looks[theme] = look(reader)
    assert looks["dark"].keys() == looks["light"].keys()
    assert all(looks["dark"][mark] != looks["light"][mark] for mark in looks["dark"])


def look(reader: Reader) -> dict[str, ColorTriplet]:
    """The colour of each mark on the screen."""
    marks = {f"{mark} " for mark, _ in MARKS.values()}
    segments = [segment for strip in reader.strips for segment in strip]
    return {
        text: style.color.get_truecolor()
        for text, style, _ in segments
        if text in marks and style and style.color
    }


def grey(colour: ColorTriplet) -> bool:
    return len(set(colour)) == 1


if __name__ == "__main__":

    async def make() -> None:
        with TemporaryDirectory() as folder, SqliteStore(Path(folder, "runs.db")) as store:
            fill(store)
            for name in SCREENS:
                for size in SIZES:
                    path(name, size).write_text(await screen(store, name, size), "utf-8")

    os.environ["TZ"] = "UTC"
    time.tzset()
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.glob("*.txt"):
        old.unlink()
    asyncio.run(make())
