"""Every key of the browser does what the docs say, which say what is bound: nothing else, nor less.

A test is of one action of one class, and runs with each of its keys:

    @pressing(Tree, "open")
    async def test_it_opens(key: str) -> None:
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path
from pkgutil import iter_modules

import pytest
from textual.app import App
from textual.binding import Binding
from textual.command import CommandPalette
from textual.dom import DOMNode

import hch.browse
from hch.browse.app import Browser
from hch.browse.calling import CallScreen
from hch.browse.canvas import Canvas
from hch.browse.detail import TABS
from hch.browse.help import KEYS, Help
from hch.browse.leafing import Leaf
from hch.browse.leaving import Leaving
from hch.browse.listing import Listing
from hch.browse.pages import Pages
from hch.browse.panes import Panes
from hch.browse.prompting import Bar, Typing
from hch.browse.reading import Reading
from hch.browse.runs import Runs
from hch.browse.seeking import Seeking
from hch.browse.tree import Tree
from hch.events import CallFinished, CallIntended
from hch.stores.sqlite import SqliteStore
from tests.browse.runs_to_see import EXAMPLES, example, reading
from tests.commands.seat import Seat

DOCS = Path(__file__).parents[2] / "docs" / "browse.md"

WHERE: dict[type[DOMNode], str] = {
    Canvas: "every list and text", Tree: "tree", Panes: "tree and node", Seeking: "tree and node",
    Reading: "tree and node", Pages: "node and call", CallScreen: "call", Listing: "runs",
    Runs: "runs", Bar: "line to type in", Help: "help", Browser: "everywhere",
    Leaving: "everywhere",
}  # fmt: skip
"""What the docs call the place where the keys of a class are, in their order."""

PROMISED = (
    "j k h l up down left right g G ctrl+d ctrl+u enter escape q left_square_bracket "
    "right_square_bracket u space asterisk minus tab 1 2 3 4 5 y Y o r slash n N f s E dollar_sign "
    "t L question_mark ctrl+p"
)
"""The keys that the browser was to have."""

TESTED: list[tuple[type[DOMNode], str]] = []


def bound(owner: type[DOMNode]) -> list[Binding]:
    """The keys that a class itself binds, one by one."""
    return list(Binding.make_bindings(vars(owner).get("BINDINGS", ())))


def pressing(owner: type[DOMNode], action: str) -> pytest.MarkDecorator:
    """Run a test with each of the keys that a class binds to an action."""
    TESTED.append((owner, action))
    return pytest.mark.parametrize("key", [b.key for b in bound(owner) if b.action == action])


def binding_classes() -> set[type[DOMNode]]:
    """The classes of the browser that bind any key.

    The screen of `hch dataset look` is none: see tests/commands/test_dataset_look.py.
    """
    modules = [
        import_module(f"hch.browse.{found.name}") for found in iter_modules(hch.browse.__path__)
    ]
    return {
        kind
        for module in modules
        for _, kind in getmembers(module, isclass)
        if kind.__module__ == module.__name__ and issubclass(kind, DOMNode) and bound(kind)
    } - {Leaf}


def table() -> list[str]:
    """The rows that the docs should have."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for owner, where in WHERE.items():
        for binding in bound(owner):
            row = (where, owner.__name__ + binding.action, binding.description)
            rows.setdefault(row, []).append(f"`{KEYS.get(binding.key, binding.key)}`")
    return [f"| {where} | {' '.join(keys)} | {what} |" for (where, _, what), keys in rows.items()]


def test_every_key_is_in_the_docs_and_has_a_test() -> None:
    assert binding_classes() == set(WHERE)
    actions = {(owner, binding.action) for owner in WHERE for binding in bound(owner)}
    assert sorted(TESTED, key=str) == sorted(actions, key=str)
    found = re.search(
        "<!-- keys: begin.*?-->\n(.*?)<!-- keys: end", DOCS.read_text("utf-8"), re.DOTALL
    )
    assert found
    assert found[1].splitlines()[2:] == table()


