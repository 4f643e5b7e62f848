"""The same text, white space at its ends aside."""

from __future__ import annotations

from dataclasses import dataclass

from hch.protocols import Scorer


@dataclass(frozen=True, slots=True)
class Exact:
    """The text itself; without `case` small and capital letters are the same."""

    case: bool
    by: str | None = None

    def form(self, text: str) -> str | None:
        body = text.strip()
        return (body if self.case else body.casefold()) or None


def build(*, case: bool = True) -> Scorer:
    """`case=false` takes small and capital letters for the same."""
    return Exact(case)
