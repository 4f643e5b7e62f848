"""`hch dataset look`: a row beside the tree that it is from, printed or on a screen."""

from __future__ import annotations

import json
import re
import sqlite3
import tracemalloc
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from hch.browse.book import Book
from hch.browse.leafing import Leafing
from hch.browse.training import node_of
from hch.compose import HCH
from hch.datasets.dataset import Dataset
from hch.datasets.shards import Container
from hch.documents.runs import Solved, documents
from hch.safe_text import safe_text
from hch.stores.memory import MemoryStore
from hch.stores.sqlite import SqliteStore
from tests.browse.runs_to_see import Reader
from tests.browse.test_hostile_screens import OURS, STEERS, Watched, hostile
from tests.commands.seat import Seat
from tests.commands.terminal import Done
from tests.datasets.made import Made, chat, entry, make, origin
from tests.payloads import BARE, PAYLOADS, raw_controls
from tests.stores.samples import label

Typed = Callable[..., Done]

KEPT = Path(".local/share/hch/hch.db")
QUESTION = "What is (2 + 3) * (4 - 1)?"


def dataset_of_a_run(typed: Typed, home: Path, container: Container = "jsonl") -> str:
    """The dataset `d`: a row for each node of a run that is in the store; the run."""
    typed("ask", QUESTION, "--depth", "2", "-s", "script")
    [run] = [row["run"] for row in json.loads(typed("runs", "--json").out)]
    store = HCH().kept_in
    outline, keys = store.outline(run), json.loads(store.outline(run).keys)
    rows = [
        Made("answer", "train" if n else "test", chat(f"Question {n}", f"Answer {n}"),
             origin(run, outline.id(n), key=keys[n], level=outline.level[n]))
        for n in range(outline.n)
    ]  # fmt: skip
    make(home / "d", rows, container, runs=[entry(run, store)], size=2)
    store.close()
    return run


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
def test_a_row_is_printed_with_the_nodes_to_it(
    container: Container, typed: Typed, home: Path
) -> None:
    run = dataset_of_a_run(typed, home, container)
    done = typed("dataset", "look", "d", "1")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "answer/train  row 1 of 3"
    text = done.out
    for said in ("prompt  user\n  Question 2", "completion  assistant\n  Answer 2"):
        assert said in text
    assert re.search(rf"run +{run}", text)
    assert re.search(rf"file +answer/train/00000\.{container}:2", text)
    assert re.search(r"node +0\.2\n", text)
    assert QUESTION in text
    above, below = text.index("0  HCH_2"), text.index("0.2  HCH_1")
    assert text.index("From the root to here   2 nodes") < above < below
    assert typed("dataset", "look", "d", "1", "--plain") == done
    asked = typed("dataset", "look", "d", "0", "--plain").out
    assert "Asked of the oracle: 1 question\n  ✓ 0  What is 2 + 3? → 5" in asked


def test_rows_are_counted_within_what_is_asked_for(typed: Typed, home: Path) -> None:
    dataset_of_a_run(typed, home)
    done = typed("dataset", "look", "d", "0", "--split", "test", "--json")
    found = json.loads(done.out)
    assert found["row"] == chat("Question 0", "Answer 0")
    assert (found["kind"], found["split"], found["line"]) == ("answer", "test", 1)
    assert [(node["node"], node["said"]) for node in found["path"]] == [("0", "15")]
    found = json.loads(typed("dataset", "look", "d", "2", "--json").out)
    assert found["row"] == chat("Question 0", "Answer 0")  # after those of train


def test_labels_are_shown(typed: Typed, home: Path) -> None:
    run = dataset_of_a_run(typed, home)
    store = HCH().kept_in
    key = json.loads(store.outline(run).keys)[1]
    store.label(run, [label(key, "person:ada", said="bad", score=0.25, note="wrong sign\x1b[2J")])
    store.close()
    text = typed("dataset", "look", "d").out
    labels = text.partition("Labels\n")[2].partition("\n\n")[0]
    assert re.search(r"bad +by person:ada\n +score +0\.25\n +note +wrong sign\\x1b\[2J", labels)


def test_no_more_is_read_of_a_run_than_its_node(typed: Typed, home: Path) -> None:
    """A label of another node that cannot be read is no matter."""
    run = dataset_of_a_run(typed, home)
    store = HCH().kept_in
    keys = json.loads(store.outline(run).keys)
    store.label(run, [label(key, "person:ada", said="good") for key in keys[1:3]])
    store.close()
    with closing(sqlite3.connect(home / KEPT)) as db, db:
        db.execute("UPDATE label_log SET said = 'ugly' WHERE key = ?", (keys[2],))
    assert "by person:ada" in typed("dataset", "look", "d").out
    assert typed("dataset", "look", "d", "1").code == 5


