"""The domain of the 2018 tasks: an element is two symbols over eight letters, so there are 64."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias

from pydantic import Field

LETTERS = "abcdefgh"
ELEMENTS = tuple(first + second for first in LETTERS for second in LETTERS)

ELEMENT = re.compile("[a-h]{2}")
LETTER = re.compile("[a-h]")


def elements(size: int) -> tuple[str, ...]:
    """The first `size` elements. Raises ValueError where there are not so many."""
    if not 2 <= size <= len(ELEMENTS):
        raise ValueError(f"there are 2 to {len(ELEMENTS)} elements, not {size}")
    return ELEMENTS[:size]


Size: TypeAlias = Annotated[int, Field(ge=2, le=len(ELEMENTS))]
"""How many elements an instance has."""

Element: TypeAlias = Annotated[str, Field(strict=True, pattern="^[a-h]{2}$")]
Letter: TypeAlias = Annotated[str, Field(strict=True, pattern="^[a-h]$")]
"""What stands in facts."""
