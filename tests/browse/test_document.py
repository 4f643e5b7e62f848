"""Texts as lines of a screen: wrapped by cells, folded, safe; and documents that unfold."""

from __future__ import annotations

import pytest

from hch.browse.blocks import FIRST, Block, Fold, Lazy, More, Prose, Row, prose
from hch.browse.document import SLACK, Document
from hch.browse.lines import plain, width
from hch.browse.parts import Part
from hch.browse.texts import Looks, pretty
from hch.safe_text import safe_text
from tests.payloads import PAYLOADS, STEERING, Payload, raw_controls

LOOKS: tuple[Looks, ...] = ("rendered", "json", "exact", "raw")


def laid(*blocks: Block, cells: int = 40) -> Document:
    document = Document(blocks)
    document.lay(cells)
    return document


def drawn(document: Document) -> list[str]:
    return [plain(document.line(y)) for y in range(document.count)]


def lines(text: str, looks: Looks = "exact", cells: int = 20) -> list[str]:
    return drawn(laid(Prose((Part(text),), looks, 0, first=10_000), cells=cells))


def test_words_are_wrapped_at_blanks_and_else_anywhere() -> None:
    assert lines("one two three four five six") == ["one two three four", "five six"]
    assert lines("x" * 45) == ["x" * 20, "x" * 20, "x" * 5]
    assert lines("") == ["(nothing)"]
    assert lines("a\n\nb\n") == ["a", "", "b"]
    assert lines("a\r\nb") == ["a", "b"]


def test_wide_and_combining_characters_are_measured_by_cells() -> None:
    assert lines("日本語テキスト日本語テキスト") == ["日本語テキスト日本語", "テキスト"]
    assert lines("é" * 25) == ["é" * 20, "é" * 5]
    assert lines("👍🏽" * 30)
    assert lines("e" + "\u0301" * 1000) == ["e" + "\u0301" * 1000]


def test_a_text_of_nothing_but_marks_is_cut_into_lines() -> None:
    found = lines("\u0301" * 5000)
    assert "".join(found) == "\u0301" * 5000
    assert max(map(len, found)) <= 1024


def test_light_markdown_is_drawn() -> None:
    document = laid(
        prose("# Rivers\n- the **Rhône**, which is longer than a line\n```\n- x\n```", margin=0),
        cells=24,
    )
    assert drawn(document) == [
        "Rivers", "• the Rhône, which is", "  longer than a line", "```", "- x", "```",
    ]  # fmt: skip
    assert document.line(0) == [("Rivers", "title")]
    assert ("Rhône", "bold") in document.line(1)
    assert document.line(4) == [("- x", "dim")]


def test_json_is_laid_out_without_a_change() -> None:
    text = '{"a": [1, 2.50, {"b": "x\\u0041, {", "c":[]}], "a": 1e999}'
    laid_out = pretty(text)
    assert laid_out is not None
    assert laid_out.splitlines()[:4] == ["{", '  "a": [', "    1,", "    2.50,"]
    assert "".join(laid_out.split()) == "".join(text.split())
    assert pretty("[" * 50_000 + "]" * 50_000) is None
    assert pretty("{not json}") is None
    assert pretty("a word") is None


def test_raw_shows_every_character() -> None:
    assert lines("a\tb  c \\x1b \x1b \xa0\r\nd ", "raw", 60) == [
        r"a\tb··c \\x1b \x1b \xa0\r↵", "d·",
    ]  # fmt: skip


@pytest.mark.parametrize("looks", LOOKS)
def test_no_payload_reaches_the_screen_and_none_is_too_wide(looks: Looks) -> None:
    for payload in PAYLOADS:
        document = laid(Prose((Part(payload.text),), looks), Row((("x", "dim"),), payload.text))
        for y in range(document.count):
            line = document.line(y)
            assert not raw_controls(plain(line).encode()), payload.name
            assert width(line) <= 40, payload.name


@pytest.mark.parametrize("payload", [p for p in PAYLOADS if p.kind not in STEERING])
def test_what_is_printable_is_shown_as_it_is(payload: Payload) -> None:
    shown = "".join(lines(payload.text[:3000]))
    assert "".join(shown.split()) == "".join(payload.text[:3000].split())


