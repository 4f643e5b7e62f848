"""Runs that a stored table answers: kept, gone on with, moved and played again by commands."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hch.stores.sqlite import SqliteStore
from hch.tables import Table
from tests.commands.terminal import Done, hch

Typed = Callable[..., Done]

KILLED = -9
FIVE = Table([(None, "What is 2+3?", "5")])
SPEC = f"table:gen/1,sha={FIVE.digest[:12]}"


@pytest.fixture
def path(home: Path) -> Path:
    keep(home / "runs.db", FIVE)
    return home / "runs.db"


def keep(path: Path, table: Table | str | None) -> None:
    with SqliteStore(path) as store:
        store.shelve({"table/gen/1": table.text if isinstance(table, Table) else table})


WAYS = [
    ["-m", "table:gen/1", "-s", "direct"],
    ["-m", SPEC, "-s", "direct"],
    ["-s", "direct@table:gen/1"],
    ["--at", "0=direct@table:gen/1"],
]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_by_a_table_is_shown_exported_imported_and_replayed(
    typed: Typed, path: Path, way: list[str]
) -> None:
    kept = ["--store", str(path)]
    done = typed("ask", "What is 2+3?", *way, "--depth", "0", "--json", *kept)
    assert done.code == 0, done.err
    said = json.loads(done.out)
    assert said["answer"] == "5"
    assert f"direct@{SPEC}" in typed("runs", "--json", *kept).out
    assert typed("replay", *kept).out == "5\n"
    assert typed("resume", said["run"], *kept).out == "5\n"
    Path("run.jsonl").write_text(typed("export", said["run"], *kept).out, "utf-8")
    assert typed("import", "run.jsonl", "--store", "other.db").code == 0
    assert typed("replay", "--store", "other.db").out == "5\n"
    keep(path, None)
    assert typed("replay", *kept).out == "5\n"
    assert typed("resume", said["run"], *kept).out == "5\n"


@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_gone_on_with_only_by_the_table_that_it_was_started_with(
    typed: Typed, path: Path, way: list[str]
) -> None:
    kept = ["--store", str(path)]
    words = ["ask", "What is 2+3?", *way, "--depth", "0", *kept]
    assert hch(*words, HCH_FAIL="before-CallFinished:1").code == KILLED
    keep(path, Table([(None, "What is 2+3?", "6")]))
    done = typed("resume", *kept)
    assert (done.code, done.out) == (2, "")
    assert f"{SPEC}, and are" in done.err or "its sha is" in done.err
    assert "nothing was sent" in done.err
    done = typed("resume", "--force", *kept)
    assert (done.code, done.out) == (6, "")
    assert "the table 'gen/1' is not the one that is meant: its sha is" in done.err
    keep(path, None)
    assert "there is no table 'gen/1'" in typed("resume", "--force", *kept).err
    keep(path, FIVE)
    done = typed("resume", *kept)
    assert (done.code, done.out) == (0, "5\n")


def test_a_table_that_is_damaged_in_the_store_is_told_as_such(typed: Typed, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE shelf SET body = x'00'")
    done = typed("ask", "What is 2+3?", *WAYS[0], "--depth", "0", "--store", str(path))
    assert (done.code, done.out) == (5, "")
    assert "table/gen/1 on the shelf is not what it was" in done.err


def test_tables_are_offered_and_looked_at(
    typed: Typed, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCH_STORE", str(path))
    assert typed("--complete", "bash", "hch ask -m table:").out == "table:gen/1\n"
    assert typed("--complete", "zsh", "ask", "-m", "table:g").out == "table:gen/1\n"
    assert typed("--complete", "zsh", "ask", "-s", "direct@table:").out == "direct@table:gen/1\n"
    assert "Answers from a table" in typed("plugins", "models").out
    Path("hch.toml").write_text('[models]\nours = "table:gen/1"\nlost = "table:lost"\n', "utf-8")
    assert typed("config", "check").code == 0
    done = typed("doctor", "--call")
    assert f"{SPEC}, " in done.out
    assert "there is no table 'lost' in the store" in done.out
    assert typed("ask", "What is 2+3?", "-m", "ours", "-s", "direct", "--depth", "0").out == "5\n"
