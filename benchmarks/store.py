"""What the durable store adds to a call: one tree by a scripted model, with the store and without.

    python -m benchmarks.store --depth 6

Prints JSON: microseconds of CPU a call with the store, over a store that keeps nothing, and their
difference. Both trees are asked in one process, in turn, after a small one of each; of several
rounds the least of each counts, since whatever else the machine does only adds to it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.budget import says
from benchmarks.server import size
from hch.compose import HCH
from hch.config import Config
from hch.models.scripted import ScriptedModel
from hch.stores.sqlite import SqliteStore


class Nowhere:
    """A store that keeps nothing."""

    place = "nowhere"

    def append(self, run: str, at: float, event: Any) -> None:
        pass

    async def durable(self) -> None:
        pass

    def flush(self) -> None:
        pass

    @contextmanager
    def live(self, run: str) -> Iterator[None]:
        yield


def asked(store: Any, depth: int) -> float:
    """The CPU seconds of one tree."""
    model = ScriptedModel(says, latency=0.05)
    hch = HCH(
        depth=depth, model=model, store=store, concurrency=2000, config=Config(store="memory")
    )
    before = time.process_time()
    asyncio.run(hch.ask("Why?"))
    if isinstance(store, SqliteStore):
        store.flush()
    return time.process_time() - before


def main() -> None:
    parser = argparse.ArgumentParser(description="What the durable store adds to a call.")
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    depth = args.depth
    gc.set_threshold(50_000, 50, 1_000)
    calls = size(depth)[1]
    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "hch.db") as store:
        asked(store, 1)
        asked(Nowhere(), 1)
        rounds = [(asked(store, depth), asked(Nowhere(), depth)) for _ in range(args.rounds)]
    kept, bare = (min(seconds) * 1e6 / calls for seconds in zip(*rounds, strict=True))
    print(json.dumps({"client": "store", "kept": kept, "bare": bare, "us": kept - bare}))


if __name__ == "__main__":
    main()
