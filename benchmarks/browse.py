"""How quickly `hch browse` answers on a large run, in a real terminal, and what it takes of memory.

    python -m benchmarks.browse              # prints the table, writes .cache/bench/browse.json
    python -m benchmarks.browse --write      # and puts the table into docs/performance.md

The run has 118,096 nodes in four full trees; it is made once, by the server of `benchmarks.server`,
and kept in .cache/bench. A start is from the start of the process to when the tree's rows are
painted. A key's answer is from its write to the end of the last frame that it leads to: the
browser marks the end of each, since this terminal says that it knows synchronized output.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import random
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.server import ROOT, Served, question, size
from benchmarks.tables import arguments, keep, machine, table

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "browse.json"
STORE = ROOT / ".cache" / "bench" / "browse.db"

DEPTH, ROOTS = 9, 4
SIZES = ((80, 24), (200, 60))
KEYS = 200
FRAME = b"\x1b[?2026l"
QUIET = 0.1
"""Seconds without a byte after which a screen is complete."""

NOTHING = 1.0
"""Seconds without a byte after which a key has changed nothing."""

PRESSED = {
    "j": 30, "k": 10, "l": 20, "h": 10, " ": 8, "\x04": 10, "\x15": 6, "]": 10, "[": 6, "u": 6,
    "g": 3, "G": 4, "*": 2, "-": 3, "E": 4, "s": 3, "$": 3, "t": 4,
}  # fmt: skip
"""The keys of the tree, and how often each is pressed among the others."""

SOUGHT = "0.3.2.1.3.2.1.3"
"""What is searched for: a part of the inventory, in the question of a node and in its parent's."""


class Terminal:
    """A terminal of so many columns and rows with the browser in it."""

    def __init__(self, columns: int, rows: int) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (rows, columns))
        env = {**os.environ, "TERM": "xterm-256color"}
        command = [sys.executable, "-m", "hch", "browse", "--store", str(STORE)]
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=slave, stdout=slave, stderr=slave, process_group=0
        )
        os.close(slave)
        self.seen = b""

    def read(self, patience: float) -> bool:
        """Read once; False where nothing came for so many seconds."""
        if not select.select([self._master], [], [], patience)[0]:
            return False
        said = os.read(self._master, 1 << 20)
        self.seen += said
        if b"\x1b[?2026$p" in said:
            os.write(self._master, b"\x1b[?2026;2$y")
        return True

    def until(self, text: str, patience: float = 60.0) -> float:
        """Read on to the end of the frame in which a text is painted; when that was."""
        wanted = re.compile(re.escape(text).encode() + rb".*?" + re.escape(FRAME), re.DOTALL)
        while not wanted.search(self.seen):
            assert self.read(patience), f"{text!r} was not painted, only {self.seen[-2000:]!r}"
        return time.perf_counter()

    def press(self, key: str) -> float | None:
        """Seconds up to the end of the last frame that a key leads to; None where there is none."""
        self.seen = b""
        began = time.perf_counter()
        os.write(self._master, key.encode())
        last = None
        while self.read(QUIET if last else NOTHING):
            if FRAME in self.seen:
                last, self.seen = time.perf_counter() - began, b""
        return last

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def memory(self) -> tuple[float, float]:
        """Megabytes of memory: now, and at the most."""
        told = Path(f"/proc/{self.process.pid}/status").read_text()
        now, most = (int(re.search(rf"{name}:\s*(\d+)", told)[1]) for name in ("VmRSS", "VmHWM"))  # type: ignore[index]
        return now / 1e3, most / 1e3

    def leave(self) -> None:
        self.process.terminate()
        while self.process.poll() is None:
            try:
                self.read(0.05)
            except OSError:  # how Linux says that the other side is closed
                break
        self.process.wait()
        os.close(self._master)


@contextmanager
def browsing(columns: int, rows: int) -> Iterator[tuple[Terminal, float]]:
    """The browser, and the seconds of its start."""
    terminal = Terminal(columns, rows)
    try:
        yield terminal, terminal.until("HCH_") - terminal.started
    finally:
        terminal.leave()


async def grown(url: str) -> None:
    """Ask for the trees, over the lean client."""
    from hch import HCH
    from hch.config import Config
    from hch.stores.sqlite import SqliteStore

    with SqliteStore(STORE) as store:
        hch = HCH(
            depth=DEPTH,
            model=f"vllm:bench,base_url={url}",
            store=store,
            config=Config(store="memory"),
        )
        await hch.begin([question(f"0.{i}") for i in range(ROOTS)]).finish()
        [row] = store.runs()
        store.outline(row.run)


