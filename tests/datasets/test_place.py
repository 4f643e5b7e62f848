"""A dataset is at its place whole or not at all, whatever stops its making."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hch.datasets.folder import naming
from hch.datasets.manifest import NAME, Manifest, totals
from hch.datasets.place import MARK, building
from hch.errors import UsageError
from tests.datasets.made import entry, make, manifest, numbered, tree, write

ROOT = Path(__file__).parents[2]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_there_when_it_is_whole(home: Path) -> None:
    with building(home / "d") as folder:
        assert not (home / "d").exists()
        assert folder.parent == home
        files = write(folder, numbered(3))
        manifest(files, [entry("r1")]).write(folder)
    assert names(home) == ["d"]
    assert Manifest.read(home / "d").files == tuple(files)
    assert MARK not in names(home / "d")


def broken(out: Path, error: type[BaseException]) -> None:
    with building(out, force=True) as folder:
        write(folder, numbered(3))
        raise error


@pytest.mark.parametrize(
    "error", [ZeroDivisionError, KeyboardInterrupt, UsageError, ConnectionError]
)
def test_after_an_error_nothing_is_left(error: type[BaseException], home: Path) -> None:
    with pytest.raises(error):
        broken(home / "d", error)
    assert names(home) == []
    make(home / "d", numbered(5))
    before = tree(home / "d")
    with pytest.raises(error):
        broken(home / "d", error)
    assert names(home) == ["d"]
    assert tree(home / "d") == before


def test_an_empty_folder_is_taken_and_an_earlier_dataset_only_by_force(home: Path) -> None:
    (home / "d").mkdir()
    make(home / "d", numbered(5))
    before = tree(home / "d")
    with pytest.raises(UsageError, match="would be replaced: add --force"):
        make(home / "d", numbered(6))
    assert tree(home / "d") == before
    make(home / "d", numbered(6), force=True)
    assert tree(home / "d") != before
    assert names(home) == ["d"]


def test_force_replaces_no_other_folder(home: Path) -> None:
    (home / "d").mkdir()
    (home / "d/letter.txt").write_text("mine")
    for text in ("", "{}", '{"format": 1}'):
        (home / "d/hch-manifest.json").write_text(text)
        with pytest.raises(UsageError, match="no dataset of hch"):
            make(home / "d", numbered(5), force=True)
    assert (home / "d/letter.txt").read_text() == "mine"
    assert names(home) == ["d"]


def test_what_is_no_place_is_refused_in_a_line(home: Path) -> None:
    (home / "file").write_text("")
    (home / "link").symlink_to(home / "elsewhere")
    (home / "to").mkdir()
    (home / "linked").symlink_to(home / "to")
    odd = ["", ".", "/", "..", "file", "link", "linked", "no/d", "file/d", "a\0b", "a\nb",
           "a\x1b[2J", "\udc80", "x" * 250, "\u202ed"]  # fmt: skip
    for name in odd:
        place = Path("/") if name == "/" else home / name if name not in ("", ".") else Path(name)
        with pytest.raises(UsageError) as caught, building(place, force=True):
            pass
        assert str(caught.value).startswith("--out "), name
        assert "\n" not in str(caught.value)
        assert str(caught.value).isprintable()
    assert names(home) == ["file", "link", "linked", "to"]


def test_a_dataset_has_no_other_in_it(home: Path) -> None:
    make(home / "d", numbered(5))
    before = tree(home / "d")
    (home / "link").symlink_to(home / "d/answer")
    for place in (home / "d/inner", home / "d/answer/train", home / "link/e"):
        with pytest.raises(UsageError, match=f"is within the dataset {home / 'd'}: name a folder"):
            make(place, numbered(5), force=True)
    assert tree(home / "d") == before


def test_two_builds_of_one_place_refuse_each_other(home: Path) -> None:
    with building(home / "d") as folder:
        files = write(folder, numbered(3))
        with pytest.raises(UsageError, match="is being built by another process"):
            make(home / "d", numbered(5))
        with building(home / "e") as other:
            manifest(write(other, numbered(2))).write(other)
        manifest(files).write(folder)
    assert names(home) == ["d", "e"]


def test_a_folder_that_no_build_has_left_is_left(home: Path) -> None:
    (home / ".d.partial").mkdir()
    (home / ".d.partial/letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="hch has not made what is in it"):
        make(home / "d", numbered(5))
    assert (home / ".d.partial/letter.txt").read_text() == "mine"
    (home / ".e.partial").write_text("mine")
    with pytest.raises(UsageError, match="it is no folder"):
        make(home / "e", numbered(5))


def test_the_old_one_is_put_back_where_the_new_one_did_not_come(home: Path) -> None:
    """Killed between two renames, where names cannot be exchanged."""
    make(home / "d", numbered(5))
    before = tree(home / "d")
    (home / "d").rename(home / ".d.old")
    with pytest.raises(UsageError, match="add --force"):
        make(home / "d", numbered(6))
    assert tree(home / "d") == before
    assert names(home) == ["d"]


def full(out: Path) -> None:
    with building(out) as folder:
        (folder / "full").symlink_to("/dev/full")
        with naming(folder / "full"):
            (folder / "full").write_bytes(b"x")


def test_a_folder_that_may_not_be_written_is_told_in_a_line(home: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be written: No space left on device"):
        full(home / "d")
    assert names(home) == []


BUILD = """
import os, resource, signal, sys
from pathlib import Path
from hch.errors import UsageError
from tests.datasets.made import make, numbered

