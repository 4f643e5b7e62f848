"""A shell in a real terminal, tmux's, that commands are typed into; what is on its screen as text.

with Tmux(columns=80, rows=24) as tmux:
    tmux.command("browse")
    tmux.until("Which rivers")
    tmux.keys("j", "Enter")
    tmux.screen()
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from uuid import uuid4

import pytest

from tests.commands.terminal import HCH

PATIENCE = 10.0
"""Seconds after which what was waited for does not come any more."""

PROMPT = "ready>"

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: it is the terminal of these tests"
)

SETTINGS = """
set -g default-terminal tmux-256color
set -g status off
set -g escape-time 0
set -g history-limit 1000
"""


class Tmux:
    """A tmux server of its own, with one window; `more` goes into the environment of its shell."""

    def __init__(self, columns: int = 80, rows: int = 24, **more: str) -> None:
        self._socket = f"hch-{uuid4().hex}"
        self._size = (columns, rows)
        gone = ("TMUX", "TMUX_PANE", "NO_COLOR", "COLUMNS", "LINES")
        self._env = {name: value for name, value in os.environ.items() if name not in gone}
        self._env |= {"LC_ALL": "C.UTF-8", **more}

    def __enter__(self) -> Self:
        settings = Path(f"{self._socket}.conf").absolute()
        settings.write_text(SETTINGS)
        columns, rows = map(str, self._size)
        shell = f"exec env PS1='{PROMPT}' bash --noprofile --norc"
        self._tmux("-f", str(settings), "new-session", "-d", "-x", columns, "-y", rows, shell)
        self.until(PROMPT)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(self._words("kill-server"), env=self._env, check=False, capture_output=True)

    def command(self, *words: str) -> None:
        """Type `hch …` into the shell."""
        self.type(f" clear; {shlex.join((*HCH, *words))}; echo code $?")
        self.keys("Enter")

    def keys(self, *names: str) -> None:
        """Press keys by tmux's names, such as `j`, `Enter`, `C-d`."""
        self._tmux("send-keys", *names)

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def screen(self) -> str:
        """What is on the screen, line by line, without spaces at the ends."""
        return self._tmux("capture-pane", "-p")

    def coloured(self) -> str:
        """The same, with the sequences that colour it."""
        return self._tmux("capture-pane", "-p", "-e")

    def until(self, wanted: str | Callable[[str], bool]) -> str:
        """The screen, as soon as a text is on it, or what is wanted holds of it."""
        holds = (lambda screen: wanted in screen) if isinstance(wanted, str) else wanted
        end = time.monotonic() + PATIENCE
        while not holds(screen := self.screen()):
            what = repr(wanted) if isinstance(wanted, str) else "what was wanted"
            assert time.monotonic() < end, f"{what} is not on the screen:\n{screen}"
        return screen

    def settled(self) -> str:
        """The screen, when it has stayed the same for a while."""
        seen = [self.screen()]
        while len(seen) < 30 or len(set(seen[-30:])) > 1:
            seen.append(self.screen())
        return seen[-1]

    @property
    def alternate(self) -> bool:
        """Whether a full-screen program has the screen."""
        return self._told("alternate_on") == "1"

    @property
    def cursor(self) -> bool:
        """Whether the cursor is shown."""
        return self._told("cursor_flag") == "1"

    @property
    def mouse(self) -> bool:
        """Whether somebody listens to the mouse."""
        return self._told("mouse_any_flag") == "1"

    def _told(self, name: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def _tmux(self, *words: str) -> str:
        done = subprocess.run(
            self._words(*words), env=self._env, check=True, capture_output=True, text=True
        )
        return done.stdout

    def _words(self, *words: str) -> tuple[str, ...]:
        return ("tmux", "-u", "-L", self._socket, *words)
