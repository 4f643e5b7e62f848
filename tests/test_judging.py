"""The questions that are put to whoever judges an answer, and how the replies are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.judging import (
    CHECKING,
    GRADING,
    Verdict,
    checking,
    grading,
    is_verdict_wanted,
    matched,
    matching,
    parts_of,
    rejected,
    verdict,
)
from hch.types import KEPT, Answer, Question, Text
from tests.payloads import PAYLOADS
from tests.support import ask, document

ASKED = Question(Text("Which river?"), (document("The Rhine."), document("The Po.")), "f00d")
SAID = Text("The Rhine", "model", trusted=False)


def reply(text: str) -> Answer:
    return Answer("answered", Text(text, "model"))


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("ACCEPT", Verdict("accept")),
        (" ACCEPT. \n", Verdict("accept")),
        ("ACCEPT: it flows there", Verdict("accept", "it flows there")),
        ("REJECT: it is the Po", Verdict("reject", "it is the Po")),
        ("REJECT: it is the Po\nand so on", Verdict("reject", "it is the Po")),
        ("REJECT", Verdict("reject", "no reason given")),
        ("CANNOT TELL: no map", Verdict("unsure", "no map")),
        ("CANNOT TELL", Verdict("unsure", "no reason given")),
        ("accept", Verdict("accept")),
        ("Accept.", Verdict("accept")),
        ("Accept!", Verdict("accept")),
        ("**ACCEPT**", Verdict("accept")),
        ("**ACCEPT.**", Verdict("accept")),
        ("Accept, because it flows there", Verdict("accept", "because it flows there")),
        ("reject", Verdict("reject", "no reason given")),
        ("REJECT - 5", Verdict("reject", "5")),
        ("REJECT — it is the Po", Verdict("reject", "it is the Po")),
        ("Reject, because it is the Po", Verdict("reject", "because it is the Po")),
        ("Reject because it is the Po", Verdict("reject", "because it is the Po")),
        ("REJECT (it is the Po)", Verdict("reject", "(it is the Po)")),
        ("Reject. It is the Po.", Verdict("reject", "It is the Po.")),
        ("**REJECT:** it is *the* Po", Verdict("reject", "it is *the* Po")),
        ("**REJECT: it is the Po**", Verdict("reject", "it is the Po")),
        ("reject: nobody can accept it", Verdict("reject", "nobody can accept it")),
        ("REJECT: *", Verdict("reject", "*")),
        ("Cannot tell", Verdict("unsure", "no reason given")),
        ("Cannot tell, because there is no map", Verdict("unsure", "because there is no map")),
    ],
)
def test_a_verdict_is_one_line(said, found):
    assert verdict(reply(said)) == found


@pytest.mark.parametrize(
    "said",
    ["", "ACCEPTED", "ACCEPT or REJECT", "I ACCEPT", "REJECTED: no", "Yes.", "{}",
     "ACCEPT REJECT: no", "CANNOT", "I would not accept", "ACCEPT or REJECT?", "ACCEPT, or REJECT",
     "ACCEPT. REJECT.", "accept/reject", "Accept?", "Accept, but it is the Po", "ACCEPTABLE.",
     "accept - if you do", "Reject, I cannot tell", "Don't accept", "Accept it, I do not"],
)  # fmt: skip
def test_any_other_reply_is_unsure_and_shown(said):
    found = verdict(reply(said))
    assert found.said == "unsure"
    assert said in found.reason


@pytest.mark.parametrize("status", ["unanswered", "truncated", "failed", "refused"])
def test_no_reply_is_unsure_with_the_reason(status):
    assert verdict(Answer(status, None, "no\tnetwork")) == Verdict("unsure", "no network")
    assert verdict(Answer(status)) == Verdict("unsure", status)


@given(st.sampled_from(["accept", "reject", "unsure"]), st.text())
def test_the_line_of_a_verdict_is_read_as_it(said, reason):
    made = Verdict(said, reason)
    assert "\n" not in made.line
    found = verdict(reply(made.line))
    assert found.said == said
    if said != "accept":
        assert found.reason == (" ".join(reason.split()) or "no reason given")


def test_so_much_of_a_reason_is_kept():
    found = verdict(reply(f"REJECT: {'no ' * KEPT}"))
    assert found.said == "reject"
    assert found.reason == ("no " * KEPT)[:KEPT]


@given(st.text())
def test_no_reply_fails(text):
    assert verdict(reply(text)).said in ("accept", "reject", "unsure")
    assert matched(reply(text), 3) in (None, 0, 1, 2)


@pytest.mark.parametrize(
    ("said", "which"),
    [("1", 0), (" 3.\n", 2), ("Text 2", 1), ("2\nsince", 1), ("NONE", None), ("0", None),
     ("4", None), ("-1", None), ("1 or 2", None), ("", None), ("9" * 5000, None)],
)  # fmt: skip
def test_a_match_is_the_number_of_a_text_that_is_there(said, which):
    assert matched(reply(said), 3) == which
    assert matched(Answer("unanswered", None, said), 3) is None


def test_what_is_judged_goes_along_as_texts_in_order():
    rome, paris = Text("Rome"), Text("Paris")
    assert checking(ASKED, SAID).context == (*ASKED.context, ASKED.text, SAID)
    assert grading(ASKED, rome, SAID).context == (*ASKED.context, ASKED.text, rome, SAID)
    assert matching(ASKED, SAID, [rome, paris]).context == (rome, paris, ASKED.text, SAID)
    for question in (checking(ASKED, SAID), grading(ASKED, rome, SAID)):
        assert question.instance == ASKED.instance
        assert is_verdict_wanted(question)
    assert not is_verdict_wanted(matching(ASKED, SAID, [rome]))


@pytest.mark.parametrize(("words", "texts"), [(CHECKING, 2), (GRADING, 3)])
def test_no_verdict_is_wanted_of_what_was_not_sent_along(words, texts):
    for n in range(5):
        assert is_verdict_wanted(Question(Text(words), (SAID,) * n)) == (n >= texts)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_has_a_part_in_the_words_of_a_question(payload):
    hostile = Question(Text(payload, "model", trusted=False))
    said = Text(payload, "model", trusted=False)
    for made, plain in (
        (checking(hostile, said), checking(ASKED, SAID)),
        (grading(hostile, said, said), grading(ASKED, SAID, SAID)),
        (matching(hostile, said, [said]), matching(ASKED, SAID, [])),
    ):
        assert made.text == plain.text
        assert made.text.trusted
        assert not any(text.trusted for text in made.context)


def test_a_checking_question_has_its_parts_again():
    assert parts_of(checking(ASKED, SAID)) == (ASKED.text, SAID)
    for other in (ASKED, grading(ASKED, SAID, SAID), matching(ASKED, SAID, [SAID])):
        with pytest.raises(ValueError, match="not a question whether"):
            parts_of(other)


def test_what_a_fresh_try_is_told_is_as_untrusted_as_who_says_it():
    told = rejected(Verdict("reject", "it is the Po"), Text("REJECT: …", "model", trusted=False))
    assert told.body == "An earlier answer to this question was rejected: it is the Po"
    assert (told.source, told.trusted) == ("model", False)


@pytest.mark.parametrize(
    "question",
    [checking(ASKED, SAID), grading(ASKED, SAID, SAID), matching(ASKED, SAID, [SAID, SAID])],
)
def test_a_question_says_in_what_form_it_wants_its_reply(question):
    """So any player can answer it: here one that knows nothing but the question itself."""
    last = question.text.body.splitlines()

    def say(request):
        assert request.question == question.text.body
        return last[-1].rpartition(": ")[2] if "NONE" in last[-1] else "ACCEPT"

    words = "NONE" if "NONE" in last[-1] else "ACCEPT"
    assert words in question.text.body
    result = ask(say, question.text.body, context=question.context, strategy="direct", depth=0)
    assert result.status == "answered"
