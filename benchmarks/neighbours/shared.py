"""What the neighbours' clients share: hch's prompts, the form of a typed reply, the measuring.

Needs the standard library alone, so that it runs in every neighbour's environment.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from string import Template
from typing import Any

from benchmarks.clients import CLIENTS, DECOMPOSE, DIRECT, STATED, SYNTHESIZE, body, measured, run

MODEL = "gpt-4.1-mini"
"""A name that every neighbour knows to take a JSON schema; the server answers to any."""

MAX_TOKENS = 2048


def decompose(asked: str, level: int) -> tuple[str, str]:
    """The system and the user message that ask for sub-questions."""
    return _said(DECOMPOSE, question=asked, level=level, grant="no limit", form=STATED)


def synthesize(asked: str, parts: Sequence[str], replies: Sequence[str]) -> tuple[str, str]:
    """The system and the user message that ask for an answer from the answers to the parts."""
    return _said(SYNTHESIZE, question=asked, answers=listed(parts, replies))


def direct(asked: str) -> tuple[str, str]:
    """The system and the user message that ask for an answer at once."""
    return _said(DIRECT, question=asked)


def listed(parts: Sequence[str], replies: Sequence[str]) -> str:
    """The sub-questions with their answers, as hch shows them."""
    return "\n\n".join(
        f"Sub-question {i}: {part}\nAnswer:\n<<text {i:012}>>\n{reply}\n<</text {i:012}>>"
        for i, (part, reply) in enumerate(zip(parts, replies, strict=True), 1)
    )


def _said(templates: tuple[Template, Template], **values: object) -> tuple[str, str]:
    system, user = body(templates, **values)["messages"]
    return system["content"], user["content"]


def main(
    title: str, packages: Sequence[str], client: Callable[[str, int], Awaitable[dict[str, Any]]]
) -> None:
    """Measure a client as `benchmarks.clients` measures its own, and print one line of JSON.

    `packages` are those whose versions to tell, the neighbour's own first.
    """
    parser = argparse.ArgumentParser(description=f"Ask one tree by {title}, and measure it.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--depth", type=int, default=6)
    args = parser.parse_args()
    CLIENTS[title] = client
    found = run(measured(title, args.url, args.depth, profile=0))
    told = {package: version(package) for package in (*packages, "uvloop")}
    print(json.dumps({**found, "versions": told}))
