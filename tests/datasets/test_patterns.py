"""What is taken out of texts: `hch.datasets.patterns`."""

from __future__ import annotations

import pytest

from hch.datasets.patterns import Patterns
from hch.errors import UsageError


def test_matches_are_taken_out_and_counted() -> None:
    patterns = Patterns.parse([r"[\w.]+@[\w.]+", r"\b\d{3}-\d{4}\b", r"(?i)ada"])
    assert patterns.clean("Ada: ada@x.org, 555-1234.") == (
        "[redacted]: [redacted], [redacted].",
        3,
    )
    assert patterns.clean("nothing") == ("nothing", 0)
    assert patterns.clean("\ud800 555-1234\x00") == ("\ud800 [redacted]\x00", 1)


def test_patterns_see_the_text_as_it_came() -> None:
    patterns = Patterns.parse(["ab", "a", "ab", "bc+", "d"])
    assert patterns.texts == ("ab", "a", "bc+", "d")
    assert patterns.clean("abcc b") == ("[redacted] b", 1)
    assert patterns.clean("adx") == ("[redacted][redacted]x", 2)


def test_a_match_is_taken_out_literally() -> None:
    assert Patterns.parse([r"(x)"]).clean(r"x\1")[0] == r"[redacted]\1"


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ([], "there is no pattern"),
        ([""], "matches the empty text"),
        (["a", "x*"], "'x\\*' matches the empty text"),
        (["("], "no regular expression"),
        (["a{99999999999999999999}"], "no regular expression"),
    ],
)
def test_what_is_no_pattern_is_told(texts: list[str], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Patterns.parse(texts)


def test_a_match_of_nothing_stays() -> None:
    assert Patterns.parse([r"\bx?(?=a)"]).clean("a xa") == ("a [redacted]a", 1)
