"""What a build has to tell: of its runs for the manifest, and of roots and rows in lists.

Where a dataset is extended, what it told holds on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from hch import __version__
from hch.datasets.alternatives import options_of
from hch.datasets.cleaning import Taken
from hch.datasets.dividing import BRIDGE, HELD, Divided
from hch.datasets.earlier import ROOTS, Earlier
from hch.datasets.fingerprint import labels_hash, run_hash
from hch.datasets.manifest import (
    BRIDGES,
    HELD_OUT,
    LEFT_OUT,
    REMOVED,
    Against,
    Decontamination,
    FileEntry,
    FilterEntry,
    Manifest,
    RunEntry,
    SplitEntry,
    TokenizerEntry,
    counted,
    store_hash,
)
from hch.datasets.picking import Wanted
from hch.datasets.reading import Reading
from hch.datasets.recipe import Recipe
from hch.datasets.staging import Staging
from hch.keeping import Store
from hch.labels import Label
from hch.types import sha

RULE = "by root question; near-equal roots together"

_HELD = """
SELECT question, side FROM top WHERE NOT EXISTS (
  SELECT 1 FROM earlier
  WHERE earlier.kind = '' AND earlier.question = top.question AND earlier.side = top.side)
ORDER BY question
"""
_LEFT_OUT = """
SELECT run, node, kind, lost, why, NULL, NULL, NULL, 0 AS place FROM left_out
UNION ALL
SELECT rows.run, node, kind, rows.lost, NULL, top_side, top.run, top.root, rows.id
FROM rows LEFT JOIN roots top ON top.id = top_root WHERE rows.lost IS NOT NULL
ORDER BY run, node, place, kind
"""

SAMPLED = ("temperature", "top_p", "top_k", "min_p", "seed", "logprobs", "effort")
"""Of a model's options those that say how it samples."""


