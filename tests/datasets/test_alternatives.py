"""Rows of log-probabilities, out of what a server said of its tokens: `hch.datasets.alternatives`.

What a real vLLM server says is in tests/models/test_vllm_server.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hch import HCH
from hch.datasets.alternatives import Alternatives
from hch.datasets.tokenizer import Tokenizer
from hch.rows import Tokens
from tests.datasets.tokenizing import END, tokenizer_file
from tests.loopback import Loopback, Reply, chat

SAID = (" is", "x", END)


@pytest.fixture
def tokenizer(home: Path) -> Tokenizer:
    return Tokenizer.named(str(tokenizer_file(home / "small")))


def number(tokenizer: Tokenizer, token: str) -> int:
    [found] = tokenizer.numbers(token)
    return found


def by_number(tokenizer: Tokenizer, token: str) -> str:
    return f"token_id:{number(tokenizer, token)}"


def position(token: str, others: Sequence[str], first: float = -1.0) -> dict[str, Any]:
    """What a server says of a token: it is `first`, others are the half each time."""
    pairs = [(token, first), *((other, -0.5 - i) for i, other in enumerate(others))]
    top = [{"token": name, "logprob": logprob} for name, logprob in pairs]
    return {"token": token, "logprob": first, "top_logprobs": top}


async def made(
    tokenizer: Tokenizer,
    content: Sequence[dict[str, Any]] | None,
    options: str = ",logprobs=3",
    text: str = " isx",
) -> Tokens | str:
    """What is made of a reply that a run got of a server and kept."""
    logprobs = None if content is None else {"content": [*content]}
    reply = Reply(chat(text, choice={"logprobs": logprobs}))
    with Loopback(lambda _: reply) as server:
        asked = HCH(depth=0, model=f"vllm:small,base_url={server.url}{options}", store="memory")
        result = await asked.ask("Is it so?")
    [call] = result.trace.calls.values()
    assert call.finished is not None
    return Alternatives(tokenizer).tokens(call.intents[0], call.finished)


@pytest.mark.parametrize("named", [False, True])
async def test_alternatives_are_numbers_the_most_likely_first(
    tokenizer: Tokenizer, named: bool
) -> None:
    def name(token: str) -> str:
        return by_number(tokenizer, token) if named else token

    content = [position(name(token), [name("a"), name("b")]) for token in SAID]
    found = await made(tokenizer, content, ",logprobs=3,token_ids=true,temperature=0.7")
    assert isinstance(found, Tokens)
    a, b = number(tokenizer, "a"), number(tokenizer, "b")
    assert found.ids == tuple((a, number(tokenizer, token), b) for token in SAID)
    assert found.drawn == tuple(number(tokenizer, token) for token in SAID)
    assert found.logprobs == ((-0.5, -1.0, -1.5),) * 3
    assert (found.tokenizer, found.temperature) == (tokenizer.hash, 0.7)


async def test_the_servers_own_temperature_is_not_known(tokenizer: Tokenizer) -> None:
    found = await made(tokenizer, [position("x", ["a", "b"])], text="x")
    assert isinstance(found, Tokens)
    assert found.temperature is None
    cold = await made(tokenizer, [position("x", ["a", "b"])], ",logprobs=3,temperature=0", "x")
    assert isinstance(cold, Tokens)
    assert cold.temperature == 0


async def test_no_more_are_taken_than_were_asked_for(tokenizer: Tokenizer) -> None:
    found = await made(tokenizer, [position("x", ["a", "b", "c"])], ",logprobs=2", "x")
    assert isinstance(found, Tokens)
    assert found.ids == ((number(tokenizer, "a"), number(tokenizer, "x")),)


@pytest.mark.parametrize(
    ("token", "others", "options", "told"),
    [
        ("x", ["a"], ",logprobs=3", "fewer alternatives than the 3"),
        ("x", [], ",logprobs=0", "no alternatives were recorded: ask for some"),
        ("x", ["a", "a"], ",logprobs=3", "the same token twice"),
        ("x", ["a", "\ufffd"], ",logprobs=3", "of several: have tokens recorded by number"),
        ("x", ["a", "unheard of"], ",logprobs=3", "no token or of several"),
        ("x", ["a", "token_id:100000"], ",logprobs=3", "lacks a token: name that of the model"),
        ("y", ["a", "b"], ",logprobs=3", "makes another text of a reply's tokens"),
        ("token_id:0", ["a", "b"], ",logprobs=3", "makes another text of a reply's tokens"),
    ],
)
async def test_why_there_is_no_row_is_said_in_words(
    tokenizer: Tokenizer, token: str, others: list[str], options: str, told: str
) -> None:
    found = await made(tokenizer, [position(token, others)], options, "x")
    assert isinstance(found, str)
    assert re.search(told, found)


async def test_without_any_there_is_nothing_to_take(tokenizer: Tokenizer) -> None:
    assert await made(tokenizer, None, "") == "no log-probabilities were recorded"


async def test_what_was_thought_before_and_cut_after_is_the_replys(tokenizer: Tokenizer) -> None:
    """The text of a reply has no thoughts, and ends before what stopped it."""
    content = [position(token, ["a", "b"]) for token in ("o", "x", "\n", "z")]
    found = await made(tokenizer, content, text="x")
    assert isinstance(found, Tokens)
    assert len(found.ids) == 4
