"""The workspaces of wrappers in an imaginary tree: what votes and checks come to there.

The replies of such a tree are made up, so they say nothing that a scorer or a check could go by.
To a strategy that makes no tries these workspaces are like any other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from hch.budget import Price
from hch.judging import CHECKING, Verdict
from hch.protocols import Workspace
from hch.replies import ended
from hch.rules import Seat
from hch.types import Answer, Question, Text


class _Imagined:
    """A copy's workspace, some of which is done otherwise; `_said` are the answers of its tries."""

    def __init__(self, copy: Seat) -> None:
        self._copy = copy
        self._made = 0
        self._said: list[Answer] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._copy, name)

    @property
    def _self(self) -> Workspace:
        return cast("Workspace", self)

    async def tries(self, n: int, *context: Text, of: int | None = None) -> list[Answer]:
        answers = await self._copy.tries(n, *context, of=of)
        self._made += n
        self._said += [answer for answer in answers if answer.answered]
        return answers


class Agreeing(_Imagined):
    """One where a vote takes all tries for the same, and is over as soon as it can be."""

    async def answer(self) -> Answer:
        """What the strategy comes to; what its first try said where that is no answer.

        Raises NodeError.
        """
        try:
            own = ended(await self._copy.strategy(self._self))
        except _OverError:
            return self._said[0]
        return own if own.answered or not self._said else self._said[0]

    async def tries(self, n: int, *context: Text, of: int | None = None) -> list[Answer]:
        if self._said and not context and self._made >= self._least():
            raise _OverError
        return await super().tries(n, *context, of=of)

    def _least(self) -> float:
        """How many tries the strategy says it takes at the least."""
        return self._copy.strategy.least(cast("Workspace", _Counted(self._copy))).nodes


class Dearest(_Imagined):
    """One where every try says something else, at length, and a check rejects all of them.

    Whatever the strategy's rule, every try that there may be is made, and what it puts is put for
    each of them but the first.
    """

    def __init__(self, copy: Seat, longest: int) -> None:
        super().__init__(copy)
        self._longest = "0" * longest
        self._of = self._put = 0
        self._wanted: list[tuple[Question, str]] = []

    async def answer(self) -> Answer:
        """What the first try said, so that scripts go their true way; else as the strategy says.

        Raises NodeError.
        """
        strategy = self._copy.strategy
        own = ended(await strategy(self._self))
        if self._made < self._of:
            await self.tries(self._of - self._made, of=self._of)
        if not self._said:
            return own
        if self._put < self._of - 1:
            self._wanted.clear()
            strategy.finish(self._self, 1)  # which says what it may put, by `beside`
        for i in range(self._put, self._of - 1):
            for question, player in self._wanted:
                await self._copy.put(question.again(i), player)
        return self._said[0]

    async def tries(self, n: int, *context: Text, of: int | None = None) -> list[Answer]:
        self._of = max(self._of, of or n)
        numbers = range(self._made, self._made + n)
        answers = await super().tries(n, *context, of=of)
        return [self._unlike(*numbered) for numbered in zip(numbers, answers, strict=True)]

    async def put(self, question: Question, player: str) -> Answer:
        self._put += 1
        answer = await self._copy.put(question, player)
        if question.text.body != CHECKING:
            return answer
        return Answer("answered", Text(Verdict("reject", self._longest).line))

    def beside(self, question: Question, player: str, coming: int = 0) -> Price:
        context = (*[Text(self._longest)] * coming, *question.context)
        self._wanted.append((replace(question, context=context), player))
        return self._copy.beside(question, player, coming)

    def _unlike(self, number: int, answer: Answer) -> Answer:
        if answer.text is None or not answer.answered:
            return answer
        body = f"{number} ".ljust(len(self._longest), "0")
        return replace(answer, text=replace(answer.text, body=body))


class _Counted(_Imagined):
    """One where a try costs a node, and a question that is put nothing."""

    def within(self) -> Price:
        return Price(nodes=1)

    def beside(self, question: Question, player: str, coming: int = 0) -> Price:
        return Price()


class _OverError(Exception):
    """No further try is needed."""
