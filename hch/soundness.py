"""Whether a run that comes from elsewhere can be one of ours: checked event by event.

Then a `Trace` can be folded of it: every node hangs on a root, and (level, wrappers left) falls
from asker to asked, so that there is no circle; and what it says of its set-up can be built again.
Kept meanwhile is a key and a few numbers for each node, no text.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from hch.beginning import check_started, validated
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    RootOpened,
    RunFinished,
    RunResumed,
    RunStarted,
    Thought,
)
from hch.examination import Entry
from hch.nodes import wrappers
from hch.wire import Chars, Polled, Wire

LATEST = 2.0**35
"""In Unix seconds; what is later than the year 3058, calendars cannot show everywhere."""

TRIES = 10_000
"""More than any vote makes."""

ASKED = 10**7
"""More sub-questions than any reply has."""

MOST = 2**53
"""More tokens than any reply has; more could not be counted exactly everywhere."""


class Sampled(Wire):
    """What `CallIntended.sampling` may hold."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: list[Chars] | None = None
    logprobs: int | None = None


class Family:
    """Who asked whom. A node that is opened again begins again, and has asked nobody yet."""

    def __init__(self) -> None:
        self._roots: dict[int, str] = {}
        self._asked: dict[str, list[str]] = {}

    def take(self, event: Event) -> None:
        match event:
            case RootOpened():
                self._roots[event.index] = event.key
            case NodeOpened():
                self._asked[event.key] = []
            case Asked(child=str(child)):
                self._asked.setdefault(event.parent, []).append(child)

    def standing(self) -> set[str]:
        """The nodes that were opened and hang on a root."""
        found: set[str] = set()
        stack = list(self._roots.values())
        while stack:
            key = stack.pop()
            if key in self._asked and key not in found:
                found.add(key)
                stack += self._asked[key]
        return found


def _check_ballot(ballot: Polled) -> None:
    votes = [n for _, n in ballot.votes]
    if not (all(n > 0 for n in votes) and sum(votes) <= ballot.tries <= ballot.of <= TRIES):
        raise ValueError(f"{len(votes)} answers cannot have these votes of {ballot.tries} tries")


@lru_cache
def _pair(one: int, two: int) -> tuple[int, int]:
    """The same object for equal numbers: there are few of them, and many nodes."""
    return one, two


@dataclass(slots=True)
class Seen:
    """What is kept of a node: its place, and if it was opened, its rank and the last slot.

    `below` is the lowest rank of those that ask it; a rank is (level, wrappers left).
    """

    place: tuple[int, int]
    rank: tuple[int, int] | None = None
    below: tuple[int, int] | None = None
    slot: int = -1

    def check(self) -> None:
        """Raises ValueError where it does not come after all who ask it."""
        if self.rank and self.below and self.rank >= self.below:
            raise ValueError("(level, wrappers left) must fall from asker to asked")


