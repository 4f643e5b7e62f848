"""From code that awaits nothing to code that does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def completed(begin: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """What a coroutine returns. Inside a running loop it works in a thread with a loop of its own.

    Raises what it raises; where this is interrupted, the coroutine is cancelled and awaited.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(begin())
    stop: list[Callable[[], object]] = []

    async def stoppable() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None
        stop.append(lambda: loop.call_soon_threadsafe(task.cancel))
        return await begin()

    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(lambda: asyncio.run(stoppable()))
        try:
            return answer.result()
        except BaseException:
            for cancel in stop if not answer.done() else ():
                cancel()
            raise
