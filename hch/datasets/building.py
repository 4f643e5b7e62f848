"""A dataset, from runs to a folder: rows are picked, cleaned, divided into splits, and written.

The same runs and the same recipe give the same bytes, in whatever order the runs are named.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hch import __version__
from hch.datasets.alternatives import NONE_RECORDED, UNRECORDED
from hch.datasets.card import FILE as CARD
from hch.datasets.card import Card
from hch.datasets.cleaning import Cleaning, Taken
from hch.datasets.dividing import Divided, Dividing, reach
from hch.datasets.earlier import ROOTS, Earlier
from hch.datasets.fingerprint import labels_hash, run_hash
from hch.datasets.lines import Lines
from hch.datasets.manifest import (
    BRIDGES,
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
from hch.datasets.picking import Picking, Wanted
from hch.datasets.place import building
from hch.datasets.reading import Reading
from hch.datasets.recipe import Recipe
from hch.datasets.shards import Shards, write_lines, write_text
from hch.datasets.staging import Rooted, Staging
from hch.errors import UsageError
from hch.keeping import Store
from hch.labels import told
from hch.registry import Spec
from hch.types import sha

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much; 0 where that is not known."""


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a build: its manifest, and why what there was made no row."""

    manifest: Manifest
    whys: Mapping[str, int]


@dataclass
class Build:
    """One build of one recipe, of runs of a store. `runs` are ids, in any order.

    Raises UsageError for what cannot be, StoreError for a run that is not there.
    """

    store: Store
    runs: Sequence[str]
    recipe: Recipe
    progress: Progress = field(default=lambda *_: None)

    def into(self, out: Path, *, force: bool = False) -> Built:
        """Make the dataset, which is at `out` when this returns, whole."""
        earlier = Earlier.read(self.recipe) if self.recipe.extends else None
        with ExitStack() as stack:
            folder = stack.enter_context(building(out, force=force))
            staging = stack.enter_context(Staging())
            self._staging, self._earlier = staging, earlier
            self._pick(staging)
            divided = self._divide(staging)
            taken = [*self._taken(), *self._cleaning.clean(staging)]
            if not staging.one("SELECT count(*) FROM rows WHERE lost IS NULL"):
                raise UsageError(self._nothing(taken))
            manifest = self._write(folder, staging, divided, taken)
        return Built(manifest, self._whys)

    @cached_property
    def _runs(self) -> list[str]:
        return sorted(set(self.runs))

    def _pick(self, staging: Staging) -> None:
        """Every row of every run, staged; what is known of the runs."""
        recipe = self.recipe
        wanted = Wanted(
            kinds=recipe.kinds,
            direct=recipe.direct,
            where=recipe.where,
            partial=recipe.partial,
            untrusted=recipe.untrusted,
            tries=recipe.built.judged,
            alternatives=recipe.alternatives,
        )
        self._lines = Lines(recipe, staging)
        self._first: Counter[str] = Counter()
        self._whys: Counter[str] = Counter()
        self._entries: list[RunEntry] = []
        self._models: set[str] = set()
        self._prompts = {recipe.direct.name: sha(recipe.direct.text)}
        imported = {row.run for row in self.store.runs() if row.imported}
        for number, run in enumerate(self._runs):
            labels = self.store.labels(run)
            reading = Reading(self.store, run, calls=wanted.calls)
            picking = Picking(reading, told(labels), wanted)
            roots = dict(self._rooted(number, reading))
            for done, seen in enumerate(reading.nodes()):
                self._lines.node(roots[seen.root], seen, picking)
                for picked in picking.rows(seen):
                    self._lines.add(number, roots[seen.root], seen, picked)
                if done % 1000 == 0:
                    self.progress(f"run {number + 1} of {len(self._runs)}", done, reading.outline.n)
            self._first += picking.taken
            self._whys += picking.making.whys
            self._note(reading, labels_hash(labels), imported=run in imported)
        self._whys += self._lines.whys
        staging.index()

    def _note(self, reading: Reading, labels: str, *, imported: bool) -> None:
        """Keep what the manifest says of a run."""
        started, run = reading.started, reading.run
        self._models |= started.rates.keys()
        if self.recipe.decides:
            self._prompts |= {f"{run} {name}": sha(text) for name, text in started.prompts.items()}
        self._entries.append(
            RunEntry(
                run=run,
                hash=run_hash(self.store, run),
                labels=labels,
                roots=started.count,
                nodes=reading.outline.n,
                players=started.players,
                seed=started.seed,
                imported=imported,
            )
        )

    def _rooted(self, number: int, reading: Reading) -> Iterator[tuple[int, int]]:
        """The roots of a run, each with its id."""
        entries = len(reading.plan.entries)
        for question, root in enumerate(reading.plan.questions):
            about, mark = self._lines.marked(root)
            rooted = Rooted(number, question * entries, about, mark, root.text.body)
            for place in range(entries):
                numbered = rooted._replace(root=question * entries + place)
                yield numbered.root, self._lines.root(numbered)

    def _divide(self, staging: Staging) -> Divided:
        recipe = self.recipe
        self.progress("dividing roots", 0, 0)
        dividing = Dividing(recipe.splits, recipe.seed, recipe.near)
        divided = dividing.divide(staging, self._earlier.roots if self._earlier else ())
        if self._earlier:
            names = recipe.splits.names
            staging.insert("earlier", self._earlier.rows(names))
        held: dict[int, list[tuple[int, int]]] = {}
        found = staging.query(
            "SELECT run, root, side FROM roots WHERE side > 0 AND lost IS NULL ORDER BY id"
        )
        for run, root, side in found:
            held.setdefault(run, []).append((root, side))
        reach(staging, lambda run: self.store.outline(self._runs[run]), held)
        return divided

    @property
    def _cleaning(self) -> Cleaning:
        recipe = self.recipe
        return Cleaning(
            apart=recipe.apart,
            best=recipe.best is not None,
            drop_near=recipe.drop_near,
            balance=recipe.balance,
            extends=self._earlier is not None,
        )

    def _taken(self) -> Iterator[Taken]:
        """What the filters took that look at one row alone, in their order."""
        for name, what in ALONE.items():
            if rows := self._first[name] + self._lines.taken[name]:
                yield Taken(name, rows, what)

    def _write(
        self, folder: Path, staging: Staging, divided: Divided, taken: Iterable[Taken]
    ) -> Manifest:
        recipe, earlier = self.recipe, self._earlier
        names = recipe.splits.names
        with Shards(folder, recipe.built.columns, recipe.container, recipe.rows) as shards:
            if earlier:
                shards.carry(earlier.folder, earlier.manifest.files)
            for done, (kind, side, line, origin) in enumerate(staging.kept()):
                shards.write(kind, names[side], line, origin)
                if done % 1000 == 0:
                    self.progress("writing rows", done, 0)
            files = shards.close()
        counts = counted(files)
        files.append(write_lines(folder, ROOTS, self._roots(staging)))
        bridges = list(self._bridges(staging))
        if bridges:
            files.append(write_lines(folder, BRIDGES, bridges))
        if self._lines.removed:
            files.append(write_lines(folder, REMOVED, self._lines.removed))
        runs = len({*self._runs, *(earlier.runs if earlier else ())})
        card = Card(
            recipe.format.name, recipe.container, recipe.built.columns, counts, runs, recipe.command
        )
        for name, text in {CARD: card.text(), **recipe.built.beside(_folders(files))}.items():
            files.append(write_text(folder, name, text))
        manifest = self._manifest(divided, taken, files, len(bridges))
        manifest.write(folder)
        return manifest

    def _manifest(
        self, divided: Divided, taken: Iterable[Taken], files: list[FileEntry], bridges: int
    ) -> Manifest:
        recipe, models = self.recipe, sorted(self._models)
        before = self._earlier.manifest.runs if self._earlier else ()
        known = {entry.run: entry for entry in (*before, *self._entries)}
        runs = tuple(entry for _, entry in sorted(known.items()))
        counts = recipe.tokenizer
        return Manifest(
            hch=__version__,
            store=store_hash(runs),
            runs=runs,
            options=recipe.options(),
            prompts=self._prompts,
            models=tuple(models),
            sampling={model: dict(Spec.parse(model).options) for model in models},
            counts=counted(files),  # type: ignore[arg-type]
            filters=tuple(FilterEntry(name=t.name, taken=t.rows, what=t.what) for t in taken),
            split=SplitEntry(
                rule=RULE,
                seed=recipe.seed,
                shares={name: float(share) for name, share in recipe.splits.shares},
                near=recipe.near,
                groups=divided.groups,
                largest=divided.largest,
                bridges=bridges,
            ),
            decontamination=self._decontamination(),
            tokenizer=TokenizerEntry(name=counts.name, hash=counts.hash) if counts else None,
            extends=self._earlier.manifest.hash() if self._earlier else None,
            files=tuple(sorted(files, key=lambda entry: entry.path)),
        )

    def _decontamination(self) -> Decontamination | None:
        if (against := self.recipe.against) is None:
            return None
        files = tuple(Against(file=f.name, sha256=f.sha256) for f in against.files)
        return Decontamination(files=files, removed=len(self._lines.removed))

    def _roots(self, staging: Staging) -> Iterator[str]:
        """The lines of `roots.jsonl`, those of the dataset that is extended first."""
        if self._earlier:
            yield from self._earlier.lines
        found = staging.query(
            "SELECT run, root, about, text, team, side, lost FROM roots ORDER BY id"
        )
        for run, root, about, text, team, side, lost in found:
            line = {
                "run": self._runs[run],
                "root": root,
                "split": self.recipe.splits.names[side],
                "group": team,
                "about": about.hex(),
                "text": text,
            }
            if lost is None:
                yield json.dumps(line)

    def _bridges(self, staging: Staging) -> Iterator[str]:
        found = staging.query("SELECT run, root, text FROM roots WHERE lost = 'bridge' ORDER BY id")
        for run, root, text in found:
            yield json.dumps({"run": self._runs[run], "root": root, "text": text})

    def _nothing(self, taken: Iterable[Taken]) -> str:
        if self.recipe.alternatives and set(self._whys) <= {UNRECORDED}:
            return NONE_RECORDED
        told = ", ".join(f"{t.name} took {t.rows:,}" for t in taken if t.rows)
        whys = "; ".join(f"{n:,} times {why}" for why, n in self._whys.most_common(3))
        nodes = sum(entry.nodes for entry in self._entries)
        kinds = " or ".join(self.recipe.kinds)
        parts = (f"{nodes:,} nodes make no {kinds} row to be written", told, whys)
        return ": ".join(filter(None, parts))


RULE = "by root question; near-equal roots together"

ALONE = {
    "not answered": "nodes that ended without an answer",
    "not clean": "nodes with a failure, a refusal, a cut or a fallback in them or below",
    "untrusted": "nodes that read text which nobody vouches for",
    "not amplified": "answers of level 0 by itself, and those that a vote or a check considered",
    "where": "rows that do not fit --where",
    "bad": "rows of an answer that was labelled bad",
    "lacks": "rows that the format cannot hold",
    "length": "rows of more or fewer tokens or characters than asked for",
    "contaminated": "rows that share text with a file that must not be learned",
}
"""The filters that look at one row alone, in their order, and what they take."""


def _folders(files: Iterable[FileEntry]) -> dict[str, list[str]]:
    """The files of rows by their folder."""
    found: dict[str, list[str]] = {}
    for entry in sorted(files, key=lambda entry: entry.path):
        folder, _, name = entry.path.rpartition("/")
        if folder and not folder.startswith("origins/"):
            found.setdefault(folder, []).append(name)
    return found
