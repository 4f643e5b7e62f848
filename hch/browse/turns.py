"""Keys that act one after another, however fast they come.

Textual gives a key at once to what has the focus just then, and it acts later: of keys that come in
one burst, as over a slow line, those after one that moves the focus would go astray.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any

from textual.app import App, ScreenStackError
from textual.events import Event, Key, Paste
from textual.message_pump import MessagePump

PATIENCE = 2.0
"""Seconds that a key waits for what was typed before it."""

QUIET = 3
"""How often in a row nothing may be left to do: a message that was just taken up is not seen."""

ROUNDS = 20
"""How often that is looked for at most."""


class InTurn(App[None]):
    """Gives a key on when all that the key before it led to is done; ctrl+c never waits.

    It is `acting` as long as a key has effects.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._typed: deque[Event] = deque()
        self._turn, self._since = 0, 0.0
        self._rounds = self._quiet = 0
        self.acting = False

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key | Paste) or event.is_forwarded or _urgent(event):
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self.acting or monotonic() - self._since > PATIENCE:
            await self._next()

    async def _next(self) -> None:
        """Give on what was typed first, and wait for what that leads to."""
        self.acting = bool(self._typed)
        if self._typed:
            self._turn, self._since = self._turn + 1, monotonic()
            self._rounds = self._quiet = 0
            await super().on_event(self._typed.popleft())
            await self._follow(self._turn, self._way())

    async def _follow(self, turn: int, way: list[MessagePump]) -> None:
        """Go the way of a key, behind it, from what has the focus up to here, until all is done."""
        for place, pump in enumerate(way, 1):
            if turn != self._turn or pump.call_later(self._follow, turn, way[place:]):
                return
        if way:  # nobody takes anything any more: the app closes
            self._typed.clear()
        elif turn == self._turn:
            way = self._way()
            busy = any(pump.message_queue_size for pump in way)
            self._quiet, self._rounds = 0 if busy else self._quiet + 1, self._rounds + 1
            if self._quiet < QUIET and self._rounds < ROUNDS:
                await self._follow(turn, way)
            else:
                await self._next()

    def _way(self) -> list[MessagePump]:
        try:
            return [*(self.screen.focused or self.screen).ancestors_with_self, self]
        except ScreenStackError:
            return [self]


def _urgent(event: Event) -> bool:
    return isinstance(event, Key) and event.key == "ctrl+c"
