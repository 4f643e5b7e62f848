"""What is from a file of an evaluation: `hch.datasets.contamination`."""

from __future__ import annotations

import csv
import json
from hashlib import sha256
from pathlib import Path

import pytest

from hch.datasets.contamination import Contamination, File, Hit
from hch.errors import UsageError

THIRTEEN = "one two three four five six seven eight nine ten eleven twelve thirteen"
TWELVE = THIRTEEN.rpartition(" ")[0]


def written(home: Path, name: str, text: str) -> Path:
    path = home / name
    path.write_text(text, "utf-8")
    return path


def test_the_same_question_is_found_however_it_is_spelt(home: Path) -> None:
    path = written(home, "test.txt", "Why?\nWhat is  2 + 3?\n\n")
    found = Contamination.read([path]).found
    assert found(["what is 2 + 3?"]) == Hit("test.txt", 2, "same", "what is 2 + 3?")
    assert found(["no", "WHAT is 2 + 3?\n"]) == Hit("test.txt", 2, "same", "what is 2 + 3?")
    assert found(["what is 2 - 3?", "", " "]) is None
    assert found([]) is None


def test_thirteen_words_in_a_row_are_found_and_twelve_are_not(home: Path) -> None:
    path = written(home, "test.txt", f"so: {THIRTEEN} and so on\n")
    found = Contamination.read([path]).found
    hit = Hit("test.txt", 1, "13-gram", THIRTEEN)
    assert found([f"Say {THIRTEEN.upper()} again"]) == hit
    assert found(["Say"], [f"It is\n{THIRTEEN}"]) == hit
    assert found([f"{TWELVE} and a thirteenth"]) is None
    assert found([f"{TWELVE}, thirteen"]) is None
    assert found([THIRTEEN.replace("seven", "7")]) is None


def test_an_answer_that_a_file_has_too_is_not_from_it(home: Path) -> None:
    path = written(home, "test.jsonl", '{"question": "What is 2 + 3?", "answer": "5"}\n')
    contamination = Contamination.read([path])
    assert contamination.found(["What is 1 + 4?"], ["5"]) is None
    assert contamination.found(["What is 2 + 3?"], ["5"]) is not None


def test_every_string_of_json_counts_and_no_key(home: Path) -> None:
    deep = json.dumps({"a key": [1, None, {"x": ["the first", {"y": "the second"}]}]})
    lines = ['"the third"', "", deep, f'{{"n": {"9" * 5000}, "s": "last"}}']
    path = written(home, "test.JSONL", "\n".join(lines))
    found = Contamination.read([path]).found
    places = {text: found([text]) for text in ("the first", "the second", "the third", "last")}
    assert {text: hit and hit.line for text, hit in places.items()} == {
        "the first": 3, "the second": 3, "the third": 1, "last": 4,
    }  # fmt: skip
    assert found(["a key", "x", "y", "n"]) is None


def test_every_cell_of_csv_counts(home: Path) -> None:
    path = home / "test.csv"
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file).writerows(
            [["question", "answer"], ["two\nlines, and a comma", "x"], ["after it", "=1+1"]]
        )
    found = Contamination.read([path]).found
    assert found(["two lines, and a comma"]) == Hit("test.csv", 2, "same", "two lines, and a comma")
    assert found(["after it"]) == Hit("test.csv", 4, "same", "after it")
    assert found(["=1+1"]) is not None
    assert found(["question"]) == Hit("test.csv", 1, "same", "question")


def test_files_are_told_by_name_hash_and_lines(home: Path) -> None:
    (home / "deep").mkdir()
    one = written(home / "deep", "a.txt", "the same\nx\n")
    two = written(home, "b.jsonl", '"the same"')
    contamination = Contamination.read([one, two])
    assert contamination.files == (
        File("a.txt", sha256(one.read_bytes()).hexdigest(), 2),
        File("b.jsonl", sha256(two.read_bytes()).hexdigest(), 1),
    )
    assert contamination.found(["The same"]) == Hit("a.txt", 1, "same", "the same")
    assert Contamination.read([two, one]).found(["The same"]) == Hit(
        "b.jsonl", 1, "same", "the same"
    )


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.txt", b"fine\n\xff\xfe\n", "a.txt, line 2: it is not UTF-8"),
        ("a.csv", b"x\n\xff\n", "a.csv, line 2: it is not UTF-8"),
        ("a.jsonl", b'"x"\n{"a": \n', "a.jsonl, line 2: it is no JSON"),
        ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1: it is no JSON"),
        ("a.csv", b'x\n"a"b\n', "a.csv, line 2: it is no CSV"),
        ("a.parquet", b"", "is none of .txt, .csv, .jsonl"),
        ("a.txt", b"\n \n", "holds no text"),
        ("a.jsonl", b"[1, 2]\n", "holds no text"),
        ("a.txt", b"", "holds no text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_with_its_line(
    home: Path, name: str, data: bytes, told: str
) -> None:
    (home / name).write_bytes(data)
    with pytest.raises(UsageError, match=told):
        Contamination.read([home / name])


def test_a_file_that_is_not_there_is_told(home: Path) -> None:
    (home / "folder.txt").mkdir()
    for path in (home / "none.txt", home / "folder.txt"):
        with pytest.raises(UsageError, match="cannot be read"):
            Contamination.read([path])


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_a_line_of_twenty_million_characters_is_one_text(home: Path, suffix: str) -> None:
    text = "x" * 20_000_000
    line = json.dumps(text) if suffix == "jsonl" else text
    path = written(home, f"long.{suffix}", f"{line}\n")
    limit = csv.field_size_limit()
    hit = Contamination.read([path]).found([text])
    assert hit == Hit(f"long.{suffix}", 1, "same", "x" * 200)
    assert csv.field_size_limit() == limit


def test_surrogates_and_nul_are_texts_like_any(home: Path) -> None:
    path = written(home, "odd.jsonl", '"a\\ud800b\\u0000c"\n')
    assert Contamination.read([path]).found(["A\ud800b\0c"]) is not None
