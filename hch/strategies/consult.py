"""The true loop of HCH: each turn H asks sub-questions, or replies (Christiano, 2016)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from hch.budget import Price
from hch.protocols import Strategy, Workspace
from hch.replies import Reply, SubQuestion
from hch.types import Answer, Text


class LastTurn(Reply):
    """H answers, or says that it cannot."""

    move: Literal["answer", "cannot"]
    text: str

    @model_validator(mode="after")
    def _says_something(self) -> LastTurn:
        if not self.text.strip():
            raise ValueError("text must hold the answer, or why there is none")
        return self


class Turn(Reply):
    """H asks (`questions`, and whether this is its last round), answers, or says that it cannot."""

    move: Literal["ask", "answer", "cannot"]
    questions: list[SubQuestion]
    last_round: bool
    text: str

    @model_validator(mode="after")
    def _says_something(self) -> Turn:
        if self.move == "ask" and not self.questions:
            raise ValueError("to ask, questions must hold at least one question")
        if self.move != "ask" and not self.text.strip():
            raise ValueError("text must hold the answer, or why there is none")
        return self


class Consult:
    """At most `turns` typed turns; on the last of them the form offers answer or cannot only.

    So it is after a last round, and when the rest of the grant pays for one turn only.
    """

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {
        "direct": frozenset[str](),
        "consult/turn": frozenset({"level", "grant", "form", "answers"}),
        "consult/last": frozenset({"level", "form", "answers"}),
    }
    thinks = True

    def __init__(self, turns: int, refuses_repeats: bool) -> None:
        self._turns = turns
        self.refuses_repeats = refuses_repeats

    async def __call__(self, workspace: Workspace) -> Answer | str:
        if workspace.level == 0:
            return await workspace.think("direct", last=True)
        for _ in range(self._turns - 1):
            if not workspace.affords(self._turn(workspace), self.finish(workspace, 0)):
                workspace.note("fallback: the grant paid for one turn only, so it could not ask")
                break
            turn = await workspace.think("consult/turn", returns=Turn, answers=workspace.asked)
            if turn.move != "ask":
                return _answer(turn)
            context = workspace.question.context
            questions = [question.asked_with(context) for question in turn.questions]
            await workspace.ask(*questions, last=turn.last_round)
            if turn.last_round:
                break
        last = await workspace.think(
            "consult/last", returns=LastTurn, last=True, answers=workspace.asked
        )
        return _answer(last)

    def least(self, workspace: Workspace) -> Price:
        return workspace.quote("direct") if workspace.level == 0 else self.finish(workspace, 0)

    def finish(self, workspace: Workspace, m: int) -> Price:
        if workspace.level == 0:
            return workspace.quote("direct")
        return workspace.quote("consult/last", returns=LastTurn, coming=m, answers=workspace.asked)

    def _turn(self, workspace: Workspace) -> Price:
        return workspace.quote("consult/turn", returns=Turn, answers=workspace.asked)


def _answer(turn: Turn | LastTurn) -> Answer:
    if turn.move == "cannot":
        return Answer("unanswered", None, turn.text.strip())
    return Answer("answered", Text(turn.text.strip(), "model"))


def build(*, turns: Annotated[int, Field(ge=1)] = 8, repeats: bool = False) -> Strategy:
    """`turns` bounds its typed turns; `repeats=true` lets it ask its own question word for word."""
    return Consult(turns, refuses_repeats=not repeats)
