"""Tables in Markdown, the places in docs where they are kept, and the options that ask for them."""

from __future__ import annotations

import argparse
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path

from hch import __version__

ROOT = Path(__file__).parents[1]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its columns padded; all but the first are aligned to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    rule = [("-" * (w - 1) + (":" if i else "-")) for i, w in enumerate(widths)]
    return "\n".join(_line(row, widths) for row in (head, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]
    return f"| {' | '.join(padded)} |"


def kept(page: str, name: str) -> str:
    """What a page of docs holds between the markers of this name."""
    match = _between(name).search((ROOT / page).read_text("utf-8"))
    assert match, f"{page} has no markers for {name}"
    return match[2].strip()


def keep(page: str, name: str, text: str) -> None:
    """Put a text between the markers of this name in a page of docs."""
    path = ROOT / page
    old = path.read_text("utf-8")
    assert _between(name).search(old), f"{page} has no markers for {name}"
    path.write_text(_between(name).sub(lambda m: f"{m[1]}\n{text.strip()}\n{m[3]}", old), "utf-8")


def _between(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- {name}: begin\b[^>]*-->)\n(.*?)(<!-- {name}: end -->)", re.DOTALL)


def machine() -> str:
    """The cores and the versions, for what needs no server and no SDK."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, hch {__version__}"


def arguments(about: str | None, figures: Path, page: str) -> argparse.ArgumentParser:
    """The command line of a benchmark that measures trees."""
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each reply")
    parser.add_argument("--json", type=Path, default=figures, help="where the figures go")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {page}")
    return parser
