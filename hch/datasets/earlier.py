"""A dataset that is extended: its roots and rows stay where they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hch.beginning import reason
from hch.datasets.dividing import Settled
from hch.datasets.folder import opened, shown
from hch.datasets.manifest import HELD_OUT, FileEntry, Manifest, origins_of, row_shard
from hch.datasets.normal import mark
from hch.datasets.recipe import Recipe
from hch.errors import UsageError
from hch.safe_text import one_line
from hch.wire import Chars, Wire

ROOTS = "roots.jsonl"
SHOWN = "shown"

LONGEST = 1 << 26
"""The most bytes of a line."""

SAME = ("format", "rows", "as", "splits", "apart", "seed", "near", "redact", "direct", "tokens",
        "decontaminate")  # fmt: skip
"""The options that an extension shares with what it extends, or rows would not be alike."""

_Hex = Annotated[str, Field(pattern="^(?:[0-9a-f]{2}){0,64}$")]


class RootLine(Wire):
    """A line of `roots.jsonl`: root number `root` of a run, its `text`, and its split.

    `about` is the mark of its context and instance; roots of one `group` are near-equal.
    """

    run: str
    root: int
    split: str
    group: int
    about: _Hex
    text: Chars


class HeldLine(Wire):
    """A line of `held-out.jsonl`: the mark of what is asked in a tree of that split."""

    split: str
    question: _Hex


class TaughtLine(BaseModel):
    """What is read of an origin: the marks of the row, of its question, and of what it shows."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    digest: _Hex
    question: _Hex
    shows: tuple[_Hex, ...]


L = TypeVar("L", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was there before, read once but for the rows; `lines` are those of its roots."""

    folder: Path
    manifest: Manifest
    roots: tuple[Settled, ...]
    lines: tuple[str, ...]

    @classmethod
    def read(cls, recipe: Recipe) -> Earlier:
        """Raises UsageError where it is no dataset, or was made by another recipe."""
        folder = recipe.extends or Path()
        manifest, options = Manifest.read(folder), recipe.options()
        for name in SAME:
            if (was := manifest.options.get(name)) != options[name]:
                raise UsageError(
                    f"{one_line(str(folder))} was made with {name} {one_line(json.dumps(was), 80)},"
                    f" and cannot be extended with {one_line(json.dumps(options[name]), 80)}"
                )
        for entry in manifest.files:
            if FileEntry.of(folder, entry.path, entry.rows) != entry:
                raise UsageError(
                    f"{shown(folder, entry.path)} is not as its manifest has it: hch dataset "
                    "verify says what is wrong"
                )
        lines = tuple(_lines(folder, ROOTS))
        roots = [_parsed(RootLine, folder, ROOTS, n, line) for n, line in enumerate(lines, 1)]
        if wrong := {root.split for root in roots} - set(recipe.splits.names):
            raise UsageError(f"{shown(folder, ROOTS)} has the split {one_line(min(wrong), 40)!r}")
        settled = (Settled(bytes.fromhex(r.about), r.text, r.split, r.group) for r in roots)
        return cls(folder, manifest, tuple(settled), lines)

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(entry.run for entry in self.manifest.runs)

    def rows(self, names: tuple[str, ...]) -> Iterator[tuple[str, bytes, bytes, int]]:
        """Each row's kind, digest, mark of its question, and the number of its split.

        So too for each root, of no kind, and for what else stands in a row, as `SHOWN`. Raises
        UsageError for an origin that cannot be read.
        """
        for root in self.roots:
            yield "", b"", root.about + mark(root.text), names.index(root.split)
        for number, line in enumerate(self.listed(HELD_OUT), 1):
            held = _parsed(HeldLine, self.folder, HELD_OUT, number, line)
            if held.split in names:
                yield "", b"", bytes.fromhex(held.question), names.index(held.split)
        for entry in self.manifest.files:
            if (where := row_shard(entry.path)) is None:
                continue
            kind, split = where
            path = origins_of(entry.path)
            for number, line in enumerate(_lines(self.folder, path), 1):
                row = _parsed(TaughtLine, self.folder, path, number, line)
                side = names.index(split)
                yield kind, bytes.fromhex(row.digest), bytes.fromhex(row.question), side
                for question in row.shows:
                    yield SHOWN, b"", bytes.fromhex(question), side

    def listed(self, path: str) -> Iterator[str]:
        """The lines of a list that it may have, such as `removed.jsonl`."""
        if any(entry.path == path for entry in self.manifest.files):
            yield from _lines(self.folder, path)


def _lines(folder: Path, path: str) -> Iterable[str]:
    with opened(folder, path) as file:
        number = 0
        while line := file.readline(LONGEST):
            number += 1
            if not line.endswith(b"\n") or not line.isascii():
                raise UsageError(f"{shown(folder, path)}, line {number}: it is cut off, or no JSON")
            yield line[:-1].decode("ascii")


def _parsed(model: type[L], folder: Path, path: str, number: int, line: str) -> L:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        place = f"{shown(folder, path)}, line {number}"
        why = one_line(reason(error), 200)
        raise UsageError(f"{place}: it is not what hch writes there: {why}") from error
