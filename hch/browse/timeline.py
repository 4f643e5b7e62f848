"""A run's nodes as bars from when they were opened to when they closed, on one scale.

What the run waited for is its critical path: from a root down, in every round the child that closed
last. Such bars are thick: `━━━` beside `───`; one that has not ended ends in `╌`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hch.browse.lines import Line
from hch.columns import NOBODY
from hch.outline import Outline


@dataclass(slots=True)
class Timeline:
    """Draws bars over its `span`: from when the first node opened to the last event, in seconds."""

    outline: Outline
    span: tuple[float, float] = field(init=False)
    _waited: dict[int, bool] = field(default_factory=dict)
    _ends: dict[tuple[int, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        begun = self.outline.at[: self.outline.n]
        self.span = min(begun, default=self.outline.started), self.outline.ended

    def critical(self, node: int) -> bool:
        """Whether the run waited for this node."""
        chain = []
        while node != NOBODY and node not in self._waited:
            chain.append(node)
            node = self.outline.parent[node]
        for one in reversed(chain):
            parent = self.outline.parent[one]
            above = parent == NOBODY or self._waited[parent]
            self._waited[one] = above and self._last(one)
        return self._waited[chain[0] if chain else node]

    def _last(self, node: int) -> bool:
        """Whether it ended last of those that were asked in its round."""
        asked, parent = self.outline.asked[node], self.outline.parent[node]
        among = parent, self.outline.round[asked]
        if among not in self._ends:
            self._ends[among] = self._latest(*among)
        return self._ends[among] == node

    def _latest(self, parent: int, number: int) -> int:
        """Which of those that a node asked in a round ended last."""
        outline = self.outline
        asks = outline.roots if parent == NOBODY else outline.asks(parent)
        found = (outline.node(a) for a in asks if outline.round[a] == number)
        return max((self._until(node), node) for node in found if node != NOBODY)[1]

    def _until(self, node: int) -> float:
        return float(self.outline.until[node] if self.outline.status[node] else self.outline.ended)

    def bar(self, node: int, cells: int) -> Line:
        """A node's bar, in so many cells."""
        first, last = self.span
        scale = cells / (last - first) if last > first else 0.0
        start = min(cells - 1, max(0, int((self.outline.at[node] - first) * scale)))
        end = min(cells, max(start + 1, round((self._until(node) - first) * scale)))
        critical = self.critical(node)
        drawn = ("━" if critical else "─") * (end - start)
        if not self.outline.status[node]:
            drawn = drawn[:-1] + "╌"
        style = "critical" if critical else "info"
        return [(" " * start, ""), (drawn, style), (" " * (cells - end), "")]

    @property
    def seconds(self) -> float:
        """How long it all took."""
        first, last = self.span
        return last - first
