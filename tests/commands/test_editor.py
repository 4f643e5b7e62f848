"""A person's editor: what it gets, what it leaves, and what a stop keeps of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.commands.seat import DIRECT, Seat, answer, half_typed, kept
from tests.commands.terminal import HCH


def script(path: Path, *lines: str) -> str:
    """Write a program for the shell; its path."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), "utf-8")
    path.chmod(0o755)
    return str(path)


def test_an_editor_gets_the_text_so_far(home: Path) -> None:
    editor = script(
        home / "editor", 'cat "$1" >before.txt', "echo EDITING", 'printf "edited\\ntext\\n" >"$1"'
    )
    command = ["sh", "-c", 'exec "$@" >out.txt', "sh", *HCH, *DIRECT]
    with Seat(command=command, EDITOR=editor, VISUAL="") as seat:
        seat.says("your answer:")
        seat.type("half a\x18\x05")
        seat.says("EDITING")
        seat.says("your answer: edited")
        seat.type("\r")
        seat.rest()
        assert seat.code == 0
    assert (home / "out.txt").read_text() == "edited\ntext\n"
    assert (home / "before.txt").read_text() == "half a"
    assert answer(kept(home).roots[0])[0] == "edited\ntext"


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        ("", "neither VISUAL nor EDITOR is set"),
        ("no-such", "was of no use"),
        ("false", "ended with 1"),
    ],
)
def test_an_editor_that_is_none(home: Path, editor: str, said: str) -> None:
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says(said)
        seat.answers("your answer:", "so")
        seat.rest()
        assert seat.code == 0


def test_an_editor_that_is_interrupted_loses_nothing_that_it_saved(home: Path) -> None:
    editor = script(home / "editor", 'printf "an essay\\n" >"$1"', "kill -INT $$")
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says("the editor ended with -2: this is what it had saved")
        seat.says("your answer: an essay")
        seat.type("\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "an essay"


def test_bytes_that_are_no_text_are_shown_and_the_rest_is_kept(home: Path) -> None:
    editor = script(home / "editor", 'printf "na\\357ve\\n" >"$1"')
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says("na\\xefve")
        seat.type("\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "na\\xefve"


def test_what_an_editor_left_outlives_a_killing(home: Path) -> None:
    editor = script(home / "editor", 'printf "an essay\\n" >"$1"')
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says("your answer: an essay")
        seat.send(signal.SIGKILL)
        seat.rest()
    with Seat("resume") as seat:
        seat.says("your answer: an essay")
        seat.type("\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "an essay"


@pytest.mark.parametrize("first", ["", "trap '' TERM"])
def test_a_stop_ends_the_editor_and_keeps_what_it_had_saved(home: Path, first: str) -> None:
    for name in ("over", "never"):
        os.mkfifo(home / name)
    editor = script(
        home / "editor",
        first,
        'printf "half an essay\\n" >"$1"',
        "echo EDITING",
        "exec 3>over",
        "read line <never",
    )
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.says("your answer:")
        seat.type("before\x18\x05")
        seat.says("EDITING")
        with (home / "over").open() as over:
            seat.send(signal.SIGTERM)
            assert over.read() == ""  # the editor has ended
        said = seat.rest()
        assert (seat.code, seat.sane) == (143, True)
    assert "Traceback" not in said
    assert half_typed(home) == "half an essay"
    with Seat("resume") as seat:
        seat.says("your answer: half an essay")
        seat.type(" more\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "half an essay more"
