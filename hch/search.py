"""Full-text search over what the nodes of one run asked, said, were refused, sent and got back.

Texts are found as a screen shows them (`hch.wanted`). The index is SQLite's FTS5 in a private
temporary file. Each text is in it once, with those that said it: nodes, and requests, which are of
every node that thought them. What a node said before it was opened again is no hit.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from threading import Lock

from hch.errors import HchError, StoreError
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    Record,
    Thought,
)
from hch.keeping import Store
from hch.outline import Outline
from hch.sqlite_files import transaction
from hch.wanted import Wanted, folded

FIELDS = ("question", "answer", "refusal", "prompt", "reply")
"""Where a text is found; an answer is also the reason why there is none."""

_QUESTION, _ANSWER, _REFUSAL, _PROMPT, _REPLY = range(len(FIELDS))
_KINDS = (NodeOpened, NodeClosed, Asked, PrimitiveAnswered, Thought, CallIntended, CallFinished)
_TYPES = [kind.__name__ for kind in _KINDS]
_BATCH = 2_000
_REMEMBERED = 30_000
_NEVER = 1 << 62  # a request is no node: nothing is ever said by it alone

_SCHEMA = """
CREATE TABLE texts (id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, body TEXT NOT NULL);
CREATE TABLE owners (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, opened INTEGER NOT NULL);
CREATE TABLE says (
  text INTEGER, owner INTEGER, field INTEGER, seq INTEGER, PRIMARY KEY (text, owner, field)
) WITHOUT ROWID;
CREATE TABLE thoughts (
  request INTEGER, node INTEGER, seq INTEGER, PRIMARY KEY (request, node)) WITHOUT ROWID;
"""
_WORDS = """
CREATE VIRTUAL TABLE words USING fts5(
  body, content='', columnsize=0, tokenize='unicode61 remove_diacritics 0')
"""
_PRAGMAS = "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -16000;"
_SAY = """
INSERT INTO says VALUES (?, ?, ?, ?)
ON CONFLICT (text, owner, field) DO UPDATE SET seq = excluded.seq
"""
_THINK = """
INSERT INTO thoughts VALUES (?, ?, ?)
ON CONFLICT (request, node) DO UPDATE SET seq = excluded.seq
"""
_WHERE = "SELECT id FROM texts WHERE {}"
_WHERE_WORDS = "SELECT id FROM words CROSS JOIN texts ON id = words.rowid WHERE {}"
_SAID_BY = """
SELECT o.id, s.field FROM ({texts}) f
CROSS JOIN says s ON s.text = f.id
LEFT JOIN thoughts t ON t.request = s.owner
CROSS JOIN owners o ON o.id = coalesce(t.node, s.owner)
WHERE coalesce(t.seq, s.seq) >= o.opened
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """A node by its key, and in which of the `FIELDS` of it the text was found."""

    key: str
    fields: frozenset[str]


