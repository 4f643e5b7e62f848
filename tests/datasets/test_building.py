"""The same runs and options give the same bytes, and nothing breaks a file or leaves the folder."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from datasets import load_dataset

from hch import HCH, Question, ScriptedModel, Text, cli
from tests.datasets.builds import build, contents, lines, manifest
from tests.datasets.test_splitting import expressions, grown
from tests.datasets.tokenizing import tokenizer_file
from tests.promises import LONG
from tests.support import regular


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Three runs: two by scripts, one by a model."""
    path = tmp_path_factory.mktemp("runs") / "hch.db"
    grown(path, expressions(60), strategy="script", depth=1)
    grown(path, expressions(60, seed=5), strategy="script", depth=2)
    grown(path, ["Why?", "How?"], model=ScriptedModel(regular(2)), strategy="factored", depth=2)
    return path


def runs(store: Path) -> list[str]:
    hch = HCH(store=str(store))
    found = [row.run for row in hch.kept_in.runs()]
    hch.kept_in.close()
    return found


@pytest.mark.parametrize("flags", [
    (), ("--as", "parquet"), ("--rows", "answer,decision"), ("--balance", "--shard", "7"),
    ("--best", "cost", "--near", "off"), ("--format", "alpaca", "--redact", "[0-9]{2}"),
])  # fmt: skip
def test_the_same_command_gives_the_same_bytes_whatever_the_order_of_runs(tmp_path, store, flags):
    named = runs(store)
    for name, order in (("a", named), ("b", named[::-1]), ("c", [*named, named[0]])):
        words = ["dataset", "build", *order, "--store", str(store), "--quiet", *flags]
        assert cli.run([*words, "--out", str(tmp_path / name)]) == 0
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b") == contents(tmp_path / "c")
    assert len(first) > 4
    assert cli.run(["dataset", "verify", str(tmp_path / "a"), "--store", str(store)]) == 0


