"""What stands below a node: its rounds, its sub-questions, and what is folded into one row.

Rounds of several questions are a row each where a node had several rounds; of `SAME` or more equal
siblings on end one row tells; of many refusals the first few have rows of their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from hch.columns import NOBODY
from hch.outline import Outline

SAME = 3
"""So many siblings of equal question, answer and status are one row."""

REFUSALS = 8
"""The refusals of a round that have rows of their own."""


class Item(NamedTuple):
    """One row: a `node`, a `round`, the `same` n times, or what has no node of its own there.

    The latter are `shared` (it stands elsewhere), `refused`, `queued` (it has not begun), and
    `more` refusals or repetitions of one kind. `positions` are those of the asks in it; `node` is
    the node, the first of those that are the same, or the asker of a round; `n` is how many it
    tells of, of a round its number.
    """

    kind: str
    node: int
    positions: tuple[int, ...]
    n: int = 1


def below(outline: Outline, node: int, lowest: int = 0) -> list[Item]:
    """The rows right below a node, or the roots; what is below the level `lowest` is left out."""
    asks: Iterable[int] = outline.roots if node == NOBODY else outline.asks(node)
    if lowest and node != NOBODY:
        asks = [a for a in asks if level(outline, node, a) >= lowest]
    rounds = [(n, list(found)) for n, found in groupby(asks, outline.round.__getitem__)]
    if len(rounds) < 2:
        return list(folded(outline, rounds[0][1])) if rounds else []
    items: list[Item] = []
    for n, positions in rounds:
        if len(positions) > 1:
            items.append(Item("round", node, tuple(positions), n))
        else:
            items += folded(outline, positions)
    return items


def level(outline: Outline, asker: int, position: int) -> int:
    """The level that a question is asked at."""
    return int(outline.level[asker]) - int(outline.how[position] == 0)


def inner(outline: Outline, item: Item, lowest: int = 0) -> list[Item]:
    """The rows right below that of an item."""
    if item.kind in {"top", "node"}:
        return below(outline, item.node, lowest)
    if item.kind == "round":
        return list(folded(outline, item.positions))
    if item.kind == "same":
        return [Item("node", outline.node(a), (a,)) for a in item.positions]
    return []


def opens(outline: Outline, item: Item) -> bool:
    """Whether there is anything below a row."""
    if item.kind == "node":
        return bool(outline.asks(item.node))
    return item.kind in {"top", "round", "same"}


def folded(outline: Outline, positions: Iterable[int]) -> Iterator[Item]:
    """Those asks as rows: equal siblings, and refusals for one reason, are told together."""
    refused = 0
    for alike, group in groupby(positions, _alike(outline)):
        found = list(group)
        if alike[0] == "node":
            if len(found) >= SAME:
                yield Item("same", outline.node(found[0]), tuple(found), len(found))
                continue
            for a in found:
                yield Item("node", outline.node(a), (a,))
                if outline.more[a]:
                    yield Item("more", outline.node(a), (a,), outline.more[a])
            continue
        shown = max(0, REFUSALS - refused) if alike[0] == "refused" else len(found)
        yield from (Item(str(alike[0]), outline.node(a), (a,)) for a in found[:shown])
        refused += len(found) if alike[0] == "refused" else 0
        more = len(found[shown:]) + sum(outline.more[a] for a in found)
        if more:
            yield Item("more", outline.node(found[0]), (found[0],), more)


def _alike(outline: Outline) -> Callable[[int], tuple[str | int, ...]]:
    """What asks have in common that may be told in one row."""
    asked, status, question, said = outline.asked, outline.status, outline.question, outline.said
    how, player, more, nodes = outline.how, outline.player, outline.more, outline.node

    def key(position: int) -> tuple[str | int, ...]:
        node = nodes(position)
        if node == NOBODY:
            kind = "refused" if outline.refused[position] else "queued"
            return kind, outline.why[position]
        if asked[node] != position:
            return "shared", node
        if not status[node] or more[position]:
            return "node", NOBODY, node
        return "node", question[node], said[node], status[node], how[position], player[node]

    return key


def heights(outline: Outline, items: Callable[[Item], list[Item]]) -> array[int]:
    """For each node the rows that it and all below it have when all of it is open.

    `items` are those right below one. Equal siblings stay told in one row.
    """
    full = array("I", b"\1\0\0\0" * outline.n)
    for node in range(outline.n - 1, -1, -1):
        if outline.first[node] < outline.first[node + 1]:
            full[node] = height(full, Item("node", node, ()), items)
    return full


def height(full: Sequence[int], item: Item, items: Callable[[Item], list[Item]]) -> int:
    """The rows of an item when all is open, of which those of the nodes below are known."""
    found = 1
    for one in items(item):
        if one.kind == "node":
            found += full[one.node]
        else:
            found += height(full, one, items) if one.kind == "round" else 1
    return found
