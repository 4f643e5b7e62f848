"""Whether a dataset is what its manifest says, and its runs are what they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from hch.datasets.dataset import Dataset
from hch.datasets.fingerprint import labels_hash, run_hash
from hch.datasets.folder import opened, size_of
from hch.datasets.manifest import (
    NAME,
    FileEntry,
    Manifest,
    RunEntry,
    counted,
    origins_of,
    row_shard,
    store_hash,
)
from hch.datasets.parquet import Reader
from hch.errors import UsageError
from hch.keeping import Store
from hch.safe_text import one_line

AT_ONCE = 1 << 20
"""The bytes of a file that are read together."""

SAID = 5
"""Of so many rows of a file it is told what is wrong with each; of further ones how many."""


class Fault(NamedTuple):
    """What differs: a `file` by its path, or a `run` by its id, and in what."""

    what: str
    name: str
    why: str

    def line(self) -> str:
        return one_line(f"{self.what} {self.name}: {self.why}")


def faults(dataset: Dataset) -> Iterator[Fault]:
    """All that differs between the folder and its manifest, as it is found; every file is read.

    Raises ConfigError where Parquet lacks its package.
    """
    folder, manifest = dataset.folder, dataset.manifest
    yield from _others(folder, manifest)
    sound = set()
    for entry in manifest.files:
        wrong = _differs(folder, entry)
        if wrong is None:
            sound.add(entry.path)
        else:
            yield Fault("file", entry.path, wrong)
    yield from _pairs(manifest)
    runs = {entry.run for entry in manifest.runs}
    for entry in manifest.files:
        if row_shard(entry.path) and (origins := origins_of(entry.path)) in sound:
            yield from _origins(dataset, origins, runs)
    yield from _told(manifest)


def moved(dataset: Dataset, first: Manifest) -> Iterator[Fault]:
    """The rows and origins of a dataset that one extends and that are not where they were."""
    there = {entry.path: entry for entry in dataset.manifest.files}
    for entry in first.files:
        of_rows = row_shard(entry.path) or entry.path.startswith("origins/")
        if of_rows and there.get(entry.path) != entry:
            yield Fault("file", entry.path, "it is not as the dataset that was extended has it")
    if dataset.manifest.extends != first.hash():
        yield Fault("file", NAME, "it does not say that it extends that dataset")


def _others(folder: Path, manifest: Manifest) -> Iterator[Fault]:
    """What is in the folder and not in the manifest, and links."""
    known = {NAME, *(entry.path for entry in manifest.files)}
    for place, folders, names in os.walk(folder):
        folders.sort()
        inner = Path(place).relative_to(folder)
        for name in sorted((*folders, *names)):
            path = (inner / name).as_posix()
            if (folder / path).is_symlink():
                yield Fault("file", path, "it is a link")
            elif name in names and path not in known:
                yield Fault("file", path, "the manifest does not name it")


def _differs(folder: Path, entry: FileEntry) -> str | None:
    """In what a file is other than its entry; None for nothing."""
    try:
        with opened(folder, entry.path) as file:
            if (size := size_of(file)) != entry.bytes:
                return f"it has {size:,} bytes, not {entry.bytes:,}"
            read, lines = sha256(), 0
            while some := file.read(AT_ONCE):
                read.update(some)
                lines += some.count(b"\n")
            if read.hexdigest() != entry.sha256:
                return "its bytes are other ones: its sha256 differs"
            if entry.path.endswith(".parquet"):
                file.seek(0)
                lines = Reader(file).count
    except (UsageError, ValueError) as error:
        return str(error)
    if (entry.rows or row_shard(entry.path)) and lines != entry.rows:
        return f"it has {lines:,} rows, not {entry.rows:,}"
    return None


def _pairs(manifest: Manifest) -> Iterator[Fault]:
    """Files of rows whose origins are missing, or are not as many."""
    rows = {entry.path: entry.rows for entry in manifest.files}
    owed = {origins_of(path) for path in rows if row_shard(path)}
    for path, count in rows.items():
        if row_shard(path) and (there := rows.get(origins_of(path))) != count:
            yield Fault("file", path, f"it has {count:,} rows, and {there or 0:,} origins")
        elif path.startswith("origins/") and path not in owed:
            yield Fault("file", path, "it has the origins of no rows")


def _origins(dataset: Dataset, path: str, runs: set[str]) -> Iterator[Fault]:
    """Origins that are of no run of the manifest."""
    wrong = 0
    try:
        for number, origin in enumerate(dataset.lines(path), 1):
            if not isinstance(run := origin.get("run"), str) or run not in runs:
                wrong += 1
                if wrong <= SAID:
                    why = f"line {number} is of run {run}, which the manifest does not name"
                    yield Fault("file", path, why)
    except UsageError as error:
        yield Fault("file", path, str(error))
    if wrong > SAID:
        yield Fault("file", path, f"so are {wrong - SAID:,} more lines")


def _told(manifest: Manifest) -> Iterator[Fault]:
    """What the manifest says of itself and is not so."""
    told = {k: {s: n for s, n in splits.items() if n} for k, splits in manifest.counts.items()}
    there = counted(entry for entry in manifest.files if entry.rows)
    if {kind: splits for kind, splits in told.items() if splits} != there:
        yield Fault("file", NAME, "its counts are not those of its files")
    if store_hash(manifest.runs) != manifest.store:
        yield Fault("file", NAME, "its hash of the store is not that of its runs")


def unlike(store: Store, entry: RunEntry) -> str | None:
    """In what a run of a store is other than it was; None for nothing.

    Raises StoreError where the store has no such run, or it is damaged.
    """
    if run_hash(store, entry.run) != entry.hash:
        return "what its nodes say is other than it was"
    if labels_hash(store.labels(entry.run)) != entry.labels:
        return "its labels are other than they were"
    return None
