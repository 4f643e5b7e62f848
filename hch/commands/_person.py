"""Whoever sits at the terminal: the copies that they play queue up, and what they type is kept."""

from __future__ import annotations

import asyncio
import heapq
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Protocol

from hch.commands._growth import Growth, Node
from hch.commands._terminal import is_drawn_on, is_terminal, mutter, size
from hch.events import PersonTyped
from hch.run import Run
from hch.types import Request

if TYPE_CHECKING:
    from hch.commands._desk import Desk, Draft


PATIENCE, GLANCE = 1.0, 0.005
"""Seconds that the next copy waits for others that may come first, and between two looks."""


class View(Protocol):
    """What else is drawn on the terminal."""

    @property
    def growth(self) -> Growth:
        """The run's open nodes."""
        ...

    def aside(self) -> AbstractContextManager[None]:
        """Draw nothing in the meantime."""
        ...

    def place(self, key: str) -> str:
        """The provisional id of an open node; empty where it has none."""
        ...


class Nothing:
    """A view where nothing else is drawn."""

    def __init__(self) -> None:
        self.growth = Growth()

    def aside(self) -> AbstractContextManager[None]:
        return nullcontext()

    def place(self, key: str) -> str:
        return ""


@dataclass(order=True, slots=True)
class Ticket:
    """A request in the queue: first what a stop cut short, then by level, then nodes met before."""

    rank: tuple[bool, int, bool, int]
    called: asyncio.Future[None] = field(compare=False)


class PersonAtTerminal:
    """Plays one copy at a time, at stdin and stderr; a `Person`."""

    def __init__(self) -> None:
        self._queue: list[Ticket] = []
        self._numbers = count()
        self._here: set[str] = set()
        self._busy = False
        self._desk: Desk | None = None
        self._met: set[str] = set()
        self._last = ""
        self._run: Run | None = None
        self._view: View = Nothing()
        self._drafts: Mapping[str, str] = {}

    def sits_at(self, run: Run, view: View) -> None:
        """Play in this run: keep what is typed in its store, and go on after what is there."""
        self._run, self._view = run, view
        if run.resumed:
            typed = (record.event for record in run.store.events(run.id, "PersonTyped"))
            self._drafts = {e.request: e.text for e in typed if isinstance(e, PersonTyped)}

    async def reply(self, request: Request) -> str:
        """The person's reply, when it is this request's turn and as long as it takes."""
        self._here.add(request.call)
        try:
            await self._turn(request)
            try:
                with self._view.aside():
                    return await self._played(request)
            finally:
                self._desk = None
                self._leave()
        finally:
            self._here.discard(request.call)

    def restore(self) -> None:
        """Bring back the terminal at once, if somebody types there; a signal's handler may."""
        if self._desk is not None:
            self._desk.restore()

    async def keep(self, request: Request, draft: Draft) -> None:
        self.leave(request, draft)
        if self._run is not None:
            await self._run.journal().durable()

    def leave(self, request: Request, draft: Draft) -> None:
        if self._run is not None:
            text = self._run.setup.redaction.text(draft.text)
            self._run.journal().write(PersonTyped(request=request.call, text=text))

    async def _turn(self, request: Request) -> None:
        fresh, met = request.call not in self._drafts, request.node in self._met
        rank = (fresh, request.level, not met, next(self._numbers))
        ticket = Ticket(rank, asyncio.get_running_loop().create_future())
        heapq.heappush(self._queue, ticket)
        self._call_soon()
        try:
            await ticket.called
        except asyncio.CancelledError:
            if ticket.called.done() and not ticket.called.cancelled():
                self._leave()
            raise

    def _call_soon(self) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(self._call, loop.time() + PATIENCE)

    def _call(self, until: float) -> None:
        """Call the first in the queue, where nobody is at the desk.

        That is when all are in the queue that come without a model's reply, and at the latest at a
        time `until`: a strategy can be at work for long.
        """
        loop = asyncio.get_running_loop()
        nodes = self._view.growth.nodes.values()
        if not self._busy and loop.time() < until and any(map(self._may_come, nodes)):
            loop.call_later(GLANCE, self._call, until)
            return
        while self._queue and not self._busy:
            ticket = heapq.heappop(self._queue)
            if not ticket.called.done():
                self._busy = True
                ticket.called.set_result(None)
        if self._desk is not None:
            self._desk.redraw()

    def _leave(self) -> None:
        self._busy = False
        self._call_soon()

    def _may_come(self, node: Node) -> bool:
        """Whether an open node is at work, or on its way to the queue: it waits for nobody else."""
        call = node.call
        if call is None or call.state == "done":
            return node.children is None or not node.children.awaited
        if call.state == "queued":
            return self._plays(node.model)
        return call.person and call.request not in self._here

    def _plays(self, name: str) -> bool:
        model = self._run.setup.models.get(name) if self._run is not None else None
        return model is not None and model.by_hand

    def _waiting(self) -> int:
        return sum(not ticket.called.done() for ticket in self._queue)

    async def _played(self, request: Request) -> str:
        if self._last and self._last != request.node:
            mutter("\n" * size(sys.stderr)[1] + "\x1b[H")  # what was on the screen scrolls away
        self._last = request.node
        self._met.add(request.node)
        from hch.commands._desk import Desk, Draft

        draft = Draft.read(self._drafts[request.call]) if request.call in self._drafts else Draft()
        place = self._view.place(request.node)
        self._desk = Desk(request, place, self._waiting, self)
        return await self._desk.reply(draft)


class Nobody:
    """A person who is never asked: for what sends nothing."""

    async def reply(self, request: Request) -> str:
        raise AssertionError("nobody is asked where nothing is sent")


def at_terminal() -> PersonAtTerminal | None:
    """Whoever can be shown a workspace and type; None where nobody can."""
    if is_terminal(sys.stdin) and is_drawn_on(sys.stderr):
        return PersonAtTerminal()
    return None
