"""Which rows are open, by the events that opened their nodes: so it outlives a run's growth."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

from hch.browse.items import Item
from hch.columns import NOBODY
from hch.outline import Outline

Key: TypeAlias = tuple[str, int, int]
"""What a row is known by: its kind, the number of an event, and a round's number."""

CLOSED, OPEN, ALL = 0, 1, 2
"""What is below a row is hidden, shown, or shown with all that is below that."""

_OPENED = {"node", "round", "same"}


class Openness:
    """What was opened and closed in an outline; `state` is all of it."""

    def __init__(self, outline: Outline, state: dict[Key, int]) -> None:
        self.state = state
        self._outline = outline
        self._touched: set[int] = set()
        for _, opened, _ in state:
            self._touch(self._nodes.get(opened, NOBODY))

    def of(self, item: Item, inherited: int) -> int:
        """How far an item is open; `inherited` is what its ancestors would have."""
        kept = self.state.get(self._key(item)) if item.kind in _OPENED else CLOSED
        if kept is not None:
            return kept
        return CLOSED if item.kind == "same" else inherited

    def put(self, item: Item, state: int, *, default: int | None) -> None:
        """Open an item so far, or close it; what it is by `default` needs not be kept."""
        if state == default:
            self.state.pop(self._key(item), None)
        else:
            self.state[self._key(item)] = state
        if state == ALL:
            self._forget(item)
        above = item.node if item.kind == "round" else self._outline.parent[item.node]
        self._touch(item.node if state != ALL else above)

    def clear(self) -> None:
        """Close everything."""
        self.state.clear()
        self._touched.clear()

    def whole(self, node: int) -> bool:
        """Whether all below a node is as it is itself."""
        return node not in self._touched

    def _forget(self, item: Item) -> None:
        """Drop what is known of the rows below one: they are all open from now on."""
        outline = self._outline
        tops = [item.node] if item.kind == "node" else [outline.node(a) for a in item.positions]
        spans = [range(top, top + outline.below[top] + 1) for top in tops if top != NOBODY]
        own = self._key(item)  # that of the equals that it is the first of has its number, too
        for key in [key for key in self.state if key != own and key != ("same", *own[1:])]:
            node = self._nodes.get(key[1], NOBODY)
            if any(node in span for span in spans):
                del self.state[key]
        self._touched = {n for n in self._touched if not any(n in span for span in spans)}

    def _key(self, item: Item) -> Key:
        opened = self._outline.opened[item.node] if item.node >= 0 else 0
        return item.kind, opened, item.n if item.kind == "round" else 0

    @cached_property
    def _nodes(self) -> dict[int, int]:
        return self._outline.by_opening()

    def _touch(self, node: int) -> None:
        """Note that below a node, and below those above it, a row is not as these would have it."""
        while node != NOBODY and node not in self._touched:
            self._touched.add(node)
            node = self._outline.parent[node]
