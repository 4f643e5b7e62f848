"""`hch dataset verify`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hch.compose import HCH
from tests.commands.terminal import Done
from tests.datasets.made import Made, chat, entry, make, origin
from tests.stores.samples import label

Typed = Callable[..., Done]


@pytest.fixture
def runs(typed: Typed, home: Path) -> list[str]:
    """The dataset `d`, of a row of each of two runs that are in the store."""
    for n in (1, 2):
        typed("ask", f"What is {n} + 1?")
    found = [row["run"] for row in json.loads(typed("runs", "--json").out)]
    store = HCH().kept_in
    rows = [Made("answer", "train", chat("Q", "A"), origin(run)) for run in found]
    make(home / "d", rows, runs=[entry(run, store) for run in found])
    store.close()
    return found


def test_all_is_well(typed: Typed, runs: list[str]) -> None:
    done = typed("dataset", "verify", "d")
    said = "hch: nothing differs in d: 3 files, 2 rows, 2 runs compared\n"
    assert done == Done(0, "", said)
    done = typed("dataset", "verify", "d", "--json")
    well = {"well": True, "files": 3, "rows": 2, "runs": 2, "missing": [], "faults": []}
    assert (done.code, json.loads(done.out), done.err) == (0, well, "")


def test_each_difference_is_a_line(typed: Typed, runs: list[str]) -> None:
    Path("d/more").write_text("")
    Path("d/README.md").write_text("Something else.")
    done = typed("dataset", "verify", "d")
    assert (done.code, done.err) == (1, "")
    first, second = done.out.splitlines()
    assert first == "file more: the manifest does not name it"
    assert second.startswith("file README.md: it has 15 bytes, not ")
    done = typed("dataset", "verify", "d", "--json")
    assert (done.code, [fault["name"] for fault in json.loads(done.out)["faults"]]) == (
        1, ["more", "README.md"],
    )  # fmt: skip


def test_a_run_that_was_labelled_since_differs(typed: Typed, runs: list[str]) -> None:
    store = HCH().kept_in
    store.label(runs[0], [label("k", said="bad")])
    store.close()
    done = typed("dataset", "verify", "d")
    assert done == Done(1, f"run {runs[0]}: its labels are other than they were\n", "")
    assert typed("dataset", "verify", "d", "--files").code == 0


def test_a_run_that_the_store_lacks_is_no_damage(typed: Typed, runs: list[str]) -> None:
    typed("runs", "rm", runs[0], "--yes")
    done = typed("dataset", "verify", "d")
    assert (done.code, done.out) == (0, "")
    assert f"so not compared: {runs[0]}\n" in done.err
    assert "1 run compared" in done.err
    done = typed("dataset", "verify", "d", "--store", "other.db")
    assert done.code == 0
    assert runs[0] in done.err
    assert runs[1] in done.err
    assert not Path("other.db").exists()
    done = typed("dataset", "verify", "d", "--json")
    assert json.loads(done.out)["missing"] == [runs[0]]


def test_a_run_that_was_brought_elsewhere_is_the_same(typed: Typed, runs: list[str]) -> None:
    assert typed("export", "--all", "-o", "runs.jsonl").code == 0
    assert typed("import", "runs.jsonl", "--store", "other.db").code == 0
    done = typed("dataset", "verify", "d", "--store", "other.db")
    assert (done.code, done.out) == (0, "")
    assert "2 runs compared" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "there is no folder nothing"),
        (("",), "DIR is empty"),
        (("a\0b",), "there is no folder"),
        (("empty",), "empty is no dataset of hch: it has no hch-manifest.json"),
        (("file",), "there is no folder file"),
        (("d", "--files", "--store", "x.db"), "--files compares nothing with a store"),
    ],
)
def test_wrong_use_is_a_line(
    words: tuple[str, ...], said: str, typed: Typed, runs: list[str]
) -> None:
    Path("empty").mkdir()
    Path("file").write_text("")
    done = typed("dataset", "verify", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


def test_alone_it_says_what_there_is(typed: Typed) -> None:
    done = typed("dataset")
    assert (done.code, done.out) == (0, typed("dataset", "--help").out)
    for name in ("build", "verify", "stats", "look"):
        assert f"\n  {name} " in done.out