class Finder:
    """The index of one run. `take` may run in a thread while another finds what is there by now.

    Raises HchError where Python's SQLite has no FTS5.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store, self._run = store, run
        self._done = self._last = 0
        self._closed = False
        self._lock, self._taking = Lock(), Lock()
        self._texts: dict[bytes, int] = {}
        self._owners: dict[str, int] = {}
        self._says: list[tuple[int, int, int, int]] = []
        self._thoughts: list[tuple[int, int, int]] = []
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.executescript(_PRAGMAS + _SCHEMA)
        try:
            self._db.execute(_WORDS)
        except sqlite3.OperationalError as error:
            self._db.close()
            raise HchError(
                f"this Python's SQLite {sqlite3.sqlite_version} cannot search texts: {error}; "
                "use a Python whose SQLite has FTS5"
            ) from error

    @property
    def progress(self) -> float:
        """How much of the run's events is indexed, from 0 to 1."""
        return self._done / self._last if self._last else 0.0

    def take(self, stop: Callable[[], bool] | None = None) -> bool:
        """Index what was written since the last time; False where it was told to stop, or closed.

        Raises StoreError where the run cannot be read, or the index not be written.
        """
        with self._taking:
            last = self._last = self._store.last(self._run)
            records = self._store.events(self._run, *_TYPES, after=self._done)
            while some := list(islice(records, _BATCH)):
                if stop is not None and stop():
                    return False
                with self._lock, _translated():
                    if self._closed:
                        return False
                    self._add(some)
                self._done = some[-1].seq
            self._done = self._last = max(last, self._done)
        return True

    def find(self, query: str, most: int = 10_000) -> list[Hit]:
        """The nodes with a text in which all words of the query are, at most so many of them.

        Where there are more, those whose texts came first. `hch.wanted` says what words are. Where
        no text has them as words, they may be anywhere in it.
        """
        wanted = Wanted.of(query)
        with self._lock, _translated():
            if self._closed or not wanted.words or most < 1:
                return []
            found = self._said_by(*_as_words(wanted), most) if wanted.match else {}
            if not found:
                found = self._said_by(*_as_pieces(wanted), most)
            return self._hits(found)

    def close(self) -> None:
        """Let go of the index, and of its file."""
        with self._lock:
            self._closed = True
            self._db.close()

    def _said_by(self, texts: str, values: list[str], most: int) -> dict[int, int]:
        """By node, the fields in which it has such a text, as bits."""
        found: dict[int, int] = {}
        for node, field in self._db.execute(_SAID_BY.format(texts=texts), values):
            if node in found:
                found[node] |= 1 << field
            elif len(found) < most:
                found[node] = 1 << field
            else:
                break
        return found

    def _hits(self, found: dict[int, int]) -> list[Hit]:
        fields = {
            bits: frozenset(name for i, name in enumerate(FIELDS) if bits >> i & 1)
            for bits in set(found.values())
        }
        rows = self._db.execute(
            "SELECT id, substr(name, 2) FROM owners WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(list(found)),),
        )
        return [Hit(key, fields[found[node]]) for node, key in rows]

    def _add(self, records: Iterable[Record]) -> None:
        """One batch, in one transaction: FTS5 writes out what it was given when that ends."""
        with transaction(self._db):
            try:
                for record in records:
                    self._take(record.seq, record.event)
                self._db.executemany(_SAY, self._says)
                self._db.executemany(_THINK, self._thoughts)
            except BaseException:  # what was numbered in it is not there any more
                self._texts.clear()
                self._owners.clear()
                raise
            finally:
                self._says.clear()
                self._thoughts.clear()

    def _take(self, seq: int, event: Event) -> None:
        match event:
            case NodeOpened():
                node = self._owner("n", event.key)
                self._db.execute("UPDATE owners SET opened = ? WHERE id = ?", (seq, node))
                self._say(seq, node, _QUESTION, event.question.body)
            case NodeClosed():
                answer = event.answer.body if event.answer else ""
                said = (answer, event.reason, *event.notes)
                self._say(seq, self._owner("n", event.key), _ANSWER, *said)
            case Asked() if event.refusal is not None or event.child is None:
                said = (event.question.body, event.refusal or "")
                self._say(seq, self._owner("n", event.parent), _REFUSAL, *said)
            case PrimitiveAnswered():
                node = self._owner("n", event.parent)
                self._say(seq, node, _PROMPT, event.question)
                self._say(seq, node, _REPLY, event.answer or "", event.reason)
            case Thought():
                request, node = self._owner("r", event.request), self._owner("n", event.parent)
                self._thoughts.append((request, node, seq))
            case CallIntended():
                request = self._owner("r", event.request)
                parts = (part for _, parts in event.messages for part in parts)
                sent = (body for origin, body in parts if origin != "mark")
                self._say(seq, request, _PROMPT, *sent)
            case CallFinished():
                request = self._owner("r", event.request)
                self._say(seq, request, _REPLY, event.text, event.thinking)

    def _say(self, seq: int, owner: int, field: int, *texts: str) -> None:
        for text in texts:
            if text and not text.isspace():
                self._says.append((self._text(text), owner, field, seq))

    def _text(self, text: str) -> int:
        """The number of a text, which is put into the index if it is not there."""
        name = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        if (known := self._texts.get(name)) is not None:
            return known
        number = self._row("SELECT id FROM texts WHERE name = ?", name)
        if number is None:
            body = folded(text)
            number = self._new("INSERT INTO texts (name, body) VALUES (?, ?)", name, body)
            self._new("INSERT INTO words (rowid, body) VALUES (?, ?)", number, body)
        if len(self._texts) >= _REMEMBERED:
            self._texts.clear()
        self._texts[name] = number
        return number

    def _owner(self, kind: str, key: str) -> int:
        """The number of a node, `n`, or of a request, `r`."""
        name = kind + key
        if (known := self._owners.get(name)) is not None:
            return known
        number = self._row("SELECT id FROM owners WHERE name = ?", name)
        if number is None:
            opened = 0 if kind == "n" else _NEVER
            number = self._new("INSERT INTO owners (name, opened) VALUES (?, ?)", name, opened)
        if len(self._owners) >= _REMEMBERED:
            self._owners.clear()
        self._owners[name] = number
        return number

    def _row(self, sql: str, value: str | bytes) -> int | None:
        found = self._db.execute(sql, (value,)).fetchone()
        return found and int(found[0])

    def _new(self, sql: str, *values: str | bytes | int) -> int:
        number = self._db.execute(sql, values).lastrowid
        assert number is not None
        return number


def nodes(outline: Outline, hits: Iterable[Hit]) -> dict[int, frozenset[str]]:
    """The hits by the number of their node, in id order, without those that hang on no root."""
    fields = {hit.key: hit.fields for hit in hits}
    keys = islice(json.loads(outline.keys), outline.n) if fields else ()
    return {node: fields[key] for node, key in enumerate(keys) if key in fields}


def _as_words(wanted: Wanted) -> tuple[str, list[str]]:
    """The SQL for the ids of the texts that have those words, and its values."""
    holds = ["words MATCH ?", *["instr(texts.body, ?)"] * len(wanted.pieces)]
    return _WHERE_WORDS.format(" AND ".join(holds)), [wanted.match, *wanted.pieces]


def _as_pieces(wanted: Wanted) -> tuple[str, list[str]]:
    """The same for the texts in which the words are anywhere."""
    holds = ["instr(body, ?)"] * len(wanted.words)
    return _WHERE.format(" AND ".join(holds)), list(wanted.words)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(
            f"the index of the search cannot be used: {error}; it is in the folder for temporary "
            "files: make room there, or name another by SQLITE_TMPDIR"
        ) from error
