"""A model that replies with anything never crashes a run: each case, and how its node ends."""

from __future__ import annotations

import json

import pytest

from hch import Completion, Request
from hch.errors import ModelError
from tests.support import answering, ask, asking, decomposition

FORMS = ("Decomposition", "Turn", "LastTurn")


def wild(said):
    """Says `said` wherever the root has to fill in a form, and answers plainly elsewhere."""

    def say(request: Request):
        if request.form is None:
            return "a plain answer"
        return said(request) if callable(said) else said

    return say


OUTSIDE = {
    "empty": "",
    "white space": " \n\t ",
    "prose": "I would first ask about the sky.",
    "wrong JSON": '{"questions": [',
    "wrong fields": '{"query": "x"}',
    "wrong types": '{"questions": "what?", "move": 7}',
    "a list": '[{"questions": []}]',
    "a number": "42",
    "null": "null",
    "nested fences": '```json\n```json\n{"questions": []}\n```\n```',
    "text behind": '{"questions": []} and that is that',
    "two objects": '{"questions": []}{"questions": []}',
    "an unclosed thought": '<think>hm {"questions": []}',
    "1 MB": "x" * 1_000_000,
    "1 MB of brackets": "[" * 1_000_000,
    "1 MB of nesting": '{"a":' * 200_000,
    "NUL": "\0\0\0",
    "lone surrogate": "\ud800",
    "a huge number": '{"questions": ' + "9" * 100_000 + "}",
}


@pytest.mark.parametrize("strategy", ["factored", "consult"])
@pytest.mark.parametrize("case", OUTSIDE)
def test_a_reply_outside_the_grammar_is_asked_again_once_and_fails_its_node(case, strategy):
    result = ask(wild(OUTSIDE[case]), depth=2, strategy=strategy)
    assert result.status == "failed"
    assert "outside the grammar" in result.reason
    [root] = result.trace.nodes()
    assert [thought.prompt.split("/")[0] for thought, _ in root.thoughts] == [strategy, "repair"]


@pytest.mark.parametrize("strategy", ["factored", "consult"])
def test_the_question_itself_as_a_reply_fails_its_node(strategy):
    result = ask(wild(lambda request: request.question), depth=2, strategy=strategy)
    assert result.status == "failed"


@pytest.mark.parametrize("case", ["empty", "wrong JSON", "1 MB"])
def test_a_repaired_reply_is_as_good_as_any(case):
    def say(request: Request):
        repaired = any(part.origin == "problem" for part in request.messages[-1].parts)
        return decomposition("a?", "b?") if repaired else OUTSIDE[case]

    result = ask(wild(say), depth=1)
    assert (result.status, result.text, result.clean) == ("answered", "a plain answer", True)
    assert [asked.question for asked in result.trace.roots[0].asks] == ["a?", "b?"]


FINISHING = [
    ("", "failed", "the reply was empty"),
    ("   \n", "failed", "the reply was empty"),
    ("<think>only thoughts</think>", "failed", "the reply was empty"),
    ("CANNOT ANSWER: nobody knows", "unanswered", "nobody knows"),
    ("CANNOT ANSWER", "unanswered", "no reason given"),
    (Completion("no, sir", finish="refusal"), "unanswered", "no, sir"),
    (Completion("", finish="content_filter"), "unanswered", "content_filter"),
    (Completion("", finish="length"), "truncated", "length limit"),
    (ModelError("no such model", kind="http 400", ran=False), "failed", "http 400"),
]


@pytest.mark.parametrize(("said", "status", "reason"), FINISHING, ids=range(len(FINISHING)))
def test_a_finishing_text_ends_its_node_as_it_deserves(said, status, reason):
    result = ask(lambda request: said, depth=0, strategy="direct")
    assert result.status == status
    assert reason in result.reason
    assert result.text is None


@pytest.mark.parametrize("said", [said for said, *_ in FINISHING[5:]], ids=range(4))
def test_a_typed_turn_that_ends_without_text_ends_its_node_likewise(said):
    by_text = ask(lambda request: said, depth=0).status
    assert ask(wild(said), depth=2, strategy="consult").status == by_text


def test_a_reply_cut_by_its_length_is_an_answer_that_is_not_clean():
    result = ask(lambda request: Completion("half an ans", finish="length"), depth=0)
    assert (result.status, result.text, result.clean) == ("answered", "half an ans", False)
    assert result.notes[0].startswith("cut:")


def test_an_answer_of_a_megabyte_is_cut_and_noted():
    result = ask(lambda request: "ä" * 1_000_000, depth=0)
    assert result.status == "answered"
    assert len(result.text.encode()) <= 65536
    assert not result.clean


