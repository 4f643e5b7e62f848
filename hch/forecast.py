"""What a tree will cost, before anything is sent: the real rules, played by an imaginary H.

`Forecast` is a tree (`hch.rules.Tree`) that grows one node of each kind in place of all of them:
nodes of one level, player, grant and size cost alike, so a tree of any size is told in a few dozen
nodes. Strategies, prompts, grants and guards are those of the run; only the replies are made up.
Sub-questions that the task can read are answered by its truth, each by itself, so that scripts
above a model go their true way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

from hch.budget import UNLIMITED, Price
from hch.engine import first
from hch.errors import NodeError
from hch.events import Event
from hch.imagined import Agreeing, Dearest
from hch.journal import Journal
from hch.middleware import Wrapper
from hch.protocols import Model
from hch.rates import Rate
from hch.replies import ended
from hch.rules import Lineup, Outcome, Place, Rules, Seat
from hch.steps import named
from hch.types import Completion, Question, Request, Usage
from hch.workspace import Copy

FANOUT = 3
"""Sub-questions of a node in a typical tree, where nobody says how many."""

QUESTION, ANSWER = 15, 60
"""Tokens of a typical sub-question, and of a typical answer."""

CHARACTERS = 4
"""Of a typical token."""

MOST_CHARACTERS = 8
"""Of a token where there are as few as can be; long runs of blanks alone can have more."""

BEYOND = Price(*[10.0**18] * 4)
"""Where counting ends: what comes to more is said to be so much."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The bill of a tree: the root alone, a typical tree, and the most that there can be.

    Prices are those of an answered root whose attempts are not repeated; `most` is held to the
    run's cap. Dollars are 0 for a model whose price is not known.
    """

    least: Price
    typical: Price
    most: Price


@dataclass(frozen=True, slots=True)
class Mind:
    """An imaginary H: asks `fanout` sub-questions wherever it may, or needs no help.

    `most` makes every reply as long as may be, the first of each form useless, and asks on to the
    last turn. How its votes and checks go is in `hch.imagined`.
    """

    kind: Literal["least", "typical", "most"]
    fanout: int
    rules: Rules

    def reply(self, model: Model, request: Request) -> Completion:
        if self.kind == "most" and request.form and not _is_repair(request):
            text = "0" * self._longest
        elif request.form:
            text = json.dumps(self._filled(json.loads(request.form.schema), request))
        else:
            text = self._truth(request) or self._words(ANSWER)
        return Completion(text, usage=Usage() if model.by_hand else self._usage(request, text))

    @property
    def _longest(self) -> int:
        return self.rules.limits.answer_tokens

    def _usage(self, request: Request, text: str) -> Usage:
        if self.kind == "most":
            return Usage(request.bound, self._longest)
        sent = sum(len(message.content) for message in request.messages)
        per = CHARACTERS if self.kind == "typical" else MOST_CHARACTERS
        return Usage(-(-sent // per), -(-len(text) // per))

    def _words(self, tokens: int) -> str:
        """A text of so many tokens; the shortest and the longest minds have their own lengths."""
        if self.kind == "typical":
            return ("so " * 2 * tokens)[: CHARACTERS * tokens].strip() + "."
        return "0" * (self._longest if self.kind == "most" else 1)

    def _truth(self, request: Request) -> str | None:
        """What the task's oracle of truth says, so that a script can go on from it."""
        task, term = self.rules.task, self.rules.term(request.question)
        if task is None or term is None:
            return None
        answer = task.truth(named(self.rules.instances, request.instance), term)
        return answer.text.body if answer.text else None

    def _filled(self, schema: dict[str, Any], request: Request) -> Any:
        """A value that fits a schema: asks where that is a move, else answers."""
        if "enum" in schema:
            if self.kind == "most" and "reject" in schema["enum"]:
                return "reject"
            return "ask" if "ask" in schema["enum"] and self._asks(request) else _first(schema)
        match schema.get("type"):
            case "object":
                parts = schema.get("properties", {}).items()
                return {name: self._filled(part, request) for name, part in parts}
            case "array":
                return self._questions(request) if _holds_questions(schema) else []
            case "boolean":
                return False
            case "integer" | "number":
                return 0
        return self._truth(request) or self._words(ANSWER)

    def _asks(self, request: Request) -> bool:
        if self.kind == "least" or request.level == 0:
            return False
        return self.kind == "most" or not _has_asked(request)

    def _questions(self, request: Request) -> list[dict[str, Any]]:
        if not self._asks(request):
            return []
        many = self.fanout
        size = QUESTION * CHARACTERS if self.kind == "typical" else self._longest // many
        heads = (f"{request.level}.{i} " for i in range(1, many + 1))
        return [{"question": head + "0" * max(0, size - len(head))} for head in heads]


