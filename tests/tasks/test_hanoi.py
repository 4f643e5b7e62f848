"""Towers of Hanoi: the shortest way from any state by brute force, H's halves, and how it errs."""

from __future__ import annotations

from collections import deque
from functools import cache
from itertools import product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch.agents import Query
from hch.playing import Playing
from hch.polls import unrolled
from hch.steps import Ask, Instance, Primitive
from hch.tasks.hanoi import LAST, MOST, PEGS, Stretch, after, build, distance, moved
from hch.types import Answer
from tests.tasks.scripts import (
    FAILED,
    HOSTILE_FACTS,
    REFUSED,
    UNKNOWN,
    asked,
    played,
    refuses,
    said,
    text,
)

task = build()
relaxed = settings(deadline=None)
states = st.text(PEGS, min_size=1, max_size=MOST)


def legal(state: str) -> set[str]:
    """The states that one move leads to: the top disk of a peg goes where no smaller one lies."""
    towers = {peg: [disk for disk, on in enumerate(state) if on == peg] for peg in PEGS}
    return {
        f"{state[: tower[-1]]}{to}{state[tower[-1] + 1 :]}"
        for peg, tower in towers.items()
        for to in PEGS
        if tower and to != peg and (not towers[to] or towers[to][-1] < tower[-1])
    }


@cache
def ways(disks: int) -> dict[str, int]:
    """The moves from every state to all disks on the last peg, by breadth-first search."""
    found = {LAST * disks: 0}
    queue = deque(found)
    while queue:
        state = queue.popleft()
        for near in legal(state) - found.keys():
            found[near] = found[state] + 1
            queue.append(near)
    return found


@pytest.mark.parametrize("disks", [1, 2, 3, 4, 5, 6])
def test_the_way_is_the_shortest_from_every_state_there_is(disks: int) -> None:
    far = ways(disks)
    assert far.keys() == set(map("".join, product(PEGS, repeat=disks)))
    for state, left in far.items():
        assert distance(state) == left
        nearer = [near for near in legal(state) if far[near] < left]
        assert [moved(state)] == (nearer or [None])  # there is one shortest way only


@pytest.mark.parametrize("disks", [1, 2, 3, 4, 5])
def test_the_state_after_a_stretch_is_that_after_one_move_after_the_other(disks: int) -> None:
    for start, left in ways(disks).items():
        state: str | None = start
        for moves in range(left + 1):
            assert after(start, moves) == state
            state = moved(state or "")
        assert state is after(start, left + 1) is None


@relaxed
@given(states, st.data())
def test_two_stretches_are_one(start: str, data: st.DataObject) -> None:
    left = distance(start)
    moves = data.draw(st.integers(0, left))
    middle = after(start, moves)
    assert middle is not None
    assert distance(middle) == left - moves
    assert after(middle, left - moves) == LAST * len(start)


@relaxed
@given(states, st.data())
def test_every_question_is_read_and_written_back(state: str, data: st.DataObject) -> None:
    term = Stretch(state, data.draw(st.integers(1, (1 << len(state)) - 1)))
    assert task.parse(task.render(term)) == term


@pytest.mark.parametrize(
    "wrong",
    ["from aaaaa, 1 moves", "from aaaaa, 2 move", "from aaaaa, 0 moves", "from aaaaa, 32 moves",
     "from aaaaa, 031 moves", "from aaaaa, -1 moves", "from aaaaa, 1.5 moves", "from , 1 move",
     "from aadaa, 3 moves", "from AAAAA, 3 moves", "From aaaaa, 3 moves", "from aaaaa,3 moves",
     "aaaaa", "from aaaaa", f"from {'a' * 31}, 3 moves", f"from aaaaa, {'9' * 100_000} moves"],
)  # fmt: skip
def test_another_text_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not of the form 'from aaaaa, 31 moves'") as caught:
        task.parse(wrong)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("size", [1, 4, 20, MOST])
def test_an_instance_is_a_whole_tower_and_its_question_the_whole_solution(size: int) -> None:
    towers = {task.sample(Random(seed), size).facts for seed in range(20)}
    assert towers == {"a" * size, "b" * size}
    for tower in towers:
        instance = Instance.of("hanoi", tower)
        [question] = task.questions(instance, Random(0))
        assert question.instance is None
        term = task.parse(question.text.body)
        assert term == Stretch(tower, 2**size - 1)
        assert text(task.truth(None, term)) == LAST * size


def test_there_are_1_to_30_disks() -> None:
    assert task.size == 5
    for size in (0, -1, 31):
        with pytest.raises(ValueError, match=f"1 to 30 disks, not {size}"):
            task.sample(Random(0), size)


