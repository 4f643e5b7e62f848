"""What texts that are the same have in common: `hch.datasets.normal`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.datasets.normal import mark, normal, words
from tests.payloads import PAYLOADS

TEXTS = st.text(st.characters(codec=None))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is  2 + 3?\n", "what is 2 + 3?"),
        ("ＦＵＬＬ width", "full width"),
        ("Straße", "STRASSE"),
        ("ﬁne", "fine"),
        ("e\u0301te\u0301", "ÉTÉ"),
        ("in\u00advisi\u200bble\ufeff", "invisible"),
        ("a\u00a0b\u3000c", "a b c"),
    ],
)
def test_the_same_texts_have_one_form(one: str, other: str) -> None:
    assert normal(one) == normal(other)
    assert mark(one) == mark(other)
    assert [*words(one)] == [*words(other)]


@pytest.mark.parametrize(
    ("one", "other"),
    [("2 - 3", "2 + 3"), ("x != y", "x = y"), ("to gether", "together"), ("\ud800", "\ud801")],
)
def test_other_texts_have_others(one: str, other: str) -> None:
    assert normal(one) != normal(other)
    assert mark(one) != mark(other)


@given(TEXTS)
def test_a_form_is_its_own_form(text: str) -> None:
    form = normal(text)
    assert normal(form) == form
    assert mark(form) == mark(text)
    assert len(mark(text)) == 8


@given(TEXTS)
def test_words_leave_nothing_visible_out(text: str) -> None:
    found = [*words(text)]
    assert "".join(found) == "".join(normal(text).split())
    assert all(found)


def test_words_are_runs_of_letters_and_signs_alone() -> None:
    assert [*words("What's 12.5 - x_1?")] == [
        "what", "'", "s", "12", ".", "5", "-", "x", "_", "1", "?",
    ]  # fmt: skip
    assert [*words("हिन्दी में")] == ["हिन्दी", "में"]
    assert [*words("東京へ行く ไทย")] == ["東", "京", "へ", "行", "く", "ไ", "ท", "ย"]


def test_hostile_texts_have_a_form() -> None:
    for payload in PAYLOADS:
        form = normal(payload.text)
        assert normal(form) == form
        assert form == " ".join(form.split())


@pytest.mark.parametrize(
    "text", ["A " * 10_000_000, "\u0315\u0300" * 10**6, "\u0300\uff9e" * 10**6, "\udc00é" * 10**6]
)
def test_large_texts_have_a_form(text: str) -> None:
    """Marks in the wrong order take quadratic time to be sorted: days for as many as these."""
    assert len(mark(text)) == 8
