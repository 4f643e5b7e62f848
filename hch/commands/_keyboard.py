"""What a person types at the terminal, one entry at a time, on stderr; and the editor.

While nothing is asked for the terminal is as it was. Ctrl-C is a signal here as everywhere.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO, cast

from hch.commands._form import Field
from hch.commands._terminal import Narration, last_words, size
from hch.environment import variable
from hch.errors import ConfigError

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.output import Output

How = Literal["sent", "editor", "end"]

PATIENCE = 2.0
"""Seconds that an editor has to end when it is told to."""

DEAF = (
    ("c-o",),
    ("escape", "#"),  # these two would send the line
    ("c-@",),  # marks a place, and what is then typed is dropped
    ("c-r",),
    ("c-s",),  # a search has a line of its own, and Enter would send that
    ("c-x", "("),
    ("c-x", ")"),
    ("c-x", "e"),  # a macro that calls itself has no end
    *(("escape", sign) for sign in "-0123456789"),  # do what comes next up to a million times
    ("<vt100-mouse-event>",),
    ("<cursor-position-response>",),  # nobody asked for these two: it is text with colours in it
)
"""Keys to which prompt_toolkit would do what nobody wants done to their words: nothing is done."""

UNSET = "\x1b[0m\x1b[?7h\x1b[?25h\x1b[?2004l"
"""Takes back what prompt_toolkit sets while somebody types."""


class Typed(NamedTuple):
    """What was typed, and what for: to be sent, to be edited, or Ctrl-D where there was nothing."""

    text: str
    how: How


class _Shown(Narration):
    """stderr, with its number: while keys are read it may be in a mode in which writing fails."""

    def fileno(self) -> int:
        return sys.stderr.fileno()


class Keyboard:
    """For one node, so that nothing typed at another comes back; `hint` stands above a line."""

    def __init__(self, hint: Callable[[Field], Sequence[str]]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.input import create_input
        from prompt_toolkit.styles import Style

        self._hint = hint
        self._before: list[Any] | None = None
        self._input = create_input(sys.stdin)
        self._session: PromptSession[Typed] = PromptSession(
            input=self._input,
            output=_output(),
            multiline=True,
            prompt_continuation="  ",
            key_bindings=_keys(),
            style=Style.from_dict({"hint": "fg:ansibrightblack"}),
        )

    async def line(self, field: Field, given: str) -> Typed:
        """One entry, as it was typed; `given` is there to be changed. A long one is remembered.

        Raises ConfigError where the terminal is gone.
        """

        def message() -> StyleAndTextTuples:
            hints = () if self._session.app.is_done else self._hint(field)
            return [*(("class:hint", f"{line}\n") for line in hints), ("", field.prompt)]

        with _blocking(), _there():
            typed = await self._session.prompt_async(
                message, default=given, set_exception_handler=False, handle_sigint=False
            )
        if field.long and typed.how == "sent":
            self._session.history.append_string(typed.text)
        return typed

    @property
    def so_far(self) -> str:
        """What stands in the line, or what an editor had saved when it was ended."""
        return self._session.default_buffer.text

    def redraw(self) -> None:
        """Show the hint anew."""
        self._session.app.invalidate()

    @contextmanager
    def ours(self) -> Iterator[None]:
        """From here on keys are keys, between two lines too; what was typed before is dropped.

        Raises ConfigError where the terminal is gone.
        """
        from prompt_toolkit.input.typeahead import clear_typeahead

        clear_typeahead(self._input)
        fd = sys.stdin.fileno()
        with _there():
            flags = termios.tcgetattr(fd)
            self._before = list(flags)
            flags[0] &= ~termios.ICRNL
            flags[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(fd, termios.TCSAFLUSH, flags)
        try:
            yield
        finally:
            self._attributes_back()
            self._before = None

    def restore(self) -> None:
        """Give the terminal back at once, from wherever this is called: a signal's handler."""
        if self._before is not None:
            last_words(UNSET)
            self._attributes_back()

    async def edited(self, text: str) -> tuple[str, int]:
        """The text as the person's editor leaves it, and the editor's exit code.

        What it had saved before a stop is `so_far`. Raises ValueError for an editor of no use.
        """
        editor = variable("VISUAL", "EDITOR")
        if not editor:
            raise ValueError("no editor: neither VISUAL nor EDITOR is set")
        with TemporaryDirectory(prefix="hch-") as folder:
            path = Path(folder) / "entry.txt"
            path.write_text(text, "utf-8", "replace")
            try:
                with self._input.cooked_mode():
                    code = await _ran([*shlex.split(editor), str(path)])
                return _saved(path), code
            except (OSError, ValueError) as error:
                raise ValueError(f"the editor {editor!r} was of no use: {error}") from error
            except BaseException:
                with suppress(OSError, ValueError):
                    self._session.default_buffer.text = _saved(path)
                raise

    def _attributes_back(self) -> None:
        assert self._before is not None
        with suppress(termios.error):  # a terminal that is gone
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)


