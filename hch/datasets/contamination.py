"""Whether a text is from a file of an evaluation: the same words, or 13 of them in a row.

The rule is that of Brown et al. 2020 (arXiv 2005.14165), appendix C, with what counts as a word by
`hch.datasets.normal`. What is kept of the files is 8 bytes of a hash for each text and each 13
words, and where they stand.
"""

from __future__ import annotations

import csv
import json
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from hch.datasets.normal import normal, words
from hch.errors import UsageError
from hch.safe_text import one_line

N = 13
"""The words in a row."""

SHOWN = 200
"""The characters of what matched that are told."""


class Hit(NamedTuple):
    """Where a text was found: in which file, on which line, from 1, and what matched."""

    file: str
    line: int
    how: Literal["same", "13-gram"]
    words: str


class File(NamedTuple):
    """A file that was read: its base name, the sha256 of its bytes, its lines."""

    name: str
    sha256: str
    lines: int


@dataclass(frozen=True, slots=True)
class Contamination:
    """What is known of evaluation files; `files` are those that were read, in order."""

    files: tuple[File, ...]
    _same: _Index
    _grams: _Index
    _known: frozenset[str]

    @classmethod
    def read(cls, paths: Iterable[Path]) -> Contamination:
        """The files: .txt, a text a line; .csv, every cell; .jsonl, every string of a line's JSON.

        They are UTF-8, and read line by line. Raises UsageError, naming the file and the line, for
        what cannot be read, and where a file holds no text.
        """
        same, grams, known, files = _Index(), _Index(), set[str](), list[File]()
        for number, path in enumerate(paths):
            reading = _File(path)
            count = 0
            for line, text in reading.texts():
                if (every := _mark(words(text))) is None:
                    continue
                count, place = count + 1, number << _LINES | line
                same.add(every, place)
                for nth, gram in enumerate(_grams(words(text))):
                    known.update(gram[-1:] if nth else gram)
                    grams.add(_gram_mark(gram), place)
            if not count:
                raise UsageError(f"{path} holds no text that could be found again")
            files.append(File(path.name, reading.hash.hexdigest(), reading.lines))
        return cls(tuple(files), same.sorted(), grams.sorted(), frozenset(known))

    def found(self, texts: Sequence[str], also: Sequence[str] = ()) -> Hit | None:
        """The first of these that is from a file: of `texts` the same text or 13 words in a row.

        Of `also` 13 words in a row only: an answer such as `5` is not from a file because one has
        it too.
        """
        for text in texts:
            every = _mark(words(text))
            if every is not None and (place := self._same.find(every)) is not None:
                return self._hit(place, "same", normal(text))
        for text in (*texts, *also):
            for gram in _grams(words(text), self._known):
                if (place := self._grams.find(_gram_mark(gram))) is not None:
                    return self._hit(place, "13-gram", " ".join(gram))
        return None

    def _hit(self, place: int, how: Literal["same", "13-gram"], matched: str) -> Hit:
        file, line = place >> _LINES, place & (1 << _LINES) - 1
        return Hit(self.files[file].name, line, how, matched[:SHOWN])


_LINES = 40
"""The bits of a place that are its line; those above are the number of its file."""


@dataclass(slots=True)
class _Index:
    """Places by eight bytes; of equal ones the first place that was added holds."""

    marks: array[int] = field(default_factory=lambda: array("Q"))
    places: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, marked: bytes, place: int) -> None:
        self.marks.append(int.from_bytes(marked))
        self.places.append(place)

    def sorted(self) -> _Index:
        """The same, so that it can be looked up in."""
        order = sorted(range(len(self.marks)), key=self.marks.__getitem__)
        return _Index(
            array("Q", map(self.marks.__getitem__, order)),
            array("Q", map(self.places.__getitem__, order)),
        )

    def find(self, marked: bytes) -> int | None:
        wanted = int.from_bytes(marked)
        at = bisect_left(self.marks, wanted)
        return self.places[at] if at < len(self.marks) and self.marks[at] == wanted else None


def _grams(found: Iterable[str], known: frozenset[str] | None = None) -> Iterator[tuple[str, ...]]:
    """Every N words in a row, or those of which all are known."""
    last: deque[str] = deque(maxlen=N)
    for word in found:
        if known is not None and word not in known:
            last.clear()
            continue
        last.append(word)
        if len(last) == N:
            yield tuple(last)


def _gram_mark(gram: tuple[str, ...]) -> bytes:
    return blake2b(" ".join(gram).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _mark(found: Iterable[str]) -> bytes | None:
    """Eight bytes of all words, whatever blanks are between them; None where there are none."""
    marked, some = blake2b(digest_size=8), False
    for word in found:
        marked.update(f"{word} ".encode("utf-8", "surrogatepass"))
        some = True
    return marked.digest() if some else None


class _File:
    """An evaluation file, read once; `hash` and `lines` are whole when all its texts were read."""

    def __init__(self, path: Path) -> None:
        self.path, self.hash, self.lines = path, sha256(), 0
        readers: Mapping[str, _Reader] = {
            ".txt": self._txt,
            ".csv": self._csv,
            ".jsonl": self._json,
        }
        if (suffix := path.suffix.lower()) not in readers:
            raise UsageError(f"{path} is none of {', '.join(readers)}: name it by what it is")
        self.texts = readers[suffix]

    def _read(self) -> Iterator[str]:
        try:
            with self.path.open("rb") as file:
                for raw in file:
                    self.hash.update(raw)
                    self.lines += 1
                    yield raw.decode("utf-8-sig" if self.lines == 1 else "utf-8")
        except OSError as error:
            raise UsageError(f"{self.path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise self._wrong("it is not UTF-8: save it as such") from error

    def _txt(self) -> Iterator[tuple[int, str]]:
        for text in self._read():
            yield self.lines, text

    def _json(self) -> Iterator[tuple[int, str]]:
        for text in self._read():
            if not text.strip():
                continue
            try:
                data = _DECODE(text.strip())
            except (ValueError, RecursionError) as error:
                why = one_line(str(error), 160)
                raise self._wrong(f"it is no JSON that can be read: {why}") from error
            for each in _strings(data):
                yield self.lines, each

    def _csv(self) -> Iterator[tuple[int, str]]:
        before, number = csv.field_size_limit(_CELL), 1
        try:
            for row in csv.reader(self._read(), strict=True):
                for cell in row:
                    yield number, cell
                number = self.lines + 1
        except csv.Error as error:
            raise self._wrong(f"it is no CSV: {error}") from error
        finally:
            csv.field_size_limit(before)

    def _wrong(self, why: str) -> UsageError:
        return UsageError(f"{self.path}, line {self.lines}: {why}")


_Reader: TypeAlias = Callable[[], Iterator[tuple[int, str]]]

_CELL = 2**31 - 1
"""The most characters of a cell that the csv module can be told everywhere."""


def _strings(data: object) -> Iterator[str]:
    """Every string in it, keys left out, in order."""
    stack = [data]
    while stack:
        match stack.pop():
            case str(text):
                yield text
            case list(items):
                stack += reversed(items)
            case dict(fields):
                stack += reversed(fields.values())


def _nothing(_: str) -> None:
    """What a number is here; no limit of digits applies."""


_DECODE = json.JSONDecoder(parse_int=_nothing, parse_float=_nothing, parse_constant=_nothing).decode
