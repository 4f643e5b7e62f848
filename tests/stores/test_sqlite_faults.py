"""I13: after any fault the store is whole and opens for reading, nothing durable is lost, and the
run goes on.

A real `hch ask` plays a tree by a server on loopback, and is struck. What it was told is durable is
known from outside: it sends nothing that builds on a reply that is not. HCH_TEST_LONG=1 strikes at
far more moments; faulthandler_timeout must then be raised.
"""

# ruff: noqa: N802 - a test of a promise has its name

from __future__ import annotations

import io
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stdout
from pathlib import Path
from random import Random
from typing import Any

import pytest

from benchmarks.server import answer, decomposition, question, size
from hch import HCH, cli
from hch.errors import StoreError
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.commands.terminal import HCH as COMMAND
from tests.commands.terminal import Done, hch
from tests.loopback import Loopback
from tests.models.calls import PROVIDERS
from tests.stores.samples import story
from tests.stores.writing import older, python, write
from tests.support import memory
from tests.test_faulty_trees import Tree

LONG = bool(os.environ.get("HCH_TEST_LONG"))

DEPTH = 2
CALLS = size(DEPTH)[1]
VLLM = PROVIDERS["vllm"]
KILLED = -signal.SIGKILL

_PART = re.compile(r"part (0(?:\.\d+)*) of")
_USED = re.compile(r"The part (0(?:\.\d+)*) comes to")


class Struck:
    """A server that plays the tree, and what it has received; `strike` is done at request `at`."""

    def __init__(self, strike: Callable[[], object] | None = None, at: int = 0) -> None:
        self._tree = Tree(VLLM.wire)
        self._strike = strike
        self._at = at
        self.asked: list[str] = []

    def __call__(self, body: Any) -> Any:
        self.asked.append(json.dumps(body))
        if self._strike is not None and len(self.asked) == self._at:
            self._strike()
        return self._tree(body)

    def relied_on(self) -> set[str]:
        """The replies without which what was asked could not have been asked."""
        texts = set()
        for asked in self.asked:
            texts |= {answer(part) for part in _USED.findall(asked)}
            part = _PART.search(asked)
            assert part
            if "." in part[1]:
                texts.add(decomposition(part[1].rpartition(".")[0]))
        return texts


def command(server: Loopback, path: Path | str) -> list[str]:
    """What follows `hch` to ask for the tree."""
    model = VLLM.spec(server, keyed=False)
    return ["ask", question("0"), "-q", "--depth", str(DEPTH), "-m", model, "--store", str(path)]


def calm(server: Loopback) -> bytes:
    """What the tree is exported as where nothing strikes."""
    tree = HCH(depth=DEPTH, model=VLLM.spec(server, keyed=False), store=memory())
    return tree.ask_sync(question("0")).trace.canonical()


