"""Where a row stands, by the events that made it: so that it is found again in another view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from hch.browse.folding import Branch, View
from hch.browse.items import Item
from hch.browse.openness import CLOSED, OPEN
from hch.columns import NOBODY
from hch.outline import Outline


class Place(NamedTuple):
    """A row's kind, the event that opened its asker, 0 for the run, and what tells it there."""

    kind: str
    asker: int
    mark: int


def place(view: View | None, branch: Branch | None) -> Place:
    """Where a row stands."""
    if view is None or branch is None:
        return Place("top", 0, 0)
    up = branch.parent
    while up is not None and up.item.kind not in {"node", "top"}:
        up = up.parent
    asker = up.item.node if up is not None else NOBODY
    opened = view.outline.opened[asker] if asker != NOBODY else 0
    return Place(branch.item.kind, opened, _mark(view.outline, branch.item))


def find(view: View, place: Place) -> Branch | None:
    """The row that stands there, all above it opened; else that of its asker, if it has one."""
    asker = view.outline.by_opening().get(place.asker, NOBODY)
    top = view.reveal(asker) if asker != NOBODY else view.top
    if top is None or place.kind == "top":
        return None
    for branch in _among(view, top):
        item = branch.item
        if (item.kind, _mark(view.outline, item)) == (place.kind, place.mark):
            if item.kind == "node":
                return view.reveal(item.node)
            above = branch.parent
            if above is not None and above is not view.top and above.state == CLOSED:
                view.turn(above, OPEN)
            return branch
    return top if top is not view.top else None


def _among(view: View, top: Branch) -> Iterator[Branch]:
    """The rows right below one, and those within a round or among equals."""
    for kid in view.kids(top):
        yield kid
        if kid.item.kind in {"round", "same"}:
            yield from _among(view, kid)


def _mark(outline: Outline, item: Item) -> int:
    """What tells an item from others of its kind and asker."""
    if item.kind == "round":
        return item.n
    if item.kind in {"node", "same"}:
        return int(outline.opened[item.node])
    return int(outline.sequence[item.positions[0]] or outline.slot[item.positions[0]])
