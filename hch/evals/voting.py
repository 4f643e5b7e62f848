"""What votes did: tries made and saved, ties, and how far the errors of tries go together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median_low

from hch.budget import Price
from hch.evals.correlation import (
    ByQuestion,
    Ceiling,
    Correlation,
    Tries,
    Votes,
    by_question,
    ceiling,
    correlated,
)
from hch.evals.grading import Grades
from hch.evals.share import Share
from hch.judging import CHECKING
from hch.nodes import Node
from hch.registry import PlayerSpec
from hch.types import Ballot


@dataclass(frozen=True, slots=True)
class Voting:
    """The votes of a row: how many, the tries they made, and those they would have made at most.

    `ties` ended with several answers that have the most votes, where nothing but the most was
    wanted; `discarded` tries have no vote: they failed, were refused, or their answer was
    malformed. `spared` is what the tries not made would have cost, at the mean price of a try of
    the same vote.
    """

    nodes: int = 0
    tries: int = 0
    declared: int = 0
    ties: int = 0
    discarded: int = 0
    spared: Price = Price()

    @classmethod
    def of(cls, nodes: Iterable[tuple[Node, int]]) -> Voting:
        """Of the votes among these, each as often as it is there."""
        found = cls()
        for node, times in nodes:
            if ballot := ballot_of(node):
                found = found.and_of(node, ballot, times)
        return found

    def and_of(self, node: Node, ballot: Ballot, times: int) -> Voting:
        votes = [n for _, n in ballot.votes]
        tie = len(votes) > 1 and votes[0] == votes[1] and _ahead(node) is None
        return Voting(
            nodes=self.nodes + times,
            tries=self.tries + times * ballot.tries,
            declared=self.declared + times * ballot.of,
            ties=self.ties + times * tie,
            discarded=self.discarded + times * (ballot.tries - sum(votes)),
            spared=self.spared + _spared(node, ballot) * times,
        )

    @property
    def saved(self) -> int:
        """The tries that were not needed any more."""
        return self.declared - self.tries


@dataclass(frozen=True, slots=True)
class Together:
    """How far errors go together, over the tries that votes at one level make whatever happens.

    These are the first few of each vote: later ones are made where the first disagree. `k` is the
    middle of how many tries the votes make at most: what `correlation.voted(k)` is to be asked
    for; None where any is won by a lead, of which the law of a majority says nothing.
    `correlation` is None where it cannot be told, as where all tries are right, or all wrong.
    `unanswered` are the tries without an answer, of those that the correlation is of.
    """

    level: int
    k: int | None
    correlation: Correlation | None
    unanswered: Share
    by_question: ByQuestion
    ceiling: Ceiling | None


def together(nodes: Iterable[Node], grades: Grades) -> dict[int, Together]:
    """By level, of the votes among these that make two tries or more and can be graded.

    Where a player has votes in its votes, it is the outermost.
    """
    placed: defaultdict[tuple[int, int], list[_First]] = defaultdict(list)
    for node in nodes:
        ballot = ballot_of(node)
        if ballot and (first := _first(node, ballot, grades)):
            placed[node.level, -node.opened.wrapper].append(first)
    found = {level: polled for (level, _), polled in sorted(placed.items())}
    return {level: _together(level, polled) for level, polled in found.items()}


def ballot_of(node: Node) -> Ballot | None:
    """How the vote went that this node held; None where it held none.

    A check hands on the ballot of the answer that it lets stand.
    """
    answer = node.answer
    if answer is None or answer.ballot is None or all(ask.how != "try" for ask in node.asks):
        return None
    return None if any(ask.question == CHECKING for ask in node.asks) else answer.ballot


@dataclass(frozen=True, slots=True)
class _First:
    """The tries of a vote that are made in any case; `k` is None where it is won by a lead."""

    k: int | None
    tries: Tries
    unanswered: int
    votes: Votes


def _together(level: int, polled: Sequence[_First]) -> Together:
    majorities = [first.k for first in polled if first.k is not None]
    several = [first for first in polled if first.tries.of > 1]
    return Together(
        level=level,
        k=median_low(majorities) if len(majorities) == len(polled) else None,
        correlation=correlated(first.tries for first in polled),
        unanswered=Share(
            sum(first.unanswered for first in several), sum(first.tries.of for first in several)
        ),
        by_question=by_question(first.tries for first in polled),
        ceiling=ceiling([first.votes for first in polled]),
    )


def _first(node: Node, ballot: Ballot, grades: Grades) -> _First | None:
    """None of fewer than two, and of what nobody can grade."""
    ahead = _ahead(node)
    least = ahead or ballot.of // 2 + 1
    tries = list(_tries(node, min(least, ballot.tries)))
    answers = [(tried, tried.answer, n) for tried, n in tries if tried and tried.answer]
    said = [(grades.right(tried), answer, n) for tried, answer, n in answers if answer.answered]
    if least < 2 or any(right is None for right, _, _ in said):
        return None
    groups: Counter[tuple[str | None, bool]] = Counter()
    for right, answer, n in said:
        groups[grades.form(answer), bool(right)] += n
    votes = tuple((n, right) for (form, right), n in groups.items() if form is not None)
    rightly, made = sum(n for right, _, n in said if right), sum(n for _, n in tries)
    unanswered = made - sum(n for _, _, n in said)
    return _First(None if ahead else ballot.of, Tries(rightly, made), unanswered, Votes(votes))


def _ahead(node: Node) -> int | None:
    """By how much the vote that it held was to be won; None of a majority."""
    spec = PlayerSpec.parse(node.opened.player).strategies[node.opened.wrapper]
    ahead = dict(spec.options).get("ahead")
    return int(ahead) if ahead else None


def _tries(node: Node, most: int) -> Iterator[tuple[Node | None, int]]:
    """Its first tries in order, each with how many came to it; None for what was refused."""
    for ask in node.asks:
        if ask.how == "try" and most > 0:
            n = min(most, 1 + ask.more)
            most -= n
            yield ask.node, n


def _spared(node: Node, ballot: Ballot) -> Price:
    made = {ask.node.key: ask.node.spent for ask in node.asks if ask.how == "try" and ask.node}
    total = sum(made.values(), Price())
    share = ballot.saved / ballot.tries if ballot.tries else 0.0
    return Price(*(amount * share for amount in total.amounts()))