def finished(path: Path) -> list[str]:
    """The replies that are kept, after all that holds of a store was seen to hold."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with SqliteStore(path) as store:
        assert store.check(deep=True) == []
        return [
            record.event.text  # type: ignore[union-attr]
            for row in store.runs()
            for record in store.events(row.run, "CallFinished")
        ]


def recovered(path: Path, tree: Struck, server: Loopback, *words: str) -> None:
    """All that was told is durable is there, and the run goes on from there: to the same tree.

    `words` are the command that goes on; where nothing is kept of a run, it is asked anew.
    """
    kept = finished(path)
    assert tree.relied_on() <= set(kept)
    goes_on(path, tree, server, kept, *words)


def goes_on(path: Path, tree: Struck, server: Loopback, kept: list[str], *words: str) -> None:
    before = len(tree.asked)
    with SqliteStore(path) as store:
        runs = [row.run for row in store.runs()]
    resume = words or ("resume", *runs, "-q", "--store", str(path))
    said = io.StringIO()
    with redirect_stdout(said):
        assert cli.run(resume if runs else command(server, path)) == 0
    assert said.getvalue() == f"{answer('0')}\n"
    assert len(tree.asked) - before == CALLS - len(kept)
    assert len(finished(path)) == CALLS
    with SqliteStore(path) as store:
        [row] = store.runs()
        assert Trace(store.events(row.run)).canonical() == calm(server)


def told(done: Done) -> list[str]:
    """Exit 5, a line for the fault, and one that says how to go on, where one can: its words."""
    assert (done.code, done.out) == (5, "")
    fault, *rest = done.err.splitlines()
    assert fault.startswith("hch: the store ")
    if not rest:
        return []
    [line] = rest
    assert line.startswith("hch: go on with: hch resume ")
    return shlex.split(line.removeprefix("hch: go on with: hch "))


def moments() -> Iterator[str]:
    """Where a run is killed."""
    yield from ("migrate:1", "group:1", "before-RunFinished:1", "after-RunFinished:1")
    for point in ("rows", "commit"):
        yield from (f"{point}:{n}" for n in (range(1, 12) if LONG else (3,)))
    for event in ("CallIntended", "CallFinished", "NodeClosed"):
        for n in range(1, 13) if LONG else (5,):
            yield from (f"before-{event}:{n}", f"after-{event}:{n}")


@pytest.mark.parametrize("point", list(moments()))
def test_I13_a_run_that_is_killed_at_a_commit_point(point: str, path: Path) -> None:
    tree = Struck()
    with Loopback(tree) as server:
        done = hch(*command(server, path), HCH_FAIL=point)
        assert done.code == KILLED
        recovered(path, tree, server)


@pytest.mark.leaves_open
@pytest.mark.parametrize("version", [1, 2, 3])
def test_I13_a_store_whose_process_is_killed_while_it_is_brought_up_to_date(
    version: int, path: Path
) -> None:
    older(path, version, *story())
    assert hch("runs", "--store", str(path), HCH_FAIL="migrate:1").code == KILLED
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA user_version").fetchone() == (version,)
    with SqliteStore(path) as store:
        assert store.check(deep=True) == []
        assert [record.event for record in store.events("a")] == story()


def test_I13_a_store_whose_process_is_killed_while_it_removes_runs(path: Path) -> None:
    with SqliteStore(path) as store:
        for run in ("a", "b", "c"):
            write(store, run, *story())
    words = ("runs", "rm", "a", "b", "--yes", "--store", str(path))
    assert hch(*words, HCH_FAIL="remove:1").code == KILLED
    assert len(finished(path)) == 6
    with SqliteStore(path) as store:
        assert [row.run for row in store.runs()] == ["c", "b", "a"]
    assert hch(*words).code == 0
    assert len(finished(path)) == 2


@pytest.mark.parametrize("fails", ["HCH_FAIL", "in the middle"])
def test_I13_a_store_whose_process_is_killed_while_it_brings_a_run(fails: str, path: Path) -> None:
    """Before its commit, and after so much of it that pages of it are in the log already."""
    with SqliteStore(path) as store:
        write(store, "own", *story())
    middle = fails == "in the middle"
    brings = (
        "import os, signal",
        "from hch.events import Record",
        "from hch.stores.sqlite import SqliteStore",
        "from tests.stores.samples import finished",
        "def records():",
        "    for n in range(5000):",
        "        event = finished(f'r{n}', text=f'{n} ' * 2000, raw=os.urandom(9000))",
        "        yield Record(run='a', seq=n + 1, at=1.0, event=event)",
        f"    {middle} and os.kill(os.getpid(), signal.SIGKILL)",
        f"{middle} or os.environ.update(HCH_FAIL='import:1')",
        f"SqliteStore({str(path)!r}).bring('a', records())",
    )
    with python(*brings) as process:
        assert process.wait() == KILLED
    assert path.with_name("runs.db-wal").stat().st_size > 20e6
    assert len(finished(path)) == 2
    with SqliteStore(path) as store:
        assert [row.run for row in store.runs()] == ["own"]
        store.bring("a", store.events("own"))
        assert {row.run: row.imported for row in store.runs()} == {"own": False, "a": True}


def frames(log: bytes) -> list[tuple[int, bool]]:
    """Where each frame of a WAL begins, and whether it ends a commit; the next one's beginning."""
    page = struct.unpack(">I", log[8:12])[0]
    starts = range(32, len(log) - page - 23, page + 24)
    ends = [(at, struct.unpack(">I", log[at + 4 : at + 8])[0] > 0) for at in starts]
    return [*ends, (32 + len(starts) * (page + 24), False)]