def test_every_key_that_was_promised_is_bound() -> None:
    keys = {binding.key for owner in WHERE for binding in bound(owner)}
    assert set(PROMISED.split()) <= keys | {App.COMMAND_PALETTE_BINDING}


@pytest.fixture
def store(home: Path) -> Iterator[SqliteStore]:
    """All examples, the first of them the newest."""
    with SqliteStore(home / "runs.db") as store:
        for n, name in enumerate(EXAMPLES):
            example(store, name, -1000.0 * n)
        yield store


@pytest.fixture
def runs(store: SqliteStore) -> dict[str, str]:
    """The runs of the examples by their names."""
    return dict(zip(EXAMPLES, (row.run for row in store.runs()), strict=True))


@pytest.fixture
def sums(runs: dict[str, str]) -> str:
    """A run of 7 nodes, each but the last ones with two below it."""
    return runs["script-arithmetic"]


@pytest.fixture
def rivers(runs: dict[str, str]) -> str:
    """A run of 42 nodes."""
    return runs["rivers"]


@pressing(Canvas, "move(1)")
async def test_down(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums) as reader:
        await reader.press(key, key)
        assert reader.canvas.cursor == 2
        await reader.press(*[key] * 9)
        assert reader.canvas.cursor == 6


@pressing(Canvas, "move(-1)")
async def test_up(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys="jj") as reader:
        await reader.press(key)
        assert reader.canvas.cursor == 1
        await reader.press(key, key)
        assert reader.canvas.cursor == 0


@pressing(Canvas, "top")
async def test_top(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, (120, 20), keys=("asterisk", "G")) as reader:
        await reader.press(key)
        assert reader.canvas.cursor == 0
        assert "✓ HCH_3" in reader.tree[0]


@pressing(Canvas, "bottom")
async def test_end(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, (120, 20), keys=("asterisk",)) as reader:
        await reader.press(key)
        assert reader.canvas.cursor == reader.canvas.count - 1
        assert "HCH_2  Name every bro" in reader.row
        assert reader.row == reader.tree[-1]


@pressing(Canvas, "half(1)")
async def test_half_a_page_down(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, (120, 20), keys=("asterisk",)) as reader:
        half = reader.canvas.size.height // 2
        await reader.press(key, key)
        assert reader.canvas.cursor == 2 * half


@pressing(Canvas, "half(-1)")
async def test_half_a_page_up(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, (120, 20), keys=("asterisk", "G")) as reader:
        end, half = reader.canvas.count - 1, reader.canvas.size.height // 2
        await reader.press(key)
        assert reader.canvas.cursor == end - half


@pressing(Tree, "open")
async def test_it_opens_a_row_then_goes_into_it(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("minus",)) as reader:
        assert len(reader.tree) == 1
        await reader.press(key)
        assert (len(reader.tree), reader.canvas.cursor) == (3, 0)
        await reader.press(key)
        assert (len(reader.tree), reader.canvas.cursor) == (3, 1)


@pressing(Tree, "close")
async def test_it_goes_to_the_parent_then_closes_that(
    key: str, store: SqliteStore, sums: str
) -> None:
    async with reading(store, sums, keys="jj") as reader:
        await reader.press(key)
        assert (len(reader.tree), reader.canvas.cursor) == (7, 1)
        await reader.press(key)
        assert (len(reader.tree), reader.canvas.cursor) == (5, 1)
        assert reader.row.startswith("  ▸ ✓ HCH_2")


@pressing(Tree, "look")
@pytest.mark.parametrize("size", [(60, 20), (120, 20)])
async def test_it_goes_to_the_node(
    key: str, size: tuple[int, int], store: SqliteStore, sums: str
) -> None:
    async with reading(store, sums, size, keys="jj") as reader:
        await reader.press(key)
        assert reader.panes.looking
        assert "0.1.1  HCH_1" in reader.node[1]
        assert "What is 2 + 3?" in "\n".join(reader.node)


@pressing(Tree, "turn")
async def test_it_closes_and_opens(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys="j") as reader:
        await reader.press(key)
        assert len(reader.tree) == 5
        await reader.press(key)
        assert len(reader.tree) == 7


