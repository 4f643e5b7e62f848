"""`hch iterate`: its table, what it prints, going on after any end, lists, plots."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hch.commands._generations import Rows, percent, plot, share
from hch.ledger import Generation, Score, Work
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import HCH, Done, Screen, hch
from tests.promises import LONG

Typed = Callable[..., Done]

SMALL = ("iterate", "--task", "permutation,size=8,bits=4")
NOISY = ("iterate", "--task", "unionfind,size=16", "--errors", "0.1", "--rounds", "8")


def test_it_prints_the_model_and_tells_every_round(typed: Typed) -> None:
    done = typed(*SMALL)
    assert done.code == 0
    assert re.fullmatch(r"table:permutation-[0-9a-f]{8}/3,sha=[0-9a-f]{12}\n", done.out)
    head, *rows = done.err.splitlines()
    assert head.split()[:3] == ["round", "targets", "X"]
    found = [row.split()[:3] for row in rows[:3]]
    assert found == [["1", "25.00%", "25.00%"], ["2", "50.00%", "50.00%"], ["3", *["100.00%"] * 2]]
    assert "100%" in rows[3]
    assert rows[-1].startswith("hch: all is right after 3 rounds; again: hch iterate show perm")


def test_what_was_learned_answers_in_a_tree_and_alone(typed: Typed) -> None:
    model = typed(*SMALL, "-q").out.strip()
    about = ("--task", "permutation,size=8,bits=4", "--instance", "0")
    alone = typed("ask", "s^13(ab)", *about, "-s", "direct", "-m", model, "--depth", "0", "-q")
    players = ("--at", "1+=script", "--at", f"0=direct@{model}", "--depth", "1")
    tree = typed("ask", "s^13(ab)", *about, *players, "-q")
    unrolled = typed("ask", "s^13(ab)", *about, "-s", "script", "--depth", "2", "-q")
    assert alone == tree == unrolled
    assert (alone.code, len(alone.out)) == (0, 3)


def test_what_is_kept_in_memory_is_said_to_be_gone(typed: Typed) -> None:
    done = typed(*SMALL, "--store", "memory")
    assert done.code == 0
    assert "all is right after 3 rounds; it was kept in memory, and is gone now" in done.err


def test_the_command_that_shows_it_names_the_store(typed: Typed) -> None:
    done = typed(*SMALL, "--store", "a b.db")
    line = done.err.rpartition("again: hch ")[2].strip()
    assert typed(*shlex.split(line)).out.startswith("permutation-")


def test_quiet_is_quiet_and_the_same_command_has_nothing_left_to_do(typed: Typed) -> None:
    first = typed(*SMALL, "--quiet")
    again = typed(*SMALL, "--quiet")
    assert first == again
    assert first.err == ""
    assert "has 3 rounds already" in typed(*SMALL).err


def test_json_is_the_ledger(typed: Typed) -> None:
    ledger = json.loads(typed(*SMALL, "--json", "--name", "mine").out)
    assert (ledger["name"], ledger["settings"]["task"]) == ("mine", SMALL[2])
    assert [made["learned"]["right"] for made in ledger["generations"]] == [32, 64, 128]
    assert json.loads(typed("iterate", "show", "mine", "--json").out) == ledger
    assert json.loads(typed("iterate", "list", "--json").out) == [ledger]


def test_iterations_are_listed_shown_and_removed(typed: Typed) -> None:
    assert "there are no iterations in " in typed("iterate", "list").err
    model = typed(*SMALL, "--name", "one", "-q").out.strip()
    typed(*NOISY, "--name", "two", "-q")
    listed = typed("iterate", "list").out.splitlines()
    assert listed[0] == f"one  3 rounds  100.00%  {model}"
    assert listed[1].startswith("two  8 rounds  ")
    shown = typed("iterate", "show", "one").out.splitlines()
    assert shown[0] == "one: hch iterate --task permutation,size=8,bits=4 --name one"
    assert shown[-1] == f"X is {model}"
    assert "not taken" not in typed("iterate", "show", "one").out
    assert typed("iterate", "rm", "one").code == 2
    assert typed("iterate", "rm", "one", "--yes").code == 0
    gone = typed("iterate", "show", "one")
    assert (gone.code, gone.err) == (2, "hch: no iteration 'one': there are two\n")


def test_a_damaged_ledger_hides_no_other_and_can_be_removed(typed: Typed, home: Path) -> None:
    typed(*SMALL, "--name", "bad", "-q", "--store", "runs.db")
    typed(*SMALL, "--name", "good", "-q", "--store", "runs.db")
    with closing(SqliteStore("runs.db")) as store:
        store.shelve({"iteration/bad": "no ledger", "dataset/bad/1": "another's"})
    done = typed("iterate", "list", "--store", "runs.db")
    assert done.code == 5
    assert done.out.startswith("good  3 rounds  100.00%")
    assert "hch iterate rm bad removes it" in done.err
    assert typed("iterate", "rm", "bad", "--yes", "--store", "runs.db").code == 0
    assert typed("iterate", "list", "--store", "runs.db").code == 0
    assert "nothing is wrong with" in typed("store", "check", "--store", "runs.db").err
    with closing(SqliteStore("runs.db")) as store:
        assert store.shelf("table/") == [f"table/good/{n}" for n in range(4)]


def test_the_settings_shown_come_to_the_same_iteration(typed: Typed) -> None:
    flags = "--targets 3 --held-out 20 --take-worse --seed 7 --instances 1-2 --learner table,soft=1"
    first = typed(*NOISY, *flags.split(), "--rounds", "2", "-q").out
    name = first.partition(":")[2].partition("/")[0]
    line = typed("iterate", "show", name).out.splitlines()[0]
    assert typed(*line.partition(": hch ")[2].split(), "--rounds", "2", "-q").out == first


def test_rounds_that_are_not_taken_are_told(typed: Typed) -> None:
    words = ("iterate", "--task", "permutation,size=4,bits=4", "--errors", "0.3", "--rounds", "12")
    done = typed(*words, "--name", "noisy")
    refused = re.findall(r"^ +(\d+) .* no, worse", done.err, re.MULTILINE)
    assert refused
    assert f"hch: not taken, since worse: {len(refused)} round" in done.err
    assert "the rounds are over after 12 rounds" in done.err
    shown = typed("iterate", "show", "noisy").out
    assert re.findall(r"^round (\d+): worse: \d+ of \d+ held-out", shown, re.MULTILINE) == refused


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--task is missing: hch task list shows what there is"),
        (("--task", "pat"), "no task 'pat': did you mean 'path'?"),
        (("--task", "path,size=1"), "size"),
        (("--task", "minmax"), "task 'minmax' cannot list its questions"),
        (("--task", "path", "--learner", "tabel"), "no learner 'tabel': did you mean 'table'?"),
        (
            ("--task", "path", "--instances", "3-2"),
            "--instances '3-2': these are not 1 to 10,000 instances",
        ),
        (("--task", "path", "--instances", "x"), "--instances 'x': write a number, or the first"),
        (("--task", "path", "--errors", "2"), "errors"),
        (("--task", "path", "--rounds", "0"), "rounds"),
        (("--task", "path", "--sample", "9" * 20), "--sample"),
        (("--task", "path", "--held-out", "9" * 20), "--held-out"),
        (("--task", "path", "--name", "a/b"), "'a/b' is no name for an iteration"),
        (("--task", "path", "--name", ""), "--name is empty"),
        (("--task", "path", "--plot", "x.txt"), "name a file that ends in .png, .svg, .pdf"),
        (("--task", "path", "--plot", "no/x.svg"), "there is no folder no"),
        (("show", "nonesuch"), "no iteration 'nonesuch': there are none"),
    ],
)
def test_wrong_use_is_told_in_one_line(typed: Typed, words: tuple[str, ...], said: str) -> None:
    done = typed("iterate", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("hch: ")
    assert said in done.err
    assert done.err.count("\n") == 1


def test_other_settings_for_a_name_are_refused(typed: Typed) -> None:
    typed(*SMALL, "--name", "mine", "-q")
    done = typed(*SMALL, "--name", "mine", "--seed", "5")
    assert (done.code, done.out) == (2, "")
    assert "iteration 'mine' has other settings: seed 0 there, 5 here" in done.err


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_plot_is_drawn_and_drawn_the_same(typed: Typed, tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    assert typed(*NOISY, "--name", "noisy", "-q", "--plot", str(first)).code == 0
    assert typed("iterate", "show", "noisy", "--plot", str(second)).code == 0
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert first.read_bytes().startswith(begins)
    assert first.stat().st_size > 2000
    if kind == "png":
        assert first.read_bytes() == second.read_bytes()


def test_without_matplotlib_a_plot_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "matplotlib").mkdir()
    (tmp_path / "matplotlib" / "__init__.py").write_text("raise ModuleNotFoundError('matplotlib')")
    done = hch(*SMALL, "--plot", "x.svg", PYTHONPATH=str(tmp_path))
    assert (done.code, done.out) == (6, "")
    assert done.err == "hch: --plot needs matplotlib: pip install 'hch[plot]'\n"
    assert json.loads(hch("iterate", "list", "--json").out) == []


def timeless(path: Path) -> dict[str, str]:
    """All that is on the shelf, but for the times in the ledger."""
    with closing(SqliteStore(path)) as store:
        assert store.check(deep=True) == []
        texts = {name: store.shelved(name) or "" for name in store.shelf()}
    assert len(texts) == 1 + 9  # the ledger, and X_0 to X_8
    return {name: re.sub(r'"seconds":\{[^}]*\}', "", text) for name, text in texts.items()}


def killed_after(path: Path, rows: int, seconds: float) -> int:
    """Killed at some moment after so many rows of the table: the head counts as one."""
    words = [*HCH, *NOISY, "--store", str(path)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stderr
        for _ in range(rows):
            process.stderr.readline()
        time.sleep(seconds)  # any moment, and none that something waits for
        process.kill()
        process.stderr.read()
    return process.returncode


@pytest.fixture(scope="module")
def unharmed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("unharmed") / "runs.db"
    assert hch(*NOISY, "--store", str(path), "-q").code == 0
    return timeless(path)


@pytest.mark.parametrize("k", range(1, 10) if LONG else (1, 2, 5, 9))
def test_killed_while_it_keeps_a_generation_it_comes_to_the_same_ledger(
    k: int, tmp_path: Path, unharmed: Any
) -> None:
    path = tmp_path / "runs.db"
    assert hch(*NOISY, "--store", str(path), "-q", HCH_FAIL=f"shelve:{k}").code == -signal.SIGKILL
    assert hch(*NOISY, "--store", str(path), "-q").code == 0
    assert timeless(path) == unharmed


@pytest.mark.parametrize("seed", range(40 if LONG else 2))
def test_killed_at_any_moments_it_comes_to_the_same_ledger(
    seed: int, tmp_path: Path, unharmed: Any
) -> None:
    path, rng = tmp_path / "runs.db", Random(seed)
    for _ in range(5 if LONG else 2):
        assert killed_after(path, rng.randrange(4), rng.uniform(0, 0.02)) in (-signal.SIGKILL, 0)
    assert hch(*NOISY, "--store", str(path), "-q").code == 0
    assert timeless(path) == unharmed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_with_the_command_that_goes_on(
    number: signal.Signals, tmp_path: Path
) -> None:
    words = ("iterate", "--task", "path,size=24", "--seed", "1", "--store", str(tmp_path / "a b"))
    with subprocess.Popen([*HCH, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE) as going:
        assert going.stderr
        seen = [going.stderr.readline() for _ in range(2)]  # the head, and the first round
        going.send_signal(number)
        out, rest = going.communicate()
    told = b"".join([*seen, rest]).decode()
    assert (going.returncode, out) == (128 + number, b"")
    assert f"hch: stopped by {number.name}\n" in told
    line = re.search(r"^hch: go on with: hch (.*)$", told, re.MULTILINE)
    assert line
    done = subprocess.run(
        f"{sys.executable} -m hch.cli {line[1]} --rounds 3",
        shell=True,
        capture_output=True,
        check=True,
        env=os.environ,
    )
    assert b"path-" in done.stdout


def test_on_a_terminal_rows_stay_and_nothing_else_does(tmp_path: Path) -> None:
    words = (*SMALL, "--store", str(tmp_path / "runs.db"))
    with Screen(*words, columns=60, TERM="xterm") as screen:
        text = screen.rest()
        assert screen.code == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    for row in ("1   25.00%", "2   50.00%", "3  100.00%"):
        assert row in plain
    assert "table:permutation-" in plain
    assert "\x1b[?" not in text  # nothing is hidden that a second Ctrl-C would leave so
    assert "round 2 …" not in plain.splitlines()[-1]


def generation(right: int, of: int, number: int = 1, **more: Any) -> Generation:
    score = Score(of=of, answered=right, right=right, measures=more)
    return Generation(
        number=number,
        model="table:x/1",
        kept=(),
        before="table:x/0",
        seed=0,
        questions=of,
        targets=score,
        learned=score,
        held_out=(score, score),
        work=Work(h=of, asked=of, x=of, primitives=of),
        taken=True,
        why="",
        seconds={"amplify": 0.1},
    )


@pytest.mark.parametrize(("width", "kept"), [(20, 2), (40, 4), (60, 6), (80, 8), (200, 12)])
def test_rows_fit_and_keep_what_counts(width: int, kept: int) -> None:
    made = generation(3, 4, strict=(1, 2), reachable=(1, 3))
    rows = Rows(made, width)
    assert max(len(rows.head), len(rows.row(made))) <= width
    titles = re.split(" {2,}", rows.head.strip())
    assert len(titles) == kept
    assert {"round", "X"} <= set(titles)


@pytest.mark.parametrize("name", ["\x1b]0;pwn\x07", "\u202egnol", "a\nb", "[red]", "long " * 99])
def test_the_name_of_a_measure_steers_nothing(name: str) -> None:
    made = generation(3, 4, **{name: (1, 2)})
    for line in (Rows(made, 200).head, Rows(made, 200).row(made)):
        assert line.isprintable()
        assert len(line) <= 200


def test_shares_are_rounded_down_and_only_what_is_perfect_is_whole() -> None:
    assert [share(0, 5), share(1, 3), share(9999, 10_000), share(99_999, 100_000), share(7, 7)] == [
        "0.00%",
        "33.33%",
        "99.99%",
        "99.99%",
        "100.00%",
    ]
    assert share(0, 0) == "-"
    assert percent(Score(of=8, answered=4, right=2)) == "25.00%"


def test_a_plot_has_a_column_a_round_as_high_as_x_is_right() -> None:
    made = [generation(right, 8, number) for number, right in enumerate((0, 2, 4, 8), 1)]
    lines = plot(made, 80, "utf-8").splitlines()
    assert len(lines) == 9
    columns = [[line[6 + 4 * i : 7 + 4 * i].strip() for line in lines[:8]] for i in range(4)]
    assert ["".join(column) for column in columns] == ["", "█" * 2, "█" * 4, "█" * 8]
    assert lines[0].startswith(" 100%")
    assert lines[-1].split() == ["round", "1", "4"]


def test_a_plot_of_many_rounds_shows_the_last_and_is_plain_where_it_must_be() -> None:
    made = [generation(8, 8, number) for number in range(1, 101)]
    lines = plot(made, 40, "ascii").splitlines()
    assert all(len(line) <= 40 for line in lines)
    assert "#" in lines[0]
    assert lines[0].isascii()
    assert lines[-1].split()[-1] == "100"
