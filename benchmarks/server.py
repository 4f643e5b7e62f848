"""A loopback server in its own process that answers in OpenAI's wire format, after a latency.

    with Served(latency=0.05) as served:
        ...                             # served.url is the base URL of a client
    served.stats                        # requests, bytes received, the most in flight, its CPU

It plays a full tree. The question asked for is the first `part 0.1.2` of a prompt: a request with
a `response_format` is told to ask about its parts 0.1.2.1 to 0.1.2.3, in hch's `Decomposition`
form, every other one gets a short answer; as an object, if a form asks for an `answer`. So no two
nodes of a tree share a question. It reads no JSON and keeps no state, so that it takes little of
the machine that the client is measured on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
K = 3

_PART = re.compile(rb"part (0(?:\.\d+)*)")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def question(part: str) -> str:
    """The question about a part of the tree; the root is part 0."""
    return f"What does part {part} of the inventory come to, with everything that belongs to it?"


def answer(part: str) -> str:
    """The answer about a part."""
    return f"The part {part} comes to {len(part)} crates and nothing else, all of it accounted for."


def decomposition(part: str) -> str:
    """The three sub-questions about a part, as a typed reply of the strategy `factored`."""
    asked = [{"question": question(f"{part}.{i}"), "texts": []} for i in range(1, K + 1)]
    return json.dumps({"questions": asked})


def content(body: bytes, part: str) -> str:
    """What the model says: sub-questions or an answer, in the form that the body asks for."""
    if b'"response_format"' not in body:
        return answer(part)
    if b'"answer":' in body:
        return json.dumps({"answer": answer(part)})
    return decomposition(part)


def size(depth: int) -> tuple[int, int]:
    """The nodes and the calls of a full tree: inner nodes think twice, leaves once."""
    nodes = (K ** (depth + 1) - 1) // (K - 1)
    return nodes, 2 * nodes - K**depth


class Wire(asyncio.Protocol):
    """One connection, HTTP/1.1 with keep-alive; one request at a time, as clients send them."""

    latency = 0.05
    requests = received = flying = most = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._data = bytearray()

    def data_received(self, data: bytes) -> None:
        self._data += data
        end = self._data.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        length = _LENGTH.search(self._data, 0, end)
        total = end + int(length[1]) if length else end
        if len(self._data) < total:
            return
        body, self._data = bytes(self._data[end:total]), self._data[total:]
        Wire.requests += 1
        Wire.received += len(body)
        Wire.flying += 1
        Wire.most = max(Wire.most, Wire.flying)
        asyncio.get_running_loop().call_later(Wire.latency, self._answer, body)

    def _answer(self, body: bytes) -> None:
        Wire.flying -= 1
        if not self._transport.is_closing():
            self._transport.write(reply(body))


def reply(body: bytes) -> bytes:
    """The response to the body of a request, head and all."""
    found = _PART.search(body)
    part = found[1].decode() if found else "0"
    said = content(body, part)
    usage = {"prompt_tokens": len(body) // 4, "completion_tokens": len(said) // 4}
    details = {
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    message = {"role": "assistant", "content": said, "refusal": None, "annotations": []}
    data = json.dumps(
        {
            "id": f"chatcmpl-{part}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "bench",
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
            ],
            "usage": {**usage, "total_tokens": sum(usage.values()), **details},
            "service_tier": "default",
            "system_fingerprint": "fp_bench",
        }
    ).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(data) + data


async def serve(latency: float) -> None:
    """Serve until standard input ends; prints the port first and the counts last."""
    Wire.latency = latency
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Wire, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    stats = {"requests": Wire.requests, "bytes": Wire.received, "most": Wire.most}
    print(json.dumps({**stats, "cpu": time.process_time()}), flush=True)
    server.close()


class Served:
    """The server as a context manager; `stats` are its counts, afterwards."""

    def __init__(self, latency: float) -> None:
        self._latency = latency
        self.stats: dict[str, Any] = {}

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "benchmarks.server", f"--latency={self._latency}"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        said, _ = self._process.communicate(timeout=30)
        self.stats = json.loads(said)


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve until standard input ends.")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before a reply")
    latency = parser.parse_args().latency
    try:
        from uvloop import run
    except ImportError:
        from asyncio import run
    run(serve(latency))


if __name__ == "__main__":
    main()
