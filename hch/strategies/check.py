"""Says whether an answer is right, by a prompt of its own; for `verify` and for judged votes.

What it is put beside that (`hch.judging`) it answers as `direct` does. With nothing to check it is
unanswered, and thinks nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hch.budget import Price
from hch.judging import Said, Verdict, is_verdict_wanted
from hch.protocols import Strategy, Workspace
from hch.replies import Reply
from hch.types import Answer


class Checked(Reply):
    """Why an answer stands or does not, and then whether it does."""

    reason: str
    verdict: Said


class Check:
    """One typed think; its answer is the one line that a check is read from."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {
        "direct": frozenset[str](),
        "check": frozenset({"form"}),
    }
    thinks = True
    refuses_repeats = False

    async def __call__(self, workspace: Workspace) -> Answer | str:
        question = workspace.question
        if not is_verdict_wanted(question):
            return await workspace.think("direct", last=True)
        if not question.context[-1].body.strip():
            return Answer("unanswered", None, "there is no answer to check")
        checked = await workspace.think("check", returns=Checked, last=True)
        return Verdict(checked.verdict, checked.reason).line

    def least(self, workspace: Workspace) -> Price:
        if is_verdict_wanted(workspace.question):
            return workspace.quote("check", returns=Checked)
        return workspace.quote("direct")

    def finish(self, workspace: Workspace, m: int) -> Price:
        return self.least(workspace)


def build() -> Strategy:
    """Takes no options."""
    return Check()
