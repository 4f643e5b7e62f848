"""A run's tree without its texts: one column of numbers per fact, the nodes in id order.

So 100,000 nodes are read in a blink, and what each said only when it is looked at, by the numbers
of its events. The subtree of node `i` is the nodes `i` to `i + below[i]`. It is made by
`hch.growing`, and is an index: whatever is wrong with it, the events make it anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cached_property
from itertools import compress

from hch.budget import Price
from hch.columns import CLEAN, DOUBTED, NOBODY, STATUSES, WAYS, Ask, Columns, Head


class Outline:
    """One run's nodes, `n` of them, from 0; the asks of each; and where their events are.

    After the nodes that hang on a root, columns have those that hang on none any more, and those
    that were asked and have not begun.
    """

    def __init__(self, head: Head, tables: dict[str, Columns], keys: bytes) -> None:
        self.head, self.tables, self.keys = head, tables, keys
        self.n, self.last, self.totals, self.players = (
            head.n, head.last, head.totals, head.players,
        )  # fmt: skip
        self.started, self.ended = head.started, head.ended
        nodes, asks, places = tables["nodes"], tables["asks"], tables["places"]
        self.opened, self.closed = nodes["opened"], nodes["closed"]
        self.at, self.until = nodes["at"], nodes["until"]
        self.level, self.wrapper, self.player = nodes["level"], nodes["wrapper"], nodes["player"]
        self.status, self.flags, self.retries = nodes["status"], nodes["flags"], nodes["retries"]
        self.cuts, self.fallbacks = nodes["cuts"], nodes["fallbacks"]
        self.calls, self.tokens = nodes["calls"], nodes["tokens"]
        self.microusd, self.nodes = nodes["microusd"], nodes["nodes"]
        self.question, self.said = nodes["question"], nodes["said"]
        self.parent, self.asked, self.below = places["parent"], places["asked"], places["below"]
        self.first, self.stepped = tables["starts"]["first"], tables["starts"]["stepped"]
        self.child, self.slot, self.round = asks["child"], asks["slot"], asks["round"]
        self.how, self.refused, self.why = asks["how"], asks["refused"], asks["why"]
        self.more, self.sequence = asks["more"], asks["seq"]

    def ask(self, position: int) -> Ask:
        """The ask at that position of the asks of all nodes."""
        child = self.node(position)
        return Ask(
            self.slot[position],
            self.round[position],
            WAYS[self.how[position]],
            child,
            bool(self.refused[position]),
            child >= 0 and self.asked[child] != position,
            self.more[position],
            self.sequence[position],
        )

    def node(self, position: int) -> int:
        """The node that was asked there; `NOBODY` where none has begun."""
        child: int = self.child[position]
        return child if child < self.n else NOBODY

    @property
    def roots(self) -> range:
        """The positions of the asks that are the run's roots; a slot is a root's number."""
        return range(self.first[0])

    def asks(self, node: int) -> range:
        """The positions of a node's asks, in the order of asking."""
        return range(self.first[node], self.first[node + 1])

    def children(self, node: int) -> list[int]:
        """The nodes it owns, in the order of asking."""
        found = ((a, self.node(a)) for a in self.asks(node))
        return [child for a, child in found if child != NOBODY and self.asked[child] == a]

    def state(self, node: int) -> str:
        """Its status, `open` where it has none yet."""
        return STATUSES[self.status[node]]

    def way(self, node: int) -> str:
        """How it was asked: `ask`, `try` or `put`; a root's is `ask`."""
        return WAYS[self.how[self.asked[node]]]

    def clean(self, node: int) -> bool:
        return bool(self.flags[node] & CLEAN)

    def id(self, node: int) -> str:
        """`0.2.1`: root 0's second question's first."""
        slots = []
        while node != NOBODY:
            slots.append(str(self.slot[self.asked[node]]))
            node = self.parent[node]
        return ".".join(reversed(slots))

    def find(self, id: str) -> int | None:
        """The node of that id."""
        node, asks = NOBODY, self.roots
        for part in id.split("."):
            fitting = [a for a in asks if str(self.slot[a]) == part]
            if not fitting or (child := self.node(fitting[0])) < 0:
                return None
            if self.asked[child] != fitting[0]:
                return None
            node, asks = child, self.asks(child)
        return node

    def spent(self, node: int) -> Price:
        """What it and its children were charged; nothing while it is open."""
        return Price(self.calls[node], self.tokens[node], self.microusd[node], self.nodes[node])

    def own(self, node: int) -> Price:
        """What it was charged itself, its children left out."""
        askeds = {child for a in self.asks(node) if (child := self.node(a)) >= 0}
        spent = self.spent(node).amounts()
        theirs = [self.spent(child).amounts() for child in askeds]
        return Price(*(max(0.0, mine - sum(all_)) if mine - mine == 0 else mine
                       for mine, *all_ in zip(spent, *theirs, strict=True)))  # fmt: skip

    @cached_property
    def unit(self) -> str:
        """What a run is paid in: `microusd` where it has a price, else tokens, calls or nodes."""
        columns = {"microusd": self.microusd, "tokens": self.tokens, "calls": self.calls}
        return next((unit for unit, column in columns.items() if any(column)), "nodes")

    @cached_property
    def used(self) -> tuple[bool, bool, bool, float]:
        """Whether any node has others below it, tokens, a price; and the longest time of any."""
        longest = max(map(self.seconds, range(self.n)), default=0.0)
        return any(self.below), any(self.tokens), any(self.microusd), longest

    def cost(self, node: int, *, own: bool = False) -> float:
        """What a node spent, or its own part of that, in the run's unit."""
        if not own:
            return float(self.tables["nodes"][self.unit][node])
        return float(getattr(self.own(node), self.unit))

    def seconds(self, node: int) -> float:
        """How long it took, or, where it is open, has taken up to the last event."""
        until: float = self.until[node] if self.status[node] else self.ended
        return until - float(self.at[node])

    def steps(self, node: int) -> list[tuple[int, int]]:
        """Its thinks and what it asked the oracle: the event's number, and the request or 0."""
        table = self.tables["steps"]
        span = range(self.stepped[node], self.stepped[node + 1])
        return [(table["seq"][i], table["request"][i]) for i in span]

    def events_of(self, request: int) -> list[int]:
        """The numbers of the events of a request's calls."""
        requests, seqs = self.tables["calls"]["request"], self.tables["calls"]["seq"]
        found, at = [], bisect_left(requests, request)
        while at < len(requests) and requests[at] == request:
            found.append(seqs[at])
            at += 1
        return sorted(found)

    def events(self, node: int) -> list[int]:
        """The numbers of all events that are about a node."""
        found = {self.opened[node], *(self.sequence[a] for a in self.asks(node))}
        if self.closed[node]:
            found.add(self.closed[node])
        for seq, request in self.steps(node):
            found |= {seq, *(self.events_of(request) if request else ())}
        return sorted(found)

    def problem(self, node: int) -> bool:
        """Whether something is wrong at this node itself, not only below."""
        return (
            self.status[node] > 1
            or bool(self.flags[node] & DOUBTED)
            or self.cuts[node] > 0
            or self.fallbacks[node] > 0
            or any(self.refused[a] for a in self.asks(node))
        )

    @cached_property
    def problems(self) -> list[int]:
        """The nodes of which `problem` holds, in id order."""
        bad = bytearray(self.n)
        for column in (self.cuts, self.fallbacks):
            for node in compress(range(self.n), column):
                bad[node] = 1
        for node in range(self.n):
            if self.status[node] > 1 or self.flags[node] & DOUBTED:
                bad[node] = 1
        for position in compress(range(len(self.refused)), self.refused):
            if position >= self.first[0] and (asker := self.asker(position)) < self.n:
                bad[asker] = 1
        return list(compress(range(self.n), bad))

    def asker(self, position: int) -> int:
        """The node that asked at this position; no root's."""
        return bisect_right(self.first, position) - 1

    def path(self, node: int) -> list[int]:
        """The node and its ancestors, itself first."""
        found = []
        while node != NOBODY:
            found.append(node)
            node = self.parent[node]
        return found

    def by_opening(self) -> dict[int, int]:
        """Nodes by the number of the event that opened them, which outlives what is made anew."""
        return dict(zip(self.opened[: self.n], range(self.n), strict=True))


def subtree(outline: Outline, node: int) -> range:
    """The node and those below it that it and they own, in id order."""
    return range(node, node + outline.below[node] + 1)
