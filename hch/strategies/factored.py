"""Decompose, ask everything at once, synthesize; the shape of factored cognition (Ought, 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hch.budget import Price
from hch.protocols import Strategy, Workspace
from hch.replies import Reply, SubQuestion


class Decomposition(Reply):
    """The sub-questions that H wants answered; none where it needs no help."""

    questions: list[SubQuestion]


class Factored:
    """One round: a typed decomposition, the answers of copies, and a finishing text.

    At level 0 it is `direct`; so it is, with a note, where the grant cannot buy the decomposition,
    one copy and the synthesis.
    """

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {
        "direct": frozenset[str](),
        "factored/decompose": frozenset({"level", "grant", "form"}),
        "factored/synthesize": frozenset({"answers"}),
    }
    thinks = True

    def __init__(self, refuses_repeats: bool) -> None:
        self.refuses_repeats = refuses_repeats

    async def __call__(self, workspace: Workspace) -> str:
        if workspace.level == 0:
            return await workspace.think("direct", last=True)
        if not workspace.affords(
            self._decompose(workspace), workspace.below(), self.finish(workspace, 1)
        ):
            workspace.note("fallback: the grant was too small to ask, so it answered directly")
            return await workspace.think("direct", last=True)
        plan = await workspace.think("factored/decompose", returns=Decomposition)
        questions = [q.asked_with(workspace.question.context) for q in plan.questions]
        if not questions:
            return await workspace.think("direct", last=True)
        await workspace.ask(*questions, last=True)
        return await workspace.think("factored/synthesize", last=True, answers=workspace.asked)

    def least(self, workspace: Workspace) -> Price:
        return workspace.quote("direct")

    def finish(self, workspace: Workspace, m: int) -> Price:
        if m == 0:
            return workspace.quote("direct")
        return workspace.quote("factored/synthesize", coming=m, answers=workspace.asked)

    def _decompose(self, workspace: Workspace) -> Price:
        return workspace.quote("factored/decompose", returns=Decomposition)


def build(*, repeats: bool = False) -> Strategy:
    """`repeats=true` lets a sub-question repeat its asker's question word for word."""
    return Factored(refuses_repeats=not repeats)
