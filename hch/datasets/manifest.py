"""What a dataset is made of, `hch-manifest.json`: its runs, options, counts, and each file's hash.

The same runs and options give the same bytes: there is no time in it, no folder, and every key in
order. What may be long is a file of its own beside it, which `files` has too: the rows that
decontamination took (`removed.jsonl`), the roots that would have joined two splits
(`bridges.jsonl`), every row that a filter took (`left-out.jsonl`).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Self, TypeAlias

from pydantic import AfterValidator, Field, ValidationError, model_validator

from hch.beginning import reason
from hch.datasets.folder import naming, opened, size_of
from hch.errors import UsageError
from hch.jsonl import decoded, unlike
from hch.rows import KINDS, Kind
from hch.safe_text import one_line
from hch.wire import Wire

FORMAT = 1
"""Rises with every change that an old reader could misread."""

NAME = "hch-manifest.json"
REMOVED = "removed.jsonl"
BRIDGES = "bridges.jsonl"
HELD_OUT = "held-out.jsonl"
LEFT_OUT = "left-out.jsonl"

FIRST = ("train", "validation", "test")
"""The order of splits, before any others."""

LARGEST = 1 << 26
"""The most bytes of a manifest."""

_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,7}")
_SPLIT = re.compile(r"[a-z][a-z0-9_]{0,40}")


def _inside(path: str) -> str:
    """A path below the folder, in letters that mean nothing to any system."""
    if not _PATH.fullmatch(path) or path == NAME:
        raise ValueError("it is no path of a file in a dataset")
    return path


def named_split(name: str) -> str:
    """A split's name as it may be a folder's. Raises ValueError for any other."""
    if not _SPLIT.fullmatch(name):
        raise ValueError(f"{one_line(name, 60)!r} is no split: write lower-case letters and digits")
    return name


Count: TypeAlias = Annotated[int, Field(ge=0, le=10**15)]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Inside: TypeAlias = Annotated[str, AfterValidator(_inside)]
Split: TypeAlias = Annotated[str, AfterValidator(named_split)]
Counts: TypeAlias = dict[Kind, dict[Split, Count]]


class FileEntry(Wire):
    """A file of a dataset; `rows` is how many lines or rows it has, 0 where it is no list."""

    path: Inside
    rows: Count
    bytes: Count
    sha256: Sha256

    @classmethod
    def of(cls, folder: Path, path: str, rows: int = 0) -> Self:
        """A file that is there already. Raises UsageError where it cannot be read."""
        with opened(folder, path) as file:
            data = sha256()
            while some := file.read(1 << 20):
                data.update(some)
            return cls(path=path, rows=rows, bytes=size_of(file), sha256=data.hexdigest())


class RunEntry(Wire):
    """A run that rows are of: what it said, what was said of it, and who played.

    `hash` is that of `hch.datasets.fingerprint.run_hash`, `labels` that of `labels_hash`.
    """

    run: str
    hash: str
    labels: str
    roots: Count
    nodes: Count
    players: tuple[str, ...]
    seed: int
    imported: bool = False


class FilterEntry(Wire):
    """A filter, how many rows it took, and what it is for, in a few words."""

    name: str
    taken: Count
    what: str = ""


class SplitEntry(Wire):
    """How roots were split: by `rule`, in `groups` of near-equal ones, of which one is `largest`.

    `near` is the similarity from which on roots are near-equal, None where only equal ones were
    joined; `bridges` is how many roots were left out since they would have joined two splits.
    `taught` is how many questions of held-out trees the dataset that was extended taught already.
    """

    rule: str
    seed: int
    shares: dict[Split, float]
    near: float | None = None
    groups: Count = 0
    largest: Count = 0
    bridges: Count = 0
    taught: Count = 0


class Against(Wire):
    """A file that rows were held against, by its name without folders, and its text's hash."""

    file: str
    sha256: Sha256


class Decontamination(Wire):
    """The files of questions that must not be learned, and how many rows they took."""

    files: tuple[Against, ...]
    removed: Count = 0


class TokenizerEntry(Wire):
    """Whose tokens were counted, and the hash of its file."""

    name: str
    hash: str


class Removed(Wire):
    """A row that decontamination took: a line of `removed.jsonl`.

    `how` is `same` where a text is equal to one of the file, `13-gram` where so many words in a row
    are: those `words`.
    """

    run: str
    node: str
    file: str
    line: int
    how: str
    words: str = ""