def made() -> None:
    """Make the run, where it was not made before."""
    if STORE.exists():
        return
    STORE.parent.mkdir(parents=True, exist_ok=True)
    with Served(0.0) as served:
        asyncio.run(grown(served.url))


def pressed(terminal: Terminal, seed: int) -> dict[str, Any]:
    """What so many random keys took, in milliseconds, and how many changed nothing."""
    keys = random.Random(seed).choices(list(PRESSED), list(PRESSED.values()), k=KEYS)
    took = [(key, terminal.press(key)) for key in keys]
    answered = [1000 * seconds for _, seconds in took if seconds is not None]
    cuts = quantiles(answered, n=100)
    slowest = {
        key: round(1000 * max(s or 0 for k, s in took if k == key))
        for key in PRESSED
        if key in keys
    }
    return {
        "p50": cuts[49], "p95": cuts[94], "most": max(answered), "slowest": slowest,
        "nothing": KEYS - len(answered),
    }  # fmt: skip


def measured(columns: int, rows: int) -> dict[str, Any]:
    """One session: its start, keys while texts are indexed and afterwards, and a search."""
    with browsing(columns, rows) as (terminal, start):
        early = pressed(terminal, 1)
        indexing = _indexed(terminal)
        late = pressed(terminal, 2)
        search = _searched(terminal)
        now, most = terminal.memory()
    told = {"columns": columns, "start": start, "early": early, "late": late}
    told |= {"indexing": indexing, "search": search, "memory": now, "most": most}
    print(told, file=sys.stderr)
    return told


def _searched(terminal: Terminal) -> float:
    """Seconds from enter to the hit on the screen."""
    terminal.press("/")
    for key in SOUGHT:
        terminal.press(key)
    terminal.seen = b""
    began = time.perf_counter()
    terminal.type("\r")
    return terminal.until(f"for {SOUGHT}") - began


def _indexed(terminal: Terminal) -> float:
    """Seconds from the start to when all texts can be found."""
    _searched(terminal)
    while b" searched)" in terminal.seen:
        terminal.seen = b""
        terminal.type("n")
        terminal.until(f"for {SOUGHT}")
        terminal.read(QUIET)
    took = time.perf_counter() - terminal.started
    terminal.press("q")  # it takes the hits away
    return took


def page(starts: Sequence[float], sessions: Sequence[dict[str, Any]]) -> str:
    """The table of targets beside what was measured, and the conditions."""
    start, search = median(starts), max(session["search"] for session in sessions)
    held = [("start: s to the first rows", 1.0, start, 2)]
    for session in sessions:
        where = f"{session['columns']} columns"
        held.append((f"a key: ms at the 95th percentile, {where}", 50, session["late"]["p95"], 0))
        early = session["early"]["p95"]
        held.append((f"the same while texts are indexed, {where}", 50, early, 0))
    held.append(("a search: s to the first hit", 0.5, search, 2))
    held.append(("memory: MB", 300, max(session["memory"] for session in sessions), 0))
    rows = [
        [what, f"{most:g}", f"{now:.{digits}f}", "yes" if now <= most else "no"]
        for what, most, now, digits in held
    ]
    keys = "; ".join(
        f"{s['columns']} columns {s['late']['p50']:.0f} ms at the median, "
        f"{s['late']['most']:.0f} ms at the most"
        for s in sessions
    )
    told = (
        f"A run of {ROOTS * size(DEPTH)[0]:,} nodes, its file in the page cache and its outline "
        f"kept; {KEYS} random keys each: {keys}. All texts can be found "
        f"{median(s['indexing'] for s in sessions):.0f} s after the start, with keys pressed "
        f"meanwhile. `python -m benchmarks.browse` on {machine()}."
    )
    return f"{table(('target', 'at most', 'measured', 'met'), rows)}\n\n{told}"


def main(argv: Sequence[str] | None = None) -> None:
    args = arguments(__doc__, JSON, PAGE).parse_args(argv)
    made()
    starts = []
    for _ in range(args.rounds):
        with browsing(*SIZES[0]) as (_, start):
            starts.append(start)
    sessions = [measured(*its) for its in SIZES]
    text = page(starts, sessions)
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps({"starts": starts, "sessions": sessions}, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "browse", text)


if __name__ == "__main__":
    main()
