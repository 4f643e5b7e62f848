"""A stash is a table, however little of it is held in memory."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.errors import LengthError, ModelError
from hch.rules import Outcome
from hch.stash import Stash
from hch.types import Answer, Ballot, Completion, Text, Usage

KEYS = st.sampled_from(["", "a", "b", "a\ud800", "0" * 32])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop", "clear"]), KEYS, st.integers()))


@given(STEPS, st.sampled_from([0, 500, 1 << 20]))
def test_it_is_a_table_wherever_its_values_are(steps: Any, most: int) -> None:
    stash: Stash[tuple[str, int]] = Stash(most)
    table: dict[str, tuple[str, int]] = {}
    for step, key, n in steps:
        if step == "put":
            stash.put(key, (key, n))
            table[key] = (key, n)
        elif step == "drop":
            stash.drop(key)
            table.pop(key, None)
        else:
            stash.clear()
            table.clear()
        assert stash.keys() == table.keys()
        assert {k: stash.get(k) for k in table} == table
    assert stash.get("never") is None


VALUES = [
    Outcome(Answer("answered", Text("a\ud800\0", "model", False), "", ("cut: x",)), None),  # type: ignore[arg-type]
    Answer("answered", Text("x"), ballot=Ballot((("x", 2),), 3, 5)),
    Completion("so", "length", Usage(1, 2, 3, 4, 5), thinking="hm"),
]


@pytest.mark.parametrize("most", [0, 1 << 20])
@pytest.mark.parametrize("value", VALUES)
def test_what_the_engine_keeps_comes_back_equal(value: Any, most: int) -> None:
    stash: Stash[Any] = Stash(most)
    stash.put("k", value)
    assert stash.get("k") == value


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_failures_come_back_with_all_that_they_say(most: int) -> None:
    stash: Stash[Any] = Stash(most)
    stash.put("m", ModelError("no", kind="http 400", ran=False, usage=(1, 2)))
    stash.put("l", LengthError("long", usage=(3, 4)))
    failed, cut = stash.get("m"), stash.get("l")
    assert (type(failed), str(failed), failed.kind, failed.ran, failed.usage) == (
        ModelError, "no", "http 400", False, (1, 2),
    )  # fmt: skip
    assert (type(cut), str(cut), cut.usage) == (LengthError, "long", (3, 4))


def test_a_value_of_a_class_that_nobody_can_find_is_kept_as_it_is() -> None:
    class Own:
        pass

    stash: Stash[Any] = Stash(0)
    stash.put("k", "before")
    stash.put("k", own := Own())
    assert stash.get("k") is own
    stash.drop("k")
    assert stash.get("k") is None