class Forecast:
    """One imaginary H's tree."""

    def __init__(self, mind: Mind) -> None:
        self.rules = mind.rules
        self._mind = mind
        self._group: asyncio.TaskGroup
        self._known: dict[object, asyncio.Task[Outcome]] = {}

    async def root(self, question: Question, lineup: Lineup, grant: Price) -> Price:
        """What a root comes to, with all below it. Raises what a run would end with, as itself."""
        place = Place(lineup, lineup.depth)
        try:
            async with asyncio.TaskGroup() as self._group:
                [outcome] = await self.open([Copy(self, question, (), place, grant)])
        except BaseExceptionGroup as group:
            raise first(group) from None
        return outcome.spent

    async def call(self, model: Model, request: Request) -> Completion:
        return self._mind.reply(model, request)

    async def open(self, copies: Sequence[Seat]) -> list[Outcome]:
        """What becomes of copies, in order; of those of one kind only the first is grown."""
        tasks = []
        for copy in copies:
            kind = self._kind(copy)
            if kind not in self._known:
                self._known[kind] = self._group.create_task(self._grow(copy))
            tasks.append(self._known[kind])
        if tasks:
            await asyncio.wait(tasks)
        return [task.result() for task in tasks]

    def _kind(self, copy: Seat) -> object:
        asked, opened = copy.question, copy.opened()
        if self.rules.term(asked.text.body) is not None:
            return copy.key
        place = opened.player, copy.level, opened.wrapper
        sizes = [len(text.body) for text in (asked.text, *asked.context)]
        return place, opened.grant.price().amounts(), *sizes

    async def _grow(self, copy: Seat) -> Outcome:
        try:
            answer = await self._seated(copy).answer()
        except NodeError as error:
            answer = ended(error)
        outcome = copy.outcome(answer)
        return replace(outcome, spent=_held(outcome.spent, BEYOND))

    def _seated(self, copy: Seat) -> Agreeing | Dearest:
        if self._mind.kind == "most":
            return Dearest(copy, self.rules.limits.answer_tokens)
        return Agreeing(copy)


async def estimate(
    rules: Rules,
    lineup: Lineup,
    question: Question,
    *,
    cap: Price,
    grant: Price,
    fanout: int | None,
) -> Estimate:
    """The three bills of one question; `fanout` says how many sub-questions a typical node asks."""
    typical = min(fanout or FANOUT, rules.limits.fanout)
    least = await Forecast(Mind("least", 1, rules)).root(question, lineup, grant)
    middle = await Forecast(Mind("typical", typical, rules)).root(question, lineup, grant)
    long = Forecast(Mind("most", rules.limits.fanout, rules))
    most = await long.root(question, lineup.thinking_by(_dear), UNLIMITED)
    most = _held(most, cap)
    dollars = min(most.microusd, dearest(most, lineup)) if cap.tokens != inf else most.microusd
    return Estimate(_cheapest(least, lineup), middle, replace(most, microusd=dollars))


def _rates(lineup: Lineup) -> list[Rate]:
    return [model.rate for model in lineup.models() if model.rate]


def _cheapest(granted: Price, lineup: Lineup) -> Price:
    """The least bill of what grants were charged so much for: they pay no cached price."""
    rates = _rates(lineup)
    share = min((rate.lowest_share for rate in rates), default=1.0)
    if share == 1:
        return granted
    rounded = granted.calls  # each call's price is rounded up by itself
    least = min(1, granted.microusd)  # and what costs anything is no less than one
    return replace(granted, microusd=max(least, int(granted.microusd * share - rounded)))


def _dear(model: Model) -> Model:
    """The model at its highest price."""
    if model.rate is None:
        return model
    wrapped = Wrapper(model)
    wrapped.rate = model.rate.highest
    return wrapped


def _held(price: Price, cap: Price) -> Price:
    return Price(*map(min, price.amounts(), cap.amounts()))


def dearest(bill: Price, lineup: Lineup) -> float:
    """What the tokens of a bill can cost at the most."""
    rates = _rates(lineup)
    tokens, calls = int(bill.tokens), int(bill.calls)
    return max((rate.at_most(tokens, calls) for rate in rates), default=0)


class Unwritten(Journal):
    """A journal that nobody keeps."""

    def __init__(self) -> None:
        pass

    def write(self, event: Event) -> None:
        pass


def _origins(request: Request) -> set[str]:
    return {part.origin.split(" ")[0] for part in request.messages[-1].parts}


def _is_repair(request: Request) -> bool:
    return "problem" in _origins(request)


def _has_asked(request: Request) -> bool:
    return "sub-question" in _origins(request)


def _first(schema: dict[str, Any]) -> Any:
    return "answer" if "answer" in schema["enum"] else schema["enum"][0]


def _holds_questions(schema: dict[str, Any]) -> bool:
    items = schema.get("items", {})
    return isinstance(items, dict) and "question" in items.get("properties", {})
