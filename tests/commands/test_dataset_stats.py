"""`hch dataset stats`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hch.datasets.shards import Container
from tests.commands.terminal import Done
from tests.datasets.made import Made, chat, make, origin
from tests.payloads import PAYLOADS, raw_controls

Typed = Callable[..., Done]


def rows(n: int = 40) -> list[Made]:
    return [
        Made(
            "answer" if i % 4 else "step", "train" if i % 5 else "test",
            chat("x" * i, "y" * (2 * i)),
            origin(node=f"0.{i}", level=i % 3, task="path" if i % 2 else None, cost=i * 1000,
                   tokens=i * 7, size=i),
        )
        for i in range(n)
    ]  # fmt: skip


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
def test_everything_is_counted(container: Container, typed: Typed, home: Path) -> None:
    make(home / "d", rows(), container, size=7)
    done = typed("dataset", "stats", "d", "--json", "--top", "2")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["rows"] == {"answer": {"train": 24, "test": 6}, "step": {"train": 8, "test": 2}}
    assert found["levels"]["answer"] == {"0": 10, "1": 10, "2": 10}
    assert found["tasks"] == {"answer": {"": 10, "path": 20}, "step": {"": 10}}
    lengths = found["characters"]["step"]
    assert lengths["prompt"] == {
        "n": 10, "mean": 18.0, "least": 0, "5%": 0, "25%": 8, "median": 16, "75%": 28, "95%": 36,
        "most": 36,
    }  # fmt: skip
    assert lengths["completion"]["most"] == 72
    assert found["tokens"]["answer"]["most"] == 39
    assert [(row["node"], row["microusd"], row["tokens"]) for row in found["costly"]] == [
        ("0.39", 39_000, 273), ("0.38", 38_000, 266),
    ]  # fmt: skip
    assert found["costly"][0]["place"].startswith("answer/train/0000")
    assert found["filters"] == [
        {"name": "not clean", "taken": 3, "what": "nodes with a failure below"}
    ]


def test_the_page_has_the_same(typed: Typed, home: Path) -> None:
    make(home / "d", rows())
    done = typed("dataset", "stats", "d")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        """\
d  40 rows, 1 run

Rows
kind    split  rows
answer  train    24
answer  test      6
step    train     8
step    test      2

By level
kind    level  rows
answer  0        10
answer  1        10
answer  2        10
step    0         4
step    1         3
step    2         3

By task
kind    task  rows
answer  none    10
answer  path    20
step    none    10

Characters
kind    column      least  5%  25%  median  75%  95%  most  mean
answer  prompt          1   2   10      19   30   38    39  20.0
answer  completion      2   4   20      38   60   76    78  40.0
step    prompt          0   0    8      16   28   36    36  18.0
step    completion      0   0   16      32   56   72    72  36.0

Tokens
kind    least  5%  25%  median  75%  95%  most  mean
answer      1   2   10      19   30   38    39  20.0
step        0   0    8      16   28   36    36  18.0

Taken by filters, in this order
filter     taken  what
not clean      3  nodes with a failure below

The most costly rows
run and node  row                          tokens    cost
r1 0.39       answer/train/00000.jsonl:24     273  $0.039
r1 0.38       answer/train/00000.jsonl:23     266  $0.038
r1 0.37       answer/train/00000.jsonl:22     259  $0.037
r1 0.36       step/train/00000.jsonl:8        252  $0.036
r1 0.35       answer/test/00000.jsonl:6       245  $0.035
r1 0.34       answer/train/00000.jsonl:21     238  $0.034
r1 0.33       answer/train/00000.jsonl:20     231  $0.033
r1 0.32       step/train/00000.jsonl:7        224  $0.032
r1 0.31       answer/train/00000.jsonl:19     217  $0.031
r1 0.30       answer/test/00000.jsonl:5       210   $0.03
"""
    )


def test_a_csv_has_a_line_for_each_row_and_no_formula(typed: Typed, home: Path) -> None:
    odd = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx", "plain", "-7", 'a"b,c\nd', "\ud800"]
    made = [Made("answer", "train", chat("Q", "A"), origin(player=text, task=text)) for text in odd]
    make(home / "d", made)
    assert typed("dataset", "stats", "d", "--csv", "rows.csv").code == 0
    with Path("rows.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    expected = ["'=1+1", "'+1+1", "'-1+1", "'@SUM(A1)", "'\tx", "'\rx", "plain", "-7",
                'a"b,c\nd', "\ufffd"]  # fmt: skip
    assert [row["player"] for row in found] == expected
    assert [row["task"] for row in found] == expected
    assert found[0]["line"] == "1"
    assert found[0]["characters"] == "2"


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_plot_is_the_same_each_time(ending: str, typed: Typed, home: Path) -> None:
    make(home / "d", rows())
    for name in ("a", "b"):
        assert typed("dataset", "stats", "d", "--plot", f"{name}{ending}").code == 0
    assert Path(f"a{ending}").read_bytes() == Path(f"b{ending}").read_bytes()


def test_nothing_of_a_hostile_dataset_steers_the_terminal(typed: Typed, home: Path) -> None:
    made = [
        Made("answer", "train", {"prompt": payload.text, "completion": ""},
             origin(run=payload.text, node=payload.text, task=payload.text, cost=1 + n))
        for n, payload in enumerate(PAYLOADS)
    ]  # fmt: skip
    make(home / "d", made, columns={"prompt": "text", "completion": "text"})
    done = typed("dataset", "stats", "d", "--top", "1000", "--plot", "x.svg")
    assert done.code == 0
    assert raw_controls(done.out.encode()) == []
    assert done.out.count("answer/train/00000.jsonl:") == len(PAYLOADS)


@pytest.mark.parametrize("value", [None, 7, [], {}, -1, 1e400, True, "x", [["x"]], 1 << 70])
def test_origins_that_are_odd_are_counted_all_the_same(
    value: Any, typed: Typed, home: Path
) -> None:
    named = ("run", "root", "node", "level", "task", "player", "cost", "tokens", "size", "model")
    odd = dict.fromkeys(named, value)
    make(home / "d", [Made("answer", "train", chat("Q", "A"), odd)])
    done = typed("dataset", "stats", "d", "--csv", "x.csv", "--plot", "x.png")
    assert (done.code, done.err) == (0, "")
    assert "answer  train     1" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "there is no folder nothing"),
        (("d", "--csv", "no/x.csv"), "--csv no/x.csv: there is no folder no"),
        (("d", "--csv", ""), "--csv is empty"),
        (("d", "--csv", "d/answer/train/00000.jsonl"), "is within the dataset"),
        (("d", "--plot", "d/x.png"), "is within the dataset"),
        (("d", "--plot", "x.txt"), "name a file that ends in .png, .svg, .pdf"),
        (("d", "--csv", "x.png", "--plot", "x.png"), "would be written over what --csv writes"),
        (("d", "--csv", "/dev/full"), "--csv /dev/full cannot be written: No space left"),
        (("cut",), "cut/answer/train/00000.jsonl has other rows than its manifest"),
        (("wild",), "wild/answer/train/00000.jsonl, line 1: it is not JSON"),
    ],
)
def test_wrong_use_is_a_line(words: tuple[str, ...], said: str, typed: Typed, home: Path) -> None:
    for name in ("d", "cut", "wild"):
        make(home / name, rows())
    path = Path("cut/answer/train/00000.jsonl")
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    Path("wild/answer/train/00000.jsonl").write_bytes(b"[" * 100_000 + b"\n")
    done = typed("dataset", "stats", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err
