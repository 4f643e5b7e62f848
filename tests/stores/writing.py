"""Writing to stores, from this process and from others."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import hch
from hch.events import Event
from hch.keeping import Store
from hch.stores import _sqlite_schema as schema
from hch.stores.sqlite import SqliteStore
from tests.stores.samples import finished

T = TypeVar("T")

ENDLESSLY = (
    "import asyncio, sys",
    "from hch.stores.sqlite import SqliteStore",
    "from tests.stores.samples import finished",
    "async def main(store):",
    "    async def one(name):",
    "        for n in range(10_000):",
    "            store.append('a', 1.0, finished(f'{name}.{n}', text='x' * 300, raw=b'r' * 900))",
    "            await store.durable()",
    "            print(f'{name}.{n}', flush=True)",
    "    async with asyncio.TaskGroup() as group:",
    "        for name in range(8):",
    "            group.create_task(one(name))",
)
"""Defines `main(store)`: eight tasks write to run a, and print what they were told is durable."""


def write(store: Store, run: str, *events: Event) -> None:
    for number, event in enumerate(events):
        store.append(run, 100.0 + number, event)
    store.flush()


def while_written(path: Path, work: Callable[[], T], most: int = 2000) -> T:
    """What some work comes to while run a is written, a commit after the other.

    Fails where the work does not end within so many commits.
    """
    with ThreadPoolExecutor(1) as thread, SqliteStore(path) as store:
        result = thread.submit(work)
        for number in range(most):
            write(store, "a", finished(f"meanwhile {number}"))
            if result.done():
                return result.result()
        raise AssertionError(f"it did not end within {most} commits")


def older(path: Path, version: int, *events: Event) -> None:
    """A store as that version made it, with these events as run a."""
    newer = path.with_name("newer.db")
    with SqliteStore(newer) as store:
        write(store, "a", *events)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        schema.migrate(db, path, schema.MIGRATIONS[:version])
        db.execute("ATTACH ? AS newer", (str(newer),))
        tables = "SELECT name FROM main.sqlite_master WHERE type = 'table'"
        for (table,) in db.execute(tables).fetchall():
            db.execute(f"DELETE FROM main.{table}")
            db.execute(f"INSERT INTO main.{table} SELECT * FROM newer.{table}")
    newer.unlink()


def python(*lines: str, **options: Any) -> subprocess.Popen[str]:
    """Another Python process, with this hch and these tests on its path."""
    root = str(Path(hch.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(lines)],
        env={**os.environ, "PYTHONPATH": root},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
