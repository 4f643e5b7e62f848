"""`hch examples`: every line is true of the command line that there is."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hch import registry
from hch.commands import _application
from hch.commands.examples import Example, every, topics
from tests.commands.terminal import Done, Screen

Typed = Callable[..., Done]

FREE = [example for example in every() if not example.needs]
ELSE = [example for example in every() if example.needs]


def named(example: Example) -> str:
    return example.line


@pytest.fixture
def words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hch` and `python` are those of the tests, and there is a run to be shown."""
    (home / "bin").mkdir()
    for name, start in (("hch", "-m hch.cli"), ("python", "")):
        (home / "bin" / name).write_text(f'#!/bin/sh\nexec {sys.executable} {start} "$@"\n')
        (home / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    (home / "my-prompts").mkdir()
    shell('hch ask "What is 2 + 3?"')


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, with nothing on stdin."""
    return subprocess.run(
        ["sh", "-c", line], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


@pytest.mark.usefixtures("words")
@pytest.mark.parametrize("example", FREE, ids=named)
def test_an_example_that_needs_nothing_works(example: Example) -> None:
    done = shell(example.line)
    assert done.returncode in (0, 4), done.stderr
    assert done.stdout or done.stderr
    assert "Traceback" not in done.stderr


def calls(line: str) -> list[list[str]]:
    """The words of each `hch` in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&")
    lexer.whitespace_split = True
    found: list[list[str]] = []
    begun = False
    for word in lexer:
        if word == "hch":
            found.append([])
            begun = True
        elif re.fullmatch("[;|&]+", word):
            begun = False
        elif begun:
            found[-1].append(word)
    return found


@pytest.mark.parametrize("example", ELSE, ids=named)
def test_what_the_others_name_is_there(example: Example) -> None:
    """Commands, flags and their values, as typer reads them, and every plugin and its options."""
    assert calls(example.line)
    for given in calls(example.line):
        command: Any = _application.application()
        context = command.make_context("hch", given[:1])
        command = command.get_command(context, given[0])
        values = command.make_context(given[0], given[1:], parent=context).params
        for player in [*(at.partition("=")[2] for at in values.get("at") or ())]:
            check_player(player)
        if values.get("strategy"):
            check_player(values["strategy"])
        if values.get("model"):
            check_spec("models", registry.Spec.parse(values["model"]))


def check_player(text: str) -> None:
    player = registry.PlayerSpec.parse(text)
    for spec in player.strategies:
        check_spec("strategies", spec)
    if player.model:
        check_spec("models", registry.Spec.parse(player.model))


def check_spec(kind: str, spec: registry.Spec) -> None:
    _, options = registry.describe(kind, spec.name)
    assert set(dict(spec.options)) <= set(options)
    assert spec.arg is None or "arg" in options


def test_every_topic_that_one_would_look_for() -> None:
    assert len(topics()) == len(set(topics()))
    wanted = (
        "first steps", "depth and levels", "openai", "local weights", "any compatible server",
        "consult", "context files", "budgets and prices", "dry run", "a person at a node",
        "resume", "replay", "json", "prompts", "configuration", "python",
    )  # fmt: skip
    assert set(wanted) <= set(topics())
    needed = {example.needs for example in every()}
    assert needed == {
        None,
        "a key",
        "weights",
        "a server",
        "a terminal",
        "a stopped run",
        "a finished run",
    }


def test_a_word_chooses(typed: Typed) -> None:
    done = typed("examples", "GGUF")
    assert done.code == 0
    assert done.out.startswith("LOCAL WEIGHTS\n  $ hch ask ")
    assert "Needs weights." in " ".join(done.out.split())
    assert "OPENAI\n" not in done.out
    assert typed("examples", "gguf") == done


def test_an_unknown_word_names_the_nearest(typed: Typed) -> None:
    done = typed("examples", "budgts")
    assert (done.code, done.out) == (2, "")
    assert "no example has 'budgts': did you mean 'budgets'? topics are first steps, " in done.err
    assert "did you mean" not in typed("examples", "zzzz").err
    assert typed("examples", "").code == 2


def test_as_json(typed: Typed) -> None:
    rows = json.loads(typed("examples", "--json").out)
    assert [Example(**row) for row in rows] == list(every())


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_text_is_filled_and_lines_are_whole(columns: int) -> None:
    with Screen("examples", columns=columns) as screen:
        lines = screen.rest().splitlines()
    assert {f"  $ {example.line}" for example in every()} <= set(lines)
    assert all(len(line) <= min(columns, 80) for line in lines if not line.startswith("  $ "))
