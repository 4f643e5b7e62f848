"""Labels every node of a run that something can tell of, in chunks: a task's truth, or a scorer.

A label is given only where it says something else than the one before by the same.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from hch.evals.truth import Truth
from hch.keeping import Store
from hch.labels import Label, latest
from hch.outline import Outline

TOGETHER = 500
"""The labels that are taken back at once."""


def label_all(store: Store, run: str, truth: Truth, by: str, at: float) -> Counter[str]:
    """Label each answer that can be told `good` or `bad`; how many of each, and how many are `new`.

    `at` is the time of the labels, in Unix seconds. Raises StoreError.
    """
    counts: Counter[str] = Counter(good=0, bad=0, new=0)
    outline = store.outline(run)
    answered = (node for node in range(outline.n) if outline.state(node) == "answered")
    for verdicts in truth.verdicts(store, run, outline, answered):
        labels = [
            Label(key=v.key, by=by, at=at, said="good" if v.right else "bad") for v in verdicts
        ]
        counts.update(label.said for label in labels if label.said)
        counts["new"] += _give(store, run, labels)
    return counts


def clear_all(store: Store, run: str, by: str, at: float) -> int:
    """Take back every label by `by`; how many there were. Raises StoreError."""
    return sum(
        _give(store, run, [Label(key=key, by=by, at=at) for key in some])
        for some in _keys(store.outline(run))
    )


def _give(store: Store, run: str, labels: list[Label]) -> int:
    """Keep those that say something else than before; how many those are."""
    known = latest(store.labels(run, [label.key for label in labels]))
    new = []
    for label in labels:
        before = known.get((label.key, label.by), Label(key=label.key, by=label.by, at=label.at))
        later = label.model_copy(update={"at": max(label.at, before.at)})
        if before.model_copy(update={"at": later.at}) != later:
            new.append(later)
    store.label(run, new)
    return len(new)


def _keys(outline: Outline) -> Iterator[list[str]]:
    left = iter(json.loads(outline.keys))
    while some := list(islice(left, TOGETHER)):
        yield some
