"""What is the same for every copy of a run, and what a copy may ask of the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Protocol

from hch.budget import Price
from hch.events import NodeOpened
from hch.journal import Journal
from hch.prompts import PromptSet
from hch.protocols import Model, Strategy, Task, Workspace
from hch.steps import Instance
from hch.types import Answer, Completion, Request, Text, digest

REASON = 2000
"""The characters that are kept of why a node has no answer."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the engine allows a node: sub-questions in all, tokens a reply, bytes a message."""

    fanout: int = 16
    answer_tokens: int = 2048
    message_bytes: int = 65536

    def cut(self, body: str) -> str:
        """A text within the bytes of a message."""
        if len(body) * 4 <= self.message_bytes:
            return body
        data = body.encode("utf-8", "replace")
        if len(data) <= self.message_bytes:
            return body
        return data[: self.message_bytes].decode("utf-8", "ignore")


@dataclass(frozen=True, slots=True)
class Player:
    """Who plays a level: strategies, outermost first, and the model that they think with."""

    spec: str
    layers: tuple[Strategy, ...]
    model: Model | None


@dataclass(frozen=True)
class Rules:
    """What holds for a whole run; `players` are by level, `instances` by their digest."""

    players: tuple[Player, ...]
    prompts: PromptSet
    journal: Journal
    limits: Limits = Limits()
    seed: int = 0
    manual: Text | None = None
    task: Task | None = None
    instances: Mapping[str, Instance] = field(default_factory=dict)

    @cached_property
    def _who(self) -> tuple[str, ...]:
        chain = accumulate((player.spec for player in self.players), digest, initial="")
        return tuple(chain)[1:]

    def who(self, level: int) -> str:
        """A digest of the players of this level and all below it."""
        return self._who[level]


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
