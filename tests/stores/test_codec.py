"""Events as JSON: by the C encoder or by hand, what comes back is the same."""

from __future__ import annotations

import json
from math import inf
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hch.events import Event, decode
from hch.stores._codec import Packer, Unpacker
from tests.stores.samples import anything, finished, intended, price, started


class Shelf:
    """Where the texts go."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def name(self, text: str) -> int:
        self.texts.append(text)
        return len(self.texts) - 1

    def unpacked(self, body: str, blob: bytes) -> Event:
        return decode(Unpacker(self.texts.__getitem__).unpack(body, blob))


@settings(deadline=None)
@given(st.lists(anything(), max_size=5))
def test_the_c_encoder_and_the_walk_by_hand_agree(events: list[Event]) -> None:
    shelf = Shelf()
    quick, slow = Packer(shelf.name), Packer(shelf.name)
    slow._encode = None
    for event in events * 2:
        for packer in (quick, slow):
            body, blob = packer.pack(event)
            assert body.isascii()
            assert list(json.loads(body)) == list(type(event).model_fields)
            assert shelf.unpacked(body, blob) == event


def test_what_looks_like_a_mark_is_none() -> None:
    shelf = Shelf()
    packer = Packer(shelf.name)
    marks: list[Any] = [{"$text": 0}, {"$blob": 1}, {"$dict": []}, {"$float": "inf"}, {"$": 1}]
    for mark in [*marks, {"$text": 1, "b": 2}, {"k" * 300: 1}, {"\ud800": 1}, {"$x": {"$y": "$z"}}]:
        event = started("Why?").model_copy(update={"setup": {"a": [mark], "$b": mark}})
        assert shelf.unpacked(*packer.pack(event)) == event


def test_a_closing_brace_before_a_colon_is_no_key() -> None:
    shelf = Shelf()
    packer = Packer(shelf.name)
    for text in ['"}:', '{"a": {"b": 1}: 2}', '{"$text":1}:', "$text"]:
        for event in [intended("r", "n", text=text), finished("r", text=text)]:
            assert shelf.unpacked(*packer.pack(event)) == event


def test_amounts_keep_their_kind_of_number() -> None:
    packer = Packer(Shelf().name)
    for amount, written in [(30, "30"), (30.0, "30.0"), (1e-07, "1e-07"), (inf, "null")]:
        event = finished("r").model_copy(update={"price": price(amount)})
        assert f'"microusd":{written},' in packer.pack(event)[0]


def test_a_text_is_named_once() -> None:
    shelf = Shelf()
    packer = Packer(shelf.name)
    for text in ["x" * 200, "y" * 199, "x" * 200, "\ud800"] * 3:
        packer.pack(finished("r", text=text))
    assert shelf.texts == ["x" * 200, "\ud800"]
