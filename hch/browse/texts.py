"""Somebody's text as lines of a screen: made safe, and wrapped no further than is looked at.

So a line of five million characters costs no more than what is shown of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple, TypeAlias

from rich.cells import get_character_cell_size

from hch.browse.lines import Line, Piece
from hch.browse.parts import Part, texts_of
from hch.safe_text import safe_text

Looks: TypeAlias = Literal["rendered", "json", "exact", "raw"]
"""How a text is shown: its light markdown drawn; as it is, be it JSON; or every character told."""

STRIDE = 2048
"""The characters of a line of text that are read at once."""

LONGEST = 1024
"""The most characters of a screen's line, however narrow they are."""

PRETTY = 100_000
"""The characters of the longest JSON that is laid out."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_HEADING = re.compile(r"#{1,6} +(?=\S)")
_BULLET = re.compile(r"( *)[-*+] +(?=\S)")
_NUMBERED = re.compile(r" *[0-9]{1,3}[.)] +(?=\S)")
_BOLD = re.compile(r"(?<![\w*])\*\*([^\s*][^*]*)\*\*(?![\w*])")
_BLANKS = re.compile(r" {2,}")
_TRAILING = re.compile(r" +\Z")


class Wrapped(NamedTuple):
    """A line of the screen; what its margin says: the label, its style, and whether it begins."""

    pieces: Line
    labels: tuple[tuple[str, str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """At most `STRIDE` characters of one line of text, by part; the line's `first`, its `last`."""

    texts: list[tuple[int, str]]
    first: bool
    last: bool
    broken: bool
    """Whether a newline ends it."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Safe characters of one part."""

    text: str
    style: str
    part: int


class Flow:
    """The lines of a text, `room` cells wide, made as they are taken."""

    def __init__(self, parts: Sequence[Part], room: int, looks: Looks) -> None:
        self._parts, self._room, self._looks = parts, max(2, room), looks
        self._part = self._at = 0
        self._carried = 0
        self._fenced = False
        self._told: set[int] = set()
        self._lines = self._wrapped()
        self.done = False

    def take(self, most: int) -> list[Wrapped]:
        """So many further lines, fewer where it ends."""
        taken = list(islice(self._lines, most))
        self.done = self.done or len(taken) < most
        return taken

    @property
    def rest(self) -> tuple[int, int]:
        """The lines of text and the characters that were not made into lines yet, about."""
        if self.done:
            return 0, 0
        here = list(texts_of(self._parts[self._part :]))
        breaks = sum(text.count("\n") for text in here[1:])
        chars = sum(map(len, here)) - self._at + self._carried
        if here:
            breaks += here[0].count("\n", self._at)
        return breaks + 1, chars

    def _wrapped(self) -> Iterator[Wrapped]:
        if not any(texts_of(self._parts)):
            return
        carry: list[_Span] = []
        begun, hang = False, 0
        for stretch in self._stretches():
            if stretch.first:
                begun = False
            spans, hanging = self._dressed(stretch)
            hang = hanging if stretch.first else hang
            hang = hang if hang < self._room // 2 else 0
            carry += spans
            plain = "".join(span.text for span in carry)
            start, rooms = 0, (self._room - hang if begun else self._room, self._room - hang)
            for end, then in _breaks(plain, rooms, whole=stretch.last):
                self._carried = len(plain) - then
                yield self._line(_between(carry, start, end), " " * (hang if begun else 0))
                begun, start = True, then
            carry = [] if stretch.last else _between(carry, start, len(plain))
            self._carried = 0 if stretch.last else len(plain) - start

    def _stretches(self) -> Iterator[_Stretch]:
        first = True
        while self._part < len(self._parts):
            texts, broken, full = [], False, STRIDE
            while self._part < len(self._parts) and not broken and full > 0:
                text, at = self._parts[self._part].text, self._at
                end = text.find("\n", at, at + full)
                broken = end >= 0
                end = end if broken else min(len(text), at + full)
                if text[end - 1 : end + 1] == "\r" and at < end - 1 and end < len(text):
                    end -= 1  # so that it stays with its newline
                texts.append((self._part, text[at:end]))
                full -= end - at
                self._at = end + broken
                if self._at >= len(text):
                    self._part, self._at = self._part + 1, 0
            last = broken or self._part >= len(self._parts)
            yield _Stretch(texts, first, last, broken)
            first = last

    def _dressed(self, stretch: _Stretch) -> tuple[list[_Span], int]:
        """The stretch's safe characters, and by how much the next lines of its line hang."""
        spans: list[_Span] = []
        for i, (part, text) in enumerate(stretch.texts):
            ends = stretch.last and i == len(stretch.texts) - 1
            style = self._parts[part].style
            if self._looks == "raw":
                spans.append(_Span(_seen(text, ends=ends), style, part))
                if ends and stretch.broken:
                    spans.append(_Span("↵", "dim", part))
                continue
            shown = safe_text(
                text.removesuffix("\r") if ends and stretch.broken else text
            ).expandtabs(4)
            if self._looks == "rendered" and not style:
                dressed, hang = self._rendered(shown, part, first=stretch.first and i == 0)
                spans += dressed
                if len(stretch.texts) == 1:
                    return spans, hang
            else:
                spans.append(_Span(shown, style, part))
        if self._looks == "json" and spans:
            return spans, len(spans[0].text) - len(spans[0].text.lstrip()) + 2
        return spans, 0

    def _rendered(self, text: str, part: int, *, first: bool) -> tuple[list[_Span], int]:
        """Light markdown: headings, lists, fences, and what is bold."""
        if first and text.lstrip().startswith("```"):
            self._fenced = not self._fenced
            return [_Span(text, "dim", part)], 0
        if self._fenced:
            return [_Span(text, "dim", part)], 0
        if first and (heading := _HEADING.match(text)):
            return [_Span(text[heading.end() :], "title", part)], 0
        hang = 0
        if first and (bullet := _BULLET.match(text)):
            text = f"{bullet[1]}• {text[bullet.end() :]}"
            hang = len(bullet[1]) + 2
        elif first and (numbered := _NUMBERED.match(text)):
            hang = numbered.end()
        spans = [
            _Span(piece, "bold" if i % 2 else "", part)
            for i, piece in enumerate(_BOLD.split(text))
            if piece
        ]
        return spans, hang

    def _line(self, spans: list[_Span], indent: str) -> Wrapped:
        pieces: Line = [(indent, "")] if indent else []
        labels = []
        for span in spans:
            pieces.append((span.text, span.style))
            if label := self._parts[span.part].label:
                begins = span.part not in self._told
                labels.append((label, self._parts[span.part].style, begins))
            self._told.add(span.part)
        return Wrapped(pieces, tuple(dict.fromkeys(labels)))


