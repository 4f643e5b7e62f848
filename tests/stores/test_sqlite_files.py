"""What the SQLite store makes of files that are missing, empty, foreign, older, full or damaged."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from hch.errors import StoreError, UsageError
from hch.events import Record
from hch.stores import _sqlite_schema as schema
from hch.stores.sqlite import SqliteStore, build
from tests.stores.samples import closed, finished, opened, story
from tests.stores.writing import older, python, write

pytestmark = pytest.mark.leaves_open


def test_reading_makes_no_file(tmp_path: Path) -> None:
    store = build(str(tmp_path / "no" / "such" / "runs.db"))
    assert store.runs() == []
    with pytest.raises(StoreError, match="no run"):
        store.events("a")
    store.rebuild_index()
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_an_empty_store(tmp_path: Path) -> None:
    zero, bare = tmp_path / "zero.db", tmp_path / "bare.db"
    zero.touch()
    db = sqlite3.connect(bare)
    db.execute("PRAGMA user_version = 0")
    db.execute("VACUUM")
    db.close()
    for path in (zero, bare):
        size = path.stat().st_size
        with SqliteStore(path) as store:
            assert store.runs() == []
            assert path.stat().st_size == size
            write(store, "a", *story())
            assert len(store.runs()) == 1


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    letter, foreign = tmp_path / "letter.db", tmp_path / "foreign.db"
    letter.write_text("This is a letter, not a store.\n" * 100)
    db = sqlite3.connect(foreign)
    db.execute("CREATE TABLE songs (title TEXT)")
    db.close()
    for path, what in ((letter, "no store of hch"), (foreign, "another program's")):
        before = path.read_bytes()
        store = SqliteStore(path)
        with pytest.raises(StoreError, match=what) as raised:
            store.runs()
        assert str(path) in str(raised.value)
        assert "--store" in str(raised.value)
        store.append("a", 1.0, opened("k"))
        with pytest.raises(StoreError, match=what):
            store.flush()
        store.close()
        assert path.read_bytes() == before
        assert sorted(file.name for file in tmp_path.iterdir()) == ["foreign.db", "letter.db"]


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder: name a file"):
        build(str(tmp_path))
    late = tmp_path / "late.db"
    with SqliteStore(late) as store:
        late.mkdir()
        _assert_refused(store, "is a folder: name another with --store")
    assert list(tmp_path.iterdir()) == [late]


@pytest.mark.parametrize("name", ["", " ", ".", "..", "/", "a/..", "~", "~nobody-of-that-name/a"])
def test_a_path_that_names_no_file_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="name a file, as in --store"):
        build(name)


@pytest.mark.parametrize("name", ["\udcff.db", "\ud800", "a\0.db"])
def test_a_name_that_utf8_cannot_hold_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="not plain UTF-8") as raised:
        build(f"{tmp_path}/{name}")
    assert str(raised.value).isascii()


def test_a_device_is_no_store() -> None:
    for name in ("/dev/null", "/dev/full"):
        with SqliteStore(name) as store:
            _assert_refused(store, "is no regular file: name another with --store")
        assert not Path(f"{name}.locks").exists()


def test_a_place_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("no folder")
    (tmp_path / "loop").symlink_to("loop")
    places = {
        "/proc/no/such/runs.db": "No such file",
        f"{tmp_path}/letter/runs.db": "Not a directory",
        f"{tmp_path}/loop": "symbolic links",
        f"{tmp_path}/{'x' * 300}": "too long",
    }
    for place, why in places.items():
        store = SqliteStore(place)
        with pytest.raises(StoreError, match=rf"{why}.*--store") as raised, store.live("a"):
            pass
        assert place in str(raised.value)
        store.append("a", 1.0, opened("k"))
        with pytest.raises(StoreError, match=rf"{why}.*--store") as raised:
            store.flush()
        assert place in str(raised.value)
        assert "resume" not in str(raised.value)
        store.close()


def _assert_refused(store: SqliteStore, why: str) -> None:
    """Whatever is done with it, to write included."""
    uses: list[Callable[[], object]] = [
        store.runs,
        lambda: store.events("a"),
        lambda: store.live("a"),
        lambda: store.remove(["a"]),
        lambda: store.shelve({"a": "text"}),
        lambda: store.shelved("a"),
        store.shelf,
        store.rebuild_index,
        lambda: write(store, "a", opened("k")),
    ]
    for use in uses:
        with pytest.raises(StoreError, match=why) as raised:
            use()
        assert store.place in str(raised.value)
        assert "resume" not in str(raised.value)


def test_a_newer_version_is_refused(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    newer = len(schema.MIGRATIONS) + 1
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {newer}")
    db.close()
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match=rf"newer hch \(schema {newer}.*upgrade hch"):
            store.runs()
        store.append("a", 1.0, opened("k"))
        with pytest.raises(StoreError, match="upgrade hch"):
            store.flush()


def test_an_older_version_is_brought_up_to_date(path: Path) -> None:
    """Version 0 is a file of ours without a schema; a later one gets what it lacks, in order."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    with SqliteStore(path) as store:
        assert store.runs() == []
        write(store, "a", *story())
    versions = (*schema.MIGRATIONS, "CREATE TABLE late (n);\n\nINSERT INTO late VALUES (1)", "")
    schema.migrate(db, path, versions)
    assert db.execute("SELECT n FROM late").fetchall() == [(1,)]
    assert db.execute("PRAGMA user_version").fetchone() == (len(versions),)
    assert db.execute("SELECT count(*) FROM event_log").fetchone() == (len(story()),)
    db.close()


