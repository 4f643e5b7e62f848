"""Agents that answer many questions at once, and what a learner makes them of.

Amplification asks an agent A; distillation makes the next one (Christiano, Shlegeris and Amodei
2018, arXiv 1810.08575).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hch.types import Answer, Path


class Query(NamedTuple):
    """A question as it is put to an agent: an instance by its digest, an absolute sample path."""

    body: str
    instance: str | None = None
    sample: Path = ()


class Response(NamedTuple):
    """An answer, and how often H worked for it in a tree that shares nothing."""

    answer: Answer
    calls: int = 0


class Agent(Protocol):
    """Whoever answers many questions at once: A."""

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        """An answer to each, in order; equal ones get equal answers."""
        ...


class Row(NamedTuple):
    """What a question about an instance was answered, once."""

    instance: str | None
    question: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Learned:
    """An agent as it is kept: the spec of the model that it is in a tree, and what that needs.

    `kept` are texts of a store's shelf, by name.
    """

    spec: str
    kept: Mapping[str, str]
