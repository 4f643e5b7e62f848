"""What a build of a dataset comes to, told while it goes on and when it is done."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any, Self

from hch.commands._terminal import mutter
from hch.datasets.advice import Built
from hch.datasets.manifest import totals
from hch.safe_text import one_line
from hch.words import count

EVERY = 0.2
"""Seconds between two lines of progress."""


def as_data(built: Built) -> dict[str, Any]:
    """What came of it, as JSON."""
    manifest = built.manifest
    return {
        "counts": manifest.counts,
        "filters": [entry.model_dump() for entry in manifest.filters],
        "split": manifest.split.model_dump(),
        "files": len(manifest.files),
        "whys": dict(built.whys),
    }


def report(built: Built, out: str) -> Iterator[str]:
    """What came of it, in lines."""
    manifest = built.manifest
    rows = totals(manifest.counts)
    new = f", {built.before:,} of them as they were" if built.before else ""
    yield f"wrote {count(rows, 'row')} of {count(len(manifest.runs), 'run')} to {out}{new}"
    for kind, splits in manifest.counts.items():
        told = ", ".join(f"{name} {number:,}" for name, number in splits.items())
        yield f"  {kind}: {told}"
    for entry in manifest.filters:
        if entry.taken:
            what = f" ({entry.what})" if entry.what else ""
            yield f"  {entry.name}: left out {entry.taken:,}{what}"
    if (against := manifest.decontamination) is not None:
        names = ", ".join(one_line(file.file, 40) for file in against.files)
        yield f"  held against {names}: {count(against.removed, 'row')} taken"
    for why, times in sorted(built.whys.items()):
        yield f"  no row {times:,} times: {why}"
    yield from built.advice()


class Progress:
    """One line on the terminal that is written over."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._last, self._shown = quiet, 0.0, False

    def __call__(self, what: str, done: int, of: int) -> None:
        if self._quiet or monotonic() - self._last < EVERY:
            return
        self._last, self._shown = monotonic(), True
        much = f"{done:,} of {of:,}" if of else f"{done:,}" if done else ""
        mutter(f"\r\x1b[K{what} {much}".rstrip())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._shown:
            mutter("\r\x1b[K")
