"""Group commit: what is put in is committed by one thread, many at a time, in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Event, Lock
from time import monotonic
from typing import Generic, TypeAlias, TypeVar

from hch.errors import StoreError

T = TypeVar("T")
Waiter: TypeAlias = tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]

WINDOW = 0.005
MOST = 10_000


class GroupCommit(Generic[T]):
    """Commits what is put in, in groups that begin at least `window` seconds after the last one.

    So a commit that comes alone does not wait, and one in a crowd waits `window` at most; a group
    also takes in what the event loop was about to put in anyway. After a failed commit nothing
    further is taken: every method raises StoreError from that failure.
    """

    def __init__(self, commit: Callable[[Sequence[T]], None], window: float = WINDOW) -> None:
        self._commit = commit
        self._window = window
        self._queue: deque[T] = deque()
        self._waiters: deque[Waiter] = deque()
        self._busy = False
        self._called: asyncio.AbstractEventLoop | None = None
        self._hurry = Event()
        self._ended = 0.0
        self._lock = Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._failure: BaseException | None = None
        self._told = False

    def put(self, item: T) -> None:
        """Queue an item; blocks only when far more is queued than a commit takes."""
        if self._failure is not None:
            self._refuse()
        self._queue.append(item)
        if len(self._queue) >= MOST:
            self.flush()

    @property
    def pending(self) -> bool:
        """Whether something put in is not committed yet, and still may be."""
        return (len(self._queue) > 0 or self._busy) and self._failure is None

    async def wait(self) -> None:
        """Wait until everything put in so far is committed."""
        if self.pending:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            self._waiters.append((loop, future))
            if self._called is not loop:  # by way of the loop: whoever is ready now comes first
                self._called = loop
                loop.call_soon(self._submit)
            await future
        if self._failure is not None:
            self._refuse()

    def flush(self) -> None:
        """Commit everything put in so far before returning."""
        if self.pending:
            self._hurry.set()
            self._thread().submit(self._commit_group, hurry=True).exception()
        if self._failure is not None:
            self._refuse()

    def close(self) -> None:
        """Flush and end the thread; the next `put` starts another.

        Raises StoreError for a failure that nobody was told of yet.
        """
        try:
            if not self._told:
                self.flush()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None

    def _submit(self) -> None:
        self._thread().submit(self._commit_group)

    def _thread(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, "hch-store")
            return self._pool

    def _commit_group(self, *, hurry: bool = False) -> None:
        """In the thread: wait for the window, commit what there is, and tell who waits for it."""
        delay = self._ended + self._window - monotonic()
        if delay > 0 and self._queue and not hurry:
            self._hurry.wait(delay)
        self._hurry.clear()
        self._busy = True
        self._called = None
        # Waiters first, so that what each of them waits for is in the group.
        waiters = [self._waiters.popleft() for _ in range(len(self._waiters))]
        group = [self._queue.popleft() for _ in range(len(self._queue))]
        try:
            if group and self._failure is None:
                self._commit(group)
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._busy = False
            self._ended = monotonic() if group else self._ended
            _tell(waiters)

    def _refuse(self) -> None:
        self._told = True
        raise StoreError(str(self._failure)) from self._failure


def _tell(waiters: Sequence[Waiter]) -> None:
    """Wake everybody who waits: one call for each event loop, whatever their number."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for loop, future in waiters:
        loops.setdefault(loop, []).append(future)
    for loop, futures in loops.items():
        with suppress(RuntimeError):  # that loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_wake, futures)


def _wake(futures: Sequence[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
