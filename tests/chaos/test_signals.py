"""I6: a signal stops a run in time, all that was done is committed, and the line it prints goes on.

A real `hch ask` with 200 calls in flight to a server that says nothing, or little, or drips. Times
are asserted with threefold room; the slowest is a property of the test. HCH_TEST_LONG=1 makes many
more tries; faulthandler_timeout must then be raised.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import repeat
from math import inf
from pathlib import Path
from random import Random
from signal import Signals
from time import monotonic
from typing import Any

import pytest

from benchmarks.server import answer, question, size
from benchmarks.server import decomposition as decomposed
from hch import HCH
from hch.events import CallFinished, CallIntended, Record, RunFinished, RunStopped
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from hch.types import digest
from tests.chaos.provider import about
from tests.chaos.warm import Warm
from tests.commands.seat import CONTROLLED
from tests.commands.terminal import HCH as COMMAND
from tests.commands.terminal import Done, Screen, hch, install
from tests.commands.test_progress import stays
from tests.loopback import Loopback, Reply, chat
from tests.promises import LONG, Promise
from tests.support import check_tree, decomposition

IN_FLIGHT, WIDE = 200, 256
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

STOPS = 3 * 2.0
"""Seconds within which a signal stops a run, with threefold room."""

ENDS = 3 * 0.5
"""Seconds within which a second one ends it, with threefold room."""

STORE = Path("my runs.db")

Thought = tuple[str, bool]


class Held:
    """A server that plays one asker of many, and answers none of these before it is let go.

    How: `never` it says nothing; `drip` it sends spaces; `slow` it is asked more, answers some, and
    from then on a hundred a second. `ready` is set when 200 calls or more are in flight; `later`
    when 200 are left of those that are answered slowly.
    """

    def __init__(self, how: str) -> None:
        self.ready, self.later = threading.Event(), threading.Event()
        self.open = False
        self.sent = Counter[Thought]()
        self.given = 0
        self._how = how
        self._parts = WIDE if how == "slow" else IN_FLIGHT
        self._arrived = 0
        self._full = asyncio.Event()

    async def __call__(self, body: Any) -> Reply:
        asked = json.dumps(body)
        thought = about(asked), '"response_format"' in asked
        self.sent[thought] += 1
        if thought[1]:
            return Reply(chat(decomposition(*(question(f"0.{i}") for i in range(self._parts)))))
        if self.open or thought[0] == "0":
            return Reply(chat(answer(thought[0])))
        self._arrived += 1
        if self._arrived == self._parts:
            self._full.set()
        await self._full.wait()
        if self._how == "slow":
            return await self._slowly(thought[0])
        self.ready.set()
        if self._how == "drip":
            return Reply(chunks=repeat(b" "), pause=0.05)
        return Reply(delay=inf)

    async def _slowly(self, part: str) -> Reply:
        self.given += 1
        turn = self.given - (WIDE - IN_FLIGHT) // 2
        await asyncio.sleep(max(0, turn) / 100)
        if turn >= 0:
            self.ready.set()
        if 2 * turn >= WIDE - IN_FLIGHT:
            self.later.set()
        return Reply(chat(answer(part)))


def words(server: Loopback) -> tuple[str, ...]:
    model = f"vllm:small,base_url={server.url}"
    wide = ("--concurrency", str(WIDE), "--fanout", str(WIDE))
    return ("ask", question("0"), "--depth", "1", "-m", model, *wide, "--store", str(STORE))


def resume(said: str, number: Signals) -> tuple[str, ...]:
    """The words after `hch` of the line that says how to go on; the only other names the signal."""
    stopped, line = said.replace("\r\n", "\n").splitlines()
    assert stopped == f"hch: stopped by {number.name}"
    assert line.startswith("hch: go on with: hch resume ")
    return tuple(shlex.split(line.removeprefix("hch: go on with: hch ")))


def records(path: Path = STORE) -> list[Record]:
    """The events of the one run of a store that is whole."""
    with closing(SqliteStore(path)) as store:
        assert store.check(deep=True) == []
        [row] = store.runs()
        return list(store.events(row.run))


def thoughts(kept: list[Record], kind: type[CallIntended | CallFinished]) -> set[Thought]:
    """The calls that have an event of that type."""
    intents = [r.event for r in kept if isinstance(r.event, CallIntended)]
    named = {e.request: (about(e.question), e.form is not None) for e in intents}
    return {named[r.event.request] for r in kept if isinstance(r.event, kind)}


def check_stopped(held: Held) -> set[Thought]:
    """All is committed: what was sent, that it stopped, and every node; what has a result."""
    kept = records()
    assert set(held.sent) <= thoughts(kept, CallIntended)
    assert isinstance(kept[-1].event, RunStopped)
    trace = Trace(kept)
    check_tree(trace)
    done = thoughts(kept, CallFinished)
    for node in trace.nodes():
        part = about(node.question.text.body)
        answered = part != "0" and (part, False) in done
        assert node.status in (("answered", "cancelled") if answered else ("cancelled",))
    return done


def check_goes_on(held: Held, done: set[Thought], command: Callable[[], Done]) -> None:
    """What is printed answers; only what was in flight is sent again, and once."""
    held.open = True
    before = Counter(held.sent)
    said = command()
    assert (said.code, said.out) == (0, f"{answer('0')}\n"), said.err
    again = held.sent - before
    assert not done & set(again)
    assert set(again.values()) == {1}
    last = records()
    assert isinstance(last[-1].event, RunFinished)
    assert thoughts(last, CallFinished) == set(held.sent)


WAYS = [(how, number) for how in ("never", "slow", "drip") for number in SIGNALS]


@pytest.mark.parametrize(("how", "number"), WAYS if LONG else [*WAYS[:4], WAYS[-1]])
def test_I6_a_signal_stops_a_run_with_200_calls_in_flight(  # noqa: N802
    how: str,
    number: Signals,
    warm: Warm,
    promise: Promise,
    record_property: Callable[[str, object], None],
) -> None:
    worst = 0.0
    for _ in range(20 if LONG else 1):
        STORE.unlink(missing_ok=True)
        with Loopback(held := Held(how)) as server, promise.kept("I6"):
            warm.type(*words(server))
            assert (held.later if how == "slow" else held.ready).wait(20)
            began = monotonic()
            os.kill(warm.pid, number)
            assert warm.ends(within=STOPS)
            worst = max(worst, monotonic() - began)
            said = warm.done()
            assert (said.code, said.out) == (128 + number, "")
            line = resume(said.err, number)
            done = check_stopped(held)
            assert (len(done) > 1) == (how == "slow")
            check_goes_on(held, done, partial(warm.hch, *line))
    record_property("slowest", f"{worst:.2f} s")


def test_I6_ctrl_c_at_a_terminal_while_the_tree_is_drawn(promise: Promise) -> None:  # noqa: N802
    with Loopback(held := Held("never")) as server:
        command = [*CONTROLLED, *COMMAND, *words(server)]
        with Screen(command=command, TERM="xterm") as screen, promise.kept("I6"):
            screen.until(f"{IN_FLIGHT} in flight")
            began = monotonic()
            screen.type("\x03")
            said = screen.rest()
            assert screen.code == 130
            assert monotonic() - began < STOPS
            line = resume(stays(said).removeprefix("^C"), signal.SIGINT)
            check_goes_on(held, check_stopped(held), partial(hch, *line, "-q"))


@contextmanager
def locked() -> Iterator[sqlite3.Connection]:
    """Hold the store's write lock; whoever has it lets go by a commit."""
    with closing(sqlite3.connect(STORE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("COMMIT")


def test_I6_a_signal_while_the_store_is_slow_to_commit(  # noqa: N802
    warm: Warm, promise: Promise
) -> None:
    """It waits for the store, and then all is committed: the replies that came meanwhile too."""
    with Loopback(held := Held("slow")) as server, promise.kept("I6"):
        warm.type(*words(server))
        assert held.ready.wait(20)
        with locked():
            before = thoughts(records(), CallFinished)
            assert held.later.wait(20)
            os.kill(warm.pid, signal.SIGINT)
            assert not warm.ends(within=0.5)
        assert warm.ends(within=STOPS)
        said = warm.done()
        assert said.code == 130
        line = resume(said.err, signal.SIGINT)
        done = check_stopped(held)
        assert before < done
        check_goes_on(held, done, partial(warm.hch, *line, "-q"))


def test_I6_a_second_signal_while_the_store_takes_nothing(  # noqa: N802
    warm: Warm, promise: Promise
) -> None:
    with Loopback(held := Held("never")) as server, promise.kept("I6"):
        warm.type(*words(server))
        assert held.ready.wait(20)
        with locked():
            os.kill(warm.pid, signal.SIGINT)
            assert not warm.ends(within=0.5)
            os.kill(warm.pid, signal.SIGTERM)
            assert warm.ends(within=ENDS)
        said = warm.done()
        assert said.code == 143
        line = resume(said.err.removeprefix("\n"), signal.SIGINT)
        check_goes_on(held, thoughts(records(), CallFinished), partial(warm.hch, *line, "-q"))


STUCK = """
import asyncio, time
from hch import ScriptedModel

async def reply(request):
    print("asked", flush=True)
    while True:
        try:
            {waits}
        except asyncio.CancelledError:
            pass

def build():
    return ScriptedModel(reply, name="stuck")
"""
"""A plugin: a model that does not let itself be cancelled, or holds up the loop."""

MENDED = """
from hch import ScriptedModel

def build():
    return ScriptedModel({"Why?": "so"}, name="stuck")
"""


@contextmanager
def begun(*words: str, **more: str) -> Iterator[subprocess.Popen[str]]:
    """A command in a process of its own; `more` goes into its environment."""
    pipe: Any = subprocess.PIPE
    env = {**os.environ, **more}
    with subprocess.Popen(
        [*COMMAND, *words], env=env, stdout=pipe, stderr=pipe, text=True, pipesize=4096
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("waits", ["await asyncio.sleep(600)", "time.sleep(600)"])
def test_I6_a_second_signal_ends_what_the_first_cannot(  # noqa: N802
    waits: str, home: Path, promise: Promise
) -> None:
    env = install(home, "models.stuck", "stuck", STUCK.format(waits=waits))
    with begun("ask", "Why?", "--depth", "0", "-m", "stuck", **env) as process, promise.kept("I6"):
        assert process.stdout
        assert process.stdout.readline() == "asked\n"
        process.send_signal(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=ENDS)
        assert process.returncode == 130
        line = resume(said.removeprefix("\n"), signal.SIGINT)
        (home / "stuck.py").write_text(MENDED)
        done = hch(*line, **env)
        assert (done.code, done.out) == (0, "so\n")


def test_I6_a_second_signal_while_nobody_reads_what_is_said(  # noqa: N802
    promise: Promise,
) -> None:
    with Loopback(held := Held("never")) as server:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        with subprocess.Popen([*COMMAND, *words(server)], stderr=writer) as process:
            assert held.ready.wait(20)
            with promise.kept("I6"):
                process.send_signal(signal.SIGINT)
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(1)
                process.send_signal(signal.SIGINT)
                assert process.wait(ENDS) == 130
        os.close(reader)
        os.close(writer)
        done = check_stopped(held)
        check_goes_on(held, done, partial(hch, "resume", "-q", "--store", str(STORE)))


@pytest.mark.parametrize("number", SIGNALS)
def test_I6_a_signal_before_the_run_has_begun(  # noqa: N802
    number: Signals, home: Path, promise: Promise
) -> None:
    """While its model is made: the process ends without a word, as any other."""
    os.mkfifo(home / "gate")
    source = "from pathlib import Path\ndef build():\n    Path('gate').read_text()\n"
    env = install(home, "models.slow", "slow_", source)
    words = ("ask", "Why?", "-m", "slow", "--store", str(STORE))
    with begun(*words, **env) as process, promise.kept("I6"):
        with Path("gate").open("w"):  # there is nothing to be read in it
            process.send_signal(number)
            assert process.communicate(timeout=STOPS) == ("", "")
        assert process.returncode == (130 if number == signal.SIGINT else -number)
        assert not STORE.exists()


@pytest.mark.parametrize("times", [1, 2])
def test_I6_a_signal_while_the_store_does_not_let_the_run_begin(  # noqa: N802
    times: int, warm: Warm, promise: Promise
) -> None:
    """How to go on is said where something was kept of the run in the end."""
    with SqliteStore(STORE) as store:
        HCH(depth=0, strategy="script", store=store).ask_sync("What is 2 + 3?")
        store.remove([row.run for row in store.runs()])
    with Loopback(held := Held("never")) as server, promise.kept("I6"):
        with locked():
            warm.type(*words(server))
            while not list(Path().glob("*.locks/*")):
                assert not warm.ends(within=0.01)
            for _ in range(times):
                assert not warm.ends(within=0.3)
                os.kill(warm.pid, signal.SIGINT)
            if times == 2:
                assert warm.ends(within=ENDS)
        assert warm.ends(within=STOPS)
        said = warm.done()
        assert said.code == 130
        assert not held.sent
        if times == 1:
            line = resume(said.err, signal.SIGINT)
            check_goes_on(held, set(), partial(warm.hch, *line, "-q"))
        else:
            assert said.err == "\nhch: stopped by SIGINT\n"
            with SqliteStore(STORE) as store:
                assert store.runs() == []


def test_I6_ctrl_c_while_the_answer_is_not_read(home: Path, promise: Promise) -> None:  # noqa: N802
    """The run is over, and its answer kept; a pipe that nobody reads does not hold up the end."""
    long = "so " * 5000
    with Loopback(lambda _: Reply(chat(long))) as server:
        model = f"vllm:small,base_url={server.url}"
        words = ("ask", "Why?", "--depth", "0", "-m", model, "--store", str(STORE))
        with begun(*words) as process, promise.kept("I6"):
            assert process.stdout
            assert process.stderr
            os.read(process.stdout.fileno(), 1)
            process.send_signal(signal.SIGINT)
            assert process.wait(STOPS) == 130
            said = process.stderr.read()
            [line] = re.findall(r"^hch: the answer is kept: hch (resume .+)\n$", said)
            done = hch(*shlex.split(line), "-q")
            assert (done.code, done.out.strip(), done.err) == (0, long.strip(), "")
        assert len(server.requests) == 1


@dataclass
class Interrupting:
    """Plays a tree, and sends a signal to a process when so many requests have come."""

    warm: Warm
    at: int = 0
    number: Signals = signal.SIGINT
    sent: Counter[Thought] = field(default_factory=Counter)

    def __call__(self, body: Any) -> Reply:
        asked = json.dumps(body)
        thought = about(asked), '"response_format"' in asked
        self.sent[thought] += 1
        if self.sent.total() == self.at:
            os.kill(self.warm.pid, self.number)
        return Reply(chat(decomposed(thought[0]) if thought[1] else answer(thought[0])))


def test_I6_a_signal_at_any_request_of_a_tree(warm: Warm, promise: Promise) -> None:  # noqa: N802
    """The last of all included, after whose reply the run ends."""
    depth, rng, tree = 3, Random(digest("signals")), Interrupting(warm)
    calls = size(depth)[1]
    with Loopback(tree) as server:
        model = f"vllm:small,base_url={server.url}"
        asked = ("ask", question("0"), "--depth", str(depth), "-m", model, "--store", str(STORE))
        assert warm.hch(*asked, "-q").code == 0
        calm = Trace(records()).canonical()
        for at in (1, calls, *rng.choices(range(2, calls), k=300 if LONG else 4)):
            STORE.unlink()
            tree.at, tree.number = at, rng.choice(SIGNALS)
            tree.sent.clear()
            with promise.kept("I6"):
                done = warm.hch(*asked, "-q")
                before = tree.sent.copy()
                kept = thoughts(records(), CallFinished)
                assert set(before) <= thoughts(records(), CallIntended)
                if done.code:
                    assert done.code == 128 + tree.number
                    tree.at = 0
                    done = warm.hch(*resume(done.err, tree.number), "-q")
                assert (done.code, done.out) == (0, f"{answer('0')}\n")
                assert not kept & set(tree.sent - before)
                assert Trace(records()).canonical() == calm


COUNTED = """
import os, signal, sys
left = int(sys.argv.pop(1))

def count(event, args):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)

from hch.cli import main
sys.addaudithook(count)
try:
    main()
finally:
    print(left, file=sys.stderr)
"""
"""Is `hch`, and sends itself Ctrl-C at the K-th thing that Python tells of: an import, a file."""


def test_I6_ctrl_c_at_any_time_of_a_command(promise: Promise) -> None:  # noqa: N802
    """While it starts, in its run, and while it ends: no traceback, and a way to go on."""
    rng, plenty = Random(digest("any time")), 10**9

    def asked(at: int) -> tuple[int, str, list[str], int]:
        command = [sys.executable, "-c", COUNTED, str(at), "ask", "What is 2 + 3?", "-q"]
        command += ["--store", str(STORE)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        *said, left = done.stderr.splitlines()
        return done.returncode, done.stdout, said, int(left)

    code, out, said, left = asked(plenty)
    assert (code, out, said) == (0, "5\n", [])
    every = plenty - left
    for _ in range(100 if LONG else 3):
        for at in (rng.randrange(1, every), rng.randrange(every - 80, every)):
            STORE.unlink(missing_ok=True)
            with promise.kept("I6"):
                code, out, said, _ = asked(at)
                assert (code, out) in ((130, ""), (130, "5\n"), (0, "5\n")), said
                if said and said != ["hch: stopped by SIGINT"]:
                    line = resume("\n".join(said), signal.SIGINT)
                    assert hch(*line, "-q") == Done(0, "5\n", "")
                with SqliteStore(STORE) as store:
                    assert [row.status for row in store.runs()] in ([], ["answered"])
