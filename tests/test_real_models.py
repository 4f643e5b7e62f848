"""A real small model through whole trees: in this process, and behind llama.cpp's own server.

The model is weak, so nothing is asserted of what it says; only that every tree ends as it should,
whatever it says, and that it does form trees.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from hch import HCH, Trace
from hch.stores.sqlite import SqliteStore
from tests.support import check_tree

WEIGHTS = os.environ.get("HCH_TEST_GGUF", "")
ROOTS = int(os.environ.get("HCH_TEST_ROOTS", "20"))
"""How many of the questions are asked; of a few it may be that none forks."""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not WEIGHTS, reason="HCH_TEST_GGUF names no file"),
]

QUESTIONS = """\
What is the capital of France?
Which rivers cross both Germany and France?
What is 17 plus 4 times 3?
How do I bake bread?
Why is the sky blue?
Compare cats and dogs as pets.
Write a plan for a small garden.
Who was Ada Lovelace?
What are three causes of the First World War?
Translate "good morning" into Spanish and French.
Is 91 a prime number?
What is the difference between a virus and a bacterium?
How many legs do three spiders and two dogs have?
Name a mountain, a river and a city in Italy.
Should I walk or drive to a shop 500 metres away?
What rhymes with light and means darkness?
List the planets.
Explain recursion to a child.
What happens when ice is heated?
Say something that is not true, then say why it is not.""".splitlines()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """llama.cpp's OpenAI-compatible server, in this process; its base URL."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = WEIGHTS
    params.n_parallel = 8
    params.n_ctx = 8 * 4096
    params.cpuparams.poll = 0
    params.verbosity = -1
    running = xllamacpp.Server(params)
    yield f"{running.listening_address}/v1"
    del running


async def grown(model: str, strategy: str) -> Trace:
    with SqliteStore("real.db") as store:
        hch = HCH(depth=2, model=model, strategy=strategy, store=store, answer_tokens=128)
        results = await hch.begin(QUESTIONS[:ROOTS]).finish()
        return results[0].trace


def check(trace: Trace) -> None:
    check_tree(trace)
    assert trace.finished
    assert len(trace.roots) == ROOTS
    for node in trace.nodes():
        assert node.status in ("answered", "unanswered", "truncated", "failed")
        assert node.status == "answered" or node.closed.reason
        for thought, call in node.thoughts:
            assert call is not None, thought
            assert call.finished is not None or call.given_up is not None
    forks = [
        root
        for root in trace.roots
        if sum(asked.node is not None and asked.node.status == "answered" for asked in root.asks)
        > 1
    ]
    assert forks or len(QUESTIONS) > ROOTS, "no root has two answered children"


async def test_factored_trees_in_this_process() -> None:
    check(await grown(f"gguf:{WEIGHTS},seed=1", "factored"))


async def test_consulting_trees_in_this_process() -> None:
    trace = await grown(f"gguf:{WEIGHTS},seed=1", "consult")
    check_tree(trace)
    assert {root.status for root in trace.roots} <= {
        "answered",
        "unanswered",
        "truncated",
        "failed",
    }


async def test_factored_trees_by_the_sdk_from_a_server(server: str) -> None:
    check(await grown(f"openai:small,base_url={server},temperature=0.7,seed=1", "factored"))


async def test_consulting_trees_by_the_sdk_from_a_server(server: str) -> None:
    trace = await grown(f"openai:small,base_url={server},temperature=0.7,seed=1", "consult")
    check_tree(trace)
    assert trace.finished
