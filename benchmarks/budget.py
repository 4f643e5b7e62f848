"""What a cap of calls buys: nodes answered and calls used, by strategy, depth and cap.

    python -m benchmarks.budget             # prints the table
    python -m benchmarks.budget --write     # and puts it into docs/budget.md
    python -m benchmarks.budget --tokens    # how conservative the bound on tokens is

A scripted model plays H, so that every figure is the same on every machine: it asks three
sub-questions wherever it may and answers everything. `factored` asks them in its one round;
`consult` asks them in a round that it does not call its last, and then answers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import keep, table
from hch.compose import HCH
from hch.config import Config
from hch.models.scripted import ScriptedModel
from hch.stores.memory import MemoryStore
from hch.trace import Trace
from hch.types import Request

PAGE = "docs/budget.md"
STRATEGIES = ("factored", "consult")
DEPTHS = (2, 3, 4, 5)
CAPS = (10, 30, 100, 300, 1000)
SHORT = ("10calls", "5calls")


def says(request: Request) -> str:
    """H: three sub-questions wherever it may ask, once, and an answer everywhere else."""
    asked = [{"question": f"{request.question} {i}", "texts": []} for i in (1, 2, 3)]
    has_asked = any(
        part.origin.startswith("sub-question")
        for message in request.messages
        for part in message.parts
    )
    turn = {"move": "ask", "questions": asked, "last_round": False, "text": ""}
    last = {"move": "answer", "text": "It is so."}
    match request.form.name if request.form else "":
        case "Decomposition":
            return json.dumps({"questions": asked})
        case "Turn" if not has_asked:
            return json.dumps(turn)
        case "Turn":
            return json.dumps({**turn, **last, "questions": []})
        case "LastTurn":
            return json.dumps(last)
    return "It is so."


def tree(strategy: str, depth: int, budget: str | None) -> Trace:
    """The trace of one question under this budget."""
    asked = HCH(
        depth=depth,
        model=ScriptedModel(says),
        strategy=strategy,
        budget=budget,
        store=MemoryStore(),
        config=Config(store="memory"),
    )
    return asyncio.run(asked.ask("Is it so?")).trace


@dataclass(frozen=True)
class Bought:
    """Nodes answered, calls on the bill, and whether the tree is whole."""

    nodes: int
    calls: int
    clean: bool

    @classmethod
    def of(cls, trace: Trace) -> Bought:
        answered = sum(node.status == "answered" for node in trace.nodes())
        return cls(answered, int(trace.bill.calls), trace.clean)

    def __str__(self) -> str:
        shown = f"{self.nodes} / {self.calls}"
        return f"**{shown}**" if self.clean else shown


def bought() -> dict[tuple[str, int, int | None], Bought]:
    """By strategy, depth and cap of calls; None is no cap."""
    return {
        (strategy, depth, cap): Bought.of(tree(strategy, depth, cap and f"{cap}calls"))
        for strategy in STRATEGIES
        for depth in DEPTHS
        for cap in (*CAPS, None)
    }


def caps(found: dict[tuple[str, int, int | None], Bought]) -> str:
    """The table of nodes answered and calls used."""
    head = ("strategy", "depth", *(f"{cap} calls" for cap in CAPS), "no cap")
    rows = [
        [f"`{strategy}`", str(depth), *(str(found[strategy, depth, cap]) for cap in (*CAPS, None))]
        for strategy in STRATEGIES
        for depth in DEPTHS
    ]
    return table(head, rows)


def short(strategy: str, budget: str) -> str:
    """What becomes of a tree that wants 121 nodes under a small budget, in words."""
    trace = tree(strategy, 4, budget)
    got = Bought.of(trace)
    nodes = list(trace.nodes())
    refusals = Counter(ask.refusal for node in nodes for ask in node.asks if ask.refusal)
    notes = Counter(note for node in nodes if node.answer for note in node.answer.notes)
    head = (
        f"- `{strategy}`, `--budget {budget}`: the root is {trace.roots[0].status}, "
        f"{'clean' if got.clean else 'not clean'}; {got.nodes} nodes answered, {got.calls} calls "
        "on the bill."
    )
    refused = [f"  - {n} refused: {why}" for why, n in refusals.items()]
    noted = [f"  - {n} noted: {note}" for note, n in notes.items()]
    return "\n".join((head, *refused, *noted))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    parser.add_argument("--tokens", action="store_true", help="measure the bound on tokens instead")
    parser.add_argument("--gguf", type=Path, help="the model whose tokenizer --tokens uses")
    args = parser.parse_args(argv)
    if args.tokens:
        from benchmarks.tokens import GGUF, measured

        made = {"tokens": measured(args.gguf or GGUF)}
    else:
        shorts = [short(strategy, budget) for strategy in STRATEGIES for budget in SHORT]
        made = {"caps": caps(bought()), "short": "\n".join(shorts)}
    print("\n\n".join(made.values()))
    if args.write:
        for name, text in made.items():
            keep(PAGE, name, text)


if __name__ == "__main__":
    main()
