"""An app in a real terminal ends, stops and goes on as it should, and gives the terminal back."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from signal import Signals

import pytest

from tests.browse.small import APP, app, restored
from tests.commands.seat import CONTROLLED, Seat


def after(said: str) -> str:
    """What was written when the screen was gone."""
    return said.rpartition("\x1b[?1006l")[2]


@pytest.mark.parametrize("key", ["q", "\x03", "\x11"])
def test_keys_that_leave(key: str, tmp_path: Path) -> None:
    with app(tmp_path) as seat:
        seat.type(key)
        said = seat.rest()
        assert (seat.code, restored(seat)) == (0, True)
        assert after(said) == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("hangs", [False, True])
def test_a_signal_leaves_and_a_second_one_at_once(
    number: Signals, hangs: bool, tmp_path: Path
) -> None:
    with app(tmp_path) as seat:
        if hangs:
            seat.type("h")
            seat.until("hangs")
            seat.send(number)
            seat.type("j")
            seat.until("moved 1")
        seat.send(number)
        seat.rest()
        assert (seat.code, restored(seat)) == (128 + number, True)


@pytest.mark.parametrize("controlled", [CONTROLLED, ()])
def test_a_terminal_that_goes_ends_it_in_silence(
    controlled: tuple[str, ...], tmp_path: Path
) -> None:
    with app(tmp_path, *controlled) as seat:
        seat.go_away()
        assert seat.code == 129


def test_a_bug_comes_out_as_itself_when_the_screen_is_gone(tmp_path: Path) -> None:
    with app(tmp_path) as seat:
        seat.type("b")
        said = seat.rest()
        assert (seat.code, restored(seat)) == (1, True)
        assert after(said).startswith("Traceback (most recent call last)")
        assert after(said).endswith("ZeroDivisionError: division by zero\r\n")


@pytest.mark.parametrize(
    ("key", "says"), [("s", "the store is gone"), ("w", "a worker's store is gone")]
)
def test_an_error_of_ours_is_one_line_when_the_screen_is_gone(
    key: str, says: str, tmp_path: Path
) -> None:
    with app(tmp_path) as seat:
        seat.type(key)
        said = seat.rest()
        assert (seat.code, restored(seat)) == (5, True)
        assert after(said) == f"hch: {says}\r\n"


@pytest.mark.parametrize("by", ["key", "signal"])
def test_it_stops_as_a_shell_expects_and_comes_back(by: str, tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(APP)
    shell = (*CONTROLLED, "bash", "--norc", "--noprofile", "-i")
    with Seat(command=shell, PYTHONPATH=str(Path(__file__).parents[2]), PS1="$ ") as seat:
        seat.type(f"{sys.executable} small.py\r")
        seat.until("begun")
        seat.type("j")
        seat.until("moved 1")
        if by == "key":
            seat.type("\x1a")
        else:
            os.kill(pid_of(seat), signal.SIGTSTP)
        seat.until("Stopped")
        assert seat.seen.rfind(b"\x1b[?1049l") > seat.seen.rfind(b"\x1b[?1049h")
        seat.type("fg; echo code $?\r")
        seat.more("moved 1", 1)
        seat.type("j")
        seat.until("moved 2")
        seat.type("q")
        seat.until("code 0")
        seat.type("exit\r")
        seat.rest()
        assert restored(seat)


def pid_of(seat: Seat) -> int:
    """The shell's only child."""
    pid = seat.process.pid
    [child] = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def test_it_goes_on_after_a_stop_that_it_could_not_see(tmp_path: Path) -> None:
    with app(tmp_path) as seat:
        seat.send(signal.SIGSTOP)
        seat.send(signal.SIGCONT)
        seat.more("\x1b[?1049h", 1)
        seat.type("j")
        seat.until("moved 1")
        seat.type("q")
        seat.rest()
        assert (seat.code, restored(seat)) == (0, True)


def test_without_a_shell_it_does_not_stop(tmp_path: Path) -> None:
    with app(tmp_path) as seat:
        seat.type("\x1a")
        seat.until("no shell")
        seat.type("jq")
        seat.rest()
        assert seat.code == 0


@pytest.mark.parametrize("wish", ["", "1"])
def test_no_colour_is_used_where_none_is_wanted(wish: str, tmp_path: Path) -> None:
    with app(tmp_path, **({"NO_COLOR": wish} if wish else {})) as seat:
        seat.type("q")
        seat.rest()
    coloured = re.findall(rb"\x1b\[[\d;]*(?:[34]8;[25]|[349][0-7]m)", seat.seen)
    assert bool(coloured) != bool(wish)
