"""The run list: its columns, sorts, filter and marks, and what is chosen."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime

import pytest
from textual.app import App, ComposeResult

from hch.browse.lines import plain, width
from hch.browse.runs import CURRENT, IMPORTED, RUNNING, RunPane, Runs
from hch.keeping import RunRow
from hch.safe_text import safe_text
from tests.payloads import PAYLOADS, raw_controls

NOW = time.time()
FIRST = RunRow(
    "260102-030405-aaaaaa",
    NOW,
    "Which rivers cross France?",
    ("direct@openai:small", "factored@openai:large,effort=low"),
    1,
    "answered",
    7,
    9,
    1400,
    4000,
    2.1,
)
SECOND = replace(
    FIRST,
    run="260102-030406-bbbbbb",
    started=NOW - 60,
    question="And Germany?",
    players=("script",) * 3,
    status="running",
    nodes=121,
    tokens=0,
    microusd=0,
    seconds=12.5,
)
THIRD = replace(
    SECOND,
    run="250101-000000-cccccc",
    started=NOW - 400 * 86400,
    question="An evaluation?",
    roots=1000,
    status="failed",
    microusd=3_000_000,
    imported=True,
)
ROWS = [FIRST, SECOND, THIRD]


class Lists(App[None]):
    """A run list alone, and what it sent."""

    def __init__(self, rows: list[RunRow], current: str | None = None) -> None:
        super().__init__()
        self.rows, self.current = rows, current
        self.pane = RunPane("traces/hch.db")
        self.chosen: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.pane

    def on_mount(self) -> None:
        self.pane.runs.fill(self.rows, self.current)
        self.pane.runs.focus()

    def on_runs_chosen(self, event: Runs.Chosen) -> None:
        assert event.control is self.pane.runs
        self.chosen.append(event.run)

    @property
    def screen_lines(self) -> list[str]:
        """What the screen shows."""
        size = self.screen.size
        return [
            "".join(s.text for s in line) for line in self.screen._compositor.render_strips(size)
        ]


def shown(runs: Runs, cells: int = 200) -> list[str]:
    return [plain(runs.line(y, cells)) for y in range(runs.count)]


async def test_a_wide_screen_has_every_column_in_its_order() -> None:
    app = Lists(ROWS)
    async with app.run_test(size=(200, 24)):
        runs = app.pane.runs
        titles = plain(runs.heading(200)).split()
        assert titles[:3] == ["when", "status", "question"]
        assert titles[-7:] == ["model", "strategy", "depth", "nodes", "tokens", "cost", "time"]
        first, second, third = shown(runs)
        assert datetime.fromtimestamp(NOW).astimezone().strftime("%H:%M") in first
        for said in ("✓", "answered", "small, openai:large", "direct, factored", " 1 "):
            assert said in first
        for said in ("7", "1.4k", "$0.004", "2.1 s"):
            assert said in first.split(FIRST.question)[1]
        assert RUNNING in second
        assert "running" in second
        assert IMPORTED in third
        assert "An evaluation? and 999 more" in third
        assert datetime.fromtimestamp(THIRD.started).astimezone().strftime("%Y-%m-%d") in third


@pytest.mark.parametrize("cells", [20, 40, 60, 80, 100, 120, 200])
async def test_columns_go_where_it_is_narrow_and_no_line_is_too_long(cells: int) -> None:
    app = Lists(ROWS)
    async with app.run_test(size=(cells, 24)) as pilot:
        await pilot.pause()
        runs = app.pane.runs
        lines = [runs.heading(cells), *(runs.line(y, cells) for y in range(3))]
        assert all(width(line) <= cells for line in lines)
        if cells >= 60:
            assert plain(lines[1]).split()[1] == "✓"
            assert FIRST.question in plain(lines[1])
            assert "$3.000" in plain(lines[3]) or "$3.00" in plain(lines[3])
        assert ("strategy" in plain(lines[0])) == (cells >= 80)
        assert ("model" in plain(lines[0])) == (cells >= 80)
        assert ("tokens" in plain(lines[0])) == (cells >= 120)


async def test_two_runs_of_a_question_are_told_apart() -> None:
    app = Lists([FIRST, replace(FIRST, run="b", players=("vote,k=3/script",), imported=True)], "b")
    async with app.run_test(size=(80, 24)) as pilot:
        runs = app.pane.runs
        one, two = shown(runs, 80)
        assert "direct" in one
        assert "vote,k=3" in two
        assert two.split()[1] == "✓›⇣"
        assert runs.about == "b vote,k=3/script"
        await pilot.press("k")
        assert runs.about == f"{FIRST.run} 0={FIRST.players[0]} 1={FIRST.players[1]}"


async def test_s_sorts_by_each_figure_and_the_heading_says_so() -> None:
    app = Lists(ROWS, FIRST.run)
    async with app.run_test(size=(100, 24)) as pilot:
        runs = app.pane.runs
        orders = {}
        for _ in range(7):
            orders[runs.sort] = "".join(str("FAS".index(_start(line))) for line in shown(runs))
            assert runs.chosen == FIRST.run
            await pilot.press("s")
        assert orders == {
            "newest": "012",
            "cost": "201",
            "tokens": "012",
            "time": "120",
            "nodes": "120",
            "question": "210",
        }
        assert runs.sort == "cost"
        assert "by cost" in plain(runs.heading(60))
        await pilot.pause()
        assert "by cost" in app.screen_lines[0]


def _start(line: str) -> str:
    return "F" if FIRST.question in line else "A" if SECOND.question in line else "S"


async def test_a_filter_keeps_what_has_every_word() -> None:
    app = Lists(ROWS, SECOND.run)
    async with app.run_test():
        runs = app.pane.runs
        wanted = {
            "france": ["F"],
            "RIVERS answered": ["F"],
            "script": ["A", "S"],
            "running german": ["A"],
            "cccccc": ["S"],
            "effort=low": ["F"],
            "imported": ["S"],
            "rivers failed": [],
            "": ["F", "A", "S"],
        }
        for text, starts in wanted.items():
            runs.filter(text)
            assert [_start(line) for line in shown(runs)] == starts or not runs.chosen
            assert bool(runs.chosen) == bool(starts)
        runs.filter("script")
        assert "2 of 3 runs" in plain(runs.heading(80))
        runs.filter("no such thing")
        assert shown(runs) == ["no run has all of: no such thing"]


async def test_enter_and_a_click_on_the_cursor_choose() -> None:
    app = Lists(ROWS, SECOND.run)
    async with app.run_test() as pilot:
        assert app.pane.runs.chosen == SECOND.run
        await pilot.press("enter")
        await pilot.click(Runs, offset=(20, 0))
        assert app.chosen == [SECOND.run]
        await pilot.click(Runs, offset=(20, 0))
        assert app.chosen == [SECOND.run, FIRST.run]
        await pilot.press("j", "j", "enter")
        assert app.chosen[2:] == [THIRD.run]


async def test_the_cursor_stays_on_its_run_when_rows_come_and_go() -> None:
    app = Lists(ROWS, SECOND.run)
    async with app.run_test():
        runs = app.pane.runs
        assert [CURRENT in line for line in shown(runs)] == [False, True, False]
        runs.go(2)
        runs.fill([replace(FIRST, run="new", started=NOW + 1), *ROWS], SECOND.run)
        assert runs.chosen == THIRD.run
        runs.fill([FIRST], FIRST.run)
        assert runs.chosen == FIRST.run


async def test_an_empty_store_says_what_to_do() -> None:
    app = Lists([])
    async with app.run_test() as pilot:
        assert shown(app.pane.runs, 80) == [
            "no runs in traces/hch.db yet: make one with hch ask",
        ]
        await pilot.press("enter", "s", "j", "G")
        assert app.chosen == []


async def test_hostile_texts_are_made_safe() -> None:
    rows = [
        replace(
            FIRST, run=f"run {n}", question=p.text, players=(f"{p.text}@{p.text}",), status=p.text
        )
        for n, p in enumerate(PAYLOADS)
    ]
    app = Lists(rows)
    async with app.run_test(size=(200, 60)):
        for line in shown(app.pane.runs):
            assert raw_controls(line.encode("utf-8", "surrogatepass")) == []
            assert safe_text(line) == line
        app.pane.runs.filter(PAYLOADS[0].text + "no such")
        [line] = shown(app.pane.runs)
        assert safe_text(line) == line


async def test_thousands_of_rows_are_drawn_only_where_they_are_seen() -> None:
    rows = [replace(FIRST, run=f"run {n}", started=NOW - n, question="x" * n) for n in range(5000)]
    app = Lists(rows)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        assert app.pane.runs.chosen == "run 4999"
        await pilot.press("s", "ctrl+u", "s")
        app.pane.runs.filter("4998")
        assert app.pane.runs.chosen == "run 4998"
