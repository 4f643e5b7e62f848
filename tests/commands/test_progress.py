"""The line that says what a run is doing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hch import HCH, ScriptedModel
from hch.budget import Price, parse_budget
from hch.commands._progress import Progress
from hch.commands._words import budget, dollars, players, seconds, short
from hch.events import Event
from tests.commands.terminal import Screen, hch, two_parts
from tests.support import regular


def watched(*, quiet: bool, upto: int | None = None) -> Progress:
    """What watched a run of 13 nodes, or so many of its events."""
    seen: list[Event] = []
    run = HCH(depth=2, model=ScriptedModel(regular(3))).begin(["Why?"])
    run.watch = seen.append
    asyncio.run(run.finish())
    progress = Progress(quiet=quiet)
    for event in seen[:upto]:
        progress.watch(event)
    return progress


def test_it_counts_what_happens() -> None:
    progress = watched(quiet=False)
    assert progress.begun
    assert progress.line().startswith("13 nodes, 0 open, 17 calls, ")
    begun = watched(quiet=False, upto=5)
    assert begun.line().startswith("1 node, 1 open, 1 call, 1 in flight, 0 tok, ")


async def test_no_terminal_gets_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(quiet=False)
    progress.start()
    progress._draw()
    progress._draw()
    progress.stop()
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[:29] for line in err.splitlines()] == ["hch: 0 nodes, 0 open, 0 calls"] * 2


async def test_quiet_draws_nothing() -> None:
    progress = Progress(quiet=True)
    progress.start()
    assert progress._next is None
    progress.stop()


def test_a_terminal_gets_one_line_in_place_that_is_taken_away(home: Path) -> None:
    model = two_parts(home / "rules.toml", latency=0.3)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, columns=30, TERM="xterm") as screen:
        said = screen.rest()
    drawn = said.partition("\r\n")[0]
    assert "\r3 nodes, 2 open, 3 calls" in drawn
    assert max(map(len, drawn.split("\r"))) < 30
    assert drawn.endswith("\rthree")
    assert "\x1b" not in said


def test_a_terminal_that_cannot_go_back_gets_no_line_in_place(home: Path) -> None:
    model = two_parts(home / "rules.toml", latency=0.3)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM="dumb") as screen:
        assert "\r3 nodes" not in screen.rest()


def test_it_works_without_uvloop(home: Path) -> None:
    (home / "uvloop.py").write_text("raise ImportError\n")
    assert hch("ask", "What is 2 + 3?", PYTHONPATH=str(home)).out == "5\n"


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (short(0), "0"),
        (short(999), "999"),
        (short(1400), "1.4k"),
        (short(23_400), "23k"),
        (short(999_600), "1.0M"),
        (short(2.34e6), "2.3M"),
        (dollars(4000), "$0.004"),
        (dollars(12), "<$0.001"),
        (dollars(12.3456e6), "$12.35"),
        (seconds(0.04), "0.0 s"),
        (seconds(59.96), "1m00s"),
        (seconds(3725), "1h02m"),
        (players(["script"]), "HCH_0 by script"),
        (players(["a", "b", "b", "c"]), "HCH_3 by 0 a, 1-2 b, 3 c"),
    ],
)
def test_figures_in_few_characters(said: str, wanted: str) -> None:
    assert said == wanted


@pytest.mark.parametrize("text", ["2usd,50calls", "0.000001usd", "200ktokens,7nodes", "1234tokens"])
def test_a_cap_is_said_as_it_is_given(text: str) -> None:
    cap, _ = parse_budget(text)
    assert parse_budget(budget(cap))[0] == cap
    assert budget(Price(*cap.amounts()).map(lambda n: 2 * n))
