"""The lines above and below the panes: what is looked at, and what the keys came to."""

from __future__ import annotations

from textual.strip import Strip
from textual.widget import Widget

from hch.browse.canvas import drawn
from hch.browse.lines import STYLES, Line, cut, width


class OneLine(Widget, can_focus=False):
    """One line: what is on its left, and, where there is room, on its right.

    What is on the left may be told to give way.
    """

    DEFAULT_CSS = """
    OneLine { height: 1; background: $panel; color: $foreground; }
    """
    COMPONENT_CLASSES = {f"canvas--{name}" for name in STYLES if name}  # noqa: RUF012

    def __init__(self, *, gives_way: bool = False, id: str | None = None) -> None:
        super().__init__(id=id)
        self._gives_way = gives_way
        self._left: Line = []
        self._right: Line = []

    def say(self, left: Line, right: Line | None = None) -> None:
        """Put this there; None keeps what is on the right."""
        self._left = left
        self._right = self._right if right is None else right
        self.refresh()

    def render_line(self, y: int) -> Strip:
        room = self.size.width
        beside = width(self._right) + 1 if self._right else 0
        whole: Line = [(" ", ""), *self._left]
        left = cut(whole, max(room // 3, room - beside - 1) if self._gives_way else room)
        gap = room - width(left) - beside
        line = [*left, (" " * gap, ""), *self._right] if gap > 0 else left
        return drawn(self, cut(line, room), room)
