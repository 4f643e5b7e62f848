"""The model `human`: whoever plays it, and the queue before the one at the terminal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from hch import HCH
from hch.budget import Price
from hch.commands._desk import Draft
from hch.commands._person import Nothing, PersonAtTerminal
from hch.errors import UsageError
from hch.events import Event, NodeClosed, PersonTyped, RootOpened
from hch.protocols import Model
from hch.types import Request
from hch.wire import Amounts
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


async def test_the_next_is_chosen_when_whoever_is_at_work_has_come(home: Path) -> None:
    served: list[str] = []

    class Hasty(PersonAtTerminal):
        async def _played(self, request: Request) -> str:
            served.append(request.call)
            return "so"

    person, view = Hasty(), Nothing()
    person.sits_at(HCH(depth=0, model="human", person=person, store=memory()).begin(["?"]), view)
    view.growth.take(RootOpened(index=0, key="r", question="?"))  # it will ask "b"
    async with asyncio.TaskGroup() as group:
        group.create_task(person.reply(Request((), call="a", node="a", level=1)))
        await asyncio.sleep(0)
        group.create_task(person.reply(Request((), call="b", node="b", level=0)))
        await asyncio.sleep(0)
        view.growth.take(ended("r"))
    assert served == ["b", "a"]
    view.growth.take(RootOpened(index=1, key="never", question="?"))
    assert await person.reply(Request((), call="c", node="c")) == "so"  # who never comes


def ended(key: str) -> NodeClosed:
    spent = Amounts.of(Price())
    return NodeClosed(key=key, status="answered", answer=None, reason="", notes=(), spent=spent)


async def test_who_watches_a_run_is_told_what_was_typed() -> None:
    person, told = PersonAtTerminal(), list[Event]()
    run = HCH(depth=0, model="human", person=person, store="memory").begin(["Why?"])
    person.sits_at(run, Nothing())
    run.watch = told.append
    draft = Draft((("answer", "so"),), "half")
    await person.keep(Request((), call="a"), draft)
    assert told == [PersonTyped(request="a", text=draft.text)]
    assert [record.event for record in run.store.events(run.id)] == told
