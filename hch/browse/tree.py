"""The pane of a run's tree, and its keys."""

from __future__ import annotations

from bisect import bisect_right
from itertools import islice
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message

from hch.browse.branches import Branches, Sort
from hch.browse.folding import Branch
from hch.browse.openness import ALL, CLOSED, OPEN
from hch.browse.problems import problems
from hch.browse.timeline import Timeline

NONE = "no problem: nothing failed, was refused, cut or doubted, or is known to be wrong"


class Tree(Branches):
    """Walks the tree; posts `Told` with what a key came to."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("l,right", "open", "open", show=False),
        Binding("h,left", "close", "close; again: parent", show=False),
        Binding("enter", "look", "look at the node", show=False),
        Binding("space", "turn", "open or close", show=False),
        Binding("asterisk", "open_all", "open all below", show=False),
        Binding("minus", "close_all", "close all", show=False),
        Binding("left_square_bracket", "sibling(-1)", "the sibling before", show=False),
        Binding("right_square_bracket", "sibling(1)", "the next sibling", show=False),
        Binding("u", "parent", "parent", show=False),
        Binding("E", "problem", "next problem", show=False),
        Binding("s", "sort", "sort siblings: as asked, by cost, by time", show=False),
        Binding("dollar_sign", "figures", "own or subtree figures, hottest first", show=False),
        Binding("t", "timeline", "timeline; the critical path is thick", show=False),
    ]

    class Told(Message):
        """What a key came to, in words."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def _turn(self, branch: Branch, state: int) -> None:
        assert self.view is not None
        self.view.turn(branch, state)
        self.changed()

    def action_open(self) -> None:
        branch = self.branch
        if branch is None or self.view is None:
            return
        if branch.item.kind == "shared":
            self.go_to(branch.item.node)
        elif self.view.opens(branch) and branch.state == CLOSED:
            self._turn(branch, OPEN)
        elif self.view.opens(branch):
            self.action_move(1)

    def action_close(self) -> None:
        branch = self.branch
        if branch is None or self.view is None:
            return
        if self.view.opens(branch) and branch.state != CLOSED:
            self._turn(branch, CLOSED)
        else:
            self.action_parent()

    def action_turn(self) -> None:
        branch = self.branch
        if branch is not None:
            self._turn(branch, OPEN if branch.state == CLOSED else CLOSED)

    def action_open_all(self) -> None:
        if (branch := self.branch) is not None:
            self._turn(branch, ALL)

    def action_close_all(self) -> None:
        if self.view is None:
            return
        branch = self.branch
        while branch is not None and branch.parent is not self.view.top:
            branch = branch.parent
        root = branch.index if branch is not None else 0
        self.view.close_all()
        self.changed()
        self.go(root)

    def action_parent(self) -> None:
        branch = self.branch
        if branch is None or self.view is None or branch.parent is None:
            return
        if branch.parent is not self.view.top:
            self.cursor = self.view.number(branch.parent)

    def action_sibling(self, way: int) -> None:
        branch = self.branch
        if branch is None or self.view is None or branch.parent is None:
            return
        kids = self.view.kids(branch.parent)
        if 0 <= branch.index + way < len(kids):
            self.cursor = self.view.number(kids[branch.index + way])

    async def action_look(self) -> None:
        branch = self.branch
        if branch is None:
            return
        if branch.item.kind in {"round", "same"}:
            self.action_turn()
        elif branch.item.kind == "shared":
            self.go_to(branch.item.node)
        else:
            await self.run_action("screen.look")

    def action_problem(self) -> None:
        if self.book is None:
            return
        found = [node for node in self.book.problems() if self.has(node)]
        if not found:
            self.post_message(self.Told(NONE))
            return
        at = bisect_right(found, self.node) % len(found)
        self.go_to(found[at])
        said = f"problem {at + 1:,} of {len(found):,}"
        for first in islice(problems(self.book, found[at]), 1):
            said += f": {first.what}: {first.why}"
        self.post_message(self.Told(said))

    def action_sort(self) -> None:
        orders = list(Sort)
        self.sort = orders[(orders.index(self.sort) + 1) % len(orders)]
        self.again()
        self.post_message(self.Told(f"siblings in order: {self.sort.value}"))

    def action_figures(self) -> None:
        self.own = not self.own
        self.sort = Sort.COST
        self.again()
        whose = "each node's own figures" if self.own else "the subtrees' figures"
        self.post_message(self.Told(f"{whose}, hottest first (s: as asked)"))

    def action_timeline(self) -> None:
        self.timeline = None if self.timeline else Timeline(self.outline)
        self.changed()
        waited = "━ is what the run waited for; t shows the figures again"
        self.post_message(self.Told(waited if self.timeline else ""))
