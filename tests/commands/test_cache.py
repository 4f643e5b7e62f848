"""`hch cache`, its `stats` and `clear`, and `hch ask --cache`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import time
from typing import Any

import pytest
from rich.cells import cell_len

from hch.cache import Cache, shares
from hch.types import Completion
from tests.commands.terminal import Done, Screen, hch
from tests.loopback import Loopback, Reply, chat
from tests.payloads import PAYLOADS, raw_controls

Typed = Callable[..., Done]

SMALL, LARGE = "openai:small", "openai:large,temperature=0"


@pytest.fixture
def path(home: Path) -> Path:
    return home / ".cache" / "hch" / "replies.db"


def fill(path: Path, *models: str, days: float = 0, size: int = 1000) -> None:
    """A reply of each of these models, of so many bytes, that came so many days ago."""
    with closing(Cache(path, days=30, mb=100, clock=lambda: time() - days * 86_400)) as kept:
        for number, model in enumerate(models):
            kept.keep(f"{days} {number}", model, Completion("so", raw=b"r" * size))


def listed(typed: Typed) -> dict[str, int]:
    """How many replies each model has."""
    found = json.loads(typed("cache", "stats", "--json").out)
    return {row["model"]: row["replies"] for row in found["models"]}


# stats


@pytest.mark.parametrize("words", [("cache",), ("cache", "stats")])
def test_no_cache_says_so_and_makes_no_file(typed: Typed, path: Path, words: tuple[str]) -> None:
    done = typed(*words)
    assert (done.code, done.out) == (0, "")
    assert f"there are no replies in {path} yet: keep some with hch ask --cache" in done.err
    found = json.loads(typed(*words, "--json").out)
    assert (found["place"], found["replies"], found["bytes"]) == (str(path), 0, 0)
    assert not path.parent.exists()


def test_what_each_model_has_is_shown(typed: Typed, path: Path) -> None:
    fill(path, SMALL, days=2)
    fill(path, SMALL, LARGE, LARGE, LARGE)
    place, counted, limits, blank, head, *rows = typed("cache").out.splitlines()
    assert (place, blank) == (str(path), "")
    assert counted.startswith("5 replies, 5.")
    assert counted.endswith(" kB on disk)")
    assert limits == "limits: 1000 MB, 30 days"
    assert head.split() == ["replies", "size", "oldest", "newest", "model"]
    first, second = [row.split() for row in rows]
    assert (first[0], first[-1]) == ("3", LARGE)
    assert (second[0], second[-1]) == ("2", SMALL)
    assert first[-3] == first[-2] == second[-2] > second[-3]
    assert typed("cache", "stats").out == typed("cache").out


def test_json_has_every_figure(typed: Typed, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCH_CACHE_DAYS", "7")
    fill(path, SMALL, LARGE)
    found = json.loads(typed("cache", "--json").out)
    assert (found["replies"], found["cache_days"], found["cache_mb"]) == (2, 7, 1000)
    assert found["bytes"] == sum(row["bytes"] for row in found["models"])
    assert found["on_disk"] >= path.stat().st_size
    for row in found["models"]:
        assert time() - 60 < row["oldest"] <= row["newest"] <= time()


@pytest.mark.parametrize("columns", [24, 40, 60, 80, 250])
def test_a_list_fits_and_nothing_in_it_steers(path: Path, columns: int) -> None:
    fill(path, *(payload.text for payload in PAYLOADS))
    with Screen("cache", "stats", columns=columns) as screen:
        lines = screen.rest().replace("\r\n", "\n").partition("\n\n")[2].splitlines()
        assert screen.code == 0
        assert raw_controls(screen.seen) == []
    assert len(lines) == 1 + len(PAYLOADS)
    assert all(cell_len(line) <= columns for line in lines)


# clear


def test_clearing_gives_the_room_back(typed: Typed, path: Path) -> None:
    fill(path, *[SMALL] * 20, size=50_000)
    done = typed("cache", "clear", "--yes")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"hch: removed 20 replies: {path} took 1.0 MB, and takes ")
    assert path.stat().st_size < 100_000
    assert listed(typed) == {}
    again = typed("cache", "clear", "--yes")
    assert (again.code, again.err) == (0, f"hch: there is nothing to clear in {path}\n")


def test_some_can_be_cleared_by_model_and_age(typed: Typed, path: Path, home: Path) -> None:
    (home / "hch.toml").write_text(f'[models]\nlarge = "{LARGE}"\n')
    fill(path, SMALL, LARGE, days=9)
    fill(path, SMALL, LARGE, LARGE)
    assert typed("cache", "clear", "--model", "large", "--older-than", "7", "-y").code == 0
    assert listed(typed) == {LARGE: 2, SMALL: 2}
    assert typed("cache", "clear", "--older-than", "7", "-y").code == 0
    assert listed(typed) == {LARGE: 2, SMALL: 1}
    assert typed("cache", "clear", "-m", SMALL, "--older-than", "7", "-y").code == 0
    assert listed(typed) == {LARGE: 2, SMALL: 1}
    assert typed("cache", "clear", "-m", LARGE, "-y").code == 0
    assert listed(typed) == {SMALL: 1}


def test_a_model_that_has_nothing_there_is_told(typed: Typed, path: Path) -> None:
    fill(path, SMALL)
    done = typed("cache", "clear", "--model", "openai:smal", "--yes")
    assert done.code == 2
    assert f"no reply of 'openai:smal' is in {path}: did you mean 'openai:small'?" in done.err
    assert "hch cache stats lists those" in typed("cache", "clear", "-m", "zzz", "--yes").err
    assert typed("cache", "clear", "--model", "", "--yes").code == 2
    assert typed("cache", "clear", "--older-than", "-1", "--yes").code == 2
    assert listed(typed) == {SMALL: 1}


def test_nothing_is_cleared_unasked(typed: Typed, path: Path) -> None:
    fill(path, SMALL)
    done = typed("cache", "clear")
    assert done.code == 2
    assert "add --yes" in done.err
    assert listed(typed) == {SMALL: 1}


@pytest.mark.parametrize(("said", "code", "left"), [("n\n", 1, 1), ("\n", 1, 1), ("y\n", 0, 0)])
def test_a_person_is_asked(path: Path, said: str, code: int, left: int) -> None:
    fill(path, SMALL)
    with Screen("cache", "clear") as screen:
        screen.until("remove 1 reply (1.1 kB) for good? [y/N] ")
        screen.type(said)
        screen.rest()
        assert screen.code == code
    assert len(shares(path)) == left


def test_a_file_that_is_none_of_ours_goes_only_when_all_is_to_go(typed: Typed, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("This is a letter.\n" * 100)
    for words in (("stats",), ("clear", "-m", SMALL, "-y"), ("clear", "--older-than", "7", "-y")):
        done = typed("cache", *words)
        assert done.code == 5
        assert f"the cache of replies {path}: file is not a database: clear it by hch" in done.err
    assert typed("cache", "clear").code == 2
    assert path.exists()
    with Screen("cache", "clear", columns=400) as screen:
        screen.until(f"{path} is damaged (file is not a database): delete it for good? [y/N] ")
        screen.type("n\n")
        screen.rest()
        assert screen.code == 1
    assert path.exists()
    done = typed("cache", "clear", "--yes")
    assert (done.code, done.err) == (0, f"hch: deleted {path}\n")
    assert list(path.parent.iterdir()) == []


def test_a_folder_in_its_place_is_told_and_stays(typed: Typed, path: Path) -> None:
    path.mkdir(parents=True)
    done = typed("cache", "clear", "--yes")
    assert done.code == 5
    assert f"{path} is no regular file: move it away" in done.err
    assert path.is_dir()


# ask


def asked(server: Loopback, *more: str, **env: str) -> Any:
    model = f"vllm:small,base_url={server.url}"
    done = hch("ask", "What is 2 + 2?", "--depth", "1", "-m", model, "--json", *more, **env)
    assert done.code == 0, done.err
    return json.loads(done.out)


PLAN = {"questions": [{"question": f"What is {n} + {n}?", "texts": []} for n in (1, 3)]}


def said(body: Any) -> Reply:
    typed = "response_format" in body or "structured_outputs" in body
    return Reply(chat(json.dumps(PLAN) if typed else "four"))


def test_what_one_run_was_replied_answers_another(typed: Typed) -> None:
    with Loopback(said) as server:
        first = asked(server, "--cache")
        sent = len(server.requests)
        assert sent == first["bill"]["calls"] == 4
        second = asked(server, HCH_CACHE="true")
        assert len(server.requests) == sent
        assert second["bill"] == {"calls": 0, "tokens": 0, "microusd": 0, "nodes": 0}
        same = ("answer", "status", "clean", "nodes", "usage", "spent")
        assert [second[key] for key in same] == [first[key] for key in same]
        asked(server, "--no-cache", HCH_CACHE="true")
        assert len(server.requests) == 2 * sent
        asked(server)
        assert len(server.requests) == 3 * sent
    assert sum(listed(typed).values()) == sent


def test_a_cache_gone_bad_stops_ask_unless_it_goes_without(typed: Typed, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("This is a letter.\n" * 100)
    with Loopback(said) as server:
        model = f"vllm:small,base_url={server.url}"
        done = typed("ask", "What is 2 + 2?", "--depth", "0", "-m", model, "--cache")
        assert (done.code, done.out, server.requests) == (5, "", [])
        assert "clear it by hch cache clear, or go without it: --no-cache" in done.err
        assert typed("ask", "What is 2 + 2?", "--depth", "0", "-m", model).code == 0
        assert typed("cache", "clear", "--yes").code == 0
        assert typed("ask", "What is 2 + 2?", "--depth", "0", "-m", model, "--cache").code == 0
    assert sum(listed(typed).values()) == 1
