"""`hch prompts`, and a run with prompts of one's own from the copy to the resume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hch.prompts import ALWAYS, shipped
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.commands.terminal import Done, hch, install, rules

Typed = Callable[..., Done]

NAMES = ["consult/last", "consult/turn", "direct", "factored/decompose", "factored/synthesize"]


def listed(typed: Typed, *words: str) -> dict[str, dict[str, Any]]:
    done = typed("prompts", "list", "--json", *words)
    assert done.code == 0
    return {row["name"]: row for row in json.loads(done.out)}


def test_every_prompt_with_who_uses_it_and_its_placeholders(typed: Typed) -> None:
    rows = listed(typed)
    assert {*NAMES, "repair"} <= set(rows)
    assert {path.stem for path in shipped().rglob("*.md")} <= {n.split("/")[-1] for n in rows}
    assert {"direct", "factored", "consult"} <= set(rows["direct"]["strategies"])
    assert rows["factored/decompose"]["strategies"] == ["factored"]
    assert {"level", "grant", "form", *ALWAYS} == set(rows["factored/decompose"]["placeholders"])
    assert rows["repair"]["placeholders"] == ["form", "problem", "reply"]
    assert {row["origin"] for row in rows.values()} == {"shipped"}
    assert {row["problem"] for row in rows.values()} == {None}
    out = typed("prompts", "list").out
    assert "factored/decompose    factored                  $form $grant $level\n" in out
    assert "$question" not in out
    assert typed("prompts").out == out
    assert json.loads(typed("prompts", "--json").out) == list(rows.values())


def test_what_a_folder_changes_is_said(typed: Typed, home: Path) -> None:
    assert typed("prompts", "copy", "mine").code == 0
    (home / "mine" / "repair.md").unlink()
    (home / "mine" / "direct.md").write_text("--- user ---\n$question $context $manual\n")
    (home / "mine" / "consult" / "turn.md").write_text("no section")
    (home / "mine" / "consult" / "last.md").write_bytes(b"\xff")
    (home / "mine" / "factored" / "decompse.md").write_text("--- user ---\n")
    (home / "mine" / "factored" / "synthesize.md").unlink()
    (home / "mine" / "factored" / "synthesize.md").mkdir()
    (home / "mine" / "zzzz.md").mkdir()
    rows = listed(typed, "--prompts", "mine")
    assert {name: row["origin"] for name, row in rows.items() if name in [*NAMES, "repair"]} == {
        "consult/last": "changed",
        "consult/turn": "changed",
        "direct": "changed",
        "factored/decompose": "copied",
        "factored/synthesize": "changed",
        "repair": "shipped",
    }
    assert rows["direct"]["file"] == "mine/direct.md"
    assert rows["direct"]["problem"] is None
    assert "it must begin with --- system ---" in rows["consult/turn"]["problem"]
    assert rows["factored/synthesize"]["problem"].endswith(".md: it is not a regular file")
    assert "is not text in UTF-8" in rows["consult/last"]["problem"]
    assert (rows["factored/decompse"]["origin"], rows["factored/decompse"]["near"]) == (
        "unused",
        "factored/decompose",
    )
    assert (rows["zzzz"]["origin"], rows["zzzz"]["near"]) == ("unused", None)
    out = typed("prompts", "--prompts", "mine").out
    assert typed("prompts", "--prompts", "mine", "list").out == out
    assert "\n    changed: mine/direct.md\n" in out
    assert "    no strategy uses it: mine/factored/decompse.md; did you mean factored/decomp" in out
    assert "\n    not usable: mine/consult/turn.md: prompt 'consult/turn': it must begin" in out


STRATEGY = """
class Mine:
    prompts = {"mine/ask": frozenset({"level"})}
    thinks = True
    refuses_repeats = False

def build():
    return Mine()
