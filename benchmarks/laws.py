"""The laws of reliability amplification, through the engine and through the batched driver.

    python -m benchmarks.laws              # prints the tables, writes .cache/bench/laws.json
    python -m benchmarks.laws --write      # and puts them into docs/reliability.md

`erring` is the scripted model: its error rate and the correlation of its errors are set, and wrong
answers coincide. The engine grows trees of it, `factored` with and without a vote at each node.
Towers of Hanoi are MAKER's (arXiv 2511.09030): H halves the way, and each single move is voted on.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.tables import ROOT, keep, machine, table
from hch import HCH, Question, Request, ScriptedModel, Text
from hch.agents import Query
from hch.blocking import completed
from hch.chance import Chance
from hch.evals.intervals import wilson
from hch.evals.laws import ahead, majority, tree, votes_ahead
from hch.playing import Playing
from hch.polls import Played, Vote, stacked
from hch.registry import Spec, build
from hch.stores.memory import MemoryStore
from hch.tasks.hanoi import build as hanoi
from hch.votes import Rule

PAGE = "docs/reliability.md"
JSON = ROOT / ".cache" / "bench" / "laws.json"

CHUNK = 100
"""Roots of a run, whose record is dropped when they are counted."""

RIGHT, WRONG = "right", "wrong"

MOVES_WRONG = 0.10
SUM_WRONG = 0.30
CHECK_WRONG = 0.10


def erring(error: float, correlation: float = 0.0) -> ScriptedModel:
    """A model that says `right`, or `wrong` at that rate, and wherever it is told something wrong.

    Of a question it asks two others, "a" and "b" of it. With a correlation, so large a share of
    questions has one draw for all who work on it, so that errors of any two correlate by as much.
    """

    def says(request: Request) -> str:
        asked = request.question
        if request.form:
            return json.dumps({"questions": [{"question": f"{asked}{side}"} for side in "ab"]})
        told = (part for message in request.messages for part in message.parts)
        if any(part.body == WRONG and part.origin.startswith("answer ") for part in told):
            return WRONG
        common = Chance("common", request.level, asked)
        alone = Chance("alone", request.seed, request.level, asked)
        chance = common if common.random() < correlation else alone
        return WRONG if chance.random() < error else RIGHT

    return ScriptedModel(says, name=f"erring {error} {correlation}")


def grown(spec: str, depth: int, error: float, correlation: float, number: int) -> tuple[int, int]:
    """How many of a chunk of trees are wrong, and what they took in calls."""
    model = erring(error, correlation)
    hch = HCH(depth=depth, model=model, strategy=spec, store=MemoryStore())
    questions = [f"{number * CHUNK + i}:" for i in range(CHUNK)]
    results = completed(lambda: hch.begin(questions).finish())
    assert all(result.answer.answered for result in results)
    return sum(result.text == WRONG for result in results), len(results[0].trace.calls)


def trees(pool: Executor, count: int) -> list[dict[str, Any]]:
    """The rows of votes over trees, each of so many trials."""
    three, five, alone = "vote,k=3/factored", "vote,k=5/direct", majority(5, 0.2)
    rows = [
        ("binary trees of depth 2, unvoted", "factored", 2, 0.1, 0.0, tree(2, 2, 0.1)),
        ("the same, majority of 3 at each node", three, 2, 0.1, 0.0, tree(2, 2, 0.1, 3)),
        ("one answer, majority of 5", five, 0, 0.2, 0.0, alone),
        ("the same, errors correlated by .5", five, 0, 0.2, 0.5, (0.2 + alone) / 2),
    ]
    found = []
    for name, spec, depth, error, correlation, law in rows:
        chunks = range(-(-(count if depth else 2 * count) // CHUNK))
        done = [pool.submit(grown, spec, depth, error, correlation, n) for n in chunks]
        wrong, calls = (sum(each) for each in zip(*(d.result() for d in done), strict=True))
        row = {"name": name, "error": error, "law": law, "wrong": wrong, "calls": calls}
        found.append({**row, "of": len(chunks) * CHUNK})
    return found


def towers(k: int, number: int) -> tuple[int, int, int]:
    """How many of a chunk of towers of 5 disks are moved right; moves voted on, and their tries."""
    at = {"0": f"vote,ahead={k},most={20 * k}/script,errors={MOVES_WRONG}", "1+": "script"}
    hch = HCH(depth=5, at=at, task="hanoi", seed=k, store=MemoryStore())
    whole = Text("from aaaaa, 31 moves", "task")
    questions = [Question(whole).again(number * CHUNK + i) for i in range(CHUNK)]
    results = completed(lambda: hch.begin(questions).finish())
    votes = [
        node.answer.ballot.tries
        for node in results[0].trace.nodes()
        if node.answer and node.answer.ballot
    ]
    return sum(result.text == "ccccc" for result in results), len(votes), sum(votes)


def hanoi_small(pool: Executor, count: int) -> list[dict[str, Any]]:
    """First ahead by k over the 31 moves of 5 disks, through the engine."""
    found, chunks = [], range(-(-count // CHUNK))
    for k in (1, 2, 3, 4):
        done = [pool.submit(towers, k, n) for n in chunks]
        right, voted, tries = (sum(each) for each in zip(*(d.result() for d in done), strict=True))
        of = len(chunks) * CHUNK
        found.append({"k": k, "right": right, "voted": voted, "tries": tries, "of": of})
    return found


def checked(tries: int, number: int) -> tuple[int, int]:
    """How many of a chunk of sums are answered behind a check, and how many are right."""
    spec = f"verify,by=oracle,,errors={CHECK_WRONG},tries={tries}/script,errors={SUM_WRONG}"
    hch = HCH(depth=0, strategy=spec, task="arithmetic", store=MemoryStore())
    questions = [f"What is {number * CHUNK + i} + 1?" for i in range(CHUNK)]
    results = completed(lambda: hch.begin(questions).finish())
    texts = [result.text for result in results]
    right = sum(text == str(number * CHUNK + i + 1) for i, text in enumerate(texts))
    return CHUNK - texts.count(None), right


def checks(pool: Executor, count: int) -> list[dict[str, Any]]:
    """What a check that is right so often does to what is wrong so often."""
    found, chunks = [], range(-(-count // CHUNK))
    for tries in (1, 2, 4):
        done = [pool.submit(checked, tries, n) for n in chunks]
        answered, right = (sum(each) for each in zip(*(d.result() for d in done), strict=True))
        found.append(
            {"tries": tries, "answered": answered, "right": right, "of": len(chunks) * CHUNK}
        )
    return found


def memory() -> float:
    """The most MiB that this process has taken so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def hanoi_large(disks: int, error: float, k: int) -> dict[str, Any]:
    """One tower through the batched driver: no tree is kept, and nothing remembered.

    `memory` is the most that was taken after each sixteenth of the moves.
    """
    task, exact = hanoi(size=disks), build("scorers", Spec("exact"))
    single = Played(Playing(task, errors=error), ((Rule(ahead=k, most=100 * k), exact),))
    h = stacked([single, *[Played(Playing(task))] * (disks - 4)], {}, remembers=False)
    vote = h
    while not isinstance(vote, Vote):
        assert vote.below is not None
        vote = vote.below  # type: ignore[assignment]
    state, wrong, taken, begun = "a" * disks, 0, [], time.perf_counter()
    moves = (1 << disks) - 1
    for part in range(16):
        stretch = (moves * (part + 1) // 16) - (moves * part // 16)
        body = f"from {state}, {stretch} moves"
        [told] = h.answer([Query(body)])
        truth = task.truth(None, task.parse(body)).text
        assert told.answer.text is not None
        assert truth is not None
        wrong += told.answer.text.body != truth.body
        state = told.answer.text.body
        taken.append(memory())
    seconds = time.perf_counter() - begun
    return {
        "disks": disks, "moves": moves, "k": k, "error": error, "wrong parts": wrong, "end": state,
        "tries": vote.tries, "seconds": seconds, "memory": taken,
    }  # fmt: skip


def measure(given: argparse.Namespace) -> dict[str, Any]:
    with ProcessPoolExecutor(1) as pool:  # a process of its own, for its memory
        large = pool.submit(hanoi_large, given.disks, 0.01, 5).result()
    with ProcessPoolExecutor(given.jobs) as pool:
        return {
            "trees": trees(pool, given.trees),
            "small": hanoi_small(pool, given.towers),
            "checks": checks(pool, 2 * given.trees),
            "large": large,
            "conditions": (
                f"`python -m benchmarks.laws --trees {given.trees} --towers {given.towers} --disks "
                f"{given.disks}` on {machine()}. Intervals are of 95%, by Wilson."
            ),
        }


def _percent(share: float, digits: int = 2) -> str:
    return f"{100 * share:.{digits}f}"


def _interval(some: int, of: int) -> str:
    low, high = wilson(some, of)
    return f"{_percent(some / of)} ({_percent(low)}–{_percent(high)})"


def votes_table(rows: Sequence[dict[str, Any]]) -> str:
    shown = [
        (
            row["name"],
            f"{row['error']:.2f}",
            _percent(row["law"]),
            _interval(row["wrong"], row["of"]),
            f"{row['of']:,}",
            f"{row['calls'] / row['of']:.1f}",
        )
        for row in rows
    ]
    for name, k in (("unvoted", 1), ("majority of 3 at each node", 3)):
        deep = f"binary trees of depth 10, {name} (computed, not run)"
        shown.append((deep, "0.01", _percent(tree(10, 2, 0.01, k), 3), "", "", ""))
    head = ("wrong at the root, %", "error", "law", "engine", "trials", "calls a trial")
    return table(head, shown)


def towers_table(rows: Sequence[dict[str, Any]]) -> str:
    p = 1 - MOVES_WRONG
    shown = [
        (
            f"ahead by {row['k']}",
            _percent(ahead(row["k"], p) ** 31, 1),
            _interval(row["right"], row["of"]),
            f"{row['of']:,}",
            f"{votes_ahead(row['k'], p):.2f}",
            f"{row['tries'] / row['voted']:.2f}",
        )
        for row in rows
    ]
    head = ("5 disks moved right, %", "law", "engine", "runs", "tries a move by the law", "engine")
    return table(head, shown)


def checks_table(rows: Sequence[dict[str, Any]]) -> str:
    p, c = 1 - SUM_WRONG, 1 - CHECK_WRONG
    accepted = p * c + (1 - p) * (1 - c)
    shown = [
        (
            f"at most {row['tries']} tries" if row["tries"] > 1 else "1 try",
            _percent(1 - (1 - accepted) ** row["tries"]),
            _interval(row["answered"], row["of"]),
            _percent(p * c / accepted),
            _interval(row["right"], row["answered"]),
            f"{row['of']:,}",
        )
        for row in rows
    ]
    head = ("right 70%, a check right 90%", "answered, by the law, %", "engine")
    return table((*head, "of these right, by Bayes, %", "engine", "trials"), shown)


def large_told(found: dict[str, Any]) -> str:
    end = "all on the last peg" if set(found["end"]) == {"c"} else f"at {found['end']}"
    rate = found["moves"] / found["seconds"]
    return (
        f"{found['disks']} disks, {found['moves']:,} moves at an error of {found['error']:.0%}, "
        f"first ahead by {found['k']}, through the batched driver with no tree kept: {end}, "
        f"{found['wrong parts']} of 16 stretches wrong; {found['tries'] / found['moves']:.2f} "
        f"tries a move, {rate:,.0f} moves a second; {found['memory'][0]:.0f} MiB at the most after "
        f"a sixteenth of the moves, {found['memory'][-1]:.0f} at the end."
    )


def shown(found: dict[str, Any]) -> str:
    parts = (
        votes_table(found["trees"]),
        checks_table(found["checks"]),
        towers_table(found["small"]),
        large_told(found["large"]),
    )
    return "\n\n".join((*parts, found["conditions"]))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trees", type=int, default=3200, help="trials of a row; twice for votes")
    parser.add_argument("--towers", type=int, default=1000, help="of 5 disks for each k")
    parser.add_argument("--disks", type=int, default=20, help="of the large tower, 5 or more")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--show", action="store_true", help="the figures that are there")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    given = parser.parse_args(arguments)
    if not given.show:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(measure(given), indent=1))
    text = shown(json.loads(given.json.read_text()))
    print(text)
    if given.write:
        keep(PAGE, "laws", text)


if __name__ == "__main__":
    main()
