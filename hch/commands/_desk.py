"""Where a person plays one copy: shows its workspace, and asks for a reply field by field."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from hch.commands._form import Entry, Field, only_asks, walk
from hch.commands._sheet import BOLD, DIM, PLAIN, prompt, sheet, told, wrapped
from hch.commands._terminal import mutter, size
from hch.types import Request
from hch.words import count, listed

if TYPE_CHECKING:
    from hch.commands._keyboard import Keyboard

KEYS = "Enter sends, Alt-Enter new line"

HELP = """\
You play H, one copy in a tree of copies. You see what a copy sees: this question, what was sent \
along with it, and the answers to your own sub-questions.

ask: put sub-questions to fresh copies, one level lower. A copy sees only the sub-question that \
you write and the texts that you send along, so each must be whole in itself. You are asked again \
when their answers are there. A last round says that you will not ask again.
answer: your answer, to whoever asked. cannot: you cannot tell, and why.
The beginning of a word is enough.

Enter             sends what you typed
Alt-Enter, Ctrl-J a new line; lines that you paste are kept
Ctrl-X Ctrl-E     your editor, $VISUAL or $EDITOR; so does e alone
Ctrl-U, Ctrl-Y    clears what you typed, and brings it back
show              the workspace again, and all of every text
prompt            what a model would be sent
back              undoes your last entry
?                 this
Ctrl-C            stops the run; hch resume goes on where you were

To send one of these words as it is, put a space before it."""

FIRST = "First your sub-questions; your answer is asked for when theirs are there."
STOPPING = "Ctrl-C stops the run; what you typed is kept, and hch resume goes on"
GARBLED = "some of what was typed here before cannot be read: it is left out"


@dataclass(frozen=True, slots=True)
class Draft:
    """What was typed towards a reply: whole entries, and what stood in the line beyond them."""

    entries: tuple[Entry, ...] = ()
    typing: str = ""
    garbled: bool = False

    @property
    def text(self) -> str:
        return json.dumps({"entries": self.entries, "typing": self.typing})

    @classmethod
    def read(cls, text: str) -> Draft:
        """The inverse of `text`; what is none of it is garbled."""
        try:
            data = json.loads(text)
            entries = tuple((name, raw) for name, raw in data["entries"])
            typing = data["typing"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return cls(garbled=True)
        if not all(isinstance(word, str) for word in (typing, *sum(entries, ()))):
            return cls(garbled=True)
        return cls(entries, typing)


class Keeper(Protocol):
    """Keeps drafts."""

    async def keep(self, request: Request, draft: Draft) -> None:
        """Make a draft durable before anything else happens."""
        ...

    def leave(self, request: Request, draft: Draft) -> None:
        """Keep a draft in the run's last moment, which is made durable with it."""
        ...


