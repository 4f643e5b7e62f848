"""A stash is a table, however little of it is held in memory."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.budget import Price
from hch.commands._evaluating import CLOSED
from hch.commands._growth import ENDED, Ended
from hch.engine import OUTCOMES
from hch.errors import LengthError, ModelError, NodeError, RefusalError
from hch.events import NodeClosed
from hch.packing import replies
from hch.rules import Outcome
from hch.stash import BYTES, Codec, Stash, as_bytes, of_bytes
from hch.types import Answer, Ballot, Completion, Text, TokenLogprob, Usage
from hch.wire import Amounts, Polled, Words

PLAIN: Codec[Any] = Codec(as_bytes, of_bytes, lambda _: 100)
KEYS = st.sampled_from(["", "a", "b", "a\ud800", "0" * 32])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop", "clear"]), KEYS, st.integers()))


@given(STEPS, st.sampled_from([0, 500, 1 << 20]))
def test_it_is_a_table_wherever_its_values_are(steps: Any, most: int) -> None:
    stash: Stash[list[Any]] = Stash(PLAIN, most)
    table: dict[str, list[Any]] = {}
    for step, key, n in steps:
        if step == "put":
            stash.put(key, [key, n])
            table[key] = [key, n]
        elif step == "drop":
            stash.drop(key)
            table.pop(key, None)
        else:
            stash.clear()
            table.clear()
        assert stash.keys() == table.keys()
        assert {k: stash.get(k) for k in table} == table
    assert stash.get("never") is None


# A high and a low surrogate that follow each other are two characters, and not the one of UTF-16.
SAID = st.text(st.characters(codec=None) | st.sampled_from('\ud800\udc00\0"\\\u2028'), max_size=8)
TEXTS = st.builds(Text, SAID, SAID, st.booleans())
COUNTS = st.integers(0, 2**63)
AMOUNTS = COUNTS | st.just(inf)
BALLOTS = st.builds(
    Ballot, st.lists(st.tuples(SAID, COUNTS), max_size=3).map(tuple), COUNTS, COUNTS
)
ANSWERS = st.builds(
    Answer,
    st.sampled_from(["answered", "unanswered", "truncated", "failed", "cancelled"]),
    st.none() | TEXTS,
    SAID,
    st.lists(SAID, max_size=2).map(tuple),
    st.none() | BALLOTS,
)
CHANCES = st.floats(allow_nan=False)
TOKENS = st.builds(
    TokenLogprob, SAID, CHANCES, st.lists(st.tuples(SAID, CHANCES), max_size=2).map(tuple)
)
ENDINGS = st.builds(Outcome, ANSWERS, st.builds(Price, *[AMOUNTS] * 4), st.booleans())
COMPLETIONS = st.builds(
    Completion,
    SAID,
    st.sampled_from(["stop", "length", "refusal", "content_filter"]),
    st.builds(Usage, *[COUNTS] * 5),
    st.none() | st.lists(TOKENS, max_size=2).map(tuple),
    SAID,
    st.binary(max_size=9),
)


def closed(outcome: Outcome) -> NodeClosed:
    answer = outcome.answer
    assert answer.status != "refused"
    return NodeClosed(
        key="k",
        status=answer.status,
        answer=Words.of(answer.text) if answer.text else None,
        reason=answer.reason,
        notes=answer.notes,
        spent=Amounts.of(outcome.spent),
        ballot=Polled.of_ballot(answer.ballot) if answer.ballot else None,
    )


VALUES = st.one_of(
    st.tuples(st.just(OUTCOMES), ENDINGS),
    st.tuples(st.builds(replies), COMPLETIONS),
    st.tuples(st.just(CLOSED), ENDINGS.map(closed)),
    st.tuples(st.just(ENDED), st.builds(Ended, SAID, st.booleans())),
    st.tuples(st.just(BYTES), st.binary()),
)


@given(VALUES, st.sampled_from([0, 1 << 20]))
def test_what_runs_keep_comes_back_equal(value: Any, most: int) -> None:
    codec, put = value
    stash: Stash[Any] = Stash(codec, most)
    stash.put("k", put)
    got = stash.get("k")
    # Also in what equality leaves out: a text's source, and whether an amount is whole.
    assert (got, repr(got)) == (put, repr(put))


class Own(NodeError):
    """A failure of a plugin."""

    status = "unanswered"


def said(error: NodeError) -> Any:
    return type(error), str(error), error.status, vars(error)


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_failures_come_back_with_all_that_they_say(most: int) -> None:
    class Local(RefusalError):
        """One that nobody can find by its name."""

    failures = {
        "model": ModelError("no", kind="http 400", ran=False, retry_after=0.5, usage=(1, 2)),
        "length": LengthError("long", usage=(3, 4)),
        "unpaid": LengthError("\ud800\udc00"),
        "own": Own("mine"),
        "local": Local("ours"),
    }
    stash = Stash(replies(), most)
    for key, failure in failures.items():
        stash.put(key, failure)
    for key, failure in failures.items():
        found = stash.get(key)
        assert isinstance(found, NodeError)
        assert said(found) == said(failure)


def test_nothing_is_packed_before_there_is_more_than_is_held() -> None:
    packed: list[int] = []
    codec: Codec[int] = Codec(lambda n: packed.append(n) or b"%d" % n, int, lambda _: 800)  # type: ignore[func-returns-value]
    stash = Stash(codec, 3000)
    for n in range(7):
        stash.put(str(n), n)
        assert packed == list(range(4 * ((n + 1) // 4)))
    assert [stash.get(str(n)) for n in range(7)] == list(range(7))
