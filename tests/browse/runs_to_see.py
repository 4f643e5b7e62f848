"""Runs to look at, and a person who looks: keys in, and what the screen shows out.

with SqliteStore(home / "runs.db") as store:
    async with reading(store, example(store, "rivers")) as reader:
        await reader.press("j", "enter")
        assert reader.head.startswith("…")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby
from operator import attrgetter

from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from hch.browse.app import Browser
from hch.browse.canvas import Canvas
from hch.browse.panes import Panes
from hch.interchange import Export
from hch.stores.sqlite import SqliteStore
from tests.golden import FOLDER

THEN = 1e9
"""When every example began, in Unix seconds: long ago, and at the same time each time."""

EXAMPLES = ("rivers", "factored-cut-refused", "script-arithmetic", "consult-failed")


def example(store: SqliteStore, name: str, after: float = 0.0) -> str:
    """Bring in one of traces/examples as if it began then, or so many seconds after; its run."""
    path = FOLDER / f"{name}.jsonl"
    with path.open("rb") as stream:
        export = Export(path.name, stream)
        [(run, found)] = [(run, list(rs)) for run, rs in groupby(export.records(), _run)]
    by = THEN + after - found[0].at
    store.bring(run, (record.model_copy(update={"at": record.at + by}) for record in found))
    return run


_run = attrgetter("run")


class Reader:
    """Presses keys, and sees what is on the screen."""

    def __init__(self, app: Browser, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, text: str) -> None:
        """Type a text, and enter it."""
        await self.press(*({" ": "space"}.get(c, c) for c in text), "enter")

    async def done(self, *groups: str) -> None:
        """Wait for what goes on beside: `index`, so that all can be searched, or `grade`."""
        for worker in [worker for worker in self.app.workers if worker.group in groups]:
            await worker.wait()
        await self.pilot.pause()

    @property
    def strips(self) -> list[Strip]:
        screen = self.app.screen
        return [Strip(line) for line in screen._compositor.render_strips(screen.size)]

    @property
    def lines(self) -> list[str]:
        """Every line of the screen."""
        return [strip.text.rstrip() for strip in self.strips]

    def seen(self, widget: Widget) -> list[str]:
        """The lines of a widget as they are on the screen."""
        at = widget.region
        strips = self.strips[at.y : at.bottom]
        return [strip.crop(at.x, at.right).text.rstrip() for strip in strips]

    @property
    def head(self) -> str:
        return self.lines[0]

    @property
    def foot(self) -> str:
        return self.lines[-1]

    @property
    def panes(self) -> Panes:
        """The run that is read."""
        assert isinstance(self.app.screen, Panes)
        return self.app.screen

    @property
    def tree(self) -> list[str]:
        """The rows of the tree that are on the screen."""
        return [row for row in self.seen(self.panes.rows) if row]

    @property
    def node(self) -> list[str]:
        """The lines of the node beside the tree, or in its place."""
        return self.seen(self.panes.detail)

    @property
    def canvas(self) -> Canvas:
        """The lines that have the focus."""
        assert isinstance(self.app.focused, Canvas)
        return self.app.focused

    @property
    def row(self) -> str:
        """The line under the cursor."""
        return self.seen(self.canvas)[self.canvas.cursor - self.canvas.scroll_offset.y]


@asynccontextmanager
async def reading(
    store: SqliteStore,
    run: str | None = None,
    size: tuple[int, int] = (120, 40),
    keys: Sequence[str] = (),
    theme: str | None = None,
) -> AsyncIterator[Reader]:
    """Someone who has opened a run, or the list of runs, and pressed these keys."""
    app = Browser(store, run, theme=theme)
    async with app.run_test(size=size) as pilot:
        reader = Reader(app, pilot)
        await reader.press(*keys)
        yield reader
