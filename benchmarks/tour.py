"""Makes the screens of `hch browse` that the docs show: real ones, of an example run.

    python -m benchmarks.tour               # docs/tour/*.svg
    python -m benchmarks.tour --into DIR

The app is driven by keys alone, once in the dark and once in the light. What is made is the same
bytes every time: clocks stand still at the run's own times, in UTC, some years back, so that the
list of runs says dates whenever it is made. The pictures refer to nothing outside them.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.tables import ROOT
from hch.browse.app import THEMES, Browser
from hch.browse.reading import Reading
from hch.events import Record
from hch.interchange import Export
from hch.stores.sqlite import SqliteStore

EXAMPLES = ROOT / "traces" / "examples"
SHOWN = "rivers"
INTO = ROOT / "docs" / "tour"
SIZE = (120, 30)
NARROW = (98, 30)
"""Where the tree stands alone."""

YEARS = 2
DAYS = 365 * YEARS
"""The runs are put so many years back: 2025 and 2026 have 365 days each."""

SCREENS: dict[str, tuple[str, ...]] = {
    "tree": ("E", "E", "E"),
    "timeline": ("t",),
    "search": ("t", "slash", *"Wissembourg", "enter"),
    "prompt": ("q", "g", "j", "j", *["right_square_bracket"] * 2, "3", "G"),
    "list": ("q", "q"),
}
"""By name: the keys that lead to a screen from the one before it; to the first from the start."""

FONT = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
"""What is on the machine of whoever looks."""


def bring(store: SqliteStore, example: Path) -> str:
    """Bring an exported run into a store as if it had been asked some years before; its name."""
    text = example.read_text("utf-8")
    [run] = json.loads(text.partition("\n")[0])["runs"]
    name = f"{int(run[:2]) - YEARS}{run[2:]}"
    export = Export(example.name, io.BytesIO(text.replace(run, name).encode()))
    store.bring(name, map(_older, export.records()))
    return name


def _older(record: Record) -> Record:
    return record.model_copy(update={"at": record.at - DAYS * 86_400})


FRAMES = {"dark": ("#292929", "#c5c8c6"), "light": ("#f0f0f0", "#292929")}
"""The colours of the window round a screen, and of its title."""


def plain(svg: str, theme: str) -> str:
    """A picture without fonts from elsewhere, and without what one of a terminal can do without."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->\s*", "", svg)
    svg = re.sub(r'<clipPath id="[^"]*-line-\d+">.*?</clipPath>\s*', "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\(#[^)]*-line-\d+\)"', "", svg)
    svg = svg.replace("Fira Code, monospace", FONT).replace("arial", FONT)
    for dark, wanted in zip(FRAMES["dark"], FRAMES[theme], strict=True):
        svg = svg.replace(f'fill="{dark}"', f'fill="{wanted}"')
    svg = svg.replace("rgba(255,255,255,0.35)", "#80808060")
    return "\n".join(line.strip() for line in svg.splitlines() if line.strip()) + "\n"


async def indexed(pilot: Pilot[None]) -> None:
    """When all texts of the run can be found."""
    screen = pilot.app.screen
    assert isinstance(screen, Reading)
    while screen.searching.progress < 1:
        await pilot.pause(0.01)


async def walk(store: SqliteStore, run: str, into: Path) -> None:
    """All screens, each in both themes."""
    app = Browser(store, run)
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await indexed(pilot)
        for name, keys in SCREENS.items():
            await pilot.resize_terminal(*(NARROW if name == "timeline" else SIZE))
            for key in keys:
                await pilot.press(key)
                await pilot.pause()
            for theme, its_name in THEMES.items():
                app.theme = its_name
                await pilot.pause()
                picture = plain(app.export_screenshot(simplify=True), theme)
                into.joinpath(f"{name}-{theme}.svg").write_text(picture, "utf-8")


def make(into: Path) -> None:
    """Make all pictures, in this folder."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder, "hch.db")) as store:
        runs = {path.stem: bring(store, path) for path in sorted(EXAMPLES.glob("*.jsonl"))}
        asyncio.run(walk(store, runs[SHOWN], into))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--into", type=Path, default=INTO, help="the folder of the pictures")
    os.environ["TZ"] = "UTC"
    time.tzset()
    make(parser.parse_args(argv).into)


if __name__ == "__main__":
    main()
