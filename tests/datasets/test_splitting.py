"""No tree is on two sides, nothing that is held out is learned, and an extension moves nothing."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from random import Random

import pytest

from hch import HCH, ScriptedModel, cli
from hch.datasets.near import shingles
from hch.datasets.normal import normal
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.datasets.builds import Line, build, contents, manifest, taken
from tests.promises import LONG
from tests.support import regular

ROOTS = 1000 if LONG else 400


def grown(store: Path, questions: list[str], **options) -> Trace:
    """One run of many roots."""
    hch = HCH(store=str(store), **{"pause": 0.0, **options})
    run = hch.begin(questions)
    asyncio.run(run.finish())
    hch.kept_in.close()
    with SqliteStore(store) as kept:
        return Trace(kept.events(run.id))


def sides(rows: list[Line]) -> dict[str, str]:
    """The split of each row, by run and node."""
    return {f"{row.origin['run']} {row.origin['node']}": row.split for row in rows}


def expressions(n: int, seed: int = 0) -> list[str]:
    rng, found = Random(seed), dict[str, None]()
    while len(found) < n:
        a, b, c = (rng.randrange(10) for _ in range(3))
        first, second = rng.choices("+-*", k=2)
        found[f"What is ({a} {first} {b}) {second} {c}?"] = None
    return list(found)


@pytest.mark.parametrize("apart", ["trees", "questions"])
def test_no_tree_and_no_question_is_on_both_sides(tmp_path, apart):
    """The trees share most of their sub-questions, so that they are held out of training."""
    store = tmp_path / "hch.db"
    trace = grown(store, expressions(150), strategy="script", depth=1)
    rows = build(store, tmp_path / "a", "--apart", apart, "--near", "off")
    split = sides(rows)
    of_root = {
        int(line["root"]): line["split"]
        for line in map(json.loads, (tmp_path / "a" / "roots.jsonl").read_text().splitlines())
    }
    assert set(of_root.values()) == {"train", "test"}
    asked = defaultdict(set)
    for row in rows:
        assert of_root[row.origin["root"]] == row.split
        node = trace.node(row.origin["node"])
        asked[normal(node.question.text.body)].add(row.split)
    assert all(len(splits) == 1 for splits in asked.values())
    if apart == "trees":
        for index, root in trace.planted.items():
            below = [root]
            while below:  # shared nodes are of this tree too, whoever owns them
                node = below.pop()
                below += [ask.node for ask in node.asks if ask.node]
                found = split.get(f"{trace.run} {node.id}")
                if of_root[index] == "test":
                    assert found != "train", node.id
        assert taken(tmp_path / "a")["held out"] > 0


def test_more_is_kept_where_only_questions_are_apart(tmp_path):
    store = tmp_path / "hch.db"
    grown(store, expressions(150), strategy="script", depth=1)
    rows = {
        apart: build(store, tmp_path / apart, "--apart", apart, "--near", "off")
        for apart in ("trees", "questions")
    }
    trained = {
        a: {r.origin["node"] for r in found if r.split == "train"} for a, found in rows.items()
    }
    assert trained["trees"] < trained["questions"]


def paraphrased(text: str, rng: Random) -> str:
    """The text with small edits: a word more, two swapped, other capitals."""
    words = text.split()
    at = rng.randrange(len(words) - 1)
    if rng.random() < 0.5:
        words[at], words[at + 1] = words[at + 1], words[at]
    else:
        words.insert(at, rng.choice(["really", "please", "so"]))
    return " ".join(words).replace("?", rng.choice(["?", " ?", "??"]))


def test_near_equal_roots_are_on_one_side(tmp_path):
    """Held against every pair of 1,000 roots, in the short form 400; 40% are paraphrases."""
    rng, store = Random(7), tmp_path / "hch.db"
    nouns = ["river", "border", "king", "law", "town", "bird", "song", "stone", "ship", "wall"]
    first = [
        f"Which {rng.choice(nouns)} number {rng.randrange(10**6)} was named after the "
        f"{rng.choice(nouns)} that stood by {rng.choice(nouns)} {rng.randrange(10**6)} at the time?"
        for _ in range(ROOTS * 3 // 5)
    ]
    roots = list(
        dict.fromkeys(
            [*first, *(paraphrased(rng.choice(first), rng) for _ in range(ROOTS * 2 // 5))]
        )
    )
    grown(store, roots, model=ScriptedModel(lambda request: "so"), strategy="direct", depth=0)
    rows = build(store, tmp_path / "a", "--split", "train=0.5,test=0.5", "--near", "0.7")
    texts = {}
    for line in map(json.loads, (tmp_path / "a" / "roots.jsonl").read_text().splitlines()):
        texts[line["text"]] = line["split"]
    assert len(texts) == len(roots) == len(rows)
    cut = [(shingles(normal(text)), split) for text, split in texts.items()]
    near = 0
    for i, (one, side) in enumerate(cut):
        for other, its in cut[:i]:
            if len(one & other) >= 0.7 * len(one | other):
                near += 1
                assert side == its
    assert near > ROOTS // 4
    assert 0.3 < sum(split == "test" for split in texts.values()) / len(texts) < 0.7


def test_one_of_near_equal_roots_can_be_kept(tmp_path):
    store = tmp_path / "hch.db"
    question = "Which of the long rivers of Europe crosses the most borders on its way?"
    asked = [question, question.replace("?", " ?"), question.replace("long", "very long"), "Why?"]
    grown(store, asked, model=ScriptedModel(lambda request: f"{len(request.question)}"),
          strategy="direct", depth=0)  # fmt: skip
    every = build(store, tmp_path / "a", "--split", "train=1")
    assert len(every) == 4
    rows = build(store, tmp_path / "b", "--split", "train=1", "--drop-near")
    assert [row.origin["root"] for row in rows] == [0, 3]
    assert taken(tmp_path / "b")["near-equal"] == 2


def test_what_stands_in_an_evaluation_file_is_found_and_listed(tmp_path):
    store, exam, more = tmp_path / "hch.db", tmp_path / "exam.jsonl", tmp_path / "more.txt"
    long = "how many of the towns that lie by the long river were founded before the great war"
    asked = ["What is the  CAPITAL of France?", f"Say: {long}, and why?", "What is a rose?"]
    grown(store, asked, model=regular_model(), strategy="factored", depth=1)
    exam.write_text(json.dumps({"id": 7, "problem": "what is the capital of france?"}) + "\n")
    more.write_text(f"nothing\nTell me {long}.\n")
    flags = ("--decontaminate", str(exam), "--decontaminate", str(more), "--split", "train=1")
    rows = build(store, tmp_path / "a", *flags)
    assert {row.origin["root"] for row in rows} == {2}
    text = (tmp_path / "a" / "removed.jsonl").read_text()
    removed = list(map(json.loads, text.splitlines()))
    roots = [row for row in removed if "." not in row["node"]]
    assert {(row["node"], row["file"], row["line"], row["how"]) for row in roots} == {
        ("0", "exam.jsonl", 1, "same"),
        ("1", "more.txt", 2, "13-gram"),
    }
    assert {r["node"] for r in removed} == {"0", "0.1", "0.2", "1", "1.1", "1.2"}
    told = manifest(tmp_path / "a")["decontamination"]
    assert [entry["file"] for entry in told["files"]] == ["exam.jsonl", "more.txt"]
    assert told["removed"] == taken(tmp_path / "a")["contaminated"] == 6


def regular_model() -> ScriptedModel:
    return ScriptedModel(regular(2))


def test_an_extension_keeps_every_row_where_it_is(tmp_path):
    store, first, second = tmp_path / "hch.db", tmp_path / "first", tmp_path / "second"
    grown(store, expressions(120), strategy="script", depth=1)
    before = build(store, first)
    trace = grown(store, expressions(240, seed=1), strategy="script", depth=1)
    after = build(store, second, "--where", f"run={trace.run} level>=0", "--extends", str(first))
    assert len(after) > len(before)
    was = [(row.kind, row.split, row.data, row.origin) for row in before]
    assert all(row in [(r.kind, r.split, r.data, r.origin) for r in after] for row in was)
    old, new = contents(first), contents(second)
    shards = [name for name in old if name.endswith(".jsonl") and "/" in name]
    assert all(old[name] == new[name] for name in shards)
    texts = [json.dumps(row.data) for row in after]
    assert len(texts) == len(set(texts)), "no row is there twice"
    asked = defaultdict(set)
    for row in after:
        asked[row.origin["question"]].add(row.split)
    assert all(len(splits) == 1 for splits in asked.values())
    assert cli.run(["dataset", "verify", str(second), "--store", str(store)]) == 0


def test_a_root_that_would_join_two_splits_is_left_out_and_listed(tmp_path):
    store, rng = tmp_path / "hch.db", Random(3)
    words = ["".join(rng.choices("abcdefghijklmnop", k=6)) for _ in range(40)]
    one, other = " ".join(words[:30]), " ".join(words[10:])
    model = ScriptedModel(lambda request: request.question[:9])
    grown(store, [one, other], model=model, strategy="direct", depth=0)
    for seed in range(50):  # so that the two are on different sides
        out = tmp_path / f"first{seed}"
        flags = ("--near", "0.6", "--split", "train=0.5,test=0.5", "--seed", str(seed))
        if {row.split for row in build(store, out, *flags)} == {"train", "test"}:
            break
    bridge = " ".join(words[5:35])
    grown(store, [bridge, "Something else?"], model=model, strategy="direct", depth=0)
    rows = build(store, tmp_path / "second", *flags, "--extends", str(out))
    assert len(rows) == 3
    [told] = map(json.loads, (tmp_path / "second" / "bridges.jsonl").read_text().splitlines())
    assert told["text"] == bridge
    assert manifest(tmp_path / "second")["split"]["bridges"] == 1


def test_an_extension_by_another_recipe_is_refused(tmp_path, capsys):
    store, first = tmp_path / "hch.db", tmp_path / "first"
    grown(store, expressions(20), strategy="script", depth=1)
    build(store, first)
    for flags in (("--format", "conversational"), ("--as", "parquet"), ("--split", "train=1"),
                  ("--seed", "1"), ("--balance",)):  # fmt: skip
        words = ["dataset", "build", "--where", "level>=0", "--store", str(store), *flags]
        capsys.readouterr()
        assert cli.run([*words, "--extends", str(first), "--out", str(tmp_path / "x")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not (tmp_path / "x").exists()
