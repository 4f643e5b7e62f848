"""A record as one line of ASCII JSON, and the data of such a line.

Lone surrogates and NUL are JSON's own escapes, and an infinite amount is null. Beyond JSON are

    {"$base64": "…"}     bytes
    {"$float": "-inf"}   a number that JSON cannot hold
    {"$dict": [[k, v]]}  a dict that would be taken for one of these

Equal records are equal lines.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from math import inf, isfinite, nan
from typing import Any

from hch.events import CallFinished, Record
from hch.wire import Wire

_DIGITS = 100
_MARKS = ("$base64", "$float", "$dict")
_ODD = {repr(number): number for number in (inf, -inf, nan)}


def encoded(record: Record) -> str:
    """A record as a line, without its end. Raises TypeError for what is not JSON-like."""
    try:
        line = _ENCODE(record.__dict__)
    except ValueError:  # a number that JSON cannot hold
        line = ""
    # A quote within a text is escaped, so this can only begin an object with such a key.
    if not line or line.count('{"$') != isinstance(record.event, CallFinished):
        line = dumps(_walk(record.model_dump()))
    return line


def dumps(data: Any) -> str:
    """Plain data as a line."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)


def decoded(line: bytes) -> dict[str, Any]:
    """The data of a line. Raises ValueError, saying why, where it is no object or an odd one."""
    try:
        data = _DECODE(line.decode())
    except UnicodeDecodeError as error:
        raise ValueError("it is not text in UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error.msg}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    return data


def unlike(given: Any, kept: Any) -> str | None:
    """Where a value was given as another type than it is kept as; None where it was not."""
    kind = type(kept)
    items: Iterable[tuple[Any, Any, Any]]
    if kind is tuple or kind is list:
        items = ((i, one, kept[i]) for i, one in enumerate(given))
    elif kind is dict:
        items = ((name, one, kept[name]) for name, one in given.items())
    elif isinstance(kept, Wire):
        fields = kept.__dict__
        items = ((name, one, fields[name]) for name, one in given.items())
    else:
        number = kind is float and (type(given) is int or (given is None and kept == inf))
        return None if type(given) is kind or number else ""
    for name, one, other in items:
        if (place := unlike(one, other)) is not None:
            return f"{name}.{place}".removesuffix(".")
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"$base64": b64encode(value).decode()}
    if isinstance(value, Wire):
        fields = value.__dict__
        return value.model_dump() if inf in fields.values() else fields
    raise TypeError(f"a {type(value).__name__} cannot be exported")


_ENCODE = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_plain).encode


def _walk(value: Any) -> Any:
    """The same by hand, for an event with something odd in it."""
    if isinstance(value, float) and not isfinite(value):
        return {"$float": repr(value)}
    if isinstance(value, dict):
        walked = {key: _walk(item) for key, item in value.items()}
        marked = len(walked) == 1 and next(iter(walked)) in _MARKS
        return {"$dict": [list(item) for item in walked.items()]} if marked else walked
    if isinstance(value, list | tuple):
        return [_walk(item) for item in value]
    return _plain(value) if isinstance(value, bytes) else value


def _object(pairs: list[tuple[str, Any]]) -> Any:
    data = _once(pairs)
    if len(data) != 1 or (mark := pairs[0][0]) not in _MARKS:
        return data
    value = pairs[0][1]
    try:
        if mark == "$base64":
            return b64decode(value, validate=True)
        return _ODD[value] if mark == "$float" else _once(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"what {mark} marks is none") from error


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, value in pairs:
        if name in data or not isinstance(name, str):
            raise ValueError(f"an object has {name!r} twice")
        data[name] = value
    return data


def _whole(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError(f"a number has {len(text):,} digits")
    return int(text)


def _broken(text: str) -> float:
    if not isfinite(number := float(text)):
        raise ValueError(f"{text[:20]} is more than a number can be")
    return number


def _none(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


_DECODE = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_whole, parse_float=_broken, parse_constant=_none
).decode
