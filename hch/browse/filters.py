"""Filters of nodes as they are typed: `failed !retried level>=2 cost>0.01 model=gpt`.

All conditions must hold for the node itself. Each is a column of a byte for each node, made of the
outline's columns without a look at the texts, so that 100,000 nodes take no time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice, repeat
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from hch.browse.facts import EXAMPLES, FIGURES, FLIP, TEXTS, WORDS, WRONG, Flags, Wrong, is_wrong
from hch.columns import WAYS
from hch.errors import UsageError
from hch.outline import Outline
from hch.safe_text import one_line

_OPERATORS = {">=": ge, "<=": le, "!=": ne, ">": gt, "<": lt, "=": eq}
_SAID = {
    ">=": "{} or more", "<=": "at most {}", "!=": "not {}", ">": "over {}", "<": "under {}",
    "=": "{}",
}  # fmt: skip
_CONDITION = re.compile(r"(?P<name>[^<>=!]+)(?P<operator>[<>!]=|[<>=])(?P<value>.*)", re.DOTALL)
_BLANKS = re.compile(r" ?([<>!]=|[<>=]) ?")
_NUMBER = re.compile(r"\$?(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})([a-zA-Z]?)", re.ASCII)
_EXAMPLE = "write such as failed !retried level>=2 cost>0.01 model=gpt"


@dataclass(frozen=True)
class Condition:
    """One condition, in words too."""

    flags: Callable[[Outline, Wrong], Flags]
    said: str
    negated: bool = False

    def apply(self, outline: Outline, wrong: Wrong) -> Flags:
        flags = self.flags(outline, wrong)
        return flags.translate(FLIP) if self.negated else flags


@dataclass(frozen=True)
class Filter:
    """Conditions, all of which must hold; a filter without any lets all pass."""

    conditions: tuple[Condition, ...] = ()

    def apply(self, outline: Outline, wrong: Wrong = frozenset()) -> Flags:
        """A 1 for each node that passes itself, whatever is above it or below.

        `wrong` has what is known to be wrong: the numbers of the events that opened those nodes.
        """
        kept = int.from_bytes(b"\1" * outline.n)
        for condition in self.conditions:
            kept &= int.from_bytes(condition.apply(outline, wrong))
        return bytearray(kept.to_bytes(outline.n))

    def describe(self) -> str:
        """In words: `not failed, level 2 or more`; safe to display."""
        return ", ".join(f"not {c.said}" if c.negated else c.said for c in self.conditions)


TYPED: tuple[tuple[str, str], ...] = (
    *((word, meaning) for word, (meaning, _) in WORDS.items()),
    (WRONG, "is known to be a wrong answer"),
    *((EXAMPLES[name], figure.meaning) for name, figure in FIGURES.items()),
    *((EXAMPLES[name], meaning) for name, (meaning, _) in TEXTS.items()),
    ("!failed", "not this; before any condition"),
)
"""What can be typed, and what it means, for the help. Figures take = != < <= > >=, texts = !=."""


def parse(text: str) -> Filter:
    """Reads conditions with blanks between them. Raises UsageError for what is none."""
    return Filter(tuple(map(_condition, _BLANKS.sub(r"\1", " ".join(text.split())).split())))


def _condition(typed: str) -> Condition:
    bare = typed.lstrip("!")
    negated = (len(typed) - len(bare)) % 2 == 1
    found = _CONDITION.fullmatch(bare)
    if found is None:
        return Condition(_known(bare), bare.casefold(), negated)
    name, operator, value = found["name"].casefold(), found["operator"], found["value"]
    if name in FIGURES:
        return _compared(name, operator, value, negated)
    if name in TEXTS:
        return _matched(name, operator, value, negated)
    if name in WORDS or name == WRONG:
        raise UsageError(f"{name} is compared with nothing: write {name} or !{name}")
    raise _unknown(name, [*FIGURES, *TEXTS])


def _known(word: str) -> Callable[[Outline, Wrong], Flags]:
    name = word.casefold()
    if name == WRONG:
        return is_wrong
    if name in WORDS:
        told = WORDS[name][1]
        return lambda outline, _: told(outline)
    if name in EXAMPLES:
        raise UsageError(f"{name} is compared with something: write such as {EXAMPLES[name]}")
    raise _unknown(word, [*WORDS, WRONG, *EXAMPLES])


def _compared(name: str, operator: str, value: str, negated: bool) -> Condition:
    figure, number = FIGURES[name], _NUMBER.fullmatch(value)
    unit = number[2] if number else ""
    if not number or (unit and unit not in figure.units):
        raise UsageError(
            f"{name}{operator}{one_line(value, 20)}: this is no number for {name}: "
            f"write such as {EXAMPLES[name]}"
        )
    least = float(number[1]) * figure.units.get(unit, 1.0) * figure.scale
    compare: Callable[[Any, Any], bool] = _OPERATORS[operator]

    def flags(outline: Outline, _: Wrong) -> Flags:
        column = islice(figure.column(outline), outline.n)
        return bytearray(map(compare, column, repeat(least)))

    return Condition(flags, f"{name} {_SAID[operator].format(figure.shown(least))}", negated)


def _matched(name: str, operator: str, value: str, negated: bool) -> Condition:
    wanted = value.casefold()
    if operator not in ("=", "!=") or not wanted:
        raise UsageError(f"{name} takes = or != and a text: write such as {EXAMPLES[name]}")
    if name == "how" and wanted not in WAYS:
        raise UsageError(f"how={one_line(value, 20)}: it is one of {', '.join(WAYS)}")
    column = TEXTS[name][1]
    said = f"{name} {one_line(value, 40)}"
    return Condition(lambda outline, _: column(outline, wanted), said, negated ^ (operator == "!="))


def _unknown(word: str, known: list[str]) -> UsageError:
    near = get_close_matches(word[:40].casefold(), known, 1)
    advice = f"did you mean {near[0]}?" if near else _EXAMPLE
    return UsageError(f"no filter is called {one_line(word, 30)}: {advice}")
