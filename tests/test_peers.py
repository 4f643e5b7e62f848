"""The neighbours' benchmark: the server takes what each library sends, and the table adds up.

The bodies are what each library sent, but for their prompts, which are cut.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.neighbours import shared
from benchmarks.server import ROOT, answer, decomposition, question, reply

PLANS = {
    "dspy": (
        r'{"model":"gpt-4.1-mini","messages":[{"role":"system","content":"Your input fields are:\n'
        r"1. `question` (str): \n2. `level` (int): of the copies\nYour output fields are:\n"
        r'1. `questions` (list[SubQuestion])\n{\n  \"questions\": \"{questions}\"\n}"},'
        r'{"role":"user","content":"[[ ## question ## ]]\nWhat does part 0.2 of the inventory come'
        r' to?\n\n[[ ## level ## ]]\n1"}],"max_completion_tokens":2048,"response_format":'
        r'{"type":"json_schema","json_schema":{"name":"DSPyProgramOutputs","schema":{"$defs":'
        r'{"SubQuestion":{"properties":{"question":{"title":"Question","type":"string"},"texts":'
        r'{"items":{"type":"integer"},"title":"Texts","type":"array"}},"required":["question",'
        r'"texts"],"title":"SubQuestion","type":"object","additionalProperties":false}},'
        r'"additionalProperties":false,"properties":{"questions":{"items":{"$ref":'
        r'"#/$defs/SubQuestion"},"title":"Questions","type":"array"}},"required":["questions"],'
        r'"title":"DSPyProgramOutputs","type":"object"},"strict":true}}}'
    ),
    "pydantic_ai": (
        r'{"model":"gpt-4.1-mini","stream":false,"messages":[{"role":"system","content":"You are to'
        r' answer a question with the help of copies of yourself."},{"role":"user","content":"\n\n'
        r"Question: What does part 0.2 of the inventory come to?\n\nIt must fit this JSON schema:\n"
        r'{\"type\":\"object\",\"properties\":{\"answer\":{\"type\":\"array\"}}}\n"}],'
        r'"max_completion_tokens":2048,"response_format":{"type":"json_schema","json_schema":'
        r'{"name":"Decomposition","schema":{"properties":{"questions":{"items":{"$ref":'
        r'"#/$defs/SubQuestion"},"type":"array"}},"required":["questions"],"type":"object",'
        r'"additionalProperties":false,"$defs":{"SubQuestion":{"properties":{"question":{"type":'
        r'"string"},"texts":{"items":{"type":"integer"},"type":"array"}},"required":["question",'
        r'"texts"],"type":"object","additionalProperties":false}}},"strict":true}}}'
    ),
    "inspect": (
        r'{"model":"gpt-4.1-mini","messages":[{"role":"system","content":"You are to answer a'
        r' question with the help of copies of yourself.\n\n"},{"role":"user","content":"\n\n'
        r'Question: What does part 0.2 of the inventory come to?\n"}],"max_tokens":2048,'
        r'"response_format":{"type":"json_schema","json_schema":{"name":"Decomposition","schema":'
        r'{"type":"object","properties":{"questions":{"type":"array","items":{"type":"object",'
        r'"properties":{"question":{"type":"string"},"texts":{"type":"array","items":{"type":'
        r'"integer"}}},"required":["question","texts"]}}},"additionalProperties":false,"required":'
        r'["questions"]},"description":null,"strict":true}}}'
    ),
}
TYPED_ANSWER = (
    r'{"model":"gpt-4.1-mini","messages":[{"role":"system","content":"Your input fields are:\n'
    r"1. `question` (str): \n2. `answers` (str): the answers to the sub-questions\nYour output"
    r' fields are:\n1. `answer` (str):\n{\n  \"answer\": \"{answer}\"\n}"},{"role":"user",'
    r'"content":"[[ ## question ## ]]\nWhat does part 0.2 of the inventory come to?\n\n'
    r"[[ ## answers ## ]]\nSub-question 1: What does part 0.2.1 of the inventory come to?"
    r'"}],"max_completion_tokens":2048,"response_format":{"type":"json_schema","json_schema":'
    r'{"name":"DSPyProgramOutputs","schema":{"additionalProperties":false,"properties":{"answer":'
    r'{"title":"Answer","type":"string"}},"required":["answer"],"title":"DSPyProgramOutputs",'
    r'"type":"object"},"strict":true}}}'
)


def said(body: str) -> str:
    """What the server has the model say to a body, which must be JSON."""
    assert json.loads(body)["messages"]
    _, _, data = reply(body.encode()).partition(b"\r\n\r\n")
    return json.loads(data)["choices"][0]["message"]["content"]


@pytest.mark.parametrize("neighbour", PLANS)
def test_the_server_plans_for_each_neighbour(neighbour: str):
    assert said(PLANS[neighbour]) == decomposition("0.2")


def test_the_server_answers_as_an_object_if_that_is_the_form():
    assert json.loads(said(TYPED_ANSWER)) == {"answer": answer("0.2")}


def test_every_neighbour_has_a_client_and_a_body_here():
    assert sorted(PLANS) == peers.NEIGHBOURS
    for neighbour in peers.NEIGHBOURS:
        assert (ROOT / "benchmarks" / "neighbours" / f"{neighbour}_tree.py").is_file()


def test_the_neighbours_see_the_questions_and_the_answers_that_hch_shows():
    parts, replies = [question("0.1"), question("0.2")], ["three", "four"]
    system, user = shared.synthesize(question("0"), parts, replies)
    assert system.startswith("You answer one question")
    assert re.findall(r"part (0[.\d]*)", user) == ["0", "0.1", "0.2", "0"]
    assert re.findall(r"<<text \d{12}>>\n(.*)\n<</text", user) == replies


def test_what_the_neighbours_share_needs_the_standard_library_alone():
    command = [sys.executable, "-S", "-c", "import benchmarks.neighbours.shared"]
    subprocess.run(command, cwd=ROOT, check=True)


def run(client: str, cpu: float, wall: float) -> dict[str, object]:
    return {
        "client": client,
        "title": client.title(),
        "versions": {client: "1.2", "other": "3"},
        "cpu": cpu,
        "wall": wall,
        "peak_kib": 100_000,
        "bytes": 1000,
        "most": 9,
    }


def test_the_rows_are_medians_over_the_calls_beside_hch():
    clients = [client for client in [*peers.OURS, *peers.NEIGHBOURS] if client != "hch"]
    runs = [run(client, cpu=5.3, wall=1.0) for client in clients]
    runs += [run("hch", cpu, wall) for cpu, wall in ((0.53, 0.4), (9.0, 9.0), (0.1, 0.1))]
    found = peers.medians(runs, depth=3)
    shown = {row[0]: row[1:] for row in peers.rows(found, critical=0.5)}
    assert shown["Hch"] == ["1.2", "10,000 us", "1.00", "0.40 s", "0.80", "102 MB"]
    assert shown["Dspy"] == ["1.2", "100,000 us", "10.00", "1.00 s", "2.00", "102 MB"]
    args = argparse.Namespace(depth=3, latency=0.05, rounds=3)
    assert "- Inspect: inspect 1.2, other 3; 1,000 bytes" in peers.page(found, args)


def test_malware_ends_the_run_before_its_python_starts(tmp_path: Path):
    info = tmp_path / "lib" / "python3.11" / "site-packages" / "litellm-1.dist-info"
    info.mkdir(parents=True)
    for version in ("1.82.6", "1.82.9"):
        (info / "METADATA").write_text(f"Name: litellm\nVersion: {version}\n", "utf-8")
        peers.refuse(tmp_path)
    for version in ("1.82.7", "1.82.8"):
        (info / "METADATA").write_text(f"Name: LiteLLM\nVersion: {version}\n", "utf-8")
        with pytest.raises(SystemExit, match=f"LiteLLM {re.escape(version)} .* is malware"):
            peers.refuse(tmp_path)


def test_no_key_and_no_setting_reaches_a_client():
    outer = {"PATH": "/bin", "OPENAI_BASE_URL": "x", "MY_API_KEY": "x", "INSPECT_LOG_LEVEL": "x"}
    assert peers.environment(outer) == {"PATH": "/bin"} | peers.QUIET


def test_a_neighbour_without_an_environment_is_told_how_to_get_one():
    with pytest.raises(SystemExit, match="make bench-peers"):
        peers.python("nobody")


@pytest.mark.slow
@pytest.mark.parametrize("neighbour", peers.NEIGHBOURS)
def test_a_neighbour_asks_a_whole_tree(neighbour: str):
    """It sends as many requests as it should, or the run ends."""
    if not (peers.ENVIRONMENTS / neighbour / ".installed").exists():
        pytest.skip("`make bench-peers` makes its environment")
    found = peers.once(neighbour, depth=2, latency=0.001)
    assert found["cpu"] > 0
    assert "uvloop" in found["versions"]