def test_reading_an_older_version_brings_it_up_to_date(path: Path) -> None:
    again = [opened("k"), closed("k"), opened("k")]
    older(path, 1, *again)
    db = sqlite3.connect(path)
    assert db.execute("SELECT status FROM nodes").fetchall() == [("answered",)]
    with SqliteStore(path) as store:
        assert [record.event for record in store.events("a")] == again
        write(store, "b", *story())
    assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    assert db.execute("SELECT status FROM nodes WHERE run = 'a'").fetchall() == [(None,)]
    db.close()


def test_a_version_that_knew_no_imports_is_brought_up_to_date(
    path: Path, sql: Callable[..., list[Any]]
) -> None:
    older(path, 2, *story())
    with SqliteStore(path) as store:
        assert [(row.run, row.imported) for row in store.runs()] == [("a", False)]
        store.bring("b", list(store.events("a")))
        assert store.check(deep=True) == []
    assert sql("SELECT run, imported FROM runs ORDER BY run") == [("a", 0), ("b", 1)]


HOSTILE = [
    ("CREATE TRIGGER evil AFTER INSERT ON event_log BEGIN DELETE FROM texts; END", "trigger evil"),
    ("CREATE VIEW evil AS SELECT load_extension('x')", "view evil"),
    ("CREATE TABLE evil (n)", "table evil"),
    ("CREATE INDEX evil ON event_log (type)", "index evil"),
    ('CREATE TABLE "e\x1b[31m\nvil" (n)', r"table e\x1b[31m vil"),
]


@pytest.mark.parametrize(("statement", "what"), HOSTILE)
def test_a_file_with_something_in_it_that_is_not_ours_is_refused(
    path: Path, statement: str, what: str
) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement)
    before = path.read_bytes()
    with SqliteStore(path) as store:
        _assert_not_opened(store, f"the store {path} has the {what} in it, which hch has not made")
    assert path.read_bytes() == before


