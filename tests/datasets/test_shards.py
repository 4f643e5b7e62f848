"""Rows into shards and back: the same rows, the same bytes, whatever they say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from hch.datasets import parquet
from hch.datasets.dataset import Dataset
from hch.datasets.manifest import counted
from hch.datasets.shards import Container, Shards, without_surrogates, write_lines
from hch.errors import UsageError
from tests.datasets.made import EVERY, Made, every, make, manifest, numbered, origin, tree, write

CONTAINERS: list[Container] = ["jsonl", "parquet"]
both = pytest.mark.parametrize("container", CONTAINERS)


def rows_of(folder: Path, size: int = 50_000) -> list[dict[str, Any]]:
    dataset = Dataset(folder)
    return [dict(page.row) for page in dataset.pages(dataset.shards())]


def alike(n: int) -> Iterator[Made]:
    for i in range(n):
        yield Made("answer", "train", every(i), origin(node=str(i)))


@both
def test_every_type_of_column_comes_back(container: Container, home: Path) -> None:
    make(home / "d", alike(30), container, EVERY, size=7)
    expected = [every(i) for i in range(30)]
    assert rows_of(home / "d") == expected


@both
def test_equal_rows_give_equal_bytes(container: Container, home: Path) -> None:
    first = write(home / "a", alike(200), container, EVERY, size=60)
    second = write(home / "b", alike(200), container, EVERY, size=60)
    assert tree(home / "a") == tree(home / "b")
    assert first == second
    for entry in first:
        data = (home / "a" / entry.path).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), sha256(data).hexdigest())


@both
def test_a_shard_has_so_many_rows_and_origins_line_up(container: Container, home: Path) -> None:
    files = write(home / "a", numbered(100), container, size=11)
    by_path = {entry.path: entry.rows for entry in files}
    assert by_path[f"answer/train/00000.{container}"] == 11
    assert max(by_path.values()) == 11
    assert counted(files) == {
        "answer": {"train": 53, "test": 13}, "decision": {"train": 27, "test": 7},
    }  # fmt: skip
    made = make(home / "e", numbered(100), container, size=11)
    dataset = Dataset(home / "e")
    seen = 0
    for page in dataset.pages(dataset.shards()):
        number = page.origin["node"]
        assert page.row["prompt"][0]["content"] == f"Question {number}?"
        seen += 1
    assert seen == 100
    assert {entry.path for entry in made.files} == {*by_path, "README.md"}


def test_lines_are_ascii_and_end(home: Path) -> None:
    write(home / "a", alike(5), "jsonl", EVERY)
    for data in tree(home / "a").values():
        assert data.isascii()
        assert data.endswith(b"\n")
        assert data.count(b"\n") == 5
        assert b"\0" not in data
        assert b"\r" not in data


@both
def test_what_utf8_has_no_bytes_for_is_replaced(container: Container, home: Path) -> None:
    """Lone surrogates, however they are written; a pair is a character."""
    with Shards(home, {"said": "text"}, container) as shards:
        for line in (
            '{"said":"a\\ud800b"}', '{"said":"\\uDfff"}', '{"said":"\\ud83d\\ude00"}',
            '{"said":"\\\\ud800"}', '{"said":"\udc80 raw"}', '{\n"said": "two lines"\n}',
        ):  # fmt: skip
            shards.write("answer", "train", line, line)
        files = shards.close()
    manifest(files).write(home)
    said = [row["said"] for row in rows_of(home)]
    assert said == ["a\ufffdb", "\ufffd", "😀", "\\ud800", "\ufffd raw", "two lines"]
    origins = (home / "origins/answer/train/00000.jsonl").read_bytes()
    assert origins.count(b"\n") == 6
    assert [json.loads(line)["said"] for line in origins.splitlines()] == said


def test_a_text_without_lone_surrogates_stays_as_it_is() -> None:
    for text in ("", "plain", "é 😀 \ufffd \0"):
        assert without_surrogates(text) == text
    assert without_surrogates("a\ud800b\udfff") == "a\ufffdb\ufffd"


@both
def test_a_row_of_20_megabytes(container: Container, home: Path) -> None:
    long = "\0é\u2028" * 7_000_000
    made = [Made("answer", "train", {"said": text}, origin()) for text in ("a", long, "b")]
    make(home / "d", made, container, {"said": "text"})
    assert [row["said"] for row in rows_of(home / "d")] == ["a", long, "b"]
    dataset = Dataset(home / "d")
    assert dataset.page(dataset.shards(), 1).row["said"] == long


def test_shards_of_parquet_have_one_schema_and_bounded_groups(home: Path) -> None:
    text = "x" * 1000
    made = [Made("answer", "train", {"said": text if i < 9000 else None}, {}) for i in range(9500)]
    files = write(home / "a", made, "parquet", {"said": "text"}, size=8000)
    shards = [home / "a" / entry.path for entry in files if entry.path.endswith(".parquet")]
    schemas = [pq.read_schema(path) for path in shards]
    assert len(schemas) == 2
    assert schemas[0].equals(schemas[1], check_metadata=True)
    assert schemas[0].metadata is None
    about = pq.read_metadata(shards[0])
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    assert sum(group.num_rows for group in groups) == 8000
    assert len(groups) > 1
    assert max(group.total_byte_size for group in groups) <= parquet.GROUP
    assert {group.column(0).compression for group in groups} == {"ZSTD"}


@both
def test_an_extension_has_the_earlier_shards_as_they_were(container: Container, home: Path) -> None:
    first = make(home / "a", numbered(100), container, size=11)
    (home / "b").mkdir()
    with Shards(home / "b", {"prompt": "text", "completion": "text"}, container, 11) as shards:
        shards.carry(home / "a", first.files)
        shards.write("answer", "train", '{"prompt":"p","completion":"c"}', "{}")
        shards.write("step", "train", '{"prompt":"p","completion":"c"}', "{}")
        files = shards.close()
    before, after = tree(home / "a"), tree(home / "b")
    kept = {path: data for path, data in before.items() if "/" in path}
    assert {path: after[path] for path in kept} == kept
    new = sorted(set(after) - set(kept))
    assert new == [
        f"answer/train/00005.{container}", "origins/answer/train/00005.jsonl",
        "origins/step/train/00000.jsonl", f"step/train/00000.{container}",
    ]  # fmt: skip
    assert {entry.path for entry in files} == set(after)
    assert counted(files)["answer"]["train"] == 54


def test_what_is_extended_must_be_as_its_manifest_says(home: Path) -> None:
    first = make(home / "a", numbered(20))
    path = home / "a/answer/train/00000.jsonl"
    path.write_bytes(path.read_bytes().replace(b"Question 1?", b"Question 2?"))
    (home / "b").mkdir()
    with Shards(home / "b", {}, "jsonl") as shards, pytest.raises(UsageError, match="verify says"):
        shards.carry(home / "a", first.files)


@pytest.mark.parametrize("split", ["../x", "a/b", "", "Train", "a b", "a\0", "é", "x" * 60, "."])
def test_no_split_leads_out_of_the_folder(split: str, home: Path) -> None:
    with Shards(home / "d", {}, "jsonl") as shards, pytest.raises(UsageError, match="is no split"):
        shards.write("answer", split, "{}", "{}")
    assert not (home / "d").exists()


def test_an_unknown_kind_is_refused(home: Path) -> None:
    with Shards(home, {}, "jsonl") as shards, pytest.raises(UsageError, match="is no kind of row"):
        shards.write("../answer", "train", "{}", "{}")


@both
def test_what_is_not_closed_holds_no_file(container: Container, home: Path) -> None:
    with Shards(home, EVERY, container) as shards:
        shards.write("answer", "train", json.dumps(every(1)), "{}")
    assert not [path for path in Path("/proc/self/fd").iterdir() if _points_into(path, home)]


def _points_into(path: Path, home: Path) -> bool:
    try:
        return str(path.readlink()).startswith(str(home))
    except OSError:
        return False


def test_a_list_of_lines(home: Path) -> None:
    entry = write_lines(home, "roots.jsonl", (json.dumps({"n": n}) for n in range(3)))
    assert entry.rows == 3
    assert (home / "roots.jsonl").read_bytes() == b'{"n": 0}\n{"n": 1}\n{"n": 2}\n'
    with pytest.raises(FileExistsError):
        write_lines(home, "roots.jsonl", [])