def killed():
    yield from numbered(60)
    os.kill(os.getpid(), signal.SIGKILL)

if "full" in sys.argv:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
rows = killed() if "killed" in sys.argv else numbered(60)
try:
    make(Path("d"), rows, sys.argv[1], force=True, size=20)
except UsageError as error:
    sys.exit(str(error))
"""
"""Makes the dataset anew, of 60 rows; or is killed when these are written; or finds no room."""


def build(home: Path, *words: str, **more: str) -> int:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-c", BUILD, *(words or ("jsonl",))]
    return subprocess.run(command, env=env, cwd=home, check=False).returncode


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
def test_where_there_is_no_room_what_was_there_stays(container: str, home: Path) -> None:
    make(home / "d", numbered(100))
    before = tree(home / "d")
    command = [sys.executable, "-c", BUILD, container, "full"]
    # Coverage's own data would not find room either.
    own = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    env = {**own, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=env, cwd=home, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{home}/d cannot be written: File too large\n"
    assert names(home) == ["d"]
    assert tree(home / "d") == before


def size_of_whole(folder: Path) -> int:
    """The rows of a dataset of which every file is as its manifest has it, and no other is."""
    found = Manifest.read(folder)
    for file in found.files:
        assert file == type(file).of(folder, file.path, file.rows)
    assert set(tree(folder)) == {NAME, *(file.path for file in found.files)}
    return totals(found.counts)


def test_killed_while_rows_are_written_it_leaves_what_was_there(home: Path) -> None:
    assert build(home, "jsonl", "killed") == -signal.SIGKILL
    assert not (home / "d").exists()
    make(home / "d", numbered(100), size=20)
    assert build(home, "jsonl", "killed") == -signal.SIGKILL
    assert size_of_whole(home / "d") == 100
    assert names(home) == [".d.partial", "d"]
    assert build(home) == 0
    assert size_of_whole(home / "d") == 60
    assert names(home) == ["d"]


@pytest.mark.parametrize("earlier", [False, True])
def test_killed_at_any_step_an_old_or_a_new_one_is_there(earlier: bool, home: Path) -> None:
    if earlier:
        make(home / "d", numbered(100), size=20)
    seen = []
    for step in range(1, 30):
        code = build(home, HCH_FAIL=f"place:{step}")
        seen.append(size_of_whole(home / "d") if (home / "d").exists() else 0)
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert seen == sorted(seen, reverse=earlier)
    assert set(seen) == ({60, 100} if earlier else {0, 60})
    assert code == 0
    assert names(home) == ["d"]
