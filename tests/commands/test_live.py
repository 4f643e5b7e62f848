"""Which rows of the live tree fit a screen, and what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache

import pytest
from rich.cells import cell_len

from hch import HCH, ScriptedModel
from hch.commands._growth import Growth, Node
from hch.commands._live import LiveTree, packed, rows
from hch.commands._terminal import encodable
from hch.events import Event
from hch.run import Run
from tests.support import Plan, decomposition, regular

HOSTILE = (
    "フランスの川はどれ? \x1b[2J\x1b]0;x\x07 [bold]x[/bold] \u202egnp :smile: "
    "\r\nＦｒａｎｃｅ 👩\u200d👩\u200d👧"
)
SIZES = [(width, height) for width in (20, 40, 80, 200) for height in (3, 24, 60)]


@cache
def history(depth: int, k: int, question: str = "Why is that so?") -> tuple[Run, list[Event]]:
    seen: list[Event] = []
    run = HCH(depth=depth, model=ScriptedModel(regular(k)), store="memory").begin([question])
    run.watch = seen.append
    asyncio.run(run.finish())
    return run, seen


@cache
def grown(depth: int, k: int, question: str, part: float) -> Growth:
    _, seen = history(depth, k, question)
    growth = Growth(lambda: 0.0)
    for event in seen[: max(3, int(part * len(seen)))]:
        growth.take(event)
    return growth


def text(growth: Growth, width: int, height: int, **options: bool) -> list[str]:
    lines = LiveTree(growth, None, **options).lines(width, height, 75.0, 12.0)
    return [line.plain.rstrip() for line in lines]


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize(("depth", "k"), [(0, 1), (4, 3), (4, 8)])
def test_never_taller_and_never_wider_than_the_screen(
    depth: int, k: int, width: int, height: int
) -> None:
    for question in ("Why is that so?", HOSTILE):
        run, _ = history(depth, k, question)
        for part in (0, 0.1, 0.4, 0.7, 0.999, 1):
            tree = LiveTree(grown(depth, k, question, part), run)
            lines = tree.lines(width, height, 75.0, 12.0)
            assert len(lines) == height
            assert max(cell_len(line.plain) for line in lines) <= width
            assert not any(set("\x1b\x07\r\n\u202e\u200d") & set(line.plain) for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "shift_jis"])
def test_what_the_terminal_does_not_have_is_spelled_within_its_width(encoding: str) -> None:
    for width in (20, 60):
        tree = LiveTree(grown(2, 2, HOSTILE, 0.7), None, encoding=encoding)
        for line in tree.lines(width, 12, 75.0, 12.0):
            written = encodable(line.plain, encoding)
            assert cell_len(written) <= width


@pytest.mark.parametrize("seed", range(8))
def test_any_tree_fits_any_screen(seed: int) -> None:
    seen: list[Event] = []
    hch = HCH(depth=4, model=ScriptedModel(Plan(seed)), store="memory", pause=0.0)
    run = hch.begin(["Why?", "How?", "Why?"])
    run.watch = seen.append
    asyncio.run(run.finish())
    growth = Growth()
    for event in seen:
        growth.take(event)
        for room in (0, 1, 2, 3, 7, 20):
            found = rows(growth.top, room)
            assert len(found) <= room
            shown = {row.node for row in found if row.node}
            assert all(node.parent in shown or node.parent is growth.top for node in shown)
            if growth.top.children and growth.top.children.total and room:
                assert found
            if room == 20 and len(found) < 20:
                check_whole(growth.top, shown, {row.fold for row in found})


def check_whole(top: Node, shown: set[Node], folds: set[str]) -> None:
    """Where there is room, every shown node's children are shown or counted."""
    for node in (top, *shown):
        if node.children is not None:
            rows_of = sum(child.parent is node for child in shown)
            assert rows_of == node.children.total or len(folds) > 1


def test_a_small_tree_is_shown_whole() -> None:
    _, seen = history(2, 2)
    growth = Growth(lambda: 0.0)
    first = next(i for i, event in enumerate(seen) if event.type == "NodeClosed")
    for event in seen[: first + 1]:
        growth.take(event)
    said = text(growth, 60, 12)
    assert said[0] == "… HCH_2  Why is that so?                       awaits 2 of 2"
    assert [" ".join(line.split()) for line in said[1:4]] == [
        "├─ … HCH_1 Why is that so? / 1 awaits 1 of 2",
        "│ ├─ ✓ HCH_0 Why is that so? / 1… → answer to Why… 0.0 s",
        "│ └─ … HCH_0 Why is that so? / 1 / 2 working",
    ]
    assert said[-3][1:].startswith(" 7 nodes, 6 open, ")
    assert said[-3].endswith(", 1m15s")
    assert said[-1] == "  Ctrl-C stops; hch resume goes on"


def test_what_has_no_room_is_counted() -> None:
    _, seen = history(1, 8)
    closed = [i for i, event in enumerate(seen) if event.type == "NodeClosed"]
    growth = Growth(lambda: 0.0)
    for event in seen[: closed[2] + 1]:
        growth.take(event)
    found = rows(growth.top, 5)
    assert [row.node.status for row in found if row.node] == ["open"] * 4
    assert found[-1].fold == "3 answered, 2 open"
    assert [row.node.id for row in rows(growth.top, 8) if row.node] == [
        "0", "0.3", "0.4", "0.5", "0.6", "0.7", "0.8",
    ]  # fmt: skip
    assert not any(row.fold for row in rows(growth.top, 9))


def almost_over(script: Callable[[object], str]) -> Growth:
    """A tree of two levels, but for the events that close its root."""
    seen: list[Event] = []
    run = HCH(depth=1, model=ScriptedModel(script), store="memory").begin(["Why?"])
    run.watch = seen.append
    asyncio.run(run.finish())
    growth = Growth(lambda: 0.0)
    for event in seen[:-2]:
        growth.take(event)
    return growth


def test_refused_and_shared_questions_are_counted() -> None:
    def script(request: object) -> str:
        return decomposition("A?", "", "A?", "B?") if getattr(request, "form", None) else "so"

    growth = almost_over(script)
    assert [row.fold for row in rows(growth.top, 9) if row.fold] == ["1 refused"]


def test_without_texts_only_places_are_shown() -> None:
    for part in (0.2, 0.5, 0.9):
        said = "\n".join(text(grown(2, 2, "secret", part), 80, 24, texts=False))
        assert "secret" not in said
        assert "HCH_2  0" in said
    assert "HCH_1  0.2" in "\n".join(text(grown(2, 2, "secret", 0.5), 80, 24, texts=False))


def test_the_last_words_of_a_node_are_shown_for_every_status() -> None:
    said = {"A?": "CANNOT ANSWER: nobody knows", "B?": "", "C?": "so"}

    def script(request: object) -> str:
        form, question = getattr(request, "form", None), getattr(request, "question", "")
        return decomposition("A?", "B?", "C?") if form else said.get(question, "all")

    growth = almost_over(script)
    shown = text(growth, 60, 12)
    assert [line.partition("  0.0 s")[0].rstrip() for line in shown[1:4]] == [
        "├─ ? HCH_0  A? → nobody knows",
        "├─ ✗ HCH_0  B? → the reply was empty",
        "└─ ✓ HCH_0  C? → so",
    ]


def test_pieces_are_packed() -> None:
    assert packed(["one", "three more", "two"], 9) == "one, two"
    assert packed(["far too long"], 6) == "far t…"
    assert packed([], 6) == ""
