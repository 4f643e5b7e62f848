"""The live tree as lines that fit a screen: a run as it grows, and what waits for what.

    ⠙ HCH_2  Which rivers cross both France and Germany?                     awaits 1 of 2
    ├─ ✓ HCH_1  Which rivers cross France? → The Seine, the Loire, …                  4.1 s
    └─ ⠙ HCH_1  Which rivers cross Germany?                                   thinking 12 s

The work is that of the lines shown, however many nodes there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from rich.cells import cell_len
from rich.text import Text

from hch.browse.marks import MARKS, fit, share
from hch.commands._growth import SHOWN, Growth, Node
from hch.commands._terminal import encodable
from hch.commands._waiting import Waiting, totals
from hch.run import Run
from hch.safe_text import one_line
from hch.words import players, seconds

SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
PLAIN_SPINNER = "|/-\\"

TURN = 0.1
"""Seconds that each character of a spinner stays."""

STYLES = {
    "thinking": "cyan",
    "person": "bold magenta",
    "held": "yellow",
    "queued": "dim",
    "asking": "dim",
    "working": "dim",
}
"""By what a node waits for."""

ROOMY = 12
"""The rows of a screen that has some for what does not change."""

STEADY = 16
"""What nodes wait for ends at a multiple of so many cells, lest it jump about."""

HELP = "Ctrl-C stops; hch resume goes on"


@dataclass(slots=True, eq=False)
class Branch:
    """A shown node, those of its children that are shown, and if a row tells of the rest."""

    node: Node
    shown: list[Node] = field(default_factory=list)
    folded: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tree: a node, or what there is of a node's children that have no row."""

    guide: str
    node: Node | None
    fold: str = ""


def rows(top: Node, room: int) -> list[Row]:
    """The tree below `top`, in asking order and in at most `room` rows."""
    branches = _chosen(top, room)
    below = {branch.node: branch for branch in branches}
    found: list[Row] = []
    stack = [(row, "") for row, _ in _hung(branches[0], None)][::-1]
    while stack:
        row, inside = stack.pop()
        found.append(row)
        if row.node is not None and row.node in below:
            stack += list(_hung(below[row.node], inside))[::-1]
    return found


def _chosen(top: Node, room: int) -> list[Branch]:
    """Who is shown: `top` for nothing, open nodes breadth-first, then the children closed last."""
    branches = [Branch(top)]
    for branch in branches:  # they grow while they are gone through
        children = branch.node.children
        if children is None or room <= 0:
            continue
        whole = len(children.open) == children.total <= room
        branch.shown = list(islice(children.open.values(), room if whole else room - 1))
        branch.folded = len(branch.shown) < children.total
        room -= len(branch.shown) + branch.folded
        branches += map(Branch, branch.shown)
    for branch in branches:
        children = branch.node.children
        if children is None or not branch.folded:
            continue
        if children.total - len(branch.shown) == len(children.recent) <= room + 1:
            branch.folded = False
            room += 1
        more = list(islice(reversed(children.recent), room))
        branch.shown = sorted((*branch.shown, *more), key=lambda node: node.slot)
        room -= len(more)
    return branches


def _hung(branch: Branch, inside: str | None) -> Iterator[tuple[Row, str]]:
    """The rows right below a node, each with what its own rows begin with; None: no guides."""
    last = len(branch.shown) + branch.folded - 1
    for i in range(last + 1):
        node = branch.shown[i] if i < len(branch.shown) else None
        mine, theirs = ("└─ ", "   ") if i == last else ("├─ ", "│  ")
        guide, below = ("", "") if inside is None else (inside + mine, inside + theirs)
        yield Row(guide, node, "" if node else _fold(branch)), below


def _fold(branch: Branch) -> str:
    """`12 answered, 3 open`: the children of a node that have no row."""
    children = branch.node.children
    assert children is not None
    rest = {**children.closed}
    rest["open"] = len(children.open)
    for node in branch.shown:
        rest[node.status] -= 1
    rest["open elsewhere"] = children.elsewhere
    rest["refused"] = children.refused
    return ", ".join(f"{n:,} {status}" for status, n in rest.items() if n)


