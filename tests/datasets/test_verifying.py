"""Whatever is changed in a dataset, or in the runs that it is from, is told."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from hch.datasets.dataset import Dataset
from hch.datasets.manifest import NAME, Manifest
from hch.datasets.shards import Container
from hch.datasets.verifying import faults, unlike
from hch.errors import StoreError, UsageError
from hch.labels import Label
from hch.stores.sqlite import SqliteStore
from tests.datasets.made import Made, chat, entry, make, numbered, origin
from tests.stores.samples import label, story

ROWS = "answer/train/00000.jsonl"
ORIGINS = f"origins/{ROWS}"


def told(folder: Path) -> list[str]:
    return [fault.line() for fault in faults(Dataset(folder))]


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
def test_nothing_differs_in_what_was_just_made(container: Container, home: Path) -> None:
    make(home / "d", numbered(60), container, size=11)
    assert told(home / "d") == []


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def outside(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("other"))
    path.parent.symlink_to("other")


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a bit": (flip, f"file {ROWS}: its bytes are other ones"),
    "a byte less": (cut, f"file {ROWS}: it has 2,687 bytes, not 2,688"),
    "gone": (Path.unlink, "No such file or directory"),
    "a link": (link, f"file {ROWS}: it is a link"),
    "a link out of the folder": (outside, f"file {ROWS}: it is a link"),
    "a pipe": (pipe, "it is no regular file"),
    "a folder that is a link": (linked_folder, "file answer/train: it is a link"),
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_was_changed(how: str, home: Path) -> None:
    make(home / "d", numbered(50))
    change, said = CHANGES[how]
    size = (home / "d" / ROWS).stat().st_size
    change(home / "d" / ROWS)
    found = "\n".join(told(home / "d"))
    assert said.replace("2,688", f"{size:,}").replace("2,687", f"{size - 1:,}") in found


@pytest.mark.parametrize(
    "path", ["x", "answer/train/00001.jsonl", "origins/answer/train/00009.jsonl", ".hidden", "a/b"]
)
def test_a_file_more(path: str, home: Path) -> None:
    make(home / "d", numbered(50))
    (home / "d" / path).parent.mkdir(exist_ok=True)
    (home / "d" / path).write_text("{}\n")
    assert told(home / "d") == [f"file {path}: the manifest does not name it"]


def rewritten(folder: Path, path: str, data: bytes) -> None:
    """Change a file, and its hash in the manifest with it."""
    (folder / path).write_bytes(data)
    manifest = json.loads((folder / NAME).read_bytes())
    rows = {file["path"]: file["rows"] for file in manifest["files"]}
    new = json.loads(
        type(Manifest.read(folder).files[0]).of(folder, path, rows[path]).model_dump_json()
    )
    manifest["files"] = [new if file["path"] == path else file for file in manifest["files"]]
    (folder / NAME).write_text(json.dumps(manifest))


def test_what_a_manifest_cannot_hide(home: Path) -> None:
    """A change that goes with its hash is told by what else must fit."""
    make(home / "d", numbered(50))
    before = (home / "d" / ORIGINS).read_bytes()
    rewritten(home / "d", ORIGINS, before.replace(b'"run":"r1"', b'"run":"r2"').replace(
        b'"run": "r1"', b'"run": "r2"'))  # fmt: skip
    found = told(home / "d")
    assert len(found) == 6
    first = f"file {ORIGINS}: line 1 is of run r2, which the manifest does not name"
    assert found[0] == first
    assert found[-1].endswith("more lines")
    rewritten(home / "d", ORIGINS, before + before[: before.index(b"\n") + 1])
    assert any("rows, not" in line for line in told(home / "d"))
    rewritten(home / "d", ORIGINS, b"\x00\n" * before.count(b"\n"))
    assert any("it is not JSON" in line for line in told(home / "d"))
    rewritten(home / "d", ORIGINS, before)
    assert told(home / "d") == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("counts", {"answer": {"train": 1}}, "its counts are not those of its files"),
        ("store", "0" * 64, "its hash of the store is not that of its runs"),
    ],
)
def test_what_the_manifest_says_of_itself(
    name: str, value: object, said: str, home: Path
) -> None:  # fmt: skip
    make(home / "d", numbered(50))
    manifest = json.loads((home / "d" / NAME).read_bytes())
    (home / "d" / NAME).write_text(json.dumps({**manifest, name: value}))
    assert told(home / "d") == [f"file {NAME}: {said}"]


def test_rows_without_origins_and_origins_without_rows(home: Path) -> None:
    make(home / "d", numbered(50))
    manifest = json.loads((home / "d" / NAME).read_bytes())
    manifest["files"] = [f for f in manifest["files"] if f["path"] != ORIGINS]
    (home / "d" / ORIGINS).unlink()
    (home / "d" / NAME).write_text(json.dumps(manifest))
    [said] = told(home / "d")
    assert said.startswith(f"file {ROWS}: it has ")
    assert said.endswith(" rows, and 0 origins")
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        list(Dataset(home / "d").pages(Dataset(home / "d").shards()))


def test_a_row_by_its_number(home: Path) -> None:
    for container in ("jsonl", "parquet"):
        folder = home / container
        make(folder, numbered(100), container, size=7)
        dataset = Dataset(folder)
        shards = dataset.shards()
        found = [dataset.page(shards, n) for n in (0, 52, 53, 99, 7, 6)]
        every = list(dataset.pages(shards))
        assert found == [every[n] for n in (0, 52, 53, 99, 7, 6)]
        assert [page.number for page in every[:53]] == list(range(53))
        assert every[7].place == f"answer/train/00001.{container}:1"
        with pytest.raises(UsageError, match="there is no row 100: the rows are 0 to 99"):
            dataset.page(shards, 100)
        only = dataset.shards("decision", "test")
        assert dataset.page(only, 6).origin["node"] == "90"
        with pytest.raises(UsageError, match="no rows of soft/test: answer/train, answer/test, "):
            dataset.shards("soft", "test")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" * 1000, b"{}\n"])
def test_a_file_that_is_no_parquet(data: bytes, home: Path) -> None:
    make(home / "d", numbered(10), "parquet")
    (home / "d/answer/train/00000.parquet").write_bytes(data)
    dataset = Dataset(home / "d")
    with pytest.raises(UsageError, match=r"00000\.parquet: it is no sound Parquet file") as caught:
        dataset.page(dataset.shards(), 0)
    assert str(caught.value).isprintable()


def test_a_run_is_compared_with_what_it_was(home: Path) -> None:
    with SqliteStore(home / "a.db") as store:
        for n, event in enumerate(story()):
            store.append("run", float(n), event)
        kept = entry("run", store)
        assert unlike(store, kept) is None
        other = kept.model_copy(update={"hash": "0" * 64})
        assert unlike(store, other) == "what its nodes say is other than it was"
        store.label("run", [label("leaf", said="good")])
        assert unlike(store, kept) == "its labels are other than they were"
        store.label("run", [Label(key="leaf", by="person", at=1.0)])
        assert unlike(store, entry("run", store)) is None
        with pytest.raises(StoreError):
            unlike(store, kept.model_copy(update={"run": "other"}))


def test_an_origin_of_no_run_at_all(home: Path) -> None:
    rows = [Made("answer", "train", chat("Q", "A"), origin(run=run)) for run in (None, 7, ["r1"])]
    make(home / "d", rows)
    assert [line.rpartition(" is of run ")[2].partition(",")[0] for line in told(home / "d")] == [
        "None", "7", "['r1']",
    ]  # fmt: skip
