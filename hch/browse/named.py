"""Finds a node by its id, and says what there is where there is none."""

from __future__ import annotations

from hch.columns import NOBODY, Ask
from hch.errors import UsageError
from hch.outline import Outline


def named(outline: Outline, run: str, id: str) -> int:
    """The node of that id. Raises UsageError with what stands there, or which ids are near."""
    node = outline.find(id)
    if node is not None:
        return node
    above, near, slot = _nearest(outline, id)
    asks = outline.roots if above == NOBODY else outline.asks(above)
    for ask in map(outline.ask, asks):
        if str(ask.slot) == slot:
            raise UsageError(f"run {run}: {near}.{slot} {_instead(outline, ask)}")
    below = f"below {near} there are" if near else "its roots are"
    there = [outline.id(n) for a in asks if (n := outline.node(a)) >= 0 and outline.asked[n] == a]
    known = f"{there[0]} to {there[-1]}" if len(there) > 2 else " and ".join(there) or "none"
    raise UsageError(f"run {run} has no node {id}: {below} {known}")


def _nearest(outline: Outline, id: str) -> tuple[int, str, str]:
    """The lowest node that an id leads through, its own id, and the slot that comes after it."""
    parts = id.split(".")
    for depth in range(len(parts) - 1, 0, -1):
        near = ".".join(parts[:depth])
        if (node := outline.find(near)) is not None:
            return node, near, parts[depth]
    return NOBODY, "", ""


def _instead(outline: Outline, ask: Ask) -> str:
    """What is where there is no node."""
    if ask.shared:
        return f"is shared, and stands at {outline.id(ask.node)}"
    return "was refused, and is no node" if ask.refused else "has not begun"