def test_a_view_of_ours_that_somebody_rewrote_is_refused(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP VIEW runs")
        db.execute("CREATE VIEW runs AS SELECT 1 AS run")
    with SqliteStore(path) as store:
        _assert_not_opened(store, f"the store {path}: its view runs is not what hch made: the file")


def test_a_table_of_ours_that_is_gone_is_damage(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DROP TABLE texts")
    with SqliteStore(path) as store:
        _assert_not_opened(
            store, f"the store {path}: its index texts_by_hash is not what hch made: the"
        )


def test_what_analyze_made_is_no_harm(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("ANALYZE")
    with SqliteStore(path) as store:
        assert store.check(deep=True) == []


def _assert_not_opened(store: SqliteStore, why: str) -> None:
    uses: list[Callable[[], object]] = [
        store.runs,
        lambda: store.events("a"),
        lambda: store.remove(["a"]),
        lambda: store.bring("b", [Record(run="b", seq=1, at=1.0, event=opened("k"))]),
        lambda: store.shelve({"a": "text"}),
        lambda: store.shelved("a"),
        store.shelf,
        lambda: store.backup(Path("copy.db")),
        store.vacuum,
        store.rebuild_index,
        lambda: write(store, "a", opened("k")),
    ]
    for use in uses:
        with pytest.raises(StoreError, match=re.escape(why)) as raised:
            use()
        assert "\n" not in str(raised.value)
    assert why in store.check()[0]


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    db = sqlite3.connect(path, isolation_level=None)
    broken = (*schema.MIGRATIONS, "CREATE TABLE late (n);\n\nINSERT INTO nowhere VALUES (1)")
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(db, path, broken)
    assert db.execute("PRAGMA user_version").fetchone() == (len(schema.MIGRATIONS),)
    assert db.execute("SELECT 1 FROM sqlite_master WHERE name = 'late'").fetchall() == []
    db.close()


def test_a_full_disk_ends_writing_and_keeps_what_was_durable(path: Path) -> None:
    durable: list[int] = []

    def fill(store: SqliteStore) -> None:
        for number in range(1000):
            write(store, "a", finished(f"r{number}", text="x" * 500, raw=b"r" * 500))
            durable.append(number)

    with SqliteStore(path, pragmas={"max_page_count": 30}) as store:
        with pytest.raises(StoreError, match="make room on the disk"):
            fill(store)
        assert len(durable) > 1
        with pytest.raises(StoreError, match="make room"):
            store.append("a", 1.0, opened("k"))
        assert len(list(store.events("a"))) == len(durable)
    with SqliteStore(path) as store:
        assert len(list(store.events("a"))) == len(durable)
        write(store, "a", opened("k"))
        assert store.runs()[0].tokens == 12 * len(durable)


def test_a_disk_that_is_full_at_the_start_leaves_nothing_to_resume(path: Path) -> None:
    with SqliteStore(path, pragmas={"max_page_count": 1}) as store:
        with pytest.raises(StoreError, match=r"make room on the disk, or .*--store") as raised:
            write(store, "a", *story())
        assert "resume" not in str(raised.value)
    with SqliteStore(path) as store:
        write(store, "a", opened("k"))
    with SqliteStore(path, pragmas={"max_page_count": 1}) as store:
        assert len(list(store.events("a"))) == 1
        with pytest.raises(StoreError, match="make room on the disk, then resume the run"):
            write(store, "a", *(opened(f"k{n}", "x" * 999) for n in range(100)))


def test_a_damaged_file_is_told(path: Path) -> None:
    with SqliteStore(path) as store:
        for number in range(50):
            write(store, "a", finished(f"r{number}", text="x" * 500))
    data = bytearray(path.read_bytes())
    data[4096 * 2 :] = b"\xff" * (len(data) - 4096 * 2)
    path.write_bytes(data)
    with SqliteStore(path) as store, pytest.raises(StoreError, match=r"damaged|malformed"):
        list(store.events("a"))


@pytest.mark.parametrize("seed", range(24))
def test_random_damage_is_told_whatever_is_done(path: Path, seed: int) -> None:
    random = Random(seed)
    with SqliteStore(path) as store:
        for run in ("a", "b"):
            write(store, run, *story())
            for number in range(30):
                write(store, run, finished(f"r{number}", text="é" * random.randrange(2000)))
    data = bytearray(path.read_bytes())
    if seed % 2:
        data[4096:] = random.randbytes(len(data) - 4096)
    else:  # here and there
        for _ in range(random.choice([5, 50, 500])):
            data[random.randrange(4096, len(data))] = random.randrange(256)
    path.write_bytes(data)
    uses: list[Callable[[SqliteStore], object]] = [
        lambda store: store.runs(),
        lambda store: list(store.events("a")),
        lambda store: list(store.events("b", "CallFinished")),
        lambda store: write(store, "a", *story()),
        lambda store: store.rebuild_index(),
        lambda store: store.remove(["b"]),
    ]
    told = [error for use in uses if (error := _told(path, use))]
    assert told if seed % 2 else True
    for error in told:
        assert str(path) in error
        assert "the file is damaged; copy it" in error or "there is no run" in error
        assert "\n" not in error


def _told(path: Path, use: Callable[[SqliteStore], object]) -> str:
    """What is raised where the store is used so; only a StoreError may be."""
    try:
        with SqliteStore(path, patience=0.1) as store:
            use(store)
    except StoreError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event_log SET body = CAST(x'ff22' AS TEXT)",
        "UPDATE event_log SET body = x'ff'",
        "UPDATE event_log SET body = 7",
        "UPDATE event_log SET body = '{'",
        "UPDATE event_log SET body = '[]'",
        """UPDATE event_log SET body = '{"$text": [[]]}'""",
        """UPDATE event_log SET body = '{"$dict": 7}'""",
        "UPDATE event_log SET at = 'late'",
        "DELETE FROM event_log WHERE type = 'Thought'",
        "DELETE FROM event_log WHERE type = 'RunFinished'",
        "DELETE FROM replies",
        "UPDATE run_index SET last = 'many'",
    ],
)
def test_rows_that_nobody_has_written_are_damage(path: Path, damage: str) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(damage)
    db.close()
    error = _told(path, lambda store: list(store.events("a")))
    assert "the file is damaged; copy it" in error
    assert str(path) in error


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE run_index SET question = CAST(x'ff' AS TEXT)",
        "UPDATE run_index SET players = '7'",
        "UPDATE run_index SET players = x'ff'",
        "UPDATE run_index SET players = '[1]'",
        "UPDATE run_index SET started = 'late'",
        "UPDATE run_index SET status = x'ff'",
    ],
)
def test_rows_of_the_index_that_nobody_has_written_are_damage(path: Path, damage: str) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
        before = store.runs()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(damage)
    db.close()
    assert "the file is damaged; copy it" in _told(path, lambda store: store.runs())
    with SqliteStore(path) as store:
        store.rebuild_index()
        assert store.runs() == before


