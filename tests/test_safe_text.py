"""Whatever a model writes, what is displayed can neither steer a terminal nor hide nor reorder."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.safe_text import one_line, safe_text

relaxed = settings(deadline=None)

ANY = st.text(st.characters(codec=None, categories=None))
PRINTABLE = "Hello, \tWörld!\n\n日本語 עברית العربية 😀 [red]x[/red] \\x1b <b> 'a' é ½ ﬁ"


def spread(first: int, last: int, n: int) -> list[int]:
    """About n numbers from first to last, both among them."""
    step = max(1, (last - first) // (n - 1))
    return sorted({*range(first, last + 1, step), last})


# One payload each; together with the sequences below they are 200 and more.
UNSAFE = {
    "C0": [code for code in range(0x20) if chr(code) not in "\n\t"],
    "DEL and C1": [*range(0x7F, 0xA0)],
    "bidi": [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)],
    "invisible": [
        0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x200B, 0x200C,
        0x200D, *range(0x2060, 0x2066), *range(0x206A, 0x2070), 0x3164, 0xFEFF, 0xFFA0,
        *range(0xFFF0, 0xFFFC), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B),
        *range(0x13430, 0x13440),
    ],
    "selectors": [*spread(0xFE00, 0xFE0F, 4), *spread(0xE0100, 0xE01EF, 4)],
    "separators": [0x2028, 0x2029],
    "tags": spread(0xE0000, 0xE007F, 16),
    "halves of characters": spread(0xD800, 0xDFFF, 16),
}  # fmt: skip

SEQUENCES = [
    "\x1b[2J\x1b[H",  # clears the screen
    "\x1b]0;title\x07",
    "\x1b]52;c;cm0gLXJmIH4=\x07",  # writes the clipboard
    "\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\",
    "\x9b31mred\x9b0m",  # CSI in one character
    "\x90q\x9c",
    "progress\roverwritten",
    "a\b\b\bb",
    "\x1bP$q\x1b\\",
    "\u202etxt.exe",
    "\u2066a\u2069",
    "a\u200bb",
    "\U000e0041\U000e0042\U000e007f",  # text in tags
    "😀\ufe0f",
    "half \ud83d of a character",
    "\x0b\x0c\x1c\x1d\x1e\x1f",
    "line\u2028line\u2029paragraph",
    "\r\r\n\n\r",
]


def test_there_are_two_hundred_payloads() -> None:
    assert sum(map(len, UNSAFE.values())) + len(SEQUENCES) >= 200


def steering(text: str) -> list[str]:
    """What of a text could move the cursor, hide or reorder, judged by Unicode's categories."""
    visible = (
        "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
    )
    categories = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return [c for c in text if unicodedata.category(c) in categories and c not in "\n\t" + visible]


def check_payload(payload: str) -> None:
    shown = safe_text(f"before{payload}after")
    assert steering(shown) == []
    assert shown.startswith("before")
    assert shown.endswith("after")
    assert "\\" in shown
    shown.encode()
    assert steering(one_line(payload, 20)) == []


@pytest.mark.parametrize("payload", SEQUENCES, ids=ascii)
def test_a_payload_is_shown_and_not_obeyed(payload: str) -> None:
    check_payload(payload)


@pytest.mark.parametrize("kind", UNSAFE)
def test_an_unsafe_character_is_shown_as_python_writes_it(kind: str) -> None:
    for payload in map(chr, UNSAFE[kind]):
        check_payload(payload)
        shown = safe_text(payload)
        assert re.fullmatch(r"\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\U[0-9a-f]{8}", shown)
        assert shown.encode().decode("unicode_escape") == payload


@relaxed
@given(ANY)
def test_no_text_at_all_steers(text: str) -> None:
    assert steering(safe_text(text)) == []
    assert safe_text(safe_text(text)) == safe_text(text)


def test_what_can_be_printed_stays_as_it_is() -> None:
    assert safe_text(PRINTABLE) == PRINTABLE


@relaxed
@given(st.text(st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_letters_numbers_and_signs_stay_as_they_are(text: str) -> None:
    fillers = "\u115f\u1160\u3164\uffa0"  # letters that nobody can see
    assert safe_text(text) == "".join(f"\\u{ord(c):04x}" if c in fillers else c for c in text)


def test_a_windows_newline_is_a_newline_and_a_lone_return_is_not() -> None:
    assert safe_text("a\r\nb\rc") == "a\nb\\x0dc"


@relaxed
@given(ANY, st.integers(0, 40))
def test_one_line_is_one_line_within_its_width(text: str, width: int) -> None:
    line = one_line(text, width)
    assert len(line) <= width
    assert line.splitlines() in ([], [line])
    assert line == " ".join(line.split())


@relaxed
@given(ANY, st.integers(1, 40))
def test_one_line_shows_all_or_ends_in_an_ellipsis(text: str, width: int) -> None:
    whole, line = one_line(text), one_line(text, width)
    assert line == whole or line.endswith("…")


def test_one_line_of_a_long_text_says_that_there_is_more() -> None:
    assert one_line("word " * 1_000_000, 10) == "word word…"
    assert one_line(" " * 1_000_000 + "late", 10) == "…"
    assert one_line(" " * 1_000_000, 10) == ""
    assert one_line("so", 10) == "so"
    assert one_line("so", 1) == "…"
    assert one_line("so", 0) == ""
