"""Which nodes rows are made of, as it is typed: `level>=1 task=arithmetic label=good cost<0.01`.

All conditions must hold. What is not known of a node fits no condition on it but `!=`. Texts are
equal as a whole, with `*` for any characters; commas part alternatives.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from math import isfinite
from operator import eq, ge, gt, le, lt, ne

from hch.errors import UsageError
from hch.judging import Said
from hch.safe_text import one_line

_OPERATORS = {">=": ge, "<=": le, "!=": ne, ">": gt, "<": lt, "=": eq}
_CONDITION = re.compile(r"(?P<name>[^<>=!\s]+?)(?P<operator>[<>!]=|[<>=])(?P<value>\S*)")
_BLANKS = re.compile(r"\s*([<>!]=|[<>=])\s*")
_EXAMPLE = "write such as level>=1 task=arithmetic label=good"


@dataclass(slots=True)
class Facts:
    """What a condition may be about; None where it is not known.

    `score` and `label` are by `hch label`, and `by` is who gave them; `share` is that of the votes
    for the answer, `check` what a check said of it; `cost` is in dollars, with all below.
    """

    run: str
    root: int
    level: int
    depth: int
    player: str
    strategy: str
    model: str | None
    task: str | None
    label: str | None = None
    by: str | None = None
    score: float | None = None
    share: float | None = None
    check: Said | None = None
    cost: float | None = None
    tokens: float | None = None
    calls: float | None = None
    nodes: float | None = None
    prompt: str | None = None


NUMBERS = {
    "root": "the number of its root", "level": "the n of its HCH_n", "depth": "steps from its root",
    "score": "as it was labelled", "share": "of the votes for its answer",
    "cost": "dollars, with all below", "tokens": "with all below", "calls": "with all below",
    "nodes": "itself and all below",
}  # fmt: skip
TEXTS = {
    "run": "the run's id", "player": "as its run names it", "strategy": "its innermost strategy",
    "model": "what it thinks with", "task": "the run's task", "label": "good or bad",
    "by": "who labelled it", "check": "accept, reject or unsure", "prompt": "of a decision",
}  # fmt: skip


CLOSED = {"label": {"good", "bad"}, "check": {"accept", "reject", "unsure"}}
"""The texts that may be, where not all may."""


@dataclass(frozen=True, slots=True)
class Condition:
    """`name`, compared with a number or with texts."""

    name: str
    operator: str
    number: float = 0.0
    texts: tuple[str, ...] = ()

    def holds(self, facts: Facts) -> bool:
        known = getattr(facts, self.name)
        if known is None:
            return self.operator == "!="
        if not self.texts:
            return bool(_OPERATORS[self.operator](known, self.number))
        return self.fits(known)

    def fits(self, known: str) -> bool:
        """Whether a text does."""
        names = {known, known.partition(":")[0]} if self.name == "by" else {known}
        fits = any(fnmatchcase(name, text) for text in self.texts for name in names)
        return fits == (self.operator == "=")

    def __str__(self) -> str:
        value = ",".join(self.texts) or repr(self.number).removesuffix(".0")
        return f"{self.name}{self.operator}{value}"


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions, all of which must hold; `str` gives them in their one spelling."""

    conditions: tuple[Condition, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Where:
        """Raises UsageError for what is no condition, naming it."""
        typed = _BLANKS.sub(r"\1", text).split()
        return cls(tuple(sorted(map(_condition, typed), key=str)))

    def holds(self, facts: Facts) -> bool:
        return all(condition.holds(facts) for condition in self.conditions)

    def allows(self, run: str) -> bool:
        """Whether nodes of that run can fit."""
        about = (condition for condition in self.conditions if condition.name == "run")
        return all(condition.fits(run) for condition in about)

    @property
    def bad(self) -> bool:
        """Whether it is about labels, and a bad one fits."""
        about = [condition for condition in self.conditions if condition.name == "label"]
        return bool(about) and all(condition.fits("bad") for condition in about)

    def names(self, name: str) -> bool:
        """Whether there is a condition on that."""
        return any(condition.name == name for condition in self.conditions)

    def __str__(self) -> str:
        return " ".join(map(str, self.conditions))


EVERYTHING = Where()


def _condition(typed: str) -> Condition:
    found = _CONDITION.fullmatch(typed)
    if found is None or not found["value"]:
        raise UsageError(f"--where: {one_line(typed, 40)!r} is no condition: {_EXAMPLE}")
    name, operator, value = found["name"].casefold(), found["operator"], found["value"]
    if name in NUMBERS:
        return Condition(name, operator, _number(name, value))
    if name in TEXTS:
        if operator not in ("=", "!="):
            raise UsageError(f"--where: {name} is a text, and takes = or !=")
        return Condition(name, operator, texts=_texts(name, value))
    near = get_close_matches(name, _known(), 1)
    advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(_known())}"
    raise UsageError(f"--where: nothing is called {one_line(name, 30)!r}: {advice}")


def _texts(name: str, value: str) -> tuple[str, ...]:
    texts = tuple(sorted(filter(None, value.split(","))))
    if not texts:
        raise UsageError(f"--where: {name} is compared with nothing: {_EXAMPLE}")
    if wrong := set(texts) - CLOSED.get(name, set(texts)):
        known = ", ".join(sorted(CLOSED[name]))
        raise UsageError(f"--where: {name} is one of {known}, and not {one_line(min(wrong), 30)}")
    return texts


def _number(name: str, value: str) -> float:
    try:
        number = float(value.removeprefix("$"))
    except ValueError:
        number = float("nan")
    if not isfinite(number):
        raise UsageError(f"--where: {name} is a number, and {one_line(value, 30)!r} is none")
    return number


def _known() -> list[str]:
    return sorted(field.name for field in fields(Facts))
