"""What is said of a build when it is done, or came to nothing, and what may be done about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hch.datasets.alternatives import NONE_RECORDED, UNRECORDED
from hch.datasets.cleaning import Taken
from hch.datasets.dividing import HELD
from hch.datasets.manifest import Manifest, totals
from hch.datasets.recipe import By, Recipe
from hch.rows import Kind
from hch.words import count

MAKES: Mapping[Kind, str] = {
    "decision": "calls of models make decisions",
    "preference": "votes that are not unanimous and checks that reject make preferences",
    "step": "sub-questions that are labelled or checked make steps",
    "soft": "votes make shares",
}
"""What makes rows of a kind, where that is not any answer."""

LIFTED = {"not clean": "--allow-partial", "untrusted": "--untrusted", "bad": "--wrong"}
"""The flags that take what a filter leaves out, all of it or some."""

MUCH = 0.1
"""The part of the rows, or of the groups, from which on it is said that something took many."""


@dataclass(frozen=True, slots=True)
class Built:
    """What came of a build: its manifest, and why what there was made no row.

    `labelled` is whether anybody said of any node how good it is, `runs` are those that were named
    and `before` the rows of the dataset that was extended.
    """

    manifest: Manifest
    whys: Mapping[str, int]
    runs: Sequence[str]
    labelled: bool = True
    before: int = 0

    def advice(self) -> Iterator[str]:
        """What whoever built it may want to change."""
        split, counts = self.manifest.split, self.manifest.counts
        if not self.labelled:
            yield f"nobody said which answers are right: {labelling(self.runs)}"
        if split.taught:
            yield (
                f"{count(split.taught, 'question')} of held-out trees "
                f"{'was' if split.taught == 1 else 'were'} taught by earlier rows, which stay"
            )
        first = next(iter(split.shares))
        if not any(first in splits for splits in counts.values()):
            yield f"no row is in {first}: there are few groups of roots, try another --seed"
        if split.largest > max(1, MUCH * split.groups):
            yield (
                f"{split.largest:,} root questions are nearly equal, and all in one split: a "
                "higher --near joins fewer"
            )
        rows = totals(counts)
        held = next((f.taken for f in self.manifest.filters if f.name == HELD), 0)
        if held > MUCH * (rows + held):
            yield "many sub-questions are asked in held-out trees too: --apart questions keeps more"


def nothing(
    recipe: Recipe, nodes: int, taken: Iterable[Taken], whys: Counter[str], label: str
) -> str:
    """Why these nodes came to no row; `label` is how to label them, empty where they are."""
    if recipe.alternatives and set(whys) <= {UNRECORDED}:
        return NONE_RECORDED
    made = "makes" if nodes == 1 else "make"
    what = f"{count(nodes, 'node')} {made} no {' or '.join(recipe.kinds)} row to be written"
    told = ", ".join(f"{t.name} took {t.rows:,}{_lifted(t)}" for t in taken if t.rows)
    reasons = "; ".join(f"{n:,} times {why}" for why, n in whys.most_common(3))
    makes = "; ".join(MAKES[kind] for kind in recipe.kinds if kind in MAKES)
    wanted = label if recipe.built.judged or recipe.where.names("label") else ""
    return ": ".join(filter(None, (what, told, reasons, makes, wanted)))


def unrated(by: By, runs: Sequence[str]) -> str:
    """Why no sample can be told best."""
    if by == "score":
        return f"--best score: no root has a score or a label: {labelling(runs)}"
    return f"--best {by}: no root {'was voted on' if by == 'share' else 'is clean'}"


def labelling(runs: Sequence[str]) -> str:
    """How somebody says which answers of these runs are right."""
    return f"hch label {runs[0] if len(set(runs)) == 1 else 'RUN'} --truth, or hch label --help"


def _lifted(taken: Taken) -> str:
    return f" (unless {LIFTED[taken.name]})" if taken.name in LIFTED else ""
