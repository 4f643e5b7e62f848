"""Agents that answer many questions at once, and learners that make new ones of what was answered.

Amplification asks an agent A; distillation makes the next one (Christiano, Shlegeris and Amodei
2018, arXiv 1810.08575).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from hch.types import Answer, Path


class Put(NamedTuple):
    """A question as it is put to an agent: an instance by its digest, an absolute sample path."""

    body: str
    instance: str | None = None
    sample: Path = ()


class Told(NamedTuple):
    """An answer, and how often H worked for it in a tree that shares nothing."""

    answer: Answer
    calls: int = 0


class Agent(Protocol):
    """Whoever answers many questions at once: A."""

    def answer(self, puts: Sequence[Put]) -> list[Told]:
        """An answer to each, in order; equal ones get equal answers."""
        ...


class Row(NamedTuple):
    """What a question about an instance was answered: a text, or the weight of each of several."""

    instance: str | None
    question: str
    answer: str | Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Learned:
    """A new agent: the spec of the model that it is in a tree, and what a store keeps of it by name.

    `kept` is all that the spec needs.
    """

    spec: str
    kept: Mapping[str, str]


class Learner(Protocol):
    """Makes agents. `generalises` says whether one may know what it was not told."""

    generalises: bool

    def learn(self, name: str, rows: Sequence[Row], before: Mapping[str, str]) -> Learned:
        """An agent of that name, from rows and from what was kept of the agent before it."""
        ...

    def agent(self, kept: Mapping[str, str], seed: int) -> Agent:
        """The agent of which that was kept, as a run of that seed meets it at level 0."""
        ...
