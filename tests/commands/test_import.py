"""`hch import`: what hch wrote comes in whole, and nothing of anything else."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hch.labels import Label
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import HCH, Done, hch
from tests.hostile_imports import (
    ESCAPES,
    FILES,
    GOOD,
    LABELLED,
    LABELS,
    OTHER,
    RUN,
    TWO,
    exported,
    setup,
    whole,
)
from tests.stores.samples import label

Typed = Callable[..., Done]

KEY = "sk-canary-0123456789"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every file below a folder, and every folder."""
    return {str(p): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def write(data: bytes, name: str = "runs.jsonl") -> str:
    Path(name).write_bytes(data)
    return name


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_refused_in_one_line_and_changes_nothing(
    name: str, home: Path, typed: Typed
) -> None:
    typed("ask", "What is 2 + 3?", "-s", "script", "-q")
    hostile = FILES[name]
    write(hostile.bytes(), "evil.jsonl")
    before = contents(home)
    done = typed("import", "evil.jsonl")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert hostile.said in done.err
    assert done.err.startswith("hch: evil.jsonl")
    assert hostile.line is None or done.err.startswith(f"hch: evil.jsonl, line {hostile.line}: ")
    assert len(done.err) < 500
    assert "\x1b" not in done.err
    assert contents(home) == before


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 30
    assert len({hostile.bytes() for hostile in FILES.values() if hostile.line != 5}) >= 100


@pytest.mark.parametrize(
    "name", ["empty", "a pickle", "cut at the end of a line", "A asks B asks A"]
)
def test_what_comes_through_a_pipe_is_refused_too(name: str, home: Path) -> None:
    (home / "tmp").mkdir()
    before = contents(home)
    done = hch("import", "-", stdin=FILES[name].bytes(), TMPDIR=str(home / "tmp"))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("hch: stdin")
    assert contents(home) == before


def test_what_never_ends_is_refused_at_its_first_line(home: Path) -> None:
    yes = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    try:
        done = subprocess.run(
            [*HCH, "import", "-"], stdin=yes.stdout, capture_output=True, check=False
        )
    finally:
        yes.kill()
        yes.communicate()
    assert done.returncode == 2
    assert b"stdin, line 1: it is not JSON" in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "folder is a folder"),
        ("/dev/null", "/dev/null is a device"),
        ("/dev/zero", "/dev/zero is a device"),
        ("none.jsonl", "none.jsonl cannot be read: No such file"),
        ("a\0b", "cannot be read"),
        ("a" * 5000, "File name too long"),
    ],
)
def test_what_is_no_file(name: str, said: str, home: Path, typed: Typed) -> None:
    (home / "folder").mkdir()
    done = typed("import", name)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


@pytest.mark.parametrize(("data", "code"), [(GOOD, 0), (GOOD[:-300], 2), (b"", 2)])
def test_a_fifo(data: bytes, code: int, home: Path) -> None:
    os.mkfifo(home / "fifo")
    writer = threading.Thread(target=(home / "fifo").write_bytes, args=(data,))
    writer.start()
    done = hch("import", "fifo")
    writer.join()
    assert (done.code, done.out) == (code, f"{RUN}\n" if code == 0 else "")


def test_a_link_to_an_export_is_as_good(home: Path, typed: Typed) -> None:
    write(GOOD)
    (home / "link").symlink_to("runs.jsonl")
    assert typed("import", "link") == Done(0, f"{RUN}\n", "")


def test_runs_are_brought_in_and_marked_as_such(typed: Typed) -> None:
    assert typed("import", write(TWO)) == Done(0, f"{RUN}\n{OTHER}\n", "")
    rows = json.loads(typed("runs", "--json").out)
    assert {row["run"]: row["imported"] for row in rows} == {RUN: True, OTHER: True}
    assert typed("export", RUN, OTHER).out.encode() == TWO
    assert typed("show", RUN).code == 0


def test_stdin_in_a_process_of_its_own(typed: Typed) -> None:
    assert hch("import", "-", stdin=GOOD) == Done(0, f"{RUN}\n", "")
    assert hch("export").out.encode() == GOOD


def test_json_tells_of_every_run(typed: Typed) -> None:
    typed("import", write(GOOD))
    done = typed("import", write(TWO), "--json")
    assert json.loads(done.out) == [
        {"run": RUN, "events": 16, "labels": 0, "brought": False},
        {"run": OTHER, "events": 16, "labels": 0, "brought": True},
    ]


def labels(home: Path, run: str = RUN) -> list[Label]:
    with SqliteStore(home / ".local/share/hch/hch.db") as store:
        return store.labels(run)


def test_labels_come_in_with_their_run_and_go_out_again(home: Path, typed: Typed) -> None:
    assert typed("import", write(LABELLED)) == Done(0, f"{RUN}\n", "")
    assert labels(home) == LABELS
    assert typed("export").out.encode() == LABELLED
    assert typed("store", "check").code == 0
    before = contents(home)
    done = typed("import", "runs.jsonl")
    assert (done.code, done.err) == (0, f"hch: run {RUN} is there already, with the same events\n")
    assert contents(home) == before


