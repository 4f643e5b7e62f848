"""Amplify^H(A) for many questions at once: H by its script, and nothing is kept but the answers.

Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575): H works on each question, and an agent A
answers all that H asks. Where A is such an amplification itself, down to level 0, this is HCH_n.
The same steps are played as in the tree, with the same draws and refusals, so both come to the same
answers to the letter. There are no grants here, no events and no bill, and every text is trusted,
as those of a task are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

from hch.agents import Agent, Query, Response
from hch.chance import Chance
from hch.errors import NodeError, UsageError
from hch.playing import NO_ORACLE, Playing
from hch.replies import ended
from hch.rounds import Guard
from hch.rules import Limits
from hch.steps import Ask, Instance, Primitive, Step, named
from hch.types import Answer


class Worker(ABC):
    """An agent that works on its questions by asking the agent `below`, where it has one.

    With `remembers` what it was asked once it knows from then on, so that equal questions are one
    piece of work; else they are so in one batch only, and its memory does not grow.
    """

    below: Agent | None

    def __init__(self, below: Agent | None, *, remembers: bool) -> None:
        self.below = below
        self._remembers = remembers
        self._known: dict[Query, Response] = {}

    @abstractmethod
    def work(
        self, queries: Sequence[Query], room: Room
    ) -> Generator[list[Query], Any, list[Response]]:
        """The work on these questions: gives what is to be asked below, and is sent the answers."""

    def answer(self, queries: Sequence[Query], *, most: int | None = None) -> list[Response]:
        """Its answers. All questions go on together, so that `below` is asked by the batch.

        A worker below is worked off here and not called, so that any number may be stacked.
        Raises UsageError where that takes more than `most` pieces of work, those of all of them
        together, ValueError for an agent that leaves answers out, and what a task raises.
        """
        room = Room(most)
        stack = [(self.below, self.work(queries, room))]
        told: list[Response] | None = None
        while stack:
            agent, work = stack[-1]
            try:
                asked = work.send(told)
            except StopIteration as stop:
                stack.pop()
                told = stop.value
                continue
            if isinstance(agent, Worker):
                stack.append((agent.below, agent.work(asked, room)))
                told = None
            else:
                assert agent is not None, "level 0 refuses whatever is asked"
                told = agent.answer(asked)
        assert told is not None
        return told

    def _fresh(self, queries: Sequence[Query]) -> list[Query]:
        """Those of the questions that are not known yet, each once."""
        if not self._remembers:
            self._known = {}
        return [query for query in dict.fromkeys(queries) if query not in self._known]

    def _told(self, queries: Sequence[Query]) -> list[Response]:
        return [self._known[query] for query in queries]


class Amplify(Worker):
    """H at a level over the agent `below`; without one it is H alone, at level 0.

    `worked` counts its pieces of work, `asked` the sub-questions and `primitives` those to the
    oracle, as often as H asks them. `wrapper` is where it stands in its player, as in the tree.
    Raises ValueError for a level that cannot be.
    """

    def __init__(  # noqa: PLR0913 - its parameters are its options
        self,
        playing: Playing,
        below: Agent | None,
        instances: Mapping[str, Instance],
        *,
        level: int,
        wrapper: int = 0,
        seed: int = 0,
        limits: Limits | None = None,
        remembers: bool = True,
    ) -> None:
        super().__init__(below, remembers=remembers)
        if (below is None) != (level == 0):
            raise ValueError(
                f"level {level}: level 0 has nobody below it, every other has an agent"
            )
        self._playing = playing
        self._render = playing.task.render
        self._instances = instances
        self._level = level
        self._seed = seed
        self._limits = limits or Limits()
        self._guard = Guard(self._limits, level, None)
        self._wrapper = wrapper
        self._chance = Chance()
        self.worked = self.asked = self.primitives = 0

    def work(
        self, queries: Sequence[Query], room: Room
    ) -> Generator[list[Query], Any, list[Response]]:
        """The work on these questions: gives what is to be asked below, and is sent the answers."""
        fresh = self._fresh(queries)
        room.take(len(fresh))
        self.worked += len(fresh)
        wanted: dict[Query, None] = {}
        copies = (_Copy(query, self._play(query)) for query in fresh)
        waiting = [copy for copy in copies if self._goes_on(copy, None, wanted)]
        while waiting:
            asked = list(wanted)
            told = dict(zip(asked, (yield asked), strict=True))
            wanted = {}
            waiting = [c for c in waiting if self._goes_on(c, c.replies(told), wanted)]
        return self._told(queries)

    def _play(self, query: Query) -> Generator[Step, Any, Answer]:
        return self._playing.play(query.body, self._level, partial(self._named, query, "H"))

    def _named(self, query: Query, what: str) -> Chance:
        return self._chance.named(
            self._seed, self._level, query.sample, query.body, query.instance, what
        )

    def _goes_on(self, copy: _Copy, sent: Any, wanted: dict[Query, None]) -> bool:
        """Whether a copy, sent what it waited for, waits for more; else its answer is known."""
        try:
            while True:
                step = copy.steps.send(sent)
                if isinstance(step, Primitive):
                    sent = self._primitive(copy.query, step.term)
                elif self._waits(copy, step, wanted):
                    return True
                else:
                    sent = copy.replies({})
        except StopIteration as stop:
            answer = ended(stop.value)
        except NodeError as error:
            answer = ended(error)
        self._known[copy.query] = Response(self._limits.leaving(answer), copy.calls)
        return False

    def _primitive(self, query: Query, term: Any) -> Answer:
        self.primitives += 1
        task = self._playing.task
        instance = named(self._instances, query.instance)
        found = task.primitive(instance, term, self._named(query, self._render(term)))
        return found or NO_ORACLE

    def _waits(self, copy: _Copy, step: Ask | tuple[Ask, ...], wanted: dict[Query, None]) -> bool:
        """Whether anything of this round is asked below; all that is, is wanted there."""
        _, instance, sample = copy.query
        copy.several = isinstance(step, tuple)
        copy.queries, copy.refused, seen = [], None, copy.seen
        asking = False
        for ask in step if isinstance(step, tuple) else (step,):
            body = self._render(ask.term)
            again = (
                sample if ask.again is None else (*sample, (self._level, self._wrapper, ask.again))
            )
            query = Query(body, instance, again)
            copy.queries.append(query)
            if query in seen or not self._refuses(copy, query):
                seen.add(query)
                wanted[query] = None
                asking = True
        self.asked += len(copy.queries)
        return asking

    def _refuses(self, copy: _Copy, query: Query) -> bool:
        """Whether a question gets no copy, as the tree would refuse it; once for each round."""
        if copy.refused and query in copy.refused:
            return True
        why = self._guard.refuses(query.body, self._limits.fanout - len(copy.seen))
        if why is None:
            return False
        if copy.refused is None:
            copy.refused = {}
        copy.refused[query] = Answer("refused", None, why)
        return True


class Room:
    """How many pieces of work there may still be, of so many at most; None for any number."""

    def __init__(self, most: int | None) -> None:
        self._most = self._left = inf if most is None else most

    def take(self, number: int) -> None:
        """Raises UsageError where there are not so many left."""
        self._left -= number
        if self._left < 0:
            raise UsageError(f"this takes more than {self._most:,} calls of H: lower --depth")


class _Copy:
    """One question at work: its steps, and what the round that it waits for is made of."""

    __slots__ = ("calls", "queries", "query", "refused", "seen", "several", "steps")

    def __init__(self, query: Query, steps: Generator[Step, Any, Answer]) -> None:
        self.query = query
        self.steps = steps
        self.queries: list[Query] = []
        self.refused: dict[Query, Answer] | None = None
        self.seen: set[Query] = set()
        self.several = False
        self.calls = 1

    def replies(self, told: Mapping[Query, Response]) -> Any:
        """What the step is sent: an answer, or one for each of its asks."""
        answers = []
        for query in self.queries:
            if self.refused and query in self.refused:
                answers.append(self.refused[query])
            else:
                answer, calls = told[query]
                self.calls += calls
                answers.append(answer)
        return tuple(answers) if self.several else answers[0]
