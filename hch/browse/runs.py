"""The run list: a row for each run of a store, sorted and filtered, with the columns that fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from hch.browse.canvas import Canvas
from hch.browse.entries import Entry, entry_of, played
from hch.browse.lines import Line, Piece, cut, plain
from hch.browse.marks import MARKS, STYLES, fit
from hch.keeping import RunRow
from hch.safe_text import one_line
from hch.words import count

RUNNING, IMPORTED, CURRENT = "▶", "⇣", "›"
"""What marks a run that is going on, one that comes from elsewhere, and the one that is open."""

QUESTION = 32
"""The cells that a question should have."""

FIGURES = ("nodes", "tokens", "cost", "time")
ORDER = ("when", "mark", "status", "question", "model", "strategy", "depth", *FIGURES)
"""The columns; figures end at their right, all others but the depth begin at their left."""

DROPPED = ("depth", "time", "nodes", "tokens", "status", "model", "strategy")
"""The columns in the order they go; the rest stays. Who played gets narrow before it goes."""

NARROW = 10
"""The cells that who played has at least."""

SORTS: dict[str, Callable[[RunRow], Any]] = {
    "newest": lambda row: -row.started,
    "cost": lambda row: -row.microusd,
    "tokens": lambda row: -row.tokens,
    "time": lambda row: -row.seconds,
    "nodes": lambda row: -row.nodes,
    "question": lambda row: row.question[:200].casefold(),
}
"""By name: what a sort goes by."""


class Runs(Canvas):
    """The runs of a store. Sends `Chosen` for the one to open, `Listed` as its heading changes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "open the run"),
        Binding("s", "sort", "sort: newest, cost, tokens, time, nodes, question"),
    ]

    class Chosen(Message):
        """A run is to be opened."""

        def __init__(self, runs: Runs, run: str) -> None:
            super().__init__()
            self.runs, self.run = runs, run

        @property
        def control(self) -> Runs:
            return self.runs

    class Listed(Message):
        """Other rows are listed, or in another order."""

        def __init__(self, runs: Runs) -> None:
            super().__init__()
            self.runs = runs

        @property
        def control(self) -> Runs:
            return self.runs

    def __init__(self, place: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.place = place
        self.sort, self.wanted = "newest", ""
        self._entries: list[Entry] = []
        self._listed: list[Entry] = []
        self._current: str | None = None
        self._sizes: dict[str, int] = {}
        self._columns: dict[str, int] = {}
        self._columns_at = -1

    def fill(self, rows: Sequence[RunRow], current: str | None = None) -> None:
        """List these runs; `current` is the one that is open, and where the cursor begins."""
        known = {entry.row: entry for entry in self._entries}
        here = self.chosen if self._entries else current
        self._entries = [known.get(row) or entry_of(row) for row in rows]
        self._current = current
        self._list(here)

    def filter(self, text: str) -> None:
        """List only the runs in which each of these words occurs; all, where there are none."""
        self.wanted = text
        self._list(self.chosen)

    @property
    def chosen(self) -> str | None:
        """The run under the cursor."""
        return self._listed[self.cursor].row.run if self._listed else None

    @property
    def about(self) -> str:
        """The id of the run under the cursor, and who played, as `--at` takes it; safe."""
        if not self._listed:
            return ""
        row = self._listed[self.cursor].row
        return one_line(f"{row.run} {' '.join(played(row.players))}", 1000)

    def heading(self, cells: int) -> Line:
        """The line above the rows: what the columns are, how many runs, by what they are sorted."""
        columns, line = self._fitting(cells), list[Piece]()
        listed, all_ = len(self._listed), len(self._entries)
        said = count(all_, "run") if listed == all_ else f"{listed} of {count(all_, 'run')}"
        said = (
            f"question ({said}, by {self.sort})" if self.sort != "newest" else f"question ({said})"
        )
        for title, size in columns.items():
            text = {"mark": "", "question": said}.get(title, title)
            line += [(_aligned(text, size, title), "bold"), ("  ", "")]
        return cut(line, cells)

    @property
    def count(self) -> int:
        return len(self._listed) or 1

    def line(self, y: int, width: int) -> Line:
        if not self._listed:
            return cut([(one_line(self._nothing()), "dim")], width)
        entry, line = self._listed[y], list[Piece]()
        for title, size in self._fitting(width).items():
            if title == "mark":
                line += [*self._marks(entry), (" ", "")]
            elif title == "question":
                line += [*_question(entry, size), ("  ", "")]
            else:
                line += [
                    (_aligned(entry.cells[title], size, title), _look(title, entry)),
                    ("  ", ""),
                ]
        return cut(line, width)

    def action_choose(self) -> None:
        if (run := self.chosen) is not None:
            self.post_message(self.Chosen(self, run))

    def action_sort(self) -> None:
        names = list(SORTS)
        self.sort = names[(names.index(self.sort) + 1) % len(names)]
        self._list(self.chosen)

    def on_canvas_opened(self, event: Canvas.Opened) -> None:
        event.stop()
        self.action_choose()

    def _nothing(self) -> str:
        if self._entries:
            return f"no run has all of: {self.wanted}"
        return f"no runs in {self.place or 'this store'} yet: make one with hch ask"

    def _list(self, here: str | None) -> None:
        words = self.wanted.casefold().split()
        listed = [e for e in self._entries if all(word in e.searched for word in words)]
        listed.sort(key=lambda entry: SORTS[self.sort](entry.row))
        self._listed = listed
        self._sizes = {
            title: max(len(title), *(cell_len(entry.cells[title]) for entry in listed))
            for title in ORDER
            if title not in {"mark", "question"} and any(entry.cells[title] for entry in listed)
        }
        self._columns_at = -1
        at = next((i for i, entry in enumerate(listed) if entry.row.run == here), 0)
        self.changed()
        self.go(at)
        self.post_message(self.Listed(self))

    def _fitting(self, cells: int) -> dict[str, int]:
        """The columns that fit so many cells, in their order, with their sizes."""
        if self._columns_at == cells:
            return self._columns
        sizes = dict(self._sizes)
        for title in DROPPED:
            over = sum(size + 2 for size in sizes.values()) + 4 + QUESTION - cells
            for name in ("model", "strategy") if title in {"model", "strategy"} else ():
                if over > 0 and name in sizes:
                    narrow = max(min(NARROW, sizes[name]), sizes[name] - over)
                    over -= sizes[name] - narrow
                    sizes[name] = narrow
            if over > 0:
                sizes.pop(title, None)
        rest = cells - 4 - sum(size + 2 for size in sizes.values())
        sizes |= {"mark": 2, "question": max(8, rest - 2)}
        self._columns = {title: sizes[title] for title in ORDER if title in sizes}
        self._columns_at = cells
        return self._columns

    def _marks(self, entry: Entry) -> Line:
        current = CURRENT if entry.row.run == self._current else " "
        return [_mark(entry.row.status), (current, "info"), (_brought(entry.row), "info")]


class RunPane(Vertical):
    """The run list under its heading, which stays where it is."""

    DEFAULT_CSS = """
    RunPane > Heading { height: 1; }
    RunPane > Runs { height: 1fr; }
    """

    def __init__(self, place: str = "", **options: Any) -> None:
        super().__init__(**options)
        self.runs = Runs(place)

    def compose(self) -> ComposeResult:
        yield Heading(self.runs)
        yield self.runs

    def on_runs_listed(self) -> None:
        self.query_one(Heading).refresh()


class Heading(Widget):
    """The titles of the columns of a run list."""

    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self._runs = runs

    def render_line(self, y: int) -> Strip:

        base = self.rich_style
        line = self._runs.heading(self._runs.room or self.size.width)
        strip = Strip([Segment(plain(line), base + Style(bold=True))])
        return strip.adjust_cell_length(self.size.width, base)


def _brought(row: RunRow) -> str:
    return IMPORTED if row.imported else " "


def _mark(status: str) -> Piece:
    if status == "running":
        return RUNNING, "live"
    mark, colour = MARKS.get(status, MARKS["open"])
    return mark, STYLES[colour]


def _look(title: str, entry: Entry) -> str:
    return _mark(entry.row.status)[1] if title == "status" else "dim" if title == "when" else ""


def _question(entry: Entry, size: int) -> Line:
    """The question, and how many more were asked together with it."""
    more = f" and {entry.row.roots - 1} more" if entry.row.roots > 1 else ""
    text = fit(entry.cells["question"], size - len(more)) if len(more) < size else ""
    rest = max(0, size - cell_len(text) - len(more))
    return [(text, ""), (fit(more, size), "dim"), (" " * rest, "")]


def _aligned(text: str, size: int, title: str) -> str:
    text = fit(text, size)
    space = " " * (size - cell_len(text))
    return space + text if title in (*FIGURES, "depth") else text + space
