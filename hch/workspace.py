"""What one copy of H can see and do: think, ask, use the oracle, try again; all from its grant.

Nothing here knows the tree: a copy sees its question, what was sent with it, and the answers to
its own questions. The grant is charged by recorded usage, so it never depends on timing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

from hch.budget import (
    UNLIMITED,
    Price,
    Purse,
    share,
)
from hch.chance import Chance
from hch.errors import ConfigError
from hch.events import NodeOpened, PrimitiveAnswered
from hch.prompts import SHOWN_IN_VAIN
from hch.protocols import GrantView, Value
from hch.rounds import TOO_LITTLE, Guard, Round, heading
from hch.rules import Outcome, Place, Tree
from hch.steps import named
from hch.thinking import Thinking
from hch.types import Answer, Exchange, Path, Question, Text, digest
from hch.wire import Amounts, Words


class Copy:
    """One fresh copy of H at a (level, wrapper), and its `hch.protocols.Workspace`."""

    def __init__(
        self, tree: Tree, question: Question, sample: Path, place: Place, grant: Price
    ) -> None:
        self.question = question
        self.level, self.wrapper = place.level, place.wrapper
        self.strategy = place.player.layers[place.wrapper]
        self._place = place
        self._tree = tree
        self._rules = tree.rules
        self._sample = sample
        self._purse = Purse(grant)
        self.key = self._key()
        self._known: dict[Question, Outcome] = {}
        self._keys: dict[Question, str] = {}
        self._asked: tuple[Exchange, ...] = ()
        self._coming: Sequence[str] = ()
        self._told = 0
        self._beside_known: dict[str, tuple[dict[Question, Outcome], dict[Question, str]]] = {}
        self._notes: list[str] = []
        self._trusted = all(text.trusted for text in (question.text, *question.context))
        self._thinking = Thinking(
            tree, question, (self.key, place, sample), self._purse, self._notes
        )
        self._primitives = self._slots = self._rounds = self._tried = 0
        self._tries: tuple[int, int, Price] | None = None
        self._alone = Alone()

    def _key(self) -> str:
        question = self.question
        return digest(
            [[text.body, text.trusted] for text in (question.text, *question.context)],
            question.instance,
            self._sample,
            self.level,
            self.wrapper,
            self._place.lineup.who(self.level),
            self._purse.grant.amounts(),
        )

    @property
    def grant(self) -> GrantView:
        return self._thinking.grant

    @property
    def asked(self) -> tuple[Exchange, ...]:
        return self._asked

    def note(self, note: str) -> None:
        self._notes.append(note)

    def opened(self) -> NodeOpened:
        return NodeOpened(
            key=self.key,
            level=self.level,
            wrapper=self.wrapper,
            player=self._place.player.spec,
            question=Words.of(self.question.text),
            context=tuple(Words.of(text) for text in self.question.context),
            instance=self.question.instance,
            sample=self._sample,
            grant=Amounts.of(self._purse.grant),
        )

    def outcome(self, answer: Answer) -> Outcome:
        """The answer as it leaves the node: cut to the message limit, tainted by what it saw."""
        text = answer.text
        if text is not None:
            own = Text(text.body, self._source(text), text.trusted and self._trusted)
            answer = replace(answer, text=own)
        left = self._rules.limits.leaving(answer, self._notes)
        return Outcome(left, self._purse.spent, self._trusted)

    def _source(self, text: Text) -> str:
        """Whose words these are: what a model would have written, a person has typed."""
        model = self._place.player.model
        return "person" if text.source == "model" and model and model.by_hand else text.source

    # thinking

    async def think(
        self, prompt: str, /, *, returns: Any = str, last: bool = False, **values: Value
    ) -> Any:
        with self._alone:
            keep = Price() if last else self.strategy.finish(self, 0)
            for value in values.values():
                if isinstance(value, Text):
                    self._trusted &= value.trusted
            return await self._thinking.think(prompt, returns, values, keep)

    def quote(
        self, prompt: str, /, *, returns: Any = str, coming: int = 0, **values: Value
    ) -> Price:
        return self._thinking.quote(prompt, returns, values, self._coming, coming + self._told)

    def affords(self, *prices: Price) -> bool:
        return self._purse.affords(*prices)

    # asking

    async def ask(self, *questions: Question, last: bool = False) -> list[Answer]:
        with self._alone:
            own = self.question.text.body if self.strategy.refuses_repeats else None
            round_ = Round(questions)
            fresh = round_.sift(Guard(self._rules.limits, self.level, own), self._known)
            spare = partial(self._spare, fresh, round_.in_vain(fresh))
            round_.grant(fresh, spare, self._child, last=last)
            return await self._open(round_, "ask", self._known, self._keys)

    def _split(self, of: int) -> tuple[int, int, Price]:
        """Of so many tries the most whose equal parts pay for each: (of, as many, one's grant)."""

        def part(m: int) -> Price:
            return share(self._purse.left, self.strategy.finish(self, m), m, last=True)

        def too_little(m: int) -> bool:
            return not self._try(self.question.again(0), part(m)).is_viable()

        most = bisect_left(range(1, of + 1), True, key=too_little)
        return of, most, part(max(1, most))

    def chance(self, what: str) -> Chance:
        asked = self.question
        return Chance(
            self._rules.seed, self.level, self._sample, asked.text.body, asked.instance, what
        )

    async def tries(self, n: int, *context: Text, of: int | None = None) -> list[Answer]:
        with self._alone:
            if self._tries is None:
                self._tries = self._split(of or n)
            total, paid_for, grant = self._tries
            if of is not None and of != total:
                raise ValueError(f"of={of}: the first tries were declared as {total} in all")
            again = replace(self.question, context=(*self.question.context, *context))
            questions = [again.again(self._tried + i) for i in range(n)]
            round_ = Round(questions)
            for i, question in enumerate(questions, self._tried):
                copy = self._try(question, grant)
                paid = self.affords(grant * (len(round_.copies) + 1), self.strategy.finish(self, 0))
                if i < paid_for and paid and copy.is_viable():
                    round_.copies[question] = copy
                else:
                    round_.refusals[question] = TOO_LITTLE
            self._tried += n
            return await self._open(round_, "try", {}, {})

    async def put(self, question: Question, player: str) -> Answer:
        with self._alone:
            round_, known, keys = (
                Round([question]),
                *self._beside_known.setdefault(player, ({}, {})),
            )
            if question not in known:
                copy = self._beside(question, player, self._aside())
                if copy.is_viable():
                    round_.copies[question] = copy
                else:
                    round_.refusals[question] = TOO_LITTLE
            return (await self._open(round_, "put", known, keys))[0]

    def _aside(self) -> Price:
        """The grant of a put question: an equal part of what is not kept for tries to come.

        Each of these may be followed by such a question too.
        """
        _, paid_for, each = self._tries or (0, 0, Price())
        coming = max(0, paid_for - self._tried)
        spared = Price(*(0 if n == inf else n * coming for n in each.amounts()))
        return share(self._purse.left, spared, coming + 1, last=True)

    async def primitive(self, question: Question) -> Answer | None:
        with self._alone:
            task, body = self._rules.task, question.text.body
            term = self._rules.term(body)
            if task is None or term is None:
                return None
            instance = named(self._rules.instances, question.instance)
            answer = task.primitive(instance, term, self.chance(body))
            self._rules.journal.write(
                PrimitiveAnswered(
                    parent=self.key,
                    index=self._primitives,
                    question=body,
                    status=answer.status if answer else None,
                    answer=answer.text.body if answer and answer.text else None,
                    reason=answer.reason if answer else "",
                )
            )
            self._primitives += 1
            return answer

    def grade(self, question: str, answer: str) -> bool | None:
        task, term = self._rules.task, self._rules.term(question)
        instance = named(self._rules.instances, self.question.instance)
        if task is None or term is None or (task.has_facts and instance is None):
            return None
        return task.grade(instance, term, Answer("answered", Text(answer)))

    def is_viable(self) -> bool:
        """Whether the grant pays for the least that the strategy can answer with."""
        grant = self._purse.grant
        if grant == UNLIMITED:
            return True
        return grant.nodes >= 1 and self.affords(self.strategy.least(self))

    def below(self) -> Price:
        """The least that a sub-question as long as the own one can cost."""
        if self.level == 0:
            return UNLIMITED
        child = self._child(self.question, self._purse.grant)
        return child.strategy.least(child) + Price(nodes=1)

    def within(self) -> Price:
        copy = self._try(self.question.again(self._tried), self._purse.grant)
        return copy.strategy.least(copy) + Price(nodes=1)

    def beside(self, question: Question, player: str, coming: int = 0) -> Price:
        copy = self._beside(question, player, self._purse.grant).told(coming)
        return copy.strategy.least(copy) + Price(nodes=1)

    def told(self, answers: int) -> Copy:
        """The same copy, whose prompts are priced with so many more answers in them."""
        self._told = answers
        return self

    def _spare(
        self, fresh: Sequence[Question], in_vain: Sequence[str], coming: Sequence[Question]
    ) -> tuple[Price, Price]:
        """What is left, and what must be kept to finish after these questions and the rest."""
        refused = [heading(question) for question in fresh[len(coming) :][:SHOWN_IN_VAIN]]
        self._coming = [*(question.text.body for question in coming), *refused, *in_vain]
        try:
            return self._purse.left, self.strategy.finish(self, len(coming))
        finally:
            self._coming = ()

    def _child(self, question: Question, grant: Price) -> Copy:
        below = Place(self._place.lineup, self.level - 1)
        return Copy(self._tree, *self._sent(question), below, grant)

    def _try(self, question: Question, grant: Price) -> Copy:
        if self.wrapper + 1 == len(self._place.player.layers):
            what = self._place.player.spec
            raise ConfigError(f"{what!r} tries another strategy again: write it as {what}/factored")
        sample = (*self._sample, (self.level, self.wrapper + 1, question.sample[-1]))
        further = replace(self._place, wrapper=self.wrapper + 1)
        return Copy(self._tree, replace(question, sample=()), sample, further, grant)

    def _beside(self, question: Question, player: str, grant: Price) -> Copy:
        lineup = self._place.lineup.with_at(self.level, self._place.player.others[player])
        return Copy(self._tree, *self._sent(question), Place(lineup, self.level), grant)

    def _sent(self, question: Question) -> tuple[Question, Path]:
        """A question as a copy gets it, as trusted as this node is, and its absolute path."""
        steps = tuple((self.level, self.wrapper, i) for i in question.sample)
        trusted = question.text.trusted and self._trusted
        text = Text(question.text.body, self._source(question.text), trusted)
        plain = Question(text, question.context, self.question.instance)
        return plain, (*self._sample, *steps)

    async def _open(
        self, round_: Round, how: Any, known: dict[Question, Outcome], keys: dict[Question, str]
    ) -> list[Answer]:
        """Write the round, wait for its copies, pay for each distinct one, and be tainted by it."""
        for event in round_.events(self.key, (self._slots, self._rounds), keys, how):
            self._rules.journal.write(event)
        self._slots += len(round_.questions)
        self._rounds += 1
        copies = list(round_.copies.values())
        outcomes = await self._tree.open(copies)
        for copy, question, outcome in zip(copies, round_.copies, outcomes, strict=True):
            known[question] = outcome
            if copy.key not in keys.values():
                self._purse.pay(outcome.spent)
            keys[question] = copy.key
            self._trusted &= outcome.trusted
        answers = [
            Answer("refused", None, round_.refusals[question])
            if question in round_.refusals
            else known[question].answer
            for question in round_.questions
        ]
        self._asked += tuple(map(Exchange, round_.questions, answers))
        return answers


class Alone:
    """Entered for each thing that a copy does. Raises RuntimeError for a second one meanwhile."""

    __slots__ = ("_busy",)

    def __init__(self) -> None:
        self._busy = False

    def __enter__(self) -> None:
        if self._busy:
            raise RuntimeError(
                "a workspace does one thing at a time: await one call before the next"
            )
        self._busy = True

    def __exit__(self, *_: object) -> None:
        self._busy = False
