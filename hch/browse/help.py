"""What the keys do, what the marks mean, and every action by name for the command palette."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from textwrap import wrap
from typing import Any, ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.markup import escape
from textual.screen import ModalScreen, Screen

from hch.browse.canvas import Canvas
from hch.browse.lines import Line, cut
from hch.browse.marks import MARKS, STYLES
from hch.browse.runs import CURRENT, IMPORTED, RUNNING

KEYS = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "escape": "esc",
    "pageup": "pgup",
    "pagedown": "pgdn",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "dollar_sign": "$",
    "slash": "/",
    "asterisk": "*",
    "minus": "-",
    "plus": "+",
    "comma": ",",
    "full_stop": ".",
    "colon": ":",
}
"""What is written for a key whose name is not what is on it."""

MEANINGS = {
    "answered": "answered",
    "unanswered": "has no answer, and says why",
    "truncated": "cut short: its budget or a length limit was reached",
    "failed": "failed: a call or a reply was no good",
    "cancelled": "cancelled: the run was stopped",
    "open": "not ended: still going on, or killed",
    "shared": "shared: the node stands elsewhere in the tree",
    "refused": "refused: it was not asked at all",
    "queued": "queued: it waits for its turn",
    "doubted": "answered, but a check doubts it",
}
"""What each status means."""

RUN_MARKS = {
    RUNNING: ("live", "a run that is going on"),
    IMPORTED: ("info", "a run that was brought here from elsewhere"),
    CURRENT: ("info", "the run that is open"),
}
"""The marks of the run list, with their styles."""


LONGEST = 18
"""The cells of a term that has its meaning beside it."""

LEFT_OUT = ("scroll_", "page_", "app.focus_", "screen.copy_text", "copy_selected_text")
"""How the actions of every widget begin that are no use here."""

WORDED = {
    "command_palette": "all actions by name",
    "cursor_left": "a character back",
    "cursor_right": "a character on",
    "delete_left": "delete the character before",
    "delete_right": "delete the character under it",
    "submit": "enter the line",
}
"""What Textual's own actions are called here."""


@dataclass(frozen=True, slots=True)
class Section:
    """Rows of a term, its style and what it means, under a title."""

    title: str
    rows: list[tuple[str, str, str]]

    def lines(self, cells: int) -> list[Line]:
        """Two columns, or the meaning under its term where that is long; nothing is cut off."""
        if not self.rows:
            return []
        wide = min(LONGEST, max(len(term) for term, _, _ in self.rows))
        lines: list[Line] = [[(self.title, "title")]]
        for term, style, meaning in self.rows:
            folded = wrap(meaning, max(8, cells - wide - 4))
            if len(term) > wide:
                lines.append([(f"  {term}", style)])
            else:
                lines.append([(f"  {term:{wide}}  ", style), (folded.pop(0), "")])
            lines += [[(f"{'':{wide + 4}}{text}", "")] for text in folded]
        return [*lines, []]


class Page(Canvas):
    """Sections that are there to be read."""

    def __init__(self, sections: list[Section]) -> None:
        super().__init__()
        self._sections = sections
        self._lines: list[Line] = []

    @property
    def count(self) -> int:
        return len(self._lines)

    def line(self, y: int, width: int) -> Line:
        return cut(self._lines[y], width)

    def changed(self) -> None:
        self._lines = [line for section in self._sections for line in section.lines(self.room)]
        super().changed()


class Help(ModalScreen[None]):
    """The keys of what has the focus, then those of everywhere, then marks and words."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark", "close", "close this page"),
    ]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help > Page {
        width: 100%; max-width: 88; height: 100%; max-height: 44;
        border: round $primary; background: $surface; padding: 0 1;
    }
    """

    def __init__(self, screen: Screen[Any], words: dict[str, str] | None = None) -> None:
        """`screen` is the one that help is for; `words` are what a filter can say."""
        super().__init__()
        said = [(word, "info", meaning) for word, meaning in (words or {}).items()]
        self._sections = [*_keys(screen), _marks(), Section("Filter", said)]

    def compose(self) -> ComposeResult:
        page = Page(self._sections)
        page.border_title = "Help"
        page.border_subtitle = "esc closes"
        yield page

    def action_close(self) -> None:
        self.dismiss()


def commands(app: App[Any], screen: Screen[Any]) -> Iterator[SystemCommand]:
    """Every key's action by its name, and the theme, for the command palette."""
    yield SystemCommand("theme", "choose other colours", app.action_change_theme)
    for node, keys, said, binding in _bound(screen):
        act = partial(app.run_action, binding.action, node)
        yield SystemCommand(escape(said), escape(f"key: {keys}"), act)


def _bound(screen: Screen[Any]) -> list[tuple[DOMNode, str, str, Binding]]:
    """What the keys do now, each action once: its node, all its keys, and what it does, in words.

    What has the focus is first, and of each node what is its own before what others of its kind do.
    """
    found: dict[tuple[DOMNode, str], tuple[list[str], Binding]] = {}
    for key, (node, binding, enabled, _) in screen.active_bindings.items():
        if enabled and binding.description and not binding.action.startswith(LEFT_OUT):
            keys, _ = found.setdefault((node, binding.action), ([], binding))
            keys.append(binding.key_display or KEYS.get(key, key))
    nodes = list(dict.fromkeys(node for node, _ in found))
    rows = [
        (node, ", ".join(sorted(keys, key=_plainness)), _in_words(binding), binding)
        for (node, _), (keys, binding) in found.items()
    ]
    return sorted(rows, key=lambda row: (nodes.index(row[0]), _declared(row[0], row[3].action)))


def _declared(node: DOMNode, action: str) -> int:
    """How far up among the classes of a node the one is that binds a key to this action."""
    for height, kind in enumerate(type(node).__mro__):
        for bound in vars(kind).get("BINDINGS", ()):
            if action == (bound.action if isinstance(bound, Binding) else bound[1]):
                return height
    return len(type(node).__mro__)


def _plainness(key: str) -> tuple[bool, int]:
    """What is on every keyboard first, then by length."""
    return not key.isascii(), len(key)


def _in_words(binding: Binding) -> str:
    """As ours are written, where it is Textual's."""
    said = WORDED.get(binding.action.removeprefix("app."), binding.description)
    return said[:1].lower() + said[1:] if said[1:2].islower() else said


def _keys(screen: Screen[Any]) -> list[Section]:
    here, everywhere = Section("Keys here", []), Section("Keys everywhere", [])
    for node, keys, said, _ in _bound(screen):
        of = everywhere if isinstance(node, App | Screen) else here
        of.rows.append((keys, "info", said))
    return [here, everywhere]


def _marks() -> Section:
    rows = [(mark, STYLES[colour], MEANINGS[s]) for s, (mark, colour) in MARKS.items()]
    return Section("Marks", [*rows, *((m, style, said) for m, (style, said) in RUN_MARKS.items())])
