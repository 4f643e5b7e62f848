"""Points at which a test kills this process: `HCH_FAIL=POINT:K`, the K-th time that it comes there.

group        a group of events is about to be written into the store
rows         its rows are written, and not yet committed
commit       it is committed, and nobody has been told
before-TYPE  an event of that type (`before-CallFinished`) is in the group about to be written
after-TYPE   such an event is committed, and nobody has been told
migrate      a store is brought up to date, and it is not yet committed
remove       runs are removed, and it is not yet committed
import       a run is brought in, and it is not yet committed
shelve       texts are put on the shelf, and it is not yet committed
label        labels are kept beside a run, and it is not yet committed
place        a dataset is being put at its place, step by step
"""

from __future__ import annotations

import os
import re
import signal

from hch.environment import variable
from hch.errors import ConfigError

POINTS = ("group", "rows", "commit", "migrate", "remove", "import", "shelve", "label", "place")

_SPELT = re.compile(rf"({'|'.join(POINTS)}|before-[A-Za-z]+|after-[A-Za-z]+):([1-9][0-9]*)")


class Failpoint:
    """The one point that is armed, and how often it is still passed alive."""

    def __init__(self, point: str, times: int) -> None:
        self._point = point
        self._left = times

    def reach(self, point: str) -> None:
        """End this process by SIGKILL where this is the point, and it is its time."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def armed() -> Failpoint | None:
    """The point that HCH_FAIL names; None where it is not set. Raises ConfigError for nonsense."""
    said = variable("HCH_FAIL")
    if not said:
        return None
    found = _SPELT.fullmatch(said)
    if found is None:
        raise ConfigError(
            f"HCH_FAIL={said!r} is no point and number, as in commit:3: there are "
            f"{', '.join(POINTS)}, before-EVENT and after-EVENT"
        )
    return Failpoint(found[1], int(found[2]))
