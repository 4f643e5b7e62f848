"""Trees that are asked, answered, failed, stopped, killed, resumed, moved and removed at random.

A state machine does what a user and fate can do to the runs and the shelf of one store, and
remembers of each what must hold: what was replied to, what was in flight, what is on record.
"""

from __future__ import annotations

import asyncio
import faulthandler
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from math import inf
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from time import monotonic
from typing import Any, TypeAlias

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hch.budget import CURRENCIES
from hch.errors import (
    BillExhausted,
    DeadEndpoint,
    LengthError,
    ModelError,
    NodeError,
    RefusalError,
    StoreError,
    TransientModelError,
    UsageError,
)
from hch.interchange import Export, lines
from hch.jsonl import encoded
from hch.past import Past
from hch.run import Run
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.types import Completion, Usage
from tests.chaos.book import Book, Seen
from tests.chaos.driver import HANDLES, PATIENCE, POOL, Death, Life, Provider, Tree, calm, said
from tests.chaos.witness import check_cap
from tests.promises import LONG, Promise
from tests.support import check_tree

SECONDS = 60
"""What the long form takes, each of the MINUTES times."""

MINUTES = 10

BUDGETS = [None, "2calls", "6calls", "30calls,40ktokens", "0.02usd", "12nodes,25calls"]

TREES = st.builds(
    Tree,
    roots=st.lists(st.sampled_from([*POOL[:2], "Why?"]), min_size=1, max_size=2).map(tuple),
    depth=st.integers(0, 2),
    strategy=st.sampled_from(["factored", "consult"]),
    budget=st.sampled_from(
        [None, "2calls", "6calls", "30calls,40ktokens", "0.02usd", "12nodes,25calls"]
    ),
    fanout=st.sampled_from([2, 16]),
    seed=st.integers(0, 3),
    attempts=st.integers(1, 2),
)
PICK = st.integers(0, 99)
SOME = st.lists(PICK, max_size=3)
TEXTS = st.dictionaries(
    st.sampled_from(["table/a", "table/b", "ledger"]),
    st.sampled_from([None, "", "small", "\ud800 large " * 2000]),
    max_size=3,
)
CUT = st.sampled_from([None, None, None, 0, 1, 2])
HANDLE = st.integers(0, HANDLES - 1)
DEATHS = st.builds(
    Death,
    point=st.sampled_from(["before", "after"]),
    number=st.integers(1, 3),
    torn=st.sampled_from([0.0, 0.3, 0.9, 1.0]),
)

FAILURES: dict[str, Callable[[], Completion | NodeError]] = {
    "transient": lambda: TransientModelError("answered 500", kind="http 500"),
    "unreachable": lambda: TransientModelError("no route", kind="unreachable", ran=False),
    "busy": lambda: TransientModelError("slow down", kind="http 429", ran=False, retry_after=2.0),
    "bad body": lambda: TransientModelError("cut JSON", kind="bad body", usage=(5, 3, 0, 0, 0)),
    "permanent": lambda: ModelError("answered 400", kind="http 400", ran=False),
    "refusal": lambda: RefusalError("declined"),
    "too long": lambda: LengthError("the prompt is too long"),
    "refused": lambda: Completion("I will not", "refusal", Usage(3, 3)),
    "cut": lambda: Completion("half of", "length", Usage(3, 3)),
    "cut off": lambda: Completion("", "length", Usage(3, 3)),
}
"""What else can come of a request than what is said to it."""


Prepared: TypeAlias = tuple[Book, Run, Provider, int]
"""A run of that book that can go on, with its provider, by that handle."""


