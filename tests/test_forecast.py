"""A forecast brackets a tree's true bill, and its middle is near it where the fan-out is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any, Literal, get_args

import pytest
from pydantic import SecretStr

from hch import HCH, Completion, Request, ScriptedModel
from hch.budget import Price
from hch.config import Config
from hch.errors import ConfigError, UsageError
from hch.forecast import CHARACTERS, Estimate
from hch.judging import CHECKING, MATCHING
from hch.rates import Rate
from hch.types import Usage, digest
from tests.support import answering, asking, decomposition, memory, regular

RATE = Rate(0.75, 4.5, 0.075)
ROOT = "Which rivers of Europe have changed their course in the last thousand years, and why?"


def talks(fanout: Callable[[Random], int], *, repairs: float = 0.0) -> Callable[[Request], str]:
    """A mind that asks as many questions as it is told to, in texts of uneven length."""

    def words(rng: Random, most: int) -> str:
        return f"{rng.randrange(10**6)} " + "so and so " * rng.randrange(most // 20, most // 10)

    def say(request: Request) -> str:
        rng = Random(digest("mind", request.question, len(request.messages[-1].parts)))
        form = request.form.name if request.form else ""
        if not form:
            return words(rng, 330)
        if rng.random() < repairs and "outside" not in request.messages[-1].content:
            return "I would rather not."
        asked = any("answer" in part.origin for part in request.messages[-1].parts)
        questions = [words(rng, 80) + "?" for _ in range(fanout(rng))]
        if form == "Decomposition":
            return decomposition(*questions)
        return answering(words(rng, 330), form) if asked else asking(*questions)

    return say


@dataclass(frozen=True)
class Shape:
    """A tree: how it is asked, how many sub-questions its nodes ask, and how many are told."""

    depth: int
    told: int
    fanout: Callable[[Random], int]
    options: dict[str, Any] = field(default_factory=dict)
    repairs: float = 0.0

    def hch(self) -> HCH:
        model = ScriptedModel(talks(self.fanout, repairs=self.repairs), rate=RATE)
        budget = self.options.get("budget", "100000calls")
        return HCH(**{**self.options, "budget": budget}, depth=self.depth, model=model,
                   store=memory(), pause=0.0)  # fmt: skip


def always(k: int) -> Callable[[Random], int]:
    return lambda rng: k


SHAPES = {
    "h-alone": Shape(0, 3, always(3)),
    "one-round": Shape(1, 4, always(4)),
    "binary": Shape(4, 2, always(2)),
    "ternary": Shape(3, 3, always(3)),
    "wide": Shape(2, 12, always(12)),
    "uneven": Shape(3, 3, lambda rng: rng.choice([2, 3, 4])),
    "consult": Shape(2, 3, always(3), {"strategy": "consult"}),
    "consult-deep": Shape(3, 2, always(2), {"strategy": "consult"}),
    "mixed": Shape(2, 5, always(5), {"at": {"2": "consult", "0-1": "factored"}}),
    "capped": Shape(4, 3, always(3), {"budget": "60calls"}),
    "repaired": Shape(2, 4, always(4), repairs=0.1),
}


async def both(shape: Shape, *, told: bool) -> tuple[Estimate, Price]:
    hch = shape.hch()
    estimate = await hch.forecast(ROOT, fanout=shape.told if told else None)
    result = await hch.ask(ROOT)
    assert result.status == "answered", result.reason
    bill = result.trace.bill
    return estimate, Price(
        bill.calls, bill.tokens, bill.microusd, sum(1 for _ in result.trace.nodes())
    )


@pytest.mark.parametrize("name", SHAPES)
async def test_the_bill_is_between_the_least_and_the_most(name: str) -> None:
    estimate, bill = await both(SHAPES[name], told=False)
    assert bill.covers(estimate.least), (bill, estimate.least)
    assert estimate.most.covers(bill), (bill, estimate.most)
    assert estimate.typical.covers(estimate.least)
    assert estimate.most.covers(estimate.typical)


@pytest.mark.parametrize("strategy", ["factored", "consult"])
async def test_what_a_dollar_cap_refuses_is_refused_in_the_least_tree_too(strategy: str) -> None:
    answered = 0
    for millis in range(10, 40):
        hch = HCH(
            depth=1, model=ScriptedModel(regular(3), rate=RATE), strategy=strategy,
            store=memory(), budget=f"{millis / 1000}usd",
        )  # fmt: skip
        least, result = (await hch.forecast("Why so?")).least, await hch.ask("Why so?")
        answered += result.status == "answered"
        bill = replace(result.trace.bill, nodes=1)
        assert result.status != "answered" or bill.covers(least), (millis, bill, least)
    assert answered > 10


@pytest.mark.parametrize("reasoning", [0, 1900])
@pytest.mark.parametrize("cached", [0.0, 1.0])
@pytest.mark.parametrize(
    "rate",
    [
        RATE,
        Rate(0.4, 0.6, reasoning=4.0),
        Rate(1.0, 1.0, cached=3.0),
        Rate(1.0, 1.0, longer=((100, Rate(0.1, 5.0)), (200, Rate(3.0, 0.1)))),
    ],
)
async def test_what_is_cached_and_what_is_thought_are_between_them_too(
    rate: Rate, cached: float, reasoning: int
) -> None:
    talk = talks(always(3))

    def say(request: Request) -> Completion:
        said = talk(request)
        read = sum(len(message.content) for message in request.messages) // CHARACTERS
        wrote = len(said) // CHARACTERS + reasoning
        return Completion(said, usage=Usage(read, wrote, int(cached * read), reasoning))

    hch = HCH(depth=1, model=ScriptedModel(say, rate=rate), store=memory(), budget="100calls")
    estimate = await hch.forecast(ROOT)
    bill = (await hch.ask(ROOT)).trace.bill
    assert estimate.least.microusd <= bill.microusd <= estimate.most.microusd


@pytest.mark.parametrize("name", SHAPES)
async def test_the_middle_is_within_30_percent_where_the_fan_out_is_told(name: str) -> None:
    estimate, bill = await both(SHAPES[name], told=True)
    for said, true in zip(estimate.typical.amounts(), bill.amounts(), strict=True):
        assert 0.7 * true <= said <= 1.3 * true, (name, estimate.typical, bill)


async def test_nothing_is_sent_and_nothing_is_kept() -> None:
    model = ScriptedModel({})
    hch = HCH(depth=3, model=model, store=memory())
    await hch.forecast(ROOT)
    assert model.requests == []
    assert hch.kept_in.runs() == []


async def test_the_task_s_own_tree_is_told_exactly() -> None:
    hch = HCH(depth=3, strategy="script", store=memory())
    question = "What is ((2+3)*(4-1))-((6*7)+(8-5))?"
    estimate = await hch.forecast(question)
    assert estimate.least == estimate.typical == estimate.most == Price(nodes=7)


async def test_a_script_above_a_model_asks_what_it_would_ask() -> None:
    model = ScriptedModel(lambda request: "5")
    hch = HCH(depth=1, model=model, at={"1": "script", "0": "direct"}, store=memory())
    question = "What is (2 + 3) * (4 - 1)?"
    estimate = await hch.forecast(question)
    bill = (await hch.ask(question)).trace.bill
    assert estimate.typical.calls == bill.calls == 2


async def test_a_cap_in_tokens_bounds_the_dollars() -> None:
    shape = Shape(5, 3, always(3), {"budget": "10ktokens"})
    most = (await shape.hch().forecast(ROOT)).most
    assert most.tokens == 10_000
    assert most.microusd == 10_000 * RATE.output + most.calls


async def test_a_tree_of_many_levels_is_told_without_being_grown() -> None:
    most = (
        await Shape(200, 16, always(16), {"budget": "1000000000calls"}).hch().forecast(ROOT)
    ).most
    assert most == Price(10**9, 10**18, 10**18, 10**18)  # where counting ends


@pytest.mark.parametrize("kind", ["factored", "consult"])
async def test_a_tree_beyond_counting_is_told(kind: str) -> None:
    hch = HCH(depth=300, model=ScriptedModel(regular(2)), strategy=kind, store=memory())
    told = await hch.forecast(ROOT)
    assert told.least.calls == (1 if kind == "consult" else 2)
    assert told.most.calls == told.typical.calls == 10**18


async def test_an_empty_question_and_a_cap_without_a_price_are_refused() -> None:
    with pytest.raises(UsageError, match="empty"):
        await SHAPES["binary"].hch().forecast("  ")
    config = Config(store="memory", keys={"OPENAI_API_KEY": SecretStr("sk-none")})
    hch = HCH(model="openai:nobody-knows-it", budget="1usd", store=memory(), config=config)
    with pytest.raises(ConfigError, match=r"no known price.*\[prices\]"):
        await hch.forecast(ROOT)


LONGEST = 300
"""Tokens of the longest reply where there are votes and checks."""

CONTEXT = ("As far as is known.",)

Manner = Literal["agree", "differ", "reject", "sway", "ramble"]


@dataclass(frozen=True)
class Wayward:
    """A mind that votes and is checked in one manner, each time as its seed has it.

    It agrees with itself in few words, says something else each time, rejects whatever it checks,
    sways between three answers and two verdicts, or rambles, so that little of it can be read.
    But for the first it is charged as much as a request and a reply can be.
    """

    manner: Manner
    seed: int = 0

    def __call__(self, request: Request) -> Completion | str:
        rng = Random(digest(self.seed, request.key("")))
        if self.manner == "agree":
            return self._said(request, "5", "ACCEPT", "1", ())
        name = "abc"[rng.randrange(3)] if self.manner == "sway" else f"{rng.randrange(10**6)} "
        words = name.ljust(LONGEST - 60, "0")
        accepts = self.manner == "differ" or (self.manner == "sway" and rng.random() < 0.4)
        texts = sum(part.origin.startswith("context ") for part in request.messages[-1].parts)
        known = max(0, texts - 2)  # of the texts of a judge
        matches = str(rng.randrange(known + 1)) if self.manner == "sway" else str(known // 2)
        verdict = "ACCEPT" if accepts else f"REJECT: {words}"
        said = self._said(request, words, verdict, matches, (words[:100], words[:99]))
        if self.manner == "ramble" and rng.random() < 0.5:
            said = rng.choice(["", words, "CANNOT ANSWER: nobody knows", f"{{{said}"])
        return Completion(said, usage=Usage(request.bound, LONGEST))

    def _said(
        self, request: Request, words: str, verdict: str, matches: str, asked: tuple[str, ...]
    ) -> str:
        form = request.form.name if request.form else ""
        if form == "Decomposition":
            return decomposition(*asked)
        if form == "Checked":
            said, _, reason = verdict.partition(": ")
            return json.dumps({"reason": reason, "verdict": said.lower()})
        said = {CHECKING: verdict, MATCHING: matches}.get(request.question, words)
        return answering(said, form) if form else said

    async def ask(self, strategy: str, question: str, depth: int = 0) -> tuple[str, Price, Price]:
        """The status, what the root truly spent, and the least or the most that is foretold."""
        hch = HCH(depth, ScriptedModel(self), strategy, {"0": "vote,k=2/direct"} if depth else {},
                  store=memory(), answer_tokens=LONGEST)  # fmt: skip
        told = await hch.forecast(question, context=CONTEXT)
        result = await hch.ask(question, context=CONTEXT)
        spent = result.trace.roots[0].spent
        assert spent is not None
        return result.status, spent, told.least if self.manner == "agree" else told.most


WRAPPERS = [
    "vote,k=3", "vote,k=2,ties=none", "vote,k=3,scorer=model",
    "vote,ahead=1,most=3", "vote,ahead=2,most=5", "vote,ahead=2,most=5,batch=3",
    "vote,ahead=2,most=4,batch=2,scorer=model",
    "verify", "verify,tries=3,by=direct", "verify,by=factored", "verify,by=consult",
    "verify,by=oracle",
]  # fmt: skip


@pytest.mark.parametrize("inner", ["direct", "factored", "script"])
@pytest.mark.parametrize("wrapper", WRAPPERS)
async def test_votes_and_checks_take_what_is_between_the_least_and_the_most(
    wrapper: str, inner: str
) -> None:
    rng = Random(digest(wrapper, inner))
    over = rng.choice([other for other in WRAPPERS if other.partition(",")[0] != wrapper])
    question = "What is (2 + 3) * (4 - 1)?" if inner == "script" or rng.random() < 0.5 else ROOT
    for manner in get_args(Manner):
        mind = Wayward(manner, rng.randrange(10**6))
        for strategy, depth in ((f"{wrapper}/{inner}", 1), (f"{over}/{wrapper}/{inner}", 0)):
            status, spent, told = await mind.ask(strategy, question, depth)
            if manner != "agree":
                assert told.covers(spent), (strategy, question, manner, told, spent)
            elif status == "answered":
                assert spent.covers(told), (strategy, question, told, spent)


@pytest.mark.parametrize(
    ("strategy", "calls", "manner"),
    [
        ("vote,k=3/direct", 3, "differ"),
        ("vote,ahead=3/direct", 30, None),
        ("vote,ahead=3,batch=4/direct", 30, None),
        ("vote,k=3,scorer=model/direct", 5, "differ"),
        ("vote,ahead=2,most=4,scorer=model/direct", 7, "differ"),
        ("verify,by=direct/direct", 4, "reject"),
        ("verify,tries=4,by=direct/direct", 8, "reject"),
        ("verify,by=oracle/direct", 2, "reject"),
        ("vote,k=3/verify,by=direct/direct", 12, "reject"),
        ("verify,by=direct/vote,k=3,scorer=model/direct", 12, "reject"),
        ("verify/vote,k=3,scorer=model/direct", 14, None),
    ],
)
async def test_the_most_of_votes_and_checks_is_hardly_more_than_there_can_be(
    strategy: str, calls: int, manner: Manner | None
) -> None:
    _, spent, told = await Wayward(manner or "sway").ask(strategy, "What is 2 * 3?")
    assert told.calls == calls
    if manner is not None:
        assert spent.calls == calls
        assert 1.25 * spent.tokens >= told.tokens >= spent.tokens


@pytest.mark.parametrize(
    ("strategy", "reply", "calls"),
    [
        ("vote,k=5,scorer=choice/direct", "B", 3),
        ("vote,k=5,scorer=numeric/direct", "It is 7.", 3),
        ("vote,k=4,fits=[a-z]+/direct", "no", 3),
        ("vote,k=5,longer=20/direct", "no", 3),
        ("vote,ahead=2,scorer=choice/direct", "B", 2),
        ("vote,ahead=2,batch=3,scorer=choice/direct", "B", 3),
        ("vote,ahead=3,scorer=model/direct", "B", 3),
        ("verify,by=direct/vote,k=2,scorer=choice/direct", "B", 3),
    ],
)
async def test_a_vote_is_foretold_whatever_form_of_answers_it_takes(
    strategy: str, reply: str, calls: int
) -> None:
    hch = HCH(0, ScriptedModel(lambda request: reply), strategy, store=memory())
    told, result = await hch.forecast(ROOT), await hch.ask(ROOT)
    assert result.trace.bill.calls == told.least.calls == told.typical.calls == calls
    assert told.most.calls > calls
