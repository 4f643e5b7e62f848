"""The rows of an evaluation as JSON-like data, in which nothing but `seconds` is of time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hch.budget import Price
from hch.evals.checking import Checks
from hch.evals.correlation import Correlation
from hch.evals.rows import Given, Row
from hch.evals.share import Share
from hch.evals.trees import Level
from hch.evals.voting import Together, Voting
from hch.types import Question


def row(one: Row) -> dict[str, Any]:
    """A row: everything about it but its questions."""
    return {
        "number": one.number,
        "label": one.label,
        "depth": one.depth,
        "what": one.what,
        "of": one.of,
        "k": one.k,
        "players": list(one.players),
        "accuracy": share(one.accuracy),
        "answered": one.answered,
        "clean": one.clean,
        "ungraded": one.ungraded,
        "statuses": dict(sorted(one.statuses.items())),
        "spent": price(one.spent),
        "seconds": _seconds(one),
        "gain": one.gain and asdict(one.gain),
        "against": one.against and asdict(one.against),
        "agreement": one.agreement and share(one.agreement),
        "wrong_reasons": share(one.wrong_reasons),
        "levels": [_level(number, level) for number, level in one.levels.items()],
        "entered": [
            {"level": level, "step": step, "errors": errors}
            for (level, step), errors in one.entered.items()
        ],
        "by_kind": {kind: share(part) for kind, part in one.by_kind.items()},
        "votes": _votes(one.votes),
        "checks": _checks(one.checks),
        "together": [_together(level, found) for level, found in one.together.items()],
        "answers": [_given(given) for given in one.answers],
    }


def share(part: Share) -> dict[str, Any]:
    """A share, its interval beside it."""
    low, high = part.interval
    return {"some": part.some, "of": part.of, "share": part.share, "low": low, "high": high}


def price(amount: Price) -> dict[str, Any]:
    """The amounts by currency."""
    return asdict(amount)


def asked(question: Question) -> dict[str, Any]:
    """A question with what was sent along."""
    return {
        "question": question.text.body,
        "context": [text.body for text in question.context],
        "instance": question.instance,
    }


def _given(given: Given) -> dict[str, Any]:
    return {
        "status": given.status,
        "answer": given.text,
        "reason": given.reason,
        "right": given.right,
        "clean": given.clean,
        "spent": price(given.spent),
    }


def _seconds(one: Row) -> dict[str, Any]:
    middle, total = one.seconds
    calls = {str(number): level.seconds for number, level in one.levels.items()}
    each = [given.seconds for given in one.answers]
    return {"median": middle, "total": total, "calls_by_level": calls, "answers": each}


def _level(number: int, level: Level) -> dict[str, Any]:
    found = {"level": number, **asdict(level)}
    del found["seconds"]
    return found


def _votes(votes: Voting) -> dict[str, Any]:
    return {**asdict(votes), "saved": votes.saved}


def _checks(checks: Checks) -> dict[str, Any]:
    names = {True: "right", False: "wrong", None: "ungraded"}
    said: dict[str, dict[str, int]] = {
        word: dict.fromkeys(names.values(), 0) for word in ("accept", "reject", "unsure")
    }
    for (word, right), n in checks.said.items():
        said[word][names[right]] = n
    return {
        "nodes": checks.nodes,
        **said,
        "before": share(checks.before),
        "after": share(checks.after),
        "predicted": checks.predicted,
        "unanswered": checks.unanswered,
        "changed_nothing": checks.changed_nothing,
    }


def _together(level: int, found: Together) -> dict[str, Any]:
    return {
        "level": level,
        "k": found.k,
        "correlation": found.correlation and asdict(found.correlation),
        "unanswered": share(found.unanswered),
        "voted": _voted(found.correlation, found.k),
        "by_question": asdict(found.by_question),
        "ceiling": found.ceiling and asdict(found.ceiling),
    }


def _voted(correlation: Correlation | None, k: int | None) -> dict[str, float] | None:
    """The error of a majority of k under this correlation; None where either is unknown."""
    if correlation is None or k is None:
        return None
    return dict(zip(("error", "low", "high"), correlation.voted(k), strict=True))