@pytest.mark.parametrize("how", ["cut", "flip"])
@pytest.mark.parametrize("seed", range(40 if LONG else 2))
def test_I13_a_log_whose_tail_was_torn_before_anybody_was_told(
    seed: int, how: str, path: Path
) -> None:
    random, tree = Random(f"{how} {seed}"), Struck()
    with Loopback(tree) as server:
        fail = f"commit:{random.randrange(2, 8)}"
        assert hch(*command(server, path), HCH_FAIL=fail).code == KILLED
        log = path.with_name("runs.db-wal")
        data = bytearray(log.read_bytes())
        marks = frames(data)
        commits = [number for number, (_, ends) in enumerate(marks) if ends]
        first, last = marks[commits[-2] + 1][0], marks[commits[-1] + 1][0]
        if how == "cut":
            del data[random.randrange(first, last) :]
        else:
            for at in random.sample(range(first, last), 5):
                data[at] ^= 1 << random.randrange(8)
        log.write_bytes(data)
        recovered(path, tree, server)


@pytest.mark.parametrize("seed", range(60 if LONG else 3))
def test_I13_a_log_that_was_torn_anywhere_loses_what_came_after_and_no_more(
    seed: int, path: Path
) -> None:
    random, tree = Random(seed), Struck()
    with Loopback(tree) as server:
        assert hch(*command(server, path), HCH_FAIL="before-RunFinished:1").code == KILLED
        whole = finished(shutil.copytree(path.parent, path.parent / "copy") / path.name)
        assert len(whole) == CALLS
        shutil.rmtree(path.parent / "copy")
        log = path.with_name("runs.db-wal")
        data = bytearray(log.read_bytes())
        at = random.randrange(len(data))
        if seed % 2:
            del data[at:]
        else:
            data[at:] = random.randbytes(len(data) - at)
        log.write_bytes(data)
        kept = finished(path)
        assert kept == whole[: len(kept)]
        goes_on(path, tree, server, kept)


@pytest.mark.parametrize("pages", range(14, 24) if LONG else [16, 19, 22])
def test_I13_a_file_that_may_not_grow_any_more(pages: int, path: Path) -> None:
    tree = Struck()
    with Loopback(tree) as server:
        with SqliteStore(path, pragmas={"max_page_count": pages}) as store:
            asked = HCH(depth=DEPTH, model=VLLM.spec(server, keyed=False), store=store)
            with pytest.raises(StoreError, match=r"^the store .* is full: make room on the disk"):
                asked.ask_sync(question("0"))
        recovered(path, tree, server)


def run(*words: str) -> Done:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def namespace() -> bool:
    """Whether a file system of one's own may be mounted here."""
    mount = ("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt")
    return bool(shutil.which("unshare")) and not run(*mount).code


@pytest.mark.skipif(not namespace(), reason="no file system can be mounted")
@pytest.mark.parametrize("kilobytes", range(40, 200, 10) if LONG else [80, 130, 180])
def test_I13_a_disk_that_is_full(kilobytes: int, path: Path) -> None:
    """What is on it is copied to where there is room."""
    tree, full = Struck(), path.parent / "full"
    full.mkdir()
    with Loopback(tree) as server:
        words = shlex.join([*COMMAND, *command(server, full / path.name)])
        mounted = f"mount -t tmpfs -o size={kilobytes}k tmpfs {full} && {words}; code=$?"
        copied = f"{mounted}; cp -a {full}/. {path.parent}; exit $code"
        done = run("unshare", "-rm", "sh", "-c", copied)
        words = told(done)
        assert "make room on the disk" in done.err
        recovered(path, tree, server)


STRACE = ("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync")


def traced() -> bool:
    """Whether a process may be traced here."""
    return bool(shutil.which("strace")) and not run(*STRACE, "true").code


