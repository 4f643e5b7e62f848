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
from operator import call
from types import NoneType
from typing import Any, Literal, TypeAlias, get_args, get_origin

from hch.events import Event
from hch.wire import Amounts, Wire

LONG = 200

_REMEMBERED = 2_000_000
_PLAIN: dict[str | bool | None, str] = {None: "null", True: "true", False: "false"}
_EMPTY = {tuple: "[]", list: "[]", dict: "{}", NoneType: "null"}
_AMOUNTS = "{" + ",".join(f'"{name}":%s' for name in Amounts.model_fields) + "}"

Way: TypeAlias = Callable[[Any], str]
"""How the value of one field becomes JSON."""


class Strings(dict[str | bool | None, str]):
    """How each string of a run is written: between quotes, or as the mark of a text.

    One met before is a look-up without any Python, and so are None, True and False. `odd` counts
    the strings that make a mark of ours where they are a dict's only key; they are not remembered.
    """

    def __init__(self, name: Callable[[str], int]) -> None:
        super().__init__(_PLAIN)
        self.odd = 0
        self.names: dict[str, int] = {}
        self._name = name
        self._characters = 0

    def __missing__(self, text: str) -> str:
        written = encode_basestring_ascii(text) if len(text) < LONG else ""
        if not written or ("\\ud" in written and surrogates(text)):
            written = f'{{"$text":{self.number(text)}}}'
        elif text.startswith("$"):
            self.odd += 1
            return written
        self._characters += len(text) + 100
        if self._characters > _REMEMBERED:
            self.clear()
            self.update(_PLAIN)
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
    """Packs the events of one run; `name` gives a text a number, each while it is remembered.

    Each class of events is written by a shape: what stands round the values of its fields, and how
    each of these is written, which its type says: a general encoder has to find out each time.
    """

    def __init__(self, name: Callable[[str], int]) -> None:
        self._strings = Strings(name)
        self._blob = b""
        self._shapes: dict[type[Wire], tuple[list[str], list[Way]]] = {}
        make = getattr(json.encoder, "c_make_encoder", None)  # json's own, but for our strings
        self._encode: Callable[[Any, int], tuple[str, ...]] | None = make and make(
            None, _fields, self._strings.__getitem__, None, ":", ",", False, False, False
        )

    def pack(self, event: Event) -> tuple[str, bytes]:
        """An event's JSON, and its bytes. Raises TypeError for what is not JSON-like."""
        self._blob = b""
        return self._model(event), self._blob

    def _model(self, value: Wire | None) -> str:
        if value is None:
            return "null"
        pieces, ways = self._shapes.get(type(value)) or self._shape(type(value))
        pieces = pieces.copy()
        pieces[1::2] = map(call, ways, value.__dict__.values())
        return "".join(pieces)

    def _shape(self, kind: type[Wire]) -> tuple[list[str], list[Way]]:
        pieces, ways = ["{"], []
        for name, field in kind.model_fields.items():
            pieces[-1] += f'"{name}":'
            pieces += ["", ","]
            ways.append(self._way(field.annotation))
        pieces[-1] = "}"
        self._shapes[kind] = pieces, ways
        return pieces, ways

    def _way(self, hint: Any) -> Way:
        kinds = set(get_args(hint)) or {hint}
        if get_origin(hint) is Literal or kinds <= {str, bool, NoneType}:
            return self._strings.__getitem__
        if hint is int:
            return repr
        if hint is bytes:
            return self._bytes
        if hint is Amounts:
            return _amounts
        kind = next(iter(kinds - {NoneType}))
        if kinds <= {kind, NoneType} and isinstance(kind, type) and issubclass(kind, Wire):
            return self._model
        return self._value

    def _bytes(self, value: bytes) -> str:
        if self._blob:
            raise TypeError("an event cannot keep bytes in two fields")
        self._blob = value
        return f'{{"$blob":{len(value)}}}'

    def _value(self, value: Any) -> str:
        """Any JSON-like value, by the C encoder if there is one and nothing odd in the value."""
        if not value and (empty := _EMPTY.get(type(value))) is not None:
            return empty
        body = None if self._encode is None else self._quickly(value, self._encode)
        if body is None:
            body = json.dumps(self._walk(value), separators=(",", ":"), allow_nan=False)
        return body

    def _quickly(self, value: Any, encode: Callable[[Any, int], tuple[str, ...]]) -> str | None:
        self._strings.odd = 0
        try:
            body = "".join(encode(value, 0))
        except ValueError:  # an infinite number
            return None
        # A mark of ours is odd, and so is a key that became one.
        return None if self._strings.odd or "}:" in body else body

    def _walk(self, value: Any) -> Any:
        """The same by hand, for a value with something odd in it."""
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
        return self._walk(_fields(value)) if isinstance(value, Wire) else value


def _amounts(value: Amounts) -> str:
    return (_AMOUNTS % tuple(value.__dict__.values())).replace("inf", "null")


def _fields(value: Any) -> dict[str, Any]:
    """A model within a value, as a dict."""
    if not isinstance(value, Wire):
        raise TypeError(f"a {type(value).__name__} cannot be kept in an event")
    fields = value.__dict__
    if isinstance(value, Amounts):
        return {name: None if n == inf else n for name, n in fields.items()}
    return fields


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