async def _ran(words: Sequence[str]) -> int:
    """A program's exit code, run at this terminal; a stop ends it too, and waits for its end."""
    child = await asyncio.create_subprocess_exec(*words, stdout=sys.stderr.fileno())
    try:
        return await child.wait()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            child.terminate()
            with suppress(TimeoutError):
                await asyncio.wait_for(child.wait(), PATIENCE)
            child.kill()
        await child.wait()
        raise


def _saved(path: Path) -> str:
    """What an editor wrote, but for a newline at the end; bytes of no text are shown as `\\xff`."""
    return path.read_text("utf-8", "backslashreplace").removesuffix("\n")


def _output() -> Output:
    """stderr; it is never asked where the cursor is, since the reply could come too late."""
    from prompt_toolkit.data_structures import Size
    from prompt_toolkit.output.color_depth import ColorDepth
    from prompt_toolkit.output.vt100 import Vt100_Output

    def measure() -> Size:
        columns, rows = size(sys.stderr)
        return Size(rows=rows, columns=columns)

    depth = ColorDepth.DEPTH_1_BIT if variable("NO_COLOR") else ColorDepth.DEPTH_4_BIT
    shown = cast(TextIO, _Shown())
    return Vt100_Output(shown, measure, default_color_depth=depth, enable_cpr=False)


def _keys() -> KeyBindings:
    from prompt_toolkit.application.run_in_terminal import run_in_terminal
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()
    _deafen(keys)

    def leave(event: KeyPressEvent, how: How) -> None:
        event.app.exit(result=Typed(event.current_buffer.text, how))

    @keys.add("enter")
    def _send(event: KeyPressEvent) -> None:
        leave(event, "sent")

    @keys.add("c-x", "c-e")
    def _edit(event: KeyPressEvent) -> None:
        leave(event, "editor")

    @keys.add("c-d", filter=Condition(lambda: not _standing()))
    def _end(event: KeyPressEvent) -> None:
        leave(event, "end")

    @keys.add("c-j")
    @keys.add("escape", "enter")
    def _break(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @keys.add("c-u")
    def _clear(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.app.clipboard.set_text(event.current_buffer.text)
            event.current_buffer.text = ""

    @keys.add("c-c", eager=True)  # it begins other keys where something is marked
    def _stop(_event: KeyPressEvent) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    @keys.add("c-z")
    def _suspend(_event: KeyPressEvent) -> None:
        run_in_terminal(_stopped)

    return keys


def _deafen(keys: KeyBindings) -> None:
    for deaf in DEAF:

        @keys.add(*deaf)
        def _nothing(_event: KeyPressEvent) -> None:
            pass


def _standing() -> str:
    from prompt_toolkit.application import get_app

    return get_app().current_buffer.text


def _stopped() -> None:
    """Ctrl-Z, at once, whatever else listens to it: the terminal is the shell's by now."""
    before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(0, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, before)


@contextmanager
def _there() -> Iterator[None]:
    """Raises ConfigError where it turns out within that the terminal is gone."""
    try:
        yield
    except (EOFError, termios.error) as error:
        raise ConfigError("the terminal at which a person played is gone") from error


@contextmanager
def _blocking() -> Iterator[None]:
    """An event loop may leave stdin, and what shares its terminal, in a mode that fails others."""
    try:
        yield
    finally:
        with suppress(OSError, ValueError):
            os.set_blocking(sys.stdin.fileno(), True)
