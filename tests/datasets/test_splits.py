"""Which split a group is in: `hch.datasets.splits`."""

from __future__ import annotations

from collections import Counter

import pytest

from hch.datasets.splits import Splits
from hch.errors import UsageError

GROUPS = [f"What is {i} + {i}?" for i in range(20_000)]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("train=0.9,test=0.1", "train=0.9,test=0.1"),
        (" train = 90% , test=10.0% ", "train=0.9,test=0.1"),
        ("train=.8,dev=0.10,held_out_2=10%", "train=0.8,dev=0.1,held_out_2=0.1"),
        ("train=1", "train=1"),
        (
            "a=0.3333333333,b=0.3333333333,c=0.3333333333",
            "a=0.3333333333,b=0.3333333333,c=0.3333333333",
        ),
    ],
)
def test_splits_have_one_spelling(text: str, canonical: str) -> None:
    splits = Splits.parse(text)
    assert str(splits) == canonical
    assert Splits.parse(str(splits)) == splits


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write NAME=SHARE"),
        ("train", "write NAME=SHARE"),
        ("train=0.9,", "write NAME=SHARE"),
        ("0train=1", "beginning with a letter"),
        ("../train=1", "beginning with a letter"),
        (f"{'t' * 33}=1", "at most 32"),
        ("träin=1", "beginning with a letter"),
        ("train=x", "a share above 0"),
        ("train=nan", "a share above 0"),
        ("train=1,test=0", "a share above 0"),
        ("train=1.5,test=-0.5", "a share above 0"),
        ("train=1,test=1e-999999", "a share above 0"),
        ("train=0.9,test=0.2", r"sum to 1\.1"),
        ("train=0.5,train=0.5", "twice"),
    ],
)
def test_what_is_no_split_is_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Splits.parse(text)


def test_groups_are_shared_out_as_asked() -> None:
    splits = Splits.parse("train=0.7,dev=0.2,test=0.1")
    found = Counter(splits.side(group, 0) for group in GROUPS)
    for name, share in splits.shares:
        assert abs(found[name] / len(GROUPS) - float(share)) < 0.02


def test_a_group_is_where_its_text_says_and_nothing_else() -> None:
    splits = Splits.parse("train=0.5,test=0.5")
    sides = [splits.side(group, 7) for group in GROUPS]
    assert sides == [splits.side(f"  {group.upper()}\n", 7) for group in GROUPS]
    assert sides != [splits.side(group, 8) for group in GROUPS]
    assert {splits.side(text, seed) for text in ("", "\ud800") for seed in (-1, 2**200)} <= {
        *splits.names
    }


def test_a_larger_share_takes_groups_in_and_none_out() -> None:
    small, large = Splits.parse("train=0.6,test=0.4"), Splits.parse("train=0.8,test=0.2")
    train = [group for group in GROUPS if small.side(group, 0) == "train"]
    assert all(large.side(group, 0) == "train" for group in train)


def test_splits_stand_in_their_order_and_train_is_first() -> None:
    assert Splits.parse("fit=0.8,dev=0.1,test=0.1").names == ("fit", "dev", "test")
    with pytest.raises(UsageError, match="name train first"):
        Splits.parse("test=0.2,train=0.8")


def test_a_seed_always_means_the_same() -> None:
    """What was split once is split so again, by any later version."""
    splits = Splits.parse("train=0.5,test=0.5")
    assert [splits.side(group, 0)[1] for group in GROUPS[:16]] == [*"errrerrrereerree"]
