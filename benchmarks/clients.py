"""The clients of the tree benchmark; each is run in a process of its own.

    python -m benchmarks.clients hch --url http://127.0.0.1:PORT/v1 --depth 6

All ask the same full tree, with the same prompts (hch's), event loop and collector's threshold.
The bare ones are what somebody writes without hch: a recursion of a dozen lines, with no trace, no
budget, no retries of their own and nothing shared. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import gc
import json
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from string import Template
from typing import Any

from benchmarks.server import ROOT, question

try:
    from uvloop import run
except ImportError:
    from asyncio import run

AT_ONCE = 1000
"""Requests in flight that each client allows: more than a tree of depth 6 has leaves."""

_TEXTS = {"type": "array", "items": {"type": "integer"}}
_SUB_QUESTION = {
    "type": "object",
    "properties": {"question": {"type": "string"}, "texts": _TEXTS},
    "required": ["question", "texts"],
    "additionalProperties": False,
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"questions": {"type": "array", "items": _SUB_QUESTION}},
    "required": ["questions"],
    "additionalProperties": False,
}
FORM = {
    "type": "json_schema",
    "json_schema": {"name": "Decomposition", "strict": True, "schema": SCHEMA},
}

Post = Callable[[dict[str, Any]], Awaitable[str]]
"""Sends a chat completion's parameters; the text of the reply."""


def prompt(name: str) -> tuple[Template, Template]:
    """The system and the user message of one of hch's prompt files."""
    text = (ROOT / "prompts" / f"{name}.md").read_text("utf-8")
    system, user = text.removeprefix("--- system ---\n").split("--- user ---\n")
    return Template(system), Template(user)


DIRECT, DECOMPOSE, SYNTHESIZE = map(prompt, ("direct", "factored/decompose", "factored/synthesize"))
STATED = (
    "Reply with one JSON object and nothing else. It must fit this JSON schema:\n"
    f"{json.dumps(SCHEMA, separators=(',', ':'))}"
)


def body(templates: tuple[Template, Template], **values: object) -> dict[str, Any]:
    """The parameters of a chat completion."""
    system, user = (template.substitute(values, context="", manual="") for template in templates)
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return {"model": "bench", "messages": messages, "max_tokens": 2048}


async def recursion(post: Post, asked: str, level: int) -> str:
    """HCH_level, and nothing else."""
    if level == 0:
        return await post(body(DIRECT, question=asked))
    wanted = body(DECOMPOSE, question=asked, level=level, grant="no limit", form=STATED)
    plan = json.loads(await post(wanted | {"response_format": FORM}))
    parts = [part["question"] for part in plan["questions"]]
    replies = await asyncio.gather(*(recursion(post, part, level - 1) for part in parts))
    answers = "\n\n".join(
        f"Sub-question {i}: {part}\nAnswer:\n<<text {i:012}>>\n{reply}\n<</text {i:012}>>"
        for i, (part, reply) in enumerate(zip(parts, replies, strict=True), 1)
    )
    return await post(body(SYNTHESIZE, question=asked, answers=answers))


async def bare_aiohttp(url: str, depth: int) -> dict[str, Any]:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(wanted: dict[str, Any]) -> str:
            async with session.post(f"{url}/chat/completions", json=wanted) as response:
                data = json.loads(await response.read())
            return data["choices"][0]["message"]["content"]

        await recursion(post, question("0"), depth)
    return {}


async def bare_openai(url: str, depth: int) -> dict[str, Any]:
    return await _sdk(url, depth, None)


async def bare_openai_aiohttp(url: str, depth: int) -> dict[str, Any]:
    from openai import DefaultAioHttpClient

    return await _sdk(url, depth, DefaultAioHttpClient())


async def _sdk(url: str, depth: int, http_client: Any) -> dict[str, Any]:
    from openai import AsyncOpenAI

    async with AsyncOpenAI(api_key="none", base_url=url, http_client=http_client) as client:

        async def post(wanted: dict[str, Any]) -> str:
            completion = await client.chat.completions.create(**wanted)
            return completion.choices[0].message.content or ""

        await recursion(post, question("0"), depth)
    return {}


async def hch_memory(url: str, depth: int) -> dict[str, Any]:
    from hch.stores.memory import MemoryStore

    return await _hch("openai", url, depth, MemoryStore())


async def hch_openai(url: str, depth: int) -> dict[str, Any]:
    return await _durable("openai", url, depth)


async def hch_vllm(url: str, depth: int) -> dict[str, Any]:
    return await _durable("vllm", url, depth)


async def _durable(provider: str, url: str, depth: int) -> dict[str, Any]:
    from hch.stores.sqlite import SqliteStore

    class Counted(SqliteStore):
        commits = 0

        def _write(self, group: Sequence[Any]) -> None:
            self.commits += 1
            super()._write(group)

    with tempfile.TemporaryDirectory() as folder, Counted(Path(folder) / "hch.db") as store:
        return {**await _hch(provider, url, depth, store), "commits": store.commits}


async def _hch(provider: str, url: str, depth: int, store: Any) -> dict[str, Any]:
    from hch import HCH
    from hch.config import Config

    asked = HCH(
        depth=depth,
        model=f"{provider}:bench,base_url={url}",
        strategy="factored",
        store=store,
        concurrency=AT_ONCE,
        config=Config(store="memory"),
    )
    result = await asked.ask(question("0"))
    assert result.status == "answered", result.answer
    return {}


CLIENTS: dict[str, Callable[[str, int], Awaitable[dict[str, Any]]]] = {
    "bare-aiohttp": bare_aiohttp,
    "bare-openai": bare_openai,
    "bare-openai-aiohttp": bare_openai_aiohttp,
    "hch": hch_openai,
    "hch-vllm": hch_vllm,
    "hch-memory": hch_memory,
}


async def measured(name: str, url: str, depth: int, profile: int) -> dict[str, Any]:
    """A small tree to import and warm all there is, then the tree, with its CPU and its wall."""
    client = CLIENTS[name]
    await client(url, 1)
    gc.collect()
    gc.set_threshold(50_000, 50, 1_000)  # as hch's commands do, and for all alike
    with cProfile.Profile() if profile else nullcontext() as profiler:
        wall, cpu = time.perf_counter(), time.process_time()
        more = await client(url, depth)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if profiler:
        pstats.Stats(profiler, stream=sys.stderr).sort_stats("tottime").print_stats(profile)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"client": name, "cpu": cpu, "wall": wall, "peak_kib": peak, **more}


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask one tree by one client, and measure it.")
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("--url", required=True)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument(
        "--profile", type=int, default=0, help="print so many of the dearest functions"
    )
    args = parser.parse_args()
    print(json.dumps(run(measured(args.client, args.url, args.depth, args.profile))))


if __name__ == "__main__":
    main()
