"""The line to type in: what is entered, remembered and made safe."""

from __future__ import annotations

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.widgets import Static

from hch.browse.prompting import Bar, Typing, tame
from tests.payloads import PAYLOADS, raw_controls


class Asks(App[None]):
    """A line to type in alone, and what it sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str | None]] = []

    def compose(self) -> ComposeResult:
        yield Bar()

    @property
    def bar(self) -> Bar:
        return self.query_one(Bar)

    @property
    def typed(self) -> str:
        return self.query_one(Typing).value

    def on_bar_done(self, event: Bar.Done) -> None:
        self.sent.append((event.kind, event.text))

    def on_bar_left(self, event: Bar.Left) -> None:
        self.sent.append((event.kind, None))


async def test_a_line_is_entered_and_the_bar_stays_until_it_is_shut() -> None:
    app = Asks()
    async with app.run_test() as pilot:
        assert not app.bar.asking
        app.bar.ask("search", "/")
        await pilot.press(*"rivers", "enter")
        assert app.sent == [("search", "rivers")]
        app.bar.fail("nothing [b]found")
        await pilot.pause()
        assert str(app.query_one("#wrong", Static).content) == "nothing [b]found"
        await pilot.press("x")
        assert str(app.query_one("#wrong", Static).content) == ""
        app.bar.shut()
        assert not app.bar.asking
        await pilot.press("y")
        assert app.typed == "riversx"


async def test_escape_leaves() -> None:
    app = Asks()
    async with app.run_test() as pilot:
        app.bar.ask("filter", "filter [red]:", "level:1")
        assert app.typed == "level:1"
        await pilot.press("escape")
        assert app.sent == [("filter", None)]
        assert not app.bar.asking


async def test_what_is_typed_replaces_what_was_typed_before() -> None:
    app = Asks()
    async with app.run_test() as pilot:
        app.bar.ask("search", "/", "rivers")
        await pilot.press("enter")
        app.bar.ask("search", "/", "rivers")
        await pilot.press("right", "s", "enter")
        app.bar.ask("search", "/", "rivers")
        await pilot.press(*"sea", "enter")
        assert [text for _, text in app.sent] == ["rivers", "riverss", "sea"]


async def test_up_and_down_walk_what_was_entered_of_the_kind() -> None:
    app = Asks()
    async with app.run_test() as pilot:
        for kind, text in (
            ("search", "one"),
            ("search", "two"),
            ("search", "two"),
            ("filter", "x"),
        ):
            app.bar.ask(kind, "/")
            await pilot.press(*text, "enter")
        app.bar.ask("search", "/")
        await pilot.press(*"new")
        seen = []
        for key in ("up", "up", "up", "down", "down", "down"):
            await pilot.press(key)
            seen.append(app.typed)
        assert seen == ["two", "one", "one", "two", "new", "new"]


@pytest.mark.parametrize("replaced", [False, True])
async def test_what_is_pasted_is_text_and_no_more(replaced: bool) -> None:
    app = Asks()
    async with app.run_test() as pilot:
        for payload in {payload.kind: payload for payload in PAYLOADS}.values():
            app.bar.ask("search", payload.text, payload.text if replaced else "")
            field = app.query_one(Typing)
            if replaced:
                field.select_all()
            field.post_message(events.Paste(payload.text + "\n\x1b[2J"))
            await pilot.pause()
            said = app.typed + str(app.query_one("#label", Static).content)
            assert raw_controls(said.encode("utf-8", "surrogatepass")) == []
            assert "\n" not in said
        app.bar.ask("search", "/")
        app.query_one(Typing).post_message(events.Paste("[red]a\x1b[31mb\tc"))
        await pilot.press("enter")
        assert app.sent[-1] == ("search", "[red]a\\x1b[31mb c")


def test_every_hostile_text_is_tamed() -> None:
    for payload in PAYLOADS:
        assert raw_controls(tame(payload.text).encode()) == []
        assert "\n" not in tame(payload.text)
