"""From what a run is to ask to the roots that the engine plants: of which lineup, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, cast

from hch import registry
from hch.budget import Price
from hch.engine import Root
from hch.judging import Verdict, grading
from hch.protocols import Scorer, Strategy, Workspace
from hch.registry import PlayerSpec, Spec
from hch.roots import Plan
from hch.rules import Lineup, Outcome, Player, Rules
from hch.steps import named
from hch.types import Answer, Question, Text
from hch.votes import MOST


def planted(plan: Plan, lineups: Sequence[Lineup], rules: Rules) -> Iterator[Root]:
    """The roots of a plan, in order."""
    scorer = _scorer(plan)
    for index, (question, entry) in enumerate(plan):
        lineup = lineups[entry.lineup]
        if not entry.after:
            yield Root.of(question, lineup)
        elif entry.grades is None:
            yield Root(partial(_paid, question, lineup), plan.after(index))
        else:
            expected = _expected(plan, index // len(plan.entries), rules)
            graded = partial(_graded, question, lineup, expected, scorer)
            yield Root(graded, plan.after(index))


def _paid(question: Question, lineup: Lineup, before: Sequence[Outcome]) -> tuple[Question, Lineup]:
    tree, unit = before
    player = lineup.players[lineup.depth]
    return question, lineup.with_at(
        lineup.depth, of_tries(player, paid_for(tree.spent, unit.spent))
    )


def paid_for(spent: Price, unit: Price) -> int:
    """How many tries at the price of `unit` what was spent pays for, one at the least.

    By tokens; by calls where there are none, and by nodes, which are calls of H, where nobody is
    called either. A vote can have no more than `hch.votes.MOST`.
    """
    for total, each in zip(
        (spent.tokens, spent.calls, spent.nodes), (unit.tokens, unit.calls, unit.nodes), strict=True
    ):
        if total and each:
            return max(1, min(MOST, int(total // each)))
    return 1


def of_tries(player: Player, k: int) -> Player:
    """The same player, its outermost strategy, a vote, being one of so many tries."""
    spec = PlayerSpec.parse(player.spec)
    first, *rest = spec.strategies
    options = {**dict(first.options), "k": str(k)}
    vote = Spec(first.name, first.arg, tuple(options.items()))
    written = "/".join(map(str, (vote, *rest)))
    strategy = cast(Strategy, registry.build("strategies", vote))
    return replace(
        player,
        spec=f"{written}@{spec.model}" if spec.model else written,
        layers=(strategy, *player.layers[1:]),
    )


def _graded(
    question: Question,
    lineup: Lineup,
    expected: Text,
    scorer: Scorer,
    before: Sequence[Outcome],
) -> tuple[Question, Lineup]:
    """Whether the answer is right, put to the lineup; nobody is asked where that is plain."""
    answer = before[0].answer
    if answer.text is None or not answer.answered:
        nothing = Given(Answer("unanswered", None, "there is no answer to grade"))
        return grading(question, expected, Text("", "script")), nothing.lineup
    said = scorer.form(answer.text.body)
    if said is not None and said == scorer.form(expected.body):
        same = Given(Answer("answered", Text(Verdict("accept").line, "script")))
        return grading(question, expected, answer.text), same.lineup
    return grading(question, expected, answer.text), lineup


class Given:
    """A strategy that has its answer already."""

    prompts: ClassVar[Mapping[str, frozenset[str]]] = {}
    thinks = False
    refuses_repeats = False

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    @property
    def lineup(self) -> Lineup:
        """It alone, at level 0."""
        return Lineup((Player("given", (self,), None),))

    async def __call__(self, workspace: Workspace) -> Answer:
        return self._answer

    def least(self, workspace: Workspace) -> Price:
        return Price()

    def finish(self, workspace: Workspace, m: int) -> Price:
        return Price()


def _scorer(plan: Plan) -> Scorer:
    named = plan.examination.scorer if plan.examination else None
    return cast(Scorer, registry.build("scorers", Spec.parse(named or "exact")))


def _expected(plan: Plan, number: int, rules: Rules) -> Text:
    """The right answer to a question: what it is held against, or the task's truth."""
    question, found = plan.questions[number], None
    if plan.examination:
        found = plan.examination.expected[number]
    return Text(found if found is not None else _true(question, rules), "task")


def _true(question: Question, rules: Rules) -> str:
    """The task's truth, empty where it cannot tell."""
    task, term = rules.task, rules.term(question.text.body)
    if task is None or term is None:
        return ""
    answer = task.truth(named(rules.instances, question.instance), term)
    return answer.text.body if answer.text else ""
