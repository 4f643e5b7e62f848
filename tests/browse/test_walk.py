"""What the screen says of every node, walked by keys alone, is what `hch show --json` says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from hch import HCH, ScriptedModel
from hch.browse.marks import MARKS
from hch.events import (
    Asked,
    CallFinished,
    CallIntended,
    Event,
    NodeClosed,
    RootOpened,
    RunStopped,
    Thought,
)
from hch.rates import Rate
from hch.stores.sqlite import SqliteStore
from hch.words import dollars, exactly, seconds, short, tokens
from tests.browse.runs_to_see import THEN, Reader, example, reading
from tests.commands.terminal import hch
from tests.promises import LONG
from tests.stores.samples import finished, intended, opened, price, started, words
from tests.support import Plan, rough

FIGURES = (
    r"(?P<below>[\d,]+↳)? *(?P<tokens>\S+ tok)? *(?P<dollars><?\$\S+)?"
    r" *(?P<seconds>(?:\d+\.\d s|\d+m\d\ds)…?)?"
)
NODE = re.compile(
    r" *(?:[▾▸] )?(?P<mark>\S) HCH_(?P<level>\d+)(?P<way> try| put)?  "
    rf"(?P<chips>(?:(?:[×↻][\d,]+|wrong↓?) )*).*? *{FIGURES}"
)
"""A row of a node."""

ELSEWHERE = re.compile(r" *(?P<mark>[↺–·]) (?:…and (?P<more>[\d,]+) more)?")
"""A row of a question for which there is no node, or not there."""

ROUND = re.compile(r" *[▾▸] round \d+ \((?P<n>\d+) questions\)")
TITLE = re.compile(r"│(?P<mark>\S) (?P<id>[\d.]+)  HCH_(?P<level>\d+)   (?P<said>.+)")
SAID = {"doubted": "answered, but a check rejects it", "open": "has not ended"}


@dataclass(frozen=True)
class Row:
    """A row under the cursor, and the lines of the node beside it."""

    text: str
    node: Sequence[str]

    def line(self, label: str) -> str:
        """What is said in the line of this label."""
        [found] = [line for line in self.node if line.startswith(f"│  {label} ")]
        return found.removeprefix(f"│  {label} ").lstrip()

    def amounts(self, label: str) -> list[str]:
        return self.line(label).split()


async def walk(reader: Reader) -> Sequence[Row]:
    """Every row there is, from the top down; whatever is closed is opened."""
    found: list[Row] = []
    await reader.press("g")
    while True:
        if reader.row.lstrip().startswith("▸"):
            await reader.press("asterisk")
        found.append(Row(reader.row, reader.node))
        before = reader.canvas.cursor
        await reader.press("j")
        if reader.canvas.cursor == before:
            return found


class Told:
    """What `hch show --json` has of a run, in the words that a screen has for it."""

    def __init__(self, said: Mapping[str, Any], roots: int) -> None:
        self.run, self.roots = said, roots
        self.nodes: dict[str, Any] = {node["id"]: node for node in said["nodes"]}
        self.doubted = {one for node in said["nodes"] for one in _doubted(node, self.nodes)}
        scripted = all("script" in player for player in said["players"])
        self.wrong = {id for id, node in self.nodes.items() if scripted and _wrong(node)}
        self.ended = said["started"] + said["seconds"]
        self.timed = any(self.took(id) >= 0.1 for id in self.nodes)

    def status(self, id: str) -> str:
        status: str = self.nodes[id]["status"] or "open"
        return "doubted" if id in self.doubted and status == "answered" else status

    def title(self, id: str) -> tuple[str, str, str, str]:
        node, status = self.nodes[id], self.status(id)
        unclean = status == "answered" and not node["clean"]
        said = SAID.get(status, status) + (", not clean" if unclean else "")
        below = any(ask["node"] in self.wrong for ask in node["asks"])
        if id in self.wrong:
            said += ", wrong, and so is something below it" if below else ", wrong"
        return MARKS[status][0], id, str(node["level"]), said

    def below(self, id: str) -> int:
        return sum(other.startswith(f"{id}.") for other in self.nodes)

    def took(self, id: str) -> float:
        node = self.nodes[id]
        until: float = self.ended if node["closed"] is None else node["closed"]
        return until - float(node["opened"])

    def spent(self, id: str, *, own: bool = False) -> dict[str, float]:
        """What it spent; its own is what is left of that without those that it asked."""
        spent: dict[str, float] = dict(self.nodes[id]["spent"])
        if own:
            asked = {ask["node"] for ask in self.nodes[id]["asks"]} - {None}
            theirs = [self.nodes[one]["spent"] for one in asked]
            return {n: max(0, all_ - sum(one[n] for one in theirs)) for n, all_ in spent.items()}
        return spent

    def figures(self, id: str, *, own: bool) -> dict[str, str | None]:
        """The columns of its row, where they are not empty."""
        spent, below = self.spent(id, own=own), self.below(id)
        going_on = "…" if self.nodes[id]["closed"] is None else ""
        return {
            "below": f"{below:,}↳" if below else None,
            "tokens": tokens(spent["tokens"]) if spent["tokens"] else None,
            "dollars": dollars(spent["microusd"]) if spent["microusd"] else None,
            "seconds": seconds(self.took(id)) + going_on if self.timed else None,
        }

    def amounts(self, id: str, *, own: bool = False) -> list[str]:
        spent = self.spent(id, own=own)
        paid = exactly(spent["microusd"]) if spent["microusd"] else "0"
        calls, used, nodes = (_amount(spent[unit]) for unit in ("calls", "tokens", "nodes"))
        return [calls, used, paid, nodes]

    @property
    def elsewhere(self) -> dict[str, int]:
        """How many questions came to no node of their own there, by the mark of their rows."""
        asks = [ask for node in self.nodes.values() for ask in node["asks"]]
        shared = sum(ask["shared"] * (1 + ask["more"]) for ask in asks)
        return {
            "↺": shared + self.roots - sum("." not in id for id in self.nodes),
            "–": sum((ask["refusal"] is not None) * (1 + ask["more"]) for ask in asks),
            "·": sum(ask["node"] is None and ask["refusal"] is None for ask in asks),
        }


def _amount(n: float) -> str:
    return f"{n:,.0f}" if n < 1e6 else short(n)


def _wrong(node: Mapping[str, Any]) -> bool:
    """Whether it says something else than what a sum comes to."""
    found = re.fullmatch(r"What is ([\d+*() -]+)\?", node["question"])
    return bool(found and node["answer"] and node["answer"] != str(eval(found[1])))


def _doubted(node: Mapping[str, Any], nodes: Mapping[str, Any]) -> Iterator[str]:
    """The tries of a node that a check rejected: it was put after them, before the next one."""
    tried = None
    for ask in node["asks"]:
        if ask["how"] == "try":
            tried = ask["node"]
        elif ask["how"] == "put" and tried and ask["node"]:
            said = nodes[ask["node"]]["answer"] or ""
            if said.startswith("REJECT") and "Is the answer right?" in ask["question"]:
                yield tried


def votes(store: SqliteStore) -> str:
    """Checks of votes, some of which are as wrong as each other: equal siblings."""
    player = "verify,by=oracle/vote,k=6/script,errors=0.3"
    asked = HCH(depth=1, strategy=player, store=store, seed=4)
    return asked.ask_sync("What is (2 + 3) * 4?").run


def trouble(seed: int, store: SqliteStore) -> str:
    """Minds that ask too much, repeat themselves, talk nonsense and fail; and calls made again."""
    model = ScriptedModel(Plan(seed), rate=Rate(300.0, 900.0), **rough(seed))
    asked = HCH(depth=2, model=model, strategy="consult", store=store, pause=0.0, fanout=5)
    return asked.ask_sync("Why is the sky blue?").run


async def several(store: SqliteStore) -> str:
    """Several roots, some of which are equal, and subtrees that they share."""
    model = ScriptedModel(Plan(8, trouble=0.0), rate=Rate(2.0, 8.0))
    asked = HCH(depth=1, model=model, strategy="consult", store=store, fanout=3)
    run = asked.begin(["Why?", "How?", "Why?", "When?"])
    await run.finish()
    return run.id


def statuses(store: SqliteStore) -> str:
    """A run that was stopped: nodes of every status, of which some are open or never began."""
    events: list[Event] = [started("Why?"), RootOpened(index=0, key="0", question="q")]
    events.append(opened("0", level=1))
    for i, status in enumerate(("answered", "unanswered", "truncated", "failed", "cancelled"), 1):
        events += [_asked(i), opened(str(i), f"Number {i}?"), *_thought(str(i))]
        events.append(
            NodeClosed(
                key=str(i), status=status, answer=words("so") if i == 1 else None,
                reason="" if i == 1 else "it is so", notes=(), spent=price(4e6 * i, 2500 * i),
            )  # type: ignore[arg-type]
        )  # fmt: skip
    events += [_asked(6), opened("6", "And this?"), *_thought("6")[:-1], _asked(7)]
    events += [RunStopped(kind="BillExhausted", reason="no more")]
    for n, event in enumerate(events):
        store.append("stopped", THEN + 1.7 * n, event)
    store.flush()
    return "stopped"


def _asked(slot: int) -> Asked:
    return Asked(parent="0", slot=slot, round=1, question=words(f"Number {slot}?"), child=str(slot))


def _thought(node: str) -> list[Thought | CallIntended | CallFinished]:
    request = f"r{node}"
    thought = Thought(parent=node, index=0, request=request, prompt="direct")
    return [thought, intended(request, node), finished(request)]


RUNS: dict[str, Callable[[SqliteStore], Any]] = {
    "rivers": partial(example, name="rivers"),
    "cut and refused": partial(example, name="factored-cut-refused"),
    "failed": partial(example, name="consult-failed"),
    "votes": votes,
    "trouble": partial(trouble, 17),
    "more trouble": partial(trouble, 28),
    "several roots": several,
    "every status": statuses,
}


@pytest.mark.leaves_open
@pytest.mark.parametrize(
    ("name", "own"),
    [
        (name, own)
        for n, name in enumerate(RUNS)
        for own in ((False, True) if LONG else (n % 2 == 0,))
    ],
)
async def test_every_node_is_shown_as_it_is(name: str, own: bool) -> None:
    with SqliteStore("runs.db") as store:
        run = RUNS[name](store)
        run = run if isinstance(run, str) else await run
        [row] = [row for row in store.runs() if row.run == run]
        told = Told(json.loads(hch("show", run, "--json", "--store", "runs.db").out), row.roots)
        async with reading(store, run, (240, 70)) as reader:
            head = f" {run}  {told.run['status']}  {len(told.nodes)} node"
            await reader.done("grade")
            assert reader.head.startswith(head)
            assert seconds(told.run["seconds"]) in reader.head
            await reader.press(*["dollar_sign"] * own)
            check(await walk(reader), told, own=own)


def check(rows: Sequence[Row], told: Told, *, own: bool) -> None:
    """Every node has a row, all of which is as it was told, and so has what is no node there."""
    seen, elsewhere = set[str](), dict.fromkeys("↺–·", 0)
    for row in rows:
        if found := ELSEWHERE.match(row.text):
            elsewhere[found["mark"]] += int((found["more"] or "1").replace(",", ""))
        elif not ROUND.match(row.text):
            id = check_node(row, told, own=own)
            same = "×" in NODE.fullmatch(row.text)["chips"]  # type: ignore[index]
            assert id not in seen
            seen |= set() if same else {id}
    assert seen == set(told.nodes)
    assert elsewhere == told.elsewhere


def check_node(row: Row, told: Told, *, own: bool) -> str:
    """The node that a row is of, all of whose figures are right, there and beside it."""
    title = TITLE.fullmatch(row.node[1])
    assert title, row.node[1]
    id = title["id"]
    assert title.groups() == told.title(id)
    found = NODE.fullmatch(row.text)
    assert found, row.text
    assert (found["mark"], found["level"]) == (title["mark"], title["level"])
    assert ("wrong" in found["chips"]) == (id in told.wrong)
    assert {name: found[name] for name in ("below", "tokens", "dollars", "seconds")} == (
        told.figures(id, own=own)
    ), row.text
    if told.status(id) == "open":
        assert row.line("spent") == "not told before it ends"
        assert row.line("took") == f"{seconds(told.took(id))} up to now"
    else:
        assert row.amounts("spent") == told.amounts(id)
        assert row.amounts("own") == told.amounts(id, own=True)
        assert row.line("took").startswith(f"{seconds(told.took(id))}, until ")
    below = told.below(id)
    assert row.line("below") == f"{below:,} node{'' if below == 1 else 's'}"
    return id