def test_a_build_that_is_killed_leaves_nothing_and_begins_again(tmp_path, store):
    """At 12 moments, in the short form 4, by a signal that nobody can catch."""
    out, words = tmp_path / "rows", ["--store", str(store), "--where", "level>=0", "--shard", "9"]
    command = [sys.executable, "-m", "hch", "dataset", "build", *words, "--out", str(out)]
    whole = build(store, tmp_path / "whole", "--shard", "9")
    rng = Random(1)
    for _ in range(12 if LONG else 4):
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            child.wait(rng.uniform(0.2, 1.6))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        if out.exists():  # whole, or not at all
            assert list(lines(out)) == whole
            break
    subprocess.run([*command, "--force"], check=True, capture_output=True)
    assert contents(out) == contents(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows", "whole"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_stopped_is_in_nobodys_way(tmp_path, store, number):
    out = tmp_path / "rows"
    command = [sys.executable, "-m", "hch", "dataset", "build", "--store", str(store)]
    child = subprocess.Popen(
        [*command, "--where", "level>=0", "--out", str(out)], stderr=subprocess.PIPE
    )
    while not (tmp_path / ".rows.partial").exists() and child.poll() is None:
        os.sched_yield()
    child.send_signal(number)
    _, told = child.communicate()
    assert b"Traceback" not in told
    if child.returncode != 0:
        assert child.returncode in (130, 143)
        assert not out.exists()
        build(store, out)  # takes away what may be left of one that was stopped as it began
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


HOSTILE = [
    "a\x00b", "lone \ud800 surrogate", "=1+1\t@x", "</s><|im_end|>", "\u202eevil",
    "---\nconfigs: 1", "| a | b |", "x" * 60_000, '{"prompt": []}\n{"a": 1}', "../../etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("container", ["jsonl", "parquet"])
def test_hostile_texts_break_no_file(tmp_path, container):
    store = tmp_path / "hch.db"
    answers = iter(HOSTILE * 2)
    model = ScriptedModel(lambda request: next(answers))
    grown(store, [f"Question {i}? {text[:500]}" for i, text in enumerate(HOSTILE)], model=model,
          strategy="direct", depth=0)  # fmt: skip
    out = tmp_path / "rows"
    words = ["dataset", "build", "--store", str(store), "--where", "level=0", "--as", container]
    assert (
        cli.run([*words, "--split", "train=1", "--near", "off", "--out", str(out), "--quiet"]) == 0
    )
    loaded = load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    said = sorted(row["completion"][0]["content"] for row in loaded)
    assert said == sorted(text.replace("\ud800", "\ufffd") for text in HOSTILE)
    assert cli.run(["dataset", "verify", str(out), "--store", str(store)]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "hch.db", "rows"]


def test_a_text_of_20_mb_is_in_a_row(tmp_path):
    store, text = tmp_path / "hch.db", "long " * 4_000_000
    model = ScriptedModel(lambda request: "so")
    grown(store, [f"{text}Why?", "How?"], model=model, strategy="direct", depth=0)
    for container in ("jsonl", "parquet"):
        out = tmp_path / container
        words = ["dataset", "build", "--store", str(store), "--where", "level=0", "--as", container]
        assert cli.run([*words, "--split", "train=1", "--out", str(out), "--quiet"]) == 0
        assert manifest(out)["counts"] == {"answer": {"train": 2}}
        assert cli.run(["dataset", "verify", str(out)]) == 0
    said = {len(row.data["prompt"][-1]["content"]) for row in lines(tmp_path / "jsonl")}
    assert max(said) > len(text)


def test_patterns_are_taken_out(tmp_path, store):
    rows = build(store, tmp_path / "a", "--redact", "[0-9]+ [*] [0-9]+", "--split", "train=1")
    assert any("[redacted]" in row.data["prompt"][-1]["content"] for row in rows)
    assert not any("3 * 4" in json.dumps(row.data) for row in rows)


def test_rows_are_measured_by_a_tokenizer(tmp_path, store):
    named = tokenizer_file(tmp_path / "tokens")
    flags = ("--tokenizer", str(named), "--longest", "300", "--shortest", "10")
    rows = build(store, tmp_path / "a", *flags, "--split", "train=1")
    sizes = {row.origin["size"] for row in rows}
    assert all(10 <= size <= 300 for size in sizes)
    assert manifest(tmp_path / "a")["tokenizer"]["hash"]


def test_numbers_are_balanced_by_level_and_task(tmp_path, store):
    rows = build(store, tmp_path / "a", "--balance", "--split", "train=1", "--near", "off")
    counts = {}
    for row in rows:
        key = row.origin["level"], row.origin["task"]
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) > 3
    assert len(set(counts.values())) == 1


def test_of_k_samples_the_best_is_kept(tmp_path):
    store = tmp_path / "hch.db"
    model = ScriptedModel(lambda request: "right" if request.sample else "wrong")
    hch = HCH(model=model, strategy="direct", depth=0, store=str(store))
    question = Question(Text("Who was it?"))
    run = hch.begin([question, question.again(1), question.again(2)])
    asyncio.run(run.finish())
    hch.kept_in.close()
    for node, said in (("0", "bad"), ("1", "good"), ("2", "good")):
        assert cli.run(["label", run.id, node, said, "--store", str(store)]) == 0
    rows = build(store, tmp_path / "a", "--best", "score", "--split", "train=1")
    assert [row.data["completion"][0]["content"] for row in rows] == ["right"]
    assert [row.origin["root"] for row in rows] == [1]
    flags = ("--best", "score", "--split", "train=1", "--rows", "decision")
    assert [row.origin["root"] for row in build(store, tmp_path / "b", *flags)] == [1]


@pytest.mark.parametrize(("flags", "wrong"), [
    (("--where", "levle>=1"), "did you mean level"),
    (("--where", "level>"), "no condition"),
    (("--where", "level=x"), "is a number"),
    (("--where", "task>1"), "takes = or !="),
    (("--rows", "answr"), "no kind of row"),
    (("--rows", "preference"), "takes no preference rows"),
    (("--near", "2"), "similarity"),
    (("--split", "a=0.5"), "sum to"),
    (("--format", "nosuch"), "no format"),
    (("--format", "logprobs"), "--tokenizer"),
    (("--tokenizer", "./nosuch.json"), "no tokenizer"),
    (("--redact", "("), "no regular expression"),
    (("--decontaminate", "nosuch.txt"), "nosuch.txt"),
    (("--extends", "nosuch"), "nosuch"),
    (("--where", "level>=9"), "make no answer row"),
    (("--best", "score"), "--best score: no root has a score or a label: hch label RUN --truth"),
    (("--best", "share"), "--best share: no root was voted on"),
    (("--format", "unpaired"), "the format wants a verdict: hch label RUN --truth"),
])  # fmt: skip
def test_what_cannot_be_is_told_in_a_line(tmp_path, store, capsys, flags, wrong):
    where = () if "--where" in flags else ("--where", "level>=0")
    words = ["dataset", "build", "--store", str(store), *where, *flags]
    assert cli.run([*words, "--out", str(tmp_path / "rows")]) == 2
    told = capsys.readouterr().err
    assert wrong in told
    assert told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_file_of_the_dataset_is_not_lost_by_force(tmp_path, store, capsys):
    out = tmp_path / "rows"
    build(store, out)
    (out / "notes.txt").write_text("mine")
    words = ["dataset", "build", "--store", str(store), "--where", "level>=0", "--out", str(out)]
    assert cli.run([*words, "--force"]) == 2
    assert "notes.txt" in capsys.readouterr().err
    (out / "notes.txt").unlink()
    assert cli.run([*words, "--force"]) == 0
