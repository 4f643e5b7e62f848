"""Replies kept across runs: what is kept, for how long, and what is made of a file gone bad."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic, process_time, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hch import HCH, ScriptedModel
from hch.cache import Cache, Share, clear, open_cache, shares
from hch.cache_file import delete, spoilt
from hch.config import Config
from hch.errors import StoreError
from hch.stores.sqlite import SqliteStore
from hch.types import Completion, TokenLogprob, Usage, digest
from tests.loopback import Loopback, Reply, chat
from tests.stores.samples import opened
from tests.stores.writing import python, write

DAY = 86_400.0
SO = Completion("so", usage=Usage(7, 3, 2, 1, 4), thinking="hm", raw=b'{"text": "so"}')


@pytest.fixture
def path(home: Path) -> Path:
    return home / ".cache" / "hch" / "replies.db"


class Clock:
    """The time in Unix seconds, as a test has it: a whole second, and now to begin with."""

    def __init__(self) -> None:
        self.now = float(int(time()))

    def __call__(self) -> float:
        return self.now


def cache(
    path: Path, *, days: int = 30, mb: int = 1, clock: Clock | None = None, patience: float = 10.0
) -> Cache:
    return Cache(path, days=days, mb=mb, clock=clock or Clock(), patience=patience)


def put(path: Path, *keys: str, completion: Completion = SO, model: str = "small") -> None:
    with closing(cache(path)) as kept:
        for key in keys:
            kept.keep(key, model, completion)


def got(path: Path, key: str = "k") -> Completion | None:
    with closing(cache(path)) as kept:
        return kept.find(key)


def sql(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


# what is kept

TEXTS = st.text(st.characters(), min_size=1).filter(str.strip)
TOKENS = st.tuples(st.text(st.characters()), st.floats(allow_nan=False))
LOGPROBS = st.builds(
    lambda token, top: TokenLogprob(*token, top), TOKENS, st.lists(TOKENS, max_size=3).map(tuple)
)
COUNTS = st.integers(0, 2**40)
COMPLETIONS = st.builds(
    Completion,
    TEXTS,
    st.just("stop"),
    st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS, COUNTS),
    st.none() | st.lists(LOGPROBS, max_size=4).map(tuple),
    st.text(st.characters()),
    st.binary(),
)


@settings(deadline=None, max_examples=50)
@given(st.lists(COMPLETIONS, min_size=1, max_size=3))
def test_a_reply_comes_back_as_it_was(said: list[Completion]) -> None:
    """Lone surrogates, two that would make one character, infinite log-probabilities and all."""
    said.append(Completion("\ud83d\ude00 \udcff \0", raw=b"\xff\0"))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "hch" / "replies.db"
        with closing(cache(path)) as kept:
            for number, completion in enumerate(said):
                kept.keep(str(number), "small\udcff", completion)
        with closing(cache(path)) as kept:
            assert [kept.find(str(number)) for number in range(len(said))] == said
            assert kept.find("none") is None


@pytest.mark.parametrize(
    "said",
    [
        Completion("half an ans", finish="length"),
        Completion("I will not", finish="refusal"),
        Completion("so", finish="content_filter"),
        Completion(""),
        Completion(" \n\t"),
        Completion("x" * 1_000_001),
    ],
)
def test_no_refusal_cut_or_empty_reply_is_kept_nor_one_beyond_all_room(
    path: Path, said: Completion
) -> None:
    put(path, "k", completion=said)
    assert got(path) is None
    assert shares(path) == []


def test_the_first_reply_to_a_request_stays(path: Path) -> None:
    put(path, "k")
    put(path, "k", completion=Completion("else"))
    assert got(path) == SO


def test_what_is_kept_is_soon_there_for_others(path: Path) -> None:
    with closing(cache(path)) as one, closing(cache(path)) as other:
        one.keep("k", "small", SO)
        until = monotonic() + 20
        while other.find("k") is None:
            assert monotonic() < until
        assert other.find("k") == SO


def test_it_may_be_used_again_after_it_was_closed(path: Path) -> None:
    kept = cache(path)
    for key in ("a", "b"):
        kept.keep(key, "small", SO)
        kept.close()
        assert kept.find(key) == SO
    kept.close()
    kept.close()


def test_nobody_else_may_look(path: Path) -> None:
    with closing(cache(path)) as kept:
        kept.keep("k", "small", SO)
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == [path.name, f"{path.name}-shm", f"{path.name}-wal"]
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
        assert path.parent.stat().st_mode & 0o777 == 0o700


# limits


def test_a_reply_that_is_too_old_is_none_and_goes(path: Path) -> None:
    clock = Clock()
    with closing(cache(path, days=2, clock=clock)) as kept:
        kept.keep("k", "small", SO)
    clock.now += 2 * DAY - 1
    with closing(cache(path, days=2, clock=clock)) as kept:
        assert kept.find("k") == SO
    clock.now += 2
    with closing(cache(path, days=2, clock=clock)) as kept:
        assert kept.find("k") is None
        kept.keep("k", "small", Completion("new"))
    with closing(cache(path, days=2, clock=clock)) as kept:
        assert kept.find("k") == Completion("new")
    clock.now += 3 * DAY
    cache(path, days=2, clock=clock).close()
    assert shares(path) == []


def test_beyond_its_room_those_go_that_were_not_used_for_the_longest(path: Path) -> None:
    clock = Clock()
    large = Completion("x" * 240_000)
    for key in "abcd":
        clock.now += 1
        with closing(cache(path, clock=clock)) as kept:
            kept.keep(key, "small", large)
    clock.now += 1
    with closing(cache(path, clock=clock)) as kept:
        assert kept.find("a") == large
    clock.now += 1
    with closing(cache(path, clock=clock)) as kept:
        kept.keep("e", "small", large)
        kept.keep("f", "small", large)
    with closing(cache(path, clock=clock)) as kept:
        assert [key for key in "abcdef" if kept.find(key)] == ["a", "d", "e", "f"]
    assert sum(share.bytes for share in shares(path)) <= 1_000_000


def test_a_long_run_keeps_to_the_room_before_it_ends(path: Path) -> None:
    with closing(cache(path)) as kept:
        for number in range(40):
            kept.keep(str(number), "small", Completion("x" * 100_000))
        until = monotonic() + 20
        while not 0 < sum(share.bytes for share in shares(path)) <= 1_000_000:
            assert monotonic() < until


def test_place_and_limits_are_settings(home: Path) -> None:
    environ = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "c"), "HCH_CACHE_MB": "2"}
    config = Config.read(environ=environ)
    assert not config.file.defaults.cache
    with closing(open_cache(config)) as kept:
        kept.keep("k", "small", Completion("x" * 1_500_000))
        kept.keep("l", "small", Completion("x" * 2_500_000))
    assert [share.replies for share in shares(home / "c" / "hch" / "replies.db")] == [1]
    assert Config.read().replies == home / ".cache" / "hch" / "replies.db"
    set_ = {**environ, "HCH_CACHE": "1", "HCH_CACHE_DAYS": "7"}
    defaults = Config.read(environ=set_).file.defaults
    assert (defaults.cache, defaults.cache_days, defaults.cache_mb) == (True, 7, 2)


# rows and files gone bad


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE bodies SET body = x'7b'",
        "UPDATE bodies SET body = CAST(replace(body, 'so', 'no') AS BLOB)",
        "UPDATE bodies SET body = CAST(x'ff22' AS TEXT)",
        "UPDATE bodies SET body = 7",
        "UPDATE bodies SET raw = x''",
        "UPDATE bodies SET raw = CAST(x'ff' AS TEXT)",
        "UPDATE bodies SET mark = zeroblob(16)",
        "UPDATE bodies SET mark = 'x'",
        "UPDATE bodies SET kept = CAST(x'ff' AS TEXT)",
        "UPDATE bodies SET key = 'k' WHERE key = 'other'",
        "DELETE FROM bodies",
    ],
)
def test_a_damaged_or_foreign_row_is_none_and_is_replaced(path: Path, damage: str) -> None:
    put(path, "k")
    put(path, "other", completion=Completion("of another request"))
    moved = ["DELETE FROM bodies WHERE key = 'k'"] if "SET key" in damage else []
    sql(path, *moved, damage)
    with closing(cache(path)) as kept:
        assert kept.find("k") is None
        kept.keep("k", "small", SO)
    assert got(path) == SO


@pytest.mark.parametrize("seed", range(24))
def test_random_damage_is_told_or_makes_a_miss_and_never_an_answer(path: Path, seed: int) -> None:
    random = Random(seed)
    said = {f"k{n}": Completion(f"{n}" * random.randrange(1, 3000)) for n in range(30)}
    with closing(cache(path)) as kept:
        for key, completion in said.items():
            kept.keep(key, "small", completion)
    data = bytearray(path.read_bytes())
    if seed % 2:
        data[4096:] = random.randbytes(len(data) - 4096)
    else:  # here and there
        for _ in range(random.choice([5, 50, 500])):
            data[random.randrange(4096, len(data))] = random.randrange(256)
    path.write_bytes(data)
    told = [_told(path, lambda kept, key=key: _checked(kept, key, said[key])) for key in said]
    told.append(_told(path, lambda kept: kept.keep("new", "small", SO)))
    for error in filter(None, told):
        assert str(path) in error
        assert "clear it by hch cache clear" in error
        assert "\n" not in error
    assert spoilt(path) or not any(told) or seed % 2 == 0
    if spoilt(path):
        delete(path)
        assert list(path.parent.iterdir()) == []
    put(path, "after")
    assert got(path, "after") == SO or not spoilt(path)


def _checked(kept: Cache, key: str, said: Completion) -> None:
    assert kept.find(key) in (None, said)


def _told(path: Path, use: Callable[[Cache], object]) -> str:
    """What is raised where it is used so; only a StoreError may be."""
    try:
        with closing(cache(path)) as kept:
            use(kept)
    except StoreError as error:
        return str(error)
    return ""


def test_what_is_no_cache_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir(parents=True)
    made: dict[str, Callable[[], object]] = {
        "file is not a database": lambda: path.write_text("This is a letter.\n" * 100),
        "is another program's SQLite file": lambda: sql(path, "CREATE TABLE songs (title)"),
        "another program's": lambda: write_store(path),
        "written by a newer hch (format 2, this one knows 1)": lambda: (
            put(path, "k"),
            sql(path, "PRAGMA user_version = 2"),
        ),
        "lacks its tables": lambda: (put(path, "k"), sql(path, "DROP TABLE bodies")),
        "can be written by others": lambda: (put(path, "k"), path.chmod(0o620)),
    }
    for why, make in made.items():
        make()
        before = path.read_bytes()
        with pytest.raises(StoreError) as raised:
            cache(path)
        assert why in str(raised.value)
        assert str(path) in str(raised.value)
        assert "hch cache clear" in str(raised.value)
        assert "--no-cache" in str(raised.value)
        with pytest.raises(StoreError):
            shares(path)
        assert path.read_bytes() == before
        assert why in str(spoilt(path))
        delete(path)
        assert spoilt(path) is None


def write_store(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", opened("k"))


def test_an_empty_file_is_an_empty_cache(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch(0o600)
    assert shares(path) == []
    put(path, "k")
    assert got(path) == SO


def test_a_place_that_cannot_be_is_told(home: Path) -> None:
    (home / "letter").write_text("no folder")
    (home / "folder" / "replies.db").mkdir(parents=True)
    places = {
        "/proc/no/such/replies.db": "No such file",
        f"{home}/letter/hch/replies.db": "Not a directory",
        f"{home}/folder/replies.db": "is no regular file: move it away",
        "/dev/full": "is no regular file",
    }
    for place, why in places.items():
        with pytest.raises(StoreError, match=rf"{why}.*--no-cache") as raised:
            cache(Path(place))
        assert place in str(raised.value)


def test_a_home_that_cannot_be_written_is_told() -> None:
    tries = (
        "import os, sys",
        "from pathlib import Path",
        "from hch.cache import Cache",
        "from hch.errors import StoreError",
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)  # root may write anywhere",
        "for line in sys.stdin:",
        "    try: Cache(Path(line.strip()), days=1, mb=1)",
        "    except StoreError as error: print(error)",
    )
    with TemporaryDirectory() as folder:
        home = Path(folder)
        made = home / "made" / "replies.db"
        put(made, "k")
        made.chmod(0o444)
        made.parent.chmod(0o555)
        home.chmod(0o555)
        told, _ = python(*tries).communicate(f"{made}\n{home / 'new' / 'replies.db'}\n")
        home.chmod(0o755)
        made.parent.chmod(0o755)
        assert [file.name for file in home.iterdir()] == ["made"]
    for line, why in zip(told.splitlines(), ("readonly", "Permission denied"), strict=True):
        assert str(home) in line
        assert why in line
        assert "XDG_CACHE_HOME" in line
        assert line.endswith("or go without it: --no-cache")


# several at once, and what fails later


def test_a_cache_that_somebody_holds_is_told(path: Path) -> None:
    put(path, "k")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"another process holds it.*--no-cache"):
            cache(path, patience=0.1)
    assert got(path) == SO


def test_anothers_lock_holds_no_run_up_and_costs_replies_only(path: Path) -> None:
    kept = cache(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        kept.keep("k", "small", SO)
        kept.close()
        kept.keep("l", "small", SO)
        kept.close()
    assert got(path) is None
    put(path, "k")
    assert got(path) == SO


def test_a_commit_that_fails_is_told_once_and_not_passed_over(path: Path) -> None:
    kept = cache(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("ALTER TABLE replies RENAME TO gone")
        kept.keep("k", "small", SO)
        with pytest.raises(StoreError, match="no such table"):
            _use_until_told(kept)
        with pytest.raises(StoreError, match="no such table"):
            kept.keep("k", "small", SO)
        kept.close()
        db.execute("ALTER TABLE gone RENAME TO replies")
    put(path, "k")
    assert got(path) == SO


def test_it_is_used_by_several_threads_at_once(path: Path) -> None:
    with closing(cache(path)) as kept, ThreadPoolExecutor(8) as threads:

        def use(n: int) -> None:
            for i in range(100):
                kept.keep(f"{n} {i}", "small", SO)
                assert kept.find(f"{n} {i - 50}") in (None, SO)

        list(threads.map(use, range(8)))
    assert all(got(path, f"{n} 99") == SO for n in range(8))


def test_a_disk_that_takes_no_more_is_told(path: Path) -> None:
    put(path, "k")
    fills = (
        "import resource, sys",
        "from pathlib import Path",
        "from hch.cache import Cache",
        "from hch.errors import StoreError",
        "from hch.types import Completion",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))",
        "kept = Cache(Path(sys.stdin.readline().strip()), days=1, mb=10)",
        "kept.keep('large', 'small', Completion('x' * 300_000))",
        "try: kept.close()",
        "except StoreError as error: print(error)",
    )
    told, _ = python(*fills).communicate(f"{path}\n")
    assert told.startswith(f"the cache of replies {path}: disk I/O error: the disk failed")
    assert got(path) == SO
    assert got(path, "large") is None


def _use_until_told(kept: Cache) -> None:
    until = monotonic() + 20
    while monotonic() < until:
        kept.find("other")


BUSY = (
    "import sys",
    "from pathlib import Path",
    "from hch.cache import Cache",
    "from hch.types import Completion",
    "path, name = sys.stdin.readline().split()",
    "kept = Cache(Path(path), days=30, mb=100)",
    "for n in range(300):",
    "    key = f'{name} {n}' if n % 3 else f'shared {n}'",
    "    kept.find(key)",
    "    kept.keep(key, name, Completion(key, raw=b'r' * 2000))",
    "kept.close()",
)


def test_processes_that_begin_at_once_keep_all_that_each_has(path: Path) -> None:
    processes = [python(*BUSY, stderr=subprocess.PIPE) for _ in range(5)]
    for number, process in enumerate(processes):
        assert process.stdin is not None
        process.stdin.write(f"{path} p{number}\n")
        process.stdin.flush()
    assert [(process.communicate()[1], process.returncode) for process in processes] == [
        ("", 0)
    ] * 5
    keys = [f"p{p} {n}" for p in range(5) for n in range(300) if n % 3]
    keys += [f"shared {n}" for n in range(0, 300, 3)]
    with closing(cache(path, mb=100)) as kept:
        assert all(kept.find(key) == Completion(key, raw=b"r" * 2000) for key in keys)
    assert sum(share.replies for share in shares(path)) == len(keys)
    assert spoilt(path) is None


OPENING = (
    "import sys",
    "from pathlib import Path",
    "from hch.cache import Cache",
    "from hch.types import Completion",
    "for line in sys.stdin:",
    "    path, name = line.split()",
    "    try:",
    "        kept = Cache(Path(path), days=30, mb=100)",
    "        kept.keep(name, 'small', Completion(name))",
    "        kept.close()",
    "        print('kept', flush=True)",
    "    except Exception as error: print(error, flush=True)",
)


def test_of_processes_that_make_it_at_once_none_fails(path: Path) -> None:
    """25 times, by 6 processes that are up already."""
    processes = [python(*OPENING) for _ in range(6)]
    for turn in range(25):
        place = path.with_name(f"turn{turn}") / "replies.db"
        for number, process in enumerate(processes):
            assert process.stdin is not None
            process.stdin.write(f"{place} {number}\n")
        for process in processes:
            assert process.stdin is not None
            process.stdin.flush()
        assert [process.stdout and process.stdout.readline() for process in processes] == (
            ["kept\n"] * 6
        )
        assert sum(share.replies for share in shares(place)) == 6
    for process in processes:
        process.communicate()


def test_what_was_committed_outlives_a_kill(path: Path) -> None:
    lives = (*BUSY[:-1], "print('kept', flush=True)", "sys.stdin.read()")
    process = python(*lives)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{path} p\n")
    process.stdin.flush()
    process.stdout.readline()
    until = monotonic() + 20
    while sum(share.replies for share in shares(path)) < 300:
        assert monotonic() < until
    process.kill()
    process.communicate()
    assert got(path, "p 1") == Completion("p 1", raw=b"r" * 2000)
    assert spoilt(path) is None


# what is there, and clearing it


def test_shares_are_by_model_and_clearing_gives_room_back(path: Path) -> None:
    clock = Clock()
    begun = clock.now
    with closing(cache(path, clock=clock)) as kept:
        kept.keep("a", "small", Completion("x" * 1000))
        clock.now += 10
        kept.keep("b", "small", SO)
        for number in range(6):
            kept.keep(f"l{number}", "large", Completion("x" * 100_000))
    large, small = shares(path)
    assert (large.model, large.replies) == ("large", 6)
    assert small == Share("small", 2, small.bytes, begun, begun + 10)
    assert [share.replies for share in shares(path, begun + 5)] == [1]
    size = path.stat().st_size
    clear(path, model="large")
    assert path.stat().st_size < size - 600_000
    assert [share.model for share in shares(path)] == ["small"]
    clear(path, begun + 5)
    assert got(path, "a") is None
    assert got(path, "b") == SO
    clear(path)
    assert shares(path) == []


def test_clearing_while_others_use_it(path: Path) -> None:
    with closing(cache(path)) as kept:
        kept.keep("k", "small", SO)
        kept.close()
        assert kept.find("k") == SO
        clear(path)
        assert kept.find("k") is None
        kept.keep("k", "small", SO)
    assert got(path) == SO


# in a run


def models(server: Loopback) -> str:
    return f"openai:small,base_url={server.url},api_key_env=SOME_API_KEY"


def test_a_second_run_sends_nothing_and_comes_out_equal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a key that a server says back ever in the file."""
    key = "sk-canary-0123456789"
    monkeypatch.setenv("SOME_API_KEY", key)
    with Loopback(lambda _: Reply(chat(f"four, by {key}"))) as server:
        hch = HCH(depth=0, model=models(server), cache=True)
        first, second = hch.ask_sync("What is 2 + 2?"), hch.ask_sync("What is 2 + 2?")
        assert len(server.requests) == 1
        assert first.text == second.text == "four, by [key]"
        assert first.trace.canonical() == second.trace.canonical()
        assert first.trace.roots[0].spent == second.trace.roots[0].spent
        assert (first.trace.bill.calls, second.trace.bill.calls) == (1, 0)
        assert HCH(depth=0, model=models(server), cache=True, seed=1).ask_sync("What is 2 + 2?")
        assert len(server.requests) == 2
        assert HCH(depth=0, model=models(server)).ask_sync("What is 2 + 2?")
        assert len(server.requests) == 3
    assert path.exists()
    assert not any(key.encode() in file.read_bytes() for file in path.parent.iterdir())


