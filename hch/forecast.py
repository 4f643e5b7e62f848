"""What a tree will cost, before anything is sent: the real rules, played by an imaginary H.

`Forecast` is a tree (`hch.rules.Tree`) that grows one node of each kind in place of all of them:
nodes of one level, player and grant cost alike, so a tree of any size is told in a few dozen
nodes. Strategies, prompts, grants and guards are those of the run; only the replies are made up.
Sub-questions that the task can read are answered by its truth, each by itself, so that scripts
above a model go their true way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Literal

from hch.budget import UNLIMITED, Price
from hch.engine import first
from hch.errors import NodeError
from hch.events import Event
from hch.journal import Journal
from hch.middleware import Wrapper
from hch.protocols import Model
from hch.rates import Rate
from hch.replies import ended
from hch.rules import Outcome, Player, Rules, Seat
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
    last turn.
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
        task = self.rules.task
        if task is None or not _is_readable(self.rules, request.question):
            return None
        instance = named(self.rules.instances, request.instance)
        answer = task.truth(instance, task.parse(request.question))
        return answer.text.body if answer.text else None

    def _filled(self, schema: dict[str, Any], request: Request) -> Any:
        """A value that fits a schema: asks where that is a move, else answers."""
        if "enum" in schema:
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

    async def root(self, question: Question, grant: Price) -> Price:
        """What a root comes to, with all below it. Raises what a run would end with, as itself."""
        top = (len(self.rules.players) - 1, 0)
        try:
            async with asyncio.TaskGroup() as self._group:
                [outcome] = await self.open([Copy(self, question, (), top, grant)])
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
        if _is_readable(self.rules, copy.question.text.body):
            return copy.key
        grant = copy.opened().grant.price().amounts()
        return copy.level, copy.opened().wrapper, grant, len(copy.question.context)

    async def _grow(self, copy: Seat) -> Outcome:
        try:
            answer = ended(await copy.strategy(copy))
        except NodeError as error:
            answer = ended(error)
        outcome = copy.outcome(answer)
        return replace(outcome, spent=_held(outcome.spent, BEYOND))


async def estimate(
    rules: Rules, question: Question, *, cap: Price, grant: Price, fanout: int | None
) -> Estimate:
    """The three bills of one question; `fanout` says how many sub-questions a typical node asks."""
    typical = min(fanout or FANOUT, rules.limits.fanout)
    high = _priced(rules, lambda rate: rate.highest)
    least = await Forecast(Mind("least", 1, rules)).root(question, grant)
    middle = await Forecast(Mind("typical", typical, rules)).root(question, grant)
    most = await Forecast(Mind("most", rules.limits.fanout, high)).root(question, UNLIMITED)
    most = _held(most, cap)
    dollars = min(most.microusd, _dearest(most, rules)) if cap.tokens != inf else most.microusd
    return Estimate(_cheapest(least, rules), middle, replace(most, microusd=dollars))


def _cheapest(granted: Price, rules: Rules) -> Price:
    """The least bill of what grants were charged so much for: they pay no cached price."""
    rates = [player.model.rate for player in rules.players if player.model and player.model.rate]
    share = min((rate.lowest_share for rate in rates), default=1.0)
    if share == 1:
        return granted
    rounded = granted.calls  # each call's price is rounded up by itself
    least = min(1, granted.microusd)  # and what costs anything is no less than one
    return replace(granted, microusd=max(least, int(granted.microusd * share - rounded)))


def _priced(rules: Rules, change: Callable[[Rate], Rate]) -> Rules:
    """Rules whose models have another price."""

    def changed(player: Player) -> Player:
        if player.model is None or player.model.rate is None:
            return player
        model = Wrapper(player.model)
        model.rate = change(player.model.rate)
        return replace(player, model=model)

    return replace(rules, players=tuple(map(changed, rules.players)))


def _held(price: Price, cap: Price) -> Price:
    return Price(*map(min, price.amounts(), cap.amounts()))


def _dearest(bill: Price, rules: Rules) -> float:
    """What the tokens of a bill can cost at the most."""
    rates = [player.model.rate for player in rules.players if player.model and player.model.rate]
    tokens, calls = int(bill.tokens), int(bill.calls)
    return max((rate.at_most(tokens, calls) for rate in rates), default=0)


class Unwritten(Journal):
    """A journal that nobody keeps."""

    def __init__(self) -> None:
        pass

    def write(self, event: Event) -> None:
        pass


def _is_readable(rules: Rules, body: str) -> bool:
    """Whether the run's task can read a question."""
    if rules.task is None:
        return False
    try:
        rules.task.parse(body)
    except ValueError:
        return False
    return True


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
