"""`hch generate`: what is asked, what is told, what fails, and what other commands make of it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hch.events import CallIntended, RootOpened
from hch.roots import planned
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.commands.terminal import Done, hch, rules
from tests.loopback import Loopback, Reply, chat

Typed = Callable[..., Done]

SUMS = ("generate", "--task", "arithmetic,size=2", "-s", "script", "--depth", "2")
STORE = "runs.db"


def made(typed: Typed, *words: str) -> dict[str, Any]:
    done = typed("generate", *words, "--json", "-q", "--store", STORE)
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def trace_of(run: str) -> Trace:
    with closing(SqliteStore(STORE)) as store:
        return Trace(store.events(run))


def answering(reply: Callable[[str], Reply]) -> Loopback:
    """A server of HCH_0: it is sent a question, and replies as that says."""

    async def answer(body: Mapping[str, Any]) -> Reply:
        return reply(body["messages"][-1]["content"])

    return Loopback(answer)


def test_the_runs_id_is_all_of_stdout_and_the_report_is_told(typed: Typed) -> None:
    done = typed(*SUMS, "--n", "12", "--store", STORE)
    assert done.code == 0
    run = done.out.strip()
    assert done.out == f"{run}\n"
    lines = done.err.splitlines()
    assert lines[0] == "hch: 12 roots: 12 answered, 12 clean, 12 right of 12 whose truth is known"
    assert re.fullmatch(r"hch: [0-9]+ nodes, 0 calls, .* s", lines[1])
    build = f"hch dataset build {run} --format prompt-completion --out DIR --store {STORE}"
    label = f"hch label {run} --truth --store {STORE}"
    assert lines[2:] == [
        f"hch: label what is right with: {label}",
        f"hch: make a dataset of it with: {build}",
    ]
    trace = trace_of(run)
    assert trace.finished
    assert len(trace.roots) == 12
    assert len({root.opened.question.body for root in trace.roots}) == 12


def test_quiet_leaves_the_id_alone(typed: Typed) -> None:
    done = typed(*SUMS, "--n", "2", "-q", "--store", STORE)
    assert (done.code, done.err) == (0, "")
    assert len(done.out.split()) == 1


def test_samples_of_a_question_are_other_nodes_with_other_seeds_and_all_else_is_shared(
    typed: Typed,
) -> None:
    with answering(lambda _: Reply(chat("7"))) as server:
        model = f"vllm:small,base_url={server.url}"
        sums = ("--task", "arithmetic,size=2", "--n", "3", "--samples", "4", "-m", model)
        found = made(typed, *sums, "-s", "direct", "--depth", "0")
    assert (found["questions"], found["roots"], found["calls"]) == (3, 12, 12)
    with closing(SqliteStore(STORE)) as store:
        events = [record.event for record in store.events(found["run"])]
    assert len({event.key for event in events if isinstance(event, RootOpened)}) == 12
    sent = [event for event in events if isinstance(event, CallIntended)]
    assert len({event.messages for event in sent}) == 3
    assert len({(event.messages, event.seed) for event in sent}) == 12
    plan = planned(trace_of(found["run"]).started)
    assert [question.sample for question in plan.questions] == [(0,), (1,), (2,), (3,)] * 3
    assert [q.text for q in plan.questions[::4]] == [q.text for q in plan.questions[3::4]]


def test_equal_sub_questions_of_all_trees_are_one_node(typed: Typed) -> None:
    found = made(typed, "--task", "minmax,size=2", "-s", "script", "--n", "30", "--depth", "3")
    trace = trace_of(found["run"])
    keys = [node.key for node in trace.nodes()]
    assert len(keys) == len(set(keys)) == found["nodes"]
    assert any(ask.shared for node in trace.nodes() for ask in node.asks)


@pytest.mark.parametrize("name", ["exam.jsonl", "exam.csv"])
def test_questions_of_a_file_keep_their_answers_and_need_none(typed: Typed, name: str) -> None:
    text = {
        "exam.jsonl": '{"question": "What is 2 + 3?", "answer": "5"}\n{"question": "Who?"}\n',
        "exam.csv": "question,answer\nWhat is 2 + 3?,5\nWho?,\n",
    }[name]
    Path(name).write_text(text, "utf-8")
    with answering(lambda asked: Reply(chat("5" if "2 + 3" in asked else "Ada"))) as server:
        model = f"vllm:small,base_url={server.url}"
        found = made(typed, "--questions", name, "-m", model, "-s", "direct", "--depth", "0")
    assert (found["roots"], found["answered"]) == (2, 2)
    assert (found["graded"], found["right"]) == (1, 1)
    held = planned(trace_of(found["run"]).started).examination
    assert held is not None
    assert held.expected == ("5", None)
    assert found["source"] == held.source == name


def test_what_failed_is_told_by_reasons_with_nodes_to_look_at_and_can_be_tried_again(
    typed: Typed,
) -> None:
    broken = {"on": True}

    def reply(asked: str) -> Reply:
        refused = broken["on"] and int(asked.split("number ")[1].split("?", maxsplit=1)[0]) % 4 == 1
        return Reply({"error": {"message": "no 7"}}, status=400) if refused else Reply(chat("ok"))

    lines = [f'{{"question": "Which number {n}?"}}\n' for n in range(12)]
    Path("q.jsonl").write_text("".join(lines), "utf-8")
    with answering(reply) as server:
        model = f"vllm:small,base_url={server.url}"
        players = ("-m", model, "-s", "direct", "--depth", "0")
        words = ("generate", "--questions", "q.jsonl", *players, "--store", STORE)
        done = typed(*words)
        assert done.code == 0
        run = done.out.strip()
        assert "hch: 12 roots: 9 answered, 3 failed, 9 clean" in done.err
        assert re.search(r"hch: 3 failed: .*no 7.* \(node 1, 5, 9\)", done.err)
        show = next(line for line in done.err.splitlines() if "look at one" in line)
        shown = typed(*shlex.split(show.partition("with: hch ")[2]))
        assert shown.code == 0
        assert "Which number 1?" in shown.out
        broken["on"] = False
        again = next(line for line in done.err.splitlines() if "again with: " in line)
        mended = typed(*shlex.split(again.partition("with: hch ")[2]))
    assert (mended.code, mended.out) == (0, f"{run}\n")
    assert "hch: 12 roots: 12 answered, 12 clean\n" in mended.err


def test_where_nothing_was_answered_the_exit_code_says_so(typed: Typed) -> None:
    Path("q.jsonl").write_text('{"question": "Who?"}\n', "utf-8")
    model = rules(Path("rules.toml"), {"question": "Who?", "reply": "no", "finish": "refusal"})
    words = ("--questions", "q.jsonl", "-m", model, "-s", "direct", "--depth", "0")
    done = typed("generate", *words, "--store", STORE)
    assert done.code == 1
    assert len(done.out.split()) == 1
    assert "1 root: 0 answered, 1 unanswered, 0 clean" in done.err
    assert "hch dataset build" not in done.err


def test_a_dry_run_sends_nothing_keeps_nothing_and_needs_no_key(typed: Typed) -> None:
    words = ("--task", "arithmetic", "--n", "40", "--samples", "2", "-m", "openai:gpt-5.4-mini")
    done = typed("generate", *words, "--dry-run", "--store", STORE)
    assert (done.code, done.err) == (0, "")
    assert "80 questions, 1 answer to each; nothing was sent" in done.out
    foreseen = typed("generate", *words, "--dry-run", "--json", "--store", STORE)
    assert json.loads(foreseen.out)["questions"] == 80
    assert not Path(STORE).exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "there is nothing to ask"),
        (("--task", "arithmetic", "--n", "0"), 2, "--n"),
        (("--task", "arithmetic", "--samples", "0"), 2, "--samples"),
        (("--task", "arithmetic", "--samples", "100000"), 2, "100,000 samples of 100 questions"),
        (("--task", "path", "--n", "3", "--samples", "33334"), 2, "are 100,002 trees, and a run"),
        (("--task", "arithmetic", "--at", "x", "-s", "script"), 2, "--at 'x'"),
        (("--task", ""), 2, "--task is empty"),
        (("--questions", "none.jsonl", "-s", "script"), 2, "none.jsonl cannot be read"),
        (("--questions", "q.jsonl", "--sizes", "1-2", "-s", "script"), 2, "--questions has its"),
        (("--task", "arithmetic", "-m", "openai:gpt-5.4-mini"), 6, "OPENAI_API_KEY"),
        (("--task", "arithmetic", "-s", "script", "--budget", "5nodes"), 2, "less than a node"),
    ],
)
def test_wrong_use_is_said_before_anything_is_sent(
    typed: Typed, words: tuple[str, ...], code: int, said: str
) -> None:
    done = typed("generate", *words, "--store", STORE)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not Path(STORE).exists()


def test_samples_of_a_file_are_counted_with_its_questions(typed: Typed) -> None:
    Path("q.jsonl").write_text('{"question": "What is 2 + 3?"}\n{"question": "What is 3 + 4?"}\n')
    words = ("--questions", "q.jsonl", "-s", "script", "--store", STORE, "--dry-run")
    done = typed("generate", *words, "--samples", "50001")
    assert (done.code, done.out) == (2, "")
    assert "50,001 samples of 2 questions are 100,002 trees" in done.err
    assert typed("generate", *words, "--samples", "2").code == 0


def test_what_costs_money_wants_a_budget(typed: Typed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    words = ("--task", "arithmetic", "-m", "openai:gpt-5.4-mini", "--store", STORE)
    done = typed("generate", *words)
    assert done.code == 2
    assert "100 answers cost money" in done.err
    tiny = typed("generate", *words, "--budget", "100calls,90tokens")
    assert tiny.code == 2
    assert "gives each of 100 answers 0.8 tokens" in tiny.err


@pytest.mark.leaves_open
def test_out_of_budget_the_resume_line_goes_on_to_the_report(typed: Typed) -> None:
    with answering(lambda _: Reply(chat("7"))) as server:
        model = f"vllm:small,base_url={server.url}"
        players = (
            "-m",
            model,
            "-s",
            "direct",
            "--depth",
            "0",
            "--each",
            "1calls,1ktokens",
            "--answer-tokens",
            "16",
        )
        sums = ("generate", "--task", "arithmetic,size=2", "--n", "8", *players)
        done = typed(*sums, "--budget", "8calls,150tokens", "--store", STORE)
        assert (done.code, done.out) == (3, "")
        while done.code == 3:
            line = next(line for line in done.err.splitlines() if "go on with: " in line)
            done = typed(*shlex.split(line.partition("go on with: hch ")[2]))
    assert done.code == 0
    assert len(done.out.split()) == 1
    assert "8 roots: 8 answered, 8 clean" in done.err


@pytest.mark.leaves_open
def test_a_dead_endpoint_ends_it_with_a_resume_line(typed: Typed) -> None:
    with answering(lambda _: Reply(chat("7"))) as server:
        url = server.url
    sums = ("generate", "--task", "arithmetic,size=2", "--n", "30", "-s", "direct", "--depth", "0")
    done = hch(*sums, "-m", f"vllm:small,base_url={url}", "--store", STORE)
    assert (done.code, done.out) == (6, "")
    assert "hch: go on with: hch resume " in done.err


def test_it_is_no_evaluation_and_can_be_graded_as_one(typed: Typed) -> None:
    erring = ("--task", "arithmetic,size=1", "-s", "script,errors=0.3", "--n", "40", "--depth", "1")
    found = made(typed, *erring)
    assert 0 < found["right"] < found["graded"] == 40
    listed = typed("eval", "list", "--store", STORE)
    assert listed.out == ""
    assert "there are no evaluations" in listed.err
    shown = json.loads(typed("eval", "show", found["run"], "--json", "--store", STORE).out)
    assert [sum(a["right"] for a in row["answers"]) for row in shown["rows"]] == [found["right"]]
    page = typed("show", found["run"], "--store", STORE)
    report = f"hch resume {found['run']} --store {STORE}"
    assert f"40 trees that hch generate made; its report: {report}" in page.out
    again = typed(*shlex.split(report)[1:], "--json", "-q")
    assert json.loads(again.out) == found
    assert found["run"] in typed("runs", "--store", STORE).out


def test_players_by_level_and_another_seed_are_as_of_ask(typed: Typed) -> None:
    words = ("--task", "minmax,size=2", "--n", "4", "--depth", "2", "-s", "script")
    at = ("--at", "0=script,errors=0.5")
    found = made(typed, *words, *at, "--seed", "1")
    started = trace_of(found["run"]).started
    assert started.players == ("script,errors=0.5", "script", "script")
    other = made(typed, *words, *at, "--seed", "2")
    assert trace_of(other["run"]).started.seed == 2
    assert made(typed, *words, *at, "--seed", "1")["right"] == found["right"]
