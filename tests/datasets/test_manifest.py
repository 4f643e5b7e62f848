"""What a dataset is made of: canonical bytes, and nothing read of what is no manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from hch.datasets.fingerprint import RunHash, labels_hash, run_hash
from hch.datasets.manifest import (
    LARGEST,
    NAME,
    FileEntry,
    Manifest,
    SplitEntry,
    counted,
    store_hash,
)
from hch.errors import UsageError
from hch.events import CallFinished, Event, NodeClosed, Noted
from hch.labels import Label
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.datasets.made import entry, make, manifest, numbered
from tests.stores.samples import story, words


def test_it_comes_back_and_has_canonical_bytes(home: Path) -> None:
    made = make(home / "d", numbered(20))
    data = (home / "d" / NAME).read_bytes()
    assert Manifest.read(home / "d") == made
    assert made.encoded() == data
    assert data.isascii()
    assert json.dumps(json.loads(data), indent=2, sort_keys=True) + "\n" == data.decode()
    assert str(home) not in data.decode()


def test_what_is_foreign_in_it_is_kept_as_it_is(home: Path) -> None:
    odd = "\ud800 \0 é \u202e"
    made = manifest((), options={"redact": [odd], "near": 0.5, "n": None}, models=(odd,))
    made.write(home)
    assert Manifest.read(home) == made


Change = Callable[[dict[str, Any]], Any]


def listed(**changed: Any) -> Change:
    """Change the first file that is listed."""
    return lambda data: data["files"][0].update(changed)


def twice(data: dict[str, Any]) -> None:
    data["files"].append(data["files"][0])


HOSTILE: dict[str, Change] = {
    **{
        f"the path {path[:12]!r}": listed(path=path)
        for path in (
            "../secret", "/etc/passwd", "answer/../../x", "a\\..\\b", "C:x", "a\0b", "", ".", "..",
            "answer//x", "./x", "answer/train/", ".git/config", "a/.hidden", "a b", "a\nb", "é",
            "~/x", "-rf", NAME, "x" * 200, "/".join("abcdefghij"), "%2e%2e/x", "*",
        )
    },
    "a path that is a number": listed(path=7),
    "rows that are a text": listed(rows="7"),
    "rows that are a fraction": listed(rows=7.0),
    "rows that are true": listed(rows=True),
    "fewer rows than none": listed(rows=-1),
    "more bytes than there are": listed(bytes=10**30),
    "a hash in capitals": listed(sha256="A" * 64),
    "a short hash": listed(sha256="a" * 63),
    "a hash and a line": listed(sha256="a" * 64 + "\n"),
    "a file with more to it": listed(mode="0777"),
    "a file twice": twice,
    "a run twice": lambda data: data["runs"].append(data["runs"][0]),
    "something unknown": lambda data: data.update(then="rm -rf /"),
    "nothing of its files": lambda data: data.pop("files"),
    "files that are no list": lambda data: data.update(files={}),
    "a kind that there is not": lambda data: data["counts"].update({"../x": {"train": 1}}),
    "a split that leads elsewhere": lambda data: data["counts"].update(answer={"../x": 1}),
    "a format that is a text": lambda data: data.update(format="1"),
    "a format before the first": lambda data: data.update(format=0),
    "a seed that is a text": lambda data: data["split"].update(seed="0"),
    "options that are a list": lambda data: data.update(options=[]),
    "an extension of no hash": lambda data: data.update(extends="earlier"),
}  # fmt: skip


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_manifest_is_refused_in_a_line(how: str, home: Path) -> None:
    make(home / "d", numbered(5))
    data = json.loads((home / "d" / NAME).read_bytes())
    HOSTILE[how](data)
    (home / "d" / NAME).write_text(json.dumps(data))
    assert refused(home / "d").startswith(f"{home}/d/{NAME} is no manifest of hch: ")


def refused(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        Manifest.read(folder)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 1000
    return said


def test_a_newer_one_says_so(home: Path) -> None:
    (home / NAME).write_text('{"format": 2, "files": "are now otherwise"}')
    assert refused(home).endswith("a newer hch wrote it, in format 2: upgrade hch")


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"format": 1, "format": 1}', b'{"format": NaN}',
        b'{"a": ' * 5000, b'{"format": 1e999}', b"{}", b'{"format": ' + b"9" * 5000 + b"}",
        b'"\xed\xa0\x80"', b"PAR1", b"SQLite format 3\0",
    ],
)  # fmt: skip
def test_bytes_that_are_none(data: bytes, home: Path) -> None:
    (home / NAME).write_bytes(data)
    refused(home)


def test_a_place_that_is_no_file(home: Path) -> None:
    assert "is no dataset of hch: it has no hch-manifest.json" in refused(home)
    assert "is no dataset of hch" in refused(home / "nothing")
    (home / NAME).symlink_to("/etc/hostname")
    assert "cannot be read" in refused(home)
    (home / NAME).unlink()
    (home / NAME).mkdir()
    assert "cannot be read" in refused(home)
    (home / NAME).rmdir()
    os.mkfifo(home / NAME)  # nobody writes into it
    assert "no regular file" in refused(home)
    (home / NAME).unlink()
    with (home / NAME).open("wb") as file:
        file.truncate(LARGEST + 1)
    assert "more than 67,108,864 bytes" in refused(home)


@pytest.mark.parametrize("path", ["../letter.txt", "/etc/hostname", "link", "folder/x", "a\0"])
def test_no_file_is_read_that_is_not_in_the_folder(path: str, home: Path) -> None:
    (home / "d").mkdir()
    (home / "letter.txt").write_text("mine")
    (home / "x").write_text("mine")
    (home / "d/link").symlink_to(home / "letter.txt")
    (home / "d/folder").symlink_to(home)
    with pytest.raises(UsageError, match="cannot be read"):
        FileEntry.of(home / "d", path)


def test_the_hash_of_the_store_is_that_of_its_runs_in_any_order() -> None:
    runs = [entry(name) for name in ("b", "a", "c")]
    assert store_hash(runs) == store_hash(sorted(runs, key=lambda run: run.run))
    assert store_hash(runs) != store_hash(runs[:2])
    assert store_hash(runs) != store_hash([*runs[:2], runs[2].model_copy(update={"hash": "x"})])


def test_counts_are_in_the_order_of_kinds_and_splits() -> None:
    paths = ("step/test", "step/train", "answer/other", "answer/validation", "answer/train")
    files = [
        FileEntry(path=f"{path}/00000.jsonl", rows=2, bytes=1, sha256="a" * 64) for path in paths
    ]
    found = counted([*files, files[0].model_copy(update={"path": "roots.jsonl"})])
    assert [(kind, list(splits)) for kind, splits in found.items()] == [
        ("answer", ["train", "validation", "other"]), ("step", ["train", "test"]),
    ]  # fmt: skip


def test_shares_may_be_whole(home: Path) -> None:
    made = manifest((), split=SplitEntry(rule="", seed=1, shares={"train": 1}, near=1))
    made.write(home)
    assert Manifest.read(home).split.near == 1


def kept(home: Path, name: str, events: Iterable[Event]) -> str:
    """The hash of a run of these events, in a store of its own."""
    with SqliteStore(home / name) as store:
        for n, event in enumerate(events):
            store.append("run", float(n), event)
        return run_hash(store, "run")


def test_a_runs_hash_is_of_what_it_said(home: Path) -> None:
    def said(**changed: Any) -> list[Event]:
        """The story, in which every closing and every reply may be changed."""
        kinds = {NodeClosed: "reason", CallFinished: "text"}
        return [
            event.model_copy(update={name: changed[name]})
            if (name := kinds.get(type(event), "")) in changed
            else event
            for event in story()
        ]

    assert kept(home, "a.db", story()) == kept(home, "b.db", story())
    answers = [
        event.model_copy(update={"answer": words("43")}) if isinstance(event, NodeClosed) else event
        for event in story()
    ]
    statuses = [
        event.model_copy(update={"status": "failed"}) if isinstance(event, NodeClosed) else event
        for event in story()
    ]
    others = (said(text="Something else."), answers, statuses)
    found = {kept(home, f"{n}.db", other) for n, other in enumerate((story(), *others))}
    assert len(found) == 4


def test_a_run_that_is_read_can_be_hashed_meanwhile(home: Path) -> None:
    """As it is fed node by node, with the replies in the order of thinking."""
    fed = RunHash()
    trace = Trace([Noted("run", float(n), event) for n, event in enumerate(story())])
    for node in trace.nodes():
        answer = node.closed.answer if node.closed else None
        fed.add(node.key, node.status, answer.body if answer else "")
        for _, call in node.thoughts:
            for reply in call.ends if call else ():
                if isinstance(reply, CallFinished):
                    assert fed.known(reply.request) is False
                    fed.replied(reply.request, reply.text, reply.thinking)
    assert fed.hexdigest() == kept(home, "a.db", story())


def test_a_runs_hash_tells_apart_where_texts_end() -> None:
    one, other = RunHash(), RunHash()
    one.add("k", "answered", "ab")
    other.add("ka", "answered", "b")
    assert one.hexdigest() != other.hexdigest()
    one, other = RunHash(), RunHash()
    one.replied("r", "\ud800")
    other.replied("r", "", "\ud800")
    assert one.hexdigest() != other.hexdigest()
    before = one.hexdigest()
    one.replied("r", "said again")
    assert one.hexdigest() == before


def test_the_hash_of_labels_is_of_what_holds():
    good = Label(key="k", by="person", at=1, said="good")
    bad = Label(key="k", by="person", at=2, said="bad")
    back = Label(key="k", by="person", at=3)
    truth = Label(key="k", by="truth", at=4, said="good")
    found = {labels_hash(some) for some in ([], [good], [bad], [good, truth])}
    assert len(found) == 4
    assert labels_hash([good, bad]) == labels_hash([bad, good]) == labels_hash([bad])
    assert labels_hash([good, bad, back]) == labels_hash([])
    assert labels_hash([truth, good]) == labels_hash([good, truth])
