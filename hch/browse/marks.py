"""Marks for statuses, and texts cut to so many cells of a terminal."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

MARKS = {
    "answered": ("✓", "green"),
    "unanswered": ("?", "yellow"),
    "truncated": ("✂", "yellow"),
    "failed": ("✗", "red"),
    "cancelled": ("⊘", "red"),
    "open": ("…", "cyan"),
    "shared": ("↺", "blue"),
    "refused": ("–", "yellow"),
    "queued": ("·", "dim"),
    "doubted": ("!", "yellow"),
}
"""By status: what a row begins with, so that colour is never needed to tell, and its colour."""

STYLES = {
    "green": "good", "yellow": "warn", "red": "bad", "cyan": "live", "blue": "info", "dim": "dim",
}  # fmt: skip
"""The style of `hch.browse.lines` for each of these colours."""


def fit(text: str, cells: int) -> str:
    """A text cut to so many cells, with an ellipsis."""
    if text.removesuffix("…").isascii():
        return text if len(text) <= cells else text[: max(0, cells - 1)].rstrip() + "…"[:cells]
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, cells - 1).rstrip() + "…" if cells > 0 else ""


def share(question: str, said: str, room: int) -> tuple[str, str]:
    """Question and answer in so many cells: the answer may have two fifths, or the rest."""
    wants, said = cell_len(question), fit(said, max(0, room))
    if not said:
        return fit(question, room), ""
    room -= 3
    said = fit(said, max(room * 2 // 5, room - wants))
    return fit(question, room - cell_len(said)), said
