"""No tree is on two sides, nothing that is held out is learned, and an extension moves nothing."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import pytest

from hch import HCH, ScriptedModel, cli
from hch.datasets.cleaning import Cleaning
from hch.datasets.near import shingles
from hch.datasets.normal import normal
from hch.datasets.staging import Rooted, Staged, Staging
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.datasets.builds import Line, build, contents, lines, manifest, taken
from tests.promises import LONG
from tests.small_rows import texts
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


ROWS = (("stepwise", "step"), ("prompt-completion", "answer,decision"))


@pytest.mark.parametrize(("form", "kinds"), ROWS)
def test_no_question_that_is_held_out_stands_in_a_row_that_is_trained_on(tmp_path, form, kinds):
    """Neither as its own, nor as a sub-question with its answer."""
    store, held, taught = tmp_path / "hch.db", 0, 0
    roots = ["Why is it so?", "And is it so / 1?", "Why is it so? / 1", "Why is it so? / 2", "How?"]
    for seed in range(8):
        trace = grown(store, roots, model=regular_model(), strategy="factored", depth=2, seed=seed)
        run = trace.run
        assert cli.run(["label", run, "0", "good", "--store", str(store)]) == 0
        keys = [node.id for node in trace.nodes() if node.id != "0"]
        for id_ in keys:
            assert cli.run(["label", run, id_, "good", "--store", str(store)]) == 0
        out = tmp_path / str(seed)
        flags = (
            "--format",
            form,
            "--rows",
            kinds,
            "--split",
            "train=0.5,test=0.5",
            "--near",
            "off",
        )
        words = ["dataset", "build", run, "--store", str(store), "--out", str(out), *flags]
        assert cli.run([*words, "--where", "level>=0", "--seed", str(seed), "--quiet"]) == 0
        lines_ = map(json.loads, (out / "roots.jsonl").read_text().splitlines())
        of_root = {line["root"]: line["split"] for line in lines_}
        asked = set()
        for index, root in trace.planted.items():
            below = [root] if of_root[index] == "test" else []
            while below:
                node = below.pop()
                asked.add(node.question.text.body)
                below += [ask.node for ask in node.asks if ask.node]
        held += len(asked)
        for row in lines(out):
            if row.split == "train":
                taught += 1
                quoted = [part for text in texts(row.data) for part in re.split(QUOTES, text)]
                assert not asked & set(quoted), row
    assert held
    assert taught


QUOTES = r"\n|Question: |Sub-question [0-9]+: |Answer:"


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
    assert [root["root"] for root in jsonl(tmp_path / "a" / "roots.jsonl")] == [2]
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


def test_every_row_that_was_made_and_left_out_is_listed_with_its_filter(tmp_path):
    store, exam, first = tmp_path / "hch.db", tmp_path / "exam.txt", tmp_path / "first"
    asked = expressions(60)
    trace = grown(store, asked, strategy="script", depth=1)
    exam.write_text(asked[7] + "\n")
    for node in [*map(str, range(50)), "0.1"]:
        assert cli.run(["label", trace.run, node, "good", "--store", str(store)]) == 0
    every = build(store, tmp_path / "all", "--near", "off")
    sizes = [row.origin["characters"] for row in every]
    flags = ("--format", "unpaired", "--decontaminate", str(exam), "--near", "off", "--balance")
    built = build(store, first, *flags, "--longest", str(max(sizes) - 1))
    assert left_out(first, trace.run) == {name: n for name, n in taken(first).items() if n}
    assert {"lacks", "length", "contaminated", "balance"} <= {*left_out(first, trace.run)}
    listed = {line["node"] for line in jsonl(first / "left-out.jsonl")}
    assert not listed & {row.origin["node"] for row in built}
    assert {"7", "55"} <= listed


def test_a_list_of_what_was_left_out_is_carried_into_an_extension(tmp_path, capsys):
    store, first, second = tmp_path / "hch.db", tmp_path / "first", tmp_path / "second"
    trace = grown(store, expressions(150), strategy="script", depth=1)
    build(store, first, "--near", "off")
    before = (first / "left-out.jsonl").read_bytes()
    more = grown(store, expressions(150, seed=1), strategy="script", depth=1)
    build(store, second, "--near", "off", "--extends", str(first))
    assert (second / "left-out.jsonl").read_bytes().startswith(before)
    assert cli.run(["dataset", "verify", str(second), "--files", "--extends", str(first)]) == 0
    capsys.readouterr()
    assert cli.run(["dataset", "verify", str(first), "--files", "--extends", str(second)]) == 1
    told = capsys.readouterr().out
    added = {name for name in contents(second).keys() - contents(first) if "/" in name}
    assert added == {name for name in contents(second) if f"file {name}: it is not as" in told}
    held = (second / "held-out.jsonl").read_text().splitlines()
    assert len(set(held)) == len(held)
    new = left_out(second, trace.run, more.run) - left_out(first, trace.run)
    assert new == Counter({name: n for name, n in taken(second).items() if n})
    assert new["there already"]


def left_out(folder: Path, *runs: str) -> Counter[str]:
    """How many rows of these runs each filter took, by the list."""
    lines = jsonl(folder / "left-out.jsonl")
    return Counter(line["filter"] for line in lines if line["run"] in runs)


def jsonl(path: Path) -> list[dict[str, str]]:
    return list(map(json.loads, path.read_text().splitlines()))


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


def test_what_an_earlier_held_out_tree_asked_is_not_learned_later(tmp_path):
    """Though it made no row of its own."""
    store = tmp_path / "hch.db"
    first = grown(store, ["What is ((2 * 3) + 4) - 5?", "What is 11 * (5 + 6)?"],
                  strategy="script", depth=2)  # fmt: skip
    second = grown(store, ["What is 2 * 3?", "What is 9 - 1?"], strategy="script", depth=1)
    for seed in range(20):
        flags = ("--split", "train=0.5,test=0.5", "--seed", str(seed), "--where")
        out, more = tmp_path / f"a{seed}", tmp_path / f"b{seed}"
        words = ["dataset", "build", "--store", str(store), *flags]
        code = cli.run([*words, "level=2", first.run, "--out", str(out), "--quiet"])
        rows = build(store, more, *flags, f"run={second.run} level>=0", "--extends", str(out))
        assert code == 0
        held = any(r.split == "test" and r.origin["root"] == 0 and r.origin["run"] == first.run
                   for r in rows)  # fmt: skip
        learned = any("2 * 3?" in json.dumps(r.data) and r.origin["run"] == second.run
                      for r in rows if r.split == "train")  # fmt: skip
        assert not (held and learned)


def steps_to_clean(n: int) -> int:
    """The thousands of steps of SQLite's machine for n answers to one question."""
    counted: list[int] = []
    with Staging() as staging:
        for number in range(n):
            root = staging.add_root(Rooted(0, number, b"", b"same", "Why?"))
            staging.ask(b"same", root, 0, number)
            row = ("answer", b"%d" % number, (b"same",), "", "{}", "{}")
            staging.add(Staged(root, 0, number, *row))
        staging.index()
        staging.run("UPDATE roots SET side = 0, team = 0")
        staging.db.set_progress_handler(lambda: counted.append(1), 1000)
        list(Cleaning(drop_near=True, balance=True, extends=True).clean(staging))
    return len(counted)


def test_what_many_answers_to_one_question_take_grows_with_their_number():
    assert steps_to_clean(4000) < 8 * steps_to_clean(1000) + 50


def test_an_extension_by_another_recipe_is_refused(tmp_path, capsys):
    store, first, exam = tmp_path / "hch.db", tmp_path / "first", tmp_path / "exam.txt"
    exam.write_text("What is a rose?\n")
    grown(store, expressions(20), strategy="script", depth=1)
    build(store, first)
    for flags in (("--format", "conversational"), ("--as", "parquet"), ("--split", "train=1"),
                  ("--seed", "1"), ("--balance",), ("--decontaminate", str(exam))):  # fmt: skip
        words = ["dataset", "build", "--where", "level>=0", "--store", str(store), *flags]
        capsys.readouterr()
        assert cli.run([*words, "--extends", str(first), "--out", str(tmp_path / "x")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert not (tmp_path / "x").exists()
