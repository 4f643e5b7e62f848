"""Takes keys out of texts, by their exact values, before a text is kept or shown."""

from __future__ import annotations

import json
from collections.abc import Iterable

from pydantic import SecretStr

LEAST = 8
"""The fewest characters of a key; what is shorter ("none", "EMPTY") would be found in any text."""

STAND_IN = "[key]"


class Redaction:
    """Replaces the exact value of every one of these keys, also as it stands in JSON."""

    def __init__(self, keys: Iterable[SecretStr] = ()) -> None:
        values = {key.get_secret_value().strip() for key in keys}
        found = {value for value in values if len(value) >= LEAST}
        found |= {json.dumps(value)[1:-1] for value in found}
        self._texts = sorted(found, key=len, reverse=True)
        self._bytes = [value.encode("utf-8", "surrogateescape") for value in self._texts]

    def text(self, said: str) -> str:
        """The text, with `[key]` where a key was."""
        for value in self._texts:
            if value in said:
                said = said.replace(value, STAND_IN)
        return said

    def data(self, raw: bytes) -> bytes:
        """The bytes, with `[key]` where a key was."""
        for value in self._bytes:
            if value in raw:
                raw = raw.replace(value, STAND_IN.encode())
        return raw

    def shows(self, said: str) -> bool:
        """Whether a text has a key in it."""
        return any(value in said for value in self._texts)
