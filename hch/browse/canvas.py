"""A widget of lines that are made when they are looked at: only what is on the screen is drawn."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from hch.browse.lines import STYLES, Line, cut
from hch.errors import HchError
from hch.safe_text import one_line

LOOKS = """
.canvas--dim, .canvas--task { text-style: dim; }
.canvas--bold, .canvas--title { text-style: bold; }
.canvas--level, .canvas--info { color: $text-primary; }
.canvas--good, .canvas--child, .canvas--live { color: $text-success; }
.canvas--warn, .canvas--warm, .canvas--budget { color: $text-warning; }
.canvas--bad { color: $text-error; }
.canvas--context { color: $text-primary; text-style: italic; }
.canvas--hit { text-style: reverse; }
.canvas--heat { color: $text-error; text-style: bold; }
.canvas--critical, .canvas--reply { color: $text-accent; text-style: bold; }
.canvas--question { color: $text-primary; text-style: bold; }
"""
"""How the styles of `hch.browse.lines` look in a theme: a part of the app's CSS."""


class Brush:
    """Draws lines in the styles that a widget has just now."""

    def __init__(self, widget: Widget) -> None:
        self.base = widget.rich_style
        self._widget = widget
        self._styles = {"": self.base}

    def drawn(self, line: Line, width: int) -> Strip:
        """A line as a strip of so many cells."""
        segments = [Segment(text, self._styles.get(style) or self._made(style))
                    for text, style in line]  # fmt: skip
        return Strip(segments).adjust_cell_length(width, self.base)

    def _made(self, style: str) -> Style:
        own = self._widget.get_component_rich_style(f"canvas--{style}", partial=True)
        return self._styles.setdefault(style, self.base + own)


def drawn(widget: Widget, line: Line, width: int) -> Strip:
    """A line in the styles of a widget that has those of a `Canvas`, and so many cells."""
    return Brush(widget).drawn(line, width)


class Canvas(ScrollView, can_focus=True):
    """`count` lines, the one under the cursor marked; a subclass says what is on each.

    A click moves the cursor; one on the line under the cursor opens it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "down", show=False),
        Binding("k,up", "move(-1)", "up", show=False),
        Binding("g,home", "top", "top", show=False),
        Binding("G,end", "bottom", "end", show=False),
        Binding("ctrl+d,pagedown", "half(1)", "half a page down", show=False),
        Binding("ctrl+u,pageup", "half(-1)", "half a page up", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = {f"canvas--{name}" for name in STYLES if name}
    DEFAULT_CSS = """
    Canvas { background: $background; color: $foreground; scrollbar-size-vertical: 1; }
    """

    cursor: reactive[int] = reactive(0, repaint=False)
    _brush: Brush | None = None

    class Moved(Message):
        """The cursor is on another line."""

        def __init__(self, canvas: Canvas, line: int) -> None:
            super().__init__()
            self.canvas, self.line = canvas, line

        @property
        def control(self) -> Canvas:
            return self.canvas

    class Opened(Message):
        """The line under the cursor was clicked."""

        def __init__(self, canvas: Canvas, line: int) -> None:
            super().__init__()
            self.canvas, self.line = canvas, line

        @property
        def control(self) -> Canvas:
            return self.canvas

    @property
    def count(self) -> int:
        """How many lines there are."""
        return 0

    def line(self, y: int, width: int) -> Line:
        """Line number y, of at most so many cells."""
        return []

    def changed(self) -> None:
        """The lines are others than before."""
        self.virtual_size = Size(0, self.count)
        if self.cursor >= self.count:
            self.cursor = max(0, self.count - 1)
        self.refresh()

    @property
    def room(self) -> int:
        """The cells of a line."""
        return self.scrollable_content_region.width

    def render_lines(self, crop: Region) -> list[Strip]:
        self._brush = Brush(self)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width, number, brush = self.room, y + self.scroll_offset.y, self._brush or Brush(self)
        try:
            if not 0 <= number < self.count:
                return Strip.blank(width, brush.base)
            line = self.line(number, width)
        except HchError as error:
            line = cut([(one_line(str(error), 500), "bad")], width)
        strip = brush.drawn(line, width)
        if number != self.cursor:
            return strip
        if self.has_focus:
            return Strip([Segment(strip.text, brush.base + Style(reverse=True))])
        return strip.apply_style(Style(bold=True))

    def watch_cursor(self, old: int, new: int) -> None:
        top = self.scroll_offset.y
        self.refresh(
            Region(0, old - top, self.size.width, 1), Region(0, new - top, self.size.width, 1)
        )
        self.show()
        self.post_message(self.Moved(self, new))

    def show(self) -> None:
        """Bring the cursor's line onto the screen."""
        if self.size.height:
            self.scroll_to_region(
                Region(0, self.cursor, 1, 1), animate=False, immediate=True, force=True
            )

    def go(self, line: int) -> None:
        """Put the cursor on that line, or on the nearest there is."""
        self.cursor = max(0, min(line, self.count - 1))

    def action_move(self, by: int) -> None:
        self.go(self.cursor + by)

    def action_top(self) -> None:
        self.go(0)

    def action_bottom(self) -> None:
        self.go(self.count - 1)

    def action_half(self, way: int) -> None:
        self.go(self.cursor + way * max(1, self.size.height // 2))

    def on_click(self, event: Click) -> None:
        line = event.y + self.scroll_offset.y
        if not 0 <= line < self.count:
            return
        if line == self.cursor:
            self.post_message(self.Opened(self, line))
        else:
            self.cursor = line

    def on_resize(self) -> None:
        self.changed()
        self.show()
