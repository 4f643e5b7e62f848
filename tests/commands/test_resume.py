"""Runs that stop, by a signal or for want of money, and `hch resume`."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hch import HCH, ScriptedModel
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import STUBBORN, Done, Screen, hch, install, rules, two_parts

Typed = Callable[..., Done]
SLOW = 600.0


def resume_line(said: str) -> list[str]:
    """The words after `hch` of the line that says how to go on."""
    [line] = re.findall(r"hch: go on with: (hch resume .+?)\r?\n", said)
    return shlex.split(line)[1:]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_and_the_line_it_prints_goes_on(
    home: Path, number: signal.Signals, code: int
) -> None:
    model = two_parts(home / "rules.toml", latency=SLOW)
    with Screen(
        "ask", "Big?", "--depth", "1", "-m", model, "--store", "a b.db", TERM="xterm"
    ) as screen:
        screen.until("3 nodes, 2 open, 3 calls, 1 in flight")
        screen.send(number)
        said = screen.rest()
        assert screen.code == code
    assert "Traceback" not in said
    shown = hch("show", "--store", "a b.db").out
    assert "⊘ HCH_1  Big? → the run stopped" in shown
    assert "unfinished (interrupted); hch resume" in shown
    two_parts(home / "rules.toml")
    assert hch(*resume_line(said)).out == "three\n"
    nodes = json.loads(hch("show", "--json", "--store", "a b.db").out)["nodes"]
    attempts = [[t["attempts"] for t in node["thoughts"]] for node in nodes]
    assert attempts == [[1, 1], [1], [2]]  # only the call in flight is sent again


@pytest.mark.leaves_open
def test_a_second_signal_ends_it_at_once(home: Path) -> None:
    env = install(home, "models.stubborn", "stubborn", STUBBORN)
    with Screen("ask", "Why?", "--depth", "0", "-m", "stubborn", TERM="xterm", **env) as screen:
        screen.until("1 in flight")
        screen.send(signal.SIGINT)
        screen.until("not yet")
        screen.send(signal.SIGINT)
        said = screen.rest()
        assert screen.code == 130
    assert resume_line(said)[0] == "resume"


def test_a_bug_shows_itself_and_how_to_go_on(home: Path) -> None:
    source = "from hch import ScriptedModel\ndef say(request):\n    raise ZeroDivisionError\n"
    env = install(
        home,
        "models.broken",
        "broken",
        f"{source}def build():\n    return ScriptedModel(say, name='broken')\n",
    )
    done = hch("ask", "Why?", "--depth", "0", "-m", "broken", **env)
    assert done.code == 1
    assert "ZeroDivisionError" in done.err
    assert resume_line(done.err)


def test_the_newest_unfinished_run_is_resumed(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    stopped = typed("ask", "Why?", "--depth", "0", "-m", model, "--budget", "1calls")
    assert stopped.code == 3
    assert typed("ask", "What is 2 + 3?").code == 0
    rules(home / "rules.toml", {"match": ".", "reply": "x"})
    done = typed("resume", "--budget", "5calls", "--json")
    assert (done.code, json.loads(done.out)["answer"]) == (0, "x")
    assert typed("resume").err.endswith("waits to be resumed\n")
    assert typed("resume").code == 2


def test_a_finished_run_is_only_read(typed: Typed) -> None:
    run = json.loads(typed("ask", "What is 2 + 3?", "--json").out)["run"]
    before = typed("show", "--json").out
    assert typed("resume", run, "-q") == Done(0, "5\n", "")
    assert typed("show", "--json").out == before


def test_a_cap_cannot_be_lowered(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    typed("ask", "Why?", "--depth", "0", "-m", model, "--budget", "2calls,9ktokens")
    done = typed("resume", "--budget", "1usd")
    assert (done.code, done.out) == (2, "")


def test_a_live_run_is_refused(typed: Typed) -> None:
    typed("ask", "What is 2 + 3?")
    with SqliteStore(".local/share/hch/hch.db") as store:
        run = store.runs()[0].run
        with store.live(run):
            done = typed("resume", run)
    assert (done.code, done.out) == (5, "")
    assert f"run {run} is in use" in done.err
    assert "go on with" not in done.err


def test_a_run_of_python_objects_is_not_resumed_here(typed: Typed) -> None:
    HCH(depth=0, model=ScriptedModel({"Why?": "x"})).ask_sync("Why?")
    run = json.loads(typed("runs", "--json").out)[0]["run"]
    done = typed("resume", run)
    assert done.code == 6
    assert "made in Python" in done.err


def test_an_empty_name_is_none(typed: Typed) -> None:
    typed("ask", "What is 2 + 3?")
    assert typed("resume", "") == Done(2, "", "hch: RUN is empty\n")
    assert typed("resume", "--budget", "") == Done(2, "", "hch: --budget is empty\n")
    assert typed("show", "").code == typed("runs", "rm", "").code == 2


def test_show_says_how_to_go_on_as_ask_did(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    stopped = typed("ask", "Why?", "--depth", "0", "-m", model, "--budget", "1calls,90ktokens")
    line = " ".join(["hch", *resume_line(stopped.err)])
    assert "--budget 2calls,90ktokens" in line
    assert typed("show").out.endswith(f"; {line}\n")


def test_an_unknown_run(typed: Typed) -> None:
    assert typed("resume", "nonesuch").err.startswith("hch: there are no runs in ")
    typed("ask", "What is 2 + 3?")
    done = typed("resume", "nonesuch")
    assert done.code == 2
    assert done.err.startswith("hch: no run nonesuch in ")
