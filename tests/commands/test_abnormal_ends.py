"""Every abnormal end of a run says what happened and how to go on, a line each, and that works.

A real `hch ask` puts a question to a server on loopback, is brought to its end, and what it
printed is run when the cause is mended: it answers, and what had a result is not sent again.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from signal import Signals
from typing import Any

import pytest

from benchmarks.server import answer, decomposition, question
from hch.events import CallFinished, CallIntended, Record
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.chaos.provider import about
from tests.chaos.witness import rows
from tests.commands.seat import CONTROLLED, DIRECT, Seat
from tests.commands.terminal import HCH, Done, hch, install
from tests.loopback import Loopback, Reply, chat
from tests.support import check_tree

STORE = "my runs.db"
LEAVES = ("0.1", "0.2", "0.3")

ANSWER = f"{answer('0')}\n"


def healthy(part: str) -> Reply | None:
    """No fault at all."""


class Provider(Loopback):
    """Plays a tree of four nodes and five calls; `fault` is what the `faulty` leaves are replied.

    None is a good reply, and there is none while the `gate` is not set. Where there is a `key` it
    is wanted. `sent` counts the requests.
    """

    def __init__(self) -> None:
        super().__init__(self._answered)
        self.sent = Counter[tuple[str, bool]]()
        self.fault: Callable[[str], Reply | None] = healthy
        self.faulty: Sequence[str] = LEAVES[1:2]
        self.key = ""
        self.gate = threading.Event()
        self.gate.set()

    async def _answered(self, body: Any) -> Reply:
        asked = json.dumps(body)
        part, typed = thought = about(asked), '"response_format"' in asked
        self.sent[thought] += 1
        if self.key and self.requests[-1].headers["authorization"] != f"Bearer {self.key}":
            return refusal(401, "invalid_api_key")
        if part in self.faulty and not self.gate.is_set():
            await asyncio.to_thread(self.gate.wait)
        if part in self.faulty and (fault := self.fault(part)):
            return fault
        return Reply(chat(decomposition(part) if typed else answer(part)))

    def leave(self) -> Future[None]:
        """Be reachable no more, as soon as that is done."""
        self._port = self._server.sockets[0].getsockname()[1]
        return asyncio.run_coroutine_threadsafe(self._shut(), self._loop)

    def come_back(self) -> None:
        again = asyncio.start_server(self._meet, "127.0.0.1", self._port)
        self._server = self._run(again)


def refusal(status: int, code: str) -> Reply:
    error = {"message": "no", "type": code, "code": code}
    return Reply({"error": error}, status, {"Retry-After": "0.01"})


@dataclass
class Site:
    """Where commands are typed: a folder, a provider, and what more is in the environment."""

    home: Path
    provider: Provider
    env: dict[str, str] = field(default_factory=dict)
    options: str = ""
    model: str = "vllm:small"

    def words(self, *more: str, quiet: bool = True) -> list[str]:
        port = self.provider._server.sockets[0].getsockname()[1]
        spec = f"{self.model},base_url=http://127.0.0.1:{port}/v1{self.options}"
        more = ("-q", *more) if quiet else more
        return ["ask", question("0"), "--depth", "1", "-m", spec, "--store", STORE, *more]

    def ask(self, *more: str, through: Sequence[str] = ()) -> Done:
        return self.run(*through, *HCH, *self.words(*more))

    def shell(self, line: str, *more: str) -> Done:
        """Ask by a line for bash, in which "$@" is the command."""
        return self.ask(*more, through=("bash", "-c", line, "bash"))

    def run(self, *command: str) -> Done:
        env = {**os.environ, **self.env}
        done = subprocess.run(command, env=env, capture_output=True, check=False)
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def stopped(self, number: Signals, *more: str) -> Done:
        """Ask, and send a signal when the leaf's call is in flight; it is never replied."""
        there = self.held()
        with subprocess.Popen(
            [*HCH, *self.words(*more)], env={**os.environ, **self.env}, stdout=-1, stderr=-1
        ) as process:
            there()
            process.send_signal(number)
            out, err = process.communicate()
        return Done(process.returncode, out.decode(), err.decode())

    def held(self) -> Callable[[], None]:
        """Have the leaf's call never replied; what is returned waits until it has come."""
        reader, writer = os.pipe()

        def never(part: str) -> Reply:
            os.write(writer, b"x")
            return Reply(delay=inf)

        self.provider.fault = never
        return lambda: os.close(reader) if os.read(reader, 1) else None

    def records(self) -> list[Record]:
        with closing(SqliteStore(STORE)) as store:
            assert store.check(deep=True) == []
            [row] = store.runs()
            return list(store.events(row.run))

    def results(self) -> set[tuple[str, bool]]:
        """The calls that have a result in the store."""
        kept = [record.event for record in self.records()]
        intents = (event for event in kept if isinstance(event, CallIntended))
        named = {e.request: (about(e.question), e.form is not None) for e in intents}
        return {named[event.request] for event in kept if isinstance(event, CallFinished)}

    def mend(self) -> None:
        self.provider.fault = healthy