class Desk:
    """For one reply to one request; `place` is its node's id, and `waiting` how many wait."""

    def __init__(
        self, request: Request, place: str, waiting: Callable[[], int], keeper: Keeper
    ) -> None:
        self._request = request
        self._place = place
        self._waiting = waiting
        self._keeper = keeper
        self._keyboard: Keyboard | None = None

    async def reply(self, draft: Draft) -> str:
        """The reply, as long as it takes; it goes on after a draft."""
        from hch.commands._keyboard import Keyboard

        self._keyboard = Keyboard(self._hint)
        with self._keyboard.ours():
            self._show()
            draft = self._gone_on(draft)
            while (state := walk(self._request.form, draft.entries)).field is not None:
                draft = await self._next(draft, state.field)
        return state.reply

    def redraw(self) -> None:
        """Show how many wait by now."""
        if self._keyboard is not None:
            self._keyboard.redraw()

    def restore(self) -> None:
        """Give the terminal back at once, from wherever this is called."""
        if self._keyboard is not None:
            self._keyboard.restore()

    async def _next(self, draft: Draft, field: Field) -> Draft:
        """What one line makes of a draft."""
        assert self._keyboard is not None
        with self._leaving(draft):
            typed = await self._keyboard.line(field, draft.typing)
        if typed.how == "end":
            self._say(STOPPING)
            return replace(draft, typing="")
        if typed.how == "editor" or (typed.text == "e" and field.long):
            text = typed.text if typed.how == "editor" else ""
            draft = replace(draft, typing=await self._edited(draft, text))
            await self._keeper.keep(self._request, draft)
            return draft
        if typed.text in ("?", "show", "prompt"):
            self._tell(typed.text)
            return replace(draft, typing="")
        if typed.text == "back":
            return await self._back(draft)
        try:
            field.check(typed.text)
        except ValueError as error:
            kept = typed.text if field.long and typed.text.strip() else ""
            self._say(f"{error}; change it, or clear it by Ctrl-U" if kept else str(error))
            return replace(draft, typing=kept)
        draft = Draft((*draft.entries, (field.name, typed.text)))
        await self._keeper.keep(self._request, draft)
        return draft

    async def _back(self, draft: Draft) -> Draft:
        if not draft.entries:
            self._say("there is nothing to undo")
            return replace(draft, typing="")
        *entries, (_, raw) = draft.entries
        field = walk(self._request.form, entries).field
        draft = Draft(tuple(entries), raw if field and field.long else "")
        await self._keeper.keep(self._request, draft)
        return draft

    async def _edited(self, draft: Draft, text: str) -> str:
        assert self._keyboard is not None
        with self._leaving(draft):
            try:
                text, code = await self._keyboard.edited(text)
            except ValueError as error:
                self._say(str(error))
            else:
                if code:
                    self._say(f"the editor ended with {code}: this is what it had saved")
        return text

    @contextmanager
    def _leaving(self, draft: Draft) -> Iterator[None]:
        """Where a line or an editor is ended, keep with the draft what stood there by then."""
        assert self._keyboard is not None
        try:
            yield
        except BaseException:
            self._keeper.leave(self._request, replace(draft, typing=self._keyboard.so_far))
            raise

    def _gone_on(self, draft: Draft) -> Draft:
        """A draft as far as it fits, after saying what of it is there."""
        fit = walk(self._request.form, draft.entries).fit
        kept = Draft(tuple((field.name, raw) for field, raw in fit), draft.typing)
        if draft.garbled or len(fit) < len(draft.entries):
            self._say(GARBLED)
            kept = replace(kept, typing="")
        if fit:
            self._say("You typed before:")
            lines = [line for field, raw in fit for line in self._wrapped(field.prompt + raw, "  ")]
            self._write(lines)
        return kept

    # What is shown.

    def _hint(self, field: Field) -> list[str]:
        n, keys = self._waiting(), KEYS if field.long else ""
        queue = count(n, "more waits", "more wait") if n else ""
        return self._wrapped(listed((queue, "? help", field.hint, keys)), "")

    def _show(self, *, whole: bool = False) -> None:
        request, width = self._request, self._width
        who = f"You are H at HCH_{request.level}"
        node = f"node {self._place}" if self._place else ""
        head = listed((who, node))
        lines = [DIM + "─" * width + PLAIN]
        lines += (f"{BOLD}{line}{PLAIN}" for line in wrapped(head, width))
        lines += ["", *sheet(request, width, whole=whole), ""]
        if (grant := told(request, "grant")) not in ("", "no limit"):
            lines += [*wrapped(f"You may spend: {grant}.", width), ""]
        if only_asks(request.form):
            lines += [*wrapped(FIRST, width), ""]
        self._write(lines)

    def _tell(self, word: str) -> None:
        if word == "show":
            self._show(whole=True)
        elif word == "prompt":
            self._write(prompt(self._request, self._width))
        else:
            self._write(["", *self._wrapped(HELP, ""), ""])

    def _say(self, text: str) -> None:
        self._write(f"{DIM}{line}{PLAIN}" for line in self._wrapped(text, ""))

    def _wrapped(self, text: str, indent: str) -> list[str]:
        return wrapped(text, self._width, indent)

    def _write(self, lines: Iterable[str]) -> None:
        mutter("".join(f"{line}\n" for line in lines))

    @property
    def _width(self) -> int:
        """One less than there are columns, so that no line fills its row."""
        return max(8, size(sys.stderr)[0] - 1)
