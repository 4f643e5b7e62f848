"""Patterns whose matches are taken out of texts before they are rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hch.errors import UsageError

STAND_IN = "[redacted]"


@dataclass(frozen=True, slots=True)
class Patterns:
    """Regular expressions, of which each sees the whole text."""

    compiled: tuple[re.Pattern[str], ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Patterns:
        """Python's regular expressions, in this order, each once.

        Raises UsageError where there is none, for one that is no regular expression, and for one
        that matches the empty text. One that takes exponential time does so here too.
        """
        patterns = tuple(_compiled(text) for text in dict.fromkeys(texts))
        if not patterns:
            raise UsageError("there is no pattern: give at least one")
        return cls(patterns)

    @property
    def texts(self) -> tuple[str, ...]:
        """The regular expressions as they were given."""
        return tuple(pattern.pattern for pattern in self.compiled)

    def clean(self, text: str) -> tuple[str, int]:
        """The text with `[redacted]` for all that some pattern matches, and how often that stands.

        Patterns see the text as it came, whatever others match; what overlaps is taken out as one.
        """
        spans = sorted(m.span() for p in self.compiled for m in p.finditer(text) if m[0])
        pieces, done, found = list[str](), 0, 0
        for start, end in spans:
            if start >= done:
                pieces += text[done:start], STAND_IN
                found += 1
            done = max(done, end)
        return "".join((*pieces, text[done:])), found


def _compiled(text: str) -> re.Pattern[str]:
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"the pattern {text!r} is no regular expression: {error}") from error
    if pattern.search(""):
        raise UsageError(f"the pattern {text!r} matches the empty text, so anything")
    return pattern
