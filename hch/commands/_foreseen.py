"""What an evaluation will come to, before anything is sent: a few of its questions, times all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any

from hch.budget import Price, root_grant
from hch.commands._columns import Column, table
from hch.commands._dry_run import HEAD, as_object, cells
from hch.forecast import Estimate, dearest
from hch.judging import grading
from hch.planting import paid_for
from hch.safe_text import one_line
from hch.types import Question, Text
from hch.words import budget, count, dollars, listed, tokens

if TYPE_CHECKING:
    from hch.compose import HCH
    from hch.evals.questions import Sheet
    from hch.examination import Entry

SAMPLED = 3
"""How many questions are looked at."""

NAME = 200
"""Characters of a player's name."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What each entry's answers to all questions come to; `names` are those of the entries.

    `answers` is how many entries answer: the others grade.
    """

    hch: HCH
    sheet: Sheet
    names: Sequence[str]
    each: Sequence[Estimate]
    answers: int

    @property
    def whole(self) -> Estimate:
        """All of it together; the most is held to the cap."""
        sums = [sum(prices, Price()) for prices in zip(*map(_three, self.each), strict=True)]
        cap = self.hch.cap[0]
        least, typical, most = (Price(*map(min, p.amounts(), cap.amounts())) for p in sums)
        if cap.tokens != inf:
            dollars = max(dearest(most, lineup) for lineup in self.hch.lineups)
            most = replace(most, microusd=min(most.microusd, dollars))
        return Estimate(least, typical, most)

    @property
    def line(self) -> str:
        """`900 answers: about 1,234 calls, 1.2M tok, $0.44; $3.10 at the most`."""
        whole, answers = self.whole, self.answers * len(self.sheet.questions)
        about = listed(
            (
                count(int(whole.typical.calls), "call"),
                tokens(whole.typical.tokens),
                dollars(whole.typical.microusd) if whole.typical.microusd else "",
            )
        )
        most = whole.most.microusd
        end = f"; {dollars(most)} at the most" if most and not self.hch.unpriced else ""
        return f"{answers:,} answers are foreseen to take about {about}{end}"

    def page(self, width: int) -> Iterator[str]:
        """A row for each entry, typically, and the three bills of all together."""
        asked = count(len(self.sheet.questions), "question")
        yield one_line(f"{self.sheet.source}: {asked}, {count(self.answers, 'answer')} to each; "
                       "nothing was sent", width)  # fmt: skip
        whole = self.whole
        names = [*(one_line(name, NAME) for name in self.names), "all, typically"]
        rows = [each.typical for each in self.each] + [whole.typical]
        names += ["all, at the least", "all, at the most"]
        rows += [whole.least, whole.most]
        shown = [cells(price, priced=not self.hch.unpriced) for price in rows]
        figures = [
            Column(title, [row[i] for row in shown], 9 - i) for i, title in enumerate(HEAD[1:])
        ]
        yield from table([Column("player", names, 10, texts=True), *figures], width)
        cap = budget(self.hch.cap[0])
        yield f"capped at {cap}" if cap else "no cap; a call that has to be repeated counts again"
        for name in self.hch.unpriced:
            yield one_line(f"{name} has no known price: give it under [prices] in hch.toml")

    def json(self) -> dict[str, Any]:
        """The three bills of all, and of each entry."""
        rows = [
            {"name": name, **as_object(self.hch, each)}
            for name, each in zip(self.names, self.each, strict=True)
        ]
        return {
            **as_object(self.hch, self.whole),
            "questions": len(self.sheet.questions),
            "rows": rows,
        }


async def foresee(
    hch: HCH, sheet: Sheet, entries: Sequence[Entry], names: Sequence[str]
) -> Foreseen:
    """What these entries come to. Raises what `HCH.forecast` raises."""
    sampled = sheet.questions[:: max(1, len(sheet.questions) // SAMPLED)][:SAMPLED]
    roots = len(sheet.questions) * len(entries)
    grant = budget(root_grant(hch.cap[0], roots))
    alike = replace(hch, each=hch.each or grant or None)
    found: list[Estimate] = []
    for entry in entries:
        if entry.paid_by is not None and entry.unit is not None:
            paid_by, unit = found[entry.paid_by], found[entry.unit]
            found.append(_vote(paid_by, unit, len(sheet.questions)))
            continue
        each = [await _of(alike, sheet, question, entry) for question in sampled]
        sums = [sum(prices, Price()) for prices in zip(*map(_three, each), strict=True)]
        found.append(Estimate(*(_times(s, len(sheet.questions) / len(sampled)) for s in sums)))
    answers = sum(entry.grades is None for entry in entries)
    return Foreseen(hch, sheet, names, found, answers)


async def _of(hch: HCH, sheet: Sheet, question: Question, entry: Entry) -> Estimate:
    about = next((i for i in sheet.instances if i.digest == question.instance), None)
    if entry.grades is not None:
        question = grading(question, question.text, Text("so"))
    return await hch.forecast(question, instance=about, lineup=entry.lineup)


def _vote(tree: Estimate, unit: Estimate, questions: int) -> Estimate:
    """The vote that a tree pays for: of one try, of as many as are typical, and of the most."""
    usual, most = paid_for(tree.typical, unit.typical), paid_for(tree.most, unit.least)
    tried = unit.least, _times(unit.typical, usual), _times(unit.most, most)
    return Estimate(*(price + Price(nodes=questions) for price in tried))


def _three(estimate: Estimate) -> tuple[Price, Price, Price]:
    return estimate.least, estimate.typical, estimate.most


def _times(price: Price, n: float) -> Price:
    return Price(*(int(amount * n) for amount in price.amounts()))
