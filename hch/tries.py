"""How often one call is tried, and how long it waits between its tries."""

from __future__ import annotations

from random import uniform

from hch.endpoints import BUSY, Endpoint
from hch.errors import TransientModelError


class Tries:
    """The tries of one call: how many were made, and how many count as its faults.

    A 429 counts only where the endpoint answered nobody since the try before: else it is busy, and
    this call's turn will come.
    """

    MOST = 5
    """So many times the attempts of a call are its tries at most, whether they count or not."""

    def __init__(self, endpoint: Endpoint, answered: int, first: TransientModelError) -> None:
        self.first: TransientModelError | None = first
        self.made = 1
        self._endpoint = endpoint
        self._answered = answered
        self._faults = 0
        self.failed(first)

    def failed(self, error: TransientModelError) -> None:
        answered = self._endpoint.answered
        if error.kind != BUSY or answered == self._answered:
            self._faults += 1
        self._answered, self._retry_after = answered, error.retry_after

    def over(self, attempts: int) -> bool:
        return self._faults >= attempts or self.made >= self.MOST * attempts

    def wait(self, pause: float) -> float:
        """Random seconds, twice as many at most with each fault.

        Where the endpoint named a time, the call is back by then: the pause is for all, and in its
        queue the call has a place.
        """
        longest = pause * min(100, 2 ** max(0, self._faults - 1))
        if self._retry_after:
            longest = min(longest, max(pause, self._retry_after))
        return uniform(0, longest)
