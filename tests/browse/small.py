"""A small app in a terminal of its own, which leaves as the browser does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.commands.seat import Seat

APP = """
import os, sys
from contextlib import closing
from textual.widgets import Static
from hch import cli
from hch.browse import outside
from hch.browse.leaving import Leaving
from hch.commands import _application
from hch.errors import StoreError

TEXT = os.environ.get("TEXT", "").replace("@long", "long " * 40_000)

class Small(Leaving):
    BINDINGS = [("b", "bug"), ("s", "store"), ("w", "work"), ("c", "copy"), ("o", "open"),
                ("q", "quit"), ("h", "hang")]
    moves = 0
    def compose(self): yield Static("begun")
    def say(self, text): self.query_one(Static).update(text)
    def on_key(self, event):
        if event.key == "j":
            self.moves += 1
            self.say(f"moved {self.moves}")
    def action_bug(self): 1 / 0
    def action_store(self): raise StoreError("the store is gone")
    def action_work(self): self.run_worker(self.work())
    async def work(self): raise StoreError("a worker's store is gone")
    def action_copy(self): self.say(outside.copy(self, TEXT))
    def action_open(self): self.say(outside.opened(self, TEXT) or "opened well")
    def action_hang(self):
        self.exit = lambda **_: None
        self.say("hangs")

_application.application = lambda: type("A", (), {"main": lambda *_, **__: Small().leave()})()
sys.argv[1:] = []
cli.main()
"""


@contextmanager
def app(tmp_path: Path, *before: str, **env: str) -> Iterator[Seat]:
    """The small app on a terminal of its own, when it is drawn."""
    (tmp_path / "small.py").write_text(APP)
    command = (*before, sys.executable, str(tmp_path / "small.py"))
    with Seat(command=command, PYTHONPATH=str(Path(__file__).parents[2]), **env) as seat:
        seat.until("begun")
        yield seat


def restored(seat: Seat) -> bool:
    """Whether all that was asked of the terminal was taken back."""
    last = seat.seen.rfind
    modes = ("1049", "1000", "1003", "1004", "1006")
    left = all(last(b"\x1b[?%sl" % m.encode()) > last(b"\x1b[?%sh" % m.encode()) for m in modes)
    return left and seat.sane and last(b"\x1b[?7h") > last(b"\x1b[?7l")
