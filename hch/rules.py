"""What is the same for every copy of a run, and what a copy may ask of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate, chain
from typing import Any, Protocol

from hch.budget import Price
from hch.errors import LengthError, RefusalError, ReplyError
from hch.events import NodeOpened
from hch.journal import Journal
from hch.prompts import PromptSet
from hch.protocols import Model, Strategy, Task, Workspace
from hch.replies import without_reasoning
from hch.steps import Instance
from hch.types import KEPT, Answer, Completion, Request, Text, digest

REASON = KEPT
"""The characters that are kept of why a node has no answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine allows a node: sub-questions in all, tokens a reply, bytes a message."""

    fanout: int = 16
    answer_tokens: int = 2048
    message_bytes: int = 65536

    def cut(self, body: str, what: str) -> tuple[str, tuple[str, ...]]:
        """A text within the bytes of a message, and the note that `what` was longer, if it was."""
        if len(body) * 4 <= self.message_bytes:
            return body, ()
        data = body.encode("utf-8", "replace")
        if len(data) <= self.message_bytes:
            return body, ()
        kept = data[: self.message_bytes].decode("utf-8", "ignore")
        return kept, (f"cut: {what} was longer than {self.message_bytes} bytes",)

    def finishing(self, completion: Completion) -> tuple[str, tuple[str, ...]]:
        """A finishing text, and the notes of what was cut off it.

        Raises RefusalError, LengthError or ReplyError where the reply has none.
        """
        text = without_reasoning(completion.text).strip()
        noted: tuple[str, ...] = ()
        if completion.finish in ("refusal", "content_filter"):
            raise RefusalError(text or f"stopped by the model's provider ({completion.finish})")
        if completion.finish == "length":
            if not text:
                raise LengthError("the reply reached its length limit before any text")
            noted = (f"cut: the reply reached its limit of {self.answer_tokens} tokens",)
        if not text:
            raise ReplyError("the reply was empty")
        body, cut = self.cut(text, "the reply")
        return body, (*noted, *cut)

    def leaving(self, answer: Answer, notes: Sequence[str] = ()) -> Answer:
        """An answer as it leaves its node: no longer than it may be, every note once, these first.

        A reason is not longer than `REASON` either.
        """
        text, reason = answer.text, answer.reason
        cut: tuple[str, ...] = ()
        if text is not None:
            body, cut = self.cut(text.body, "the answer")
            text = replace(text, body=body) if cut else text
        if not (cut or notes or answer.notes or len(reason) > REASON):
            return answer
        noted = dict.fromkeys((*notes, *cut, *answer.notes))
        return replace(answer, text=text, reason=reason[:REASON], notes=tuple(noted))


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays a level: strategies, outermost first, and the model that they think with.

    `others` are the players that its strategies put questions to, by the names they give them.
    """

    spec: str
    layers: tuple[Strategy, ...]
    model: Model | None
    others: Mapping[str, Player] = field(default_factory=dict)

    @property
    def whole(self) -> str:
        """Its spec, and who the others are, which that does not tell where they bring no model."""
        others = ", ".join(f"{name}={other.whole}" for name, other in self.others.items())
        return f"{self.spec} ({others})" if others else self.spec

    def everyone(self) -> Iterator[Player]:
        """This player, and all those that its questions may be put to."""
        yield self
        for other in self.others.values():
            yield from other.everyone()

    def thinking_by(self, change: Callable[[Model], Model]) -> Player:
        """The same, each of them with what this makes of its model."""
        others = {name: other.thinking_by(change) for name, other in self.others.items()}
        return replace(self, model=self.model and change(self.model), others=others)


@dataclass(frozen=True)
class Lineup:
    """Who plays each level of a tree, from 0 up."""

    players: tuple[Player, ...]

    @cached_property
    def _who(self) -> tuple[str, ...]:
        digests = accumulate((player.whole for player in self.players), digest, initial="")
        return tuple(digests)[1:]

    @property
    def depth(self) -> int:
        """The n of HCH_n."""
        return len(self.players) - 1

    def everyone(self) -> Iterator[Player]:
        """Every player of it, and all those that questions may be put to."""
        return chain.from_iterable(player.everyone() for player in self.players)

    @property
    def others(self) -> tuple[str, ...]:
        """Who is put questions to, by each name that a player has for somebody."""
        found = (f"{n}={o.whole}" for player in self.everyone() for n, o in player.others.items())
        return tuple(dict.fromkeys(found))

    def models(self) -> Iterator[Model]:
        """What they think with."""
        return (player.model for player in self.everyone() if player.model)

    def thinking_by(self, change: Callable[[Model], Model]) -> Lineup:
        """The same players, each with what this makes of its model."""
        return Lineup(tuple(player.thinking_by(change) for player in self.players))

    def who(self, level: int) -> str:
        """A digest of the players of this level and all below it."""
        return self._who[level]

    def with_at(self, level: int, player: Player) -> Lineup:
        """Another player at a level, which is the highest there is then."""
        return Lineup((*self.players[:level], player))


def put_to(lineups: Sequence[Lineup]) -> tuple[tuple[str, ...], ...]:
    """Who is put questions to in each of these lineups; empty where nobody is in any."""
    found = tuple(lineup.others for lineup in lineups)
    return found if any(found) else ()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy is in a tree: at a level, as wrapper number `wrapper` of its player."""

    lineup: Lineup
    level: int
    wrapper: int = 0

    @property
    def player(self) -> Player:
        return self.lineup.players[self.level]


@dataclass(frozen=True)
class Rules:
    """What holds for a whole run; `instances` are by their digest."""

    prompts: PromptSet
    journal: Journal
    limits: Limits = Limits()
    seed: int = 0
    manual: Text | None = None
    task: Task | None = None
    instances: Mapping[str, Instance] = field(default_factory=dict)

    def term(self, body: str) -> Any | None:
        """What the run's task reads in a question; None where it cannot read it."""
        try:
            return self.task.parse(body) if self.task else None
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a node ended, what it and its children were charged, and if all it saw is trusted."""

    answer: Answer
    spent: Price
    trusted: bool = True


class Seat(Workspace, Protocol):
    """A copy of H and its workspace, as a round and the engine see it."""

    key: str
    strategy: Strategy

    def is_viable(self) -> bool:
        """Whether its grant pays for the least that its strategy can answer with."""
        ...

    def opened(self) -> NodeOpened:
        """The event that opens it."""
        ...

    def outcome(self, answer: Answer) -> Outcome:
        """Its answer as it leaves the node."""
        ...


class Tree(Protocol):
    """The engine, as a copy sees it."""

    rules: Rules

    async def call(self, model: Model, request: Request) -> Completion:
        """One logical call; equal ones, also in flight, are sent once. Raises NodeError."""
        ...

    async def open(self, copies: Sequence[Seat]) -> list[Outcome]:
        """What becomes of copies, in order; equal ones, also in flight, are one node."""
        ...
