"""The tree as rows of which only those on the screen are made, however many there are.

A `View` knows how many rows there are, which one is number `r`, and opens and closes what is below
one. What is open is known by the events that opened nodes, so that it outlives a run's growth.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from hch.browse.items import Item, heights, inner, opens
from hch.browse.openness import ALL, CLOSED, OPEN, Key, Openness
from hch.columns import NOBODY
from hch.outline import Outline


@dataclass(slots=True, eq=False)
class Branch:
    """A row, and where it stands: number `index` of those below `parent`.

    `height` counts its own row and those below it that are shown.
    """

    item: Item
    parent: Branch | None
    index: int
    state: int
    height: int = 1
    kids: list[Branch] | None = None
    sums: list[int] | None = None

    @property
    def depth(self) -> int:
        depth, branch = -1, self.parent
        while branch is not None:
            depth, branch = depth + 1, branch.parent
        return depth

    @property
    def last(self) -> bool:
        """Whether no sibling follows."""
        return self.parent is None or self.index == len(self.parent.kids or ()) - 1


class View:
    """The rows of an outline: those of the level `lowest` and above.

    `shown` has a 1 for each node that has a row where not all have, and `rank` puts siblings in
    another order: the smallest first. `before` is a view of the same rows in another order.
    """

    def __init__(
        self,
        outline: Outline,
        state: dict[Key, int] | None = None,
        *,
        lowest: int = 0,
        shown: bytearray | None = None,
        rank: Callable[[int], float] | None = None,
        before: View | None = None,
    ) -> None:
        self.outline = outline
        self._lowest, self._shown, self._rank = lowest, shown, rank
        self._openness = Openness(outline, {} if state is None else state)
        if before is not None and before.outline is outline and "full" in vars(before):
            self.full = before.full
        self.top = Branch(Item("top", NOBODY, ()), None, 0, OPEN)
        self._measure(self.top)

    @property
    def state(self) -> dict[Key, int]:
        """What is open, for another view of the run."""
        return self._openness.state

    @property
    def count(self) -> int:
        """How many rows there are."""
        return self.top.height - 1

    def row(self, number: int) -> Branch:
        """Row number `number`, from 0. Raises IndexError."""
        if not 0 <= number < self.count:
            raise IndexError(number)
        branch, left = self.top, number
        while True:
            sums = self._sums(branch)
            index = bisect_right(sums, left) - 1
            branch, left = self.kids(branch)[index], left - sums[index]
            if left == 0:
                return branch
            left -= 1

    def rows(self, start: int, most: int) -> Iterator[Branch]:
        """So many rows from that one on."""
        if most <= 0 or not 0 <= start < self.count:
            return
        branch: Branch | None = self.row(start)
        for _ in range(most):
            if branch is None:
                return
            yield branch
            branch = self._next(branch)

    def number(self, branch: Branch) -> int:
        """Which row it is; its ancestors must be open."""
        number = -1
        while branch.parent is not None:
            number += self._sums(branch.parent)[branch.index] + 1
            branch = branch.parent
        return number

    def kids(self, branch: Branch) -> list[Branch]:
        """The rows right below one, shown or not."""
        if branch.kids is None:
            for kid in self._made(branch):
                self._measure(kid)
        return branch.kids or []

    def opens(self, branch: Branch) -> bool:
        """Whether anything is below a row."""
        if self._shown is None and not self._lowest:
            return opens(self.outline, branch.item)
        return bool(self._items(branch.item))

    def turn(self, branch: Branch, state: int) -> None:
        """Close a row, open it, or open all that is below it."""
        if not self.opens(branch):
            return
        self._openness.put(branch.item, state, default=CLOSED if not _inherits(branch) else None)
        if ALL in {state, branch.state}:
            branch.kids = branch.sums = None
        branch.state = state
        before = branch.height
        self._measure(branch)
        self._grow(branch, branch.height - before)

    def close_all(self) -> None:
        """Close every row."""
        self._openness.clear()
        self.top = Branch(self.top.item, None, 0, OPEN)
        self._measure(self.top)

    def reveal(self, node: int) -> Branch | None:
        """The row of a node, all above it opened; None where it has none."""
        branch = self.top
        for step in reversed(self.outline.path(node)):
            found = self._kid(branch, step)
            if found is None:
                return None
            branch = found
        return branch

    def _kid(self, branch: Branch, node: int) -> Branch | None:
        """The row of a node below that of its owner, also within a round or among equals."""
        if branch.parent is not None and branch.state == CLOSED:
            self.turn(branch, OPEN)
        position = self.outline.asked[node]
        for kid in self.kids(branch):
            if kid.item.kind == "node" and kid.item.node == node:
                return kid
            if kid.item.kind in {"round", "same"} and position in kid.item.positions:
                return self._kid(kid, node)
        return None

    def fill(self, rows: int) -> None:
        """Open level after level as long as all fits into so many rows."""
        front = list(self.kids(self.top))
        while front:
            some = [branch for branch in front if self.opens(branch)]
            if self.count + sum(len(self.kids(branch)) for branch in some) > rows:
                return
            for branch in some:
                self.turn(branch, OPEN)
            front = [kid for branch in some for kid in self.kids(branch)]

    def _items(self, item: Item) -> list[Item]:
        if self._shown is None:
            return self._ranked(inner(self.outline, item, self._lowest))
        asks = self.outline.roots if item.kind == "top" else self.outline.asks(item.node)
        found = [
            Item("node", node, (a,))
            for a in asks
            if (node := self.outline.node(a)) >= 0
            and self.outline.asked[node] == a
            and self._shown[node]
        ]
        return self._ranked(found)

    def _ranked(self, items: list[Item]) -> list[Item]:
        if self._rank is None:
            return items
        rank = self._rank
        nodes = [item for item in items if item.kind in {"node", "same"}]
        if len(nodes) == len(items):
            return sorted(items, key=lambda item: rank(item.node))
        rest = [item for item in items if item.kind not in {"node", "same"}]
        return sorted(nodes, key=lambda item: rank(item.node)) + rest

    def _next(self, branch: Branch) -> Branch | None:
        if branch.height > 1:
            return self.kids(branch)[0]
        at: Branch | None = branch
        while at is not None and at.last:
            at = at.parent
        if at is None or at.parent is None:
            return None
        return self.kids(at.parent)[at.index + 1]

    def _sums(self, branch: Branch) -> list[int]:
        """The rows before each of those right below one."""
        if branch.sums is None:
            kids = self.kids(branch)
            branch.sums = [0, *accumulate(kid.height for kid in kids)][: len(kids)]
        return branch.sums

    def _made(self, branch: Branch) -> list[Branch]:
        """The rows right below one, whose heights may not be known."""
        if branch.kids is None:
            inherited = ALL if branch.state == ALL else CLOSED
            branch.kids = [
                Branch(item, branch, i, self._openness.of(item, inherited))
                for i, item in enumerate(self._items(branch.item))
            ]
        return branch.kids

    def _measure(self, branch: Branch) -> None:
        """Find a row's height anew, and those of the rows below that it takes to know it."""
        if self._known(branch):
            return
        stack, order = [branch], list[Branch]()
        while stack:
            one = stack.pop()
            order.append(one)
            stack += [kid for kid in self._made(one) if not self._known(kid)]
        for one in reversed(order):
            one.sums = None
            one.height = 1 + sum(kid.height for kid in self._made(one))

    def _known(self, branch: Branch) -> bool:
        """Give a row its height where that is known without looking below it; whether it is."""
        node = branch.item.node
        if branch.state == CLOSED or not self.opens(branch):
            branch.height, branch.sums = 1, None
            return True
        whole = branch.item.kind == "node" and branch.kids is None and branch.state == ALL
        if whole and self._openness.whole(node):
            branch.height, branch.sums = self.full[node], None
            return True
        return False

    def _grow(self, branch: Branch, by: int) -> None:
        up = branch.parent
        while up is not None and by:
            up.height += by
            up.sums = None
            up = up.parent

    @cached_property
    def full(self) -> array[int]:
        """For each node the rows that it and all below it have when all of it is open."""
        return heights(self.outline, self._items)


def _inherits(branch: Branch) -> bool:
    """Whether it is open unless anything else is said of it."""
    up = branch.parent
    while up is not None:
        if up.state == ALL:
            return True
        up = up.parent
    return False