def test_facts_that_are_no_state_to_begin_at_are_refused() -> None:
    refuses(task, [("are no state", "aadaa"), ("are no state", ["a"]), ("all disks are on", "ccc")])
    for state in ("abcab", "aa", "b"):
        task.check(Instance.of("hanoi", state))
    for facts in HOSTILE_FACTS:
        if facts != "aa":
            refuses(task, [(".+", facts)])


def test_after_the_last_move_there_is_no_truth_and_no_primitive() -> None:
    assert task.truth(None, Stretch("ccb", 1)).answered
    lost = task.truth(None, Stretch("cca", 2))
    assert (lost.status, lost.reason) == (
        "unanswered",
        "all disks are on peg c after 1 move, and not 2",
    )
    assert task.primitive(None, Stretch("ccc", 1), Random(0)) is None
    assert task.guess(Stretch("ccc", 1), Random(0)) is None


def test_the_oracle_makes_one_move_and_no_more() -> None:
    for state, left in ways(4).items():
        if left:
            move = task.primitive(None, Stretch(state, 1), Random(0))
            assert text(move) == text(task.truth(None, Stretch(state, 1)))
    assert task.primitive(None, Stretch("aaaa", 2), Random(0)) is None


def test_a_stretch_is_halved_and_the_second_half_goes_on_from_the_first() -> None:
    steps, answer = played(task, Stretch("aaaaa", 31), said("baaaa"), said("ccccc"))
    assert steps == [Ask(Stretch("aaaaa", 15)), Ask(Stretch("baaaa", 16))]
    assert text(answer) == "ccccc"
    steps, answer = played(task, Stretch("aaaaa", 1), said("aaaac"))
    assert steps == [Primitive(Stretch("aaaaa", 1))]
    assert text(answer) == "aaaac"
    instance = Instance.of("hanoi", "aaa")
    assert [step.term.moves for step in asked(task, instance, Stretch("aaa", 7))] == [3, 4]


@pytest.mark.parametrize("at", [0, 1])
@pytest.mark.parametrize(
    "reply",
    [REFUSED, UNKNOWN, FAILED, *map(said, ("", "aaaa", "aaaaaa", "aaaad", " aaaaa", "AAAAA"))],
)
def test_h_does_not_know_what_rests_on_no_state(at: int, reply: Answer) -> None:
    replies = [said("aaabc"), said("aaccc")]
    replies[at] = reply
    _, answer = played(task, Stretch("aaaaa", 5), *replies[: at + 1])
    assert answer is not None
    part = ("from aaaaa, 2 moves", "from aaabc, 3 moves")[at]
    assert (answer.status, answer.reason) == ("unanswered", f"{part} got no state of 5 disks")


def test_a_level_makes_twice_the_moves_of_the_one_below() -> None:
    for depth in range(4):
        reached = [
            moves for moves in range(1, 32) if not task.beyond(Stretch("a" * 5, moves), depth)
        ]
        assert reached == list(range(1, 2**depth + 1))
        queries = [Query(task.render(Stretch("a" * 5, moves))) for moves in range(1, 32)]
        told = unrolled(Playing(task), {}, depth).answer(queries)
        for moves, (answer, calls) in enumerate(told, 1):
            assert answer.answered == (moves in reached)
            if answer.answered:
                assert text(answer) == after("a" * 5, moves)
                assert calls == 2 * moves - 1


def test_beyond_says_what_would_reach_it() -> None:
    assert task.beyond(Stretch("a" * 20, 2**20 - 1), 3) == (
        "1,048,575 moves are beyond level 3, which makes up to 8; use --depth 20 or more"
    )


def test_kinds_are_what_levels_reach() -> None:
    kinds = [task.kind(Stretch("aaaaa", moves)) for moves in (1, 2, 3, 4, 5, 16, 17, 31)]
    twice = [f"up to {2**n} moves" for n in (1, 2, 2, 3, 4, 5, 5)]
    assert kinds == ["1 move", *twice]


def test_h_errs_at_a_single_move_and_always_alike() -> None:
    for state, left in ways(5).items():
        if left:
            found = {text(task.guess(Stretch(state, 1), Random(seed))) for seed in range(5)}
            [wrong] = found
            assert wrong in legal(state)
            assert wrong != moved(state)
        if left > 1:
            assert task.guess(Stretch(state, 2), Random(0)) is None


def test_one_wrong_move_spoils_the_end_and_a_wrong_h_makes_all_of_them() -> None:
    whole = Query("from aaaaa, 31 moves")
    right = 0
    for seed in range(400):
        [told] = unrolled(Playing(task, errors=0.02), {}, 5, seed=seed).answer([whole])
        right += text(told.answer) == LAST * 5
    assert abs(right / 400 - 0.98**31) < 4 * (0.25 / 400) ** 0.5
    [told] = unrolled(Playing(task, errors=1.0), {}, 5).answer([whole])
    assert text(told.answer) not in (None, LAST * 5)
