"""Trees on the real store that are killed, and resumed, and killed again: nothing paid is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from random import Random

import pytest

from hch.types import digest
from tests.chaos.campaign import DEPTH, AtPoint, Campaign, Death, InMidstream, InTime
from tests.chaos.provider import Provider
from tests.chaos.warm import Warm
from tests.promises import LONG, Promise

AT_ONCE = 20 if LONG else 4
"""Kills of one test."""

EVENTS = ("RunStarted", "CallIntended", "CallFinished", "NodeClosed", "RunFinished")
POINTS = {
    "group": 8,
    "rows": 8,
    "commit": 8,
    **{f"{side}-{event}": 60 for side in ("before", "after") for event in EVENTS},
}
"""Where a process can be made to kill itself, and how often it comes there alive at the most."""


def random_death(rng: Random) -> Death:
    """At any time, from before the run begins to after it has ended, or in the middle of a call."""
    if rng.random() < 0.5:
        return InTime(rng.triangular(0.0, 1.1, 0.2))
    return InMidstream(int(rng.triangular(1, 300, 1)))


def kill(
    warm: Warm, promise: Promise, kills: int, death: Callable[[Random], Death], seed: object
) -> None:
    """So many kills of as many trees as they take."""
    rng = Random(digest("chaos", seed))
    provider = Provider("0", DEPTH, seed=rng.randrange(10**6), refused=1 / 150)
    with provider.serve() as server:
        campaign = Campaign(warm, provider, server.url, rng, promise)

        def deaths() -> Iterator[Death]:
            while campaign.kills < kills:
                yield death(rng)

        for number in count():
            campaign.grow(f"{number}.db", deaths())
            if campaign.kills >= kills:
                break


@pytest.mark.parametrize("seed", range(2000 // AT_ONCE if LONG else 40 // AT_ONCE))
def test_I1_I2_I3_I4_I5_I13_hold_through_kills_at_random_times(  # noqa: N802
    seed: int, warm: Warm, promise: Promise
) -> None:
    kill(warm, promise, AT_ONCE, random_death, seed)


@pytest.mark.parametrize("point", POINTS)
def test_I1_I2_I3_I4_I5_I13_hold_through_kills_at_each_commit_point(  # noqa: N802
    point: str, warm: Warm, promise: Promise
) -> None:
    def death(rng: Random) -> Death:
        once = point.endswith(("RunStarted", "RunFinished"))
        return AtPoint(f"{point}:{1 if once else rng.randint(1, POINTS[point])}")

    kill(warm, promise, 40 if LONG else 3, death, point)
