"""Outlines as bytes, and back: a head in JSON, then every column as it is in memory."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict
from itertools import accumulate, compress
from math import isfinite
from operator import eq, le, lt
from sys import byteorder
from zlib import crc32

from pydantic import TypeAdapter

from hch.columns import (
    ASKS,
    CALLS,
    NOBODY,
    NODES,
    PLACES,
    STARTS,
    STATUSES,
    STEPS,
    WAYS,
    Columns,
    Head,
)
from hch.outline import Outline

FORMAT = 1
"""Rises with every change of what is written; an older one is made anew."""

CHECK = 4
"""The bytes at the end that tell whether any other one was damaged."""


def dump(outline: Outline) -> bytes:
    """All of it as bytes, for `load`."""
    head = {
        "format": FORMAT,
        "order": byteorder,
        "head": asdict(_HEAD.validate_python(asdict(outline.head))),
        "tables": {
            name: {column: [values.typecode, len(values)] for column, values in table.items()}
            for name, table in outline.tables.items()
        },
    }
    parts = [values.tobytes() for table in outline.tables.values() for values in table.values()]
    first = json.dumps(head).encode()
    written = b"%d\n%b%b%b" % (len(first), first, b"".join(parts), outline.keys)
    return written + crc32(written).to_bytes(CHECK)


def load(data: bytes) -> Outline | None:
    """The outline that was dumped; None for anything else, which is to be made anew."""
    try:
        return _load(data)
    except _WRONG:
        return None


def is_sound(data: bytes) -> bool:
    """Whether it is an outline, or one of another version of hch, which cannot be told."""
    try:
        size, _, rest = data[:-CHECK].partition(b"\n")
        head = json.loads(rest[: int(size)])
        other = (head["format"], head["order"]) != (FORMAT, byteorder)
    except _WRONG:
        return False
    return other or load(data) is not None


def _load(data: bytes) -> Outline | None:
    view = memoryview(data)[:-CHECK]
    if crc32(view) != int.from_bytes(data[-CHECK:]):
        return None
    size, _, _ = bytes(view[:20]).partition(b"\n")
    at = len(size) + 1
    head = json.loads(bytes(view[at : at + int(size)]))
    at += int(size)
    if (head["format"], head["order"]) != (FORMAT, byteorder):
        return None
    tables: dict[str, Columns] = {}
    for name, codes in _TABLES.items():
        tables[name] = Columns()
        for column, code in codes.items():
            typed, length = head["tables"][name][column]
            if typed != code:
                return None
            values = array(code)
            values.frombytes(view[at : at + length * values.itemsize])
            if len(values) != length:
                return None
            tables[name][column] = values
            at += length * values.itemsize
    outline = Outline(_HEAD.validate_python(head["head"]), tables, bytes(view[at:]))
    return outline if _fits(outline) and _holds(outline) else None


_HEAD = TypeAdapter(Head)

_WRONG = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError,
)  # fmt: skip
"""What comes of reading something else."""

_TABLES = {
    "nodes": NODES,
    "places": PLACES,
    "starts": STARTS,
    "asks": ASKS,
    "steps": STEPS,
    "calls": CALLS,
}


def _fits(it: Outline) -> bool:
    """Whether times are times, numbers of events are such, and there is a key for each node."""
    tables, keys = it.tables, json.loads(it.keys)
    seqs = [tables["nodes"]["opened"], tables["nodes"]["closed"]]
    seqs += [tables[name]["seq"] for name in ("asks", "steps", "calls")]
    return (
        all(map(isfinite, (it.started, it.ended)))
        and all(map(isfinite, it.at))
        and all(map(isfinite, it.until))
        and max(max(column, default=0) for column in seqs) <= it.last
        and isinstance(keys, list)
        and len(keys) == len(it.opened)
        and all(isinstance(key, str) for key in keys)
    )


def _holds(it: Outline) -> bool:
    """Whether every number that says where to look says so within what is there."""
    n, known, m = it.n, len(it.opened), len(it.child)
    nodes, asks = it.tables["nodes"].values(), it.tables["asks"].values()
    steps, calls = it.tables["steps"], it.tables["calls"]
    lengths = (
        {len(column) for column in nodes} == {known}
        and {len(column) for column in asks} == {m}
        and len(steps["seq"]) == len(steps["request"])
        and len(calls["seq"]) == len(calls["request"])
        and len(it.parent) == len(it.asked) == len(it.below) == n <= known
        and len(it.first) == len(it.stepped) == known + 1
    )
    return (
        lengths
        and all(map(lt, it.parent, range(n)))
        and all(map(le, accumulate(it.first, max), it.first))
        and all(map(le, accumulate(it.stepped, max), it.stepped))
        and it.first[known] == m
        and it.stepped[known] == len(steps["seq"])
        and (not n or (max(it.asked) < m and min(it.parent) >= NOBODY))
        and all(map(le, (i + b for i, b in enumerate(it.below)), (n - 1,) * n))
        and (not m or (min(it.child) >= NOBODY and max(it.child) < known))
        and (not m or max(it.how) < len(WAYS))
        and (not known or max(it.status) < len(STATUSES))
        and max(compress(it.player, it.opened), default=-1) < len(it.players)
        and all(map(eq, (it.child[a] for a in it.asked), range(n)))
    )
