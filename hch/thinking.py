"""How one copy thinks: its requests are paid for out of its purse, and their replies are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import inf
from typing import Any

from hch.budget import Price, Purse, power_of_two
from hch.drafts import Drafts
from hch.errors import GrantExhausted, NodeError, ReplyError
from hch.events import Thought
from hch.prompts import FRAME
from hch.protocols import GrantView, Model, Value
from hch.rates import token_bound
from hch.replies import ReplyProblem, parse
from hch.rules import Place, Tree
from hch.types import Completion, Path, Question, Request


class Thinking:
    """The thoughts of the copy in a `seat` (its key, place and sample path) on its question.

    They are paid for out of `purse`; what is worth telling of them is added to `notes`.
    """

    def __init__(
        self,
        tree: Tree,
        question: Question,
        seat: tuple[str, Place, Path],
        purse: Purse,
        notes: list[str],
    ) -> None:
        self._tree = tree
        self._rules = tree.rules
        self._question = question
        self._key, self._place, self._sample = seat
        self._purse = purse
        self._notes = notes
        self._made: Drafts | None = None
        self._thoughts = 0

    @property
    def grant(self) -> GrantView:
        """What is left, rounded: all that H may be told of it."""
        return _rounded(self._purse.left)

    async def think(
        self, prompt: str, returns: Any, values: Mapping[str, Value], keep: Price
    ) -> Any:
        """A text, or a typed reply, asked for a second time where the first cannot be read.

        `keep` stays unspent. Raises GrantExhausted, LengthError, ReplyError, RefusalError,
        ModelError.
        """
        request = self._drafts.draft(prompt, returns, self.grant, values)
        completion = await self._call(prompt, request, keep)
        if returns is str:
            return self._text(completion)
        try:
            return self._typed(completion, returns)
        except ReplyProblem as problem:
            again = self._drafts.repair(request, returns, completion.text, problem)
            if not self._purse.affords(self._drafts.worst(again), keep):
                raise ReplyError(f"{problem}; the grant does not pay for asking again") from None
        try:
            return self._typed(await self._call("repair", again, keep), returns)
        except ReplyProblem as problem:
            raise ReplyError(f"outside the grammar twice; {problem}") from None

    def quote(
        self,
        prompt: str,
        returns: Any,
        values: Mapping[str, Value],
        questions: Sequence[str],
        answers: int,
    ) -> Price:
        """The worst case of a think with that many more of these in its prompt than now."""
        left = self._purse.left
        if self._purse.endless or (left.tokens == inf and left.microusd == inf):
            return Price(calls=1)
        request = self._drafts.draft(prompt, returns, self.grant, values)
        more = sum(token_bound(text) + FRAME for text in questions)
        more += answers * (self._rules.limits.answer_tokens + FRAME)
        return self._drafts.worst(replace(request, bound=request.bound + more))

    @property
    def _model(self) -> Model:
        model = self._place.player.model
        assert model is not None, "compose lets no strategy that thinks play without a model"
        return model

    @property
    def _drafts(self) -> Drafts:
        if self._made is None:
            self._made = Drafts(
                self._rules,
                self._question,
                (self._key, self._place.level, self._sample),
                self._model,
            )
        return self._made

    async def _call(self, prompt: str, request: Request, keep: Price) -> Completion:
        if not self._purse.endless:
            self._check(self._drafts.worst(request) + keep)
        key = self._key
        self._rules.journal.write(
            Thought(parent=key, index=self._thoughts, request=request.call, prompt=prompt)
        )
        self._thoughts += 1
        try:
            completion = await self._tree.call(self._model, request)
        except NodeError:
            self._purse.pay(Price(calls=1))
            raise
        usage, rate = completion.usage, self._model.rate
        self._purse.pay(Price(1, usage.input + usage.output, rate.uncached(usage) if rate else 0))
        self._drafts.sent(request, usage.input)
        return completion

    def _check(self, worst: Price) -> None:
        """Raises GrantExhausted where so much is not left."""
        if not self._purse.affords(worst):
            lacks = self._purse.left.lacks(worst)
            raise GrantExhausted(f"the grant is too small to think about it: {lacks}")

    def _text(self, completion: Completion) -> str:
        """A finishing text; a cut one is noted. Raises what a reply without text comes to."""
        text, notes = self._rules.limits.finishing(completion)
        self._notes += notes
        return text

    def _typed(self, completion: Completion, returns: Any) -> Any:
        no_text = completion.finish == "length" and not completion.text.strip()
        if no_text or completion.finish in ("refusal", "content_filter"):
            self._text(completion)
        try:
            return parse(completion.text, returns, texts=len(self._question.context))
        except ReplyProblem as problem:
            if completion.finish != "length":
                raise
            limit = self._rules.limits.answer_tokens
            raise ReplyProblem(f"it was cut at its limit of {limit} tokens") from problem


@lru_cache(maxsize=256)
def _rounded(left: Price) -> GrantView:
    return GrantView(*(None if n == inf else power_of_two(int(n)) for n in left.amounts()))