@pytest.mark.parametrize("finish", ["length", "content_filter"])
def test_what_failed_is_asked_again(path: Path, finish: str) -> None:
    with Loopback(lambda _: Reply(chat("four", choice={"finish_reason": finish}))) as server:
        hch = HCH(depth=0, model=f"vllm:small,base_url={server.url}", cache=True)
        for _ in range(2):
            hch.ask_sync("What is 2 + 2?")
        assert len(server.requests) == 2
    assert shares(path) == []


def test_a_cache_that_cannot_be_used_is_told_before_anything_is_sent(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("This is a letter.\n" * 100)
    asked: list[object] = []
    model = ScriptedModel(lambda request: asked.append(request) or "so")
    with pytest.raises(StoreError, match="hch cache clear"):
        HCH(depth=0, model=model, store="memory", cache=True).ask_sync("Why?")
    assert asked == []


def test_looking_and_keeping_take_little_time(path: Path) -> None:
    """Held to 40 microseconds of CPU each, commits included; here with threefold room."""
    keys = [digest(n) for n in range(2000)]
    said = Completion("x" * 500, usage=Usage(700, 100), raw=b"r" * 2000)

    def taken(work: Callable[[str], object]) -> float:
        begun = process_time()
        for key in keys:
            work(key)
        kept.close()
        return (process_time() - begun) / len(keys)

    kept = cache(path, mb=100)
    assert taken(lambda key: kept.keep(key, "small", said)) < 120e-6
    assert min(taken(kept.find) for _ in range(3)) < 120e-6
    assert kept.find(keys[0]) == said
    kept.close()
