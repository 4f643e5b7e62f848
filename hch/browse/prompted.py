"""A call's prompt as it was sent, each part of it marked by where it came from.

              ┃ Which rivers cross the border?
     answer 2 ┃ The Rhône.

Colours say the same as the margin, and a legend says what the colours are. As text, what is the
prompt's own has no bar, and a line in which it meets something else is one for each of them:

                Question:
     question ┃↳Which rivers cross the border?
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from rich.cells import cell_len

from hch.browse.blocks import BLANK, FIRST, GOES_ON, Block, Prose, Row
from hch.browse.parts import Part, Parts
from hch.browse.texts import Looks
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

PLAINLY = f"  ┃ from elsewhere, as named; else the prompt's own; {GOES_ON} the line goes on"
"""The legend of a text without colours."""

WIDEST = 14
"""The most cells of the margin's labels."""


@lru_cache(maxsize=1024)
def dress(origin: str) -> tuple[str, str]:
    """The style of an origin, and its label for the margin."""
    kind, _, number = origin.partition(" ")
    label = _LABELS.get(kind, kind)
    label = f"{label} {number}" if label and number else label
    return _STYLES.get(kind, "level"), one_line(label, WIDEST)


def prompt_blocks(
    intent: CallIntended, *, raw: bool = False, first: int = FIRST
) -> Iterator[Block]:
    """The legend, and every message under its role, as sent."""
    origins = {origin for _, parts in intent.messages for origin, _ in parts}
    longest: dict[str, str] = {}
    for origin in origins:
        kind = origin.partition(" ")[0]
        longest[kind] = max(longest.get(kind, ""), origin, key=len)
    dressed = [dress(origin) for origin in longest.values()]
    yield legend({style for style, _ in dressed})
    gutter = max([1, *(cell_len(label) for _, label in dressed)]) + 1
    looks: Looks = "raw" if raw else "exact"
    for role, parts in intent.messages:
        shown = first // 3 if role == "system" else 2 * first
        yield BLANK
        yield Row(((f"  {one_line(role, 40)}", "bold"),))
        yield Prose(Parts(parts, dress), looks, 2, gutter=gutter, first=shown)


def legend(used: set[str]) -> Prose:
    """What the colours say that occur."""
    unbroken = {style: f"■ {said}".replace(" ", "\xa0") for style, said in KINDS.items()}
    named = [Part(f"{said}   ", style) for style, said in unbroken.items() if style in used]
    return Prose(tuple(named), "exact", plainly=PLAINLY)
