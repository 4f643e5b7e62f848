"""The same letter of some (`of`): B, (B), **B**, Answer: B, B. Since …; none if unclear."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from hch.errors import UsageError
from hch.protocols import Scorer

_MARKUP = re.compile(r"[*`_$]|\\(?:boxed|text|mathrm|mathbf)\b")
_OPENING = r"[\[({]{0,2}"
_CLOSED = r"[\])}]{1,2}+"
_CLAIM = r"\b(?:answer|choice|option)\b(?: is| would be| must be)?[ :=]{0,3}(?:option |choice )?"
_AFTER = r"(?=\s*(?:\Z|[^\w\s'’\])}])|[ \t]*\n|\s+(?:because|since|as|for|which)\b)"
_MORE = r"(?!\.?\s{0,2}(?:[,/&+|]|or\b|and\b|[,/] ?or\b)\s{0,2}[\[(]?(?:LETTERS)(?!\w))"


@dataclass(frozen=True)
class Choice:
    """What a text claims as its answer, else what it begins with, else its last line.

    Where it claims two, or names another beside the first, it is unclear.
    """

    of: str
    by: str | None = None

    def form(self, text: str) -> str | None:
        body = _MARKUP.sub("", text).strip()
        claimed = {self._letters[found[1].casefold()] for found in self._claims.finditer(body)}
        if claimed:
            return claimed.pop() if len(claimed) == 1 else None
        for line in (body, body.rpartition("\n")[2].strip()):
            if found := self._begins.match(line):
                return self._letters[found[1].casefold()]
        return None

    @cached_property
    def _letters(self) -> dict[str, str]:
        return {letter.casefold(): letter for letter in self.of}

    @cached_property
    def _begins(self) -> re.Pattern[str]:
        return self._pattern("")

    @cached_property
    def _claims(self) -> re.Pattern[str]:
        return self._pattern(_CLAIM)

    def _pattern(self, before: str) -> re.Pattern[str]:
        letters = "|".join(map(re.escape, self.of))
        more = _MORE.replace("LETTERS", letters)
        return re.compile(
            f"{before}{_OPENING}({letters})(?:{_CLOSED}{more}|{more}{_AFTER})", re.IGNORECASE
        )


def build(*, of: str = "ABCD") -> Scorer:
    """`of` are the letters, or digits, there are to choose from. Raises UsageError for others."""
    if not of.isalnum() or len({letter.casefold() for letter in of}) != len(of) or len(of) < 2:
        raise UsageError(f"scorer 'choice': of={of!r} is not two or more different letters")
    return Choice(of)
