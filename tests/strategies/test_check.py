"""Who checks an answer: by a prompt of its own, or by the task's truth."""

from __future__ import annotations

import json

import pytest

from hch import HCH
from hch.errors import UsageError
from hch.judging import CHECKING, GRADING, checking, grading, matching
from hch.types import Question, Text
from tests.support import ask, document, memory

ASKED = Question(Text("Which river?"), (document("A map of the Rhine."),))
SAID = Text("The Po", "model")


def checked(verdict: str, reason: str) -> str:
    return json.dumps({"reason": reason, "verdict": verdict})


def put(model, question, strategy="check", **options):
    """A question of `hch.judging` to who checks."""
    return ask(model, question.text.body, context=question.context, strategy=strategy, depth=0,
               **options)  # fmt: skip


@pytest.mark.parametrize(
    ("verdict", "reason", "line"),
    [
        ("accept", "it does", "ACCEPT"),
        ("reject", "it is\nthe Rhine", "REJECT: it is the Rhine"),
        ("reject", " ", "REJECT: no reason given"),
        ("unsure", "no map", "CANNOT TELL: no map"),
    ],
)
@pytest.mark.parametrize("question", [checking(ASKED, SAID), grading(ASKED, SAID, SAID)])
def test_it_thinks_once_and_says_the_line(question, verdict, reason, line):
    result = put(lambda request: checked(verdict, reason), question)
    assert (result.text, result.status, result.clean) == (line, "answered", True)
    assert len(result.trace.roots[0].thoughts) == 1


def test_its_prompt_shows_question_and_answer_as_material():
    seen = []
    put(lambda request: seen.append(request) or checked("accept", ""), checking(ASKED, SAID))
    [request] = seen
    assert request.form.name == "Checked"
    texts = {part.origin: part.body for m in request.messages for part in m.parts}
    assert texts["context 1"] == "A map of the Rhine."
    assert texts["context 2"] == "Which river?"
    assert texts["context 3"] == "The Po"
    assert "your copies" not in request.messages[-1].content


def test_a_reply_outside_the_grammar_is_asked_for_again_and_then_fails():
    result = put(lambda request: "It is fine.", checking(ASKED, SAID))
    assert (result.status, result.text) == ("failed", None)
    assert len(result.trace.roots[0].thoughts) == 2


@pytest.mark.parametrize("said", ["", " \n"])
def test_where_there_is_nothing_to_check_it_thinks_nothing(said):
    result = put(lambda request: checked("accept", ""), checking(ASKED, Text(said)))
    assert (result.status, result.answer.reason) == ("unanswered", "there is no answer to check")
    assert not result.trace.roots[0].thoughts


BARE = [Question(Text(CHECKING)), Question(Text(CHECKING), (SAID,)),
        Question(Text(GRADING), (SAID, SAID))]  # fmt: skip
"""Its own questions, and not enough of what they are about."""


@pytest.mark.parametrize("question", [ASKED, matching(ASKED, SAID, [SAID]), *BARE])
def test_what_wants_no_verdict_it_answers_as_it_is(question):
    result = put(lambda request: "NONE" if request.form is None else None, question)
    assert (result.text, result.status) == ("NONE", "answered")


def oracle(question: str, said: str, **options):
    checks = checking(Question(Text(question)), Text(said))
    return put(lambda request: None, checks, **{"strategy": "oracle", **options})


def test_the_oracle_goes_by_the_task():
    assert oracle("What is 2 + 3?", "5").text == "ACCEPT"
    assert oracle("What is 2 + 3?", "6").text == "REJECT: it is not the truth"
    assert oracle("Why?", "6").text == "CANNOT TELL: the task cannot grade this question"


def test_the_oracle_answers_no_other_question():
    result = put(lambda request: None, Question(Text("What is 2 + 3?")), strategy="oracle")
    assert result.status == "unanswered"
    assert "answers checks only" in result.answer.reason


def test_the_oracle_errs_at_its_rate_on_each_answer_by_itself():
    n, rate = 800, 0.1
    hch = HCH(0, strategy=f"oracle,errors={rate}", task="arithmetic", store=memory())
    asked = [checking(Question(Text(f"What is {i} + 1?")), Text(str(i + 1))) for i in range(n)]
    wrong = [hch.ask_sync(q.text.body, context=q.context).text != "ACCEPT" for q in asked]
    assert abs(sum(wrong) - n * rate) <= 4 * (n * rate * (1 - rate)) ** 0.5
    assert any(wrong[: n // 2])
    assert any(wrong[n // 2 :])
    q = asked[wrong.index(True)]
    assert hch.ask_sync(q.text.body, context=q.context).text != "ACCEPT"
    one = {oracle(f"What is {i} - {i}?", "0", strategy="oracle,errors=0.5").text for i in range(20)}
    other = {
        oracle("What is 9 - 9?", f"{i}", strategy="oracle,errors=0.5").text for i in range(1, 20)
    }
    assert len(one) == len(other) == 2
    assert oracle("What is 2 + 3?", "5", strategy="oracle,errors=1").text.startswith("REJECT")
    assert oracle("What is 2 + 3?", "6", strategy="oracle,errors=1").text == "ACCEPT"
    assert oracle("Why?", "6", strategy="oracle,errors=1").text.startswith("CANNOT TELL")


def test_a_rate_that_is_none_is_refused():
    with pytest.raises(UsageError, match="errors='2'"):
        oracle("What is 2 + 3?", "5", strategy="oracle,errors=2")
