"""A vote stops exactly when nothing can change what it comes to, and its laws hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import product
from math import sqrt
from random import Random
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hch.budget import Price
from hch.errors import UsageError
from hch.planting import paid_for
from hch.types import KEPT, Answer, Ballot, Text
from hch.votes import MOST, Rule, Tally

KINDS = "ABx"
"""What a try may say: A, B, or x for one that is discarded. A third answer, C, goes with them."""


def said(kind: str) -> Answer:
    return Answer("answered", Text(kind, "model"))


def voted(rule: Rule, kinds: str) -> Tally:
    """A tally that has taken these tries, whether they were wanted or not."""
    tally, groups = Tally(rule), dict[str, int]()
    for kind in kinds:
        if kind == "x":
            tally.discard("it failed")
            continue
        group = groups.get(kind)
        groups.setdefault(kind, len(tally.groups))
        tally.take(said(kind), group)
    return tally


def held(rule: Rule, kinds: str) -> tuple[Tally, str]:
    """A whole vote: of these tries it makes as many as it wants, and which they were."""
    made = ""
    while wanted := voted(rule, made).wanted:
        made += kinds[len(made) : len(made) + wanted]
    return voted(rule, made), made


def told(answer: Answer) -> tuple[str | None, bool]:
    """Who won, and whether there was a tie."""
    tie = answer.reason.startswith("tie:") or any(n.startswith("tie:") for n in answer.notes)
    return answer.text and answer.text.body, tie


def most_votes(kinds: str) -> tuple[str | None, bool]:
    """The law of a majority of all tries, by counting."""
    votes = Counter(kinds.replace("x", ""))
    most = max(votes.values(), default=0)
    first = [kind for kind, n in votes.items() if n == most]
    return (first[0] if first else None), len(first) > 1


def first_ahead(kinds: str, by: int) -> str | None:
    """The law of the first to be ahead, one try after the other."""
    votes: Counter[str] = Counter()
    for kind in kinds:
        votes[kind] += kind != "x"
        others = max((n for other, n in votes.items() if other != kind), default=0)
        if votes[kind] - others >= by:
            return kind
    return None


def lives(n: int, kinds: str = "ABCx") -> list[str]:
    return ["".join(life) for life in product(kinds, repeat=n)]


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_a_majority_is_decided_exactly_when_no_further_try_can_change_it(k):
    rule = Rule(k)

    @cache
    def ends(begun: str) -> frozenset[tuple[str | None, bool]]:
        if len(begun) == k:
            return frozenset([most_votes(begun)])
        return frozenset[tuple[str | None, bool]]().union(*(ends(begun + c) for c in "ABCDx"))

    for n in range(k + 1):
        for begun in lives(n):
            tally = voted(rule, begun)
            assert (tally.wanted == 0) == (len(ends(begun)) == 1), begun
            if tally.wanted == 0:
                assert told(tally.answer()) in ends(begun), begun
                continue
            after = (
                m for m in range(1, k + 1) for more in lives(m) if len(ends(begun + more)) == 1
            )
            assert tally.wanted == next(after), begun


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("ties", ["first", "none"])
def test_a_majority_comes_to_what_all_tries_would(k, ties):
    rule = Rule(k, ties=ties)
    for life in lives(k, KINDS):
        tally, made = held(rule, life)
        winner, tie = most_votes(life)
        answer = tally.answer()
        assert told(answer) == (None if tie and ties == "none" else winner, tie), life
        assert answer.ballot.tries == len(made) == k - answer.ballot.saved


@pytest.mark.parametrize("batch", [None, 1, 2, 3, 7, 50])
@pytest.mark.parametrize(("ahead", "most"), [(1, 3), (2, 7), (3, 8), (2, 2)])
def test_the_first_ahead_is_the_one_it_would_be_one_at_a_time(ahead, most, batch):
    rule = Rule(ahead=ahead, most=most, batch=batch)
    for life in lives(most, KINDS):
        tally, made = held(rule, life)
        answer = tally.answer()
        assert (answer.text and answer.text.body) == first_ahead(life, ahead), life
        if batch is None and made:
            assert voted(rule, made[:-1]).wanted, "not one more than needed"
        assert len(made) <= most


@pytest.mark.parametrize(("ahead", "most"), [(1, 3), (2, 5), (3, 6), (2, 6)])
def test_a_lead_is_given_up_exactly_when_nobody_can_have_it_any_more(ahead, most):
    rule = Rule(ahead=ahead, most=most)

    @cache
    def ends(begun: str) -> frozenset[str | None]:
        if len(begun) == most:
            return frozenset([first_ahead(begun, ahead)])
        return frozenset[str | None]().union(*(ends(begun + c) for c in "ABCx"))

    for n in range(most + 1):
        for begun in lives(n, KINDS):
            tally = voted(rule, begun)
            assert (tally.wanted == 0) == (len(ends(begun)) == 1), begun
            if tally.wanted:
                lengths = range(1, most - n + 1)
                after = (m for m in lengths for more in lives(m) if len(ends(begun + more)) == 1)
                assert tally.wanted == next(after), begun


@given(
    st.text("ABCDx", min_size=60, max_size=60),
    st.integers(1, 6),
    st.integers(1, 60),
)
def test_a_batch_changes_nothing_but_the_number_of_tries(life, ahead, batch):
    one, made = held(Rule(ahead=ahead, most=60), life)
    many, more = held(Rule(ahead=ahead, most=60, batch=batch), life)
    assert replace(many.answer(), ballot=None, reason="") == replace(
        one.answer(), ballot=None, reason=""
    )
    assert len(made) <= len(more) <= 60
    assert many.answer().ballot.tries == len(more)


@given(st.text("ABCDx", min_size=31, max_size=31), st.integers(1, 31))
def test_a_ballot_holds_every_vote_the_most_first(life, k):
    tally, made = held(Rule(k), life)
    ballot = tally.answer().ballot
    votes = Counter(made.replace("x", ""))
    assert list(ballot.votes) == votes.most_common()
    assert (ballot.tries, ballot.of, ballot.saved) == (len(made), k, k - len(made))
    if votes:
        assert ballot.confidence == votes.most_common(1)[0][1] / len(made)


@pytest.mark.parametrize(("p", "ahead"), [(0.9, 1), (0.8, 3), (0.6, 2)])
def test_the_votes_and_the_errors_are_those_of_the_law(p, ahead):
    """MAKER (arXiv 2511.09030): where wrong answers coincide, this is the gambler's ruin."""
    rng, n = Random(7), 4000
    made, right = [], []
    for _ in range(n):
        life = "".join(rng.choices("AB", (p, 1 - p), k=200))
        tally, tries = held(Rule(ahead=ahead, most=200), life)
        made.append(len(tries))
        right.append(tally.answer().text.body == "A")
    odds = (p / (1 - p)) ** ahead
    votes, share = ahead * (1 - 2 / (1 + odds)) / (2 * p - 1), 1 / (1 + 1 / odds)
    assert abs(fmean(made) - votes) <= 4 * stdev(made) / sqrt(n)
    assert abs(fmean(right) - share) <= 4 * sqrt(share * (1 - share) / n)


