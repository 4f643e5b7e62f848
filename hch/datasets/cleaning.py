"""The filters that look at all rows together, in their order; each says how many rows it took.

Best of K is RAFT's (Dong et al. 2023, arXiv 2304.06767): of the samples of one root question only
the tree of the best answer is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from hch.datasets.dividing import BRIDGE, HELD, NEAR
from hch.datasets.staging import Staging

Apart: TypeAlias = Literal["trees", "questions"]
"""What lies on one side only: whole trees with all they ask, or just the root questions."""


class Taken(NamedTuple):
    """A filter, how many rows it took, and what it is for."""

    name: str
    rows: int
    what: str


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Which filters apply: `best` of K, one tree of near-equal roots, `balance` of numbers."""

    apart: Apart = "trees"
    best: bool = False
    drop_near: bool = False
    balance: bool = False
    extends: bool = False

    def clean(self, staging: Staging) -> Iterator[Taken]:
        """Take what is to be taken, filter by filter."""
        if self.best:
            rows = staging.lose_trees("best", _WORSE)
            yield Taken("best", rows, "another sample of the root question is better")
        if self.drop_near:
            rows = staging.lose_trees(NEAR, _LIKE_ANOTHER)
            yield Taken(NEAR, rows, "the root question is nearly that of another tree")
        rows = staging.lose(BRIDGE, "root IN (SELECT id FROM roots WHERE lost = ?)", BRIDGE)
        yield Taken(BRIDGE, rows, "the root is nearly one of each of two splits")
        yield Taken(HELD, self._hold(staging), _HELD_WHAT[self.apart])
        if self.extends:
            rows = staging.lose("there already", _THERE)
            yield Taken("there already", rows, "the dataset that is extended has the same row")
        rows = staging.lose("duplicate", _AGAIN)
        yield Taken("duplicate", rows, "there is the same row before it")
        if self.balance:
            least = list(staging.query(_CLASSES))
            rows = sum(staging.lose("balance", _MORE, *values) for values in least)
            yield Taken("balance", rows, "its level and task have more rows than others")

    def _hold(self, staging: Staging) -> int:
        """Take what would be on two sides."""
        if self.apart == "trees":
            return staging.lose(HELD, _ASKED_HIGHER) + staging.lose(HELD, _ASKED_EARLIER)
        taken = staging.lose(HELD, _ROOT_HIGHER)
        return taken + staging.lose(HELD, _ROWS_LOWER) + staging.lose(HELD, _ASKED_EARLIER)


_HELD_WHAT: dict[Apart, str] = {
    "trees": "a tree of a later split has the same node or asks the same question",
    "questions": "the question is a root's of a later split, or a row's of an earlier one",
}

_SIDE = "(SELECT side FROM roots WHERE roots.id = rows.root)"

_WORSE = """
id NOT IN (
  SELECT first_value(id) OVER (
    PARTITION BY question ORDER BY best IS NULL, best DESC, id) FROM roots)
"""
_LIKE_ANOTHER = """
question <> (SELECT other.question FROM roots other
             WHERE other.team = roots.team AND other.lost IS NULL ORDER BY other.id LIMIT 1)
"""
_ASKED_HIGHER = f"""
EXISTS (SELECT 1 FROM asked JOIN roots other ON other.id = asked.root
        WHERE asked.question = rows.question AND other.lost IS NULL AND other.side > {_SIDE})
OR EXISTS (SELECT 1 FROM reached
           WHERE reached.run = rows.run AND reached.node = rows.node AND reached.side > {_SIDE})
"""  # noqa: S608
_ASKED_EARLIER = f"""
EXISTS (SELECT 1 FROM earlier
        WHERE earlier.question = rows.question AND earlier.side <> {_SIDE})
"""  # noqa: S608
_ROOT_HIGHER = f"""
EXISTS (SELECT 1 FROM roots other WHERE other.question = rows.question
        AND other.lost IS NULL AND other.side > {_SIDE})
"""  # noqa: S608
_ROWS_LOWER = f"""
EXISTS (SELECT 1 FROM rows other JOIN roots owner ON owner.id = other.root
        WHERE other.question = rows.question AND other.lost IS NULL AND owner.side < {_SIDE})
"""  # noqa: S608
_THERE = """
EXISTS (SELECT 1 FROM earlier WHERE earlier.kind = rows.kind AND earlier.digest = rows.digest)
"""
_AGAIN = """
EXISTS (SELECT 1 FROM rows other WHERE other.kind = rows.kind AND other.digest = rows.digest
        AND other.lost IS NULL AND other.id < rows.id)
"""
_MORE = """
id IN (
  SELECT id FROM (
    SELECT kept.id AS id, row_number() OVER (
      PARTITION BY class ORDER BY digest, kept.id) AS number
    FROM rows kept JOIN roots ON roots.id = kept.root
    WHERE kept.lost IS NULL AND kept.kind = ? AND side = ?)
  WHERE number > ?)
"""
_CLASSES = """
SELECT kind, side, min(n) FROM (
  SELECT kind, side, class, count(*) AS n FROM rows JOIN roots ON roots.id = rows.root
  WHERE rows.lost IS NULL GROUP BY kind, side, class)
GROUP BY kind, side
"""
