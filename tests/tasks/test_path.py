"""Shortest paths: what an instance is, what is right, and how H improves on what it is told."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, islice, pairwise
from random import Random
from statistics import mean
from typing import Any

import networkx as nx
import pytest

from hch.steps import Ask, Instance, Primitive
from hch.tasks._calls import Call
from hch.tasks._elements import ELEMENTS
from hch.tasks.path import INFINITE, NONE, build
from hch.types import Answer
from tests.tasks.scripts import (
    FAILED,
    REFUSED,
    UNKNOWN,
    asked,
    grown,
    played,
    refuses,
    refuses_hostile,
    said,
    text,
)

task = build()
YES, NO = said("yes"), said("no")


@pytest.fixture(scope="module")
def instance() -> Instance:
    return task.sample(Random(7), 64)


def graph(instance: Instance) -> nx.DiGraph:
    found = nx.DiGraph(map(tuple, instance.facts["edges"]))
    found.add_nodes_from(ELEMENTS[: instance.facts["size"]])
    return found


def of(size: int, *edges: str) -> Instance:
    """The graph with these edges, written like aaab."""
    pairs = [[edge[:2], edge[2:]] for edge in edges]
    return Instance.of("path", {"size": size, "edges": pairs})


def S(a: str, b: str) -> Call:  # noqa: N802
    return Call("S", (a, b))


def D(a: str, b: str) -> Call:  # noqa: N802
    return Call("D", (a, b))


def E(a: str, b: str) -> Call:  # noqa: N802
    return Call("E", (a, b))


class Right:
    """Distances and next vertices by networkx; a way has one edge or more."""

    def __init__(self, instance: Instance) -> None:
        self.graph = graph(instance)
        self.lengths = dict(nx.all_pairs_shortest_path_length(self.graph))

    def distance(self, a: str, b: str) -> int | None:
        ways = [self.lengths[c].get(b) for c in self.graph.successors(a)]
        return min((1 + way for way in ways if way is not None), default=None)

    def steps(self, a: str, b: str) -> set[str]:
        nearest = self.distance(a, b)
        if nearest is None:
            return {NONE}
        return {c for c in self.graph.successors(a) if self.lengths[c].get(b) == nearest - 1}


@pytest.mark.parametrize("size", [2, 4, 8, 64])
def test_the_facts_are_twice_as_many_edges_as_vertices(size: int) -> None:
    facts = task.sample(Random(0), size).facts
    assert facts["size"] == size
    assert len(facts["edges"]) == 2 * size
    assert {v for edge in facts["edges"] for v in edge} <= set(ELEMENTS[:size])


def test_every_edge_is_as_likely_also_a_loop_or_one_that_is_there() -> None:
    rng = Random(0)
    drawn = [tuple(e) for _ in range(400) for e in task.sample(rng, 4).facts["edges"]]
    count = Counter(drawn)
    assert len(count) == 16
    assert all(130 < n < 270 for n in count.values())


def test_s_and_d_of_every_ordered_pair_are_as_likely() -> None:
    small = task.sample(Random(0), 4)
    drawn = Counter(q.text.body for q in islice(task.questions(small, Random(0)), 6400))
    assert len(drawn) == 32
    assert all(130 < count < 270 for count in drawn.values())
    assert set(drawn) == {task.render(term) for term in task.space(small) or ()}


@pytest.mark.parametrize("size", [4, 8, 64])
def test_the_truth_is_networkx_s(size: int) -> None:
    for seed in range(3 if size == 64 else 30):
        instance = task.sample(Random(seed), size)
        right = Right(instance)
        for a in right.graph:
            for b in right.graph:
                distance = right.distance(a, b)
                assert text(task.truth(instance, D(a, b))) == str(distance or INFINITE)
                steps = right.steps(a, b)
                assert text(task.truth(instance, S(a, b))) == min(steps)
                every = {NONE, *ELEMENTS[:size]} if size < 64 else {NONE, *steps, a, b}
                graded = {c for c in every if task.grade(instance, S(a, b), said(c))}
                assert graded == steps


def test_the_distance_to_itself_is_that_of_the_shortest_cycle() -> None:
    ring = of(4, "aaab", "abac", "acaa", "adad")
    assert [text(task.truth(ring, D(x, x))) for x in ("aa", "ad")] == ["3", "1"]
    assert text(task.truth(ring, S("aa", "aa"))) == "ab"
    assert text(task.truth(ring, S("ad", "ad"))) == "ad"
    assert text(task.truth(of(2), D("aa", "aa"))) == INFINITE
    assert text(task.truth(of(2), S("aa", "aa"))) == NONE


FORK = of(4, "aaac", "aaab", "abad", "acad")
"""Two shortest ways from aa to ad."""


def test_of_several_next_vertices_each_is_right_and_the_first_is_the_truth() -> None:
    term = S("aa", "ad")
    assert text(task.truth(FORK, term)) == "ab"
    assert task.grade(FORK, term, said("ab"))
    assert task.grade(FORK, term, said("ac"))
    for wrong in ("ad", "aa", NONE, INFINITE, "ab\n", "AB", "", "ab,ac"):
        assert not task.grade(FORK, term, said(wrong))
    assert task.measures(FORK, term, said("ab")) == {
        "strict": True, "steps": True, "reachable": True,
    }  # fmt: skip
    assert task.measures(FORK, term, said("ac")) == {
        "strict": False, "steps": True, "reachable": True,
    }  # fmt: skip
    assert task.measures(FORK, term, UNKNOWN) == dict.fromkeys(
        ("strict", "steps", "reachable"), False
    )


def test_what_is_unreachable_has_no_next_vertex_and_counts_as_such() -> None:
    term = S("ad", "aa")
    assert text(task.truth(FORK, term)) == NONE
    assert task.measures(FORK, term, said(NONE)) == {"strict": True, "steps": True}
    assert task.measures(FORK, term, said("aa")) == {"strict": False, "steps": False}
    far = D("ad", "aa")
    assert task.measures(FORK, far, said(INFINITE)) == {"strict": True, "distances": True}
    near = D("aa", "ad")
    assert task.measures(FORK, near, said("2")) == {
        "strict": True, "distances": True, "reachable": True,
    }  # fmt: skip
    assert task.measures(FORK, E("aa", "ad"), NO) == {}


def test_distances_have_one_spelling() -> None:
    near = D("aa", "ad")
    assert task.grade(FORK, near, said("2"))
    for wrong in ("02", "2 ", "+2", "2\n", "2.0", "२", "1", "inf", "", "0", "100"):
        assert not task.grade(FORK, near, said(wrong))
    assert not task.valid(near, said("0"))
    assert not task.valid(near, said("100"))
    assert task.valid(near, said("64"))


def test_what_is_no_vertex_has_no_right_answer() -> None:
    for term in (S("aa", "hh"), D("hh", "aa"), E("hh", "hh"), Call("N", ("hh",))):
        assert task.truth(FORK, term).status == "unanswered"
        assert task.truth(None, term).status == "unanswered"
        for answer in (said(NONE), said(INFINITE), NO):
            assert not task.grade(FORK, term, answer)
            assert not any(task.measures(FORK, term, answer).values())


def test_the_oracle_knows_edges_and_names_neighbours(instance: Instance) -> None:
    edges = set(map(tuple, instance.facts["edges"]))
    for a in ELEMENTS:
        for b in ELEMENTS:
            found = task.primitive(instance, E(a, b), Random(0))
            assert text(found) == ("yes" if (a, b) in edges else "no")
            assert task.primitive(instance, S(a, b), Random(0)) is None
            assert task.primitive(instance, D(a, b), Random(0)) is None
    assert task.primitive(None, E("aa", "ab"), Random(0)) is None
    assert task.primitive(FORK, Call("N", ("hh",)), Random(0)) is None


def test_each_neighbour_is_as_likely_however_often_there_is_an_edge() -> None:
    many = of(4, "aaab", "aaab", "aaab", "aaaa", "abac")
    rng = Random(0)

    def named(a: str) -> Counter[str | None]:
        return Counter(text(task.primitive(many, Call("N", (a,)), rng)) for _ in range(400))

    assert set(named("aa")) == {"aa", "ab"}
    assert all(130 < count < 270 for count in named("aa").values())
    assert set(named("ab")) == {"ac"}
    assert set(named("ac")) == {NONE}
    assert task.grade(many, Call("N", ("aa",)), said("aa"))
    assert task.grade(many, Call("N", ("ac",)), said(NONE))
    assert not task.grade(many, Call("N", ("aa",)), said("ac"))


NEIGHBOUR = Primitive(Call("N", ("aa",)))


def test_an_edge_is_replied_at_once() -> None:
    for term, right in ((D("aa", "ab"), "1"), (S("aa", "ab"), "ab")):
        met, answer = played(task, term, YES)
        assert met == [Primitive(E("aa", "ab"))]
        assert text(answer) == right


def test_a_distance_is_one_more_than_from_the_next_vertex() -> None:
    met, answer = played(task, D("aa", "ad"), NO, said("ab"), said("4"))
    assert met == [Primitive(E("aa", "ad")), Ask(S("aa", "ad")), Ask(D("ab", "ad"))]
    assert text(answer) == "5"
    _, answer = played(task, D("aa", "ad"), NO, said("ab"), said(INFINITE))
    assert text(answer) == INFINITE


@pytest.mark.parametrize("reply", [said(NONE), UNKNOWN, REFUSED])
def test_what_has_no_next_vertex_is_taken_to_be_unreachable(reply: Answer) -> None:
    met, answer = played(task, D("aa", "ad"), NO, reply)
    assert len(met) == 2
    assert text(answer) == INFINITE


def test_no_way_is_longer_than_there_are_vertices() -> None:
    for last, right in (("63", "64"), ("64", INFINITE), ("99", INFINITE)):
        _, answer = played(task, D("aa", "ad"), NO, said("ab"), said(last))
        assert answer is not None
        assert text(answer) == right
        assert task.valid(D("aa", "ad"), answer)


MALFORMED = [*map(said, ("", "?", "abc", "AB", "ab\n", "-1", "0", "1.5", "٣", "yes!")), FAILED]


@pytest.mark.parametrize("reply", MALFORMED)
def test_a_distance_that_rests_on_another_kind_of_answer_is_not_known(reply: Answer) -> None:
    for replies, question in (
        ((reply,), "E(aa,ad)"),
        ((NO, reply), "S(aa,ad)"),
        ((NO, said("ab"), reply), "D(ab,ad)"),
    ):
        _, answer = played(task, D("aa", "ad"), *replies)
        assert answer is not None
        assert answer.status == "unanswered"
        assert answer.reason.startswith(f"{question} got n")


@pytest.mark.parametrize("reply", [UNKNOWN, REFUSED])
def test_one_more_than_nobody_knows_is_not_known(reply: Answer) -> None:
    _, answer = played(task, D("aa", "ad"), NO, said("ab"), reply)
    assert answer is not None
    assert answer.status == "unanswered"


def test_of_three_candidates_the_nearest_is_replied() -> None:
    term = S("aa", "ah")
    distances = (said("5"), said("3"), said("4"))
    met, answer = played(task, term, NO, (said("ab"), said("ac")), YES, YES, said("ad"), distances)
    assert met == [
        Primitive(E("aa", "ah")),
        (Ask(term), Ask(term, again=0)),
        Primitive(E("aa", "ab")),
        Primitive(E("aa", "ac")),
        NEIGHBOUR,
        (Ask(D("ab", "ah")), Ask(D("ac", "ah")), Ask(D("ad", "ah"))),
    ]
    assert text(answer) == "ac"


def test_of_equally_near_ones_the_first_is_replied() -> None:
    replies = (NO, (said("ac"), said("ab")), YES, YES, said("ad"), (said("3"),) * 3)
    assert text(played(task, S("aa", "ah"), *replies)[1]) == "ac"


def test_a_candidate_without_an_edge_is_no_candidate() -> None:
    replies = (NO, (said("ab"), said("ac")), NO, UNKNOWN, said("ad"))
    met, _ = played(task, S("aa", "ah"), *replies)
    assert met[-1] == (Ask(D("ad", "ah")),)


@pytest.mark.parametrize("reply", [said(NONE), UNKNOWN, REFUSED, *MALFORMED])
def test_what_names_no_vertex_is_no_candidate(reply: Answer) -> None:
    met, answer = played(task, S("aa", "ah"), NO, (reply, reply), said("ad"), (said("3"),))
    assert met[2:] == [NEIGHBOUR, (Ask(D("ad", "ah")),)]
    assert text(answer) == "ad"


@pytest.mark.parametrize("none", [said(NONE), UNKNOWN, REFUSED])
def test_where_nobody_knows_a_way_the_next_vertex_is_none(none: Answer) -> None:
    met, answer = played(task, S("aa", "ah"), NO, (none, none), none)
    assert met[-1] == NEIGHBOUR
    assert text(answer) == NONE
    for last in (said(INFINITE), UNKNOWN, REFUSED):
        assert text(played(task, S("aa", "ah"), NO, (none, none), said("ad"), (last,))[1]) == NONE


@pytest.mark.parametrize("reply", MALFORMED)
def test_where_an_answer_is_lost_the_next_vertex_is_not_known(reply: Answer) -> None:
    for replies, question in (
        (((reply, UNKNOWN), said(NONE)), "S(aa,ah)"),
        (((said("ab"), UNKNOWN), reply, said(NONE)), "E(aa,ab)"),
        (((UNKNOWN, UNKNOWN), reply), "N(aa)"),
        (((UNKNOWN, UNKNOWN), said("ad"), (reply,)), "D(ad,ah)"),
    ):
        _, answer = played(task, S("aa", "ah"), NO, *replies)
        assert answer is not None
        assert answer.status == "unanswered"
        assert answer.reason == f"{question} got no answer of its kind"


@pytest.mark.parametrize("term", [E("aa", "ab"), Call("N", ("aa",))])
def test_what_is_asked_of_the_oracle_is_passed_on(term: Call) -> None:
    assert played(task, term, NO) == ([Primitive(term)], NO)


def test_facts_that_are_no_graph_are_refused() -> None:
    good: dict[str, Any] = {"size": 4, "edges": [["aa", "ab"]]}
    refuses(
        task,
        [
            (r"facts\[size\]: Field required", {"edges": []}),
            (r"facts\[edges\]: Field required", {"size": 4}),
            (r"facts\[more\]", {**good, "more": 1}),
            (r"facts\[size\]", {**good, "size": True}),
            (r"facts\[size\]", {**good, "size": 65}),
            (r"facts\[edges\]\[0\]\[1\]", {**good, "edges": [["aa", "ai"]]}),
            (r"facts\[edges\]\[1\]", {**good, "edges": [["aa", "ab"], ["aa"]]}),
            ("an edge at hh, which is no vertex", {**good, "edges": [["aa", "hh"]]}),
        ],
    )
    task.check(of(4))
    refuses_hostile(task)


def test_level_1_takes_as_many_calls_as_it_has_sub_questions_and_one(instance: Instance) -> None:
    """D asks for a next vertex where there is no edge; S twice, and D of a neighbour if any."""
    right = Right(instance)
    terms = list(task.space(instance) or ())
    for term, told in zip(terms, grown(task, instance, terms, 1), strict=True):
        if right.distance(*term.args) == 1:
            assert told.calls == 1
        elif term.name == "D":
            assert told.calls == 2
        else:
            assert told.calls == 3 + bool(right.graph.out_degree(term.args[0]))


@pytest.mark.parametrize("knows", [True, False])
def test_level_1_knows_edges_and_what_is_unreachable(instance: Instance, knows: bool) -> None:
    right, terms = Right(instance), list(task.space(instance) or ())
    for term, told in zip(terms, grown(task, instance, terms, 1, knows=knows), strict=True):
        distance = right.distance(*term.args)
        if distance is None or distance == 1:
            assert task.grade(instance, term, told.answer)
        elif not knows:
            assert not task.grade(instance, term, told.answer)


def test_h_asks_about_4_9_questions_in_the_mean() -> None:
    """Over the whole space, those to the oracle included."""
    means = []
    for seed in range(3):
        instance = task.sample(Random(seed), 64)
        right, counts = Right(instance), []
        for term in task.space(instance) or ():
            counts.append(len(asked(task, instance, term)))
            distance = right.distance(*term.args)
            if distance == 1:
                assert counts[-1] == 1
            elif distance is None:
                has_neighbour = bool(right.graph.out_degree(term.args[0]))
                assert counts[-1] == (2 if term.name == "D" else 4 + has_neighbour)
            else:
                assert counts[-1] == (3 if term.name == "D" else 9)
        means.append(mean(counts))
    assert abs(mean(means) - 4.9) < 0.2


def test_higher_levels_reach_farther() -> None:
    """On a chain, where all is certain, every two levels reach an edge more."""
    chain = of(8, *(f"{a}{b}" for a, b in pairwise(ELEMENTS[:8])))
    for level in range(7):
        for first, last in combinations(range(8), 2):
            term = D(ELEMENTS[first], ELEMENTS[last])
            [told] = grown(task, chain, [term], level)
            assert task.grade(chain, term, told.answer) == (last - first <= 1 + level // 2)
