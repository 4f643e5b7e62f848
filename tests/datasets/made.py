"""Datasets for the tests of their files: rows that are named, put at a place as a build does it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hch.datasets.card import FILE, Card
from hch.datasets.fingerprint import labels_hash, run_hash
from hch.datasets.manifest import (
    FilterEntry,
    Manifest,
    RunEntry,
    SplitEntry,
    counted,
    store_hash,
)
from hch.datasets.place import building
from hch.datasets.shards import Container, Shards, write_text
from hch.keeping import Store
from hch.protocols import Column

MESSAGES: Column = [{"role": "text", "content": "text"}]
COLUMNS: Mapping[str, Column] = {"prompt": MESSAGES, "completion": MESSAGES}
EVERY: Mapping[str, Column] = {
    "said": "text", "score": "number", "n": "whole", "good": "flag", "steps": ["text"],
    "logprobs": [["number"]], "about": {"task": "text", "sizes": ["whole"]}, "turns": MESSAGES,
}  # fmt: skip
"""A column of every type."""


class Made(NamedTuple):
    """A row to be made: its kind and split, what the file has, and its origin."""

    kind: str
    split: str
    row: Mapping[str, Any]
    origin: Mapping[str, Any]


def chat(question: str, answer: str) -> dict[str, Any]:
    """A row of `COLUMNS`."""
    return {
        "prompt": [{"role": "user", "content": question}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def every(n: int) -> dict[str, Any]:
    """A row of `EVERY`: everything in it, or nothing."""
    if n % 3 == 0:
        return {
            "said": None, "score": None, "n": None, "good": None, "steps": [], "logprobs": [],
            "about": None, "turns": [],
        }  # fmt: skip
    return {
        "said": f"Nr. {n}: é 😀 \0 \u2028", "score": n / 3, "n": n - 5, "good": n % 2 == 0,
        "steps": [str(i) for i in range(n % 4)], "logprobs": [[-0.5, -1.25]] * (n % 3),
        "about": {"task": None if n % 2 else "path", "sizes": [n, n]},
        "turns": [{"role": "user", "content": "x" * (n % 50)}],
    }  # fmt: skip


def origin(run: str = "r1", node: str = "0", **more: Any) -> dict[str, Any]:
    return {"run": run, "root": 0, "node": node, "key": "k", "level": 1, "task": None, **more}


def numbered(n: int, run: str = "r1") -> Iterator[Made]:
    """So many rows of two kinds and two splits."""
    for i in range(n):
        kind = "answer" if i % 3 else "decision"
        split = "train" if i % 5 else "test"
        yield Made(kind, split, chat(f"Question {i}?", f"Answer {i}."), origin(run, str(i)))


def write(
    folder: Path,
    rows: Iterable[Made],
    container: Container = "jsonl",
    columns: Mapping[str, Column] = COLUMNS,
    size: int = 50_000,
) -> list[Any]:
    """Rows as shards in a folder; its files."""
    folder.mkdir(exist_ok=True)
    with Shards(folder, columns, container, size) as shards:
        for made in rows:
            shards.write(made.kind, made.split, json.dumps(made.row), json.dumps(made.origin))
        return shards.close()


def entry(run: str, store: Store | None = None) -> RunEntry:
    """What a manifest says of a run, as it is in the store."""
    return RunEntry(
        run=run,
        hash=run_hash(store, run) if store else "h",
        labels=labels_hash(store.labels(run)) if store else "l",
        roots=1,
        nodes=store.outline(run).n if store else 1,
        players=("script",),
        seed=0,
    )


def manifest(files: Sequence[Any], runs: Sequence[RunEntry] = (), **more: Any) -> Manifest:
    given: dict[str, Any] = {
        "hch": "0.1.0", "store": store_hash(runs), "runs": tuple(runs), "options": {"format": "x"},
        "prompts": {}, "models": (), "sampling": {}, "counts": counted(files), "filters": (
            FilterEntry(name="not clean", taken=3, what="nodes with a failure below"),
        ),
        "split": SplitEntry(rule="by root", seed=0, shares={"train": 0.9, "test": 0.1}),
        "files": tuple(files), **more,
    }  # fmt: skip
    return Manifest(**given)


def make(
    out: Path,
    rows: Iterable[Made],
    container: Container = "jsonl",
    columns: Mapping[str, Column] = COLUMNS,
    *,
    runs: Sequence[RunEntry] = (),
    size: int = 50_000,
    force: bool = False,
) -> Manifest:
    """A whole dataset at its place."""
    with building(out, force=force) as folder:
        files = write(folder, rows, container, columns, size)
        card = Card("x", container, columns, counted(files), len(runs), "hch dataset build r1")
        files.append(write_text(folder, FILE, card.text()))
        made = manifest(files, runs or (entry("r1"),))
        made.write(folder)
    return made


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with its bytes."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