def test_a_file_of_ours_whose_tables_are_gone_is_damaged(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(f"PRAGMA application_id = {schema.APPLICATION}")
    db.execute("PRAGMA user_version = 1")
    db.close()
    assert "the file is damaged" in _told(path, lambda store: store.runs())


def test_an_event_that_cannot_be_understood_is_told(path: Path) -> None:
    with SqliteStore(path) as store:
        write(store, "a", *story())
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("""UPDATE event_log SET body = '{"type": "Dreamt"}' WHERE type = 'Thought'""")
    db.close()
    with SqliteStore(path) as store:
        with pytest.raises(StoreError, match="event 4 of run a cannot be read"):
            list(store.events("a"))
        assert len(list(store.events("a", "NodeOpened"))) == 2


def test_a_store_that_cannot_be_written_can_be_read() -> None:
    reads = (
        "import os, sys",
        "from hch.errors import StoreError",
        "from hch.stores.sqlite import SqliteStore",
        "from tests.stores.samples import opened",
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)  # root may write anywhere",
        "with SqliteStore(sys.stdin.readline().strip()) as store:",
        "    print(store.runs()[0].status, len(list(store.events('a'))))",
        "    store.append('a', 1.0, opened('k'))",
        "    try: store.flush()",
        "    except StoreError as error: print(error)",
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        with SqliteStore(path) as store:
            write(store, "a", *story())
        path.chmod(0o444)
        path.parent.chmod(0o555)
        told, _ = python(*reads).communicate(f"{path}\n")
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        path.parent.chmod(0o755)
    first, second = told.splitlines()
    assert first == f"answered {len(story())}"
    assert "readonly" in second
    assert "writable" in second
