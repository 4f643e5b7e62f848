"""An independent check: what it sees, and what becomes of an answer that it rejects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hch import HCH, Completion, Request
from hch.errors import ModelError
from hch.judging import CHECKING
from hch.types import KEPT, Ballot, Usage
from tests.support import ask, decomposition, document, memory

QUESTION = "What is 2 times 3?"
LOST = ModelError("it is lost", kind="http 400", ran=False)


def which(request: Request) -> int:
    """The number of the try, or of the check, that this request is of."""
    return request.sample[-1][2] if request.sample else 0


def mind(
    said: list[str | ModelError], checks: list[str | ModelError], seen: list[Request] | None = None
) -> Callable[[Request], str | ModelError]:
    """Says these answers, one a try, and these verdicts, one a check."""

    def say(request: Request) -> str | ModelError:
        if seen is not None:
            seen.append(request)
        return checks[which(request)] if request.question == CHECKING else said[which(request)]

    return say


def verify(said, checks, options=",by=direct", *, inner="direct", seen=None, **more):
    strategy = f"verify{options}/{inner}"
    return ask(mind(said, checks, seen), QUESTION, strategy=strategy, **{"depth": 0, **more})


def hows(result) -> list[str]:
    return [ask.how for ask in result.trace.roots[0].asks]


def test_an_answer_that_is_accepted_stands():
    result = verify(["6"], ["ACCEPT"])
    assert (result.text, result.answer.notes, result.clean) == ("6", (), True)
    assert hows(result) == ["try", "put"]


def test_the_check_sees_question_and_answer_and_not_the_way_there():
    seen: list[Request] = []

    def say(request: Request) -> str:
        seen.append(request)
        if request.question == CHECKING:
            return "ACCEPT"
        if request.form:
            return '{"questions": [{"question": "what is 3 times 2?"}]}'
        return "the way there" if request.question.startswith("what is") else "6"

    result = ask(
        say,
        QUESTION,
        context=[document("A table.")],
        strategy="verify,by=direct/factored",
        depth=1,
        at={"0": "direct"},
    )
    assert result.text == "6"
    [check] = [request for request in seen if request.question == CHECKING]
    texts = [p.body for m in check.messages for p in m.parts if p.origin.startswith("context")]
    assert texts == ["A table.", QUESTION, "6"]
    assert not any("the way there" in message.content for message in check.messages)


def test_after_a_rejection_a_fresh_try_is_told_why():
    seen: list[Request] = []
    result = verify(["7", "6"], ["REJECT: 7 is odd", "ACCEPT"], seen=seen)
    assert (result.text, result.clean) == ("6", True)
    assert hows(result) == ["try", "put", "try", "put"]
    first, _, second, _ = ("".join(message.content for message in r.messages) for r in seen)
    told = "An earlier answer to this question was rejected: 7 is odd"
    assert (told in first, told in second) == (False, True)


def test_each_rejection_goes_along_and_the_last_one_is_the_reason():
    seen: list[Request] = []
    rejections = ["REJECT: 7 is odd", "REJECT: 8 is too many", "REJECT: 9 is odd too"]
    result = verify(["7", "8", "9"], rejections, ",by=direct,tries=3", seen=seen)
    assert (result.text, result.status) == (None, "unanswered")
    assert result.answer.reason == "the answer was rejected: 9 is odd too"
    last = next(r for r in reversed(seen) if r.question == QUESTION)
    texts = [p.body for m in last.messages for p in m.parts if p.origin.startswith("context")]
    assert [text.rpartition(": ")[2] for text in texts] == ["7 is odd", "8 is too many"]


@pytest.mark.parametrize(
    ("second", "status", "more", "why"),
    [
        (LOST, "failed", {}, "the call was given up (http 400): it is lost"),
        ("CANNOT ANSWER: no idea", "unanswered", {}, "no idea"),
        ("6", "unanswered", {"budget": "9calls", "each": "3calls"},
         "refused: the grant is too small for another copy"),
    ],
)  # fmt: skip
def test_a_try_that_comes_to_nothing_does_not_hide_why_the_one_before_was_rejected(
    second, status, more, why
):
    result = verify(["7", second], ["REJECT: 7 is odd"], **more)
    assert result.status == status
    assert result.answer.reason == f"{why}; before that the answer was rejected: 7 is odd"


def test_so_much_of_a_rejection_is_kept():
    seen: list[Request] = []
    result = verify(["7", "8"], ["REJECT: " + "no " * 9999] * 2, seen=seen)
    assert len(result.answer.reason) <= KEPT
    assert max(len(r.messages[-1].content) for r in seen if r.question == QUESTION) < 2 * KEPT


def test_a_copy_that_is_opened_can_pay_for_a_try_and_its_check():
    """Of equal parts each is rounded down: only what is worth as many of these is enough."""

    def say(request: Request) -> str:
        if request.question == CHECKING:
            return "ACCEPT"
        return decomposition("a part?", "another?", "a third?") if request.form else "6"

    parts = 0
    for tokens in range(1_000, 20_000, 250):
        result = ask(
            say,
            QUESTION,
            strategy="factored",
            depth=1,
            at={"0": "verify,by=direct/direct"},
            budget=f"{2 * tokens}tokens",
            each=f"{tokens}tokens",
            answer_tokens=100,
        )
        for part in result.trace.roots[0].children:
            assert [slot.how for slot in part.asks if slot.node] == ["try", "put"], tokens
            parts += 1
    assert parts


@pytest.mark.parametrize(
    ("check", "note"),
    [
        ("CANNOT TELL: no table", "unchecked: no table"),
        ("CANNOT ANSWER: too hard", "unchecked: too hard"),
        (LOST, "unchecked: the call was given up (http 400): it is lost"),
        ("Well.", "unchecked: the check says neither ACCEPT, REJECT nor CANNOT TELL: Well."),
    ],
)
def test_where_the_check_cannot_tell_the_answer_stands_and_says_so(check, note):
    result = verify(["6"], [check])
    assert (result.text, result.answer.notes) == ("6", (note,))
    assert hows(result) == ["try", "put"]


def test_what_is_not_answered_is_not_checked_but_tried_afresh():
    result = verify([LOST, "6"], ["ACCEPT", "ACCEPT"])
    assert result.text == "6"
    assert hows(result) == ["try", "try", "put"]
    none = verify(["CANNOT ANSWER: no idea", LOST], [])
    assert none.status == "failed"
    assert "it is lost" in none.answer.reason
    assert hows(none) == ["try", "try"]


def test_an_answer_that_comes_again_is_checked_again():
    """Its verdict is another sample: a check that errs does not stand in the way for ever."""
    result = verify(["6", "6"], ["REJECT: no", "ACCEPT"])
    assert result.text == "6"


def test_the_vote_that_was_checked_stays_on_the_answer():
    result = ask(
        lambda request: "ACCEPT" if request.question == CHECKING else "6",
        QUESTION,
        strategy="verify,by=direct/vote/direct",
        depth=0,
    )
    assert result.answer.ballot == Ballot((("6", 2),), 2, 3)


def test_a_check_that_the_grant_does_not_pay_for_is_told():
    long = Completion("six " * 2000, usage=Usage(20, 8))  # it costs more to read than to write
    result = verify([long], ["ACCEPT"], budget="3ktokens", answer_tokens=16)
    assert result.text == long.text.strip()
    assert result.answer.notes == ("fallback: the grant was too small for a check",)
    assert (hows(result), result.clean) == (["try", "put"], False)
    assert result.trace.roots[0].opened.grant.price().covers(result.trace.roots[0].spent)


def test_the_default_check_thinks_by_its_own_prompt():
    def say(request: Request) -> str:
        if request.form is None:
            return "7" if which(request) == 0 else "6"
        answer = next(p.body for p in request.messages[-1].parts if p.origin == "context 2")
        verdict = "accept" if answer == "6" else "reject"
        return f'{{"reason": "{answer} is what it says", "verdict": "{verdict}"}}'

    result = ask(say, QUESTION, strategy="verify/direct", depth=0)
    assert (result.text, result.clean) == ("6", True)


def test_the_tasks_own_check_moves_accuracy_as_bayes_rule_says():
    """H errs in half of the cases, the check in a tenth: nine tenths of what stands are right."""
    n, strategy = 600, "verify,by=oracle,,errors=0.1,tries=1/script,errors=0.5"
    asked = [f"What is {i} + 100?" for i in range(n)]
    hch = HCH(0, strategy=strategy, task="arithmetic", store=memory())
    results = asyncio.run(hch.begin(asked).finish())
    stand = [(result.text, str(i + 100)) for i, result in enumerate(results) if result.text]
    right = sum(said == truth for said, truth in stand)
    assert abs(len(stand) - n / 2) <= 4 * (n / 4) ** 0.5
    assert abs(right / len(stand) - 0.9) <= 4 * (0.09 / len(stand)) ** 0.5
