"""A call's prompt as it was sent, each part of it marked by where it came from.

              ┃ Which rivers cross the border?
     answer 2 ┃ The Rhône.

Colours say the same as the margin, and a legend says what the colours are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hch.browse.blocks import BLANK, FIRST, Block, Prose, Row
from hch.browse.texts import Looks, Part
from hch.events import CallIntended
from hch.safe_text import one_line

KINDS = {
    "task": "the prompt's own", "question": "question", "context": "texts sent along",
    "child": "sub-questions and answers", "budget": "budget", "reply": "earlier reply",
    "info": "manual", "level": "other",
}  # fmt: skip
"""The kinds of parts by their style, in the legend's order."""

_STYLES = {
    "prompt": "task", "mark": "task", "status": "task", "form": "task", "question": "question",
    "context": "context", "sub-question": "child", "answer": "child", "reason": "child",
    "refusals": "child", "grant": "budget", "level": "budget", "reply": "reply",
    "problem": "reply", "manual": "info",
}  # fmt: skip

_LABELS = {"prompt": "", "mark": "", "status": "", "context": "text", "sub-question": "asked"}
"""What the margin says, where that is not the origin itself."""

_ORIGIN = re.compile(r"(.+?)(?: ([0-9]+))?", re.DOTALL)

WIDEST = 14
"""The most cells of the margin's labels."""


def parts_of(message: tuple[tuple[str, str], ...]) -> tuple[Part, ...]:
    """The parts of a message, each with the style and the label of its origin."""
    return tuple(_part(origin, body) for origin, body in message if body)


def _part(origin: str, body: str) -> Part:
    found = _ORIGIN.fullmatch(origin)
    kind, number = (found[1], found[2]) if found else (origin, None)
    label = _LABELS.get(kind, kind)
    if label and number:
        label = f"{label} {number}"
    return Part(body, _STYLES.get(kind, "level"), one_line(label, WIDEST))


def prompt_blocks(
    intent: CallIntended, *, raw: bool = False, first: int = FIRST
) -> Iterator[Block]:
    """The legend, and every message under its role, as sent."""
    messages = [(role, parts_of(parts)) for role, parts in intent.messages]
    every = [part for _, parts in messages for part in parts]
    yield legend({part.style for part in every})
    gutter = max([1, *(len(part.label) for part in every)]) + 1
    looks: Looks = "raw" if raw else "exact"
    for role, parts in messages:
        shown = first // 3 if role == "system" else 2 * first
        yield BLANK
        yield Row(((f"  {one_line(role, 40)}", "bold"),))
        yield Prose(parts, looks, 2, gutter=gutter, first=shown)


def legend(used: set[str]) -> Prose:
    """What the colours say that occur."""
    named = [Part(f"■ {said}   ", style) for style, said in KINDS.items() if style in used]
    return Prose(tuple(named), "exact")
