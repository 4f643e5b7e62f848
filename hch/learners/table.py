"""Learns by heart: to each question the most frequent of its answers, or all of them by weight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial

from hch.agents import Learned, Learner, Query, Response, Row
from hch.chance import Chance, seed_of
from hch.engine import ended
from hch.errors import ConfigError
from hch.registry import Spec
from hch.replies import without_reasoning
from hch.rules import REASON, Limits
from hch.tables import UNKNOWN, Said, Table, found, on_shelf, spec_of
from hch.types import Answer


class TableLearner:
    """Makes tables; with `soft` a question of several answers is answered by how often each came.

    A question in the rows is told anew, whatever was known of it: one that got no answer is not
    known any more. Of several answers that are as frequent the first holds.
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
            came = answers.setdefault((instance, question), Counter())
            if answer is not None:
                came[answer] += 1
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
    """What becomes of a node that was said this: as `Thinking` reads it and the engine ends it."""
    text = without_reasoning(UNKNOWN if said is None else said).strip()
    if not text:
        return Response(Answer("failed", None, "the reply was empty"))
    limits = Limits()
    body = limits.cut(text)
    answer = ended(body)
    cut = f"cut: the reply was longer than {limits.message_bytes} bytes"
    notes = () if body is text else (cut,)
    return Response(replace(answer, reason=answer.reason[:REASON], notes=notes))


def table_of(learned: Learned) -> Table:
    """The table that was learned. Raises ConfigError where this is none."""
    spec = Spec.parse(learned.spec)
    if spec.name != "table":
        raise ConfigError(f"{learned.spec!r} is no table: another learner has made it")
    return found(spec.arg or "", learned.kept.get, dict(spec.options).get("sha"))


def build(*, soft: bool = False) -> Learner:
    """With `soft`, a question that got several answers keeps all of them."""
    return TableLearner(soft)
