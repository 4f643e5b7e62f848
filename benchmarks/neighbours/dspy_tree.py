"""The tree by DSPy: a module that asks copies of itself, with typed signatures."""

from __future__ import annotations

import asyncio
from typing import Any

import dspy
from pydantic import BaseModel

from benchmarks.neighbours import shared
from benchmarks.server import question


class SubQuestion(BaseModel):
    question: str
    texts: list[int]


class Decompose(dspy.Signature):
    question: str = dspy.InputField()
    level: int = dspy.InputField(desc="of the copies; each level may ask the one below it")
    grant: str = dspy.InputField(desc="what may be spent")
    questions: list[SubQuestion] = dspy.OutputField(desc="whose answers would let you answer")


class Synthesize(dspy.Signature):
    question: str = dspy.InputField()
    answers: str = dspy.InputField(desc="the answers to the sub-questions")
    answer: str = dspy.OutputField()


class Direct(dspy.Signature):
    question: str = dspy.InputField()
    answer: str = dspy.OutputField()


class Tree(dspy.Module):
    """HCH_level, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.decompose = _predict(Decompose, shared.decompose("", 0))
        self.synthesize = _predict(Synthesize, shared.synthesize("", (), ()))
        self.direct = _predict(Direct, shared.direct(""))

    async def aforward(self, asked: str, level: int) -> dspy.Prediction:
        if level == 0:
            return await self.direct.acall(question=asked)
        plan = await self.decompose.acall(question=asked, level=level, grant="no limit")
        parts = [part.question for part in plan.questions]
        replies = await asyncio.gather(
            *(self.acall(asked=part, level=level - 1) for part in parts),
        )
        answers = shared.listed(parts, [reply.answer for reply in replies])
        return await self.synthesize.acall(question=asked, answers=answers)


def _predict(signature: type[dspy.Signature], said: tuple[str, str]) -> dspy.Predict:
    return dspy.Predict(signature.with_instructions(said[0]))


async def client(url: str, depth: int) -> dict[str, Any]:
    lm = dspy.LM(
        f"openai/{shared.MODEL}",
        api_base=url,
        api_key="none",
        max_tokens=shared.MAX_TOKENS,
        cache=False,
        num_retries=0,
    )
    with dspy.context(lm=lm, adapter=dspy.JSONAdapter()):
        reply = await Tree().acall(asked=question("0"), level=depth)
    await lm.aclose()
    assert reply.answer
    return {}


if __name__ == "__main__":
    dspy.configure_cache(enable_disk_cache=False, enable_memory_cache=False)
    shared.main("DSPy", ("dspy", "litellm"), client)
