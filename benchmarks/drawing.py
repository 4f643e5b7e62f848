"""What the live tree costs: runs drawn on a terminal beside runs that are not drawn.

    python -m benchmarks.drawing            # prints the table
    python -m benchmarks.drawing --write    # and puts it into docs/performance.md

Every run is a tree by a scripted model in a fresh process, its stderr a terminal of the size named,
which another thread of this process reads empty. `drawing` is the CPU that the process spent inside
the drawing of the tree; `taking` is what the events cost that it is drawn from, of every run alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import pty
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Sequence
from importlib.metadata import version
from time import perf_counter, process_time, thread_time
from typing import Any

from benchmarks.tables import ROOT, keep, table
from hch import HCH, ScriptedModel
from hch.commands._progress import Progress
from tests.support import regular

PAGE = "docs/performance.md"
HEAD = ("tree and screen", "wall", "CPU in all", "drawings", "a drawing", "drawing", "taking")
TREES = ((4, 3, 0.5), (4, 8, 0.5))
"""Depth, children a node, and seconds that a call takes."""

SCREENS = (None, (80, 24), (200, 60))


class Timed:
    """Adds up the CPU of this thread inside what it wraps."""

    def __init__(self) -> None:
        self.seconds, self.times = 0.0, 0

    def wrap(self, inner: Callable[..., None]) -> Callable[..., None]:
        def timed(*given: Any) -> None:
            began = thread_time()
            inner(*given)
            self.seconds += thread_time() - began
            self.times += 1

        return timed


async def drawn(depth: int, k: int, latency: float, *, quiet: bool) -> dict[str, float]:
    """One run, watched as the commands watch one."""
    hch = HCH(depth=depth, model=ScriptedModel(regular(k), latency=latency), store="memory")
    run = hch.begin(["What is it that makes the sky blue, and why is it red in the evening?"])
    progress, drawing, taking = Progress(quiet=quiet, run=run), Timed(), Timed()
    progress._draw = drawing.wrap(progress._draw)  # type: ignore[method-assign]  # noqa: SLF001
    run.watch = taking.wrap(progress.watch)
    wall, cpu = perf_counter(), process_time()
    progress.start()
    await run.finish()
    progress.stop()
    return {
        "nodes": progress.growth.opened,
        "wall": perf_counter() - wall,
        "cpu": process_time() - cpu,
        "drawings": drawing.times,
        "drawing": drawing.seconds,
        "taking": taking.seconds,
        "events": taking.times,
    }


def measured(tree: tuple[int, int, float], screen: tuple[int, int] | None) -> dict[str, float]:
    """One run in a fresh process, whose terminal somebody reads."""
    master, slave = pty.openpty()
    if screen:
        termios.tcsetwinsize(slave, (screen[1], screen[0]))
    reader = threading.Thread(target=_read, args=(master,))
    command = [sys.executable, "-m", "benchmarks.drawing", "--one", *map(str, tree)]
    process = subprocess.Popen(
        [*command, *(() if screen else ("--quiet",))],
        cwd=ROOT, env={**os.environ, "TERM": "xterm-256color"},
        stdout=subprocess.PIPE, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    reader.start()
    out, _ = process.communicate(timeout=600)
    reader.join()
    os.close(master)
    return dict(json.loads(out))


def _read(master: int) -> None:
    try:
        while os.read(master, 65536):
            pass
    except OSError:  # how Linux says that the other side is closed
        return


def rows(found: Sequence[tuple[tuple[int, int] | None, dict[str, float]]]) -> list[list[str]]:
    return [
        [
            f"{m['nodes']:,.0f} nodes, {f'{screen[0]} x {screen[1]}' if screen else 'not drawn'}",
            f"{m['wall']:.1f} s",
            f"{m['cpu']:.2f} s",
            f"{m['drawings']:.0f}" if screen else "",
            f"{1e3 * m['drawing'] / m['drawings']:.1f} ms" if screen else "",
            f"{m['drawing'] / m['wall']:.1%} of a core" if screen else "",
            f"{1e6 * m['taking'] / m['events']:.1f} us an event",
        ]
        for screen, m in found
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE}")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--quiet", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.one:
        depth, k, latency = args.one
        found = asyncio.run(drawn(int(depth), int(k), float(latency), quiet=args.quiet))
        print(json.dumps(found))
        return
    runs = [(screen, measured(tree, screen)) for tree in TREES for screen in SCREENS]
    told = (
        "`python -m benchmarks.drawing`, one run each in a fresh process, store in memory, calls "
        f"of {TREES[0][2]:g} s, 64 at once, on {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, rich {version('rich')}."
    )
    text = f"{table(HEAD, rows(runs))}\n\n{told}"
    print(text)
    if args.write:
        keep(PAGE, "drawing", text)


if __name__ == "__main__":
    main()