def test_a_node_is_found_without_the_keys_of_all_others(home: Path) -> None:
    solved = [Solved(f"Question {n}?", "So") for n in range(1000)]
    [document] = documents("questions", "many.jsonl", 1, solved)
    store = MemoryStore()
    store.bring(document.run, document.records(0.0))
    [row] = store.runs()
    book = Book(store, row)
    key = json.loads(book.outline.keys)[book.outline.find("7") or 0]
    make(home / "d", [Made("answer", "train", chat("Q", "A"), origin(row.run, "7", key=key))])
    dataset = Dataset(home / "d")
    page = dataset.page(dataset.shards(), 0)
    tracemalloc.start()
    found = node_of(book, page)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found == book.outline.find("7")
    assert peak < len(book.outline.keys) // 2


def test_a_row_that_names_no_key_is_shown(typed: Typed, home: Path) -> None:
    run = dataset_of_a_run(typed, home)
    rows = [
        Made("answer", "train", chat("Question 7", "A"), origin(run, "0", key=key))
        for key in (None, "\ud800", "x" * 5000, ["0"])
    ]
    make(home / "e", rows)
    for n in range(len(rows)):
        done = typed("dataset", "look", "e", str(n))
        assert (done.code, "Question 7" in done.out) == (0, True)
        assert "has no node that this row is from" in done.err


def test_without_its_run_there_is_only_the_row(typed: Typed, home: Path) -> None:
    run = dataset_of_a_run(typed, home)
    typed("runs", "rm", run, "--yes")
    done = typed("dataset", "look", "d")
    assert (done.code, done.err) == (
        0, f"hch: {home / KEPT} has no node that this row is from: {run}\n",
    )  # fmt: skip
    assert "Question 1" in done.out
    assert "From the root" not in done.out
    assert json.loads(typed("dataset", "look", "d", "--json").out)["path"] == []


def test_another_run_of_that_id_is_not_taken_for_it(typed: Typed, home: Path) -> None:
    run = dataset_of_a_run(typed, home)
    rows = [Made("answer", "train", chat("Q", "A"), origin(run, "0", key="another"))]
    make(home / "e", rows)
    assert "From the root" not in typed("dataset", "look", "e").out


def test_every_kind_of_column_is_shown(typed: Typed, home: Path) -> None:
    row = {
        "steps": ["first", "second"], "labels": [True, False], "score": 0.5, "nothing": None,
        "logprobs": [[-0.5, -1.0]] * 30, "turns": [{"from": "human", "value": "Why?"}],
        "about": {"task": "path"},
    }  # fmt: skip
    columns = {
        "steps": ["text"], "labels": ["flag"], "score": "number", "nothing": "text",
        "logprobs": [["number"]], "turns": [{"from": "text", "value": "text"}],
        "about": {"task": "text"},
    }  # fmt: skip
    make(home / "d", [Made("step", "train", row, origin())], columns=columns)
    text = typed("dataset", "look", "d").out
    for said in (
        "steps 1\n  first",
        "steps 2\n  second",
        "labels\n  [true, false]",
        "turns  human\n  Why?",
        "about.task\n  path",
        "logprobs\n  [[-0.5, -1.0], ",
    ):
        assert said in text  # fmt: skip
    assert re.search(r"score +0\.5\n", text)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing",), "there is no folder nothing"),
        (("d", "3"), "there is no row 3: the rows are 0 to 2"),
        (("d", "-1"), "no option -1"),
        (("d", "--kind", "soft"), "d has no rows of soft: answer/train, answer/test"),
        (("d", "--split", "../x"), "d has no rows of ../x"),
        (("d", "--kind", ""), "--kind is empty"),
        (("d", "--theme", "grey"), "no theme is called grey"),
    ],
)
def test_wrong_use_is_a_line(
    words: tuple[str, ...], said: str, typed: Typed, home: Path
) -> None:  # fmt: skip
    make(
        home / "d", [Made("answer", s, chat("Q", "A"), origin()) for s in ("train", "test", "test")]
    )
    done = typed("dataset", "look", *words)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert said in done.err


@asynccontextmanager
async def leafing(size: tuple[int, int] = (140, 40), number: int = 0) -> AsyncIterator[Reader]:
    """Somebody who looks at the dataset `d`."""
    dataset = Dataset(Path("d"))
    with SqliteStore(KEPT) as store:
        app = Leafing(dataset, dataset.shards(), store, number)
        async with app.run_test(size=size) as pilot:
            reader = Reader(app, pilot)
            await reader.press()
            yield reader


@pytest.fixture
def run(typed: Typed, home: Path) -> str:
    return dataset_of_a_run(typed, home)


@pytest.fixture
def removed(run: str, typed: Typed) -> None:
    typed("runs", "rm", run, "--yes")


