"""Amplify^H(A) for many questions at once: H by its script, and nothing is kept but the answers.

Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575): H works on each question, and an agent A
answers all that H asks. Where A is such an amplification itself, down to level 0, this is HCH_n.
The same steps are played as in the tree, with the same draws, so both come to the same answers;
there are no grants here, no events and no bill.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any

from hch.agents import Agent, Put, Told
from hch.chance import Chance
from hch.engine import ended
from hch.playing import NO_ORACLE, Playing
from hch.rounds import Guard
from hch.rules import Limits
from hch.steps import Ask, Instance, Primitive
from hch.types import Answer, Question, Text


class Amplify:
    """H at a level over the agent `below`; without one it is H alone, at level 0.

    What it was asked it remembers, so that equal questions are one piece of work: `worked` counts
    these, `asked` the sub-questions and `primitives` those to the oracle, as often as H asks them.
    """

    def __init__(
        self,
        playing: Playing,
        below: Agent | None,
        instances: Mapping[str, Instance],
        *,
        level: int,
        seed: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._playing = playing
        self._below = below
        self._instances = instances
        self._level = level
        self._seed = seed
        self._limits = limits or Limits()
        self._guard = Guard(self._limits, level, None)
        self._chance = Chance()
        self._known: dict[Put, Told] = {}
        self._terms: dict[str, Any] = {}
        self.worked = self.asked = self.primitives = 0

    def answer(self, puts: Sequence[Put]) -> list[Told]:
        """H's answers. All questions go on together, so that `below` is asked by the batch."""
        fresh = [put for put in dict.fromkeys(puts) if put not in self._known]
        self.worked += len(fresh)
        waiting = [copy for put in fresh if self._goes_on(copy := _Copy(put, self._play(put)))]
        while waiting:
            asked = list(dict.fromkeys(put for copy in waiting for put in copy.puts))
            told = dict(zip(asked, self._below.answer(asked), strict=True)) if self._below else {}
            waiting = [copy for copy in waiting if self._goes_on(copy, copy.replies(told))]
        return [self._known[put] for put in puts]

    def _play(self, put: Put) -> Generator[Any, Any, Answer]:
        return self._playing.play(put.body, self._level, partial(self._named, put, "H"))

    def _named(self, put: Put, what: str) -> Chance:
        return self._chance.named(self._seed, self._level, put.sample, put.body, put.instance, what)

    def _goes_on(self, copy: _Copy, sent: Any = None) -> bool:
        """Whether a copy, sent what it waited for, waits again; else its answer is known."""
        while True:
            try:
                step = copy.steps.send(sent)
            except StopIteration as stop:
                self._known[copy.put] = Told(ended(stop.value), copy.calls)
                return False
            if not isinstance(step, Primitive):
                break
            sent = self._primitive(copy.put, step.term)
        copy.several = isinstance(step, tuple)
        copy.asks = [self._put(copy, ask) for ask in (step if copy.several else (step,))]
        return True

    def _primitive(self, put: Put, term: Any) -> Answer:
        self.primitives += 1
        task = self._playing.task
        instance = self._instances.get(put.instance or "")
        found = task.primitive(instance, term, self._named(put, task.render(term)))
        return found or NO_ORACLE

    def _put(self, copy: _Copy, ask: Ask) -> Put | Answer:
        """A sub-question as it is put to `below`, or why it is not, as the tree refuses it."""
        self.asked += 1
        body, (_, instance, sample) = self._playing.task.render(ask.term), copy.put
        if ask.again is not None:
            sample = (*sample, (self._level, 0, ask.again))
        put = Put(body, instance, sample)
        if put in copy.seen:
            return put
        room = self._limits.fanout - len(copy.seen)
        if self._below is None or room <= 0 or not 0 < len(body) * 4 <= self._limits.message_bytes:
            refusal = self._guard.refuses(Question(Text(body)), room)
            if refusal is not None:
                return Answer("refused", None, refusal)
        copy.seen.add(put)
        return put


class _Copy:
    """One question at work: its steps, and what it waits for."""

    __slots__ = ("asks", "calls", "put", "seen", "several", "steps")

    def __init__(self, put: Put, steps: Generator[Any, Any, Answer]) -> None:
        self.put = put
        self.steps = steps
        self.asks: list[Put | Answer] = []
        self.seen: set[Put] = set()
        self.several = False
        self.calls = 1

    @property
    def puts(self) -> list[Put]:
        return [ask for ask in self.asks if isinstance(ask, Put)]

    def replies(self, told: Mapping[Put, Told]) -> Any:
        """What the step is sent: an answer, or one for each of its asks."""
        answers = []
        for ask in self.asks:
            if isinstance(ask, Put):
                found = told[ask]
                self.calls += found.calls
                answers.append(found.answer)
            else:
                answers.append(ask)
        return tuple(answers) if self.several else answers[0]


def unrolled(
    playing: Playing, instances: Mapping[str, Instance], depth: int, *, seed: int = 0
) -> Amplify:
    """HCH_depth, with scripts at all levels."""
    found = Amplify(playing, None, instances, level=0, seed=seed)
    for level in range(1, depth + 1):
        found = Amplify(playing, found, instances, level=level, seed=seed)
    return found
