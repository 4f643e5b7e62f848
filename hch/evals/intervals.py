"""Intervals of 95% for what a sample says of a share and of a mean."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from random import Random
from statistics import fmean, stdev

Z = 1.959963985
"""The 0.975 quantile of the normal distribution."""


def wilson(right: float, of: float, z: float = Z) -> tuple[float, float]:
    """The score interval of a share: Wilson 1927, Probable Inference, JASA 22 (158), 209-212."""
    share, spread = right / of, z * z / of
    middle = share + spread / 2
    half = z * sqrt(share * (1 - share) / of + spread / (4 * of))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def normal(values: Sequence[float]) -> tuple[float, float]:
    """The mean of independent values, and how far the true one may be from it."""
    return fmean(values), Z * stdev(values) / sqrt(len(values))


def bootstrapped(values: Sequence[float], times: int = 1000) -> tuple[float, float]:
    """An interval of the mean of independent values, for few of them or skewed ones.

    By the percentiles of resampled means: Efron 1979, Bootstrap methods, Ann. Statist. 7 (1), 1-26.
    """
    rng = Random(0)
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(times))
    return means[times // 40], means[-1 - times // 40]