"""


def test_a_strategy_of_ones_own_wants_its_prompt(home: Path) -> None:
    env = install(home, "strategies.mine", "mine", STRATEGY)
    install(home, "strategies.wanting", "wanting", "def build(*, other: str): ...")
    done = hch("prompts", "list", **env)
    assert "mine/ask              mine                      $level\n    there is no such file" in (
        done.out
    )
    assert "hch: left out: strategy 'wanting' wants other" in done.err
    (home / "own" / "mine").mkdir(parents=True)
    (home / "own" / "mine" / "ask.md").write_text("--- user ---\n$question\n")
    done = hch("prompts", "list", "--prompts", "own", **env)
    assert (
        "\n    added: own/mine/ask.md\n    not usable: own/mine/ask.md: prompt 'mine/ask' l"
        in done.out
    )


def test_the_text_of_a_prompt_is_exact(typed: Typed, home: Path) -> None:
    for name in NAMES:
        assert typed("prompts", "show", name).out == (shipped() / f"{name}.md").read_text()
    (home / "mine").mkdir()
    (home / "mine" / "direct.md").write_text("--- user ---\nMine: $question\n\n")
    assert typed("prompts", "show", "direct.md", "--prompts", "mine").out == (
        "--- user ---\nMine: $question\n\n"
    )
    assert typed("prompts", "--prompts", "mine", "show", "direct").out.startswith("--- user ---\nM")
    shown = {
        "name": "direct",
        "file": "mine/direct.md",
        "text": "--- user ---\nMine: $question\n\n",
    }
    words = ("prompts", "--json", "show", "direct", "--prompts", "mine")
    assert json.loads(typed(*words).out) == shown
    assert typed("prompts", "show", "repair", "--prompts", "mine").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["show", "drect"], "no prompt 'drect': did you mean 'direct'? there are check, "),
        (["show", "zzz"], "no prompt 'zzz': there are check, "),
        (["show", ""], "NAME is empty"),
        (["show"], "missing argument 'NAME'"),
        (["show", "../pyproject"], "no prompt '../pyproject': "),
        (["list", "--prompts", "nowhere"], "the prompts folder nowhere is no folder"),
        (["list", "--prompts", ""], "--prompts is empty"),
        (["copy", "new", "direct", "drect"], "no prompt 'drect': did you mean 'direct'?"),
        (["copy", "file"], "file/check.md cannot be written: "),
        (["copy", ""], "DIR is empty"),
    ],
)
def test_wrong_use(typed: Typed, home: Path, words: list[str], said: str) -> None:
    (home / "file").touch()
    done = typed("prompts", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"hch: {said}")
    assert not (home / "new").exists()


def test_copies_never_overwrite_unless_forced(typed: Typed, home: Path) -> None:
    done = typed("prompts", "copy", "a b", "direct", "direct", "factored/decompose")
    assert (done.code, done.out) == (0, "a b/direct.md\na b/factored/decompose.md\n")
    assert done.err.endswith("hch: and use them with hch ask … --prompts 'a b'\n")
    mine = home / "a b" / "direct.md"
    mine.write_text("mine")
    done = typed("prompts", "copy", "a b")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "hch: a b/direct.md, a b/factored/decompose.md would be overwritten: add --force\n"
    )
    assert not (home / "a b" / "repair.md").exists()
    assert mine.read_text() == "mine"
    done = typed("prompts", "copy", "a b", "--force")
    assert done.code == 0
    assert len(done.out.splitlines()) == len(list(shipped().rglob("*.md")))
    assert mine.read_bytes() == (shipped() / "direct.md").read_bytes()


def test_copies_follow_no_link(typed: Typed, home: Path) -> None:
    """Neither one that stands for a file nor one that stands for a strategy's folder."""
    outside = home / "outside"
    outside.mkdir()
    (home / "mine").mkdir()
    (home / "mine" / "direct.md").symlink_to(outside / "direct.md")
    (home / "mine" / "factored").symlink_to(outside)
    (home / "mine" / "repair.md").mkdir()
    for name in ("direct", "factored/decompose", "repair"):
        for force in ((), ("--force",)):
            done = typed("prompts", "copy", "mine", name, *force)
            assert (done.code, done.out) == (2, "")
            assert "move it away first" in done.err
    assert list(outside.iterdir()) == []
    assert "cannot be read" in listed(typed, "--prompts", "mine")["direct"]["problem"]


def test_what_never_ends_is_no_prompt(typed: Typed, home: Path) -> None:
    (home / "mine").mkdir()
    os.mkfifo(home / "mine" / "direct.md")
    wrong = "mine/direct.md: it is not a regular file"
    assert listed(typed, "--prompts", "mine")["direct"]["problem"] == wrong
    ask = (
        "ask",
        "Why?",
        "-s",
        "direct",
        "-m",
        rules(home / "r.toml", {"match": ".", "reply": "x"}),
    )
    for words in (("prompts", "show", "direct"), ask):
        done = typed(*words, "--prompts", "mine")
        assert (done.code, done.out, done.err) == (6, "", f"hch: {wrong}\n")


def test_the_configuration_names_a_folder_too(typed: Typed, home: Path) -> None:
    typed("prompts", "copy", "mine", "direct")
    (home / "hch.toml").write_text('[defaults]\nprompts = "mine"\n')
    assert listed(typed)["direct"]["origin"] == "copied"


def test_a_run_keeps_the_text_that_it_was_begun_with(typed: Typed, home: Path) -> None:
    typed("prompts", "copy", "mine", "direct")
    prompt = home / "mine" / "direct.md"
    first = prompt.read_text().replace("Question: ", "As a test. Question: ")
    prompt.write_text(first)
    once = {"match": "As a test. Question", "reply": "x", "fail": ["http 500"]}
    model = rules(home / "rules.toml", once)
    ask = ("ask", "Why?", "--depth", "0", "-s", "direct", "-m", model, "--prompts", "mine")
    assert typed(*ask, "--budget", "1calls", "--store", "a.db").code == 3

    def kept() -> dict[str, str]:
        with SqliteStore("a.db") as store:
            [row] = store.runs()
            return dict(Trace(store.events(row.run)).started.prompts)

    assert kept()["direct"] == first
    assert kept()["repair"] == (shipped() / "repair.md").read_text()
    prompt.write_text(first.replace("As a test", "Not as a test"))
    rules(home / "rules.toml", {"match": "As a test. Question", "reply": "as a test"})
    done = typed("resume", "--budget", "5calls", "--store", "a.db", "--force")
    assert (done.code, done.out) == (0, "as a test\n")
    assert kept()["direct"] == first
    prompt.unlink()
    shown = typed("show", "--store", "a.db")
    assert (shown.code, "as a test" in shown.out) == (0, True)
