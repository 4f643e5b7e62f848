"""Writing to stores, from this process and from others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import hch
from hch.events import Event
from hch.protocols import Store

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
