"""Runs that stop, by a signal or for want of money, and `hch resume`."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hch import HCH, ScriptedModel, __version__
from hch.events import CallFailed, NodeOpened, RunStarted
from hch.run import Run
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import STUBBORN, Done, Screen, hch, install, rules, two_parts
from tests.test_replay import edited

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


def test_a_run_of_several_questions_prints_a_line_for_each(typed: Typed, home: Path) -> None:
    def begin(*questions: str) -> str:
        store = HCH(store="runs.db").kept_in
        run = HCH(depth=1, strategy="script", store=store).begin(questions)
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(stopped_at_once(run))
        return run.id

    async def stopped_at_once(run: Run) -> None:
        run.watch = lambda event: task.cancel() if isinstance(event, NodeOpened) else None
        task = asyncio.ensure_future(run.finish())
        await task

    run = begin("What is 2 + 3?", "What is (2 + 3) * 4?")
    done = typed("resume", run, "--store", "runs.db")
    assert done.code == 0
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [(line["root"], line["question"], line["answer"]) for line in found] == [
        (0, "What is 2 + 3?", "5"),
        (1, "What is (2 + 3) * 4?", "20"),
    ]
    assert {line["status"] for line in found} == {"answered"}
    assert done.err.startswith("hch: 2 answered: 3 nodes, 0 calls, ")
    again = typed("resume", run, "--store", "runs.db", "--json", "-q")
    assert (json.loads(again.out), again.err) == (found, "")
    run = begin("What is 2 + 3?", "What is ((2 + 3) * 4) - 1?")
    done = typed("resume", run, "--store", "runs.db", "-q")
    assert done.code == 1
    assert json.loads(done.out.splitlines()[1])["status"] == "unanswered"


def test_an_unknown_run(typed: Typed) -> None:
    assert typed("resume", "nonesuch").err.startswith("hch: there are no runs in ")
    typed("ask", "What is 2 + 3?")
    done = typed("resume", "nonesuch")
    assert done.code == 2
    assert done.err.startswith("hch: no run nonesuch in ")


@pytest.fixture
def stopped(typed: Typed, home: Path) -> str:
    """A run that stopped for want of money before its last calls; its model would go on now."""
    model = two_parts(home / "rules.toml", fail=["http 500"] * 4)
    done = typed("ask", "Big?", "--depth", "1", "-m", model, "--budget", "5calls,90ktokens")
    assert done.code == 3
    two_parts(home / "rules.toml")
    return resume_line(done.err)[1]


def test_an_edited_prompt_is_said_before_anything_is_sent(
    typed: Typed, home: Path, stopped: str
) -> None:
    configured = edited(home / "mine", "factored/synthesize", "as briefly", "as wordily")
    (home / "hch.toml").write_text(f'[defaults]\nprompts = "{configured}"\n')
    store = ("--store", ".local/share/hch/hch.db")
    before = typed("show", "--json", *store).out
    refused = typed("resume", "--budget", "9calls,90ktokens", *store)
    assert (refused.code, refused.out) == (2, "")
    assert refused.err == (
        f"hch: run {stopped}: the prompt factored/synthesize has changed\n"
        f"hch: run {stopped} is not as it was when it was started, and nothing was sent: add "
        "--force to go on with what it was started with, or ask anew\n"
    )
    assert typed("show", "--json", *store).out == before
    forced = typed("resume", "--force", "--budget", "9calls,90ktokens", *store)
    assert (forced.code, forced.out) == (0, "three\n")
    assert typed("replay", "-q", *store) == Done(0, "three\n", "")
    assert typed("resume", stopped, "-q", *store) == Done(0, "three\n", "")


def test_an_alias_that_means_another_model_is_said(typed: Typed, home: Path) -> None:
    settings = home / "hch.toml"
    model = two_parts(home / "rules.toml", fail=["http 500"] * 4)
    settings.write_text(f'[models]\nmine = "{model}"\n')
    asked = ("ask", "Big?", "--depth", "1", "-m", "mine", "--budget", "5calls,90ktokens")
    assert typed(*asked).code == 3
    other = rules(home / "other.toml", {"match": ".", "reply": "other"})
    settings.write_text(f'[models]\nmine = "{other}"\n')
    refused = typed("resume", "--budget", "9calls,90ktokens")
    assert refused.code == 2
    assert "its players were 0=factored@scripted:" in refused.err
    assert "other.toml" in refused.err
    two_parts(home / "rules.toml")
    done = typed("resume", "--budget", "9calls,90ktokens", "--force")
    assert (done.code, done.out) == (0, "three\n")


def test_another_version_is_said(typed: Typed, home: Path, stopped: str) -> None:
    with SqliteStore("older.db") as older, SqliteStore(".local/share/hch/hch.db") as store:
        for record in store.events(stopped):
            event = record.event
            if isinstance(event, RunStarted):
                event = event.model_copy(update={"version": "0.0.1"})
            older.append(stopped, record.at, event)
    words = ("resume", "--budget", "9calls,90ktokens", "--store", "older.db")
    refused = typed(*words)
    assert refused.code == 2
    assert f"run {stopped}: it was started by hch 0.0.1, and this is {__version__}\n" in refused.err
    assert typed(*words, "--force").out == "three\n"


def test_an_imported_run_asks_nobody_unless_it_is_told_to(
    typed: Typed, home: Path, stopped: str
) -> None:
    typed("export", stopped, "-o", "run.jsonl")
    assert typed("import", "run.jsonl", "--store", "mine.db").code == 0
    words = ("resume", "--budget", "9calls,90ktokens", "--store", "mine.db")
    refused = typed(*words)
    assert refused.code == 2
    assert "it was imported, and the file that it came in says who is asked: " in refused.err
    assert "factored@scripted:" in refused.err
    assert typed(*words, "--force").out == "three\n"


def test_calls_of_unknown_outcome_are_listed_and_asked_about(
    typed: Typed, home: Path, stopped: str
) -> None:
    place = "crashed.db"
    with SqliteStore(place) as crashed, SqliteStore(".local/share/hch/hch.db") as store:
        for record in store.events(stopped):  # killed before the reply to its second call came
            if isinstance(record.event, CallFailed):
                break
            crashed.append(stopped, record.at, record.event)
    words = ("resume", "--budget", "9calls,90ktokens", "--store", place)
    nobody = typed(*words, "--ask")
    assert nobody.code == 2
    assert nobody.err.endswith("hch: nobody is there to say yes: leave --ask out not to be asked\n")
    with Screen(*words, "--ask", columns=200) as screen:
        screen.until("send what may have been paid already again? [y/N] ")
        screen.type("n\n")
        said = screen.rest()
    assert screen.process.returncode == 1
    assert "1 call of unknown outcome, counted at its worst case, is sent again:" in said
    assert "node 0.1, attempt 1: Small one?" in said or "node 0.2, attempt 1: Small two?" in said
    assert "nothing was sent, and nothing changed" in said
    with SqliteStore(place) as store:
        assert not list(store.events(stopped, "RunResumed"))
    with Screen(*words, "--ask", columns=200) as screen:
        screen.until("[y/N] ")
        screen.type("y\n")
        assert "three" in screen.rest()
    attempts = [
        t["attempts"]
        for node in json.loads(typed("show", "--json", "--store", place).out)["nodes"]
        for t in node["thoughts"]
    ]
    assert sorted(attempts) == [1, 1, 1, 2]
    done = json.loads(typed("resume", stopped, "--json", "-q", "--store", place).out)
    assert done["unknown"]["calls"] == 1


def test_what_was_given_up_is_tried_again_when_it_is_told_to(typed: Typed, home: Path) -> None:
    model = two_parts(home / "rules.toml", fail=["http 400"])
    done = typed("ask", "Big?", "--depth", "1", "-m", model)
    assert done.code == 4
    run = json.loads(typed("runs", "--json").out)[0]["run"]
    before = typed("show", "--json").out
    assert typed("resume", run).code == 4
    assert typed("show", "--json").out == before
    assert typed("resume", "--retry-failed").code == 2, "no run waits, unless it is named"
    two_parts(home / "rules.toml")
    again = typed("resume", run, "--retry-failed")
    assert (again.code, again.out) == (0, "three\n")
    assert json.loads(typed("runs", "--json").out)[0]["status"] == "answered"
    assert typed("replay", "-q") == Done(0, "three\n", "")