class Manifest(Wire):
    """The whole of it. `store` is over the hashes of the runs: `store_hash`.

    `options` are those of the build, canonical, without folders; `prompts` have the sha256 of
    each prompt's text; `sampling` is by model. `extends` is the sha256 of the manifest of the
    dataset that was extended.
    """

    format: Annotated[int, Field(ge=1, le=FORMAT)] = FORMAT
    hch: str
    store: str
    runs: tuple[RunEntry, ...]
    options: dict[str, Any]
    prompts: dict[str, str]
    models: tuple[str, ...]
    sampling: dict[str, Any]
    counts: Counts
    filters: tuple[FilterEntry, ...]
    split: SplitEntry
    decontamination: Decontamination | None = None
    tokenizer: TokenizerEntry | None = None
    extends: Sha256 | None = None
    files: tuple[FileEntry, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for what, names in (
            ("file", [entry.path for entry in self.files]),
            ("run", [entry.run for entry in self.runs]),
        ):
            if len(set(names)) < len(names):
                twice = next(name for name in names if names.count(name) > 1)
                raise ValueError(f"it has the {what} {one_line(twice, 80)} twice")
        return self

    def encoded(self) -> bytes:
        """Its bytes: ASCII JSON, indented, keys sorted."""
        data = self.model_dump()
        text = json.dumps(data, indent=2, sort_keys=True, allow_nan=False)
        return f"{text}\n".encode("ascii")

    def write(self, folder: Path) -> None:
        """Write it into a folder that has none. Raises OSError."""
        with naming(folder / NAME), (folder / NAME).open("xb") as file:
            file.write(self.encoded())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """That of a dataset. Raises UsageError, naming it, for all that is no sound manifest."""
        place = f"{one_line(str(folder))}/{NAME}"
        if not os.path.lexists(folder / NAME):
            raise UsageError(f"{one_line(str(folder))} is no dataset of hch: it has no {NAME}")
        with opened(folder, NAME) as file:
            if size_of(file) > LARGEST:
                raise UsageError(f"{place} is no manifest: it has more than {LARGEST:,} bytes")
            data = file.read(LARGEST + 1)
        try:
            return cls._of(decoded(data))
        except ValidationError as error:
            why = one_line(reason(error), 300)
            raise UsageError(f"{place} is no manifest of hch: {why}") from error
        except ValueError as error:
            why = one_line(str(error), 300)
            raise UsageError(f"{place} is no manifest of hch: {why}") from error

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Self:
        written = data.get("format")
        if type(written) is int and written > FORMAT:
            raise ValueError(f"a newer hch wrote it, in format {written}: upgrade hch")
        made = cls.model_validate(data)
        if (place := unlike(data, made)) is not None:
            raise ValueError(f"{place or 'it'} is of another type than it should be")
        return made

    def hash(self) -> str:
        """The sha256 of its bytes, as `extends` has it."""
        return sha256(self.encoded()).hexdigest()


def store_hash(runs: Iterable[RunEntry]) -> str:
    """What stands for the runs and what was said of them, in any order."""
    lines = sorted(f"{entry.run} {entry.hash} {entry.labels}\n" for entry in runs)
    return sha256("".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def counted(files: Iterable[FileEntry]) -> dict[str, dict[str, int]]:
    """The rows by kind and split that shards have: kinds as `hch.rows` has them, train first."""
    counts: dict[str, dict[str, int]] = {}
    for entry in files:
        if (where := row_shard(entry.path)) is not None:
            kind, split = where
            splits = counts.setdefault(kind, {})
            splits[split] = splits.get(split, 0) + entry.rows
    order = {split: place for place, split in enumerate(FIRST)}
    return {
        kind: dict(sorted(counts[kind].items(), key=lambda item: (order.get(item[0], 9), item[0])))
        for kind in KINDS
        if kind in counts
    }


def row_shard(path: str) -> tuple[str, str] | None:
    """The kind and split of a shard of rows, by its path; None for any other file."""
    found = _SHARD.fullmatch(path)
    return (found[1], found[2]) if found else None


def origins_of(path: str) -> str:
    """Where the origins of a shard of rows are."""
    return f"origins/{path.rpartition('.')[0]}.jsonl"


_SHARD = re.compile(
    r"(answer|decision|preference|step|soft|prompt-only)/([a-z][a-z0-9_]{0,40})/[0-9]{5}\.(?:jsonl|parquet)"
)


def totals(counts: Mapping[Any, Mapping[str, int]]) -> int:
    """All rows."""
    return sum(sum(splits.values()) for splits in counts.values())