@pytest.mark.skipif(not traced(), reason="no process can be traced")
@pytest.mark.parametrize("when", [5, *range(7, 15)] if LONG else [5, 7, 9])
def test_I13_a_disk_that_fails_to_keep_what_it_was_given(when: int, path: Path) -> None:
    """After that it is unknown whether the last group is on it: it is read anew.

    The first four times are those of making the file, after which SQLite does without its log; the
    sixth is that of the folder, which it goes on without.
    """
    tree = Struck()
    with Loopback(tree) as server:
        inject = f"inject=fsync,fdatasync:error=EIO:when={when}"
        done = run(*STRACE, "-e", inject, *COMMAND, *command(server, path))
        words = told(done)
        assert "the disk failed; see that it works" in done.err
        recovered(path, tree, server, *words)


def test_I13_a_second_process_that_holds_the_lock(path: Path) -> None:
    holds = (
        "import sqlite3, sys",
        "print('ready', flush=True); sys.stdin.readline()",
        f"db = sqlite3.connect({str(path)!r}, isolation_level=None)",
        "db.execute('BEGIN IMMEDIATE')",
        "print('held', flush=True); sys.stdin.readline()",
    )
    with python(*holds) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()

        def hold() -> None:
            process.stdin.write("hold\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            assert process.stdout.readline() == "held\n"  # type: ignore[union-attr]

        tree = Struck(hold, at=5)
        with Loopback(tree) as server:
            with SqliteStore(path, patience=0.2) as store:
                asked = HCH(depth=DEPTH, model=VLLM.spec(server, keyed=False), store=store)
                with pytest.raises(StoreError, match="another process holds it; try again when"):
                    asked.ask_sync(question("0"))
            assert tree.relied_on() <= set(finished(path))  # while it is still held
            process.communicate("let go\n")
            recovered(path, tree, server)


WITHOUT_PRIVILEGE = """
import ctypes, os, sys
for capability in (1, 2):  # with these, root may write and read anywhere
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def unprivileged(*words: str) -> Done:
    return run(sys.executable, "-c", WITHOUT_PRIVILEGE, *COMMAND, *words)


def seal(folder: Path, *, writable: bool = False) -> None:
    """Make a folder read-only, with all that is in it, or writable again."""
    folder.chmod(0o755)
    for file in folder.iterdir():
        file.chmod(0o755 if writable else 0o555)
    folder.chmod(0o755 if writable else 0o555)


def test_I13_a_folder_that_became_read_only_under_a_run(path: Path) -> None:
    """The run ends as ever, since its files are open; the next is refused, and all can be read."""
    folder = path.parent / "kept"
    folder.mkdir()
    path = folder / path.name
    tree = Struck(lambda: seal(folder), at=5)
    with Loopback(tree) as server:
        assert unprivileged(*command(server, path)).code == 0
        assert len(tree.asked) == len(finished(path)) == CALLS
        done = unprivileged(*command(server, path))
        assert (done.code, done.out, done.err.count("\n")) == (5, "", 1)
        assert "Permission denied; see whether runs.db.locks can be made beside it" in done.err
        assert len(tree.asked) == CALLS
    seal(folder, writable=True)


def test_I13_a_folder_that_became_read_only_after_a_run_was_killed(path: Path) -> None:
    """What is kept can be read and copied, and the run goes on when it can be written again."""
    folder, copy = path.parent / "kept", path.parent / "copy.db"
    folder.mkdir()
    path = folder / path.name
    tree = Struck()
    with Loopback(tree) as server:
        assert hch(*command(server, path), HCH_FAIL="commit:5").code == KILLED
        seal(folder)
        for words in (("store", "check"), ("store", "backup", str(copy))):
            assert unprivileged(*words, "--store", str(path)).code == 0
        done = unprivileged("resume", "-q", "--store", str(path))
        assert (done.code, done.out, done.err.count("\n")) == (5, "", 1)
        assert "make the file and its folder writable" in done.err
        seal(folder, writable=True)
        assert finished(copy) == finished(path)
        copy.unlink()
        recovered(path, tree, server)