def test_odd_characters_come_through_and_can_be_sent_on():
    odd = "\0 \ud800 \x1b[31m \u202e $question {{7*7}}"
    result = ask(
        lambda r: decomposition("a?") if r.form else odd if r.question == "a?" else "seen", depth=1
    )
    assert (result.text, result.clean) == ("seen", True)
    assert result.trace.node("0.1").answer.text.body == odd.strip()


def test_I10_endless_questions_end_by_the_level():  # noqa: N802
    result = ask(wild(lambda r: decomposition(f"{r.question} why?", f"{r.question} how?")), depth=5)
    assert result.status == "answered"
    assert len(list(result.trace.nodes())) == 2**6 - 1


def test_I10_of_a_hundred_thousand_questions_sixteen_are_asked_and_the_rest_refused():  # noqa: N802
    many = decomposition(*(f"what is {i}?" for i in range(100_000)))
    prompts = []

    def say(request: Request):
        if request.form is not None:
            return many
        prompts.append(request.messages[-1].content)
        return "done"

    result = ask(say, depth=1)
    [root] = result.trace.roots
    assert sum(1 + asked.more for asked in root.asks) == 100_000
    assert len(root.asks) <= 80
    assert sum(asked.node is not None for asked in root.asks) == 16
    assert root.asks[-1].refusal == "a node may ask 16 questions in all"
    assert (result.status, result.clean) == ("answered", False)
    assert "99976 more questions were refused" in prompts[-1]
    assert len(prompts[-1]) < 20_000


def test_I10_a_question_of_five_megabytes_is_refused_and_its_asker_told():  # noqa: N802
    result = ask(wild(decomposition("x" * 5_000_000, "a?")), depth=1)
    refused, asked = result.trace.roots[0].asks
    assert refused.refusal == "the question is longer than 65536 bytes"
    assert asked.node.status == "answered"
    assert len(refused.question) <= 2000


@pytest.mark.parametrize("strategy", ["factored", "consult"])
def test_a_copy_may_not_be_asked_its_askers_question_word_for_word(strategy):
    say = {
        "factored": decomposition(" Why is  the SKY blue?"),
        "consult": asking(" Why is  the SKY blue?"),
    }
    result = ask(wild(say[strategy]), depth=3, strategy=strategy)
    [root] = result.trace.nodes()
    assert {asked.refusal for asked in root.asks} == {
        "it repeats the asker's own question word for word"
    }


def test_asking_each_other_round_and_round_is_ended_by_the_level():
    say = wild(lambda r: decomposition("B?" if r.question == "A?" else "A?"))
    result = ask(say, "A?", depth=6)
    assert [node.question.text.body for node in result.trace.nodes()] == ["A?", "B?"] * 3 + ["A?"]


def test_one_who_asks_in_every_turn_for_ever_is_ended_by_its_turns():
    def say(request: Request):
        if request.form.name == "LastTurn":
            return answering("at last", "LastTurn")
        turn = sum("sub-question" in part.origin for part in request.messages[-1].parts)
        return asking(f"{request.question} {turn}")

    result = ask(wild(say), depth=1, strategy="consult")
    assert (result.text, len(result.trace.roots[0].thoughts)) == ("at last", 8)
    assert [thought.prompt for thought, _ in result.trace.roots[0].thoughts][-1] == "consult/last"


def test_one_who_never_answers_even_when_it_must_fails():
    result = ask(wild(asking("a?")), depth=1, strategy="consult")
    assert result.status == "failed"


def test_an_empty_question_is_refused_and_repeats_are_asked_once():
    result = ask(wild(decomposition("", "a?", "a?", "a?")), depth=1)
    first, *rest = result.trace.roots[0].asks
    assert first.refusal == "the question is empty"
    assert len({asked.node.key for asked in rest}) == 1
    assert [asked.shared for asked in rest] == [False, True, True]


def test_a_text_that_was_not_sent_along_cannot_be_named():
    plan = {"questions": [{"question": "a?", "texts": [3]}]}
    result = ask(wild(json.dumps(plan)), depth=1, context=["one", "two"])
    assert result.status == "failed"
    assert "texts are numbered from 1 to 2" in result.reason


def test_the_texts_named_go_along_and_none_named_means_all():
    plan = {"questions": [{"question": "a?", "texts": [2]}, {"question": "b?", "texts": []}]}
    result = ask(wild(json.dumps(plan)), depth=1, context=["one", "two"])
    sent = [[t.body for t in child.question.context] for child in result.trace.roots[0].children]
    assert sent == [["two"], ["one", "two"]]
    assert not result.answer.text.trusted
