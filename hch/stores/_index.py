"""The index of runs: what a list of runs shows, as a fold over each run's events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from hch.events import (
    CallFailed,
    CallFinished,
    CallIntended,
    Event,
    NodeOpened,
    RootOpened,
    RunFinished,
    RunResumed,
    RunStarted,
)
from hch.growing import Growing
from hch.keeping import RunRow

SHOWN = 200
_MOST = 2**63 - 1


@dataclass(slots=True)
class Tally:
    """One run so far: `last` is the number of its last event, `tree` the outline that grows.

    `root` is the key of root 0.
    """

    run: str
    last: int = 0
    started: float = 0.0
    ended: float = 0.0
    question: str = ""
    players: tuple[str, ...] = ()
    roots: int = 0
    root: str = ""
    finished: bool = False
    calls: int = 0
    tokens: int = 0
    microusd: int = 0
    tree: Growing = field(default_factory=Growing)

    def add(self, at: float, event: Event) -> int:
        """Take in the run's next event; its number."""
        self.last += 1
        if self.last == 1:
            self.started = at
        self.ended = at
        if (step := _STEPS.get(event.type)) is not None:
            step(self, event)
        self.tree.take(self.last, at, event)
        return self.last

    def status(self) -> str:
        """The first root's status, or `unfinished`."""
        return (self.finished and self.tree.status(self.root)) or "unfinished"

    def row(self) -> RunRow:
        return RunRow(
            run=self.run,
            started=self.started,
            question=self.question,
            players=self.players,
            roots=self.roots,
            status=self.status(),
            nodes=self.tree.count,
            calls=self.calls,
            tokens=self.tokens,
            microusd=self.microusd,
            seconds=max(0.0, self.ended - self.started),
        )


def _started(tally: Tally, event: RunStarted) -> None:
    tally.players, tally.roots = event.players, _sum(0, event.count)
    tally.question = shown(_first_question(event.roots), SHOWN)


def _root_opened(tally: Tally, event: RootOpened) -> None:
    if event.index == 0:
        tally.root = event.key


def _opened(tally: Tally, event: NodeOpened) -> None:
    tally.question = tally.question or shown(event.question.body, SHOWN)


def _intended(tally: Tally, event: CallIntended) -> None:
    tally.calls += event.attempt > 0  # 0 is not sent


def _finished(tally: Tally, event: CallFinished) -> None:
    if event.attempt:  # 0 was not sent
        tally.tokens = _sum(tally.tokens, event.usage[0] + event.usage[1])
    tally.microusd = _sum(tally.microusd, event.price.microusd)


def _failed(tally: Tally, event: CallFailed) -> None:
    tally.microusd = _sum(tally.microusd, event.price.microusd)


def _resumed(tally: Tally, _: RunResumed) -> None:
    tally.finished = False


def _ended(tally: Tally, _: RunFinished) -> None:
    tally.finished = True


_STEPS: dict[str, Callable[[Tally, Any], None]] = {
    "RunStarted": _started,
    "RootOpened": _root_opened,
    "NodeOpened": _opened,
    "CallIntended": _intended,
    "CallFinished": _finished,
    "CallFailed": _failed,
    "RunResumed": _resumed,
    "RunFinished": _ended,
}


def shown(text: str, most: int | None = None) -> str:
    """The first characters of a text, lone surrogates as escapes, so that UTF-8 can hold it."""
    return text[:most].encode("utf-8", "backslashreplace").decode()


def _sum(total: int, more: float) -> int:
    """The sum, within what a database can hold; an infinite price is not counted."""
    return max(-_MOST, min(total + int(more), _MOST)) if abs(more) < inf else total


def _first_question(roots: dict[str, Any]) -> str:
    """The text of the first root where `RunStarted` holds the questions themselves."""
    found: Any = roots.get("questions")
    while isinstance(found, list | tuple | dict) and found:
        if isinstance(found, dict):
            found = found.get("body", found.get("question", found.get("text")))
        else:
            found = found[0]
    return found if isinstance(found, str) else ""