def test_the_answer_is_the_first_try_of_its_group_as_it_was():
    first = Answer("answered", Text("Six.", "model"), notes=("cut: it was longer",))
    tally = Tally(Rule(5))
    for text in (first, said("7"), Answer("answered", Text("6", "model"))):
        tally.take(text, 0 if text.text.body == "6" else None)
    tally.take(said("six"), 0)
    assert tally.groups == [first, said("7")]
    assert tally.wanted == 0
    assert tally.answer() == replace(first, ballot=Ballot((("Six.", 3), ("7", 1)), 4, 5))


def test_what_was_discarded_is_told_and_never_wins():
    tally = Tally(Rule(5))
    tally.flag("malformed")
    tally.flag("longer than 9 characters")
    tally.flag("malformed")
    assert tally.wanted == 2
    tally.take(said("A"), None)
    tally.discard("the model cannot be reached")
    answer = tally.answer()
    assert answer.text.body == "A"
    assert answer.notes == ("discarded: 2 malformed, 1 longer than 9 characters",)
    assert answer.ballot == Ballot((("A", 1),), 5, 5)
    assert answer.ballot.confidence == 0.2


@pytest.mark.parametrize("rule", [Rule(2), Rule(ahead=1, most=2), Rule(2, ties="none")])
def test_without_a_vote_there_is_no_answer_but_the_last_reason(rule):
    tally = Tally(rule)
    tally.discard("it failed")
    tally.discard("the grant is too small for another copy")
    assert tally.wanted == 0
    assert tally.answer() == Answer(
        "unanswered",
        None,
        "no try has a vote: the grant is too small for another copy",
        ballot=Ballot((), 2, 2),
    )
    assert tally.answer().ballot.confidence == 0


