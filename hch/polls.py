"""HCH_n in one batch, with votes: what the strategy `vote` is in a tree, over `hch.amplify`.

Without what discards an answer before it votes (`longer`, `fits`), and without players who judge.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hch.agents import Agent, Query, Response
from hch.amplify import Amplify, Room, Worker
from hch.playing import Playing
from hch.protocols import Scorer
from hch.replies import ended
from hch.rules import Limits
from hch.steps import Instance
from hch.types import Answer
from hch.votes import Rule, Tally


class Vote(Worker):
    """Tries of the agent `below`, which plays the same level a wrapper further in, and their vote.

    The tries have the sample paths that they have in a tree. `tries` counts them. Raises ValueError
    for a scorer that has a player judge.
    """

    def __init__(
        self,
        rule: Rule,
        scorer: Scorer,
        below: Agent,
        place: tuple[int, int],
        *,
        limits: Limits | None = None,
        remembers: bool = True,
    ) -> None:
        super().__init__(below, remembers=remembers)
        if scorer.by:
            raise ValueError(f"nobody is here to judge: {scorer.by!r} plays in a tree only")
        self._rule = rule
        self._form = scorer.form
        self._place = place
        self._limits = limits or Limits()
        self.tries = 0

    def work(
        self, queries: Sequence[Query], room: Room
    ) -> Generator[list[Query], Any, list[Response]]:
        polls = [_Poll(query, Tally(self._rule)) for query in self._fresh(queries)]
        waiting = polls
        while waiting:
            wanted = [list(self._next(poll)) for poll in waiting]
            self.tries += sum(map(len, wanted))
            told = iter((yield [query for some in wanted for query in some]))
            for poll, some in zip(waiting, wanted, strict=True):
                for _ in some:
                    poll.take(next(told), self._form)
            waiting = [poll for poll in waiting if poll.tally.wanted]
        for poll in polls:
            answer = self._limits.leaving(ended(poll.tally.answer()))
            self._known[poll.query] = Response(answer, poll.calls)
        return self._told(queries)

    def _next(self, poll: _Poll) -> Generator[Query, None, None]:
        """The tries that are wanted next."""
        level, wrapper = self._place
        body, instance, sample = poll.query
        done = poll.tally.tries
        for i in range(done, done + poll.tally.wanted):
            yield Query(body, instance, (*sample, (level, wrapper + 1, i)))


class _Poll:
    """The vote on one question."""

    __slots__ = ("calls", "forms", "query", "tally")

    def __init__(self, query: Query, tally: Tally) -> None:
        self.query = query
        self.tally = tally
        self.forms: dict[str, int] = {}
        self.calls = 0

    def take(self, told: Response, form: Any) -> None:
        answer: Answer = told.answer
        self.calls += told.calls
        if answer.text is None or not answer.answered:
            self.tally.discard(answer.reason or answer.status)
        elif (said := form(answer.text.body)) is None:
            self.tally.flag("malformed")
        else:
            group = self.forms.get(said)
            self.forms.setdefault(said, len(self.forms))
            self.tally.take(answer, group)


@dataclass(frozen=True, slots=True)
class Played:
    """Who plays a level: H as a script, and the votes over it, outermost first."""

    playing: Playing
    votes: tuple[tuple[Rule, Scorer], ...] = ()


def stacked(
    levels: Sequence[Played],
    instances: Mapping[str, Instance],
    *,
    seed: int = 0,
    limits: Limits | None = None,
    remembers: bool = True,
) -> Worker:
    """HCH_n, n being one less than there are levels, from 0 up; all of them scripts."""
    found: Worker | None = None
    reach = len(levels) - 1
    for level, played in enumerate(levels):
        found = Amplify(
            replace(played.playing, reach=reach),
            found,
            instances,
            level=level,
            wrapper=len(played.votes),
            seed=seed,
            limits=limits,
            remembers=remembers,
        )
        for wrapper, (rule, scorer) in reversed(list(enumerate(played.votes))):
            place = level, wrapper
            found = Vote(rule, scorer, found, place, limits=limits, remembers=remembers)
    assert found is not None, "there is a level 0"
    return found


def unrolled(
    playing: Playing,
    instances: Mapping[str, Instance],
    depth: int,
    *,
    seed: int = 0,
    limits: Limits | None = None,
) -> Amplify:
    """HCH_depth, with scripts at all levels."""
    found = stacked([Played(playing)] * (depth + 1), instances, seed=seed, limits=limits)
    assert isinstance(found, Amplify), "there are no votes"
    return found
