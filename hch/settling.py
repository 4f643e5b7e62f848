"""Puts the nodes of a run that was folded in the order of opening into the order of their ids."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add

from hch.columns import CLEAN, DOUBTED, NOBODY, REJECTS, STATUSES, WAYS, Columns
from hch.errors import HchError
from hch.nodes import wrappers

_ANSWERED = STATUSES.index("answered")
_TRY, _PUT = WAYS.index("try"), WAYS.index("put")


@dataclass(slots=True)
class Order:
    """Rows by their place: `first` tells for each owner where its own begin, and there they end."""

    rows: list[int]
    first: array[int]

    @classmethod
    def of(cls, owners: Sequence[int], live: Sequence[int], n: int) -> Order:
        """Those rows that are `live`, by owner, and within one as they came."""
        counts = array("I", bytes(4 * (n + 1)))
        for row in live:
            counts[owners[row] + 1] += 1
        first = array("I", accumulate(counts))
        free, rows = first[:], [0] * len(live)
        for row in live:
            owner = owners[row]
            rows[free[owner]] = row
            free[owner] += 1
        return cls(rows, first)

    def span(self, owner: int) -> range:
        return range(self.first[owner], self.first[owner + 1])


def settle(
    nodes: Columns,
    asks: Columns,
    steps: Columns,
    calls: Columns,
    roots: Mapping[int, int],
    players: Sequence[str],
) -> tuple[int, dict[str, Columns], list[int]]:
    """How many nodes hang on the roots, the tables of an outline, and the rows in their order.

    `nodes` are in any order; `asks` and `steps` name theirs by row in the column `parent`.
    """
    opened = nodes["opened"]
    asked = _by_slot(asks, opened)
    walk = _Walk(asks["child"], asked, opened, roots)
    n, place = len(walk.order), walk.place
    others = [row for row in range(len(opened)) if place[row] == NOBODY]
    others.sort(key=lambda row: (not opened[row], opened[row]))  # those not begun are the last
    rows = walk.order + others
    for at, row in enumerate(others):
        place[row] = n + at
    kept = asks.picked([asked.rows[i] for row in rows for i in asked.span(row)])
    del kept["parent"]
    table = _rooted(kept, roots)
    table["child"] = array("i", [NOBODY if row < 0 else place[row] for row in table["child"]])
    done = Order.of(steps["parent"], _current(steps, opened), len(opened))
    took = steps.picked([done.rows[i] for row in rows for i in done.span(row)])
    del took["parent"]
    by_request = sorted(range(len(calls["seq"])), key=calls["request"].__getitem__)
    parent = array("i", [NOBODY if up == NOBODY else place[up] for up in walk.parent])
    first = _starts(asked, rows, len(roots))
    begins = (0 if up == NOBODY else first[up] for up in parent)
    settled = nodes.picked(rows)
    _mark_doubted(settled["flags"], settled["status"], table, first)
    _mark_clean(settled, table, first, players)
    tables = {
        "nodes": settled,
        "places": Columns(parent=parent, asked=array("I", map(add, begins, walk.slot)),
                          below=_below(parent)),
        "starts": Columns(first=first, stepped=_starts(done, rows, 0)),
        "asks": table,
        "steps": took,
        "calls": calls.picked(by_request),
    }  # fmt: skip
    return n, tables, rows


def _current(table: Columns, opened: Sequence[int]) -> list[int]:
    """The rows that came after their node was opened for the last time."""
    return [
        row
        for row, (parent, seq) in enumerate(zip(table["parent"], table["seq"], strict=True))
        if seq > opened[parent] > 0
    ]


def _by_slot(asks: Columns, opened: Sequence[int]) -> Order:
    """The asks of each node in the order of asking, a slot once."""
    slots, seqs = asks["slot"], asks["seq"]
    live = _current(asks, opened)
    order = Order.of(asks["parent"], live, len(opened))
    wrong = [
        row for row in range(len(opened))
        for i in order.span(row)[1:] if slots[order.rows[i]] <= slots[order.rows[i - 1]]
    ]  # fmt: skip
    if not wrong:
        return order
    latest = {(asks["parent"][row], slots[row]): row for row in sorted(live, key=seqs.__getitem__)}
    kept = [latest[key] for key in sorted(latest)]
    return Order.of(asks["parent"], kept, len(opened))


class _Walk:
    """The walk in asking order: `order` has rows, `place` their new ones, `parent` who owns each.

    `slot` is which of the owner's asks it was, or of the roots.
    """

    def __init__(
        self, child: Sequence[int], asked: Order, opened: Sequence[int], roots: Mapping[int, int]
    ) -> None:
        self.order: list[int] = []
        self.parent: list[int] = []
        self.slot: list[int] = []
        self.place = array("i", [NOBODY]) * len(opened)
        rows, first, place = asked.rows, asked.first, self.place
        for number, (_, root) in enumerate(sorted(roots.items())):
            stack = [(root, NOBODY, number)]
            while stack:
                row, parent, slot = stack.pop()
                if place[row] != NOBODY or not opened[row]:
                    continue
                place[row] = len(self.order)
                self.order.append(row)
                self.parent.append(parent)
                self.slot.append(slot)
                stack += [
                    (below, row, i - first[row])
                    for i in range(first[row + 1] - 1, first[row] - 1, -1)
                    if (below := child[rows[i]]) != NOBODY and place[below] == NOBODY
                ]


def _rooted(asks: Columns, roots: Mapping[int, int]) -> Columns:
    """The asks with those before them that are the run's roots."""
    found = Columns.empty({name: column.typecode for name, column in asks.items()})
    for index, row in sorted(roots.items()):
        values = {"slot": index, "child": row, "round": 1}
        for name, column in found.items():
            column.append(values.get(name, 0))
    for name, column in found.items():
        column.extend(asks[name])
    return found