@pytest.fixture
def site(home: Path) -> Iterator[Site]:
    with Provider() as provider:
        yield Site(home, provider)


def goes_on(site: Site, *line: str, anew: Sequence[tuple[str, bool]] = ()) -> None:
    """The command answers, and sends nothing again that had a result, but what is asked `anew`."""
    kept, before = site.results(), Counter(site.provider.sent)
    done = site.run(*HCH, *line)
    assert (done.code, done.out) == (0, ANSWER), done.err
    assert not kept.difference(anew) & set(site.provider.sent - before)
    assert max((site.provider.sent - before).values(), default=0) <= 1
    check_tree(Trace(site.records()))


@dataclass(frozen=True)
class End:
    """How a run is brought to its end, the exit code, what its line says, and how that is mended.

    `line` is how the command that goes on is said; empty where nothing can be said any more.
    """

    bring: Callable[[Site], Done]
    code: int
    says: str
    mend: Callable[[Site], None] = Site.mend
    line: str = r"hch: go on with: hch (resume \S+ --store 'my runs.db')"


def by_signal(number: Signals) -> End:
    says = rf"stopped by {number.name}"
    return End(lambda site: site.stopped(number), 128 + number, says)


def refused(status: int, code: str, says: str) -> End:
    def bring(site: Site) -> Done:
        site.provider.fault = lambda _: refusal(status, code)
        return site.ask()

    return End(bring, 6, says)


def capped(budget: str, says: str, larger: str, prices: str = "") -> End:
    """The leaves fail, and are tried again, until the bill cannot pay for another attempt."""

    def bring(site: Site) -> Done:
        def failing(part: str) -> Reply:
            given_up = site.provider.sent[part, False] == 6
            return Reply(delay=inf) if given_up else refusal(500, "server_error")

        site.provider.faulty = LEAVES
        Path("hch.toml").write_text(prices)
        site.provider.fault = failing
        return site.ask("--budget", budget, "--answer-tokens", "100")

    line = rf"hch: go on with: hch (resume \S+ --budget {larger} --store 'my runs.db')"
    return End(bring, 3, says, line=line)


def unknown_outcomes(site: Site) -> Done:
    """Killed so often that the calls in flight, each at its worst case, fill the bill."""
    assert site.stopped(signal.SIGKILL, "--budget", "6calls").code == -signal.SIGKILL
    site.held()
    site.provider.fault = lambda _: refusal(500, "server_error")
    return site.run(*HCH, "resume", "-q", "--store", STORE)


def too_late(site: Site) -> Done:
    site.held()
    return site.ask("--budget", "1s")


def dead_at_the_start(site: Site) -> Done:
    words = site.words()
    site.provider.leave().result()
    return site.run(*HCH, *words)


def dead_later(site: Site) -> Done:
    def leave(part: str) -> Reply:
        site.provider.leave()
        return Reply(cut=0)

    words = site.words()
    site.provider.fault = leave
    return site.run(*HCH, *words)


def back(site: Site) -> None:
    site.mend()
    site.provider.come_back()


def wrong_key(site: Site) -> Done:
    site.options, site.provider.key = ",api_key_env=SITE_API_KEY", "sk-right-0123456789"
    site.env["SITE_API_KEY"] = "sk-wrong-0123456789"
    return site.ask()


def right_key(site: Site) -> None:
    site.env["SITE_API_KEY"] = site.provider.key


def too_large(site: Site) -> Done:
    """A store without a run takes 72 KiB, and its log 96 before one begins; here one cannot end.

    Without coverage, whose own file would fail as well.
    """
    unmeasured = "unset $(env | sed -n 's/^\\(COV[A-Z_]*\\)=.*/\\1/p')"
    return site.shell(f'{unmeasured}; ulimit -f 120; exec "$@"')


def failing_disk(site: Site) -> Done:
    trace = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync")
    if not shutil.which("strace") or site.run(*trace, "true").code:
        pytest.skip("strace is not here, or may trace nothing")
    return site.ask(through=(*trace, "-e", "inject=fsync,fdatasync:error=EIO:when=12"))


