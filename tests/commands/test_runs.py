"""`hch runs` and `hch runs rm`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hch.commands.runs import _table
from hch.keeping import RunRow
from tests.commands.terminal import Done, Screen

Typed = Callable[..., Done]


def made(typed: Typed, n: int) -> list[str]:
    """Make so many runs; their ids, newest first."""
    for i in range(n):
        typed("ask", f"What is {i} + 1?")
    return [row["run"] for row in json.loads(typed("runs", "--json").out)]


def test_an_empty_store_says_so(typed: Typed) -> None:
    done = typed("runs")
    assert (done.code, done.out) == (0, "")
    assert "there are no runs in " in done.err
    assert typed("runs", "--json").out == "[]\n"


def test_runs_are_listed_newest_first(typed: Typed) -> None:
    newest, oldest = made(typed, 2)
    head, *lines = typed("runs").out.splitlines()
    assert head.split()[:3] == ["run", "status", "question"]
    assert [line.split()[:2] for line in lines] == [[newest, "answered"], [oldest, "answered"]]
    assert "What is 1 + 1?" in lines[0]
    assert "HCH_2 by script" in lines[0]


def test_json_has_every_figure(typed: Typed) -> None:
    made(typed, 1)
    [row] = json.loads(typed("runs", "--json").out)
    assert (row["question"], row["status"], row["nodes"]) == ("What is 0 + 1?", "answered", 1)
    assert {"run", "started", "players", "roots", "calls", "tokens", "microusd"} < set(row)


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120, 200])
def test_a_list_fits_and_keeps_run_and_question(width: int) -> None:
    question = "Which [bold]rivers[/bold] cross \x1b[31mboth 法国 and Germany?"
    players = ("direct@openai:small", "factored@openai:large")
    row = RunRow("260102-030405-6789ab", 1.8e9, question, players, 1, "answered", 121, 9, 5, 4, 1.0)
    head, line = _table([row], width).splitlines()
    assert head.split()[0] == "run"
    assert line.startswith("260102-030405-6789ab")
    assert len(line) <= width
    assert "\x1b" not in line
    if width >= 60:
        assert "Which [bold]rivers" in line


def test_runs_are_removed(typed: Typed) -> None:
    first, second, third = made(typed, 3)
    done = typed("runs", "rm", first, second, first, "--yes")
    assert (done.code, done.out, done.err) == (0, "", f"hch: removed {first}, {second}\n")
    assert [row["run"] for row in json.loads(typed("runs", "--json").out)] == [third]


def test_nothing_is_removed_unasked(typed: Typed) -> None:
    [run] = made(typed, 1)
    done = typed("runs", "rm", run)
    assert done.code == 2
    assert "--yes" in done.err
    assert typed("runs", "rm", "nonesuch", "--yes").code == 2
    assert typed("runs", "--json").out != "[]\n"


@pytest.mark.parametrize(("said", "code", "left"), [("n\n", 1, 1), ("\n", 1, 1), ("y\n", 0, 0)])
def test_a_person_is_asked(typed: Typed, said: str, code: int, left: int) -> None:
    [run] = made(typed, 1)
    with Screen("runs", "rm", run) as screen:
        screen.until(f"remove 1 run for good ({run})? [y/N] ")
        screen.type(said)
        screen.rest()
        assert screen.code == code
    assert len(json.loads(typed("runs", "--json").out)) == left


def test_the_store_may_be_named_before_or_after_rm(typed: Typed) -> None:
    for words in (("runs", "--store", "own.db", "rm"), ("runs", "rm", "--store", "own.db")):
        run = json.loads(typed("ask", "What is 2 + 3?", "--json", "--store", "own.db").out)["run"]
        assert typed(*words, run, "-y").code == 0
        assert typed("runs", "--json", "--store", "own.db").out == "[]\n"
