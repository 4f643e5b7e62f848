"""Scripted minds for the tests, and the checks that hold for every trace."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from hch import HCH, Completion, Question, Request, ScriptedModel, Text, Trace
from hch.errors import ModelError, TransientModelError
from hch.keeping import Store
from hch.labels import Label
from hch.nodes import Node
from hch.run import Result
from hch.stores.memory import MemoryStore
from hch.types import digest

STORES: list[MemoryStore] = []
"""The memory stores of the test that is running."""


def memory() -> MemoryStore:
    """A memory store that is checked when the test ends."""
    store = MemoryStore()
    STORES.append(store)
    return store


def check_closed(store: Store) -> None:
    for row in store.runs():
        check_tree(Trace(store.events(row.run)))


def check_tree(trace: Trace) -> None:
    """Every node is closed and under a root; (level, wrappers left) strictly falls."""
    seen = {}
    for node in trace.nodes():
        assert node.closed is not None, f"{node.id} was opened and never closed"
        assert node.key not in seen, f"{node.id} and {seen[node.key]} are one node"
        seen[node.key] = node.id
        for ask in node.asks:
            assert (ask.node is None) == (ask.refusal is not None)
            if ask.node is not None and ask.how == "ask":
                assert ask.node.level == node.level - 1
                assert ask.node.opened.wrapper == 0
            elif ask.node is not None:
                assert ask.node.level == node.level
                assert _wrappers_left(ask.node) < _wrappers_left(node)
    assert not trace.orphans, "some nodes hang on no root"


def _wrappers_left(node: Node) -> int:
    """How many strategies its player has further in."""
    return node.opened.player.partition("@")[0].count("/") - node.opened.wrapper


def ask(model: Any, question: str | Question = "Why is the sky blue?", **options: Any) -> Result:
    """Ask HCH once, in a memory store; `context` goes along with the question."""
    context = options.pop("context", ())
    if not isinstance(model, ScriptedModel):
        model = ScriptedModel(model)
    hch = HCH(model=model, **{"store": memory(), "pause": 0.0, **options})
    return hch.ask_sync(question, context=context)


def decomposition(*questions: str) -> str:
    return json.dumps({"questions": [{"question": q, "texts": []} for q in questions]})


def asking(*questions: str, last: bool = False) -> str:
    asked = [{"question": q, "texts": []} for q in questions]
    return json.dumps({"move": "ask", "questions": asked, "last_round": last, "text": ""})


def answering(text: str, form: str = "Turn") -> str:
    if form == "LastTurn":
        return json.dumps({"move": "answer", "text": text})
    return json.dumps({"move": "answer", "questions": [], "last_round": False, "text": text})


def regular(k: int = 3) -> Callable[[Request], str]:
    """Asks k questions once at every node that may, and answers everything."""

    def say(request: Request) -> str:
        form = request.form.name if request.form else ""
        parts = [f"{request.question} / {i}" for i in range(1, k + 1)]
        if form == "Decomposition":
            return decomposition(*parts)
        if form == "Turn" and not any("answer" in p.origin for p in request.messages[-1].parts):
            return asking(*parts)
        return answering("so", form) if form else f"answer to {request.question}"

    return say


@dataclass(frozen=True)
class Plan:
    """A random mind: what it says is a function of the seed and the request alone.

    It asks few or many questions, repeats itself, writes nonsense, refuses, is cut, fails.
    """

    seed: int
    trouble: float = 0.15

    def __call__(self, request: Request) -> str | Completion | ModelError:
        rng = Random(digest(self.seed, request.key("")))
        if rng.random() < self.trouble:
            return self._trouble(rng)
        name = f"w{digest(self.seed, request.question, rng.random())[:8]}"
        if request.form is None:
            return f"{name} is the answer"
        if request.form.name == "LastTurn":
            return answering(name, "LastTurn")
        questions = [f"what is {name}x{i}?" for i in range(rng.randrange(0, 4))]
        questions += rng.choices(["", request.question, *questions[:1]], k=rng.randrange(0, 2))
        if request.form.name == "Decomposition":
            return decomposition(*questions)
        if questions and rng.random() < 0.7:
            return asking(*questions, last=rng.random() < 0.3)
        return answering(name)

    def _trouble(self, rng: Random) -> str | Completion | ModelError:
        return rng.choice(
            [
                "",
                "CANNOT ANSWER: nobody knows",
                "{not json",
                '{"move": "cannot", "questions": [], "last_round": false, "text": "no idea"}',
                Completion("I will not", finish="refusal"),
                Completion("", finish="content_filter"),
                Completion("half an ans", finish="length"),
                Completion("", finish="length"),
                ModelError("no such thing", kind="http 400", ran=False),
            ]
        )


def rough(seed: int) -> dict[str, Any]:
    """Random latencies and transient failures for a ScriptedModel, which may change no result."""
    rng = Random(seed)

    def failures(request: Request, attempt: int) -> ModelError | None:
        fate = Random(digest(seed, request.key("")))
        if attempt <= fate.choice([0, 0, 0, 1, 2]):
            return TransientModelError("not now", kind="http 500", ran=fate.random() < 0.5)
        return None

    return {"latency": lambda request: rng.choice([0, 0, 0.001, 0.002]), "failures": failures}


def scripted(plan: Plan, **options: Any) -> ScriptedModel:
    return ScriptedModel(plan, **options)


def document(body: str) -> Text:
    return Text(body, "document:test", trusted=False)


def labelled(store: Store, run: str, by: str = "person", **said: Any) -> dict[str, str]:
    """Label every answered node of a run so; their keys by their ids.

    `said` are fields of a label: `labelled(store, run, said="good", score=0.5)`.
    """
    trace = Trace(store.events(run))
    keys = {node.id: node.key for node in trace.nodes() if node.status == "answered"}
    store.label(run, [Label(key=key, by=by, at=1e9, **said) for key in keys.values()])
    return keys
