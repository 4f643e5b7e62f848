"""Which split each root is in: near-equal roots together, and no tree on two sides.

Roots are joined where their texts are equal or nearly so, and what they are about is the same. A
group is where an earlier dataset has one of its roots, or else where its first text says. A root
that would join two groups which are on different sides already is left out: a bridge.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hch.columns import NOBODY
from hch.datasets.normal import normal
from hch.datasets.splits import Splits
from hch.datasets.staging import Staging
from hch.outline import Outline, subtree

BRIDGE = "bridge"
NEAR = "near-equal"
HELD = "held out"

_BRIDGES = "UPDATE roots SET lost = ? WHERE id = ? AND lost IS NULL"


class Settled(NamedTuple):
    """A root of an earlier dataset: what it is about, its text, its split, its group's number."""

    about: bytes
    text: str
    split: str
    group: int


@dataclass(frozen=True, slots=True)
class Divided:
    """What came of it: how many groups of roots there are, and the size of the largest."""

    groups: int
    largest: int


@dataclass(frozen=True, slots=True)
class Dividing:
    """The rule: `near` joins texts from that similarity on, None only those that are equal."""

    splits: Splits
    seed: int
    near: float | None

    def divide(self, staging: Staging, earlier: Sequence[Settled] = ()) -> Divided:
        """Give every root its team and its side; a bridge is lost.

        Raises ConfigError where the package that finds near-equal texts is lacking.
        """
        roots = list(staging.query("SELECT id, about, text FROM roots ORDER BY id"))
        members = [*((s.about, s.text) for s in earlier), *((a, t) for _, a, t in roots)]
        teams = self._teams(members)
        sides: defaultdict[int, set[int]] = defaultdict(set)
        known = {(s.about, normal(s.text)): self._number(s.split) for s in earlier}
        further = 1 + max((s.group for s in earlier), default=-1)
        groups = {team: s.group for s, team in zip(earlier, teams, strict=False)}
        first: dict[int, str] = {}
        for place, team in enumerate(teams):
            text = normal(members[place][1])
            first[team] = min(first.get(team, text), text)
            if place < len(earlier):
                sides[team].add(self._number(earlier[place].split))
        for (id_, about, text), team in zip(roots, teams[len(earlier) :], strict=True):
            there = known.get((about, normal(text)))
            if there is None and len(sides[team]) > 1:
                staging.run(_BRIDGES, BRIDGE, id_)
            elif there is None:
                there = next(iter(sides[team]), None)
            if there is None:
                there = self._number(self.splits.side(first[team], self.seed))
            group = groups.setdefault(team, further + team)
            staging.run("UPDATE roots SET team = ?, side = ? WHERE id = ?", group, there, id_)
        sizes = Counter(teams[len(earlier) :])
        return Divided(len(sizes), max(sizes.values(), default=0))

    def _teams(self, members: Sequence[tuple[bytes, str]]) -> list[int]:
        """For each of these, the place of the first that it is joined with."""
        teams = list(range(len(members)))
        alike: defaultdict[bytes, list[int]] = defaultdict(list)
        for place, (about, _) in enumerate(members):
            alike[about].append(place)
        for places in alike.values():
            leaders = self._joined([members[place][1] for place in places])
            for place, leader in zip(places, leaders, strict=True):
                teams[place] = places[leader]
        return teams

    def _joined(self, texts: Sequence[str]) -> list[int]:
        if self.near is not None:
            from hch.datasets.near import joined

            return joined(texts, self.near)
        first: dict[str, int] = {}
        return [first.setdefault(normal(text), place) for place, text in enumerate(texts)]

    def _number(self, split: str) -> int:
        return self.splits.names.index(split)


def reach(
    staging: Staging,
    outlines: Callable[[int], Outline],
    roots: Mapping[int, Iterable[tuple[int, int, int]]],
) -> None:
    """Keep, of the trees that are held out, every node, those that other trees own too.

    `roots` has by run the ids, the numbers and the sides of the roots that are held out.
    """
    for run, held in roots.items():
        outline = outlines(run)
        nodes = {outline.slot[p]: outline.node(p) for p in outline.roots}
        for id_, root, side in held:
            if nodes.get(root, NOBODY) != NOBODY:
                below = _below(outline, nodes[root])
                staging.insert("reached", ((run, node, side, id_) for node in below))


def _below(outline: Outline, root: int) -> set[int]:
    """A node and all below it, whoever owns them."""
    found: set[int] = set()
    todo = [root]
    while todo:
        node = todo.pop()
        if node in found:
            continue
        own = subtree(outline, node)
        found.update(own)
        for position in range(outline.first[own.start], outline.first[own.stop]):
            child = outline.node(position)
            if child != NOBODY and child not in own and child not in found:
                todo.append(child)
    return found