def _below(parent: Sequence[int]) -> array[int]:
    below = array("I", bytes(4 * len(parent)))
    for node in range(len(parent) - 1, -1, -1):
        if (up := parent[node]) != NOBODY:
            below[up] += below[node] + 1
    return below


def _starts(of: Order, order: Sequence[int], skipped: int) -> array[int]:
    sizes = (of.first[row + 1] - of.first[row] for row in order)
    return array("I", accumulate(sizes, initial=skipped))


def _mark_doubted(
    flags: array[int], status: Sequence[int], asks: Columns, first: Sequence[int]
) -> None:
    """A try is doubted where a check that was put after it, and before the next try, rejects."""
    child, how = asks["child"], asks["how"]
    for node in range(len(status)):
        tried = NOBODY
        for a in range(first[node], first[node + 1]):
            below = child[a]
            if how[a] == _TRY:
                tried = below
            elif how[a] == _PUT and min(below, tried) >= 0 and flags[below] & REJECTS:
                flags[tried] |= DOUBTED if status[below] else 0


def _wrappers(player: str) -> int:
    """How many there are; none where a foreign file names what is no player."""
    try:
        return wrappers(player)
    except (HchError, ValueError):
        return 0


def _mark_clean(
    nodes: Columns, asks: Columns, first: Sequence[int], players: Sequence[str]
) -> None:
    """Clean is what answered, with nothing cut, fallen back on or refused, there and below."""
    child, flags = asks["child"], nodes["flags"]
    status, cuts, fallbacks = nodes["status"], nodes["cuts"], nodes["fallbacks"]
    most = [_wrappers(player) for player in players]
    level, player, wrapper = nodes["level"], nodes["player"], nodes["wrapper"]
    opened = [i for i, seq in enumerate(nodes["opened"]) if seq]
    rank = {i: level[i] << 20 | min(max(0, most[player[i]] - wrapper[i]), 0xFFFFF) for i in opened}
    for i in sorted(opened, key=rank.__getitem__):
        good = status[i] == _ANSWERED and not cuts[i] and not fallbacks[i]
        if good and all(
            child[a] >= 0 and flags[child[a]] & CLEAN for a in range(first[i], first[i + 1])
        ):
            flags[i] |= CLEAN
        else:
            flags[i] &= ~CLEAN
