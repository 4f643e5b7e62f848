"""The screen of one run: walked, searched, followed, and taken out of."""

from __future__ import annotations

import json
from asyncio import sleep, to_thread
from typing import ClassVar

from textual.binding import Binding, BindingType

from hch.browse import outside
from hch.browse.book import Book
from hch.browse.figures import of_node
from hch.browse.following import GOING_ON
from hch.browse.seeking import Seeking
from hch.browse.truth import truth_of
from hch.columns import NOBODY
from hch.errors import HchError


class Reading(Seeking):
    """Reads one run, from its root or from a node on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("L", "follow", "follow a run that is going on, or stop to", show=False),
        Binding("y", "copy", "copy the answer", show=False),
        Binding("Y", "copy_json", "copy the node as JSON", show=False),
        Binding("o", "outside", "open in $PAGER or $EDITOR", show=False),
    ]

    def __init__(self, book: Book, node: int = NOBODY) -> None:
        super().__init__(book)
        self._node = node

    def on_mount(self) -> None:
        self.rows.read(self.book)
        self.set_focus(self.rows)
        if self._node != NOBODY:
            self.rows.go_to(self._node)
        self.head()
        self.tell("")
        self.look()
        self.run_worker(self._look(), group="look")
        self.call_after_refresh(self.run_worker, self._grade, thread=True, group="grade")

    def _grade(self) -> None:
        """Find the nodes that answer wrongly, where the truth is known; in a thread.

        Before that, find how many rows there are in all: what opens all wants to know it at once.
        """
        self.rows.measure()
        truth, done = truth_of(self.book), 0
        while truth is not None:
            last = self.book.outline.last
            try:
                for wrong in truth.batches(done):
                    if self.following.left:
                        return
                    if wrong:
                        self.book.wrong = self.book.wrong | wrong
                        self.app.call_from_thread(self._graded)
            except HchError as error:
                self.app.call_from_thread(self.tell, str(error))
                return
            done = last
            if not self.following.waited(done):
                return

    def _graded(self) -> None:
        """Show what is known to be wrong by now."""
        if self.filter:
            self.renew()
        else:
            self.rows.changed()
            self.look()

    def ways(self) -> list[str]:
        return [*super().ways(), *(["  following"] if self.following.on else [])]

    async def _look(self) -> None:
        """Look for news as long as the screen is there."""
        while True:
            await sleep(self.following.pause)
            if not self.following.on:
                continue
            with self.following.timed():
                try:
                    outline, row = await to_thread(self.following.look)
                    self.following.take(outline, row)
                    if outline is not None:
                        self.renew()
                except HchError as error:
                    self.tell(str(error))
                    continue
            self.head()

    def action_follow(self) -> None:
        ended = self.book.row.status not in GOING_ON
        self.following.on = not self.following.on and not ended
        said = "following what is written" if self.following.on else "no longer followed"
        self.tell("the run has ended: nothing more is written" if ended else said)
        self.head()

    def action_copy(self) -> None:
        if (node := self.node) is not None:
            closed = self.book.node(node).closed
            said = closed and (closed.answer.body if closed.answer else closed.reason)
            self.tell(outside.copy(self.app, said) if said else "it has said nothing yet")

    def action_copy_json(self) -> None:
        if (node := self.node) is not None:
            self.tell(outside.copy(self.app, json.dumps(of_node(self.book, node), indent=1)))

    def action_outside(self) -> None:
        if (node := self.node) is None:
            return
        self.detail.show(self.book, node)
        self.tell(outside.opened(self.app, self.detail.text()) or "")
