"""Stretches of a text, each with what it is: made when they are looked at, where there are many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import overload


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text, unsafe as it is, its style, and what the margin says of it."""

    text: str
    style: str = ""
    label: str = ""


class Parts(Sequence[Part]):
    """Parts that are made when they are looked at, of pairs of an origin and a text.

    `dress` gives the style and the label of an origin.
    """

    def __init__(
        self, pairs: Sequence[tuple[str, str]], dress: Callable[[str], tuple[str, str]]
    ) -> None:
        self._pairs, self._dress = pairs, dress

    def __len__(self) -> int:
        return len(self._pairs)

    @overload
    def __getitem__(self, i: int) -> Part: ...
    @overload
    def __getitem__(self, i: slice) -> Parts: ...
    def __getitem__(self, i: int | slice) -> Part | Parts:
        if isinstance(i, slice):
            return Parts(self._pairs[i], self._dress)
        origin, text = self._pairs[i]
        return Part(text, *self._dress(origin))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Parts) and self._pairs == other._pairs

    def __hash__(self) -> int:
        return hash(tuple(self._pairs))

    def texts(self) -> Iterator[str]:
        return (text for _, text in self._pairs)


def texts_of(parts: Sequence[Part]) -> Iterator[str]:
    """The texts of parts alone."""
    return parts.texts() if isinstance(parts, Parts) else (part.text for part in parts)
