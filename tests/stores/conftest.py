"""What the tests of the SQLite store share: a place for it, and SQL on its file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hch.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore(path) as store:
        yield store


@pytest.fixture
def sql(path: Path) -> Iterator[Callable[..., list[Any]]]:
    """Runs SQL on the file as a user would, on a connection that can only read."""
    opened: list[sqlite3.Connection] = []

    def run(query: str, *values: Any) -> list[Any]:
        if not opened:
            opened.append(sqlite3.connect(f"file:{path}?mode=ro", uri=True))
        return opened[0].execute(query, values).fetchall()

    yield run
    for db in opened:
        db.close()
