"""A copy's workspace as lines for whoever plays it: what the request's parts hold, and no more.

Somebody's text is made safe, wrapped, and never read as markup. `prompt` is what a model would get.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from hch.safe_text import safe_text
from hch.types import Request
from hch.words import count

SHOWN = 12
"""The lines of a text that are shown before it is cut."""

BOLD, DIM, PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"

_UNSEEN = frozenset({"prompt", "mark", "form", "level", "grant"})
_TITLES = {"manual": "Manual", "question": "Question", "reply": "Your last reply"}
_NUMBERED = re.compile(r"(.+) (\d+)")
_REPEAT = re.compile(r"Sub-question \d+ was the same as sub-question \d+\.")


@dataclass(frozen=True, slots=True)
class Block:
    """A text under its title, or behind it; `apart` puts an empty line before it."""

    title: str
    body: str
    indent: str = "  "
    behind: bool = False
    apart: bool = True

    def lines(self, width: int, *, whole: bool) -> list[str]:
        if not self.behind:
            titles = (f"{BOLD}{line}{PLAIN}" for line in wrapped(self.title, width))
            return [*titles, *_cut(wrapped(self.body, width, self.indent), width, whole=whole)]
        text = f"{self.title} {self.body}" if self.title else self.body
        first, *rest = wrapped(text, width, self.indent)
        if self.title:
            first = first.replace(self.title, f"{BOLD}{self.title}{PLAIN}", 1)
        return _cut([first, *rest], width, whole=whole)


def sheet(request: Request, width: int, *, whole: bool = False) -> list[str]:
    """The workspace; a long text is cut unless it is to be `whole`."""
    lines: list[str] = []
    for block in _blocks(request):
        lines += [""] if lines and block.apart else []
        lines += block.lines(width, whole=whole)
    return lines


def prompt(request: Request, width: int) -> list[str]:
    """The messages, as a model would get them."""
    lines: list[str] = []
    for message in request.messages:
        lines += [f"{BOLD}--- {message.role} ---{PLAIN}", *wrapped(message.content, width)]
    return lines


def told(request: Request, name: str) -> str:
    """A short part, such as the grant; empty where the prompt does not tell it."""
    return next((body for origin, body in _parts(request) if origin == name), "")


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """A text as safe lines of at most so many cells, broken between words where that can be."""
    room = max(4, width - len(indent))
    found: list[str] = []
    for line in safe_text(text).expandtabs(4).split("\n"):
        found += _broken(line, room)
    return [indent + line if line else "" for line in found]


def _broken(line: str, room: int) -> list[str]:
    if cell_len(line) <= room:
        return [line.rstrip()]
    found, filled = [""], 0
    for spaced in re.findall(r"\s*\S+", line):
        over = filled and filled + cell_len(spaced) > room
        if over:
            found.append("")
            filled = 0
        word = spaced.lstrip() if over else spaced
        first, *rest = chop_cells(word, room)
        found[-1] += first
        found += rest
        filled = cell_len(rest[-1]) if rest else filled + cell_len(first)
    return found


def _cut(lines: list[str], width: int, *, whole: bool) -> list[str]:
    if whole or len(lines) <= SHOWN:
        return lines
    more = len(lines) - SHOWN + 1
    said = f"… {count(more, 'more line')}; type show for all"
    return [*lines[: SHOWN - 1], *(f"{DIM}{line}{PLAIN}" for line in wrapped(said, width, "  "))]


def _parts(request: Request) -> list[tuple[str, str]]:
    """Every part by its origin; one that a prompt has twice comes once."""
    parts = ((part.origin, part.body) for message in request.messages for part in message.parts)
    return list(dict.fromkeys(parts))


def _blocks(request: Request) -> Iterator[Block]:
    """What there is to see, in the order in which a copy reads it."""
    status = ""
    for origin, body in _parts(request):
        numbered = _NUMBERED.fullmatch(origin)
        kind, n = (numbered[1], numbered[2]) if numbered else (origin, "")
        if kind == "prompt" and _REPEAT.fullmatch(body.strip()):
            yield Block("", body.strip(), "", behind=True)
        elif kind == "sub-question":
            yield Block(f"Sub-question {n}:", body, "", behind=True)
        elif kind == "status":
            status = body.strip()
        elif kind in ("answer", "reason"):
            yield Block(status, body, behind=True, apart=False)
        elif kind == "refusals":
            yield Block("", body.strip(), "", behind=True)
        elif kind == "problem":
            yield Block("It could not be used:", body, "", behind=True)
        elif kind == "context":
            yield Block(f"Text {n}", body)
        elif kind not in _UNSEEN:
            yield Block(_TITLES.get(kind, origin.capitalize()), body)
