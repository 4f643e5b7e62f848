"""Datasets built as a user builds them, and read back row by row with where each is from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hch import cli


@dataclass(frozen=True)
class Line:
    """A row as it stands in a dataset, with its kind, its split and its origin."""

    kind: str
    split: str
    data: dict[str, Any]
    origin: dict[str, Any]


def build(store: Path, out: Path, *flags: str) -> list[Line]:
    """The rows of a dataset, built by the command; without `--where` of every run."""
    where = [] if "--where" in flags else ["--where", "level>=0"]
    words = ["dataset", "build", "--store", str(store), "--out", str(out), *where, *flags]
    assert cli.run([*words, "--quiet"]) == 0
    return list(lines(out))


def lines(folder: Path) -> Iterator[Line]:
    """Every row of a dataset in lines of JSON."""
    for shard in sorted(folder.glob("*/*/*.jsonl")):
        kind, split, name = shard.relative_to(folder).parts
        rows, origins = shard.open(), (folder / "origins" / kind / split / name).open()
        with rows, origins:
            for row, origin in zip(rows, origins, strict=True):
                yield Line(kind, split, json.loads(row), json.loads(origin))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "hch-manifest.json").read_bytes())
    return found


def taken(folder: Path) -> dict[str, int]:
    """What each filter took."""
    return {entry["name"]: entry["taken"] for entry in manifest(folder)["filters"]}