class Machine(RuleBasedStateMachine):
    """One store, what writes to it, and a book for each of its runs."""

    def __init__(self, home: Path, promise: Promise | None, done: Counter[str]) -> None:
        super().__init__()
        self.home = Path(mkdtemp(dir=home))
        self.promise, self.done = promise, done
        self.lives = 1
        self.life = Life(self.home / "1.db")
        self.books: dict[str, Book] = {}
        self.archive: list[tuple[str, Tree, bytes]] = []
        self.prepared: list[Prepared] = []
        self.shelf: dict[str, str] = {}
        self.elsewhere = SqliteStore(self.home / "elsewhere.db", pragmas={"synchronous": 0})
        self.all_at_once = True
        done["sequences"] += 1

    # what is asked of it

    @rule(tree=TREES, handle=HANDLE, cut=CUT)
    @precondition(lambda self: len(self._live()) < 3)
    def ask(self, tree: Tree, handle: int, cut: int | None) -> None:
        self._go(self._begin(tree, handle), cut)

    @rule(picks=st.lists(PICK, min_size=1, max_size=4))
    @precondition(lambda self: self._in_flight())
    def answer(self, picks: list[int]) -> None:
        self._answer(picks)
        self._settle()

    @rule(pick=PICK)
    @precondition(lambda self: self._in_flight())
    def answer_all(self, pick: int) -> None:
        for _ in range(1 + pick % 6):
            self._answer(range(len(self._in_flight())))
            self._settle()

    @rule(pick=PICK, how=st.sampled_from(sorted(FAILURES)), also=SOME)
    @precondition(lambda self: self._in_flight())
    def fail(self, pick: int, how: str, also: list[int]) -> None:
        in_flight = self._in_flight()
        book, call = in_flight[pick % len(in_flight)]
        came = FAILURES[how]()
        book.row |= isinstance(came, TransientModelError)
        book.reply(call, came)
        self._answer(also)
        self._settle()

    @rule()
    @precondition(lambda self: self._in_flight())
    def time_out(self) -> None:
        """Nothing comes, until all that is in flight is given up on."""
        for book in self._live():
            book.row = True
        self.life.pass_time(PATIENCE)
        self._settle()

    @rule(pick=PICK, also=SOME, commits=st.integers(0, 3))
    @precondition(lambda self: self._live())
    def stop(self, pick: int, also: list[int], commits: int) -> None:
        book = self._live()[pick % len(self._live())]
        self._answer(also)
        if also:
            self.life.settle(commits)
        self._stop(book)

    @rule(
        death=DEATHS,
        also=st.lists(PICK, min_size=1, max_size=4),
        asked=st.none() | TREES,
        resumed=st.none() | PICK,
    )
    @precondition(lambda self: self.books)
    def kill(self, death: Death, also: list[int], asked: Tree | None, resumed: int | None) -> None:
        """In the midst of what was just answered, asked or resumed."""
        with self._kept("I1", "I13"):
            self._answer(also)
            if asked is not None:
                self._begin(asked, 0)
            book = self._book(resumed or 0)
            if resumed is not None and not book.live and book.seen.over is None:
                prepared = self._prepared(book, retry=False, more=None, handle=1)
                assert prepared is not None
                self._start(*prepared)
            self.lives += 1
            left = self.home / f"{self.lives}.db"
            self.life.kill(death, left)
            found = [(book, set(book.pending), self._promised(book)) for book in self._live()]
            self.life.end()
            self.life, self.prepared = Life(left), []
            for book, in_flight, promised in found:
                self._revive(book, in_flight, promised)
            assert self.life.looker.check(deep=True) == []
            self._look_at_all()

    @rule(
        pick=PICK,
        retry=st.booleans(),
        more=st.sampled_from([None, 1, 30]),
        handle=HANDLE,
        cut=CUT,
    )
    @precondition(lambda self: self.books)
    def resume(
        self, pick: int, retry: bool, more: int | None, handle: int, cut: int | None
    ) -> None:
        prepared = self._prepared(self._book(pick), retry=retry, more=more, handle=handle)
        if prepared is not None:
            self._go_on(*prepared, cut)

    @rule(pick=PICK, retry=st.booleans(), handle=HANDLE)
    @precondition(lambda self: self.books)
    def prepare(self, pick: int, retry: bool, handle: int) -> None:
        """Make ready to resume, and see to something else first."""
        prepared = self._prepared(self._book(pick), retry=retry, more=None, handle=handle)
        assert prepared is not None or retry
        if prepared is not None:
            self.prepared.append(prepared)

    @rule(pick=PICK)
    @precondition(lambda self: self.prepared)
    def go_on(self, pick: int) -> None:
        prepared = self.prepared.pop(pick % len(self.prepared))
        if self.books.get(prepared[0].id) is prepared[0]:
            self._go_on(*prepared, None)

    @rule(pick=PICK)
    @precondition(lambda self: self.books)
    def replay(self, pick: int) -> None:
        book = self._book(pick)
        if book.seen.over is None:
            with pytest.raises(UsageError, match="is not finished"):
                Past(self.life.looker, book.id).replay()
            return
        with self._kept("I7"):
            played = asyncio.run(Past(self.life.looker, book.id).replay().play())
            assert played.canonical() == self._trace(book).canonical()

    @rule(pick=PICK, handle=HANDLE)
    @precondition(lambda self: self.books)
    def export_import(self, pick: int, handle: int) -> None:
        """Out, into another store, and out again."""
        book = self._book(pick)
        out = exported(self.life.handles[handle], book.id)
        assert out.splitlines()[1:-1][: len(book.log)] == [line.encode() for line in book.log]
        bring(self.elsewhere, out)
        assert exported(self.elsewhere, book.id) == out
        assert [row.imported for row in self.elsewhere.runs()] == [True]
        assert self.elsewhere.check(deep=True) == []
        self.elsewhere.remove([book.id])
        self.archive.append((book.id, book.tree, out))

    @rule(pick=PICK, handle=HANDLE)
    @precondition(lambda self: self.archive)
    def import_back(self, pick: int, handle: int) -> None:
        run, tree, out = self.archive[pick % len(self.archive)]
        if run in self.books:
            with pytest.raises(StoreError, match="there is a run"):
                bring(self.life.handles[handle], out)
        else:
            bring(self.life.handles[handle], out)
            book = self.books[run] = Book(run, tree, imported=True)
            log, seen = self._record(book)
            assert [line.encode() for line in log] == out.splitlines()[1:-1]
            book.sent = Counter(seen.intended)
            book.take(log, seen)
            book.status = self._status(book)
        self._look_at_all()

    @rule(pick=PICK, handle=HANDLE)
    @precondition(lambda self: self.books)
    def rm(self, pick: int, handle: int) -> None:
        book = self._book(pick)
        if book.live:
            with pytest.raises(StoreError, match="is in use"):
                self.life.handles[handle].remove([book.id])
        else:
            self.life.handles[handle].remove([book.id])
            del self.books[book.id]
            with pytest.raises(StoreError, match="there is no run"):
                self._prepared(book, retry=False, more=None, handle=handle)
        self._look_at_all()

    @rule(what=st.sampled_from(["close", "check", "rebuild", "back up", "vacuum"]), handle=HANDLE)
    @precondition(lambda self: self.books)
    def keep_up(self, what: str, handle: int) -> None:
        store = self.life.handles[handle]
        match what:
            case "close":
                store.close()
            case "check":
                assert store.check(deep=True) == []
            case "rebuild":
                store.flush()
                before = self.life.looker.runs()
                store.rebuild_index()
                assert self.life.looker.runs() == before
            case "back up":
                self._back_up(store)
            case "vacuum" if self._live():
                with pytest.raises(StoreError, match="is alive"):
                    store.vacuum()
            case "vacuum":
                store.vacuum()
        self._look_at_all()

    @rule(texts=TEXTS, handle=HANDLE)
    def shelve(self, texts: dict[str, str | None], handle: int) -> None:
        self.life.handles[handle].shelve(texts)
        merged = {**self.shelf, **texts}
        self.shelf = {name: text for name, text in merged.items() if text is not None}

    def _back_up(self, store: SqliteStore) -> None:
        copy = self.home / "copy.db"
        store.backup(copy)
        with SqliteStore(copy) as copied:
            assert copied.check(deep=True) == []
            assert {name: copied.shelved(name) for name in copied.shelf()} == self.shelf
            for book in self.books.values():
                log = [encoded(record) for record in copied.events(book.id)]
                assert log[: len(book.log)] == book.log
        copy.unlink()

    # what must hold

    @invariant()
    def each_run_is_as_it_must_be(self) -> None:
        self.done["steps"] += 1
        for book in self.books.values():
            if self.all_at_once or book.live or book.moved:
                self._look(book)
            else:
                assert self.life.looker.last(book.id) == len(book.log)
        self.all_at_once = False
        listed = {row.run: (row.status, row.imported) for row in self.life.looker.runs()}
        assert listed == {b.id: (b.status, b.imported) for b in self.books.values()}
        looker = self.life.looker
        assert looker.check() == []
        assert {name: looker.shelved(name) for name in looker.shelf()} == self.shelf

    def teardown(self) -> None:
        """Whatever happened, every run that is left can be gone on with, to its end."""
        try:
            if sys.exception() is None:
                self._finish_all()
            else:  # what follows is the search for the smallest sequence, which takes minutes
                faulthandler.cancel_dump_traceback_later()
        finally:
            self.life.end()
            self.elsewhere.close()
            rmtree(self.home)

    def _finish_all(self) -> None:
        for book in list(self.books.values()):
            more = None
            while book.seen.over is None:
                if not book.live:
                    prepared = self._prepared(book, retry=True, more=more, handle=0)
                    assert prepared is not None or more is None
                    if prepared is not None:
                        self._go_on(*prepared, None)
                    more = 40
                while book.live:
                    for call in book.pending:
                        self._reply(book, call)
                    self._settle()
                self.each_run_is_as_it_must_be()

    # how it is done

    def _provider(self, book: Book) -> Provider:
        return Provider(book.tree.rate, self.life, book.sending, book.late)

    def _begin(self, tree: Tree, handle: int) -> Book:
        book = Book("", tree)
        provider = self._provider(book)
        run = tree.hch(provider, self.life.handles[handle]).begin(tree.roots)
        book.id = run.id
        self.books[run.id] = book
        self._start(book, run, provider, handle)
        return book

    def _start(self, book: Book, run: Run, provider: Provider, handle: int) -> None:
        assert run.resumed is None or not run.resumed.over
        book.provider, book.status = provider, "running"
        book.handle, book.base = handle, len(book.log)
        book.stopping = book.row = False
        book.faults.clear()
        self.life.handles[handle].begin(book.id)
        book.task = self.life.start(run.finish())

    def _go(self, book: Book, cut: int | None) -> None:
        """Let a run go on; `cut` stops it when it has waited for so many commits."""
        if cut is None:
            self._settle()
        else:
            self.life.settle(cut)
            self._stop(book)

    def _stop(self, book: Book) -> None:
        assert book.task is not None
        book.stopping = True
        book.task.cancel()
        self._settle()

    def _prepared(
        self, book: Book, *, retry: bool, more: int | None, handle: int
    ) -> Prepared | None:
        """A run as it is to go on; None where its cap, the new one if there is, is too small."""
        budget = None
        if more is not None and book.tree.budget is not None:
            budget = raised(self._trace(book), more)
        provider = self._provider(book)
        hch = book.tree.hch(provider, self.life.handles[handle])
        try:
            run = hch.resume(book.id, budget=budget, retry_failed=retry)
        except UsageError as error:
            if not (retry and "has used its budget up" in str(error)):
                with pytest.raises(UsageError, match="are spent or unknown already"):
                    hch.resume(book.id, budget=budget)
            return None
        return book, run, provider, handle

    def _go_on(
        self, book: Book, run: Run, provider: Provider, handle: int, cut: int | None
    ) -> None:
        """Refused where it is alive or went on meanwhile; only read where nothing is left to do."""
        assert run.resumed is not None
        past, again = run.resumed.past, set(run.resumed.again)
        stale = book.live or past.last != len(book.log)
        if stale or (past.trace.finished and not again):
            with self._kept("I3"):
                before = self._record(book)[0]
                task = self.life.start(run.finish())
                self._settle()
                assert self._record(book)[0] == before
                if stale:
                    assert isinstance(task.exception(), StoreError)
                else:
                    assert [result.status for result in task.result()] == self._ends(book)
            return
        with self._kept("I2"):
            book.failed -= again
            self._start(book, run, provider, handle)
            self._go(book, cut)

    def _answer(self, picks: Any) -> None:
        in_flight = self._in_flight()
        for pick in picks:
            if in_flight:
                self._reply(*in_flight.pop(pick % len(in_flight)))

    def _reply(self, book: Book, call: str) -> None:
        assert book.provider is not None
        form = book.provider.pending[call][0].form
        book.reply(call, said(call, form and form.name))

    def _settle(self) -> None:
        self.life.settle()
        for book in self._live():
            if book.task is not None and book.task.done():
                self._end(book, book.task)

    def _end(self, book: Book, task: asyncio.Task[Any]) -> None:
        """A run has come to an end, of whatever kind it may."""
        book.task = book.provider = None
        try:
            results = task.result()
        except asyncio.CancelledError:
            assert book.stopping
            self.life.handles[book.handle].flush()  # as the end of a process would
        except BillExhausted:
            assert book.tree.budget is not None
        except DeadEndpoint:
            assert book.row
        else:
            assert [result.status for result in results] == self._ends(book)
        log, seen = self._record(book)
        assert log[: len(book.log)] == book.log
        self._check_lost(book, seen, set())
        book.take(log, seen)
        book.status = self._status(book)
        if seen.over is not None:
            self._check_end(book)

    def _check_end(self, book: Book) -> None:
        with self._kept("I4", "I5", "I8"):
            trace, quiet = self._trace(book), calm(book.tree)
            check_tree(trace)
            if quiet is not None and not book.seen.odd & quiet[1]:
                self.done["calm ends"] += 1
                assert trace.canonical() == quiet[0]

    def _promised(self, book: Book) -> int:
        """How many events its record has at least."""
        return book.base + self.life.handles[book.handle].promised[book.id]

    def _revive(self, book: Book, in_flight: set[str], promised: int) -> None:
        """Take up a run that was alive when it was killed."""
        book.task = book.provider = None
        if book.id not in {row.run for row in self.life.looker.runs()}:
            assert not promised, "a run is lost"
            del self.books[book.id]
            return
        log, seen = self._record(book)
        assert len(log) >= promised, "what was durable is lost"
        assert log[: len(book.log)] == book.log, "what was on record is lost, or another"
        self._check_lost(book, seen, in_flight)
        book.take(log, seen)
        book.status = self._status(book)

    def _check_lost(self, book: Book, seen: Seen, in_flight: set[str]) -> None:
        """Unknown is no more than what was, was in flight, or was about to be sent or to come."""
        unsent = seen.intended - book.sent - book.unsent
        assert all(n == 1 for n in unsent.values())
        for call in seen.unknown - book.lost:
            assert call in in_flight or call in book.moved or call in unsent
        for call in set(seen.finished) - set(book.seen.finished):
            assert call in book.replies, "a result is on record that never came"

    def _look(self, book: Book) -> None:
        """All that holds of a run while everybody waits."""
        log, seen = self._record(book)
        assert log[: len(book.log)] == book.log, "what was on record is lost, or another"
        assert len(log) >= self._promised(book) or not book.live, "what was durable is lost"
        assert seen.intended == book.sent + book.unsent, "an attempt was not sent, or not written"
        assert seen.unknown == book.lost + Counter(book.pending)
        assert set(seen.finished) == book.told
        for call, reply in book.replies.items():
            assert seen.finished[call].completion() == reply
        assert book.failed <= seen.given_up
        if book.live and book.tree.budget is None:  # else it may wait for what others leave
            assert book.moved - set(book.pending) <= book.told | seen.given_up
        book.failed = set(seen.given_up)
        book.log, book.seen = log, seen
        book.moved.clear()

    def _record(self, book: Book) -> tuple[list[str], Seen]:
        records = list(self.life.looker.events(book.id))
        check_cap(records)
        return [encoded(record) for record in records], Seen.of(records)

    def _trace(self, book: Book) -> Trace:
        return Trace(self.life.looker.events(book.id))

    def _status(self, book: Book) -> str:
        return "unfinished" if book.seen.over is None else self._ends(book)[0]

    def _ends(self, book: Book) -> list[str | None]:
        return [root.status for root in self._trace(book).roots]

    def _book(self, pick: int) -> Book:
        return list(self.books.values())[pick % len(self.books)]

    def _live(self) -> list[Book]:
        return [book for book in self.books.values() if book.live]

    def _in_flight(self) -> list[tuple[Book, str]]:
        return [(book, call) for book in self._live() for call in book.pending]

    def _look_at_all(self) -> None:
        self.all_at_once = True

    def _kept(self, *names: str) -> Any:
        return self.promise.kept(*names) if self.promise else nullcontext()


