"""The keys under a person's fingers: none ends a line that was not meant to be sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.commands.seat import DIRECT, Seat, answer, kept

CONTROLS = [chr(n) for n in range(32) if chr(n) not in "\x03\r\x1a"]  # stops, sends, suspends
ALTS = [f"\x1b{chr(n)}" for n in range(32, 127)]
EDITS = "\x04\x08\x14\x15\x17\x1f"
"""Ctrl-D, H, T, U, W and _: they change a line, as they are meant to."""


def test_a_paste_keeps_its_lines_and_a_long_line_its_length(home: Path) -> None:
    long = "long " * 2000
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.type(f"\x1b[200~one\r\ntwo\n{long}end\n\x1b[201~")
        seat.type("three\nfour\x1b\rfive\r")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0])[0] == f"one\ntwo\n{long}end\nthree\nfour\nfive"


def words_typed(home: Path, keys: Sequence[str]) -> str:
    """The answer of a line in which a word and a space stand before each key, at its end."""
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        for n, key in enumerate(keys):
            seat.type(f"\x05word-{n}. {key}")
        seat.type("\x05 the end")
        seat.says("the end")
        seat.type("\r")
        said = seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    assert "Traceback" not in said
    assert "Error" not in said
    return answer(kept(home).roots[0])[0]


@pytest.mark.parametrize("keys", [CONTROLS, ALTS], ids=["controls", "alts"])
def test_no_key_ends_a_line_or_loses_it(home: Path, keys: Sequence[str]) -> None:
    keys = [key for key in keys if key not in EDITS]
    said = words_typed(home, keys)
    assert [key for n, key in enumerate(keys) if f"word-{n}." not in said] == []


def test_what_changes_a_line_ends_none(home: Path) -> None:
    assert words_typed(home, list(EDITS)).endswith("the end")


def test_colours_that_are_pasted_leave_the_text_around_them(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.type("precious \x1b[31mred\x1b[0m, \x1b[5;5Rand \x1b[<0;5;5M\x1b[96;14;13Mmore\r")
        said = seat.rest()
        assert seat.code == 0
    assert "Error" not in said
    assert answer(kept(home).roots[0])[0] == "precious red, and more"


def test_a_line_is_cleared_and_brought_back(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.type("two\nlines\x15\x15so: \x19\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "so: two\nlines"
