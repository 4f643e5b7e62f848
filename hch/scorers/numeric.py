"""The same number: the last one in a text, as 42, 42.0, 4.2e1, 1,234, 50%, 3/4 or 1 1/2."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal, Inexact
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from hch.protocols import Scorer

_NUMBER = re.compile(
    r"""
    (?:(?<![0-9A-Za-z_)\]}])(?P<sign>[-+−]))?  (?:\\?[$]|[€£¥])?  (?<![0-9A-Za-z_])
    (?: \\[dt]?frac\{(?P<over>[0-9]++)\}\{(?P<under>[0-9]++)\}
      | (?<!/) (?:(?P<units>[0-9]++)[ ])? (?P<top>[0-9]++)[ ]?/[ ]?(?P<below>[0-9]++)
        (?![ ]?/|[.,]?[0-9])
      | (?P<number> (?:[0-9]{1,3}(?:(?P<mark>[,_'’\u00a0\u2009\u202f])[0-9]{3}
                       (?:(?P=mark)[0-9]{3})*)(?![0-9]) | [0-9]++) (?:\.[0-9]++)?
                  | (?<!\.)\.[0-9]++ )
        (?: [eE](?P<e>[-+−]?[0-9]++)
          | [ ]?(?:[x×*·]|\\times|\\cdot)[ ]?10(?:\^|\*\*)\{?(?P<ten>[-+−]?[0-9]++)\}? )?
    )
    (?P<percent>[ ]?(?:\\?%|per[ ]?cent\b))?
    """,
    re.VERBOSE,
)
_EXPONENT = 15
_PARTS = 300
"""The most digits of an exponent, and of the parts of a fraction: more is taken for no number."""


@dataclass(frozen=True, slots=True)
class Numeric:
    """The number exactly, or to so many significant `digits`; `whole` wants nothing but a number.

    The point is the decimal mark. A number that is part of a word, as in x2, is none.
    """

    whole: bool
    digits: int | None
    by: str | None = None

    def form(self, text: str) -> str | None:
        found = _NUMBER.fullmatch(text.strip()) if self.whole else _last(text)
        if found is None:
            return None
        said = _decimal(found) if found["number"] else _ratio(found)
        if said is None:
            return None
        form = self._ratio(said) if isinstance(said, Fraction) else self._decimal(*said)
        return form if form == "0" or found["sign"] not in ("-", "−") else f"-{form}"

    def _decimal(self, digits: str, exponent: int) -> str:
        if self.digits is None:
            return _canonical(digits, exponent)
        return _written(_context(self.digits).create_decimal(f"{digits}e{exponent}"))

    def _ratio(self, ratio: Fraction) -> str:
        context = _context(self.digits or 8 * _PARTS)
        found = context.divide(Decimal(ratio.numerator), Decimal(ratio.denominator))
        return str(ratio) if context.flags[Inexact] and not self.digits else _written(found)


def _last(text: str) -> re.Match[str] | None:
    found = deque(_NUMBER.finditer(text), 1)
    return found[0] if found else None


def _decimal(found: re.Match[str]) -> tuple[str, int] | None:
    """Digits, and the power of ten that they are times."""
    number = found["number"].replace(found["mark"] or ",", "")
    units, _, broken = number.partition(".")
    power = (found["e"] or found["ten"] or "").replace("−", "-")
    exponent = power.lstrip("+-").lstrip("0") or "0"
    if len(exponent) > _EXPONENT:
        return None
    tens = -int(exponent) if power.startswith("-") else int(exponent)
    return units + broken, tens - len(broken) - 2 * bool(found["percent"])


def _ratio(found: re.Match[str]) -> Fraction | None:
    parts = (found["units"] or "0", found["over"] or found["top"], found["under"] or found["below"])
    if max(map(len, parts)) > _PARTS:
        return None
    units, top, below = map(int, parts)
    if below == 0:
        return None
    return (units + Fraction(top, below)) / (100 if found["percent"] else 1)


def _context(digits: int) -> Context:
    return Context(digits, ROUND_HALF_UP, MIN_EMIN, MAX_EMAX)


def _written(number: Decimal) -> str:
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "nothing here is infinite"
    return _canonical("".join(map(str, digits)), exponent)


def _canonical(digits: str, exponent: int) -> str:
    """The one spelling of a number: 42, 42e1 for 420, 42e-1 for 4.2."""
    kept = digits.rstrip("0")
    exponent += len(digits) - len(kept)
    kept = kept.lstrip("0")
    if not kept:
        return "0"
    return f"{kept}e{exponent}" if exponent else kept


def build(
    *, whole: bool = False, digits: Annotated[int, Field(ge=1, le=100)] | None = None
) -> Scorer:
    """`whole=true` wants nothing but a number; `digits` is how many significant ones must agree."""
    return Numeric(whole, digits)
