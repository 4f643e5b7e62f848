"""Training rows of a real small model: trees, labels, every format, each row held against its tree.

    python -m tests.small_rows WEIGHTS.gguf [--n 200] [--store FILE] [--write]

The model is weak, so nothing is expected of what it says; only that rows say what it said. With
`--write` three rows of each kind go into docs/datasets.md.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.tables import keep
from hch import Trace, cli, registry
from hch.nodes import Node
from hch.stores.sqlite import SqliteStore
from tests.datasets.builds import Line, lines
from tests.servers import llama_server

PAGE = "docs/datasets.md"
SHOWN = 3
LONGEST, SYSTEM = 360, 40
"""The characters of a text that the docs show, and of a system message."""


KINDS = {
    "prompt-completion": ("answer", "decision"),
    "preference": ("preference",),
    "stepwise": ("step",),
    "vote-shares": ("soft",),
    "prompt-only": ("prompt-only",),
    "logprobs": ("soft",),
}
"""The formats that the docs show rows of, one for each kind."""


def hch(*words: str) -> None:
    """Run a command, which has to end well."""
    code = cli.run(words)
    assert code in (0, 1), f"hch {' '.join(words)} ended with {code}"


def grown(weights: Path, store: Path, n: int) -> list[str]:
    """Ask n questions in trees, and in votes; label every answer by the truth. The runs' ids."""
    task = ("--task", "arithmetic,size=2", "--n", str(n), "--answer-tokens", "128", "--quiet")
    with llama_server(weights, slots=8, length=2048) as served:
        model = f"openai:small,base_url={served.url},temperature="
        asked = ("--concurrency", "8", "--budget", "1000000calls", "--store", str(store))
        for strategy, depth, heat in (("factored", "1", "0.7"), ("vote,k=3/direct", "0", "0.2")):
            player = ("-m", f"{model}{heat}", "-s", strategy, "--depth", depth)
            hch("generate", *task, *player, *asked)
    with SqliteStore(store) as kept:
        runs = sorted(row.run for row in kept.runs())
    for run in runs:
        hch("label", run, "--truth", "--store", str(store))
    return runs


def built(store: Path, folder: Path, tokenizer: Path | None) -> dict[str, list[Line]]:
    """The rows of every format, of all kinds that it takes; those without any are left out."""
    found: dict[str, list[Line]] = {}
    for name in registry.names("formats"):
        made = registry.build("formats", registry.Spec(name))
        if made.numbered and tokenizer is None:
            continue
        flags = ["--tokenizer", str(tokenizer)] if made.numbered else []
        flags += [
            "--where",
            "level>=0",
            "--wrong",
            "--format",
            name,
            "--rows",
            ",".join(made.kinds),
        ]
        words = ["dataset", "build", "--store", str(store), "--quiet", *flags]
        if cli.run([*words, "--out", str(folder / name)]) == 0:
            found[name] = list(lines(folder / name))
            hch("dataset", "verify", str(folder / name), "--store", str(store))
    return found


def check(row: Line, traces: dict[str, Trace]) -> None:
    """Hold a row against the tree that it is from."""
    origin = row.origin
    trace = traces[origin["run"]]
    node = trace.node(origin["node"])
    assert node is not None
    assert node.key == origin["key"]
    assert (node.clean, node.status) == (True, "answered")
    assert (node.level, node.opened.player) == (origin["level"], origin["player"])
    said = texts(row.data)
    assert node.answer is not None
    if row.kind == "decision" or "target_token_ids" in row.data:
        thought, call = node.thoughts[origin["thought"]]
        assert call is not None
        assert call.finished is not None
        assert thought.prompt == origin["prompt"]
        assert call.finished.text in said
        sent = [message.content for message in call.intents[0].sent()]
        assert all(any(text in one for one in said) for text in sent)
    elif row.kind != "step":
        assert any(node.question.text.body in text for text in said)
    if row.kind in ("answer", "preference"):
        tries = [ask.node for ask in node.asks if ask.how == "try" and ask.node]
        answers = {n.answer.text.body for n in (node, *tries) if n.answer and n.answer.text}
        assert answers & set(said)
    if row.kind == "step":
        assert _steps(node) >= set(row.data.get("completions", ()))


def _steps(node: Node) -> set[str]:
    """The steps that there are to its answer."""
    asked = [ask.node for ask in node.asks if ask.node and ask.node.answer]
    found = {
        f"{child.question.text.body}\n{child.answer.text.body}"
        for child in asked
        if child.answer and child.answer.text
    }
    return found | ({node.answer.text.body} if node.answer and node.answer.text else set())


def texts(value: Any) -> list[str]:
    """Every text anywhere in a row."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else []


def checked(store: Path, folder: Path, tokenizer: Path | None) -> dict[str, list[Line]]:
    """Build every format, and hold every row against its tree."""
    with SqliteStore(store) as kept:
        traces = {row.run: Trace(kept.events(row.run)) for row in kept.runs()}
    found = built(store, folder, tokenizer)
    for rows in found.values():
        for row in rows:
            check(row, traces)
    return found


def page(found: dict[str, list[Line]], n: int) -> str:
    """Three rows of each kind, and how many there are."""
    return "\n\n".join(_shown(found, n))


def _shown(found: dict[str, list[Line]], n: int) -> Iterator[str]:
    counts = ", ".join(f"{len(rows):,} `{name}`" for name, rows in sorted(found.items()))
    yield (
        f"{n} questions of `arithmetic,size=2`, asked of SmolLM2 135M (4 bits) in trees of "
        f"`factored` at depth 1 and in\nvotes of three, labelled by the truth, in every format: "
        f"{counts} rows.\nThe model is weak, and most of what it says is wrong: these rows are "
        "for looking at. Long texts are cut here, at `…`."
    )
    for name, kinds in KINDS.items():
        for kind in kinds:
            rows = [row for row in found.get(name, ()) if row.kind == kind][:SHOWN]
            if rows:
                shown = "\n".join(json.dumps(_cut(row.data), ensure_ascii=False) for row in rows)
                yield f"`{kind}`, as `{name}`:\n\n```json\n{shown}\n```"


def _cut(value: Any, longest: int = LONGEST) -> Any:
    """The value with long texts cut, and what a model is told of its part cut most."""
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + "…"
    if isinstance(value, dict):
        longest = SYSTEM if value.get("role") == "system" else longest
        return {key: _cut(one, longest) for key, one in value.items()}
    return [_cut(one, longest) for one in value[:4]] if isinstance(value, list) else value


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--tokenizer", type=Path)
    parser.add_argument("--store", type=Path, help="the trees, where they are grown already")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(words)
    with TemporaryDirectory() as folder:
        store = options.store or Path(folder, "hch.db")
        if not store.exists():
            grown(options.weights.resolve(), store, options.n)
        found = checked(store, Path(folder), options.tokenizer)
    for name, rows in sorted(found.items()):
        print(f"{name}: {len(rows):,} rows, each as its tree says")  # noqa: T201
    if options.write:
        keep(PAGE, "small", page(found, options.n))


if __name__ == "__main__":
    main()