def _between(spans: list[_Span], start: int, end: int) -> list[_Span]:
    found, at = [], 0
    for span in spans:
        text = span.text[max(0, start - at) : max(0, end - at)]
        if text:
            found.append(
                span if len(text) == len(span.text) else _Span(text, span.style, span.part)
            )
        at += len(span.text)
        if at >= end:
            break
    return found


def _breaks(text: str, rooms: tuple[int, int], *, whole: bool) -> Iterator[tuple[int, int]]:
    """Where each line ends and the next one begins; the last one of all only of a `whole` text."""
    narrow, start, room = text.isascii(), 0, rooms[0]
    while True:
        end = min(start + room, len(text)) if narrow else _reach(text, start, room)
        if end >= len(text):
            if whole:
                yield len(text), len(text)
            return
        blank = end if text[end] == " " else text.rfind(" ", start, end)
        if blank < 0 or not text[start:blank].strip():
            yield end, end
            start = end
        else:
            yield blank, blank + 1
            start = blank + 1
        if whole and start >= len(text):
            return
        room = rooms[1]


def _reach(text: str, start: int, room: int) -> int:
    """Where so many cells end; marks that take none go with what is before them."""
    for at in range(start, min(len(text), start + LONGEST)):
        room -= get_character_cell_size(text[at])
        if room < 0:
            return max(at, start + 1)
    return min(len(text), start + LONGEST)


def _seen(text: str, *, ends: bool) -> str:
    """A text of which every character can be told: blanks that are easily missed as dots."""
    shown = safe_text(text.replace("\\", "\\\\").replace("\r", "\0r")).replace("\\x00r", "\\r")
    shown = shown.replace("\t", "\\t").replace("\xa0", "\\xa0")
    shown = _BLANKS.sub(_dotted, shown)
    return _TRAILING.sub(_dotted, shown) if ends else shown


def _dotted(match: re.Match[str]) -> str:
    return "·" * len(match[0])


def pretty(text: str) -> str | None:
    """A JSON object or array laid out, its names, numbers and escapes as they are; or None."""
    inside = text.strip()
    if not 2 < len(inside) <= PRETTY or inside[0] + inside[-1] not in ("{}", "[]"):
        return None
    try:
        json.loads(inside, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return "".join(_laid_out(inside))


def _laid_out(text: str) -> Iterator[str]:
    depth, last = 0, ""
    for match in _TOKEN.finditer(text):
        this = match[0]
        opened = last in ("{", "[")
        closes = this in ("}", "]")
        depth -= closes
        if opened != closes if opened or closes else last == ",":
            yield "\n" + "  " * depth
        elif last == ":":
            yield " "
        depth += this in ("{", "[")
        yield this
        last = this


def safe(pieces: Sequence[Piece], most: int) -> Line:
    """Pieces on one line, of at most so many characters each."""
    return [(safe_text(t[:most]).translate(_FLAT), style) for t, style in pieces if t]


_FLAT = {ord("\n"): " ", ord("\t"): " "}