@pressing(Tree, "open_all")
async def test_it_opens_all_below(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("minus", key)) as reader:
        assert len(reader.tree) == 7
        assert reader.canvas.cursor == 0


@pressing(Tree, "close_all")
async def test_it_closes_all(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("G", key)) as reader:
        assert len(reader.tree) == 1
        await reader.press("l")
        assert [row[:3] for row in reader.tree] == ["▾ ✓", "  ▸", "  ▸"]


@pressing(Tree, "sibling(1)")
async def test_the_next_sibling(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("j", key)) as reader:
        assert "What is 6 * 7 + (8 - 5)?" in reader.row
        await reader.press(key)
        assert reader.canvas.cursor == 4


@pressing(Tree, "sibling(-1)")
async def test_the_sibling_before(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("G", "u", key)) as reader:
        assert "What is (2 + 3) * (4 - 1)?" in reader.row
        await reader.press(key)
        assert reader.canvas.cursor == 1


@pressing(Tree, "parent")
async def test_the_parent(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("G", key)) as reader:
        assert "What is 6 * 7 + (8 - 5)?" in reader.row
        await reader.press(key, key)
        assert reader.canvas.cursor == 0


@pressing(Tree, "problem")
async def test_from_problem_to_problem(
    key: str, store: SqliteStore, rivers: str, sums: str
) -> None:
    marked = ("✓ HCH_2  Which rivers", "? HCH_1 put", "! HCH_1 try", "✓ HCH_2  Name every")
    async with reading(store, rivers) as reader:
        for n, row in enumerate(marked, 1):
            await reader.press(key)
            assert reader.foot.startswith(f" problem {n} of 4")
            assert row in reader.row
        await reader.press(key)
        assert reader.foot.startswith(" problem 1 of 4")
    async with reading(store, sums, keys=key) as reader:
        assert reader.foot.startswith(" no problem")


@pressing(Tree, "sort")
async def test_siblings_by_cost_then_by_time(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("minus", "l", "j", "l")) as reader:
        as_asked = reader.tree
        await reader.press(key)
        assert reader.head.endswith("by cost")
        assert [row[-7:] for row in reader.tree[2:5]] == [" $0.003", " $0.003", " $0.002"]
        await reader.press(key)
        assert reader.head.endswith("by time")
        await reader.press(key)
        assert "  by " not in reader.head
        assert reader.tree == as_asked


@pressing(Tree, "figures")
async def test_own_figures_then_those_of_the_subtree(
    key: str, store: SqliteStore, rivers: str
) -> None:
    async with reading(store, rivers, (200, 60)) as reader:
        assert " 14k tok" in reader.row
        await reader.press(key)
        assert reader.head.endswith("own figures  by cost")
        assert " 14k tok" not in reader.row
        await reader.press(key)
        assert reader.head.endswith("  by cost")
        assert " 14k tok" in reader.row


@pressing(Tree, "timeline")
async def test_the_timeline(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("minus",)) as reader:
        before = reader.tree
        await reader.press(key)
        assert "0 to 20.8 s" in reader.head
        assert reader.row.endswith("━" * 20)
        await reader.press(key)
        assert reader.tree == before


@pressing(Panes, "back")
async def test_back_step_by_step(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("f",)) as reader:
        await reader.write("level=3")
        await reader.press("2", "enter")
        assert reader.panes.looking
        await reader.press(key)
        assert not reader.panes.looking
        assert "only level=3" in reader.head
        await reader.press(key)
        assert "only" not in reader.head
        await reader.press(key)
        assert isinstance(reader.app.screen, Listing)
        assert reader.app.screen.runs.chosen == rivers


@pressing(Panes, "pane")
@pytest.mark.parametrize("size", [(60, 20), (120, 20)])
async def test_the_other_pane(
    key: str, size: tuple[int, int], store: SqliteStore, sums: str
) -> None:
    async with reading(store, sums, size) as reader:
        await reader.press(key)
        assert isinstance(reader.canvas, Pages)
        await reader.press(key)
        assert isinstance(reader.canvas, Tree)


@pressing(Panes, "tab(1)")
async def test_tab_question(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("4", key)) as reader:
        assert "[1 Question]" in reader.node[0]
        assert "✓ 0  HCH_3   answered, not clean" in reader.node[1]


