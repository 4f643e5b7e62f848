"""HCH: the recursion, and nothing else.

HCH_0 is H alone; HCH_n is H who may put sub-questions to fresh copies of HCH_{n-1}. A copy's
strategy is H; `Copy` is all it can see and do. What is equal is done once: a request to one
model, a node under one key, also while in flight. It limits no nodes: parents wait for children,
and `Throttled` limits calls. It knows no task, no provider, no terminal and no file; what is done
it keeps in a `Stash`, so that its memory is as large as what is open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from hch.budget import Price
from hch.errors import NodeError
from hch.events import NodeClosed, RootOpened
from hch.packing import answer_of, length, plain, replies
from hch.protocols import Model
from hch.replies import ended
from hch.rules import Lineup, Outcome, Place, Rules, Seat
from hch.stash import Codec, Stash, as_bytes, of_bytes
from hch.types import Answer, Completion, Question, Request, digest
from hch.wire import Amounts, Polled, Words
from hch.workspace import Copy

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Root:
    """A root to be planted: what is asked of which lineup, by `seated`.

    That is told how the roots `after` ended, earlier ones by their numbers, which it waits for.
    """

    seated: Callable[[Sequence[Outcome]], tuple[Question, Lineup]]
    after: tuple[int, ...] = ()

    @classmethod
    def of(cls, question: Question, lineup: Lineup) -> Root:
        """One that waits for nothing."""
        return cls(lambda _: (question, lineup))


class Engine:
    """Runs trees under one set of rules; every task it starts belongs to one task group."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._group: asyncio.TaskGroup
        self._open: dict[str, asyncio.Task[Outcome]] = {}
        self._closed = Stash(OUTCOMES)
        self._flying: dict[str, asyncio.Task[Completion | NodeError]] = {}
        self._landed = Stash(replies())

    async def hch(self, copy: Seat) -> Outcome:
        """HCH_n of a question: H at its workspace, whose `ask` comes back here a level lower."""
        self.rules.journal.write(copy.opened())
        answer = Answer("cancelled", None, "the run stopped")
        try:
            answer = ended(await copy.strategy(copy))
        except NodeError as error:
            answer = ended(error)
        finally:
            outcome = copy.outcome(answer)
            self.rules.journal.write(closed(copy, outcome))
        self._closed.put(copy.key, outcome)
        del self._open[copy.key]
        return outcome

    async def open(self, copies: Sequence[Seat]) -> list[Outcome]:
        """What becomes of copies, in order; equal ones, also in flight, are one node."""
        found = []
        for copy in copies:
            node = self._open.get(copy.key) or self._closed.get(copy.key)
            if node is None:
                node = self._open[copy.key] = self._group.create_task(self.hch(copy))
            found.append(node)
        return [await _result(node) if isinstance(node, asyncio.Task) else node for node in found]

    async def call(self, model: Model, request: Request) -> Completion:
        """One logical call; equal ones, also in flight, are sent once. Raises NodeError."""
        found = self._flying.get(request.call) or self._landed.get(request.call)
        if found is None:
            found = self._flying[request.call] = self._group.create_task(self._send(model, request))
        if isinstance(found, asyncio.Task):
            found = await _result(found)
        if isinstance(found, NodeError):
            raise found.again()
        return found

    async def _send(self, model: Model, request: Request) -> Completion | NodeError:
        result: Completion | NodeError
        try:
            done = await model.complete(request)
            result = Completion(done.text, done.finish, done.usage, thinking=done.thinking)
        except NodeError as error:
            result = error.again()  # without what it holds on to
        self._landed.put(request.call, result)
        del self._flying[request.call]
        return result

    async def run(
        self,
        roots: Iterable[Root],
        grant: Price,
        done: Callable[[int, Answer], None],
        *,
        at_once: int = 256,
    ) -> None:
        """Plant every root, `at_once` open at a time, and tell `done` each number and answer.

        Raises what ended the run, as itself, when every open node has been closed.
        """
        room = asyncio.Semaphore(at_once)
        growing: dict[int, asyncio.Task[Outcome]] = {}
        grown = Stash(OUTCOMES)

        async def ended(index: int) -> Outcome:
            if (task := growing.get(index)) is not None:
                return await _result(task)
            outcome = grown.get(str(index))
            assert outcome is not None, "it comes before"
            return outcome

        async def grow(index: int, root: Root) -> Outcome:
            before = [await ended(n) for n in root.after]
            [outcome] = await self.open([self._plant(index, *root.seated(before), grant)])
            grown.put(str(index), outcome)
            del growing[index]
            done(index, outcome.answer)
            room.release()
            return outcome

        try:
            async with asyncio.TaskGroup() as self._group:
                for index, root in enumerate(roots):
                    await room.acquire()
                    growing[index] = self._group.create_task(grow(index, root))
        except BaseExceptionGroup as group:
            raise first(group) from None

    def _plant(self, index: int, question: Question, lineup: Lineup, grant: Price) -> Seat:
        place = Place(lineup, lineup.depth)
        sample = tuple((place.level + 1, 0, i) for i in question.sample)
        root = Copy(self, replace(question, sample=()), sample, place, grant)
        source = digest(question.text.body, [t.body for t in question.context], question.sample)
        self.rules.journal.write(RootOpened(index=index, key=root.key, question=source))
        return root


def _pack(outcome: Outcome) -> bytes:
    return as_bytes([plain(outcome.answer), outcome.spent.amounts(), outcome.trusted])


def _unpack(data: bytes) -> Outcome:
    answer, spent, trusted = of_bytes(data)
    return Outcome(answer_of(answer), Price(*spent), trusted)


OUTCOMES = Codec(_pack, _unpack, lambda outcome: length(outcome.answer))


async def _result(task: asyncio.Task[T]) -> T:
    """What a task comes to; whoever stops waiting for it does not stop it."""
    if not task.done():
        waiter = asyncio.get_running_loop().create_future()
        task.add_done_callback(lambda _: None if waiter.done() else waiter.set_result(None))
        await waiter
    return task.result()


def closed(copy: Seat, outcome: Outcome) -> NodeClosed:
    answer = outcome.answer
    assert answer.status != "refused", "a node is never refused"
    return NodeClosed(
        key=copy.key,
        status=answer.status,
        answer=Words.of(answer.text) if answer.text else None,
        reason=answer.reason,
        notes=answer.notes,
        spent=Amounts.of(outcome.spent),
        ballot=Polled.of_ballot(answer.ballot) if answer.ballot else None,
    )


def first(group: BaseExceptionGroup) -> BaseException:
    """The error that ended a run, out of the group it came in."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return leaf
