"""The model `human`, and what a person types as a fold that always makes a reply that parses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from rich.cells import cell_len

from hch import HCH
from hch.commands._desk import Draft
from hch.commands._form import State, walk
from hch.commands._person import Nothing, PersonAtTerminal
from hch.commands._sheet import sheet, wrapped
from hch.errors import UsageError
from hch.events import Event, PersonTyped
from hch.protocols import Model
from hch.replies import Reply, form, parse
from hch.safe_text import safe_text
from hch.strategies.consult import LastTurn, Turn
from hch.strategies.factored import Decomposition
from hch.types import Message, Part, Request
from tests.support import answering, asking, memory


class Puppet:
    """A person whose fingers are a function."""

    def __init__(self, says: Any) -> None:
        self.says = says
        self.requests: list[Request] = []

    async def reply(self, request: Request) -> str:
        self.requests.append(request)
        return self.says(request)


def test_a_person_plays_by_any_means() -> None:
    def says(request: Request) -> str:
        if request.form is None:
            return "5"
        asked = any(part.origin == "answer 1" for part in request.messages[-1].parts)
        return answering("15") if asked else asking("What is 2 + 3?")

    person = Puppet(says)
    result = HCH(
        depth=1, model="human", strategy="consult", person=person, store=memory()
    ).ask_sync("What is (2 + 3) * 3?")
    assert (result.text, result.status) == ("15", "answered")
    [root] = result.trace.roots
    [one] = [ask.node for ask in root.asks]
    assert one is not None
    assert one.question.text.source == "person"
    assert [
        node.closed.answer.source for node in (root, one) if node.closed and node.closed.answer
    ] == [
        "person",
        "person",
    ]
    assert [request.level for request in person.requests] == [1, 0, 1]
    assert result.trace.started.players == ("consult@human", "consult@human")


def test_a_person_is_free_and_has_no_deadline() -> None:
    hch = HCH(depth=0, model="human", person=Puppet(lambda _: "so"), store=memory(), timeout=1e-9)
    result = hch.ask_sync("Why?")
    assert result.text == "so"
    assert result.trace.bill.microusd == 0
    [player] = hch.players
    assert isinstance(player.model, Model)
    assert player.model.by_hand


def test_nobody_cannot_be_asked() -> None:
    with pytest.raises(UsageError, match="here is none"):
        HCH(depth=0, model="human", store=memory()).ask_sync("Why?")
    with pytest.raises(UsageError, match="no deadline applies to people"):
        HCH(depth=0, model="human", person=Puppet(str), budget="10min", store=memory()).begin(["?"])


# What is typed


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


# What is shown


def request(*parts: Part) -> Request:
    return Request((Message("user", parts),))


def test_repeats_refusals_and_what_was_wrong_are_shown() -> None:
    lines = sheet(
        request(
            Part("Question: "),
            Part("Why?", "question"),
            Part("\n\nSub-question 1: "),
            Part("One?", "sub-question 1"),
            Part("\nNo answer (refused): ", "status 1"),
            Part("too many", "reason 1"),
            Part("\n\nSub-question 2 was the same as sub-question 1."),
            Part("\n\n3 more questions were refused: no", "refusals"),
            Part("it was empty", "problem"),
            Part("A house rule", "rule"),
            Part("Why?", "question"),
        ),
        60,
    )
    said = "\n".join(lines).replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert said == (
        "Question\n  Why?\n\nSub-question 1: One?\n  No answer (refused): too many\n\n"
        "Sub-question 2 was the same as sub-question 1.\n\n3 more questions were refused: no\n\n"
        "It could not be used: it was empty\n\nRule\n  A house rule"
    )


@given(st.text(), st.integers(1, 40))
def test_wrapping_loses_nothing_but_space(text: str, width: int) -> None:
    lines = wrapped(text, width, "  ")
    assert "".join("".join(lines).split()) == "".join(safe_text(text).split())
    assert all(cell_len(line) <= max(width, 6) for line in lines)


def test_a_long_text_is_cut_and_told() -> None:
    lines = sheet(request(Part("\n".join(map(str, range(100))), "question")), 60)
    assert len(lines) == 13
    assert "89 more lines; type show for all" in lines[-1]
    assert (
        len(sheet(request(Part("\n".join(map(str, range(100))), "question")), 60, whole=True))
        == 101
    )


# The queue


async def test_a_wait_that_is_cancelled_holds_up_nobody(home: Path) -> None:
    served: list[str] = []

    class Hasty(PersonAtTerminal):
        async def _played(self, request: Request) -> str:
            served.append(request.call)
            await asyncio.sleep(0)
            return "so"

    person = Hasty()
    calls = [
        Request((), call=name, node=name, level=level)
        for name, level in (("a", 1), ("b", 0), ("c", 1))
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(person.reply(call)) for call in calls]
        await asyncio.sleep(0)
        tasks[0].cancel()
    assert served == ["b", "c"]


async def test_who_watches_a_run_is_told_what_was_typed() -> None:
    person, told = PersonAtTerminal(), list[Event]()
    run = HCH(depth=0, model="human", person=person, store="memory").begin(["Why?"])
    person.sits_at(run, Nothing())
    run.watch = told.append
    draft = Draft((("answer", "so"),), "half")
    await person.keep(Request((), call="a"), draft)
    assert told == [PersonTyped(request="a", text=draft.text)]
    assert [record.event for record in run.store.events(run.id)] == told