def test_a_long_text_is_folded_and_unfolds_step_by_step() -> None:
    text = "\n".join(f"line {i}" for i in range(1000))
    document = laid(prose(text), Row(text="after"))
    assert drawn(document)[FIRST:] == ["  … 988 more lines (enter shows some)", "after"]
    assert not document.unfold(0)
    assert document.unfold(FIRST)
    assert drawn(document)[FIRST] == "  line 12"
    assert drawn(document)[-2] == "  … 788 more lines (enter shows some)"
    while document.unfold(document.count - 2):
        pass
    assert [line.strip() for line in drawn(document)] == [*text.split("\n"), "after"]


def test_a_text_that_is_hardly_longer_is_not_folded() -> None:
    text = "\n".join("x" * (FIRST + SLACK))
    assert laid(prose(text)).count == FIRST + SLACK
    assert laid(prose(text + "\nx")).count == FIRST + 1


def test_one_line_of_five_million_characters_is_counted_not_wrapped() -> None:
    document = laid(prose("x" * 5_000_000), cells=102)
    assert drawn(document)[-1] == "  … 4,998,800 more characters (enter shows some)"
    assert document.unfold(FIRST)
    assert document.count == FIRST + 201
    assert len(document.text()) == 5_000_000 + 3


def test_a_fold_unfolds_and_folds_and_more_gives_way() -> None:
    inner = Fold(("b",), Row(text="inner"), lambda: [Row(text="deep")])
    outer = Fold(("a",), Row(text="outer"), lambda: [inner])
    document = laid(outer, More(("m",), 2, lambda: [Row(text="p"), Row(text="q")]))
    assert drawn(document) == ["▸ outer", "  … 2 more (enter shows them)"]
    assert document.unfold(1)
    assert document.unfold(0)
    assert document.unfold(1)
    assert drawn(document) == ["▾ outer", "▾ inner", "deep", "p", "q"]
    assert document.unfold(0)
    assert drawn(document) == ["▸ outer", "p", "q"]
    assert document.text() == "outer\ninner\ndeep\np\nq\n"


def test_rows_are_made_when_they_are_looked_at() -> None:
    made: list[int] = []

    def make(i: int) -> Row:
        made.append(i)
        return Row(text=f"row {i}", node=i)

    document = laid(*(Lazy((i,), lambda i=i: make(i)) for i in range(10_000)))
    assert document.count == 10_000
    assert not made
    assert plain(document.line(7000)) == "row 7000"
    row = document.row(7000)
    assert row is not None
    assert row.node == 7000
    assert set(made) == {7000}


def test_what_is_unfolded_stays_so_in_a_document_that_has_grown() -> None:
    text = "\n".join(f"line {i}" for i in range(100))

    def blocks(n: int) -> list[Block]:
        fold = Fold(("a",), Row(text="fold"), lambda: [prose(text)])
        return [*(Row(text=f"new {i}") for i in range(n)), fold, prose(text)]

    before = laid(*blocks(0))
    assert before.unfold(1 + FIRST)
    assert before.unfold(0)
    assert before.unfold(1 + FIRST)
    after = Document(blocks(2))
    after.adopt(before)
    assert drawn(after) == ["new 0", "new 1", *drawn(before)]


def test_a_row_is_cut_to_the_screen_and_whole_as_text() -> None:
    row = Row((("✓ ", "good"),), "Which rivers cross the border?", "The Rhône and the Rhine do.")
    [line] = drawn(laid(row, cells=30))
    assert line == "✓ Which rivers c… → The Rhône…"
    assert row.whole() == "✓ Which rivers cross the border? → The Rhône and the Rhine do."


def test_texts_are_safe_where_they_are_given_away() -> None:
    for payload in PAYLOADS:
        shown = laid(prose(payload.text), Row(text=payload.text)).text()
        assert not raw_controls(shown.encode())
        assert safe_text(payload.text).split("\n")[0].strip() in shown


def test_a_prompt_as_text_tells_what_is_its_own() -> None:
    parts = (Part("Question: "), Part("Why?\n\nOr how?", "", "question"), Part("!\n\nGo on.\n"))
    assert laid(Prose(parts, "exact", 2, gutter=9)).text().split("\n") == [
        "             Question: ",
        "  question ┃↳Why?",
        "           ┃",
        "           ┃ Or how?",
        "            ↳!",
        "",
        "             Go on.",
        "",
        "",
    ]
