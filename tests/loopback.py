"""A real HTTP server on 127.0.0.1, in a thread, that speaks a provider's wire as a test tells it.

    with Loopback(lambda body: Reply(chat("4"))) as server:
        ...  # ask server.url, look at server.requests

`reply` is given the parsed JSON of each request; it may be async, and then runs in the server.
`chat` is a good reply in OpenAI's wire format, `messages` one in Anthropic's.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from inspect import isawaitable
from itertools import chain
from math import inf
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What is sent back, and how badly.

    `body` is bytes, or else sent as JSON; with `chunks` it is these, in chunked encoding, `pause`
    seconds apart. `wire` is sent instead of head and body, in one piece or in several that are as
    far apart, and the connection closed. Both may go on for ever. The first byte comes after
    `delay` seconds (inf: never); after `cut` bytes the connection is reset.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    chunks: Iterable[bytes] | None = None
    pause: float = 0
    wire: bytes | Iterable[bytes] | None = None
    cut: int | None = None

    def pieces(self) -> Iterator[bytes]:
        """The response's bytes, in the pieces in which they are sent."""
        if self.wire is not None:
            yield from [self.wire] if isinstance(self.wire, bytes) else self.wire
        elif self.chunks is None:
            yield self._head(**{"Content-Length": str(len(self.sent))})
            yield self.sent
        else:
            yield self._head(**{"Transfer-Encoding": "chunked"})
            for chunk in chain(self.chunks, [b""]):
                yield b"%x\r\n%b\r\n" % (len(chunk), chunk)

    @cached_property
    def sent(self) -> bytes:
        """The body as it is sent."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()

    def _head(self, **headers: str) -> bytes:
        stream = "text/event-stream" if self.chunks is not None else "application/json"
        told = {"Content-Type": stream, **headers, **self.headers}
        lines = (f"{name}: {value}\r\n" for name, value in told.items())
        return f"HTTP/1.1 {self.status} -\r\n{''.join(lines)}\r\n".encode()


@dataclass(frozen=True)
class Received:
    """A request as it arrived; header names in lower case."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    body: Any


class Loopback:
    """The server, as a context manager; `requests` are all that arrived, in order."""

    def __init__(self, reply: Callable[[Any], Reply | Awaitable[Reply]]) -> None:
        self.requests: list[Received] = []
        self._reply = reply
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loopback")
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def origin(self) -> str:
        """Where the server is, without a path."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        """The base URL of OpenAI's wire format; that of Anthropic's is the origin."""
        return f"{self.origin}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._meet, "127.0.0.1", 0, backlog=4096))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _close(self) -> None:
        await self._shut()
        for serving in self._connections:
            serving.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # an aborted transport closes its socket at the loop's next turn

    async def _shut(self) -> None:
        """Accept no more; whom a server closes on while it is being accepted is left open."""
        here = asyncio.current_task()
        while accepting := asyncio.all_tasks() - {here, *self._connections}:
            await asyncio.wait(accepting)
        self._server.close()

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = self._loop.create_task(self._serve(reader, writer))
        self._connections[serving] = writer
        serving.add_done_callback(self._part)

    def _part(self, served: asyncio.Task[None]) -> None:
        self._connections.pop(served).transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read(reader)) is not None:
                self.requests.append(request)
                await self._answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        reply = self._reply(request.body)
        if isawaitable(reply):
            reply = await reply
        await (asyncio.sleep(reply.delay) if reply.delay < inf else asyncio.Event().wait())
        left = inf if reply.cut is None else reply.cut
        for i, piece in enumerate(reply.pieces()):
            await asyncio.sleep(reply.pause if i > 1 else 0)
            writer.write(piece if len(piece) <= left else piece[: int(left)])
            await writer.drain()
            left -= len(piece)
            if left <= 0:
                resetting = (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.get_extra_info("socket").setsockopt(*resetting)
                raise ConnectionResetError
        if reply.wire is not None:
            writer.close()
            await writer.wait_closed()


async def read(reader: asyncio.StreamReader) -> Received | None:
    """The next request of a connection; None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    except asyncio.IncompleteReadError:
        return None
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    raw = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(head[0].split(" ")[1], headers, raw, json.loads(raw) if raw else None)


def chat(text: str | None, *, message: Any = (), choice: Any = (), **top: Any) -> dict[str, Any]:
    """A good chat completion, with other members of its message, its choice, or its own."""
    said = {"role": "assistant", "content": text, "refusal": None, **dict(message)}
    chosen = {"index": 0, "message": said, "finish_reason": "stop", **dict(choice)}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"id": "1", "object": "chat.completion", "choices": [chosen], "usage": usage, **top}


def messages(text: str | None, **top: Any) -> dict[str, Any]:
    """A good reply of Anthropic's Messages format, with other members of its own."""
    usage = {
        "input_tokens": 7,
        "output_tokens": 3,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
    }
    return {
        "id": "1",
        "type": "message",
        "role": "assistant",
        "model": "small",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": usage,
        **top,
    }
