"""Rows on their way: kept in a private temporary file until it is known which of them are taken.

Every row has a root, and every root a side: the number of its split, 0 for the one trained on. A
row, and a root with all its rows, is lost to the first filter that takes it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from hch.errors import StoreError

_CACHE_KIB = 32_000
_TOGETHER = 500

_TABLES = """
CREATE TABLE roots (
  id INTEGER PRIMARY KEY, run INTEGER, root INTEGER, about BLOB, question BLOB, text TEXT,
  best REAL, team INTEGER, side INTEGER, lost TEXT);
CREATE TABLE rows (
  id INTEGER PRIMARY KEY, root INTEGER, run INTEGER, node INTEGER, kind TEXT, digest BLOB,
  question BLOB, class TEXT, lost TEXT, line TEXT, origin TEXT, top_side INTEGER,
  top_root INTEGER);
CREATE TABLE left_out (run INTEGER, node INTEGER, kind TEXT, lost TEXT, why TEXT);
CREATE TABLE asked (question BLOB, root INTEGER, run INTEGER, node INTEGER);
CREATE TABLE shows (row INTEGER, question BLOB, PRIMARY KEY (row, question)) WITHOUT ROWID;
CREATE TABLE reached (run INTEGER, node INTEGER, side INTEGER, root INTEGER);
CREATE TABLE earlier (kind TEXT, digest BLOB, question BLOB, side INTEGER);
CREATE TABLE removed (line TEXT);
"""
"""In `earlier` the kind is empty for roots and what is held out, `shown` for what rows quote."""


class Rooted(NamedTuple):
    """A root question: number `root` of run number `run`.

    `question` is the mark of its text and of what it is `about`: its context.
    """

    run: int
    root: int
    about: bytes
    question: bytes
    text: str


@dataclass(frozen=True, slots=True)
class Staged:
    """A line of a row, with what filters go by; `lost` is the filter that took it already.

    `class_` is what numbers are balanced by. `digest` tells lines apart that differ. `shows` has
    the marks of all questions that stand in it, its own first.
    """

    root: int
    run: int
    node: int
    kind: str
    digest: bytes
    shows: tuple[bytes, ...]
    class_: str
    line: str
    origin: str
    lost: str | None = None


class Staging:
    """The file. Raises StoreError where it cannot be written, such as on a full disk."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._asked: list[tuple[bytes, int, int, int]] = []
        self._shows: list[tuple[int, bytes]] = []
        self._left: list[tuple[int, int, str | None, str, str | None]] = []
        self._count = 0
        with _translated():
            self.db = sqlite3.connect("", isolation_level=None)  # deleted when it is closed
            self.db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self.db.execute("PRAGMA journal_mode = OFF")
            self.db.executescript(_TABLES)
            self.db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def add_root(self, root: Rooted) -> int:
        """Keep a root; its id."""
        with _translated():
            cursor = self.db.execute(
                "INSERT INTO roots (run, root, about, question, text) VALUES (?, ?, ?, ?, ?)", root
            )
        return int(cursor.lastrowid or 0)

    def rate(self, root: int, best: float | None) -> None:
        """Keep how good a root is."""
        self.run("UPDATE roots SET best = ? WHERE id = ?", best, root)

    def ask(self, question: bytes, root: int, run: int, node: int) -> None:
        """Keep that this was asked of a node in the tree of a root."""
        self._asked.append((question, root, run, node))
        if len(self._asked) >= _TOGETHER:
            self.flush()

    def add(self, row: Staged) -> None:
        self._count += 1
        kept = (row.line, row.origin) if row.lost is None else (None, None)
        self._rows.append(
            (self._count, row.root, row.run, row.node, row.kind, row.digest, row.shows[0],
             row.class_, row.lost, *kept)
        )  # fmt: skip
        self._shows += [(self._count, question) for question in dict.fromkeys(row.shows)]
        if len(self._rows) >= _TOGETHER:
            self.flush()

    def leave(self, run: int, node: int, kind: str | None, name: str, why: str | None) -> None:
        """Keep that the filter of that name left out a row before it was one."""
        self._left.append((run, node, kind, name, why))
        if len(self._left) >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        with _translated():
            self.db.executemany(
                "INSERT INTO rows (id, root, run, node, kind, digest, question, class, lost, "
                "line, origin) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                self._rows,
            )
            self.db.executemany("INSERT INTO asked VALUES (?, ?, ?, ?)", self._asked)
            self.db.executemany("INSERT INTO shows VALUES (?, ?)", self._shows)
            self.db.executemany("INSERT INTO left_out VALUES (?, ?, ?, ?, ?)", self._left)
        self._rows, self._asked, self._shows, self._left = [], [], [], []

    def insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Put rows into one of the smaller tables."""
        columns = {"reached": 4, "earlier": 4, "removed": 1}[table]
        places = ", ".join("?" * columns)
        with _translated():
            self.db.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608

    def index(self) -> None:
        """Make it quick to look up, once all is in it."""
        self.flush()
        for name, of in (
            ("rows_by_root", "rows (root)"),
            ("rows_by_question", "rows (question)"),
            ("asked_by_node", "asked (run, node)"),
            ("shows_by_question", "shows (question)"),
            ("roots_by_question", "roots (question)"),
            ("roots_by_team", "roots (team)"),
        ):
            self.run(f"CREATE INDEX {name} ON {of}")

    def run(self, sql: str, *values: Any) -> int:
        """Do what it says; the number of rows that it changed."""
        with _translated():
            return self.db.execute(sql, values).rowcount

    def query(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """What it finds, a few rows at a time."""
        with _translated():
            yield from self.db.execute(sql, values)

    def one(self, sql: str, *values: Any) -> Any:
        """The one value that it finds."""
        return next(self.query(sql, *values))[0]

    def lose(self, name: str, which: str, *values: Any) -> int:
        """Take the rows that fit a condition, for the filter of that name; how many there were."""
        return self.run(
            f"UPDATE rows SET lost = ?, line = NULL, origin = NULL "  # noqa: S608
            f"WHERE lost IS NULL AND ({which})",
            name,
            *values,
        )

    def lose_trees(self, name: str, which: str, *values: Any) -> int:
        """Take the roots that fit a condition, with all their rows; how many rows there were."""
        self.run(
            f"UPDATE roots SET lost = ? WHERE lost IS NULL AND ({which})",  # noqa: S608
            name,
            *values,
        )
        return self.lose(name, "root IN (SELECT id FROM roots WHERE lost = ?)", name)

    def kept(self) -> Iterator[tuple[str, int, str, str]]:
        """The rows that nothing took: kind, side, line and origin, in the order of the trees."""
        found = self.query(
            "SELECT kind, side, line, origin FROM rows JOIN roots ON roots.id = rows.root "
            "WHERE rows.lost IS NULL ORDER BY rows.id"
        )
        yield from ((kind, side, line, origin) for kind, side, line, origin in found)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StoreError(f"the temporary file that rows are kept in failed: {error}") from error