async def test_rows_are_paged_through_beside_their_trees(run: str) -> None:
    async with leafing() as reader:
        assert reader.head.strip() == f"0 of 3  answer/train  run {run}  node 0.1"
        assert "Question 1" in "\n".join(reader.lines)
        [root, first, second] = reader.seen(reader.app.screen.query_one("Tree"))[:3]
        assert QUESTION in root
        assert "What is 2 + 3? → 5" in first
        assert "What is 4 - 1? → 3" in second
        await reader.press("n")
        assert reader.head.endswith("node 0.2")
        assert "Question 2" in "\n".join(reader.lines)
        await reader.press("n", "n", "n")
        assert reader.head.strip().startswith("2 of 3  answer/test")
        assert reader.head.endswith("node 0")
        await reader.press("p")
        assert reader.head.endswith("node 0.2")
        await reader.press("tab")
        assert "What is 4 - 1? → 3" in reader.row
        await reader.press("k", "o")
        assert reader.app.screen.__class__.__name__ == "Reading"
        assert "What is 2 + 3?" in reader.row
        await reader.press("q", "tab", "q", "q")
    assert reader.app.return_code == 0


async def test_where_it_is_narrow_the_tree_has_the_screen_in_turn(run: str) -> None:
    async with leafing((60, 20)) as reader:
        assert "Question 1" in "\n".join(reader.lines)
        assert not any("2 + 3? → 5" in line for line in reader.lines)
        await reader.press("tab")
        assert any("2 + 3? → 5" in line for line in reader.lines)
        assert "Question 1" not in "\n".join(reader.lines)
        await reader.press("tab")
        assert "Question 1" in "\n".join(reader.lines)


async def test_a_row_without_its_run_stands_alone(removed: None) -> None:
    async with leafing() as reader:
        assert "has no node that this row is from" in reader.foot
        await reader.press("tab", "o", "n")
        assert "Question 2" in "\n".join(reader.lines)


async def test_a_file_that_went_is_told_and_no_end(run: str) -> None:
    file = Path("d/answer/test/00000.jsonl")
    async with leafing() as reader:
        await to_thread(file.unlink)
        await reader.press("N")
        assert reader.foot.strip().startswith("d/answer/test/00000.jsonl cannot be read: No such")
        assert "Question 1" in "\n".join(reader.lines)
        await reader.press("n")
        assert "Question 2" in "\n".join(reader.lines)


def test_in_a_terminal_it_is_a_screen(typed: Typed, home: Path) -> None:
    dataset_of_a_run(typed, home)
    with Seat("dataset", "look", "d", columns=120) as seat:
        seat.until("Question 1")
        seat.type("n")
        seat.until("Question 2")
        seat.type("q")
        seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    with Seat("dataset", "look", "d", TERM="dumb") as seat:
        assert "From the root to here" in seat.rest()
        assert seat.code == 0


def hostile_rows(home: Path) -> None:
    """The dataset `d`: a row of each node of the hostile run."""
    hostile(home)
    made = []
    for n, payload in enumerate(PAYLOADS):
        sound = payload.text.encode("utf-8", "replace").decode()
        row = {"prompt": [{"role": payload.text, "content": payload.text}], "said": payload.text}
        named = {"key": f"k{n} {sound}", "task": payload.text, payload.text: payload.text}
        made.append(Made("answer", "train", row, origin(f"run {STEERS}", f"0.{n + 1}", **named)))
    columns = {"prompt": [{"role": "text", "content": "text"}], "said": "text"}
    make(home / "d", made, columns=columns, runs=[entry(f"run {STEERS}")])


@pytest.mark.leaves_open
def test_nothing_of_a_hostile_row_steers_the_screen(home: Path) -> None:
    hostile_rows(home)
    command = ("dataset", "look", "d", "--store", "hostile.db")
    with Watched(*command, columns=200, rows=45, COLORTERM="truecolor") as seat:
        seat.press("", "PWN000")
        for n in range(1, len(PAYLOADS)):
            seat.press("n", f"node 0.{n + 1}")
        seat.press("\x03")
        while seat._more():
            pass
        assert (seat.code, seat.sane) == (0, True)
        assert raw_controls(seat.all, OURS) == []
        assert seat.marks >= {
            f"PWN{n:03}" for n, payload in enumerate(PAYLOADS) if payload.kind not in BARE
        }  # fmt: skip


@pytest.mark.leaves_open
def test_nothing_of_a_hostile_row_steers_what_is_printed(typed: Typed, home: Path) -> None:
    hostile_rows(home)
    for n, payload in enumerate(PAYLOADS):
        done = typed("dataset", "look", "d", str(n), "--store", "hostile.db")
        assert (done.code, done.err) == (0, "")
        assert raw_controls(done.out.encode()) == []
        shown = safe_text(re.sub("[\ud800-\udfff]", "\ufffd", payload.text))
        assert all(line in done.out for line in shown.splitlines())