class LiveTree:
    """Draws one run for a terminal of this encoding; without `texts`, nothing that was said."""

    def __init__(
        self, growth: Growth, run: Run | None, *, texts: bool = True, encoding: str = "utf-8"
    ) -> None:
        self._growth = growth
        self._run = run
        self._waiting = Waiting(growth, run)
        self._texts = texts
        self._encoding = encoding
        self._spinner = SPINNER if encodable(SPINNER, encoding) == SPINNER else PLAIN_SPINNER

    def lines(self, width: int, height: int, elapsed: float, now: float) -> list[Text]:
        """At most `height` lines of at most `width` cells: the tree, and how the run goes."""
        spin = self._spin(now)
        since = f", {seconds(elapsed)}"
        so_far = packed(totals(self._growth, self._run), width - 2 - len(since)) + since
        waits = Text(f"  {packed(self._waiting.in_all(now), width - 2) or 'working'}", "cyan")
        state = [Text.assemble((spin, "cyan"), " ", so_far), waits, self._foot(width)]
        if height < ROOMY:
            state = state[: min(2, height // 3)]
        else:
            state.insert(0, Text())
        room = height - len(state)
        body = self.body(room, width, now)
        found = [*body, *[Text()] * (room - len(body)), *state]
        for line in found:
            line.truncate(width)
        return found

    def body(self, room: int, width: int, now: float) -> list[Text]:
        """What is above how the run goes, in so many lines at most: the tree."""
        return self._tree(rows(self._growth.top, room), width, now)

    def _spin(self, now: float) -> str:
        return self._spinner[int(now / TURN) % len(self._spinner)]

    def _foot(self, width: int) -> Text:
        """How to stop, which run it is, and who plays."""
        if self._run is None:
            return Text(fit(f"  {HELP}", width), "dim")
        who = players([player.spec for player in self._run.setup.lineups[0].players])
        right = fit(f"{self._run.id}  {self._shown(who, SHOWN)}", width - len(HELP) - 6)
        if not right.startswith(self._run.id):
            right = ""
        gap = width - 2 - len(HELP) - cell_len(right)
        return Text(fit(f"  {HELP}{' ' * gap}{right}", width), "dim")

    def _tree(self, shown: Sequence[Row], width: int, now: float) -> list[Text]:
        """The rows as lines; what nodes wait for is in one column, near what they were asked."""
        lines = [self._line(row, width, now) for row in shown]
        wanted = max((left.cell_len + 2 + right.cell_len for left, right in lines), default=0)
        end = min(width, -(-wanted // STEADY) * STEADY)
        for left, right in lines:
            if right:
                left.append(" " * (end - left.cell_len - right.cell_len))
                left.append_text(right)
        return [left for left, _ in lines]

    def _line(self, row: Row, width: int, now: float) -> tuple[Text, Text]:
        deepest = width // 9 * 3
        guide = row.guide if len(row.guide) <= deepest else f"⋯{row.guide[-deepest:]}"
        if row.node is None:
            return Text(guide + fit(f"… {row.fold}", width - len(guide)), "dim"), Text()
        node = row.node
        mark, style = MARKS[node.status]
        state, right, more = "working", seconds(node.until - node.since), ""
        if node.status == "open":
            state, right, more = self._waiting.of(node, now)
            mark = self._spin(now) if state == "thinking" else mark
        name = f" HCH_{node.level}" if node.level >= 0 else ""
        room = width - len(guide) - 1 - len(name) - 2
        right += more if len(right) + len(more) <= max(16, room // 2) else ""
        right = fit(right, max(0, room))
        left = Text.assemble((guide, "dim"), (mark, style), (name, "cyan"), "  ")
        self._say(left, node, room - len(right) - 2)
        return left, Text(right, STYLES[state])

    def _say(self, line: Text, node: Node, room: int) -> None:
        """What a node was asked, and what it answered, in so many cells."""
        if not self._texts:
            line.append(fit(node.id, room))
            return
        room = max(0, room)
        said = self._shown(node.said, room)
        question, said = share(self._shown(node.question, room), said, room)
        line.append(question)
        if said:
            line.append(" → ", "dim")
            line.append(said, "bold" if node.status == "answered" else MARKS[node.status][1])

    def _shown(self, text: str, width: int) -> str:
        """Somebody's text on one safe line, as the terminal will have it."""
        return encodable(one_line(text, width), self._encoding)


def packed(pieces: Iterable[str], width: int) -> str:
    """Those of the pieces that fit, in order; the first one is cut where it does not."""
    line = ""
    for piece in pieces:
        longer = f"{line}, {piece}" if line else fit(piece, width)
        if cell_len(longer) <= width:
            line = longer
    return line
