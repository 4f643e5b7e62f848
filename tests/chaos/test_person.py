"""A person who is killed at any time, and goes on: every line that was taken is there, once."""

from __future__ import annotations

import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from random import Random
from shutil import rmtree

import pytest

from hch.commands._desk import Draft
from hch.events import CallFinished, PersonTyped, Record
from hch.types import digest
from tests.chaos.witness import readable
from tests.commands.seat import ARITHMETIC, Seat, answer, kept
from tests.commands.terminal import hch
from tests.promises import LONG, Promise

STEPS = (
    ("ask, answer or cannot?", "ask"),
    ("sub-question 1:", "What is 2 + 3?"),
    ("sub-question 2:", "What is 4 - 1?"),
    ("sub-question 3:", ""),
    ("last round? [y/N]", "n"),
    ("ask, answer or cannot?", "answer"),
    ("your answer:", "15, since 5 times 3 is that"),
)
"""What is asked for in turn, and what is typed."""

REPLIES = (0, 5, 7)
"""The steps behind whoever has given no reply, the first and both."""

AT_ONCE = 5
"""Kills of one test."""

STORE = Path(".local/share/hch/hch.db")


@pytest.mark.parametrize("seed", range(50 // AT_ONCE if LONG else 10 // AT_ONCE))
def test_I15_what_was_typed_is_neither_lost_nor_asked_for_twice(  # noqa: N802
    seed: int, promise: Promise
) -> None:
    rng = Random(digest("person", seed))
    for _ in range(AT_ONCE):
        records = readable(STORE)
        with promise.kept("I15"), sits_down(records) as seat:
            certain = is_killed(seat, records, rng)
            assert place(readable(STORE)) in (certain, certain + 1)
        if place(readable(STORE)) == len(STEPS):
            goes_to_the_end(promise)
            rmtree(STORE.parent)  # and another tree
    goes_to_the_end(promise)


def goes_to_the_end(promise: Promise) -> None:
    """Go on to the answer: the tree is what was typed, and nobody is needed to say so again."""
    before = readable(STORE)
    with promise.kept("I15", tries=0):
        with sits_down(before) as seat:
            types_on(seat, before, until=len(STEPS))
            seat.rest()
            assert seat.code == 0
        records = readable(STORE)
        assert records[: len(before)] == before
        assert place(records) == len(STEPS)
        [root] = kept(Path.cwd()).roots
        questions = [ask.node.question.text.body for ask in root.asks if ask.node]
        assert questions == [STEPS[1][1], STEPS[2][1]]
        assert answer(root) == (STEPS[-1][1], "person")
        assert hch("resume", records[0].run).out == f"{STEPS[-1][1]}\n"


def sits_down(records: list[Record]) -> Seat:
    """Ask, or go on with what was asked."""
    return Seat("resume", records[0].run) if records else Seat(*ARITHMETIC)


def is_killed(seat: Seat, records: list[Record], rng: Random) -> int:
    """Type on until a kill, at any step or before the first; the steps that were surely taken.

    A step is taken when the next one is asked for. A line that was sent, and no more, may be.
    """
    now = place(records)
    if rng.random() < 0.2:
        with suppress(subprocess.TimeoutExpired):
            seat.process.wait(timeout=rng.uniform(0.0, 1.0))
    else:
        now = rng.randint(now, len(STEPS) - 1)
        types_on(seat, records, until=now)
        line = f"{STEPS[now][1]}\r"
        seat.type(rng.choice(["", line[: len(line) // 2], line]))
    seat.send(signal.SIGKILL)
    seat.rest()
    return now


def types_on(seat: Seat, records: list[Record], until: int) -> None:
    """Type the steps before that one, and see it asked for.

    All that is kept is shown first, and what is asked for then is the step after it.
    """
    before, now = draft(records), place(records)
    if before.entries:
        seat.says("You typed before:")
    for step, (_, typed) in enumerate(before.entries, now - len(before.entries)):
        assert typed == STEPS[step][1]
        seat.says(" ".join(STEPS[step]).strip())
    for step in range(now, min(until + 1, len(STEPS))):
        asked, typed = STEPS[step]
        shown = seat.says(asked)
        if step == now:
            assert not [other for other, _ in STEPS if other in shown], shown
        if step < until:
            seat.type(f"{typed}\r")


def place(records: list[Record]) -> int:
    """How many steps are kept."""
    replies = sum(isinstance(record.event, CallFinished) for record in records)
    return REPLIES[replies] + len(draft(records).entries)


def draft(records: list[Record]) -> Draft:
    """What is kept of the reply that was being typed."""
    given = {r.event.request for r in records if isinstance(r.event, CallFinished)}
    typed = [r.event for r in records if isinstance(r.event, PersonTyped)]
    texts = [event.text for event in typed if event.request not in given]
    return Draft.read(texts[-1]) if texts else Draft()
