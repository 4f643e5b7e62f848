"""`hch replay`, as typed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from hch.commands._beside import beside
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import Done, rules, two_parts
from tests.test_replay import edited

Typed = Callable[..., Done]


@pytest.fixture
def big(typed: Typed, home: Path) -> str:
    """A finished run of five calls; its model is gone."""
    model = two_parts(home / "rules.toml")
    done = typed("ask", "Big?", "--depth", "1", "-m", model, "--json")
    (home / "rules.toml").unlink()
    return str(json.loads(done.out)["run"])


def test_it_prints_the_answer_and_that_it_is_the_same(typed: Typed, big: str) -> None:
    done = typed("replay", big)
    assert (done.code, done.out) == (0, "three\n")
    same = "comes to the same, to the byte: 3 nodes, 4 thinks, nothing sent"
    assert re.fullmatch(rf"hch: {big} {same}, \d+\.\d s\n", done.err)
    assert typed("replay", "-q") == Done(0, "three\n", "")
    told = {"run": big, "same": True, "nodes": 3, "thinks": 4, "answers": ["three"]}
    assert json.loads(typed("replay", "--json", "-q").out) == told


def test_it_needs_no_key_and_no_model(typed: Typed, big: str, home: Path) -> None:
    with SqliteStore(".local/share/hch/hch.db") as store:
        records = list(store.events(big))
        for record in records:
            event = record.event
            if event.type == "RunStarted":
                recipe = {**event.setup, "model": "anthropic:nobody", "named": {}}
                players = tuple(p.partition("@")[0] + "@anthropic:nobody" for p in event.players)
                event = event.model_copy(update={"setup": recipe, "players": players})
            store.append("other", record.at, event)
    # Who plays is part of what makes a node, so this record was never played: but it is tried.
    done = typed("replay", "other")
    assert done.code == 7
    assert "hch: node 0 " in done.err


def test_an_edited_prompt_is_shown_beside_the_recorded_one(
    typed: Typed, big: str, home: Path
) -> None:
    folder = str(edited(home / "mine", "factored/synthesize", "as well and as briefly", "wordily"))
    done = typed("replay", big, "--with-prompts", folder, "--width", "60")
    assert done.code == 7
    assert done.err.startswith("hch: node 0 goes off its record at think number 2: it asked its ")
    lines = done.out.splitlines()
    assert lines[0].split() == ["recorded", "now"]
    assert all(len(line) <= 60 for line in lines)
    differing = [line for line in lines if line[28:31] == " | "]
    assert "briefly" in "".join(line[:28] for line in differing)
    assert "wordily" in "".join(line[31:] for line in differing)
    assert any(line.startswith("⋯ ") and line.endswith(" lines alike") for line in lines)
    told = json.loads(typed("replay", big, "--with-prompts", folder, "--json").out)
    assert (told["run"], told["same"], told["node"]) == (big, False, "0")
    assert told["now"] == told["recorded"].replace("as well and as briefly", "wordily")


def test_prompts_that_change_nothing(typed: Typed, big: str, home: Path) -> None:
    folder = str(edited(home / "mine", "factored/synthesize", "", ""))
    assert typed("replay", big, "--with-prompts", folder, "-q") == Done(0, "three\n", "")


def test_prompts_that_the_run_has_not(typed: Typed, big: str, home: Path) -> None:
    folder = str(edited(home / "mine", "consult/turn", "$question", "$question, then"))
    done = typed("replay", big, "--with-prompts", folder)
    assert done.code == 2
    assert "has none of the prompts of run" in done.err
    assert "factored/synthesize.md" in done.err


def test_a_key_in_an_edited_prompt_is_not_shown(
    typed: Typed, big: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-0123456789")
    folder = str(edited(home / "mine", "factored/synthesize", "as well", "sk-canary-0123456789"))
    done = typed("replay", big, "--with-prompts", folder)
    assert done.code == 7
    assert "canary" not in done.out + done.err
    assert "[key]" in done.out


def test_long_texts_are_compared_in_no_time() -> None:
    many = [f"line {i % 7}" for i in range(50_000)]
    left, right = "\n".join([*many, "a", *many]), "\n".join([*many, "b", "c", *many])
    shown = beside(left, right, ("recorded", "now"), 60)
    assert [line.split() for line in shown[2:] if "line" not in line] == [
        ["a", "|", "b"],
        [">", "c"],
    ]
    assert len(beside("\n".join(many), "\n".join(reversed(many)), ("", ""), 60)) >= 50_000


def test_the_newest_finished_run_is_replayed(typed: Typed, big: str, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    stopped = typed("ask", "Why?", "--depth", "0", "-m", model, "--budget", "1calls")
    assert stopped.code == 3
    assert typed("replay", "-q") == Done(0, "three\n", "")
    newest = json.loads(typed("runs", "--json").out)[0]["run"]
    done = typed("replay", newest)
    assert done.code == 2
    assert f"run {newest} is not finished" in done.err


def test_a_bad_folder_of_prompts(typed: Typed, big: str, home: Path) -> None:
    assert typed("replay", "--with-prompts", "nowhere").code == 2
    folder = home / "mine" / "factored"
    folder.mkdir(parents=True)
    (folder / "synthesize.md").write_text("--- user ---\nNothing is filled in here.\n")
    done = typed("replay", "--with-prompts", "mine")
    assert done.code == 6
    assert "factored/synthesize" in done.err


def test_there_is_none(typed: Typed) -> None:
    assert typed("replay").code == 2
    assert typed("replay", "nonesuch").code == 2
