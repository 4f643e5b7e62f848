"""What a person types as a fold that always makes a reply that parses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from hch.commands._desk import Draft
from hch.commands._form import State, only_asks, walk
from hch.replies import Reply, form, parse
from hch.strategies.consult import LastTurn, Turn
from hch.strategies.factored import Decomposition
from hch.types import Text


class Odd(Reply):
    """Fields of every kind."""

    colour: str = Field(json_schema_extra={"enum": ["red", "Green"]})
    sure: bool
    n: int
    inner: Decomposition


def typed(returns: type[Reply], *lines: str, texts: int = 0) -> State:
    """Where these lines lead, each typed at the field that is asked for."""
    entries: list[tuple[str, str]] = []
    for line in lines:
        field = walk(form(returns, texts), entries).field
        assert field is not None
        field.check(line)
        entries.append((field.name, line))
    return walk(form(returns, texts), entries)


@pytest.mark.parametrize(
    ("returns", "lines", "reply"),
    [
        (
            Turn,
            ("as", " One? ", "Two?\nTwo lines.", "", "y"),
            {
                "move": "ask",
                "questions": [{"question": "One?"}, {"question": "Two?\nTwo lines."}],
                "last_round": True,
                "text": "",
            },
        ),
        (Turn, ("an", "5"), {"move": "answer", "questions": [], "last_round": False, "text": "5"}),
        (LastTurn, ("c", "no"), {"move": "cannot", "text": "no"}),
        (Decomposition, ("", "y"), {"questions": []}),
        (Decomposition, ("", "n", "One?", ""), {"questions": [{"question": "One?"}]}),
        (
            Odd,
            ("g", "yes", "7", "One?", ""),
            {
                "colour": "Green",
                "sure": True,
                "n": 7,
                "inner": {"questions": [{"question": "One?"}]},
            },
        ),
    ],
)
def test_only_what_a_move_needs_is_asked_for(
    returns: type[Reply], lines: tuple[str, ...], reply: dict[str, Any]
) -> None:
    state = typed(returns, *lines)
    assert state.field is None
    assert json.loads(state.reply) == reply
    parse(state.reply, returns)


def test_texts_are_chosen_by_number_where_there_are_some() -> None:
    state = typed(Turn, "ask", "One?", "1, 3 3", "Two?", "", "", "", texts=3)
    assert [q.texts for q in parse(state.reply, Turn, texts=3).questions] == [[1, 3], []]


def test_a_single_text_goes_along_without_a_choice() -> None:
    state = typed(Turn, "ask", "One?", "", "y", texts=1)
    [question] = parse(state.reply, Turn, texts=1).questions
    text = Text("Because.", "user")
    assert question.asked_with((text,)).context == (text,)


@pytest.mark.parametrize(("returns", "only"), [(Decomposition, True), (Turn, False), (Odd, False)])
def test_a_form_that_only_asks_is_known(returns: type[Reply], only: bool) -> None:
    assert only_asks(form(returns)) is only
    assert not only_asks(None)


@pytest.mark.parametrize(
    ("returns", "before", "line", "wrong"),
    [
        (Turn, (), "a", "'a' could be ask or answer"),
        (Turn, (), "x", "type ask, answer or cannot"),
        (Turn, (), "", "type ask, answer or cannot"),
        (Turn, ("ask",), " \n", "a sub-question cannot be empty"),
        (Turn, ("ask",), "\udcff", "no text in UTF-8"),
        (Turn, ("ask", "One?"), "0", "numbers from 1 to 2"),
        (Turn, ("ask", "One?", "", ""), "perhaps", "y or n"),
        (Turn, ("answer",), "", "cannot be empty"),
        (Turn, ("ask", "One?"), "1" * 5000, "numbers from 1 to 2, such as 1,2"),
        (Odd, ("red", "n"), "seven", "it must be JSON"),
        (Odd, ("red", "n"), "[" * 100_000, "it must be JSON: brackets stand in brackets"),
        (Odd, ("red", "n"), "[" * 101 + "]" * 101, "more than 100 deep"),
        (Odd, ("red", "n"), "NaN", "NaN is no finite number"),
        (Odd, ("red", "n"), '{"a": [-Infinity]}', "-Infinity is no finite number"),
        (Odd, ("red", "n"), "1e999", "1e999 is no finite number"),
        (Odd, ("red", "n"), "1" * 5000, "a number has more than 300 digits"),
    ],
)
def test_what_cannot_be_is_caught_with_a_line(
    returns: type[Reply], before: tuple[str, ...], line: str, wrong: str
) -> None:
    field = typed(returns, *before, texts=2).field
    assert field is not None
    with pytest.raises(ValueError, match=wrong):
        field.check(line)


@given(
    returns=st.sampled_from([Turn, LastTurn, Decomposition]),
    texts=st.integers(0, 3),
    lines=st.lists(
        st.one_of(
            st.sampled_from(["ask", "answer", "cannot", "y", "n", "", "1", "1,2"]), st.text()
        ),
        max_size=12,
    ),
)
def test_whatever_is_accepted_makes_a_reply_that_parses(
    returns: type[Reply], texts: int, lines: list[str]
) -> None:
    entries: list[tuple[str, str]] = []
    for line in lines:
        state = walk(form(returns, texts), entries)
        if state.field is None:
            break
        try:
            state.field.check(line)
        except ValueError:
            continue
        entries.append((state.field.name, line))
    state = walk(form(returns, texts), entries)
    assert len(state.fit) == len(entries)
    if state.field is None:
        parse(state.reply, returns, texts=texts)


@given(st.lists(st.tuples(st.text(), st.text())), st.text())
def test_a_draft_reads_as_it_was_written(entries: list[tuple[str, str]], typing: str) -> None:
    assert Draft.read(Draft(tuple(entries), typing).text) == Draft(tuple(entries), typing)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"entries": 3}', '{"entries": [[1, 2]], "typing": ""}', "[" * 100_000],
)
def test_a_garbled_draft_is_known(text: str) -> None:
    assert Draft.read(text) == Draft(garbled=True)


def test_entries_that_do_not_fit_are_left_out() -> None:
    entries = [("move", "ask"), ("sub-question 1", "One?"), ("colour", "red")]
    state = walk(form(Turn), entries)
    assert len(state.fit) == 2
    assert state.field is not None
    assert state.field.name == "sub-question 2"


def test_a_finishing_text_cannot_be_taken_for_a_reasoning_block() -> None:
    field = walk(None, ()).field
    assert field is not None
    with pytest.raises(ValueError, match="<think>"):
        field.check("<think>no</think> yes")
    assert (
        walk(None, [("answer", "cannot"), ("reason", "too\nhard")]).reply
        == "CANNOT ANSWER: too hard"
    )
    assert walk(None, [("answer", " cannot")]).reply == "cannot"