class Soundness:
    """Takes a run's records in order. Raises ValueError, saying why, for one that cannot be."""

    def __init__(self) -> None:
        self._started: RunStarted | None = None
        self._finished = False
        self._roots: dict[int, str] = {}
        self._closed: set[str] = set()
        self._lineups: list[tuple[str, ...]] = []
        self._seen: dict[str, Seen] = {}
        self._family = Family()

    def take(self, record: Record) -> None:
        event = record.event
        if not 0 <= record.at < LATEST:
            raise ValueError(f"{record.at} is no time of day")
        if (self._started is None) != isinstance(event, RunStarted):
            raise ValueError("a run begins with one RunStarted, and has no other")
        if self._finished and not isinstance(event, RunResumed):
            raise ValueError(f"{event.type} comes after RunFinished")
        self._take_run(event)
        self._take_node(event)
        self._family.take(event)

    def knows(self, key: str) -> bool:
        """Whether there is such a node, and it was opened."""
        return key in self._seen and self._seen[key].rank is not None

    def _take_run(self, event: Event) -> None:
        match event:
            case RunStarted():
                check_started(event)
                self._started = event
                lineups = (event.players, *event.lineups)
                entries = [Entry(**entry) for entry in event.roots.get("entries", [{}])]
                self._lineups = [lineups[entry.lineup] for entry in entries]
            case CallIntended():
                validated(Sampled, event.sampling, "sampling")
            case CallFinished() if not all(0 <= n < MOST for n in event.usage):
                raise ValueError(f"usage: {event.usage} are no numbers of tokens")
            case RunResumed():
                self._finished = False
            case RunFinished():
                self._finish()

    def _take_node(self, event: Event) -> None:
        match event:
            case RootOpened():
                self._root(event)
            case NodeOpened():
                self._open(event)
            case Asked():
                self._ask(event)
            case Thought(parent=key) | PrimitiveAnswered(parent=key):
                self._opened(key)
            case NodeClosed(key=key):
                self._opened(key)
                self._closed.add(key)
                if event.ballot:
                    _check_ballot(event.ballot)

    def _root(self, event: RootOpened) -> None:
        assert self._started is not None, "it came first"
        if not 0 <= event.index < self._started.count:
            raise ValueError(f"there is no root {event.index}: the run has {self._started.count}")
        if self._roots.setdefault(event.index, event.key) != event.key:
            raise ValueError(f"root {event.index} has another key than before")
        players = self._lineups[event.index % len(self._lineups)]
        self._place(event.key, (len(players) - 1, 0))

    def _open(self, event: NodeOpened) -> None:
        if event.key not in self._seen:
            raise ValueError("nobody has asked the node that opens: it hangs on no root")
        seen = self._place(event.key, _pair(event.level, event.wrapper))
        left = wrappers(event.player) - event.wrapper
        if left < 0:
            raise ValueError(f"{event.player!r} has no wrapper number {event.wrapper}")
        seen.rank, seen.slot = _pair(event.level, left), -1
        seen.check()
        self._closed.discard(event.key)

    def _ask(self, event: Asked) -> None:
        asker = self._opened(event.parent)
        if event.slot <= asker.slot:
            raise ValueError(f"slot {event.slot} does not follow slot {asker.slot}")
        asker.slot = event.slot
        if not 0 <= event.more <= (ASKED if event.how == "ask" else TRIES):
            raise ValueError(f"{event.more} more questions are not asked in one round")
        if (event.child is None) == (event.refusal is None):
            raise ValueError("what is asked has either a child or a refusal")
        if event.child is not None:
            level, wrapper = asker.place
            below = {"ask": (level - 1, 0), "try": (level, wrapper + 1), "put": (level, 0)}
            asked = self._place(event.child, _pair(*below[event.how]))
            assert asker.rank is not None, "it was opened"
            asked.below = min(asker.rank, asked.below or asker.rank)
            asked.check()

    def _place(self, key: str, place: tuple[int, int]) -> Seen:
        """A node has one place, which is below that of all who ask it."""
        if place[0] < 0:
            raise ValueError("a node of level 0 has asked another")
        seen = self._seen.setdefault(key, Seen(place))
        if seen.place != place:
            raise ValueError(
                f"a node is at level {place[0]}, wrapper {place[1]}, and was at level "
                f"{seen.place[0]}, wrapper {seen.place[1]}: levels must fall"
            )
        return seen

    def _opened(self, key: str) -> Seen:
        """What is kept of an open node. Raises ValueError for any other."""
        seen = self._seen.get(key)
        if seen is None or seen.rank is None:
            raise ValueError("the node that it is about was never opened")
        return seen

    def _finish(self) -> None:
        assert self._started is not None, "it came first"
        roots = self._roots.values()
        opened = all(key in self._seen and self._seen[key].rank for key in roots)
        if len(self._roots) != self._started.count or not opened:
            raise ValueError("the run has finished, and not all of its roots were opened")
        if left := self._family.standing() - self._closed:
            raise ValueError(f"the run has finished, and {len(left)} of its nodes were not closed")
        self._finished = True
