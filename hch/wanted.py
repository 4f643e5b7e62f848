"""What somebody looks for: words, all of which must be in one text, the last as far as typed.

    blue sky       both words, in any order; the second may go on: `skyline`
    2+3            a word with other characters in it is a phrase of what they part: 2, then 3
    "blue sky"     a phrase
    → 青空         what has no letters, or is of a script without blanks: anywhere in a text

A query is never an error. Texts and queries are folded alike: made safe to display, without case
or accents, white space as single blanks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from unicodedata import normalize

from hch.safe_text import one_line

_LONGEST, _MOST = 1_000, 32  # characters and words of a query: what comes after is not looked for
_CHUNK = 4_096

_ACCENTS = re.compile("[\u0300-\u036f]+")
_TYPED = re.compile(r'"(?P<quoted>[^"]*)(?P<closed>"?)|[^\s"]+')
_TOKEN = re.compile(r"[^\W_]+")
_WITHOUT_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ud7ff\uf900-\ufaff"
                             "\U00020000-\U0003ffff]")  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """A query, read: its words and phrases, `match` for FTS5, and `pieces` to be anywhere.

    What `match` cannot find is in `pieces`; it is empty where there is nothing else.
    """

    words: tuple[str, ...]
    match: str
    pieces: tuple[str, ...]

    @classmethod
    def of(cls, query: str) -> Wanted:
        # Folded one by one: a quote that is folded to is none that was typed.
        typed = [
            (word, one["closed"])
            for one in _TYPED.finditer(query[:_LONGEST])
            if (word := folded(one[0] if one["quoted"] is None else one["quoted"]))
        ][:_MOST]
        if not typed and query.strip():
            typed = [(folded(query[:_LONGEST]), "")]
        match, pieces = [], []
        for at, (word, closed) in enumerate(typed, 1):
            if _TOKEN.search(word) and not _WITHOUT_BLANKS.search(word):
                more = "" if closed or at < len(typed) else "*"
                match.append('"{}"{}'.format(word.replace('"', " "), more))
            else:
                pieces.append(word)
        return cls(tuple(word for word, _ in typed), " ".join(match), tuple(pieces))


def folded(text: str) -> str:
    """The text as texts are compared."""
    return _fold(one_line(text))


def snippet(text: str, query: str, width: int) -> str:
    """The text, safe and on one line, cut to `width` characters around the first match."""
    line = one_line(text)
    if len(line) <= width:
        return line
    start = max(0, min(_first(line, query) - width // 3, len(line) - width))
    if start == 0:
        return (line[: max(0, width - 1)] + "…")[:width]
    shown = "…" + line[start + 1 : start + width]
    return (shown if start + width >= len(line) else shown[:-1] + "…")[:width]


def _first(line: str, query: str) -> int:
    """Where in a line the first of the words is; its beginning if none is."""
    whole = folded(line)
    for patterns in zip(*map(_patterns, Wanted.of(query).words), strict=True):
        places = [found.start() for p in patterns if (found := re.search(p, whole))]
        if places:
            return _before(line, min(places))
    return 0


def _patterns(word: str) -> Iterator[str]:
    """A word as tokens, then anywhere."""
    tokens = _TOKEN.findall(word)
    between = r"(?:\W|_)+".join(map(re.escape, tokens))
    yield rf"(?<![^\W_]){between}" if tokens else re.escape(word)
    yield re.escape(word)


def _before(line: str, place: int) -> int:
    """The place in a line of one in the same line, folded."""
    if line.isascii():
        return place
    chunks = [line[i : i + _CHUNK] for i in range(0, len(line), _CHUNK)]
    for number, chunk in enumerate(chunks):
        size = len(_fold(chunk))
        if place < size:
            ends = accumulate(len(_fold(c)) for c in chunk)
            return number * _CHUNK + next(i for i, end in enumerate(ends) if end > place)
        place -= size
    return len(line)


def _fold(line: str) -> str:
    if line.isascii():
        return line.lower()
    return _ACCENTS.sub("", normalize("NFD", line.casefold()))
