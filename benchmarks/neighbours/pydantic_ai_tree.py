"""The tree by pydantic-ai: an agent for each kind of thought, the plan as a native typed output."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from benchmarks.neighbours import shared
from benchmarks.server import question


class SubQuestion(BaseModel):
    question: str
    texts: list[int]


class Decomposition(BaseModel):
    questions: list[SubQuestion]


class Tree:
    """HCH_level, and nothing else."""

    def __init__(self, sdk: AsyncOpenAI) -> None:
        model = OpenAIChatModel(
            shared.MODEL,
            provider=OpenAIProvider(openai_client=sdk),
            settings=ModelSettings(max_tokens=shared.MAX_TOKENS),
        )

        self.decompose = Agent(
            model,
            output_type=NativeOutput(Decomposition),
            instructions=shared.decompose("", 0)[0],
            retries=0,
        )
        self.synthesize = Agent(model, instructions=shared.synthesize("", (), ())[0], retries=0)
        self.direct = Agent(model, instructions=shared.direct("")[0], retries=0)

    async def ask(self, asked: str, level: int) -> str:
        if level == 0:
            return (await self.direct.run(shared.direct(asked)[1])).output
        plan = (await self.decompose.run(shared.decompose(asked, level)[1])).output
        parts = [part.question for part in plan.questions]
        replies = await asyncio.gather(*(self.ask(part, level - 1) for part in parts))
        return (await self.synthesize.run(shared.synthesize(asked, parts, replies)[1])).output


async def client(url: str, depth: int) -> dict[str, Any]:
    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as sdk:
        assert await Tree(sdk).ask(question("0"), depth)
    return {}


if __name__ == "__main__":
    shared.main("pydantic-ai", ("pydantic-ai-slim", "openai"), client)
