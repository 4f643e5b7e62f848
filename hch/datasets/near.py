"""Which texts are nearly the same: groups by the Jaccard similarity of sets of characters in a row.

Broder 1997, "On the resemblance and containment of documents". Pairs that may be near enough are
found by MinHash signatures in bands (locality-sensitive hashing; Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", section 3.4), and each is compared exactly, so that no pair is joined
wrongly. One at the threshold is not found with a chance of at most 1 in a million (`missed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from hch.datasets.normal import normal
from hch.errors import ConfigError, UsageError

WIDTH = 5
"""The characters of a shingle."""

LONGEST = 100_000
"""Of a longer text, so many characters of its normal form are compared."""

PERMUTATIONS = 128
CERTAIN = 1e-6
"""The most that the chance to miss a pair at the threshold may be."""

_SPREAD = 5.5
"""Signatures this many standard deviations below the threshold are no candidates: 2e-8 of them."""

_ROUNDED = 1e-9

_KEPT = 4096
"""The sets of shingles that are kept at once."""

Shingles: TypeAlias = Callable[[int], frozenset[str]]


def joined(texts: Sequence[str], threshold: float = 0.8) -> list[int]:
    """For each text the index of the first of its group.

    Two texts are joined where the sets of 5-grams of characters of their normal forms have at least
    that Jaccard similarity, and groups are what hangs together so. A text of fewer characters is
    one 5-gram. Raises UsageError for a threshold outside 0 to 1, ConfigError where datasketch is
    not installed.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"a similarity is above 0 and at most 1, not {threshold}")
    forms: dict[str, int] = {}
    which = [forms.setdefault(normal(text), len(forms)) for text in texts]
    groups = _grouped([form[:LONGEST] for form in forms], threshold)
    first: dict[int, int] = {}
    return [first.setdefault(int(groups[form]), index) for index, form in enumerate(which)]


def missed(threshold: float, similarity: float) -> float:
    """The chance that a pair of that similarity is in no band together, at that threshold."""
    rows = _rows(threshold)
    return float((1 - similarity**rows) ** (PERMUTATIONS // rows))


def shingles(form: str) -> frozenset[str]:
    """The 5-grams of the characters of a normal form."""
    return frozenset(form[i : i + WIDTH] for i in range(max(1, len(form) - WIDTH + 1)))


def _rows(threshold: float) -> int:
    """The most rows of a band with which pairs at the threshold are still found."""
    return max(
        (r for r in range(1, 65) if (1 - threshold**r) ** (PERMUTATIONS // r) <= CERTAIN), default=1
    )


def _grouped(forms: Sequence[str], threshold: float) -> Any:
    """For each form the number of its group."""
    pairs = _Pairs(forms, threshold)
    groups = _Groups(len(forms))
    read = lru_cache(maxsize=_KEPT)(lambda index: shingles(forms[index]))
    for bucket, band in pairs.buckets():
        for at, one in enumerate(bucket[:-1]):
            later = bucket[at + 1 :]
            apart = later[groups.of[later] != groups.of[one]]
            if not apart.size:
                continue
            for other in pairs.candidates(one, apart, band):
                if groups.of[one] != groups.of[other] and _near(read, one, other, threshold):
                    groups.join(one, other)
    return groups.of


def _empty() -> Any:
    """The signature of no text."""
    try:
        from datasketch import MinHash
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"near-equal texts are found by {error.name!r}, which is not installed: "
            "pip install 'hch[data]'"
        ) from error
    return MinHash(num_perm=PERMUTATIONS, seed=1)


def _near(read: Shingles, one: int, other: int, threshold: float) -> bool:
    left, right = read(one), read(other)
    both = len(left & right)
    return both / (len(left) + len(right) - both) >= threshold


class _Groups:
    """Numbers in groups, each named by one of its members; `of` is that of each, as an array."""

    def __init__(self, count: int) -> None:
        import numpy as np

        self.of: Any = np.arange(count)
        self._members: dict[int, list[int]] = {}

    def join(self, one: int, other: int) -> None:
        """Make one of two groups: the members of the smaller change their name."""
        names = int(self.of[one]), int(self.of[other])
        parts = {name: self._members.pop(name, [name]) for name in names}
        small, large = sorted(names, key=lambda name: (len(parts[name]), -name))
        self.of[parts[small]] = large
        self._members[large] = parts[large] + parts[small]


class _Pairs:
    """The pairs that may be near enough, by their signatures."""

    def __init__(self, forms: Sequence[str], threshold: float) -> None:
        empty = _empty()
        import numpy as np  # datasketch brings it

        self._rows = _rows(threshold)
        self._bands = PERMUTATIONS // self._rows
        self._threshold = threshold
        spread = (PERMUTATIONS * threshold * (1 - threshold)) ** 0.5
        self._least = PERMUTATIONS * threshold - _SPREAD * spread
        self._signatures: Any = np.empty((len(forms), PERMUTATIONS), np.uint32)  # [N, 128]
        self._sizes: Any = np.empty(len(forms), np.int64)  # [N]
        for index, form in enumerate(forms):
            found = shingles(form)
            signed = empty.copy()
            signed.update_batch(shingle.encode("utf-8", "surrogatepass") for shingle in found)
            self._signatures[index], self._sizes[index] = signed.hashvalues, len(found)

    def buckets(self) -> Iterator[tuple[Any, int]]:
        """Those that have a band in common, in ascending order, and the number of the band."""
        import numpy as np

        for band in range(self._bands):
            rows = self._signatures[:, band * self._rows : (band + 1) * self._rows]
            data = np.ascontiguousarray(rows).tobytes()
            width = rows.shape[1] * rows.itemsize
            found: dict[bytes, list[int]] = {}
            for index in range(len(rows)):
                found.setdefault(data[index * width : (index + 1) * width], []).append(index)
            yield from ((np.array(several), band) for several in found.values() if len(several) > 1)

    def candidates(self, one: int, others: Any, band: int) -> list[int]:
        """Those of the others that may be near enough, and were in no bucket with it before."""
        mine = self._sizes[one]
        sizes = self._sizes[others]
        least = self._threshold - _ROUNDED
        fit = (sizes >= least * mine) & (mine >= least * sizes)
        others = others[fit]
        same = self._signatures[others] == self._signatures[one]  # [n, 128]
        likely = same.sum(1) >= self._least
        before = same[:, : band * self._rows].reshape(len(others), band, self._rows)
        found: list[int] = others[likely & ~before.all(2).any(1)].tolist()
        return found
