"""Towers of Hanoi: where the disks are after a stretch of the shortest solution.

The long chain of steps of MAKER (arXiv 2511.09030): `disks` disks take 2^disks - 1 moves, and one
wrong move spoils the end. A state is the peg, a to c, of each disk, the largest first; every such
word is one, for on a peg the smaller lie on the larger. The solution brings all disks to peg c on
the one shortest way, which there is from every state. H halves a stretch: it asks where its first
half leads to, and then where its second half leads to from there. The oracle makes one move. So
HCH_n makes up to 2^n moves.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from random import Random
from typing import Annotated, Any, NamedTuple, TypeAlias

from pydantic import Field

from hch.protocols import Task
from hch.safe_text import one_line
from hch.steps import Ask, Instance, Primitive, Step
from hch.tasks._replies import read, said, told, unknown
from hch.types import Answer, Question, Text

MOST = 30
"""Disks; so many take a thousand million moves."""

Disks: TypeAlias = Annotated[int, Field(ge=1, le=MOST)]

PEGS = "abc"
LAST = PEGS[-1]

_STATE = re.compile(rf"[{PEGS}]{{1,{MOST}}}")
_QUESTION = re.compile(rf"from ({_STATE.pattern}), ([1-9][0-9]{{0,9}}) (moves?)")
_THIRD = {
    (one, two): next(peg for peg in PEGS if peg not in {one, two})
    for one in PEGS
    for two in PEGS
    if one != two
}


class Stretch(NamedTuple):
    """So many moves of the shortest solution from a state."""

    state: str
    moves: int


class Hanoi(Task):
    """An instance's facts are the state to begin at; its question is the whole way from there."""

    name = "hanoi"
    has_facts = False

    def __init__(self, disks: int) -> None:
        self.size = disks

    def sample(self, rng: Random, size: int) -> Instance:
        """All of `size` disks, 1 to 30, on one peg that is not the last: 2^size - 1 moves."""
        if not 1 <= size <= MOST:
            raise ValueError(f"there are 1 to {MOST} disks, not {size}")
        return Instance.of(self.name, rng.choice(PEGS[:-1]) * size)

    def check(self, instance: Instance) -> None:
        if not (isinstance(instance.facts, str) and _STATE.fullmatch(instance.facts)):
            raise ValueError(
                f"the facts are no state, such as aaaaa: the pegs of 1 to {MOST} disks"
            )
        if not distance(instance.facts):
            raise ValueError(f"there is no move to make: all disks are on peg {LAST}")

    def questions(self, instance: Instance, rng: Random) -> Iterator[Question]:
        """The one question. It names no instance, so that equal stretches are shared."""
        whole = Stretch(instance.facts, distance(instance.facts))
        yield Question(Text(self.render(whole), "task"))

    def parse(self, text: str) -> Stretch:
        match = _QUESTION.fullmatch(text)
        if match:
            state, moves = match[1], int(match[2])
            if not moves >> len(state) and (moves > 1) == (match[3] == "moves"):
                return Stretch(state, moves)
        raise ValueError(
            f"{one_line(text, 60)!r} is not of the form 'from aaaaa, 31 moves', the pegs of 1 to "
            f"{MOST} disks from a to {LAST} and at most 2^disks - 1 moves"
        )

    def render(self, term: Stretch) -> str:
        return f"from {term.state}, {term.moves} move{'s' if term.moves > 1 else ''}"

    def beyond(self, term: Stretch, level: int) -> str | None:
        """Why HCH_level cannot answer: more than 2^level moves."""
        needed = (term.moves - 1).bit_length()
        if needed <= level:
            return None
        return (
            f"{term.moves:,} moves are beyond level {level}, which makes up to {1 << level:,}; "
            f"use --depth {needed} or more"
        )

    def steps(self, term: Stretch) -> Generator[Step, Any, Answer]:
        """One move is the oracle's; of more, the first half is asked for, then the second."""
        state, moves = term
        half = moves >> 1
        parts, replies = (half, moves - half) if half else (moves,), []
        for count in parts:
            part = Stretch(state, count)
            reply = yield (Ask(part) if half else Primitive(part))
            got = read(reply, _STATE)
            if got is None or len(got) != len(state):
                return unknown(f"{self.render(part)} got no state of {len(state)} disks")
            replies.append(reply)
            state = got
        return said(state, *replies)

    def primitive(self, instance: Instance | None, term: Stretch, rng: Random) -> Answer | None:
        """The state after one move; None for more of them, and where all disks are on the last."""
        state = moved(term.state) if term.moves == 1 else None
        return told(state) if state else None

    def truth(self, instance: Instance | None, term: Stretch) -> Answer:
        state = after(term.state, term.moves)
        if state is None:
            left = distance(term.state)
            made = f"{left:,} move{'s' * (left != 1)}"
            return unknown(f"all disks are on peg {LAST} after {made}, and not {term.moves:,}")
        return told(state)

    def valid(self, term: Stretch, answer: Answer) -> bool:
        """Whether it is a state of as many disks."""
        state = read(answer, _STATE)
        return state is not None and len(state) == len(term.state)

    def kind(self, term: Stretch) -> str:
        """By the lowest level that reaches it: `up to 16 moves` is 9 to 16 of them."""
        reach = 1 << (term.moves - 1).bit_length()
        return f"up to {reach} moves" if reach > 1 else "1 move"

    def guess(self, term: Stretch, rng: Random) -> Answer | None:
        """One wrong move, for each state always the same; None for a stretch of more than one.

        So an H that errs does so at the single moves, and all who err at one say the same, as the
        laws of votes assume. The smallest disk goes to a peg where it should not go now.
        """
        right = moved(term.state) if term.moves == 1 else None
        if right is None:
            return None
        rest, smallest = term.state[:-1], term.state[-1]
        return told(next(rest + peg for peg in PEGS if peg != smallest and rest + peg != right))


def distance(state: str) -> int:
    """The moves that bring all disks to the last peg.

    A disk that is not where it should go moves once, and then all smaller ones go there from the
    third peg: 2^smaller moves in all, after those that bring them to the third.
    """
    goal, moves = LAST, 0
    for peg in state:
        moves <<= 1
        if peg != goal:
            moves += 1
            goal = _THIRD[peg, goal]
    return moves


def moved(state: str) -> str | None:
    """The state after the next move; None where all disks are on the last peg."""
    goal, found = LAST, None
    for at, peg in enumerate(state):
        if peg != goal:
            found = at, goal
            goal = _THIRD[peg, goal]
    if found is None:
        return None
    at, peg = found
    return f"{state[:at]}{peg}{state[at + 1 :]}"


def after(state: str, moves: int) -> str | None:
    """The state after so many moves; None where there are not so many. In time disks^2."""
    left = distance(state)
    if moves > left:
        return None
    goal = LAST
    for at in range(len(state)):
        peg = state[at]
        if peg == goal:
            continue
        third, smaller = _THIRD[peg, goal], len(state) - 1 - at
        left -= 1 << smaller  # what brings the smaller ones to the third peg
        if moves <= left:
            goal = third
        else:
            moves -= left + 1
            left = (1 << smaller) - 1
            state = state[:at] + goal + third * smaller
    return state


def build(*, size: Disks = 5) -> Task:
    return Hanoi(size)
