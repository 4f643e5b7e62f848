"""A dataset, from runs to a folder: rows are picked, cleaned, divided into splits, and written.

The same runs and the same recipe give the same bytes, in whatever order the runs are named.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hch.datasets.account import Account
from hch.datasets.advice import Built, labelling, nothing, unrated
from hch.datasets.card import FILE as CARD
from hch.datasets.card import Card
from hch.datasets.cleaning import TAUGHT, Cleaning, Taken
from hch.datasets.dividing import Divided, Dividing, reach
from hch.datasets.earlier import Earlier
from hch.datasets.lines import Lines
from hch.datasets.manifest import FileEntry, counted, totals
from hch.datasets.picking import Left, Picking, Wanted
from hch.datasets.place import building, give_up
from hch.datasets.reading import Reading
from hch.datasets.recipe import Recipe
from hch.datasets.shards import Shards, write_lines, write_text
from hch.datasets.staging import Rooted, Staging
from hch.errors import UsageError
from hch.keeping import Store
from hch.labels import told

Progress = Callable[[str, int, int], None]
"""Told what is done, how much of it, and of how much; 0 where that is not known."""

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


@dataclass
class Build:
    """One build of one recipe, of runs of a store. `runs` are ids, in any order.

    Raises UsageError for what cannot be, StoreError for a run that is not there.
    """

    store: Store
    runs: Sequence[str]
    recipe: Recipe
    progress: Progress = field(default=lambda *_: None)
    _out: Path | None = None

    def into(self, out: Path, *, force: bool = False) -> Built:
        """Make the dataset, which is at `out` when this returns, whole."""
        recipe = self.recipe
        earlier = Earlier.read(recipe) if recipe.extends else None
        self._account = Account(self.store, recipe, self._wanted, earlier)
        self._whys = Counter[str]()
        with ExitStack() as stack:
            folder = stack.enter_context(building(out, force=force))
            self._out = out
            staging = stack.enter_context(Staging())
            self._lines = Lines(recipe, staging)
            self._pick(staging)
            self._check_rated(staging)
            divided = self._divide(staging, earlier)
            taken = [*self._alone(), *self._cleaning.clean(staging)]
            if not staging.one("SELECT count(*) FROM rows WHERE lost IS NULL"):
                raise UsageError(self._nothing(taken))
            files = list(self._written(folder, staging, earlier))
            taught = int(staging.one(TAUGHT)) if earlier else 0
            manifest = self._account.manifest(divided, taken, files, taught)
            manifest.write(folder)
        before = totals(earlier.manifest.counts) if earlier else 0
        return Built(manifest, self._whys, self.runs, self._account.labelled, before)

    def give_up(self) -> None:
        """Take away what was begun, for a process that ends at once."""
        if self._out is not None:
            give_up(self._out)

    @cached_property
    def _wanted(self) -> Wanted:
        recipe = self.recipe
        return Wanted(
            kinds=recipe.kinds,
            direct=recipe.direct,
            where=recipe.where,
            partial=recipe.partial,
            untrusted=recipe.untrusted,
            wrong=recipe.wrong,
            tries=recipe.built.judged,
            alternatives=recipe.alternatives,
        )

    @property
    def _cleaning(self) -> Cleaning:
        recipe = self.recipe
        return Cleaning(
            apart=recipe.apart,
            best=recipe.best is not None,
            drop_near=recipe.drop_near,
            balance=recipe.balance,
            extends=recipe.extends is not None,
        )

    def _pick(self, staging: Staging) -> None:
        """Every row of every run, staged; what is known of the runs."""
        runs, lines = sorted(set(self.runs)), self._lines
        for number, run in enumerate(runs):
            labels = self.store.labels(run)
            reading = Reading(self.store, run, calls=self._wanted.calls)
            picking = Picking(reading, told(labels), self._wanted)
            roots = dict(self._rooted(number, reading))
            for done, seen in enumerate(reading.nodes()):
                root = roots[seen.root]
                lines.node(number, root, seen, picking)
                for found in picking.rows(seen):
                    if isinstance(found, Left):
                        lines.leave(number, seen, found.rule, found.kind)
                    else:
                        lines.add(number, root, seen, found)
                if done % 1000 == 0:
                    self.progress(f"run {number + 1} of {len(runs)}", done, reading.outline.n)
            self._whys += picking.making.whys
            self._account.take(reading, labels)
        self._whys += lines.whys
        staging.index()

    def _check_rated(self, staging: Staging) -> None:
        """Raises UsageError where nothing says of any sample how good it is."""
        best, rated = self.recipe.best, "SELECT count(best) FROM roots"
        if best is not None and not staging.one(rated):
            raise UsageError(unrated(best.by, self.runs))

    def _rooted(self, number: int, reading: Reading) -> Iterator[tuple[int, int]]:
        """The roots of a run, each with its id."""
        entries = len(reading.plan.entries)
        for question, root in enumerate(reading.plan.questions):
            about, mark = self._lines.marked(root)
            rooted = Rooted(number, question * entries, about, mark, root.text.body)
            for place in range(entries):
                numbered = rooted._replace(root=question * entries + place)
                yield numbered.root, self._lines.root(numbered)

    def _divide(self, staging: Staging, earlier: Earlier | None) -> Divided:
        recipe, runs = self.recipe, self._account.runs
        self.progress("dividing roots", 0, 0)
        dividing = Dividing(recipe.splits, recipe.seed, recipe.near)
        divided = dividing.divide(staging, earlier.roots if earlier else ())
        if earlier:
            staging.insert("earlier", earlier.rows(recipe.splits.names))
        held: dict[int, list[tuple[int, int, int]]] = {}
        found = staging.query(
            "SELECT run, id, root, side FROM roots WHERE side > 0 AND lost IS NULL ORDER BY id"
        )
        for run, *root in found:
            held.setdefault(run, []).append((root[0], root[1], root[2]))
        reach(staging, lambda run: self.store.outline(runs[run]), held)
        return divided

    def _alone(self) -> Iterator[Taken]:
        """What the filters took that look at one row alone, in their order."""
        for name, what in ALONE.items():
            if rows := self._lines.taken[name]:
                yield Taken(name, rows, what)

    def _written(
        self, folder: Path, staging: Staging, earlier: Earlier | None
    ) -> Iterator[FileEntry]:
        """Every file but the manifest, as it is written."""
        recipe, account = self.recipe, self._account
        names = recipe.splits.names
        for name, lines in account.lists(staging):
            yield write_lines(folder, name, lines)
        with Shards(folder, recipe.built.columns, recipe.container, recipe.rows) as shards:
            if earlier:
                shards.carry(earlier.folder, earlier.manifest.files)
            for done, (kind, side, line, origin) in enumerate(staging.kept()):
                shards.write(kind, names[side], line, origin)
                if done % 1000 == 0:
                    self.progress("writing rows", done, 0)
            files = shards.close()
        yield from files
        card = Card(
            recipe.format.name,
            recipe.container,
            recipe.built.columns,
            counted(files),
            len(account.entries),
            recipe.command,
        )
        texts = {CARD: card.text(), **recipe.built.beside(_folders(files))}
        for name, text in texts.items():
            yield write_text(folder, name, text)

    def _nothing(self, taken: Iterable[Taken]) -> str:
        account = self._account
        nodes = sum(account.entries[run].nodes for run in account.runs)
        label = "" if account.labelled else labelling(self.runs)
        return nothing(self.recipe, nodes, taken, self._whys, label)


def _folders(files: Iterable[FileEntry]) -> dict[str, list[str]]:
    """The files of rows by their folder."""
    found: dict[str, list[str]] = {}
    for entry in sorted(files, key=lambda entry: entry.path):
        folder, _, name = entry.path.rpartition("/")
        if not folder.startswith("origins/"):
            found.setdefault(folder, []).append(name)
    return found
