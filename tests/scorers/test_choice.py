"""Which letter a text chooses, and that it chooses none where that is not clear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch import registry
from hch.errors import UsageError
from hch.protocols import Scorer


def scorer(options: str = "") -> Scorer:
    return registry.build("scorers", registry.Spec.parse(f"choice{options}"))


CLEAR = [
    "B", "b", "(B)", "[B]", "B)", "B.", "B:", "**B**", "`B`", "Answer: B", "**Answer:** B",
    "Answer: (B)", "The answer is B", "The correct answer is **B**.", "the answer is (b).",
    "Final answer: B", "My choice: B", "Option B", "$\\boxed{B}$", "\\boxed{\\text{B}}",
    "B. because A is too small", "B because it rains", "B: Paris", "B) Paris, not A) Rome",
    "It cannot be A, since A is red.\nB", "A is red. So the answer is B, as C is blue.",
    "Answer: B\n\nAnswer: B", "  B  \n", "B\nA is wrong.",
]  # fmt: skip
UNCLEAR = [
    "", "  ", "A dog barks", "A or B", "B or C", "(A) or (B)", "A, B and C", "A/B", "B & C",
    "The answer is A or B", "Answer: A. Or rather, answer: B", "The answer is a dog", "E",
    "The answer is not B", "Both A and B", "I do not know", "BB", "The answer is B's", "AB",
    "Because of A", "neither",
]  # fmt: skip


@pytest.mark.parametrize("text", CLEAR)
def test_the_usual_ways_of_saying_it_are_read(text):
    assert scorer().form(text) == "B"


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_not_clear_chooses_nothing(text):
    assert scorer().form(text) is None


def test_the_letters_are_those_there_are():
    assert scorer(",of=yn").form("Y") == "y"
    assert scorer(",of=12345").form("The answer is 5.") == "5"
    assert scorer(",of=ABCDE").form("E") == "E"
    assert scorer(",of=ABC").form("D") is None


@given(st.text())
def test_no_text_fails(text):
    assert scorer().form(text) in (None, *"ABCD")


@pytest.mark.parametrize("piece", ["A ", "A", "answer ", "(", "A\n", " ", "answer is ", "**", "A,"])
def test_a_text_of_a_megabyte_is_read_in_one_go(piece):
    scorer().form((piece * 1_000_000)[:1_000_000])  # what is not linear would not come back
    scorer().form(f"answer: A{' ' * 1_000_000}{piece}")


@pytest.mark.parametrize("of", ["A", "AA", "Aa", "A-B"])
def test_letters_that_are_none_are_refused(of):
    with pytest.raises(UsageError, match="is not two or more different letters"):
        scorer(f",of={of}")
