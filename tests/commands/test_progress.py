"""What a run is doing: the live tree on a terminal, else a line now and then."""

from __future__ import annotations

import asyncio
import re
import signal
from pathlib import Path

import pytest

from hch import HCH, ScriptedModel
from hch.budget import Price, parse_budget
from hch.commands._progress import Progress
from hch.events import Event
from hch.words import budget, dollars, players, seconds, short
from tests.commands.terminal import STUBBORN, Screen, gated, hch, install, two_parts
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


HOSTILE = "Big \x1b[2J\x1b]0;x\x07?"
AWAY = re.compile("\x1b\\[\\?1049h(.*?)\x1b\\[\\?25h\x1b\\[\\?1049l", re.DOTALL)


def stays(said: str) -> str:
    """What is on the normal screen, of all that was written to a terminal."""
    assert said.count("\x1b[?1049h") == said.count("\x1b[?1049l")
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h")
    left = AWAY.sub("", said)
    assert "\x1b" not in left
    return left.replace("\r\n", "\n")


def drawn(said: str) -> list[list[str]]:
    """Every drawing of the live tree, as its lines without colours."""
    [away] = AWAY.findall(said)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-GI-Z]", "", away)
    return [drawing.split("\r\n") for drawing in plain.split("\x1b[H")[2:]]


def test_a_terminal_gets_a_tree_that_is_taken_away(home: Path) -> None:
    model, env = gated(home)
    words = ("ask", "Big?", "--depth", "1", "-m", model)
    with Screen(*words, columns=60, rows=14, TERM="xterm", **env) as screen:
        screen.until("awaits 1 of 2")
        (home / "gate").write_text("")
        said = screen.rest()
        assert screen.code == 0
    assert re.fullmatch(
        r"three\nhch: answered: 3 nodes, 4 calls, \d+ tok, \d\.\d s; hch show \S+\n", stays(said)
    )
    for drawing in (drawings := drawn(said)):
        assert len(drawing) == 14
        assert {len(line) for line in drawing} == {60}
    waits = next(lines for lines in drawings if "awaits 1 of 2" in lines[0])
    rows = [" ".join(line.split()) for line in waits]
    assert rows[0] == "… HCH_1 Big? awaits 1 of 2"
    assert rows[1].startswith("├─ ✓ HCH_0 Small one? → one ")
    assert rows[2].startswith("└─ ")
    assert rows[2][4:].startswith(" HCH_0 Small two? thinking")
    assert "3 nodes, 2 open, 3 calls, 1 in flight" in rows[-3]


@pytest.mark.parametrize("size", [(20, 3), (1, 1), (7, 2), (200, 60)])
def test_it_follows_the_size_of_the_screen(home: Path, size: tuple[int, int]) -> None:
    model, env = gated(home)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM="xterm", **env) as screen:
        screen.until("awaits 1 of 2")
        screen.resize(*size)
        screen.more("\x1b[H", 2)
        (home / "gate").write_text("")
        said = screen.rest()
        assert screen.code == 0
    assert stays(said).startswith("three\n")
    sizes = {(len(lines[0]), len(lines)) for lines in drawn(said)}
    assert sizes == {(80, 24), size}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_brings_the_screen_back(home: Path, number: signal.Signals) -> None:
    model = two_parts(home / "rules.toml", latency=600)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM="xterm") as screen:
        screen.until("thinking")
        screen.send(number)
        said = screen.rest()
        assert screen.code == 128 + number
    stopped = rf"hch: stopped by {number.name}\nhch: go on with: hch resume \S+\n"
    assert re.fullmatch(stopped, stays(said))
    two_parts(home / "rules.toml")
    assert hch("resume").out == "three\n"


@pytest.mark.leaves_open
def test_a_second_signal_brings_the_screen_back(home: Path) -> None:
    env = install(home, "models.stubborn", "stubborn", STUBBORN)
    with Screen("ask", HOSTILE, "--depth", "0", "-m", "stubborn", TERM="xterm", **env) as screen:
        screen.until("thinking")
        screen.send(signal.SIGINT)
        screen.until("not yet")
        screen.send(signal.SIGINT)
        said = screen.rest()
        assert screen.code == 130
    stopped = r"\nhch: stopped by SIGINT\nhch: go on with: hch resume \S+\n"
    assert re.fullmatch(stopped, stays(said))
    assert "\x1b[2J" not in said


BROKEN = """
import asyncio
from hch import ScriptedModel

async def reply(request):
    await asyncio.sleep(1)
    raise ZeroDivisionError("a bug")

def build():
    return ScriptedModel(reply, name="broken")
"""


@pytest.mark.leaves_open
def test_a_bug_brings_the_screen_back(home: Path) -> None:
    env = install(home, "models.broken", "broken", BROKEN)
    with Screen("ask", "Why?", "--depth", "0", "-m", "broken", TERM="xterm", **env) as screen:
        said = screen.rest()
    assert "thinking" in said
    assert "ZeroDivisionError: a bug" in stays(said)


@pytest.mark.parametrize("term", ["dumb", "unknown", "", "vt52"])
def test_a_terminal_that_cannot_be_drawn_on_gets_no_tree(home: Path, term: str) -> None:
    model = two_parts(home / "rules.toml", latency=0.6)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM=term) as screen:
        said = screen.rest()
    assert "\x1b" not in said
    assert "thinking" not in said


def test_a_quick_or_quiet_run_draws_nothing(home: Path) -> None:
    model = two_parts(home / "rules.toml")
    words = ("ask", "Big?", "--depth", "1", "-m", model, "--store", "s.db")
    with Screen(*words, TERM="xterm") as screen:
        assert "\x1b" not in screen.rest()
    model = two_parts(home / "rules.toml", latency=0.8)
    with Screen(*words, "--seed", "1", "-q", TERM="xterm") as screen:
        assert screen.rest() == "three\r\n"


ASIDE = """
import asyncio, sys
from hch import HCH, ScriptedModel
from hch.commands._progress import Progress

async def main():
    async def reply(request):
        await asyncio.sleep(1)
        with progress.aside(), progress.aside():
            print("typing", flush=True)
            await asyncio.sleep(1)
        await asyncio.sleep(1.5)
        return "so"

    hch = HCH(depth=0, model=ScriptedModel(reply), store="memory")
    run = hch.begin(["Secret?"])
    progress = Progress(quiet=False, notes=("a note",), run=run, texts=False)
    run.watch = progress.watch
    progress.start()
    await run.finish()
    progress.stop()
    print("end", flush=True)

def build():
    return lambda: asyncio.run(main())
"""


def test_nothing_is_drawn_while_a_person_types(home: Path) -> None:
    env = install(home, "commands.aside", "aside_", ASIDE)
    with Screen("aside", TERM="xterm", **env) as screen:
        said = screen.rest()
    assert stays(said) == "hch: a note\ntyping\nend\n"
    assert len(AWAY.findall(said)) == 2
    assert "\x1b[36m HCH_0\x1b[0m  0   " in said
    assert "Secret" not in said


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
        (short(1.2e9), "1.2G"),
        (short(999.6e12), "1e15"),
        (short(1e18), "1e18"),
        (dollars(4.5e12), "$4.5M"),
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
