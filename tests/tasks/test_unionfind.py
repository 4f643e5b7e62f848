"""Union find: what an instance is, what is right, and how H improves on what it is told."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from math import isqrt
from random import Random
from statistics import mean

import networkx as nx
import pytest

from hch.steps import Ask, Instance, Primitive
from hch.tasks._calls import Call
from hch.tasks._elements import ELEMENTS, LETTERS
from hch.tasks.unionfind import build
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


def call(name: str, *args: str) -> Call:
    return Call(name, args)


def of(given: dict[str, str], *equal: str) -> Instance:
    """The classes with these given values and equalities, written like aaab."""
    pairs = [[pair[:2], pair[2:]] for pair in equal]
    return Instance.of("unionfind", {"given": [[*item] for item in given.items()], "equal": pairs})


CHAIN = of({"aa": "c", "ad": "e"}, "aaab", "acab")


class Forest:
    """The classes by networkx."""

    def __init__(self, instance: Instance) -> None:
        self.graph = nx.Graph(map(tuple, instance.facts["equal"]))
        self.given = dict(instance.facts["given"])
        self.graph.add_nodes_from(self.given)
        self.depth: dict[str, int] = {}
        self.parent: dict[str, str] = {}
        self.value: dict[str, str] = {}
        for x, value in self.given.items():
            reached = nx.single_source_shortest_path_length(self.graph, x)
            self.depth |= reached
            self.parent |= {x: x, **dict(nx.bfs_predecessors(self.graph, x))}
            self.value |= dict.fromkeys(reached, value)


@pytest.mark.parametrize("size", [2, 4, 8, 64])
def test_each_class_is_a_tree_with_one_given_value(size: int) -> None:
    for seed in range(20):
        instance = task.sample(Random(seed), size)
        forest = Forest(instance)
        assert sorted(forest.graph) == list(ELEMENTS[:size])
        assert len(instance.facts["given"]) + len(instance.facts["equal"]) == size
        classes = list(nx.connected_components(forest.graph))
        assert len(classes) == len(forest.given) == isqrt(size)
        assert all(nx.is_tree(forest.graph.subgraph(members)) for members in classes)
        assert all(len(members & forest.given.keys()) == 1 for members in classes)
        assert set(forest.given.values()) <= set(LETTERS)


def test_classes_trees_and_givens_are_random() -> None:
    rng = Random(0)
    drawn = [Forest(task.sample(rng, 4)) for _ in range(4000)]
    sizes = Counter(max(map(len, nx.connected_components(f.graph))) for f in drawn)
    assert set(sizes) == {2, 3}  # the two others fall into one class, or into both
    assert abs(sizes[2] - 2000) < 200
    values = Counter(value for forest in drawn for value in forest.given.values())
    assert all(850 < values[letter] < 1150 for letter in LETTERS)
    given = Counter(x for forest in drawn for x in forest.given)
    assert all(1800 < given[x] < 2200 for x in ELEMENTS[:4])
    pairs = Counter(pair for forest in drawn for pair in map(frozenset, forest.graph.edges))
    assert len(pairs) == 6
    assert max(pairs.values()) - min(pairs.values()) < 300


def test_a_tree_is_two_random_parts_that_are_joined() -> None:
    """So four members are a star in 2 of 9 cases: one joins the middle of three. Else a path."""
    rng, stars, found = Random(0), 0, 0
    while found < 4000:
        graph = Forest(task.sample(rng, 8)).graph
        for members in nx.connected_components(graph):
            if len(members) == 4:
                found += 1
                stars += max(d for _, d in graph.subgraph(members).degree) == 3
    assert abs(stars / found - 2 / 9) < 0.03


def test_v_p_and_d_of_every_variable_are_as_likely() -> None:
    small = task.sample(Random(0), 4)
    drawn = Counter(q.text.body for q in islice(task.questions(small, Random(0)), 2400))
    assert len(drawn) == 12
    assert all(130 < count < 270 for count in drawn.values())
    assert set(drawn) == {task.render(term) for term in task.space(small) or ()}


@pytest.mark.parametrize("size", [4, 8, 64])
def test_the_truth_is_networkx_s(size: int) -> None:
    for seed in range(30):
        instance = task.sample(Random(seed), size)
        forest = Forest(instance)
        for x in forest.graph:
            assert text(task.truth(instance, call("V", x))) == forest.value[x]
            assert text(task.truth(instance, call("P", x))) == forest.parent[x]
            assert text(task.truth(instance, call("D", x))) == str(forest.depth[x])
            assert text(task.truth(instance, call("S", x))) == forest.given.get(x, "no")


def test_only_what_is_so_is_right() -> None:
    for term, right, *wrong in (
        (call("V", "ac"), "c", "e", "C", "c\n", "", "aa", "no"),
        (call("P", "ac"), "ab", "aa", "ac", "ad", "AB", "ab ", "hh"),
        (call("P", "aa"), "aa", "ab"),
        (call("D", "ac"), "2", "1", "02", "2 ", "२", "+2", "-1", "100"),
        (call("D", "aa"), "0", "00", "-0"),
        (call("S", "aa"), "c", "no", "e"),
        (call("S", "ab"), "no", "c"),
        (call("E", "ac", "ab"), "yes", "no", "Yes"),
        (call("E", "aa", "aa"), "no", "yes"),
    ):
        assert task.grade(CHAIN, term, said(right)), term
        assert not any(task.grade(CHAIN, term, said(answer)) for answer in wrong), term
        assert task.measures(CHAIN, term, said(right)) == {}
    assert {x for x in ELEMENTS if task.grade(CHAIN, call("N", "ab"), said(x))} == {"aa", "ac"}


def test_what_is_no_variable_has_no_right_answer() -> None:
    for name in "VPDSN":
        term = call(name, "hh")
        assert task.truth(CHAIN, term).status == "unanswered"
        assert task.truth(None, term).status == "unanswered"
        assert task.primitive(CHAIN, term, Random(0)) is None
        for answer in ("no", "aa", "c", "0"):
            assert not task.grade(CHAIN, term, said(answer))
    assert task.truth(CHAIN, call("N", "ad")).status == "unanswered"


def test_the_oracle_knows_givens_equalities_and_neighbours(instance: Instance) -> None:
    forest, rng = Forest(instance), Random(0)
    for x in ELEMENTS:
        assert text(task.primitive(instance, call("S", x), rng)) == forest.given.get(x, "no")
        for y in ELEMENTS:
            found = text(task.primitive(instance, call("E", x, y), rng))
            assert found == ("yes" if forest.graph.has_edge(x, y) else "no")
        assert [task.primitive(instance, call(name, x), rng) for name in "VPD"] == [None] * 3
    assert task.primitive(None, call("S", "aa"), rng) is None
    assert task.primitive(CHAIN, call("N", "ad"), rng) is None


def test_each_neighbour_is_as_likely() -> None:
    rng = Random(0)
    named = Counter(text(task.primitive(CHAIN, call("N", "ab"), rng)) for _ in range(400))
    assert set(named) == {"aa", "ac"}
    assert all(130 < count < 270 for count in named.values())


@pytest.mark.parametrize(("name", "right"), [("V", "c"), ("P", "aa"), ("D", "0")])
def test_a_given_variable_is_its_own_parent_at_depth_0(name: str, right: str) -> None:
    met, answer = played(task, call(name, "aa"), said("c"))
    assert met == [Primitive(call("S", "aa"))]
    assert text(answer) == right


@pytest.mark.parametrize(
    ("name", "of_parent", "right"), [("V", "e", "e"), ("D", "0", "1"), ("D", "62", "63")]
)
def test_value_and_depth_go_by_the_parent(name: str, of_parent: str, right: str) -> None:
    met, answer = played(task, call(name, "ab"), NO, said("ac"), said(of_parent))
    assert met == [Primitive(call("S", "ab")), Ask(call("P", "ab")), Ask(call(name, "ac"))]
    assert text(answer) == right


def test_no_variable_is_deeper_than_there_are_others() -> None:
    for last in ("63", "64", "99"):
        _, answer = played(task, call("D", "ab"), NO, said("ac"), said(last))
        assert text(answer) == "63"


NEIGHBOUR = Primitive(call("N", "ab"))


def test_of_three_candidates_the_shallowest_is_the_parent() -> None:
    term = call("P", "ab")
    depths = (said("5"), said("10"), said("4"))
    met, answer = played(task, term, NO, (said("ac"), said("ad")), YES, YES, said("ae"), depths)
    assert met == [
        Primitive(call("S", "ab")),
        (Ask(term), Ask(term, again=0)),
        Primitive(call("E", "ab", "ac")),
        Primitive(call("E", "ab", "ad")),
        NEIGHBOUR,
        (Ask(call("D", "ac")), Ask(call("D", "ad")), Ask(call("D", "ae"))),
    ]
    assert text(answer) == "ae"


def test_of_equally_shallow_ones_the_first_is_the_parent() -> None:
    replies = (NO, (said("ad"), said("ac")), YES, YES, said("ae"), (said("3"),) * 3)
    assert text(played(task, call("P", "ab"), *replies)[1]) == "ad"


def test_a_candidate_that_is_no_neighbour_is_no_candidate() -> None:
    met, _ = played(task, call("P", "ab"), NO, (said("ac"), said("ad")), NO, UNKNOWN, said("ae"))
    assert met[-1] == (Ask(call("D", "ae")),)


MALFORMED = [
    *map(said, ("", "?", "abc", "AB", "ab\n", "-1", "01", "100", "1.5", "२", "yes!", "none")),
    FAILED,
    UNKNOWN,
    REFUSED,
]


@pytest.mark.parametrize("reply", MALFORMED)
@pytest.mark.parametrize("name", ["V", "D"])
def test_h_does_not_know_what_rests_on_another_kind_of_answer(name: str, reply: Answer) -> None:
    for replies, question in (
        ((reply,), "S(ab)"),
        ((NO, reply), "P(ab)"),
        ((NO, said("ac"), reply), f"{name}(ac)"),
    ):
        _, answer = played(task, call(name, "ab"), *replies)
        assert answer is not None
        assert answer.status == "unanswered"
        assert answer.reason.startswith(f"{question} got n")


@pytest.mark.parametrize("reply", MALFORMED)
def test_what_names_no_variable_is_no_candidate(reply: Answer) -> None:
    met, answer = played(task, call("P", "ab"), NO, (reply, reply), said("ae"), (said("3"),))
    assert met[2:] == [NEIGHBOUR, (Ask(call("D", "ae")),)]
    assert text(answer) == "ae"


@pytest.mark.parametrize("reply", MALFORMED)
def test_where_no_depth_is_known_neither_is_the_parent(reply: Answer) -> None:
    for replies in (
        ((reply, reply), reply),
        ((reply, reply), said("ae"), (reply,)),
        ((said("ac"), reply), YES, said("ae"), (reply, reply)),
    ):
        _, answer = played(task, call("P", "ab"), NO, *replies)
        assert answer is not None
        assert answer.status == "unanswered"
        assert answer.reason == "no candidate for P(ab) knows its depth"


@pytest.mark.parametrize("term", [call("S", "aa"), call("N", "aa"), call("E", "aa", "ab")])
def test_what_is_asked_of_the_oracle_is_passed_on(term: Call) -> None:
    assert played(task, term, NO) == ([Primitive(term)], NO)


def test_facts_that_are_no_classes_are_refused() -> None:
    refuses(
        task,
        [
            (r"facts\[given\]: Field required", {"equal": []}),
            (r"facts\[more\]", {"given": [["aa", "a"]], "equal": [], "more": 1}),
            (r"facts\[given\]\[0\]\[1\]", {"given": [["aa", "i"]], "equal": []}),
            (r"facts\[equal\]\[0\]\[0\]", {"given": [["aa", "a"]], "equal": [["a", "aa"]]}),
            ("no variable", {"given": [], "equal": []}),
            ("give ac no value", {"given": [["aa", "a"]], "equal": [["ac", "ad"]]}),
            ("no trees", {"given": [["aa", "a"], ["aa", "b"]], "equal": []}),
            ("no trees", {"given": [["aa", "a"], ["ab", "b"]], "equal": [["aa", "ab"]]}),
            ("no trees", {"given": [["aa", "a"]], "equal": [["aa", "aa"]]}),
            ("no trees", {"given": [["aa", "a"]], "equal": [["aa", "ab"], ["ab", "aa"]]}),
        ],
    )
    task.check(of({"aa": "c"}))
    refuses_hostile(task)


@pytest.mark.parametrize("knows", [True, False])
def test_level_1_takes_as_many_calls_as_it_has_sub_questions_and_one(
    instance: Instance, knows: bool
) -> None:
    forest, terms = Forest(instance), list(task.space(instance) or ())
    told = grown(task, instance, terms, 1, knows=knows)
    for term, found in zip(terms, told, strict=True):
        wanted = 1 if term.args[0] in forest.given else 4 if term.name == "P" else 2
        assert found.calls == wanted
    assert mean(found.calls for found in told) == (24 * 1 + 56 * (2 + 4 + 2)) / 192


def test_a_level_more_is_what_it_takes_where_level_0_knows_nothing(instance: Instance) -> None:
    """H alone at level 0 knows what is given; over nothing, H at level 1 is such a one."""
    forest, terms = Forest(instance), list(task.space(instance) or ())
    alone = grown(task, instance, terms, 0)
    above = grown(task, instance, terms, 1, knows=False)
    for term, one, two in zip(terms, alone, above, strict=True):
        given = term.args[0] in forest.given
        assert task.grade(instance, term, one.answer) is given
        assert task.grade(instance, term, two.answer) is given


def test_h_asks_four_and_a_half_questions_in_the_mean(instance: Instance) -> None:
    """Over the whole space, those to the oracle included: of what is not given 3, 3 and 9."""
    counts = [len(asked(task, instance, term)) for term in task.space(instance) or ()]
    assert Counter(counts) == {1: 24, 3: 112, 9: 56}
    assert mean(counts) == 4.5


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_a_value_is_right_wherever_there_is_one_and_a_depth_may_be_too_great(
    level: int, instance: Instance
) -> None:
    """Candidates are neighbours, so a way up never leaves the class; but it may be a detour."""
    forest, terms = Forest(instance), list(task.space(instance) or ())
    told = grown(task, instance, terms, level)
    for term, answer in ((t, o.answer) for t, o in zip(terms, told, strict=True)):
        [x] = term.args
        if answer.answered and term.name == "V":
            assert text(answer) == forest.value[x]
        elif answer.answered and term.name == "D":
            assert int(text(answer) or "") >= forest.depth[x]
        elif answer.answered:
            assert text(answer) in {x, *forest.graph[x]}
    assert 24 < sum(o.answer.answered for o in told) < 192