@pytest.mark.parametrize(
    ("rule", "least"), [(Rule(), 2), (Rule(4), 3), (Rule(5), 3), (Rule(ahead=3, most=5), 3)]
)
def test_where_too_few_tries_could_be_made_nobody_wins(rule, least):
    few, enough = (voted(rule, "A" * made) for made in (least - 1, least))
    for tally in (few, enough):
        while tally.tries < rule.of:
            tally.refuse("there is nothing left")
    assert enough.answer().text == Text("A")
    answer = few.answer()
    why = (
        f"only {least - 1} of the {least} tries that it takes could be made: there is nothing left"
    )
    assert (answer.status, answer.text, answer.reason) == ("unanswered", None, why)
    assert answer.ballot == Ballot((("A", least - 1),), rule.of, rule.of)


def test_a_ballot_keeps_so_much_of_each_answer_and_tells_all_apart():
    said = ["y" * KEPT, *("y" * 60_000 + end for end in "abc")]
    tally = Tally(Rule(4))
    for body in said:
        tally.take(Answer("answered", Text(body, "model")), None)
    kept = [body for body, _ in tally.answer().ballot.votes]
    assert kept[0] == said[0]
    assert [len(body) for body in kept] == [KEPT] * 4
    assert len({*kept}) == 4
    assert tally.answer().text.body == said[0]


def test_a_vote_makes_so_many_tries_at_most_however_it_comes_by_them():
    assert (Rule().of, Rule(ahead=7).of, Rule(ahead=MOST).of) == (3, 70, MOST)
    bought = paid_for(Price(tokens=10**9), Price(tokens=2))
    assert Rule(bought).of == MOST


@pytest.mark.parametrize(
    ("options", "wrong"),
    [
        ({"k": 0}, "k=0 is not within 1 to 1000"),
        ({"k": MOST + 1}, "k=1001 is not within 1 to 1000"),
        ({"ahead": MOST + 1}, "ahead=1001 is not within"),
        ({"ahead": 2, "most": MOST + 1}, "most=1001 is not within"),
        ({"ahead": 2, "most": 0}, "most=0 is not within"),
        ({"ahead": 2, "batch": MOST + 1}, "batch=1001 is not within"),
        ({"ahead": 0}, "ahead=0 is not within"),
        ({"ahead": 2, "batch": 0}, "batch=0 is not within"),
        ({"ahead": 3, "most": 2}, "most=2 tries cannot bring one ahead=3"),
        ({"most": 5}, "wants ahead="),
        ({"batch": 5}, "wants ahead="),
        ({"ahead": 2, "k": 5}, "takes no k="),
        ({"ahead": 2, "k": 3}, "takes no k="),
        ({"ahead": 2, "ties": "none"}, "no ties="),
    ],
)
def test_a_rule_that_is_none_is_refused(options, wrong):
    with pytest.raises(UsageError, match=wrong):
        Rule(**options)
