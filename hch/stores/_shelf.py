"""The names of texts on a store's shelf."""

from __future__ import annotations

from hch.errors import UsageError
from hch.safe_text import one_line, safe_text

LONGEST = 200
"""Characters of a name."""


def checked(name: str) -> str:
    """The name as it is. Raises UsageError where nothing can be kept by it."""
    if not 1 <= len(name) <= LONGEST:
        raise UsageError(
            f"nothing can be kept under a name of {len(name)} characters: it has 1 to {LONGEST}"
        )
    if safe_text(name) != name or "\n" in name or "\t" in name:
        raise UsageError(
            f"nothing can be kept under the name {one_line(name)}: it has control characters, or "
            "others that cannot be seen"
        )
    return name
