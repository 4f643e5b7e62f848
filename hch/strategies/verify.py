"""Has its answer checked by another player (`by`); a rejected one is tried afresh, and told why.

The check sees the question and the answer, not the way there. An answer that it cannot judge of
stands, and its notes say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, ClassVar

from pydantic import Field

from hch.budget import Price, shares
from hch.judging import checking, rejected, verdict
from hch.protocols import Strategy, Workspace
from hch.safe_text import one_line
from hch.types import Answer, Text

WRAPS = True
"""It tries another strategy: what follows it after a /."""

_SHOWN = 200


class Verify:
    """At most `tries` tries, one after the other; each that is answered is checked once."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}
    thinks = False
    refuses_repeats = False

    def __init__(self, by: str, tries: int) -> None:
        self.others = (by,)
        self._tries = tries

    async def __call__(self, workspace: Workspace) -> Answer:
        told: list[Text] = []
        rejection = ""
        outcome = Answer("unanswered", None, "nothing was tried")
        for i in range(self._tries):
            [outcome] = await workspace.tries(1, *told, of=self._tries)
            if outcome.text is None or not outcome.answered:
                outcome = _after(rejection, outcome)
                continue
            # Of an answer that comes again, the check is another sample.
            asked = checking(workspace.question, outcome.text).again(i)
            said = await workspace.put(asked, self.others[0])
            found = verdict(said)
            if found.said == "reject":
                told.append(rejected(found, said.text or Text("")))
                rejection = f"the answer was rejected: {found.reason}"
                outcome = Answer("unanswered", None, rejection)
                continue
            if said.status == "refused":
                workspace.note("fallback: the grant was too small for a check")
            elif found.said == "unsure":
                workspace.note(f"unchecked: {one_line(found.reason, _SHOWN)}")
            break
        return outcome

    def least(self, workspace: Workspace) -> Price:
        return shares(workspace.within(), 1) + self.finish(workspace, 1)

    def finish(self, workspace: Workspace, m: int) -> Price:
        asked = checking(workspace.question, Text(""))
        return shares(workspace.beside(asked, self.others[0], coming=1), m)


def _after(rejection: str, outcome: Answer) -> Answer:
    """A try without an answer, which says too why the one before it was rejected, if one was."""
    if not rejection:
        return outcome
    why = one_line(outcome.reason or outcome.status, _SHOWN)
    return replace(outcome, reason=f"{why}; before that {rejection}")


def build(*, by: str = "check", tries: Annotated[int, Field(ge=1, le=100)] = 2) -> Strategy:
    """`by` is who checks, a strategy or a player's alias; `tries` is how many there are at most."""
    return Verify(by, tries)
