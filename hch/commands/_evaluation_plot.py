"""An evaluation as a figure: accuracy by depth, and accuracy against what an answer cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hch.budget import Price
from hch.commands._evaluations import LABEL
from hch.commands._plot import figure
from hch.evals.evaluation import Row
from hch.safe_text import one_line

SIZE = (10.0, 4.0)
"""Inches."""

NAME = 40
"""Characters of a player's name in the legend."""


def plot(path: str | None) -> Callable[[Sequence[Row]], None]:
    """What draws rows into that file; nothing where there is none. Raises as `figure` does."""
    return figure(path, _drawn, SIZE)


def _drawn(drawn: Any, rows: Sequence[Row]) -> None:
    by_depth, by_cost = drawn.subplots(1, 2, sharey=True)
    unit, cost = _cost(rows)
    for place, label in enumerate(dict.fromkeys(row.label for row in rows)):
        mine = [row for row in rows if row.label == label]
        trees = [row for row in mine if row.what != "vote"]
        votes = [row for row in mine if row.what == "vote"]
        name, colour = _plain(one_line(label, LABEL)), f"C{place}"
        depths = {row.number: row.depth for row in trees}
        _line(by_depth, [row.depth for row in trees], trees, colour, name)
        _line(by_depth, [depths.get(row.of or 0, 0) for row in votes], votes, colour, None)
        _line(by_cost, [cost(row) for row in trees], trees, colour, name)
        _line(by_cost, [cost(row) for row in votes], votes, colour, None)
    by_depth.set_xlabel("depth (dashed: HCH_0's vote at the same cost)")
    by_depth.set_ylabel("right, %")
    by_depth.set_ylim(-3, 103)
    by_depth.xaxis.get_major_locator().set_params(integer=True)
    by_cost.set_xlabel(f"{unit} an answer")
    if all(cost(row) > 0 for row in rows):
        by_cost.set_xscale("log")
    for axes in (by_depth, by_cost):
        axes.grid(alpha=0.3)
    if rows:
        drawn.legend(*by_depth.get_legend_handles_labels(), loc="outside lower center")


def _line(
    axes: Any, places: Sequence[float], rows: Sequence[Row], colour: str, name: str | None
) -> None:
    """Accuracies with their intervals; a vote's line is dashed."""
    if not rows:
        return
    shares = [100 * (row.accuracy.share or 0.0) for row in rows]
    ends = [[100 * end for end in row.accuracy.interval] for row in rows]
    below = [max(0.0, share - low) for share, (low, _) in zip(shares, ends, strict=True)]
    above = [max(0.0, high - share) for share, (_, high) in zip(shares, ends, strict=True)]
    style = {"fmt": "o-"} if name else {"fmt": "x--", "alpha": 0.6}
    axes.errorbar(
        places, shares, [below, above], color=colour, label=name, capsize=3, linewidth=1.5, **style
    )


def _cost(rows: Sequence[Row]) -> tuple[str, Callable[[Row], float]]:
    """What answers cost, in the first currency in which they cost anything."""
    units: dict[str, Callable[[Price], float]] = {
        "dollars": lambda spent: spent.microusd / 1e6,
        "tokens": lambda spent: spent.tokens,
        "nodes": lambda spent: spent.nodes,
    }
    unit = next((u for u, of in units.items() if any(of(row.spent) for row in rows)), "nodes")
    return unit, lambda row: units[unit](row.spent) / max(1, len(row.answers))


def _plain(text: str) -> str:
    """A name that the legend shows as it is: no formula between $, no name that is hidden by _."""
    name = text.replace("$", r"\$")[:NAME]
    return f" {name}" if name.startswith("_") else name
