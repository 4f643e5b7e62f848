"""What every wrapper must keep over every strategy and over every other wrapper.

A wrapper is a strategy with `WRAPS = True` in its module; whatever is added is covered without an
edit, two deep.
"""

from __future__ import annotations

import asyncio
import json
from itertools import product

import pytest

from hch import Request, ScriptedModel, registry
from hch.errors import ModelError
from hch.judging import CHECKING, MATCHING
from hch.past import Past
from hch.run import Result
from hch.types import Answer, Text
from tests.support import Plan, answering, ask, asking, check_tree, decomposition, memory

QUESTION = "What is (2 + 3) * 4?"
PARTS = ("What is 2 + 3?", "What is 4 - 0?")
TRUTH = "20"

MODULES = {name: registry.load("strategies", name) for name in registry.names("strategies")}
WRAPPERS = [name for name, module in MODULES.items() if getattr(module, "WRAPS", False)]
PLAIN = [
    name
    for name, module in MODULES.items()
    if not getattr(module, "WRAPS", False) and not getattr(module, "CHECKS", False)
]
STACKS = ["/".join(stack) for stack in product(WRAPPERS, PLAIN)]
DEEP = ["/".join(stack) for stack in product(WRAPPERS, WRAPPERS, PLAIN)]
TASK = registry.build("tasks", registry.Spec("arithmetic"))


def is_right(question: str, said: str) -> bool:
    return TASK.grade(None, TASK.parse(question), Answer("answered", Text(said)))


def reckons(request: Request) -> str:
    """A mind that knows its arithmetic, asks where it may, and judges of others."""
    form = request.form.name if request.form else ""
    parts = request.messages[-1].parts
    shown = [part.body for part in parts if part.origin.startswith("context")]
    if request.question == CHECKING:
        right = is_right(*shown[-2:])
        if not form:
            return "ACCEPT" if right else "REJECT: it is not so"
        return json.dumps({"reason": "reckoned", "verdict": "accept" if right else "reject"})
    if request.question == MATCHING:
        return "NONE"
    if form == "Decomposition":
        return decomposition(*(PARTS if request.question == QUESTION else ()))
    if (
        form == "Turn"
        and request.question == QUESTION
        and not any("answer" in part.origin for part in parts)
    ):
        return asking(*PARTS)
    text = TASK.truth(None, TASK.parse(request.question)).text.body
    return answering(text, form) if form else text


def played(stack: str, model: object = reckons, **more: object) -> Result:
    """The question put to that stack; a script thinks nothing, so it has a `direct` at level 0."""
    at = {"0": stack.removesuffix("script") + "direct"} if stack.endswith("script") else {}
    return ask(model, QUESTION, strategy=stack, **{"depth": 1, "at": at, **more})


def check_grants(result: Result) -> None:
    check_tree(result.trace)
    assert result.trace.cap.covers(result.trace.bill)
    for node in result.trace.nodes():
        assert node.opened.grant.price().covers(node.spent), node.id
        tries = [ask for ask in node.asks if ask.how == "try"]
        if node.id != "0" and tries:
            assert any(ask.node for ask in tries), f"{node.id} could not pay for what it is for"


def check_replay(store: object, result: Result) -> None:
    again = asyncio.run(Past(store, result.run).replay().play())
    assert again.canonical() == result.trace.canonical()


def test_there_are_wrappers_and_what_they_wrap():
    assert {"vote", "verify"} <= {*WRAPPERS}
    assert {"direct", "factored", "consult", "script"} <= {*PLAIN}


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("stack", [*STACKS, *DEEP])
def test_it_answers_arithmetic(stack, depth):
    result = played(stack, depth=depth)
    assert (result.text, result.status, result.clean) == (TRUTH, "answered", True)
    check_grants(result)


@pytest.mark.parametrize("stack", [*STACKS, *DEEP])
def test_it_keeps_its_grant_and_is_the_same_in_replay(stack):
    for seed, budget in enumerate(
        ["1calls", "3calls", "9calls", "40calls", "2ktokens", "9ktokens", "80ktokens", "3nodes",
         "12nodes", "60nodes", "30calls,40ktokens,50nodes"]
    ):  # fmt: skip
        for mind in (reckons, Plan(seed)):
            store = memory()
            model = ScriptedModel(mind)
            result = played(stack, model, store=store, budget=budget, answer_tokens=64)
            check_grants(result)
            check_replay(store, result)


@pytest.mark.parametrize("stack", [*STACKS, *DEEP])
def test_it_survives_a_child_that_fails_at_any_point(stack):
    calls = len(played(stack).trace.calls)
    assert calls
    for n in range(calls):
        store, made = memory(), 0

        def failing(request: Request, n: int = n) -> str | ModelError:
            nonlocal made
            made += 1
            return ModelError("lost", kind="http 400") if made == n + 1 else reckons(request)

        result = played(stack, ScriptedModel(failing), store=store)
        assert made > n
        assert (result.text, result.status) == (TRUTH, "answered"), n
        check_grants(result)
        check_replay(store, result)
