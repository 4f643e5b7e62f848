"""Figures in few characters, for people: tokens, dollars, seconds, amounts and players."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hch.budget import Price


def count(n: float, one: str, many: str | None = None) -> str:
    """`1 node`, `7 nodes`."""
    return f"{n:g} {one}" if n == 1 else f"{n:g} {many or one + 's'}"


def short(n: float) -> str:
    """`812`, `1.4k`, `23k`, `2.3M`, `1.2G`, `45T`, `1e18`."""
    if n >= 0.9995e15:
        return f"{n:.0e}".replace("+", "")
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= 0.9995 * size:
            return f"{n / size:.1f}{unit}" if n < 9.95 * size else f"{n / size:.0f}{unit}"
    return f"{n:.0f}"


def tokens(n: float) -> str:
    """`1.4k tok`."""
    return f"{short(n)} tok"


def dollars(microusd: float) -> str:
    """`$0.004`; what is less is written as such."""
    usd = microusd / 1e6
    if usd >= 0.9995e6:
        return f"${short(usd)}"
    if usd >= 9.995:
        return f"${usd:.2f}"
    return f"${usd:.3f}" if usd >= 0.001 else "<$0.001"


def exactly(microusd: float) -> str:
    """`$0.000612`: to the millionth, without zeros at the end."""
    if microusd >= 0.9995e12:
        return dollars(microusd)
    if 0 < microusd < 1:
        return "<$0.000001"
    return f"${microusd / 1e6:,.6f}".rstrip("0").rstrip(".")


def cost(microusd: float, *, priced: bool) -> str:
    """`$0.004`, and that there is more to it where not all of it is priced; empty for nothing."""
    known = dollars(microusd) if microusd else ""
    return known if priced else f"{known} and more, of unknown price" if known else "cost unknown"


def seconds(s: float) -> str:
    """`0.3 s`, `2.1 s`, `3m20s`, `2h05m`."""
    if s < 59.95:
        return f"{s:.1f} s"
    minutes, rest = divmod(round(s), 60)
    return f"{minutes}m{rest:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def listed(items: Iterable[str]) -> str:
    """What is not empty, joined by commas."""
    return ", ".join(item for item in items if item)


def budget(price: Price) -> str:
    """A cap as `--budget` takes it, such as `2usd,50calls`; empty where nothing is capped."""
    parts = []
    for amount, unit in zip(price.amounts(), ("calls", "tokens", "usd", "nodes"), strict=True):
        if amount != inf:
            size = (
                f"{amount / 1e6:.6f}".rstrip("0").rstrip(".") if unit == "usd" else f"{amount:.0f}"
            )
            thousands = unit == "tokens" and size.endswith("000")
            parts.append(f"{size[:-3]}k{unit}" if thousands else f"{size}{unit}")
    return ",".join(parts)


def players(specs: Sequence[str]) -> str:
    """Who plays which HCH: `HCH_3 by 0 direct@a, 1-3 factored@b`, or `HCH_3 by script`."""
    top = f"HCH_{len(specs) - 1} by"
    if len(set(specs)) == 1:
        return f"{top} {specs[0]}"
    said, level = [], 0
    for spec, group in groupby(specs):
        last = level + len(list(group)) - 1
        said.append(f"{level if last == level else f'{level}-{last}'} {spec}")
        level = last + 1
    return f"{top} {', '.join(said)}"