def never(call: str) -> None:
    raise AssertionError("a run that is alive was resumed")


def raised(trace: Trace, more: int) -> str:
    """So much more than a run's cap, in its currencies."""
    cap = trace.cap
    units = {"calls": "calls", "tokens": "tokens", "nodes": "nodes"}
    scale = {"calls": 1, "tokens": 2000, "microusd": 10_000, "nodes": 10}
    amounts = []
    for name in CURRENCIES:
        if (old := getattr(cap, name)) != inf:
            new = int(old) + more * scale[name]
            amounts.append(f"{new / 1e6:.6f}usd" if name == "microusd" else f"{new}{units[name]}")
    return ",".join(amounts)


def exported(store: SqliteStore, run: str) -> bytes:
    return "".join(f"{line}\n" for line in lines([run], store.events)).encode()


def bring(store: SqliteStore, data: bytes) -> None:
    export = Export("it", BytesIO(data))
    store.bring(export.runs[0], export.records())


@pytest.mark.leaves_open
@pytest.mark.parametrize("minute", range(MINUTES if LONG else 1))
def test_I1_I2_I3_I4_I5_I7_I8_I13_hold_whatever_is_done(  # noqa: N802
    minute: int, home: Path, promise: Promise
) -> None:
    done = Counter[str]()
    until = monotonic() + (SECONDS if LONG else 0)
    while True:
        run_state_machine_as_test(
            lambda: Machine(home, promise, done),
            settings=settings(
                max_examples=10 if LONG else 12,
                stateful_step_count=50 if LONG else 30,
                deadline=None,
                derandomize=not LONG,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        if monotonic() >= until:
            break
    sys.stdout.write(f"{done['sequences']} sequences, {done['steps']} steps\n")
