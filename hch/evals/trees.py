"""What the trees of a row say of its answers: what each level did, and where errors enter."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

from hch.budget import Price
from hch.evals.checking import checked
from hch.evals.grading import Grades
from hch.evals.share import Share
from hch.nodes import Ask, Node

Step: TypeAlias = Literal["alone", "sub-question", "reply", "vote", "check"]
"""Where an error enters, at a wrong node that was told nothing wrong.

`alone`: it asked nobody. `sub-question`: something it asked got no answer that can be graded.
`reply`: all it was told was right. `vote`: a try was right, and another won. `check`: a right try
was rejected, or a wrong one accepted; that counts beside the error of that try.
"""


@dataclass(frozen=True, slots=True)
class Level:
    """What the nodes of a level did, each as often as it was asked for, shared or not.

    Answers of HCH_level are `right`, `wrong`, `ungraded` (nobody can tell) or `unanswered`. With
    the `tries` that were made for them, and what was put `beside` them for a check or a judgement,
    they are all `nodes`. What each spent itself, without its children, adds up to what the row
    spent; `seconds` are those that its calls took.
    """

    nodes: int = 0
    right: int = 0
    wrong: int = 0
    ungraded: int = 0
    unanswered: int = 0
    tries: int = 0
    beside: int = 0
    calls: float = 0
    tokens: float = 0
    microusd: float = 0
    seconds: float = 0.0

    @property
    def accuracy(self) -> Share:
        """The right ones, of the answers of HCH_level that anybody can grade or that are none."""
        return Share(self.right, self.right + self.wrong + self.unanswered)

    def __add__(self, other: Level) -> Level:
        names = [field.name for field in fields(Level)]
        return Level(**{name: getattr(self, name) + getattr(other, name) for name in names})


class Trees:
    """The trees of these roots; a root is there as often as it is given."""

    def __init__(self, roots: Sequence[Node], grades: Grades) -> None:
        self._roots = roots
        self._grades = grades
        self.nodes = tuple(_falling(roots))
        self._answering, self._aside = self._weights()

    @property
    def answering(self) -> Iterator[tuple[Node, int]]:
        """The nodes that are there for the answer, and how often each: not what was put beside."""
        return ((node, n) for node in self.nodes if (n := self._answering[node.key]))

    def levels(self) -> dict[int, Level]:
        """By level, from the highest down."""
        found: defaultdict[int, Level] = defaultdict(Level)
        for node in self.nodes:
            found[node.level] += self._counted(node)
        return dict(found)

    def entered(self) -> Counter[tuple[int, Step]]:
        """Where errors enter, by level and step: also those that were made good further up."""
        found: Counter[tuple[int, Step]] = Counter()
        for node, times in self.answering:
            if self._grades.right(node) is False and (step := self._step(node)):
                found[node.level, step] += times
        return found

    def wrong_reasons(self) -> Share:
        """The right roots with a wrong sub-answer, of those with any that can be graded.

        Of a vote or a check only the tries count that say what the node says.
        """
        graded: dict[str, set[bool]] = {}
        for node in reversed(self.nodes):
            below = graded[node.key] = set[bool]()
            for child, how in _children(node):
                if how == "ask":
                    below |= {right for right in (self._grades.right(child),) if right is not None}
                if how == "ask" or (how == "try" and _says_the_same(child, node)):
                    below |= graded[child.key]
        right = [graded[root.key] for root in self._roots if self._grades.right(root)]
        of = [below for below in right if below]
        return Share(sum(False in below for below in of), len(of))

    def _weights(self) -> tuple[Counter[str], Counter[str]]:
        """How often each node is asked for: for an answer, and for what is put beside one."""
        answering, aside = Counter(root.key for root in self._roots), Counter[str]()
        for node in self.nodes:
            for child, how in _children(node):
                into = aside if how == "put" else answering
                into[child.key] += answering[node.key]
                aside[child.key] += aside[node.key]
        return answering, aside

    def _counted(self, node: Node) -> Level:
        times, aside = self._answering[node.key], self._aside[node.key]
        own = node.spent - sum((child.spent for child, _ in _children(node)), Price())
        seconds = sum(c.times[-1] - c.times[0] for _, c in node.thoughts if c and c.times)
        n = times + aside
        what = {"tries" if node.opened.wrapper else self._end(node): times}
        return Level(
            nodes=n,
            beside=aside,
            calls=own.calls * n,
            tokens=own.tokens * n,
            microusd=own.microusd * n,
            seconds=seconds * n,
            **what,
        )

    def _end(self, node: Node) -> str:
        if node.status != "answered":
            return "unanswered"
        return {True: "right", False: "wrong", None: "ungraded"}[self._grades.right(node)]

    def _step(self, node: Node) -> Step | None:
        """How an error enters at this wrong node; None where it was there already below."""
        right = self._grades.right
        tries = [ask.node for ask in node.asks if ask.how == "try"]
        if tries:
            pairs = [(right(tried), said) for tried, said in checked(node)]
            if any(pair in {(True, "reject"), (False, "accept")} for pair in pairs):
                return "check"
            return "vote" if not pairs and any(t and right(t) for t in tries) else None
        told = [ask.node and right(ask.node) for ask in node.asks if ask.how == "ask"]
        if not told:
            return "alone"
        if False in told:
            return None
        return "sub-question" if None in told else "reply"


def _falling(roots: Iterable[Node]) -> list[Node]:
    """Every node once, each before those that it asks."""
    found: dict[str, Node] = {}
    todo = list(roots)
    while todo:
        node = todo.pop()
        if node.key not in found:
            found[node.key] = node
            todo += [child for child, _ in _children(node)]
    return sorted(found.values(), key=lambda node: (-node.level, -node.left, node.id))


def _children(node: Node) -> list[tuple[Node, str]]:
    """What it asked, each once, as it was charged; and how."""
    found: Mapping[str, Ask] = {ask.node.key: ask for ask in node.asks if ask.node}
    return [(ask.node, ask.how) for ask in found.values() if ask.node]


def _says_the_same(one: Node, other: Node) -> bool:
    mine, yours = one.answer, other.answer
    return bool(mine and yours and mine.answered and mine.text == yours.text)