def test_a_run_that_is_there_gets_the_labels_that_it_lacks(home: Path, typed: Typed) -> None:
    typed("import", write(exported(LABELS[1:], r260102_030405_6789ab=whole())))
    both = exported(LABELS, r260102_030405_6789ab=whole(), r260102_030405_6789ac=whole())
    done = typed("import", write(both), "--json")
    assert json.loads(done.out) == [
        {"run": RUN, "events": 16, "labels": 1, "brought": False},
        {"run": OTHER, "events": 16, "labels": 2, "brought": True},
    ]
    assert done.err.endswith("with the same events; it got 1 label\n")
    assert labels(home) == [LABELS[1], LABELS[0]]
    assert labels(home, OTHER) == LABELS
    assert typed("import", "runs.jsonl").code == 0
    assert labels(home) == [LABELS[1], LABELS[0]]
    typed("import", write(GOOD))
    assert len(labels(home)) == 2


@pytest.mark.leaves_open
def test_a_run_that_is_there_otherwise_gets_no_labels(home: Path, typed: Typed) -> None:
    typed("import", write(exported(r260102_030405_6789ab=whole()[:-1])))
    assert typed("import", write(LABELLED)).code == 5
    assert labels(home) == []


def test_a_key_of_this_environment_in_a_note_is_never_kept(
    home: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = exported([label("leaf", note=f"so {KEY}")], r260102_030405_6789ab=whole())
    typed("import", write(said))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for words in (["import", "runs.jsonl", "--store", "other.db"], ["export"]):
        done = typed(*words)
        assert (done.code, done.out) == (2, "")
        assert " a key of this environment in it" in done.err
        assert KEY not in done.err


def test_a_run_that_is_there_already_stays(home: Path, typed: Typed) -> None:
    typed("import", write(GOOD))
    before = contents(home)
    done = typed("import", "runs.jsonl")
    assert (done.code, done.out) == (0, "")
    assert done.err == f"hch: run {RUN} is there already, with the same events\n"
    assert contents(home) == before


@pytest.mark.leaves_open
@pytest.mark.parametrize("events", [whole("Another?"), whole()[:-1], whole()[:1]])
def test_a_run_that_is_there_with_other_events_is_refused(
    events: list, home: Path, typed: Typed
) -> None:
    """Also one of which the file, or the store, has only the beginning; and all that is with it."""
    for first, second in ((whole(), events), (events, whole())):
        path = f"{len(first)}.db"
        mine = exported(r260102_030405_6789ac=first)
        both = exported(r260102_030405_6789ab=whole(), r260102_030405_6789ac=second)
        typed("import", write(mine), "--store", path)
        write(both, "both.jsonl")
        before = contents(home)
        done = typed("import", "both.jsonl", "--store", path)
        assert (done.code, done.out) == (5, "")
        assert f"run {OTHER} is in {path} already, with other events" in done.err
        assert contents(home) == before
        (home / path).unlink()


def test_of_a_file_with_one_bad_run_none_is_kept(typed: Typed) -> None:
    bad = TWO.replace(b'"level":0', b'"level":7').replace(b'"level":7', b'"level":0', 1)
    done = typed("import", write(bad))
    assert (done.code, done.out) == (2, "")
    assert typed("runs", "--json").out == "[]\n"


def test_where_the_second_run_cannot_be_kept_the_first_is_not(home: Path, typed: Typed) -> None:
    """Another process holds the second one's lock, as one that brings it in just then would."""
    typed("import", write(GOOD))
    before = typed("runs", "--json")
    file = write(exported(r260102_030405_6789ad=whole(), r260102_030405_6789ac=whole()))
    with SqliteStore(home / ".local/share/hch/hch.db") as store, store.live(OTHER):
        done = typed("import", file)
    assert (done.code, done.out) == (5, "")
    assert typed("runs", "--json") == before


def test_a_key_of_this_environment_is_never_kept(
    home: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = exported(r260102_030405_6789ab=whole(f"Is it {KEY}?"))
    spelt = said.replace(KEY.encode(), KEY.replace("s", "\\u0073").encode())
    reply = whole()
    reply[5] = reply[5].model_copy(update={"raw": f'{{"key":"{KEY}"}}'.encode()})
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for data in (said, spelt, exported(r260102_030405_6789ab=reply)):
        write(data)
        before = contents(home)
        done = typed("import", "runs.jsonl")
        assert (done.code, done.out) == (2, "")
        assert "it has a key of this environment in it" in done.err
        assert KEY not in done.err
        assert contents(home) == before


def test_nothing_is_sent_to_a_server_that_a_run_names(home: Path, typed: Typed) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        model = f"openai:x,base_url=http://127.0.0.1:{server.getsockname()[1]}/v1"
        data = setup(model=model, strategy=f"direct@{model}", at={"0": f"direct@{model}"})
        assert typed("import", write(data)).code == 0
        for words in (["runs"], ["show"], ["show", "--json"], ["export"], ["import", "runs.jsonl"]):
            assert typed(*words).code == 0
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_what_steers_a_terminal_comes_in_and_is_shown_safely(typed: Typed) -> None:
    assert typed("import", write(exported(r260102_030405_6789ab=whole(ESCAPES)))).code == 0
    for words in (["runs"], ["show"]):
        done = typed(*words)
        assert "\\x1b[5m" in done.out
        assert "\x1b" not in done.out
