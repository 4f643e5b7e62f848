"""The card: `datasets.load_dataset` reads a folder by it, whatever is in there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from datasets import DatasetDict, load_dataset
from datasets.utils import disable_progress_bars
from yaml import safe_load

from hch.datasets.card import Card
from hch.datasets.shards import Container
from tests.datasets.made import COLUMNS, EVERY, Made, chat, every, make, numbered, origin

both = pytest.mark.parametrize("container", ["jsonl", "parquet"])


def loaded(folder: Path, *kind: str) -> DatasetDict:
    disable_progress_bars()
    return load_dataset(str(folder), *kind, cache_dir=str(folder.parent / "cache"))


@both
def test_several_kinds_and_splits_load(container: Container, home: Path) -> None:
    make(home / "d", numbered(100), container, size=9)
    found = loaded(home / "d")
    assert {split: len(rows) for split, rows in found.items()} == {"train": 53, "test": 13}
    assert list(found) == ["train", "test"]
    answers = [row.row for row in numbered(100) if (row.kind, row.split) == ("answer", "train")]
    assert list(found["train"]) == answers
    found = loaded(home / "d", "decision")
    assert {split: len(rows) for split, rows in found.items()} == {"train": 27, "test": 7}


@both
def test_a_column_is_of_its_type_though_nothing_is_in_it(container: Container, home: Path) -> None:
    """Of the first shard, that is; and so it is in a split with nothing else."""
    nothing = [Made("answer", "train", every(0), origin()) for _ in range(4)]
    nothing += [Made("answer", "test", every(0), origin())]
    make(home / "d", [*nothing, Made("answer", "train", every(1), origin())], container, EVERY,
         size=2)  # fmt: skip
    found = loaded(home / "d")
    assert found["train"].features == found["test"].features
    assert [without_nulls(row) for row in found["train"]] == [
        *[without_nulls(every(0))] * 4, without_nulls(every(1)),
    ]  # fmt: skip


def without_nulls(value: Any) -> Any:
    """A dict of nothing but nulls as none at all: Arrow's JSON cannot tell them apart."""
    if isinstance(value, dict):
        kept = {name: without_nulls(of) for name, of in value.items()}
        return {name: of for name, of in kept.items() if of is not None} or None
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@both
def test_a_split_without_rows_is_left_out(container: Container, home: Path) -> None:
    make(home / "d", [Made("soft", "train", chat("Why?", "So."), origin())], container)
    text = (home / "d/README.md").read_text()
    card = Card("x", container, COLUMNS, {"soft": {"train": 1, "test": 0}, "step": {"train": 0}},
                1, "hch dataset build r1")  # fmt: skip
    assert card.text().split("\n---\n")[0] == text.split("\n---\n")[0]
    assert "| soft | test | 0 |" in card.text()
    (home / "d/README.md").write_text(card.text())
    assert list(loaded(home / "d")) == ["train"]


def test_a_dataset_without_rows_has_a_card(home: Path) -> None:
    text = Card("x", "jsonl", COLUMNS, {}, 0, "hch dataset build r1").text()
    assert safe_load(text.split("---\n")[1]) == {"tags": ["hch"]}


def test_the_subset_that_is_first_is_the_default() -> None:
    counts = {"step": {"train": 1}, "answer": {"train": 2, "test": 1}}
    head = safe_load(Card("x", "jsonl", COLUMNS, counts, 2, "x").text().split("---\n")[1])
    assert [(of["config_name"], of.get("default")) for of in head["configs"]] == [
        ("step", True), ("answer", None),
    ]  # fmt: skip
    assert head["configs"][1]["data_files"] == [
        {"split": "train", "path": "answer/train/*.jsonl"},
        {"split": "test", "path": "answer/test/*.jsonl"},
    ]


@pytest.mark.parametrize(
    "command",
    [
        "hch dataset build --where 'task=```'\n---\nconfigs: []\n---\n",
        "`" * 50 + " <script>alert(1)</script>",
        "# not a title\n| not | a table |",
        "\x1b[2J\u202e\0\ud800",
    ],
)
def test_nothing_in_a_command_is_a_part_of_the_page(command: str) -> None:
    text = Card("x", "jsonl", COLUMNS, {"answer": {"train": 1}}, 1, command).text()
    plain = Card("x", "jsonl", COLUMNS, {"answer": {"train": 1}}, 1, "").text()
    assert text.encode("utf-8").decode() == text
    assert all(c.isprintable() or c == "\n" for c in text)
    before, _, after = text.partition("## Made by\n\n")
    assert before == plain.partition("## Made by\n\n")[0]
    fence, said, close, *rest = after.split("\n")
    assert set(fence) == {"`"}
    assert fence == close
    assert fence not in said
    assert rest[1].startswith("`hch dataset verify`")


def test_origins_are_plain_lines_beside_the_rows(home: Path) -> None:
    make(home / "d", numbered(30))
    rows = loaded(home / "d")["train"]
    found = load_dataset("json", data_files=str(home / "d/origins/answer/train/*.jsonl"),
                         cache_dir=str(home / "cache"))["train"]  # fmt: skip
    assert [row["prompt"][0]["content"] for row in rows] == [
        f"Question {row['node']}?" for row in found
    ]
