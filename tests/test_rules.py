"""What the engine allows a node: how texts are cut, and what a reply and an answer come to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.errors import LengthError, NodeError, RefusalError, ReplyError
from hch.rules import REASON, Limits
from hch.types import Answer, Completion, Text

SMALL = Limits(answer_tokens=7, message_bytes=10)
CUT = "cut: the reply was longer than 10 bytes"
CUT_TOKENS = "cut: the reply reached its limit of 7 tokens"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ("x" * 10, "x" * 10),
        ("x" * 11, "x" * 10),
        ("é" * 5, "é" * 5),
        ("é" * 6, "é" * 5),
        ("xé" * 4, "xéxéxéx"),
        ("\ud800" * 10, "\ud800" * 10),
        ("\ud800" * 11, "?" * 10),
    ],
)
def test_a_text_is_cut_within_the_bytes_and_between_two_characters(body: str, kept: str) -> None:
    noted = () if body == kept else ("cut: it was longer than 10 bytes",)
    assert SMALL.cut(body, "it") == (kept, noted)


@given(st.text(), st.integers(1, 40))
def test_what_is_kept_is_the_beginning_and_as_much_of_it_as_there_is_room_for(
    body: str, limit: int
) -> None:
    kept, noted = Limits(message_bytes=limit).cut(body, "it")
    assert body.startswith(kept)
    assert len(kept.encode()) <= limit
    assert bool(noted) == (kept != body)
    assert kept == body or len(body[: len(kept) + 1].encode()) > limit


@pytest.mark.parametrize(
    ("reply", "text", "notes"),
    [
        (Completion(" ab \n"), "ab", ()),
        (Completion("<think>ab?</think>\nac"), "ac", ()),
        (Completion("CANNOT ANS"), "CANNOT ANS", ()),
        (Completion("x" * 12), "x" * 10, (CUT,)),
        (Completion("ab", finish="length"), "ab", (CUT_TOKENS,)),
        (Completion("x" * 12, finish="length"), "x" * 10, (CUT_TOKENS, CUT)),
    ],
)
def test_a_finishing_text_is_what_a_reply_says_and_what_was_cut_is_noted(
    reply: Completion, text: str, notes: tuple[str, ...]
) -> None:
    assert SMALL.finishing(reply) == (text, notes)


@pytest.mark.parametrize(
    ("reply", "error", "why"),
    [
        (Completion(" \n"), ReplyError, "the reply was empty"),
        (Completion("<think>ab"), ReplyError, "the reply was empty"),
        (Completion(" ", finish="length"), LengthError, "length limit before any text"),
        (Completion("No.", finish="refusal"), RefusalError, "No."),
        (Completion("", finish="content_filter"), RefusalError, r"provider \(content_filter\)"),
    ],
)
def test_a_reply_without_a_text_is_an_error(
    reply: Completion, error: type[NodeError], why: str
) -> None:
    with pytest.raises(error, match=why):
        SMALL.finishing(reply)


def test_an_answer_leaves_its_node_as_it_is_where_it_may() -> None:
    for answer in (Answer("answered", Text("ab", "model")), Answer("failed", None, "y" * REASON)):
        assert SMALL.leaving(answer) is answer


def test_an_answer_leaves_its_node_cut_with_each_note_once_and_the_node_s_first() -> None:
    long = Answer("answered", Text("x" * 12, "model", trusted=False), "", ("b", "c", "b"))
    left = SMALL.leaving(long, ["a", "c"])
    notes = ("a", "c", "cut: the answer was longer than 10 bytes", "b")
    assert left == Answer("answered", Text("x" * 10, "model", trusted=False), "", notes)
    assert left.text
    assert left.text.source == "model"
    reasoned = SMALL.leaving(Answer("unanswered", None, "y" * 2 * REASON))
    assert reasoned == Answer("unanswered", None, "y" * REASON)
    assert SMALL.leaving(Answer("failed"), ["a", "a"]) == Answer("failed", notes=("a",))
