"""An event as one line of ASCII JSON, its long texts and its reply bytes taken out; and back.

    {"$text": 17}         a text of `LONG` characters or more, or one that UTF-8 cannot hold,
                          under the number that it was given
    {"$blob": length}     bytes; an event has at most one such field
    {"$float": "inf"}     a number that JSON cannot hold
    {"$dict": [[k, v]]}   a dict that would be taken for one of these

So the JSON has no lone surrogates, and SQL functions can read it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from math import inf, isfinite
from typing import Any

from hch.events import Event
from hch.wire import Amounts, Wire

LONG = 200

_REMEMBERED = 2_000_000


class Strings(dict[str, str]):
    """How each string of a run is written: between quotes, or as the mark of a text.

    A string met before is a look-up without any Python, which halves the time that packing takes.
    `odd` counts what the JSON alone would not tell apart; such strings are not remembered.
    """

    def __init__(self, name: Callable[[str], int]) -> None:
        super().__init__()
        self.odd = 0
        self.names: dict[str, int] = {}
        self._name = name
        self._characters = 0

    def __missing__(self, text: str) -> str:
        if len(text) >= LONG:
            written = f'{{"$text":{self.number(text)}}}'
        else:
            written = encode_basestring_ascii(text)
            if text.startswith("$") or ("\\ud" in written and surrogates(text)):
                self.odd += 1
                return written
        self._characters += len(text) + 100
        if self._characters > _REMEMBERED:
            self.clear()
            self.names.clear()
            self._characters = 0
        self[text] = written
        return written

    def number(self, text: str) -> int:
        """The number of a text that is taken out."""
        number = self.names.get(text)
        if number is None:
            number = self.names[text] = self._name(text)
        return number


class Packer:
    """Packs the events of one run; `name` gives a text a number, each while it is remembered."""

    def __init__(self, name: Callable[[str], int]) -> None:
        self._strings = Strings(name)
        self._blobs: list[bytes] = []
        make = getattr(json.encoder, "c_make_encoder", None)  # json's own, but for our strings
        self._encode: Callable[[Any, int], tuple[str, ...]] | None = make and make(
            None, self._plain, self._strings.__getitem__, None, ":", ",", False, False, False
        )

    def pack(self, event: Event) -> tuple[str, bytes]:
        """An event's JSON, and its bytes. Raises TypeError for what is not JSON-like."""
        self._blobs.clear()
        body = self._quickly(event)
        if body is None:
            self._blobs.clear()
            data = self._walk(event.model_dump())
            body = json.dumps(data, separators=(",", ":"), allow_nan=False)
        return body, self._blobs.pop() if self._blobs else b""

    def _quickly(self, event: Event) -> str | None:
        """The JSON by the C encoder; None where there is none, or something odd in the event."""
        if self._encode is None:
            return None
        self._strings.odd = 0
        try:
            body = "".join(self._encode(event.__dict__, 0))
        except ValueError:  # an infinite number
            return None
        # A mark of ours is odd as well; and a long key became one.
        return None if self._strings.odd != len(self._blobs) or "}:" in body else body

    def _plain(self, value: Any) -> Any:
        kind = type(value)
        if Wire in kind.__mro__:  # pydantic's isinstance is Python, and slow
            fields = value.__dict__
            if kind is Amounts and inf in fields.values():
                return {name: None if n == inf else n for name, n in fields.items()}
            return fields
        if isinstance(value, bytes) and not self._blobs:
            self._blobs.append(value)
            return {"$blob": len(value)}
        raise TypeError(f"a {kind.__name__} cannot be kept in an event")

    def _walk(self, value: Any) -> Any:
        """The same by hand, for an event with something odd in it."""
        if isinstance(value, str):
            long = len(value) >= LONG or surrogates(value)
            return {"$text": self._strings.number(value)} if long else value
        if isinstance(value, float) and not isfinite(value):
            return {"$float": repr(value)}
        if isinstance(value, dict):
            walked = {key: self._walk(item) for key, item in value.items()}
            marked = len(walked) == 1 and str(next(iter(walked))).startswith("$")
            return {"$dict": list(walked.items())} if marked else walked
        if isinstance(value, list | tuple):
            return [self._walk(item) for item in value]
        return self._plain(value) if isinstance(value, bytes) else value


class Unpacker:
    """Reads events back; `text` finds a text by its number.

    Raises ValueError, TypeError or RecursionError for what no `Packer` has written.
    """

    def __init__(self, text: Callable[[int], str]) -> None:
        self._text = text
        self._blob = b""
        self._decode = json.JSONDecoder(object_hook=self._hook).decode

    def unpack(self, body: str, blob: bytes = b"") -> dict[str, Any]:
        self._blob = blob
        data: dict[str, Any] = self._decode(body)
        return data

    def _hook(self, data: dict[str, Any]) -> Any:
        if len(data) != 1:
            return data
        [(key, value)] = data.items()
        if key == "$text":
            return self._text(value)
        if key == "$blob":
            if len(self._blob) != value:
                raise ValueError(f"{len(self._blob)} of {value} bytes of a reply are there")
            return self._blob
        if key == "$float":
            return float(value)
        return dict(value) if key == "$dict" else data


def surrogates(text: str) -> bool:
    """Whether a text has lone surrogates, which UTF-8 cannot hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
