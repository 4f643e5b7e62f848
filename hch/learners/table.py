"""Learns by heart: to each question the most frequent of its answers, or all of them by weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, partial

from hch.agents import Learned, Query, Response, Row
from hch.chance import Chance, seed_of
from hch.errors import ConfigError, NodeError
from hch.protocols import Learner
from hch.registry import Spec
from hch.replies import ended
from hch.rules import Limits
from hch.tables import UNKNOWN, Said, Table, found, on_shelf, spec_of
from hch.types import Completion

_LOST = {"failed", "truncated", "cancelled"}
"""How an answer ends that says nothing about its question."""


class TableLearner:
    """Makes tables; with `soft` a question of several answers is answered by how often each came.

    A question in the rows is told anew, whatever was known of it: one that nobody could answer is
    not known any more. An answer that failed on its way tells nothing, and what was known stays. Of
    several answers that are as frequent the first holds.
    """

    def __init__(self, soft: bool) -> None:
        self._soft = soft

    def learn(self, name: str, rows: Iterable[Row], before: Learned | None) -> Learned:
        known = table_of(before).rows() if before else ()
        table = Table((*known, *self._told(rows)))
        return Learned(spec_of(name, table), {on_shelf(name): table.text})

    def agent(self, learned: Learned, seed: int) -> TableAgent:
        return TableAgent(table_of(learned), seed)

    def _told(self, rows: Iterable[Row]) -> Iterator[tuple[str | None, str, Said | None]]:
        """What is said to each question of these rows."""
        answers: dict[tuple[str | None, str], Counter[str]] = {}
        for instance, question, answer in rows:
            if answer.status in _LOST:
                continue
            came = answers.setdefault((instance, question), Counter())
            if answer.answered and answer.text:
                came[answer.text.body] += 1
        for (instance, question), came in answers.items():
            if came:
                yield instance, question, came if self._soft else max(came, key=came.__getitem__)
            else:
                yield instance, question, None


class TableAgent:
    """A table as `direct@table:NAME` plays it at level 0, in a run of that seed."""

    def __init__(self, table: Table, seed: int) -> None:
        self._find = table.find
        self._seed = cache(partial(seed_of, seed))
        self._told = cache(_told)

    def answer(self, queries: Sequence[Query]) -> list[Response]:
        find, seed, told, chance = self._find, self._seed, self._told, Chance()
        return [told(find(about, body, seed(sample), chance)) for body, about, sample in queries]


def _told(said: str | None) -> Response:
    """What becomes of a node whose model said this."""
    limits, notes = Limits(), tuple[str, ...]()
    try:
        text, notes = limits.finishing(Completion(UNKNOWN if said is None else said))
        answer = ended(text)
    except NodeError as error:
        answer = ended(error)
    return Response(limits.leaving(answer, notes))


def table_of(learned: Learned) -> Table:
    """The table that was learned. Raises ConfigError where this is none."""
    spec = Spec.parse(learned.spec)
    if spec.name != "table":
        raise ConfigError(f"{learned.spec!r} is no table: another learner has made it")
    return found(spec.arg or "", learned.kept.get, dict(spec.options).get("sha"))


def build(*, soft: bool = False) -> Learner:
    """With `soft`, a question that got several answers keeps all of them."""
    return TableLearner(soft)
