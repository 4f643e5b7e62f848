"""Tries its question several times, and the answers vote: the majority, or first ahead by so many.

`vote,k=5/factored` takes the most votes of five tries (Wang et al. 2022, arXiv 2203.11171),
`vote,ahead=3/factored` the first answer that is three ahead of every other (MAKER, arXiv
2511.09030). It stops when no further try can change what it comes to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from hch import registry
from hch.budget import Price, shares
from hch.errors import UsageError
from hch.judging import matched, matching
from hch.protocols import Scorer, Strategy, Workspace
from hch.registry import Spec
from hch.types import Answer, Text
from hch.votes import Rule, Tally

WRAPS = True
"""It tries another strategy: what follows it after a /."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What discards an answer before it votes: more characters than `longer`, or not as `fits`."""

    longer: int | None = None
    fits: re.Pattern[str] | None = None

    def why(self, text: str) -> str | None:
        """What is wrong with an answer; None where nothing is."""
        if self.longer is not None and len(text) > self.longer:
            return f"longer than {self.longer} characters"
        if self.fits is not None and not self.fits.fullmatch(text.strip()):
            return "not of the form wanted"
        return None


class Vote:
    """Tries by the batch, as many as the rule wants next; its scorer says which are equal."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}
    thinks = False
    refuses_repeats = False

    def __init__(self, rule: Rule, scorer: Scorer, flags: Flags) -> None:
        self._rule = rule
        self._scorer = scorer
        self._flags = flags
        self.others: tuple[str, ...] = (scorer.by,) if scorer.by else ()

    async def __call__(self, workspace: Workspace) -> Answer:
        tally, groups, paid = Tally(self._rule), dict[str, int](), 0
        while wanted := tally.wanted:
            answers = await workspace.tries(wanted, of=self._rule.of)
            paid += sum(answer.status != "refused" for answer in answers)
            for answer in answers:
                # Nothing is judged where too few tries are paid for: there is no vote then.
                judges = workspace if self.others and paid >= self._rule.least else None
                await self._take(judges, tally, groups, answer)
        return tally.answer()

    async def _take(
        self, judges: Workspace | None, tally: Tally, groups: dict[str, int], answer: Answer
    ) -> None:
        """One try's vote, or why it has none; `groups` has the group of each form there was.

        Nobody judges of it once the vote is decided.
        """
        if answer.status == "refused":
            tally.refuse(answer.reason)
            return
        if answer.text is None or not answer.answered:
            tally.discard(answer.reason or answer.status)
            return
        form = self._scorer.form(answer.text.body)
        if (why := self._flags.why(answer.text.body)) or form is None:
            tally.flag(why or "malformed")
            return
        group = groups.get(form)
        if group is None and judges and tally.groups and tally.wanted:
            group = await self._judged(judges, tally, answer.text)
        groups[form] = len(tally.groups) if group is None else group
        tally.take(answer, group)

    async def _judged(self, workspace: Workspace, tally: Tally, said: Text) -> int | None:
        """The group that says the same as this answer, as the scorer's player judges it."""
        known = [group.text for group in tally.groups if group.text]
        answer = await workspace.put(matching(workspace.question, said, known), self.others[0])
        if answer.status == "refused":
            workspace.note("fallback: the grant was too small to judge which answers are the same")
        return matched(answer, len(known))

    def least(self, workspace: Workspace) -> Price:
        least = self._rule.least
        return shares(workspace.within(), least) + self.finish(workspace, least)

    def finish(self, workspace: Workspace, m: int) -> Price:
        if not self.others:
            return Price()
        judged = m if workspace.asked else max(0, m - 1)  # the first try is like no other
        asked = matching(workspace.question, Text(""), ())
        return shares(workspace.beside(asked, self.others[0], coming=self._rule.of), judged)


def build(  # noqa: PLR0913 - its parameters are its options
    *,
    k: int | None = None,
    ahead: int | None = None,
    most: int | None = None,
    batch: int | None = None,
    ties: Literal["first", "none"] = "first",
    scorer: str = "exact",
    longer: Annotated[int, Field(ge=1)] | None = None,
    fits: str | None = None,
) -> Strategy:
    """The most votes of `k` (3), or the first `ahead`, in `most` tries, `batch` at once; see docs.

    `ties=none` has no winner where several have the most; `scorer` says what is the same answer.
    An answer of more than `longer` characters, or not of the pattern `fits`, is discarded.
    Raises UsageError where that is no vote.
    """
    try:
        pattern = None if fits is None else re.compile(fits)
    except re.error as error:
        raise UsageError(f"strategy 'vote': fits={fits!r} is no pattern: {error}") from error
    rule = Rule(k, ahead, most, batch, ties)
    return Vote(rule, registry.build("scorers", Spec.parse(scorer)), Flags(longer, pattern))