def locked(site: Site) -> Done:
    def lock(part: str) -> Reply | None:
        other = sqlite3.connect(STORE, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        site.unlock = other.close  # type: ignore[attr-defined]
        return None

    site.provider.fault = lock
    return site.ask()


def let_go(site: Site) -> None:
    site.mend()
    site.unlock()  # type: ignore[attr-defined]


FLAWED = """
from pathlib import Path
from hch.middleware import Wrapper
from hch.models.vllm import build as vllm

class Flawed(Wrapper):
    async def complete(self, request):
        if request.level == 0 and Path("flaw").exists():
            raise ZeroDivisionError("a flaw")
        return await super().complete(request)

def build(arg, *, base_url):
    model = Flawed(vllm(arg, base_url=base_url))
    model.name = f"flawed:{arg},base_url={base_url}"
    return model
"""


def flawed(site: Site) -> Done:
    site.env |= install(site.home, "models.flawed", "flawed", FLAWED)
    site.model = "flawed:small"
    Path("flaw").touch()
    return site.ask()


def nothing(site: Site) -> None:
    """There is nothing to be mended."""


PRICES = '[prices]\n"vllm:small" = { input = 0, output = 10 }\n'

ENDS = {
    "SIGINT": by_signal(signal.SIGINT),
    "SIGTERM": by_signal(signal.SIGTERM),
    "SIGHUP": by_signal(signal.SIGHUP),
    "out of calls": capped("8calls", "1 call wanted, 0 left", r"\d+calls"),
    "out of tokens": capped("4ktokens", "tokens wanted", r"\d+k?tokens"),
    "out of dollars": capped("0.009usd", "micro-dollars wanted", r"[\d.]+usd", PRICES),
    "out of calls for unknown outcomes": End(
        unknown_outcomes,
        3,
        "call wanted",
        line=r"hch: go on with: hch (resume \S+ --budget \d+calls --store 'my runs.db')",
    ),
    "out of time": End(too_late, 3, "the run's 1 s are over"),
    "dead at the start": End(dead_at_the_start, 6, "does not answer: unreachable", back),
    "dead later": End(dead_later, 6, "does not answer: unreachable", back),
    "a wrong key": End(wrong_key, 6, "it does not take the key in SITE_API_KEY", right_key),
    "an unknown model": refused(404, "model_not_found", "it may have no model 'small'"),
    "no credit": refused(429, "insufficient_quota", "has no credit left"),
    "a spend limit": refused(429, "enforced_spend_limit_reached", "reached its spend limit"),
    "a file that may not grow": End(too_large, 5, "the disk failed; see that it works", nothing),
    "a disk that fails": End(failing_disk, 5, "the disk failed; see that it works", nothing),
    "a locked store": End(locked, 5, "another process holds it", let_go),
    "a bug": End(flawed, 1, "ZeroDivisionError: a flaw", lambda _: Path("flaw").unlink()),
    "stdout on a full disk": End(
        lambda site: site.shell('exec "$@" >/dev/full'),
        1,
        "stdout cannot be written: No space left on device; the answer is kept",
        nothing,
        r"kept: hch (resume \S+ --store 'my runs.db')",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_what_an_abnormal_end_prints_goes_on(name: str, site: Site) -> None:
    end = ENDS[name]
    done = end.bring(site)
    assert (done.code, done.out) == (end.code, ""), done.err
    assert ("Traceback" in done.err) == (name == "a bug")
    if name != "a bug":
        lines = done.err.splitlines()
        assert len(lines) == (1 if "kept" in done.err else 2), done.err
        assert all(line.startswith("hch: ") for line in lines)
    assert len(re.findall(end.says, done.err)) == 1, done.err
    [line] = re.findall(end.line, done.err)
    end.mend(site)
    goes_on(site, *shlex.split(line))


def test_a_run_that_was_killed_is_found_without_its_name(site: Site) -> None:
    assert site.stopped(signal.SIGKILL) == Done(-signal.SIGKILL, "", "")
    shown = hch("runs", "--store", STORE).out
    assert "unfinished" in shown
    site.mend()
    goes_on(site, "resume", "--store", STORE)


def test_a_store_that_became_read_only_can_be_gone_on_with_when_it_is_not(site: Site) -> None:
    """What writes already goes on writing; whoever comes then is told."""
    weak = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    weak = () if os.geteuid() else weak  # root may write anywhere
    if weak and (not shutil.which("setpriv") or site.run(*weak, "true").code):
        pytest.skip("whoever is root here stays so")
    stopped = site.stopped(signal.SIGINT)
    site.mend()
    path = Path(STORE)
    path.chmod(0o444)
    [line] = re.findall(r"hch: go on with: hch (.+)", stopped.err)
    done = site.run(*weak, *HCH, *shlex.split(line))
    assert (done.code, done.out) == (5, "")
    assert done.err.splitlines()[-1].startswith(f"hch: the store {STORE}: ")
    assert "make the file and its folder writable" in done.err
    assert "Traceback" not in done.err
    path.chmod(0o644)
    goes_on(site, *shlex.split(line))


CLOSED = "stdout cannot be written: it is closed; the answer is kept: hch resume"
STREAMS = {
    '"$@" | head -c0; exit ${PIPESTATUS[0]}': (0, ""),
    '"$@" 2>&1 | head -c0; exit ${PIPESTATUS[0]}': (0, ""),
    'exec "$@" >&-': (1, CLOSED),
    'exec "$@" 2>&-': (0, ""),
    'exec "$@" >&- 2>&-': (1, ""),
    'exec "$@" 2>/dev/full': (0, ""),
    'exec "$@" >/dev/full 2>&1': (1, ""),
}
"""The exit code where nobody reads, or nothing can be written, and what is said on stderr."""


@pytest.mark.parametrize("line", STREAMS)
def test_a_stream_that_takes_nothing_is_no_error_of_the_run(line: str, site: Site) -> None:
    code, says = STREAMS[line]
    done = site.shell(line)
    assert done.code == code
    assert done.err.count("\n") == bool(says)
    assert done.err.startswith(f"hch: {says}" if says else "")
    [row] = json.loads(hch("runs", "--json", "--store", STORE).out)
    assert row["status"] == "answered"
    goes_on(site, "resume", row["run"], "--store", STORE)


@pytest.mark.parametrize("line", ['exec "$@" >&- 2>&-', 'exec "$@" 2>/dev/full'])
def test_a_signal_where_nothing_can_be_said(line: str, site: Site) -> None:
    wait = site.held()
    command = ["bash", "-c", line, "bash", *HCH, *site.words()]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait()
        process.send_signal(signal.SIGTERM)
        assert process.communicate() == (b"", b"")
    assert process.returncode == 143
    site.mend()
    goes_on(site, "resume", "--store", STORE)


def test_a_terminal_that_goes_is_no_error_of_the_run(site: Site) -> None:
    """One that does not control the process, which so is not told; the tree is drawn on it."""
    site.provider.gate.clear()
    with Seat(command=[*HCH, *site.words(quiet=False)]) as seat:
        seat.until("1 in flight")
        seat.go_away()
        site.provider.gate.set()
        assert seat.code == 0
    [row] = json.loads(hch("runs", "--json", "--store", STORE).out)
    assert row["status"] == "answered"
    goes_on(site, "resume", row["run"], "--store", STORE)


def test_the_terminal_of_a_run_that_goes_stops_it_in_order(site: Site) -> None:
    wait = site.held()
    with Seat(command=[*CONTROLLED, *HCH, *site.words(quiet=False)]) as seat:
        wait()
        seat.until("1 in flight")
        seat.go_away()
        assert seat.code == 129
    site.mend()
    goes_on(site, "resume", "--store", STORE)


def test_a_person_whose_terminal_goes_is_asked_again(home: Path) -> None:
    with Seat(command=[*CONTROLLED, *HCH, *DIRECT]) as seat:
        seat.says("your answer:")
        seat.go_away()
        assert seat.code == 129
    with Seat("resume") as seat:
        seat.answers("your answer:", "so")
        seat.rest()
        assert seat.code == 0


@pytest.mark.parametrize(("part", "code"), [("0.2", 4), ("0", 1)])
def test_a_call_that_was_given_up_is_tried_again_as_is_printed(
    part: str, code: int, site: Site
) -> None:
    """Of a run that has finished nothing else is ever sent again."""

    def failing(part: str) -> Reply | None:
        return refusal(500, "server_error") if site.provider.sent[part, False] else None

    site.provider.faulty, site.provider.fault = [part], failing
    done = site.run(*HCH, *site.words(quiet=False))
    assert done.code == code
    [line] = re.findall(r"1 call was given up; try it again with: hch (resume .+)", done.err)
    site.mend()
    sent, before = site.provider.sent.total(), rows(Path(STORE))
    [row] = json.loads(hch("runs", "--json", "--store", STORE).out)
    again = hch("resume", row["run"], "--store", STORE)
    assert (again.code, again.out) == (code, done.out)
    assert f"hch: 1 call was given up; try it again with: hch {line}" in again.err.splitlines()
    assert (site.provider.sent.total(), rows(Path(STORE))) == (sent, before)
    goes_on(site, *shlex.split(line), anew=[("0", False)])  # which now has another answer to read
