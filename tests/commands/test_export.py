"""`hch export`: which runs, where to, and nothing half written."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hch import Trace
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import HCH, Done, gated, hch
from tests.hostile_imports import ESCAPES, OTHER, RUN, TWO, exported, whole

Typed = Callable[..., Done]

KEPT = ".local/share/hch/hch.db"


@pytest.fixture
def two(home: Path, typed: Typed) -> None:
    """A store with two runs, of which `OTHER` came last."""
    (home / "two.jsonl").write_bytes(TWO)
    assert typed("import", "two.jsonl").code == 0


def runs_in(out: str) -> list[str]:
    return list(json.loads(out.splitlines()[0])["runs"])


@pytest.mark.usefixtures("two")
def test_every_run_comes_out_oldest_first(typed: Typed) -> None:
    assert typed("export", "--all").out.encode() == TWO


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("words", "runs"),
    [
        ((OTHER,), [OTHER]),
        ((OTHER, RUN, OTHER), [OTHER, RUN]),
        (("--format", "events", RUN), [RUN]),
    ],
)
def test_the_runs_that_are_named(words: tuple[str, ...], runs: list[str], typed: Typed) -> None:
    assert runs_in(typed("export", *words).out) == runs


def test_the_newest_run_by_default_and_one_by_its_beginning(typed: Typed) -> None:
    for question in ("What is 2 + 3?", "What is 4 + 5?"):
        typed("ask", question, "-s", "script", "-q")
    newest, oldest = (row["run"] for row in json.loads(typed("runs", "--json").out))
    assert runs_in(typed("export").out) == [newest]
    assert runs_in(typed("export", oldest[:-1]).out) == [oldest]


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("none",), "no run none in"),
        ((RUN[:-1],), "several runs begin with"),
        (("--all", RUN), "--all is every run: name none beside it"),
        (("--format", "canonical", RUN, OTHER), "of one run: name one"),
        (("--format", "canonical", "--all"), "of one run: name one"),
        (("--format", "parquet"), "is not one of"),
        (("--output", ""), "--output is empty"),
        (("--output", "two.jsonl"), "two.jsonl would be overwritten: add --force"),
        (("--output", "folder", "--force"), "folder is a link or no regular file"),
        (("--output", "link", "--force"), "link is a link or no regular file"),
        (("--output", "none/runs.jsonl"), "cannot be written: No such file or directory"),
        (("--output", "a" * 5000), "File name too long"),
        (("--store", "none.db", "--all"), "there are no runs in none.db"),
    ],
)
def test_bad_use(words: tuple[str, ...], said: str, home: Path, typed: Typed) -> None:
    (home / "folder").mkdir()
    (home / "link").symlink_to("two.jsonl")
    before = sorted(home.rglob("*"))
    done = typed("export", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
    assert sorted(home.rglob("*")) == before
    assert (home / "two.jsonl").read_bytes() == TWO


@pytest.mark.usefixtures("two")
def test_into_a_file(home: Path, typed: Typed) -> None:
    done = typed("export", "--all", "-o", "out.jsonl")
    assert done == Done(0, "", "hch: wrote 2 runs to out.jsonl\n")
    assert (home / "out.jsonl").read_bytes() == TWO
    typed("export", RUN, "--output", "out.jsonl", "--force")
    assert runs_in((home / "out.jsonl").read_text()) == [RUN]
    assert not [path for path in home.iterdir() if path.name.startswith(".out")]


@pytest.mark.leaves_open
@pytest.mark.usefixtures("two")
def test_a_file_is_there_whole_or_not_at_all(home: Path, typed: Typed) -> None:
    """Of a store that lacks the last event, all others are read before that is seen."""
    (home / "out.jsonl").write_text("before")
    with closing(sqlite3.connect(home / KEPT)) as db, db:
        db.execute("DELETE FROM event_log WHERE type = 'RunFinished'")
    before = sorted(home.rglob("*"))
    done = typed("export", "-o", "out.jsonl", "--force")
    assert (done.code, done.out) == (5, "")
    assert "lacks events of run" in done.err
    assert sorted(home.rglob("*")) == before
    assert (home / "out.jsonl").read_text() == "before"


@pytest.mark.usefixtures("two")
def test_canonical_is_what_two_equal_runs_share(home: Path, typed: Typed) -> None:
    canonical = typed("export", RUN, "--format", "canonical").out
    with SqliteStore(home / KEPT) as store:
        assert canonical.encode() == Trace(store.events(RUN)).canonical()
    assert typed("export", OTHER, "--format", "canonical").out != canonical
    for store_ in ("a.db", "b.db"):
        typed("ask", "What is (2 + 3) * 4?", "-s", "script", "-q", "--store", store_)
        typed("export", "--format", "canonical", "-o", f"{store_}.txt", "--store", store_)
    assert (home / "a.db.txt").read_bytes() == (home / "b.db.txt").read_bytes()


@pytest.mark.leaves_open
def test_a_run_that_goes_on_and_one_that_was_killed_come_out_as_they_stand(home: Path) -> None:
    model, env = gated(home)
    words = [*HCH, "ask", "Big?", "-d", "1", "-m", model, "-q"]
    asking = subprocess.Popen(words, env={**os.environ, **env}, stdout=subprocess.DEVNULL)
    try:
        with (home / "gate").open("w"):  # it opens when the run has come there
            live = hch("export", **env)
            assert live.code == 0
            asking.send_signal(signal.SIGKILL)
            asking.wait()
    finally:
        asking.kill()
        asking.wait()
    assert '"type":"RunFinished"' not in live.out
    killed = hch("export", **env).out.splitlines()
    assert killed[: live.out.count("\n") - 1] == live.out.splitlines()[:-1]
    assert hch("import", "-", "--store", "b.db", stdin=live.out.encode()).code == 0
    assert hch("export", "--store", "b.db") == live
    assert "unfinished" in hch("runs", "--store", "b.db").out


def test_whoever_reads_no_further_does_no_harm(home: Path, typed: Typed) -> None:
    events = whole()
    many = [events[0], *(event for _ in range(3000) for event in events[5:6]), *events[1:]]
    (home / "many.jsonl").write_bytes(exported(r260102_030405_6789ab=many))
    assert typed("import", "many.jsonl").code == 0
    command = ["sh", "-c", '"$@" | head -c 100', "sh", *HCH, "export"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (len(done.stdout), done.stderr) == (100, b"")


def test_nothing_in_an_export_steers_a_terminal(home: Path, typed: Typed) -> None:
    (home / "in.jsonl").write_bytes(exported(r260102_030405_6789ab=whole(f"{ESCAPES}\x7f\x9b")))
    assert typed("import", "in.jsonl").code == 0
    for form in ("events", "canonical"):
        out = typed("export", "--format", form).out
        assert out.isascii()
        assert out.replace("\n", "").isprintable()


def test_a_key_of_this_environment_does_not_go_out(
    home: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "sk-canary-0123456789"
    (home / "in.jsonl").write_bytes(exported(r260102_030405_6789ab=whole(f"Is it {key}?")))
    assert typed("import", "in.jsonl").code == 0
    monkeypatch.setenv("OPENAI_API_KEY", key)
    for form in ("events", "canonical"):
        done = typed("export", "--format", form, "-o", "out")
        assert done.code == 2
        assert "has a key of this environment in it" in done.err
        assert key not in done.out + done.err
        assert not (home / "out").exists()
