"""What a person had typed when a run was stopped, and how it goes on from there."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from hch.events import PersonTyped
from hch.stores.sqlite import SqliteStore
from tests.commands.seat import ARITHMETIC, CONTROLLED, DIRECT, Seat, answer, half_typed, kept
from tests.commands.terminal import HCH, hch


def test_an_interrupted_person_goes_on_where_they_were(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "n")
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("What is 4")
        seat.says("What is 4")
        seat.type("\x03")
        said = seat.rest()
        assert (seat.code, seat.sane) == (130, True)
    assert "hch: go on with: hch resume" in said
    assert "Traceback" not in said
    with Seat("resume") as seat:
        seat.says("Answer: 5")
        seat.says("You typed before:\n  ask, answer or cannot? ask")
        seat.says("sub-question 1: What is 4")
        seat.type(" - 1?\r")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "n")
        seat.says("Sub-question 2: What is 4 - 1?\n  Answer: 3\n")
        seat.answers("ask, answer or cannot?", "an")
        seat.answers("your answer:", "15")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0]) == ("15", "person")
    assert hch("resume", kept(home).run).out == "15\n"  # over, so that it needs no terminal


def test_an_entry_outlives_a_killing(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.says("sub-question 2:")
        seat.send(signal.SIGKILL)
        seat.rest()
    with Seat("resume") as seat:
        seat.says("sub-question 1: What is 2 + 3?")
        seat.answers("sub-question 2:", "back")
        seat.says("sub-question 1: What is 2 + 3?")
        seat.type("\x15What is 4 - 1?\r")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.says("Answer: 3")
        seat.answers("answer or cannot?", "a")
        seat.answers("your answer:", "15")
        seat.rest()
        assert seat.code == 0
    [root] = kept(home).roots
    assert [ask.node.question.text.body for ask in root.asks if ask.node] == ["What is 4 - 1?"]


@pytest.mark.leaves_open
def test_a_second_signal_leaves_the_terminal_as_it_was(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.send(signal.SIGINT)
        seat.says("your answer:")  # the first is at work
        seat.send(signal.SIGINT)
        seat.rest()
        assert (seat.code, seat.sane) == (130, True)


def test_a_hang_up_stops_the_run_in_order(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.send(signal.SIGHUP)
        seat.rest()
        assert (seat.code, seat.sane) == (129, True)


@pytest.mark.parametrize(
    "shell",
    ['"$@" 3>over; true', 'trap "" HUP; "$@" 3>over; true', 'exec "$@" 3>over'],
    ids=["a shell waits", "a shell ignores it", "it is the terminal's own"],
)
def test_a_terminal_that_goes_away_takes_no_half_typed_line_along(home: Path, shell: str) -> None:
    os.mkfifo(home / "over")
    command = [*CONTROLLED, "sh", "-c", shell, "sh", *HCH, *ARITHMETIC]
    with Seat(command=command) as seat, (home / "over").open() as over:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("What is 2")
        seat.says("What is 2")
        seat.go_away()
        assert over.read() == ""  # hch has ended
    assert half_typed(home) == "What is 2"
    with Seat("resume") as seat:
        seat.says("sub-question 1: What is 2")
        seat.type("\x03")
        seat.rest()


def test_drafts_that_cannot_be_read_are_left_out_with_a_note(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("\x03")
        seat.rest()
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        run = store.runs()[0].run
        [*_, last] = (record.event for record in store.events(run, "PersonTyped"))
        assert isinstance(last, PersonTyped)
        with store.live(run):
            store.append(run, 0.0, PersonTyped(request=last.request, text='{"entries": [["x"'))
    with Seat("resume") as seat:
        seat.says("some of what was typed here before cannot be read: it is left out")
        seat.says("ask, answer or cannot?")
        seat.type("\x03")
        seat.rest()
