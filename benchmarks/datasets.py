"""How many rows a second `hch dataset build` makes of 10,000 trees, and what it takes of memory.

    python -m benchmarks.datasets              # prints the table, writes .cache/bench/datasets.json
    python -m benchmarks.datasets --write      # and puts the table into docs/datasets.md

The trees are arithmetic by the script, made once by `hch generate` and kept in .cache/bench. Each
build is a process of its own, timed from start to end, and its memory is the most that it held.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from benchmarks.tables import ROOT, keep, machine, table

PAGE = "docs/datasets.md"
JSON = ROOT / ".cache" / "bench" / "datasets.json"
STORE = ROOT / ".cache" / "bench" / "datasets.db"
OUT = ROOT / ".cache" / "bench" / "rows"

TREES = 10_000
GENERATE = ("generate", "--task", "arithmetic,size=9", "--n", str(TREES), "--depth", "8", "-s",
            "script")  # fmt: skip
BUILD = ("dataset", "build", "--where", "level>=0", "--quiet")

BUILDS = {
    "Parquet, equal roots joined": ("--as", "parquet", "--near", "off"),
    "Parquet, near-equal roots joined": ("--as", "parquet",),
    "JSON lines, equal roots joined": ("--near", "off"),
}  # fmt: skip


@dataclass(frozen=True)
class Took:
    """What a command took: seconds, CPU seconds, MB; and the bytes that it made, as a hash."""

    wall: float
    cpu: float
    memory: float
    made: str = ""


def run(words: Sequence[str]) -> Took:
    """Run hch with these words, in a process of its own."""
    began = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "hch", *words], os.environ)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"hch {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return Took(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def generated() -> Took | None:
    """Make the trees, if they are not there; what that took."""
    if STORE.exists():
        return None
    STORE.parent.mkdir(parents=True, exist_ok=True)
    return run([*GENERATE, "--quiet", "--store", str(STORE)])


def built(flags: Sequence[str]) -> Took:
    """Build it anew."""
    took = run([*BUILD, *flags, "--store", str(STORE), "--out", str(OUT), "--force"])
    data = sha256()
    for path in sorted(path for path in OUT.rglob("*") if path.is_file()):
        data.update(str(path.relative_to(OUT)).encode() + path.read_bytes())
    return Took(took.wall, took.cpu, took.memory, data.hexdigest())


def measured() -> dict[str, object]:
    """All of it, each build twice, the quicker of which counts."""
    figures: dict[str, object] = {}
    if (made := generated()) is not None:
        figures["generate"] = vars(made)
    shutil.rmtree(OUT, ignore_errors=True)
    for name, flags in BUILDS.items():
        first, second = built(flags), built(flags)
        manifest = json.loads((OUT / "hch-manifest.json").read_text())
        rows = sum(sum(splits.values()) for splits in manifest["counts"].values())
        taken = sum(entry["taken"] for entry in manifest["filters"])
        best = min(first, second, key=lambda took: took.wall)
        figures[name] = {
            **vars(best), "rows": rows, "seen": rows + taken, "same": first.made == second.made,
        }  # fmt: skip
    shutil.rmtree(OUT, ignore_errors=True)
    return figures


def page(figures: dict[str, object]) -> str:
    """The table, and what it is of."""
    head = ["build", "rows seen", "written", "s", "written a second", "MB", "equal bytes twice"]
    rows = []
    for name in BUILDS:
        took = figures[name]
        assert isinstance(took, dict)
        rows.append([
            name, f"{took['seen']:,}", f"{took['rows']:,}", f"{took['wall']:.1f}",
            f"{took['rows'] / took['wall']:,.0f}", f"{took['memory']:.0f}",
            "yes" if took["same"] else "no",
        ])  # fmt: skip
    told = (
        f"{TREES:,} arithmetic trees by `hch {' '.join(GENERATE)}`, built with `--where "
        f'"level>=0"`. {machine()}.'
    )
    return f"{table(head, rows)}\n\n{told}"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    options = parser.parse_args()
    figures = measured()
    JSON.write_text(json.dumps(figures, indent=2))
    print(page(figures))
    if options.write:
        keep(PAGE, "datasets", page(figures))


if __name__ == "__main__":
    main()
