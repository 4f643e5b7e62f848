"""A named tokenizer: `hch.datasets.tokenizer`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer as Library

from hch.datasets.tokenizer import Tokenizer
from hch.errors import UsageError
from tests.datasets.tokenizing import END, TEXTS, tokenizer_file


@pytest.fixture
def path(home: Path) -> Path:
    return tokenizer_file(home / "small")


def test_a_file_and_its_folder_are_one_tokenizer(
    path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_file, by_folder = Tokenizer.named(str(path)), Tokenizer.named(str(path.parent))
    monkeypatch.chdir(path.parent)
    here = Tokenizer.named(".")
    assert (by_file.name, by_folder.name, here.name) == ("tokenizer.json", "small", "small")
    assert by_file.hash == by_folder.hash == here.hash == Tokenizer.named("~/small").hash
    assert len(by_file.hash) == 64


def test_the_hash_is_of_what_it_says_and_not_of_how(path: Path) -> None:
    before, data = Tokenizer.named(str(path)).hash, json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(dict(reversed(data.items()))), "utf-8")
    assert Tokenizer.named(str(path)).hash == before
    data["model"]["merges"].pop()
    path.write_text(json.dumps(data), "utf-8")
    assert Tokenizer.named(str(path)).hash != before


def test_tokens_are_counted_without_marks_and_limits(path: Path) -> None:
    library = Library.from_file(str(path))
    library.enable_truncation(2)
    library.enable_padding(length=64)
    library.save(str(path))
    tokenizer = Tokenizer.named(str(path.parent))
    assert tokenizer.count(["the sky is blue"]) == 4
    assert tokenizer.count(TEXTS * 800) == 800 * sum(tokenizer.count([text]) for text in TEXTS)
    assert tokenizer.count([]) == tokenizer.count([""]) == 0
    assert tokenizer.count(["\ud800"]) == tokenizer.count(["\ufffd"]) == 3
    assert tokenizer.count(["x" * 1_000_000]) == 1_000_000


def test_tokens_have_numbers(path: Path) -> None:
    tokenizer = Tokenizer.named(str(path))
    assert tokenizer.numbers(END) == (0,)
    [number] = tokenizer.numbers(" is")
    assert tokenizer.text([number, 0]) == " is"
    assert tokenizer.numbers("no such token") == ()
    assert len(tokenizer.numbers("\ufffd")) == 128  # the halves of characters
    assert (tokenizer.has(number), tokenizer.has(10**6)) == (True, False)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("tokenizer.json", None, "there is no tokenizer 'tokenizer.json'"),
        ("./nowhere", None, "there is no tokenizer"),
        ("a/b/c", None, "there is no tokenizer"),
        ("", None, "there is no tokenizer"),
        ("tokenizer.json", "{", "is no JSON"),
        ("tokenizer.json", "[1]", "is no tokenizer"),
        ("tokenizer.json", '{"model": {"type": "none"}}', "is no tokenizer"),
        (".", None, "cannot be read"),
    ],
)
def test_what_is_no_tokenizer_is_told(home: Path, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (home / name).write_text(text, "utf-8")
    with pytest.raises(UsageError, match=told):
        Tokenizer.named(name)


def test_a_name_that_the_hub_does_not_give_is_told() -> None:
    """In a process that the hub's own variable keeps from the network."""
    code = "from hch.datasets.tokenizer import Tokenizer; Tokenizer.named('org/none')"
    env = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert "UsageError: the tokenizer 'org/none' is no file here and cannot be had" in done.stderr
