"""What holds of a node by its labels."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hch.labels import LONGEST, Label, Told, latest, told
from tests.stores.samples import label


def test_the_last_word_of_each_counts_by_its_time() -> None:
    given = [
        label("k", at=3.0, said="good"),
        label("k", at=5.0, said="bad", note="no"),
        label("k", at=4.0, said="good", note="late"),
        label("l", at=1.0, score=0.5),
        label("l", at=1.0, score=0.7),
    ]
    assert told(given) == {
        "k": Told("bad", None, "person", ("no",)),
        "l": Told(None, 0.7, "person"),
    }


def test_people_are_believed_before_the_truth_and_that_before_scorers_and_files() -> None:
    words = [
        label("k", "person:ada", at=1.0, note="unsure"),
        label("k", "truth", at=2.0, said="bad"),
        label("k", "scorer:numeric", at=3.0, said="good", score=0.1),
        label("k", "file:x", at=4.0, said="good", score=0.9),
    ]
    for seed in range(10):
        shuffled = Random(seed).sample(words, len(words))
        assert told(shuffled) == {"k": Told("bad", 0.1, "truth", ("unsure",))}
    assert told([*words, label("k", "person:bob", at=0.5, said="good")])["k"].said == "good"


def test_a_label_that_says_nothing_takes_back_what_was_said() -> None:
    words = [label("k", at=1.0, said="good", note="so"), label("k", "truth", at=2.0, said="bad")]
    taken = label("k", at=3.0)
    assert taken.blank
    assert not words[0].blank
    assert told([*words, taken]) == {"k": Told("bad", None, "truth")}
    assert told([taken]) == {"k": Told()}


@given(
    st.lists(
        st.builds(
            label,
            st.sampled_from("kl"),
            st.sampled_from(["person", "truth"]),
            st.sampled_from([1.0, 2.0]),
            score=st.integers(0, 9),
        ),
        max_size=9,
    )
)
def test_what_holds_is_what_the_last_of_each_say(labels: list[Label]) -> None:
    assert told(latest(labels).values()) == told(labels)
    assert len(latest(labels)) == len({(each.key, each.by) for each in labels})


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "somebody"}, {"by": "person:"}, {"by": "person:" + "a" * 201}, {"by": "truth\n"},
        {"said": "ugly"}, {"score": float("inf")}, {"score": float("nan")}, {"at": float("nan")},
        {"note": "a" * (LONGEST + 1)}, {"note": b"a"}, {"evil": 1},
    ],
)  # fmt: skip
def test_what_is_no_label(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Label.model_validate({"key": "k", "by": "person", "at": 1.0, **wrong})
