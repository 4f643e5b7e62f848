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
            for statement in _FIRSTS:
                staging.run(statement)
            rows = staging.lose_trees(NEAR, _LIKE_ANOTHER)
            yield Taken(NEAR, rows, "the root question is nearly that of another tree")
        rows = staging.lose(BRIDGE, "root IN (SELECT id FROM roots WHERE lost = ?)", BRIDGE)
        yield Taken(BRIDGE, rows, "the root is nearly one of each of two splits")
        yield Taken(HELD, self._hold(staging), _HELD_WHAT[self.apart])
        if self.extends:
            staging.run("CREATE INDEX earlier_by_digest ON earlier (digest)")
            staging.run("CREATE INDEX earlier_by_question ON earlier (question)")
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
        for statement in _HIGHEST[self.apart]:
            staging.run(statement)
        taken = staging.lose(HELD, _SHOWN_HIGHER)
        staging.run(_BY_WHOM, HELD)
        for statement in _LOWEST[self.apart]:
            staging.run(statement)
        return taken + staging.lose(HELD, _ASKED_LOWER)


_HELD_WHAT: dict[Apart, str] = {
    "trees": "a question in it is one of a tree of a later split",
    "questions": "a question in it is a root's of a later split, or is asked in an earlier one",
}

_WORSE = """
id NOT IN (
  SELECT first_value(id) OVER (
    PARTITION BY question ORDER BY best IS NULL, best DESC, id) FROM roots)
"""
_LIKE_ANOTHER = """
question <> (SELECT first.question FROM firsts JOIN roots first ON first.id = firsts.id
             WHERE firsts.team = roots.team)
"""
_FIRSTS = (
    "CREATE TABLE firsts (team INTEGER PRIMARY KEY, id INTEGER)",
    "INSERT INTO firsts SELECT team, min(id) FROM roots WHERE lost IS NULL GROUP BY team",
)
_TOP = """
CREATE TABLE top (question BLOB PRIMARY KEY, side INTEGER, root INTEGER) WITHOUT ROWID
"""
_LOW = "CREATE TABLE low (question BLOB PRIMARY KEY, side INTEGER) WITHOUT ROWID"
_IN_TREES = """
SELECT asked.question, roots.side, roots.id AS root
FROM asked JOIN roots ON roots.id = asked.root WHERE roots.lost IS NULL
UNION ALL
SELECT asked.question, reached.side, reached.root FROM reached JOIN asked USING (run, node)
UNION ALL
"""
_BY_ROOTS = """
SELECT question, side, id AS root FROM roots WHERE lost IS NULL
UNION ALL SELECT question, side, NULL FROM earlier WHERE kind <> 'shown'
"""
_LAST = """
INSERT INTO top SELECT question, side, root FROM (
  SELECT question, side, root, row_number() OVER (
    PARTITION BY question ORDER BY side DESC, root) AS number
  FROM ({asked}) WHERE side > 0)
WHERE number = 1
"""
_HIGHEST: dict[Apart, tuple[str, ...]] = {
    "trees": (_TOP, _LAST.format(asked=_IN_TREES + _BY_ROOTS)),
    "questions": (_TOP, _LAST.format(asked=_BY_ROOTS)),
}
"""By question the last split in which it is asked, in trees or by roots alone, and by which root.

By none where it is a dataset that is extended that asks it.
"""

_SHOWN_HIGHER = """
id IN (SELECT shows.row FROM top JOIN shows USING (question)
       JOIN rows shown ON shown.id = shows.row JOIN roots ON roots.id = shown.root
       WHERE top.side > roots.side)
"""
_BY_WHOM = """
UPDATE rows SET (top_side, top_root) = (
  SELECT top.side, top.root FROM shows JOIN top USING (question)
  WHERE shows.row = rows.id ORDER BY top.side DESC, top.root LIMIT 1)
WHERE lost = ?
"""
_EARLIEST = "INSERT INTO low SELECT question, min(side) FROM earlier GROUP BY question"
_LOWEST: dict[Apart, tuple[str, ...]] = {
    "trees": (_LOW, _EARLIEST),
    "questions": (
        _LOW,
        """
        INSERT INTO low SELECT question, min(side) FROM (
          SELECT rows.question, side FROM rows JOIN roots ON roots.id = rows.root
          WHERE rows.lost IS NULL
          UNION ALL SELECT question, side FROM earlier)
        GROUP BY question
        """,
    ),
}
"""By question the first split in which a row asks it already."""

_ASKED_LOWER = """
id IN (SELECT held.id FROM low JOIN rows held USING (question)
       JOIN roots ON roots.id = held.root WHERE low.side < roots.side)
"""
TAUGHT = """
SELECT count(DISTINCT question) FROM top JOIN earlier USING (question)
WHERE earlier.kind <> '' AND earlier.side < top.side
"""
"""How many questions of held-out trees rows of the dataset that is extended show already."""

_THERE = """
EXISTS (SELECT 1 FROM earlier WHERE earlier.kind = rows.kind AND earlier.digest = rows.digest)
"""
_AGAIN = """
id NOT IN (SELECT min(id) FROM rows WHERE lost IS NULL GROUP BY kind, digest)
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