@pressing(Panes, "tab(2)")
async def test_tab_sub_questions(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        assert "[2 Sub-questions]" in reader.node[0]
        assert "Round 1: 3 questions" in reader.node[1]


@pressing(Panes, "tab(3)")
async def test_tab_calls(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        assert "[3 Calls]" in reader.node[0]
        assert "Call 1" in reader.node[1]


@pressing(Panes, "tab(4)")
async def test_tab_events(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        assert "[4 Events]" in reader.node[0]
        assert "NodeOpened" in reader.node[1]


@pressing(Panes, "tab(5)")
async def test_tab_lineage(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        assert "[5 Lineage]" in reader.node[0]
        assert "From the root to here" in reader.node[1]
        assert len(TABS) == 5


@pressing(Panes, "raw")
async def test_raw_or_rendered(key: str, store: SqliteStore, runs: dict[str, str]) -> None:
    async with reading(store, runs["consult-failed"], keys=("3",)) as reader:
        rendered = reader.node
        await reader.press(key)
        assert not any("↵" in line for line in rendered)
        assert any(line.endswith("Make one move:↵") for line in reader.node)
        await reader.press(key)
        assert reader.node == rendered


@pressing(Pages, "open")
async def test_it_follows_what_a_line_leads_to(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("2", "enter", "j", "j")) as reader:
        assert "0.2 " in reader.row
        await reader.press(key)
        await reader.press("escape")
        assert "✓ HCH_2  Where does the" in reader.row
        await reader.press("3", "enter", key)
        assert isinstance(reader.app.screen, CallScreen)
        assert "  call 1 of 2" in reader.head


@pressing(Pages, "unfold")
async def test_it_unfolds_and_folds(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("4", "enter")) as reader:
        before = reader.node
        await reader.press(key)
        assert "▾" in reader.row
        assert '"key"' in "".join(reader.node)
        await reader.press(key)
        assert reader.node == before


@pressing(CallScreen, "back")
async def test_back_from_a_call(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("3", "enter", "enter")) as reader:
        assert isinstance(reader.app.screen, CallScreen)
        await reader.press(key)
        assert reader.panes.looking
        assert "[3 Calls]" in reader.node[0]


@pytest.fixture
def consulted(runs: dict[str, str]) -> str:
    """A run whose root made several calls."""
    return runs["consult-failed"]


@pressing(CallScreen, "other(1)")
async def test_the_next_call(key: str, store: SqliteStore, consulted: str) -> None:
    async with reading(store, consulted, keys=("3", "tab", "enter")) as reader:
        await reader.press(key)
        assert "  call 2 of " in reader.head
        await reader.press(*[key] * 9)
        assert reader.foot.startswith(" this is its last call")


@pressing(CallScreen, "other(-1)")
async def test_the_call_before(key: str, store: SqliteStore, consulted: str) -> None:
    async with reading(store, consulted, keys=("3", "tab", "enter")) as reader:
        await reader.press("right_square_bracket", key)
        assert "  call 1 of " in reader.head
        await reader.press(key)
        assert reader.foot.startswith(" this is its first call")


@pressing(CallScreen, "raw")
async def test_a_call_raw_or_rendered(key: str, store: SqliteStore, consulted: str) -> None:
    async with reading(store, consulted, (120, 60), keys=("3", "tab", "enter")) as reader:
        rendered = reader.lines
        await reader.press(key)
        assert reader.head.endswith("raw")
        assert any("↵" in line for line in reader.lines)
        await reader.press(key)
        assert reader.lines == rendered


@pressing(CallScreen, "copy")
async def test_copy_the_prompt(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("3", "tab", "enter")) as reader:
        await reader.press(key)
        assert reader.foot.startswith(" sent ")
        intent = next(store.events(rivers, "CallIntended")).event
        assert isinstance(intent, CallIntended)
        sent = (f"{message.role}:\n{message.content}" for message in intent.sent())
        assert reader.app.clipboard == "\n\n".join(sent)


@pressing(CallScreen, "copy_reply")
async def test_copy_the_reply(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("3", "tab", "enter")) as reader:
        await reader.press(key)
        done = next(store.events(rivers, "CallFinished")).event
        assert isinstance(done, CallFinished)
        assert reader.app.clipboard == done.text


@pressing(Seeking, "search")
async def test_search(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers) as reader:
        await reader.done("index")
        await reader.press(key)
        assert any(line.startswith("search") for line in reader.lines)
        await reader.write("wissembourg")
        assert "»" in reader.row
        assert re.match(r" 1 of \d+ for wissembourg: in its ", reader.foot)


@pressing(Seeking, "hit(1)")
async def test_the_next_hit(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers) as reader:
        await reader.done("index")
        await reader.press("slash")
        await reader.write("wissembourg")
        first = reader.canvas.cursor
        await reader.press(key)
        assert reader.foot.startswith(" 2 of ")
        assert reader.canvas.cursor > first
        assert "»" in reader.row


@pressing(Seeking, "hit(-1)")
async def test_the_hit_before(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers) as reader:
        await reader.done("index")
        await reader.press("slash")
        await reader.write("wissembourg")
        await reader.press("n", key)
        assert reader.foot.startswith(" 1 of ")
        await reader.press(key)
        assert re.match(r" (\d+) of \1 ", reader.foot)


@pressing(Seeking, "filter")
async def test_filter(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        await reader.write("unanswered")
        assert "only unanswered" in reader.head
        assert [row.split(" HCH")[0][-1] for row in reader.tree] == list("✓✓✓?")
        await reader.press(key, "home", "ctrl+k")
        await reader.write("no-such-thing")
        assert any("no filter is called no-such-thing" in line for line in reader.lines)
        assert "only unanswered" in reader.head


@pytest.mark.leaves_open
@pressing(Reading, "follow")
async def test_follow(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(key,)) as reader:
        assert reader.foot.startswith(" the run has ended")
        assert "following" not in reader.head
    for record in list(store.events(rivers))[:100]:
        store.append("half", record.at, record.event)
    async with reading(store, "half", keys=(key,)) as reader:
        assert reader.foot.startswith(" following what is written")
        assert "following" in reader.head
        await reader.press(key)
        assert reader.foot.startswith(" no longer followed")
        assert "following" not in reader.head


@pressing(Reading, "copy")
async def test_copy_the_answer(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("j", key)) as reader:
        assert reader.app.clipboard == "15"
        assert reader.foot.startswith(" sent 2 characters")


@pressing(Reading, "copy_json")
async def test_copy_the_node(key: str, store: SqliteStore, sums: str) -> None:
    async with reading(store, sums, keys=("j", key)) as reader:
        copied = json.loads(reader.app.clipboard)
        assert (copied["id"], copied["answer"], len(copied["asks"])) == ("0.1", "15", 2)


@pressing(Runs, "choose")
async def test_choose_a_run(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, keys=(key,)) as reader:
        assert reader.head.startswith(f" {rivers}  answered  42 nodes")


@pressing(Runs, "sort")
async def test_sort_the_runs(key: str, store: SqliteStore) -> None:
    async with reading(store) as reader:
        for name in ("cost", "tokens", "time", "nodes", "question"):
            await reader.press(key)
            assert f"by {name})" in reader.head
        assert "What do a violin" in reader.lines[1]
        await reader.press(key)
        assert "by " not in reader.head


@pressing(Listing, "filter")
async def test_filter_the_runs(key: str, store: SqliteStore) -> None:
    async with reading(store, keys=(key,)) as reader:
        await reader.write("script")
        assert "1 of 4 runs" in reader.head
        assert "What is ((2+3)" in reader.lines[1]


@pressing(Listing, "clear")
async def test_show_all_runs_again(key: str, store: SqliteStore) -> None:
    async with reading(store, keys=("f",)) as reader:
        await reader.write("script")
        await reader.press(key)
        assert "4 runs" in reader.head
        await reader.press(key)
        assert reader.foot.startswith(" q ends")
        assert reader.app.is_running


@pressing(Listing, "back")
async def test_back_from_the_runs(key: str, store: SqliteStore) -> None:
    async with reading(store) as reader:
        await reader.press(key)
        assert not reader.app.is_running


@pressing(Bar, "leave")
async def test_leave_the_line(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("f", *"failed", key)) as reader:
        assert isinstance(reader.canvas, Tree)
        assert "only" not in reader.head
        assert not reader.panes.query_one(Bar).asking


@pressing(Bar, "older")
async def test_what_was_typed_before(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers) as reader:
        for text in ("level=1", "level=2"):
            await reader.press("f", "home", "ctrl+k")
            await reader.write(text)
        typed = reader.panes.query_one(Typing)
        await reader.press("f", key, key)
        assert typed.value == "level=1"


@pressing(Bar, "newer")
async def test_what_was_typed_after_that(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers) as reader:
        for text in ("level=1", "level=2"):
            await reader.press("f", "home", "ctrl+k")
            await reader.write(text)
        typed = reader.panes.query_one(Typing)
        await reader.press("f", "up", "up", key)
        assert typed.value == "level=2"


@pressing(Help, "close")
async def test_close_help(key: str, store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=("question_mark",)) as reader:
        assert isinstance(reader.app.screen, Help)
        await reader.press(key)
        assert isinstance(reader.canvas, Tree)


@pressing(Browser, "help")
async def test_help(key: str, store: SqliteStore, rivers: str) -> None:
    for keys, said in (((), "open all below"), (("enter",), "unfold"), (("q",), "open the run")):
        async with reading(store, rivers, keys=(*keys, key)) as reader:
            assert any(said in line for line in reader.lines)


async def test_every_action_is_in_the_palette(store: SqliteStore, rivers: str) -> None:
    async with reading(store, rivers, keys=(App.COMMAND_PALETTE_BINDING,)) as reader:
        assert isinstance(reader.app.screen, CommandPalette)
        await reader.press(*"timeline")
        await reader.done("default")
        await reader.press("enter")
        assert "0 to 20.8 s" in reader.head


TYPED = {"ctrl+c": "\x03", "ctrl+z": "\x1a", "o": "o"}
"""What a terminal sends for a key."""


@pytest.fixture
def seat(store: SqliteStore, sums: str) -> Iterator[Seat]:
    """The browser in a terminal of its own, with a pager that marks what it shows."""
    words = ("browse", sums, "--store", "runs.db")
    with Seat(
        *words, PAGER="sh -c 'sed s/^/PAGED:/; exit 3'", PYTHONPATH=str(DOCS.parents[1])
    ) as seat:
        seat.until("HCH_3")
        yield seat


@pressing(Reading, "outside")
def test_open_it_in_a_pager(key: str, seat: Seat) -> None:
    seat.type("3" + TYPED[key])
    seat.until("PAGED:It called no model.")
    seat.until("sh ended with 3")
    seat.type("\x03")
    seat.rest()
    assert (seat.code, seat.sane) == (0, True)


@pressing(CallScreen, "outside")
def test_open_a_call_in_a_pager(key: str, rivers: str, home: Path) -> None:
    words = ("browse", rivers, "--store", "runs.db")
    env = {"PAGER": "sh -c 'sed s/^/PAGED:/; exit 3'", "PYTHONPATH": str(DOCS.parents[1])}
    with Seat(*words, **env) as seat:
        seat.until("HCH_3")
        seat.type("\r3\r")
        seat.until("call 1 of")
        seat.type(TYPED[key])
        seat.until("PAGED:Prompt as sent")
        seat.until("sh ended with 3")
        seat.type("\x03")
        seat.rest()
        assert (seat.code, seat.sane) == (0, True)


@pressing(Leaving, "quit")
def test_quit(key: str, seat: Seat) -> None:
    seat.type(TYPED[key])
    seat.rest()
    assert (seat.code, seat.sane) == (0, True)


@pressing(Leaving, "suspend_process")
def test_stop(key: str, seat: Seat) -> None:
    seat.type(TYPED[key])
    seat.until("no shell to go back to")
    seat.type("\x03")
    seat.rest()
    assert seat.code == 0
