"""What making many trees costs: time and memory by how many, and of going on after a kill.

    python -m benchmarks.generate                     # 5,000 and 10,000 trees
    python -m benchmarks.generate 5000 50000          # so many; the larger takes minutes

Each run is `hch generate --task arithmetic,size=4 --depth 3 -s script` in a process of its own,
with a store in a folder that is removed. Memory is the most that the process ever had resident.
`resumed` is such a run that was killed when half of its roots had been opened, and then finished by
`hch resume`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

HCH = (sys.executable, "-m", "hch.cli")
WORDS = ("generate", "--task", "arithmetic,size=4", "--depth", "3", "-s", "script")
HEAD = ("", "roots", "nodes", "s", "roots/s", "CPU s", "peak MiB")


def run(*words: str, **more: str) -> dict[str, Any]:
    """One command: its report, where it made one, its seconds of wall and CPU, and its peak MiB."""
    began = perf_counter()
    process = subprocess.Popen(
        (*HCH, *words, "--json", "-q"), stdout=subprocess.PIPE, env={**os.environ, **more}
    )
    assert process.stdout is not None
    out = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return {
        **(json.loads(out) if out else {}),
        "wall": perf_counter() - began,
        "cpu": used.ru_utime + used.ru_stime,
        "peak": used.ru_maxrss / 1024,
    }


def row(what: str, found: dict[str, Any]) -> tuple[str, ...]:
    roots, wall = found["roots"], found["wall"]
    figures = (f"{wall:.1f}", f"{roots / wall:,.0f}", f"{found['cpu']:.1f}", f"{found['peak']:.0f}")
    return (what, f"{roots:,}", f"{found['nodes']:,}", *figures)


def measured(counts: Sequence[int]) -> list[tuple[str, ...]]:
    rows = [HEAD]
    for n in counts:
        with TemporaryDirectory() as folder:
            store = ("--store", str(Path(folder, "whole.db")))
            rows.append(row("made", run(*WORDS, "--n", str(n), *store)))
        with TemporaryDirectory() as folder:
            store = ("--store", str(Path(folder, "killed.db")))
            run(*WORDS, "--n", str(n), *store, HCH_FAIL=f"after-RootOpened:{n // 2}")
            rows.append(row("resumed", run("resume", *store)))
    return rows


def main() -> None:
    counts = [int(word) for word in sys.argv[1:]] or [5000, 10_000]
    rows = measured(counts)
    sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for each in rows:
        print("  ".join(f"{cell:>{size}}" for cell, size in zip(each, sizes, strict=True)))


if __name__ == "__main__":
    main()
