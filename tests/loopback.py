"""A real HTTP server on 127.0.0.1, in a thread, that speaks a provider's wire as a test tells it.

    with Loopback(lambda body: Reply(chat("4"))) as server:
        ...  # ask server.url, look at server.requests

`reply` is given the parsed JSON of each request; it may be async, and then runs in the server.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import isawaitable
from math import inf
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What is sent back, and how badly.

    `body` is bytes, or else sent as JSON; with `chunks` it is these, in chunked encoding, `pause`
    seconds apart. `wire` is sent instead of head and body, and the connection closed. The first
    byte comes after `delay` seconds (inf: never); after `cut` bytes the connection is reset.
    """

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    chunks: Sequence[bytes] | None = None
    pause: float = 0
    wire: bytes | None = None
    cut: int | None = None

    def pieces(self) -> list[bytes]:
        """The response's bytes, in the pieces in which they are sent."""
        if self.wire is not None:
            return [self.wire]
        if self.chunks is None:
            body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            rest = [body]
        else:
            headers = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
            rest = [b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in (*self.chunks, b"")]
        lines = [f"{name}: {value}\r\n" for name, value in {**headers, **self.headers}.items()]
        return [f"HTTP/1.1 {self.status} -\r\n{''.join(lines)}\r\n".encode(), *rest]


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
        self._connections: set[Any] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=4096))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _close(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(task := asyncio.current_task())
        try:
            while (request := await _read(reader)) is not None:
                self.requests.append(request)
                await self._answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has left, or the test is over
        finally:
            self._connections.discard(task)
            writer.transport.abort()

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


async def _read(reader: asyncio.StreamReader) -> Received | None:
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
