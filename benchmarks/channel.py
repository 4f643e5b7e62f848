"""Errors in H's answers to powers of a permutation: a closed form, and a simulation without hch.

H is a channel that says what it has come to at rate 1-p, and else spreads evenly.
Channels in a row multiply in v = 1 - pn/(n-1), so a root with c copies of H in its tree is right at
1/n + (1-1/n) v^c. For k of 2 or 3 c is 1, since the oracle does the rest; with each bit more it
doubles and grows by one. But equal questions are one node, and err as one, so c counts distinct
ones: on a cycle of L elements there are at most L on a level, and in a random permutation L is
anything from 1 to n, each as likely. A table of the majority of K targets is such a channel too,
with M in place of 1-p, the rate at which the right one is the most frequent of K. It does not mend
what is wrong below, as all K targets then lean to the same wrong answer. What the form leaves out:
a node that is led astray may come by chance to a question that others ask too. It is of the order
of p/n: with 64 elements about a tenth of a point where p is 0.30 and powers have 5 or 6 bits, and
up to a point with 4 elements.

Questions about one instance share errors, so the intervals of tables are by instances. At p = 0.01
few instances have an error that stayed, and these have many wrong answers above it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from math import factorial
from random import Random
from statistics import mean
from typing import NamedTuple


def gain(kept: float, n: int) -> float:
    """What of an answer comes through a channel that keeps it at that rate, and else spreads."""
    return (n * kept - 1) / (n - 1)


def rate(gain: float, n: int) -> float:
    """How often what has come through is right."""
    return 1 / n + (1 - 1 / n) * gain


def distinct(k: int, cycle: int) -> int:
    """The distinct questions under s^k(x) and itself, x being on a cycle so long."""
    total, places = 1, [0]
    while k > 3:
        k >>= 1
        places = list({place % cycle for place in (*places, *(place + k for place in places))})
        total += len(places)
    return total


def chosen(chances: Sequence[float], targets: int) -> float:
    """How often the first of these wins, the most frequent of so many draws; of equals the first.

    Whoever comes first among equals is any of them, each as likely.
    """
    total = 0.0
    for count in range(1, targets + 1):
        ways = {(0, 0): 1.0}
        for chance in chances[1:]:
            further: dict[tuple[int, int], float] = defaultdict(float)
            for (used, equal), weight in ways.items():
                for times in range(min(count, targets - count - used) + 1):
                    to = used + times, equal + (times == count)
                    further[to] += weight * chance**times / factorial(times)
            ways = further
        first = chances[0] ** count / factorial(count)
        total += first * sum(
            w / (1 + e) for (used, e), w in ways.items() if used == targets - count
        )
    return total * factorial(targets)


def majority(p: float, targets: int, n: int) -> float:
    """How often what H comes to is the most frequent of so many targets, if it errs at rate p."""
    return chosen([1 - p, *[p / (n - 1)] * (n - 1)], targets)


class Accuracy(NamedTuple):
    """Shares that are right, of targets and of what was learned from them."""

    targets: float
    learned: float


def expected(p: float, targets: int, powers: range, n: int) -> Accuracy:
    """The closed form, over these powers of all x in a random permutation."""
    target, table_ = gain(1 - p, n), gain(majority(p, targets, n), n)
    below = [table_ ** (distinct(k, cycle) - 1) for cycle in range(1, n + 1) for k in powers]
    return Accuracy(rate(target * mean(below), n), rate(table_ * mean(below), n))


def of_bits(bits: int) -> range:
    """The powers that have so many."""
    return range(1 << bits - 1, 1 << bits)


class World:
    """The simulation: a random permutation, and what is said of its powers."""

    def __init__(self, rng: Random, p: float, n: int) -> None:
        self.rng, self.p, self.n = rng, p, n
        image = list(range(n))
        rng.shuffle(image)
        self.image = image

    def power(self, k: int, x: int) -> int:
        for _ in range(k):
            x = self.image[x]
        return x

    def says(self, right: int) -> int:
        """What H says that has come to this."""
        if self.rng.random() >= self.p:
            return right
        other = self.rng.randrange(self.n - 1)
        return other + (other >= right)

    def comes_to(self, k: int, x: int, ask: Callable[[int, int], int]) -> int:
        """What H comes to by asking for halves; the oracle knows s^0 and s^1."""
        y = ask(k >> 1, ask(k >> 1, x)) if k > 3 else self.power(k & 2, x)
        return self.image[y] if k & 1 else y

    def tree(self, k: int, x: int) -> int:
        """HCH's answer, equal questions being one."""

        @cache
        def ask(k: int, x: int) -> int:
            return self.says(self.comes_to(k, x, ask))

        return ask(k, x)

    def tables(self, targets: int, bits: int) -> Accuracy:
        """A table of all powers, from the lowest up, and the targets that it was made of."""
        known: dict[tuple[int, int], int] = {}
        right = Counter[str]()
        for k, x in product(range(1 << bits), range(self.n)):
            came_to = self.comes_to(k, x, lambda *asked: known[asked])
            came = Counter(self.says(came_to) for _ in range(targets))
            known[k, x] = max(came, key=came.__getitem__)
            truth = self.power(k, x)
            right["targets"] += came[truth]
            right["learned"] += known[k, x] == truth
        of = self.n << bits
        return Accuracy(right["targets"] / of / targets, right["learned"] / of)
