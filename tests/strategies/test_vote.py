"""Tries that vote: what wins, what is discarded, when it stops, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hch import HCH, Completion, Request
from hch.errors import ModelError, UsageError
from hch.judging import MATCHING
from hch.types import Ballot, Usage
from tests.support import ask, decomposition

QUESTION = "What is 2 times 3?"


def which(request: Request) -> int:
    """The number of the try that this request is of."""
    return next(i for level, wrapper, i in reversed(request.sample) if wrapper)


def saying(*said: Said) -> Callable[[Request], Said]:
    """A mind whose tries say these, one after the other; as a judge it knows Rome by any name."""

    def say(request: Request) -> Said:
        if request.question == MATCHING:
            *known, _, last = (p.body for p in request.messages[-1].parts if "context" in p.origin)
            return next((str(i) for i, k in enumerate(known, 1) if {k, last} <= ROME), "NONE")
        return said[which(request)]

    return say


Said = str | Completion | ModelError
ROME = {"Rome", "Roma", "The city of Rome"}
LOST = ModelError("it is lost", kind="http 400", ran=False)


def vote(options: str, *said: Said, inner: str = "direct", **more):
    return ask(saying(*said), QUESTION, strategy=f"vote{options}/{inner}", **{"depth": 0, **more})


@pytest.mark.parametrize(
    ("options", "said", "text", "ballot"),
    [
        ("", "66", "6", Ballot((("6", 2),), 2, 3)),
        ("", "676", "6", Ballot((("6", 2), ("7", 1)), 3, 3)),
        (",k=1", "7", "7", Ballot((("7", 1),), 1, 1)),
        (",k=5", "7666", "6", Ballot((("6", 3), ("7", 1)), 4, 5)),
        (",k=5", "76869", "6", Ballot((("6", 2), ("7", 1), ("8", 1), ("9", 1)), 5, 5)),
        (",ahead=1", "7", "7", Ballot((("7", 1),), 1, 10)),
        (",ahead=2", "6766", "6", Ballot((("6", 3), ("7", 1)), 4, 20)),
        (",ahead=2,batch=4", "6677", "6", Ballot((("6", 2), ("7", 2)), 4, 20)),
        (",ahead=2,batch=3,most=4", "6767", None, Ballot((("6", 2), ("7", 2)), 4, 4)),
        (",ahead=3,most=4", "67", None, Ballot((("6", 1), ("7", 1)), 2, 4)),
    ],
)
def test_tries_are_made_until_it_is_decided(options, said, text, ballot):
    result = vote(options, *said)
    assert (result.text, result.answer.ballot) == (text, ballot)
    [root] = result.trace.roots
    assert [ask.how for ask in root.asks] == ["try"] * ballot.tries
    assert result.clean is (text is not None)


def test_a_tie_is_told():
    result = vote("", "7", "6", "8")
    assert (result.text, result.status) == ("7", "answered")
    assert result.answer.notes == ("tie: 3 answers have a vote each, and the first of them stands",)
    strict = vote(",ties=none", "7", "6", "8")
    assert (strict.text, strict.status) == (None, "unanswered")
    assert strict.answer.reason == "tie: 3 answers have a vote each"
    assert strict.answer.ballot == Ballot((("7", 1), ("6", 1), ("8", 1)), 3, 3)


def test_nobody_far_enough_ahead_is_no_answer():
    result = vote(",ahead=3,most=6", *"676767")
    assert result.status == "unanswered"
    assert result.answer.reason == "no answer came to be ahead by 3 in 4 tries"


def test_a_try_without_an_answer_counts_and_never_wins():
    result = vote(",k=5", LOST, "6", "CANNOT ANSWER: no idea", "6", "6")
    assert result.text == "6"
    assert result.answer.ballot == Ballot((("6", 2),), 4, 5)
    assert result.answer.notes == ()
    none = vote("", LOST, "CANNOT ANSWER: no idea", LOST)
    assert none.status == "unanswered"
    assert none.answer.reason.startswith("no try has a vote: ")
    assert none.answer.reason.endswith("it is lost")


@pytest.mark.parametrize(
    ("options", "notes"),
    [
        (",longer=3", ("discarded: 2 longer than 3 characters",)),
        (",fits=[0-9]+", ("discarded: 2 not of the form wanted",)),
        (",scorer=numeric,,whole=true", ("discarded: 2 malformed",)),
    ],
)
def test_red_flags_discard_a_try_before_it_votes(options, notes):
    result = vote(f",k=5{options}", "I say 7", "6", "it is 7", "6", "6")
    assert result.text == "6"
    assert result.answer.notes == notes
    assert result.answer.ballot == Ballot((("6", 2),), 4, 5)
    assert result.clean


def test_what_is_the_same_answer_is_a_scorers_business():
    result = vote(",scorer=numeric", "It is 6.", "7", "6.0")
    assert result.text == "It is 6."
    assert result.answer.ballot.votes == (("It is 6.", 2), ("7", 1))
    assert vote("", "It is 6.", "7", "6.0").answer.ballot.votes[0][1] == 1


def test_a_player_judges_where_the_texts_differ():
    result = vote(",k=5,scorer=model", "Rome", "Paris", "Roma", "The city of Rome", "Roma")
    assert result.text == "Rome"
    assert result.answer.ballot == Ballot((("Rome", 3), ("Paris", 1)), 4, 5)
    [root] = result.trace.roots
    hows = [ask.how for ask in root.asks]
    # The first try has nobody to be compared with, and equal texts are the same anyway.
    assert hows == ["try", "try", "try", "put", "put", "try", "put"]
    judged = [ask.node for ask in root.asks if ask.how == "put"]
    assert {node.opened.player for node in judged} == {"check@scripted"}
    assert [node.answer.text.body for node in judged] == ["NONE", "1", "1"]


def test_without_the_means_to_judge_answers_are_held_to_differ():
    said = [Completion(name * 1000, usage=Usage(20, 8)) for name in ("Rome ", "Roma ", "Rome  ")]
    result = vote(",scorer=model", *said, budget="6ktokens", answer_tokens=16)
    assert result.answer.notes == (
        "fallback: the grant was too small to judge which answers are the same",
    )
    assert [n for _, n in result.answer.ballot.votes] == [2, 1]
    assert result.trace.roots[0].opened.grant.price().covers(result.trace.roots[0].spent)


def test_nobody_judges_once_a_vote_is_decided():
    said = ["Rome", "Rome", "Paris", "Roma", "Paris", "London"]
    result = vote(",ahead=2,batch=6,scorer=model", *said)
    votes = (("Rome", 2), ("Paris", 2), ("Roma", 1), ("London", 1))
    assert (result.text, result.answer.ballot) == ("Rome", Ballot(votes, 6, 20))
    assert [ask.how for ask in result.trace.roots[0].asks] == ["try"] * 6


@pytest.mark.parametrize("k", [3, 5])
@pytest.mark.parametrize("calls", range(1, 14))
def test_no_try_is_made_that_could_not_be_judged(k, calls):
    few = {"budget": "99calls", "each": f"{calls}calls"}
    result = vote(f",k={k},scorer=model,,by=direct", *"abcde", **few)
    hows = [ask.how for ask in result.trace.roots[0].asks if ask.node]
    made = min(k, (calls + 1) // 2)
    assert hows.count("try") == made
    assert hows.count("put") == (made - 1 if result.text else 0)
    assert (result.text is not None) == (made > k // 2)


@pytest.mark.parametrize(
    ("options", "least", "calls"),
    [(",k=5", 3, 2), (",ahead=3", 3, 2), (",scorer=model", 2, 1), (",k=5,scorer=model", 3, 4)],
)
def test_where_too_few_tries_are_paid_for_there_is_no_vote(options, least, calls):
    """Nor is one judged."""
    few = {"budget": "99calls", "each": f"{calls}calls"}
    result = vote(options, "Rome", "Roma", "Paris", **few)
    assert (result.text, result.status) == (None, "unanswered")
    assert result.answer.reason == (
        f"only {least - 1} of the {least} tries that it takes could be made: "
        "the grant is too small for another copy"
    )
    made = [ask.how for ask in result.trace.roots[0].asks if ask.node]
    assert made == ["try"] * (least - 1)


@pytest.mark.parametrize(
    ("options", "least", "judged"),
    [(",k=3", 2, 0), (",k=9", 5, 0), (",ahead=4", 4, 0), (",k=5,scorer=model,,by=direct", 3, 2)],
)
def test_a_copy_that_is_opened_can_pay_for_a_whole_vote(options, least, judged):
    """Of equal parts each is rounded down: only what is worth as many of these is enough."""

    def say(request: Request) -> str:
        if request.form:
            return decomposition("a part?", "another?", "a third?", "a fourth?")
        return "NONE" if request.question == MATCHING else f"six {request.sample}"

    parts = 0
    for tokens in range(1_000, 20_000, 250):
        result = ask(
            say,
            QUESTION,
            strategy="factored",
            depth=1,
            at={"0": f"vote{options}/direct"},
            budget=f"{2 * tokens}tokens",
            each=f"{tokens}tokens",
            answer_tokens=150,
        )
        for part in result.trace.roots[0].children:
            hows = [slot.how for slot in part.asks if slot.node]
            assert hows.count("try") >= least, tokens
            assert hows.count("put") >= judged, tokens
            parts += 1
    assert parts


def test_a_sub_question_is_put_to_the_vote_again():
    result = ask(
        lambda request: '{"questions": [{"question": "a part?"}]}' if request.form else "6",
        QUESTION,
        strategy="vote/factored",
        depth=1,
    )
    [root] = result.trace.roots
    tried = root.asks[0].node
    [part] = [ask.node for ask in tried.asks]
    assert (part.level, part.opened.wrapper) == (0, 0)
    assert [ask.how for ask in part.asks] == ["try", "try"]
    assert part.answer.ballot == Ballot((("6", 2),), 2, 3)


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        (",k=0", "k=0 is not within"),
        (",k=two", "option k='two'"),
        (",batch=2", "wants ahead="),
        (",ahead=2,k=5", "takes no k="),
        (",ahead=2,k=3", "takes no k="),
        (",ahead=2,most=1001", "most=1001 is not within"),
        (",ties=last", "option ties='last'"),
        (",longer=0", "option longer='0'"),
        (",fits=(", "is no pattern"),
        (",scorer=nothing", "no scorer 'nothing'"),
        (",scorer=numeric,,digits=0", "scorer 'numeric'"),
    ],
)
def test_a_vote_that_is_none_is_refused(options, wrong):
    with pytest.raises(UsageError, match=wrong):
        HCH(0, strategy=f"vote{options}/script", store="memory").ask_sync(QUESTION)
