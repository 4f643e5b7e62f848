"""A copy's workspace as lines, for whoever plays it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hch.commands._sheet import sheet, wrapped
from hch.safe_text import safe_text
from hch.types import Message, Part, Request


def request(*parts: Part) -> Request:
    return Request((Message("user", parts),))


def test_repeats_refusals_and_what_was_wrong_are_shown() -> None:
    lines = sheet(
        request(
            Part("Question: "),
            Part("Why?", "question"),
            Part("\n\nSub-question 1: "),
            Part("One?", "sub-question 1"),
            Part("\nNo answer (refused): ", "status 1"),
            Part("too many", "reason 1"),
            Part("\n\nSub-question 2 was the same as sub-question 1."),
            Part("\n\n3 more questions were refused: no", "refusals"),
            Part("it was empty", "problem"),
            Part("A house rule", "rule"),
            Part("Why?", "question"),
        ),
        60,
    )
    said = "\n".join(lines).replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert said == (
        "Question\n  Why?\n\nSub-question 1: One?\n  No answer (refused): too many\n\n"
        "Sub-question 2 was the same as sub-question 1.\n\n3 more questions were refused: no\n\n"
        "It could not be used: it was empty\n\nRule\n  A house rule"
    )


@given(st.text(), st.integers(1, 40))
def test_wrapping_loses_nothing_but_space(text: str, width: int) -> None:
    lines = wrapped(text, width, "  ")
    assert "".join("".join(lines).split()) == "".join(safe_text(text).split())
    assert all(cell_len(line) <= max(width, 6) for line in lines)


def test_a_long_text_is_cut_and_told() -> None:
    lines = sheet(request(Part("\n".join(map(str, range(100))), "question")), 60)
    assert len(lines) == 13
    assert "89 more lines; type show for all" in lines[-1]
    assert (
        len(sheet(request(Part("\n".join(map(str, range(100))), "question")), 60, whole=True))
        == 101
    )
