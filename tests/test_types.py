"""Values: what is equal has one key, and what merely rides along does not count."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.types import Form, Message, Part, Question, Request, Sampling, Text, digest, sha

relaxed = settings(deadline=None)

SURROGATES = st.characters(codec=None, categories=None)
CHARS = st.text(SURROGATES, max_size=4)
INTS = st.integers(min_value=-2, max_value=2**70)
SCALARS = st.one_of(st.none(), INTS, CHARS)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARS, inner, max_size=3),
    max_leaves=6,
)

PATHS = st.lists(st.tuples(INTS, INTS, INTS), max_size=2).map(tuple)
PARTS = st.builds(
    Part,
    st.sampled_from(["", "a", "b", "ab", "\ud83d\ude00", "😀"]),
    st.sampled_from(["prompt", "question"]),
)
MESSAGES = st.builds(
    Message, st.sampled_from(["system", "user"]), st.lists(PARTS, max_size=2).map(tuple)
)
SAMPLINGS = st.builds(
    Sampling,
    max_tokens=st.sampled_from([None, 0, 1]),
    temperature=st.sampled_from([None, 0.0, 0.5]),
    top_p=st.sampled_from([None, 0.5]),
    seed=st.sampled_from([None, 0, 1]),
    stop=st.sampled_from([None, (), ("a",), ("a", "b")]),
    logprobs=st.sampled_from([None, 0, 1]),
)
REQUESTS = st.builds(
    Request,
    messages=st.lists(MESSAGES, max_size=2).map(tuple),
    sampling=SAMPLINGS,
    form=st.sampled_from([None, Form("a", "{}"), Form("b", "{}"), Form("a", "[]")]),
    sample=st.sampled_from([(), ((1, 0, 0),), ((1, 0, 1),), ((1, 0, 0), (1, 0, 0))]),
    seed=st.sampled_from([0, 1]),
    question=st.sampled_from(["", "q"]),
    instance=st.sampled_from([None, "", "i"]),
)
RIDING_ALONG = st.fixed_dictionaries(
    {},
    optional={
        "call": st.just("c"),
        "node": st.just("n"),
        "level": st.just(3),
        "bound": st.just(5),
    },
)


@relaxed
@given(PLAIN, PLAIN)
def test_equal_parts_and_only_those_give_equal_digests(one: Any, other: Any) -> None:
    assert (digest(one) == digest(other)) == (one == other)
    assert digest(one) != digest(one, other)


@relaxed
@given(PLAIN)
def test_a_digest_is_that_of_canonical_json(one: Any) -> None:
    text = json.dumps([one], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    data = text.encode("utf-8", "surrogatepass")
    assert digest(one) == blake2b(data, digest_size=16).hexdigest()


@relaxed
@given(st.dictionaries(CHARS, INTS, min_size=2))
def test_the_order_of_a_dict_is_no_part_of_it(data: dict[str, int]) -> None:
    assert digest(data) == digest(dict(reversed(data.items())))


def test_two_halves_of_a_character_are_not_that_character() -> None:
    halves, whole = "\ud83d\ude00", "😀"
    assert digest(halves) != digest(whole)
    assert sha(halves) != sha(whole)
    assert Text(halves).mark != Text(whole).mark


@relaxed
@given(CHARS)
def test_a_mark_is_twelve_digits_of_the_hash_of_any_text(body: str) -> None:
    assert sha(body).startswith(Text(body).mark)
    assert len(Text(body).mark) == 12


@relaxed
@given(st.lists(st.integers(0, 3), max_size=3), st.integers(0, 3), st.integers(0, 3))
def test_another_sample_is_another_question(before: list[int], i: int, j: int) -> None:
    question = Question(Text("Why?"), sample=tuple(before))
    assert question.again(i) != question
    assert (question.again(i) == question.again(j)) == (i == j)
    assert question.again(i).again(j).sample == (*before, i, j)
    assert question.again(i).text == question.text


@relaxed
@given(REQUESTS, REQUESTS)
def test_equal_requests_and_only_those_have_equal_keys(one: Request, other: Request) -> None:
    assert (one.key("m") == other.key("m")) == (one == other)


@relaxed
@given(REQUESTS, st.data())
def test_a_request_that_differs_in_one_field_has_another_key(
    request_: Request, data: st.DataObject
) -> None:
    other = data.draw(REQUESTS)
    for name in ("messages", "sampling", "form", "sample", "seed", "question", "instance"):
        changed = replace(request_, **{name: getattr(other, name)})
        assert (changed.key("m") == request_.key("m")) == (changed == request_)


@relaxed
@given(REQUESTS, RIDING_ALONG)
def test_what_rides_along_changes_neither_equality_nor_hash_nor_key(
    request_: Request, riding: dict[str, Any]
) -> None:
    other = replace(request_, **riding)
    assert other == request_
    assert hash(other) == hash(request_)
    assert other.key("m") == request_.key("m")


@relaxed
@given(REQUESTS)
def test_two_models_share_no_request(request_: Request) -> None:
    assert request_.key("one") != request_.key("other")


def test_where_a_piece_came_from_is_no_part_of_a_request() -> None:
    shown = Request((Message("user", (Part("2", "level"),)),))
    typed = Request((Message("user", (Part("2", "prompt"),)),))
    assert shown == typed
    assert hash(shown) == hash(typed)
    assert shown.key("m") == typed.key("m")


@pytest.mark.parametrize("content", ["", "ab"])
def test_a_message_is_the_sum_of_its_pieces(content: str) -> None:
    assert Message("user", tuple(map(Part, content))).content == content