@dataclass
class Account:
    """Of one build: its runs as they are read, and at the end its lists and its manifest."""

    store: Store
    recipe: Recipe
    wanted: Wanted
    earlier: Earlier | None
    runs: list[str] = field(default_factory=list)
    entries: dict[str, RunEntry] = field(default_factory=dict)
    prompts: dict[str, str] = field(default_factory=dict)
    sampling: dict[str, dict[str, Any]] = field(default_factory=dict)
    labelled: bool = False

    def __post_init__(self) -> None:
        self._imported = {row.run for row in self.store.runs() if row.imported}
        if self.earlier:
            before = self.earlier.manifest
            self.entries |= {entry.run: entry for entry in before.runs}
            self.prompts |= before.prompts
            self.sampling |= {model: dict(how) for model, how in before.sampling.items()}
        self.prompts[self.recipe.direct.name] = sha(self.recipe.direct.text)

    def take(self, reading: Reading, labels: Sequence[Label]) -> None:
        """Keep what is told of a run."""
        self.labelled = self.labelled or bool(labels)
        started, run = reading.started, reading.run
        self.runs.append(run)
        for model in started.rates:
            found = options_of(model)
            how: dict[str, Any] = {name: found[name] for name in SAMPLED if name in found}
            how["max_tokens"] = started.setup.get("answer_tokens")
            self.sampling[model] = how
        if self.wanted.calls:
            self.prompts |= {f"{run} {name}": sha(text) for name, text in started.prompts.items()}
        self.entries[run] = RunEntry(
            run=run,
            hash=run_hash(self.store, run),
            labels=labels_hash(labels),
            roots=started.count,
            nodes=reading.outline.n,
            players=started.players,
            seed=started.seed,
            imported=run in self._imported,
        )

    def lists(self, staging: Staging) -> Iterator[tuple[str, Iterator[str]]]:
        """The lists that stand beside the rows, by name; of those that may be empty, if not."""
        yield ROOTS, self._roots(staging)
        for name, found in (
            (HELD_OUT, self._held(staging)),
            (BRIDGES, self._bridges(staging)),
            (REMOVED, (line for (line,) in staging.query("SELECT line FROM removed"))),
            (LEFT_OUT, self._left_out(staging)),
        ):
            lines = self._after(name, found)
            if (first := next(lines, None)) is not None:
                yield name, _with(first, lines)

    def manifest(
        self, divided: Divided, taken: Iterable[Taken], files: Iterable[FileEntry], taught: int
    ) -> Manifest:
        """The manifest of these files."""
        recipe, files = self.recipe, tuple(sorted(files, key=lambda entry: entry.path))
        runs = tuple(entry for _, entry in sorted(self.entries.items()))
        counts, tokenizer = counted(files), recipe.tokenizer
        lines = {entry.path: entry.rows for entry in files}
        return Manifest(
            hch=__version__,
            store=store_hash(runs),
            runs=runs,
            options=recipe.options(),
            prompts=self.prompts,
            models=tuple(sorted(self.sampling)),
            sampling=self.sampling,
            counts=counts,  # type: ignore[arg-type]
            filters=tuple(FilterEntry(name=t.name, taken=t.rows, what=t.what) for t in taken),
            split=SplitEntry(
                rule=RULE,
                seed=recipe.seed,
                shares={name: float(share) for name, share in recipe.splits.shares},
                near=recipe.near,
                groups=divided.groups,
                largest=divided.largest,
                bridges=lines.get(BRIDGES, 0),
                taught=taught,
            ),
            decontamination=self._decontamination(lines.get(REMOVED, 0)),
            tokenizer=TokenizerEntry(name=tokenizer.name, hash=tokenizer.hash)
            if tokenizer
            else None,
            extends=self.earlier.manifest.hash() if self.earlier else None,
            files=files,
        )

    def _decontamination(self, removed: int) -> Decontamination | None:
        before = self.earlier.manifest.decontamination if self.earlier else None
        known = {entry.sha256: entry for entry in (before.files if before else ())}
        for file in self.recipe.against.files if self.recipe.against else ():
            known.setdefault(file.sha256, Against(file=file.name, sha256=file.sha256))
        return Decontamination(files=tuple(known.values()), removed=removed) if known else None

    def _after(self, name: str, lines: Iterator[str]) -> Iterator[str]:
        """These lines, after those of the dataset that is extended."""
        if self.earlier:
            yield from self.earlier.listed(name)
        yield from lines

    def _roots(self, staging: Staging) -> Iterator[str]:
        if self.earlier:
            yield from self.earlier.lines
        names = self.recipe.splits.names
        found = staging.query(
            "SELECT run, root, about, text, team, side FROM roots WHERE lost IS NULL ORDER BY id"
        )
        for run, root, about, text, team, side in found:
            yield json.dumps({
                "run": self.runs[run], "root": root, "split": names[side], "group": team,
                "about": about.hex(), "text": text,
            })  # fmt: skip

    def _held(self, staging: Staging) -> Iterator[str]:
        """What is asked in trees that are held out, by its mark."""
        names: Mapping[int, str] = dict(enumerate(self.recipe.splits.names))
        for question, side in staging.query(_HELD):
            yield json.dumps({"split": names[side], "question": question.hex()})

    def _bridges(self, staging: Staging) -> Iterator[str]:
        found = staging.query(
            "SELECT run, root, text FROM roots WHERE lost = ? ORDER BY id", BRIDGE
        )
        for run, root, text in found:
            yield json.dumps({"run": self.runs[run], "root": root, "text": text})

    def _left_out(self, staging: Staging) -> Iterator[str]:
        """The rows that filters took, each with the filter, in the order of the trees."""
        for number, rows in groupby(staging.query(_LEFT_OUT), itemgetter(0)):
            run = self.runs[number]
            outline = self.store.outline(run)
            for _, node, kind, lost, why, *held, _ in rows:
                told = {"run": run, "node": outline.id(node), "kind": kind, "filter": lost}
                if because := self._held_by(*held) if lost == HELD else why:
                    told["why"] = because
                yield json.dumps(told)

    def _held_by(self, side: int | None, run: int | None, root: int | None) -> str:
        """Why a row is held out: in which split another tree asks what it asks, and in which."""
        if side is None:
            return "a row of an earlier split asks it"
        split = self.recipe.splits.names[side]
        if run is None:
            return f"asked in {split} of the dataset that is extended"
        return f"asked in {split}, by root {root} of run {self.runs[run]}"


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
