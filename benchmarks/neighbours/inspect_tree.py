"""The tree by Inspect: its model interface, with a response schema for the plan."""

from __future__ import annotations

import asyncio
from typing import Any

from inspect_ai.model import (
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ResponseSchema,
    get_model,
)
from inspect_ai.util import json_schema
from pydantic import BaseModel

from benchmarks.clients import AT_ONCE
from benchmarks.neighbours import shared
from benchmarks.server import question


class SubQuestion(BaseModel):
    question: str
    texts: list[int]


class Decomposition(BaseModel):
    questions: list[SubQuestion]


FORM = ResponseSchema(name="Decomposition", json_schema=json_schema(Decomposition), strict=True)
TYPED = GenerateConfig(response_schema=FORM)


async def say(model: Model, said: tuple[str, str], config: GenerateConfig) -> str:
    system, user = said
    messages = [ChatMessageSystem(content=system), ChatMessageUser(content=user)]
    return (await model.generate(messages, config=config)).completion


async def ask(model: Model, asked: str, level: int) -> str:
    """HCH_level, and nothing else."""
    plain = GenerateConfig()
    if level == 0:
        return await say(model, shared.direct(asked), plain)
    plan = await say(model, shared.decompose(asked, level), TYPED)
    parts = [part.question for part in Decomposition.model_validate_json(plan).questions]
    replies = await asyncio.gather(*(ask(model, part, level - 1) for part in parts))
    return await say(model, shared.synthesize(asked, parts, replies), plain)


async def client(url: str, depth: int) -> dict[str, Any]:
    config = GenerateConfig(
        max_connections=AT_ONCE, max_retries=0, max_tokens=shared.MAX_TOKENS, cache=False
    )
    name = f"openai-api/bench/{shared.MODEL}"
    async with get_model(
        name, config=config, base_url=url, api_key="none", memoize=False, max_retries=0
    ) as model:
        assert await ask(model, question("0"), depth)
    return {}


if __name__ == "__main__":
    shared.main("Inspect", ("inspect-ai", "openai"), client)
