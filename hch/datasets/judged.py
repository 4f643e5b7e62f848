"""What is known of how good nodes' answers are: by labels, by checks, by votes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from hch.datasets.reading import Heard, Seen
from hch.events import NodeClosed, NodeOpened
from hch.judging import CHECKING, Said, verdict
from hch.labels import Told
from hch.registry import PlayerSpec
from hch.types import Answer, Ballot, Text
from hch.votes import kept

_DOUBTS = ("unchecked:", "fallback: the grant was too small for a check")


class Try(NamedTuple):
    """What a vote or a check said of a try, by the node that made it."""

    check: Said | None = None
    share: float | None = None


class Pair(NamedTuple):
    """An answer that was chosen over another, and by what."""

    chosen: str
    rejected: str
    by: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What holds of an answer: whether it is right and who says so, None where nobody does."""

    good: bool | None
    by: str


def player(opened: NodeOpened) -> PlayerSpec:
    """Who plays a node."""
    return _parsed(opened.player)


_parsed = lru_cache(maxsize=256)(PlayerSpec.parse)


def body(closed: NodeClosed | None) -> str | None:
    """What a node answered, None where it did not."""
    if closed is None or closed.status != "answered" or closed.answer is None:
        return None
    return closed.answer.body


def judged(told: Told | None, check: Said | None) -> Judged:
    """By its labels, or else by the check."""
    if told is not None and told.said is not None:
        return Judged(told.said == "good", told.by)
    if check in ("accept", "reject"):
        return Judged(check == "accept", "check")
    return Judged(None, "")


def checked(opened: NodeOpened, closed: NodeClosed | None) -> Said | None:
    """What the check of a node that has its answers checked came to; None for any other."""
    if closed is None or closed.status != "answered":
        return None
    spec = player(opened).strategies[opened.wrapper]
    if spec.name != "verify":
        return None
    return "unsure" if any(note.startswith(_DOUBTS) for note in closed.notes) else "accept"


def tries(seen: Seen) -> Iterator[tuple[int, Try]]:
    """What the node's own vote or checks said of each try that it made, by the try's number."""
    shares = _shares(_ballot(seen.closed))
    checks = dict(_checks(seen.asks))
    for heard in seen.asks:
        said = body(heard.closed)
        if heard.how == "try" and said is not None:
            yield heard.node, Try(checks.get(said), shares.get(kept(Text(said))))


def shares(closed: NodeClosed | None) -> tuple[tuple[str, float], ...]:
    """The shares of the votes of each answer, which sum to 1; what won or has the most is first."""
    ballot = _ballot(closed)
    votes = sum(n for _, n in ballot.votes) if ballot else 0
    return tuple((text, n / votes) for text, n in ballot.votes) if ballot and votes else ()


def pairs(seen: Seen) -> Iterator[Pair]:
    """The node's answer over each that lost the vote, or that a check rejected."""
    chosen = body(seen.closed)
    if chosen is None:
        return
    said = [text for heard in seen.asks if heard.how == "try" and (text := body(heard.closed))]
    ballot = _ballot(seen.closed)
    if ballot is not None:
        whole = {kept(Text(text)): text for text in reversed(said)}
        won = ballot.votes[0][1] if ballot.votes else 0
        for lost, votes in ballot.votes[1:]:
            if votes < won and whole.get(lost, chosen) != chosen:
                yield Pair(chosen, whole[lost], "vote")
    checks = dict(_checks(seen.asks))
    if checks.get(chosen) == "accept":
        for text in dict.fromkeys(said):
            if checks.get(text) == "reject" and text != chosen:
                yield Pair(chosen, text, "check")


def success(seen: Seen, told: Mapping[str, Told]) -> float:
    """The share of its sub-questions that were answered well; 1 where it asked none.

    That is rightly, where somebody judged of it, and else at all; one refused was not.
    """
    asked = [heard for heard in seen.asks if heard.how == "ask"]
    return sum(_well(heard, told) for heard in asked) / len(asked) if asked else 1.0


def of(heard: Heard, told: Mapping[str, Told]) -> Judged:
    """What is known of a sub-question's answer."""
    if heard.opened is None:
        return Judged(None, "")
    return judged(told.get(heard.opened.key), checked(heard.opened, heard.closed))


def _well(heard: Heard, told: Mapping[str, Told]) -> bool:
    known = of(heard, told).good
    return body(heard.closed) is not None if known is None else known


def _ballot(closed: NodeClosed | None) -> Ballot | None:
    return closed.ballot.ballot() if closed and closed.ballot else None


def _shares(ballot: Ballot | None) -> dict[str, float]:
    return {text: n / ballot.tries for text, n in ballot.votes} if ballot else {}


def _checks(asks: Sequence[Heard]) -> Iterator[tuple[str, Said]]:
    """What each check said of the answer that it was about."""
    for heard in asks:
        opened, closed = heard.opened, heard.closed
        if opened and opened.question.body == CHECKING and heard.how == "put" and opened.context:
            said: Answer = closed.outcome() if closed else Answer("cancelled")
            yield opened.context[-1].body, verdict(said).said
