"""Help and the command palette: every key that does something, as it is bound."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import pytest
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Input

from hch.browse.canvas import Canvas
from hch.browse.help import MEANINGS, Help, Page, commands
from hch.browse.leaving import Leaving
from hch.browse.lines import Line, plain, width
from hch.browse.marks import MARKS

WORDS = {
    "status:failed": "nodes that failed",
    "level:2": "nodes of level 2, " + "and more of them " * 9 + "ends",
}


class Tree(Canvas):
    """A widget with keys of its own."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left_square_bracket", "sibling(-1)", "the [red]sibling[/] before"),
        Binding("x", "nothing", ""),
        Binding("e", "mark", "next problem"),
    ]
    marked = 0

    def line(self, y: int, width: int) -> Line:
        return []

    def action_mark(self) -> None:
        self.marked += 1

    def action_sibling(self, by: int) -> None:
        self.marked += 10 * by


class Helps(Leaving):
    """A tree, a line to type in, and help for them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "keys and marks"),
        Binding("q", "quit", "quit"),
    ]

    def compose(self) -> ComposeResult:
        yield Tree()
        yield Input()

    def action_help(self) -> None:
        self.push_screen(Help(self.screen, WORDS))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        yield from commands(self, screen)


def lines(app: App[None], cells: int = 80) -> list[str]:
    page = app.screen.query_one(Page)
    return [plain(page.line(y, cells)) for y in range(page.count)]


async def test_help_has_the_keys_of_what_has_the_focus_first() -> None:
    app = Helps()
    async with app.run_test() as pilot:
        app.query_one(Tree).focus()
        await pilot.press("question_mark")
        said = lines(app)
        here, everywhere = said.index("Keys here"), said.index("Keys everywhere")
        assert here == 0
        own, common = said[here:everywhere], said[everywhere : said.index("Marks")]
        keys = {
            line.split("  ")[-1].strip(): line.strip().split("  ")[0]
            for line in own + common
            if line
        }
        assert keys["the [red]sibling[/] before"] == "["
        assert keys["next problem"] == "e"
        assert keys["down"] == "j, ↓"
        assert keys["half a page down"] == "pgdn, ctrl+d"
        assert keys["keys and marks"] == "?"
        assert own[1].split() == ["[", "the", "[red]sibling[/]", "before"]
        assert any("keys and marks" in line for line in common)
        assert keys["all actions by name"] == "ctrl+p"
        assert not any("focus" in line or "selected" in line for line in own + common)
        assert not any("Scroll" in line or line.strip().startswith("x ") for line in said)


async def test_help_has_every_mark_and_word() -> None:
    app = Helps()
    async with app.run_test() as pilot:
        await pilot.press("question_mark")
        said = lines(app)
        for status, (mark, _) in MARKS.items():
            assert f"  {mark}  {MEANINGS[status]}" in said
        text = " ".join(" ".join(said).split())
        for word, meaning in WORDS.items():
            assert f"{word} {meaning}" in text


@pytest.mark.parametrize("key", ["escape", "q", "question_mark"])
@pytest.mark.parametrize("size", [(60, 20), (200, 60)])
async def test_help_scrolls_to_its_end_and_closes(key: str, size: tuple[int, int]) -> None:
    app = Helps()
    async with app.run_test(size=size) as pilot:
        app.query_one(Tree).focus()
        await pilot.press("question_mark", "G")
        await pilot.pause()
        page = app.screen.query_one(Page)
        assert all(width(page.line(y, page.room)) <= size[0] - 4 for y in range(page.count))
        assert page.cursor == page.count - 1
        assert page.scroll_offset.y + page.scrollable_content_region.height >= page.count
        await pilot.press(key)
        assert not isinstance(app.screen, Help)
        assert app.focused is app.query_one(Tree)


async def test_every_key_is_a_command_of_the_palette() -> None:
    app = Helps()
    async with app.run_test() as pilot:
        tree = app.query_one(Tree)
        tree.focus()
        await pilot.pause()
        named = {command.title: command.help for command in commands(app, app.screen)}
        assert {"theme", "next problem", "keys and marks", "quit", "down"} <= set(named)
        assert len(named) == len(list(commands(app, app.screen)))
        await pilot.press("ctrl+p")
        await pilot.press(*"next problem")
        await app.workers.wait_for_complete()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert tree.marked == 1


async def test_a_key_that_looks_like_markup_is_shown_in_the_palette_as_it_is() -> None:
    app = Helps()
    async with app.run_test() as pilot:
        tree = app.query_one(Tree)
        tree.focus()
        await pilot.press("ctrl+p")
        await pilot.press(*"sibling")
        await app.workers.wait_for_complete()
        await pilot.pause()
        await pilot.press("enter")
        await pilot.pause()
        await pilot.pause()
        assert tree.marked == -10
