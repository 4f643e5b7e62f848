"""`hch ask`: the answer on stdout and nothing else, how it went on stderr, and the exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from hch import HCH
from hch.commands._asked import notices
from hch.commands._running import Place
from hch.config import Config
from hch.safe_text import one_line
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.commands.terminal import Done, Screen, hch, rules, two_parts
from tests.loopback import Loopback, Reply, chat

Typed = Callable[..., Done]
DEEP = "What is ((2+3)*(4-1))-((6*7)+(8-5))?"


def trace_of(store: Path) -> Trace:
    """The newest run of a store."""
    with SqliteStore(store) as kept_in:
        return Trace(list(kept_in.events(kept_in.runs()[0].run)))


def test_the_answer_stands_alone_on_stdout() -> None:
    done = hch("ask", DEEP, "--depth", "3")
    assert (done.code, done.out) == (0, "-30\n")
    first, closing = done.err.splitlines()
    assert "built-in script" in first
    assert "+ - * of integers" in first
    assert "-m anthropic:NAME or -m openai:NAME with its key set, -m vllm:NAME" in first
    assert "-m gguf:PATH" in first
    assert re.fullmatch(r"hch: answered: 7 nodes, 0 calls, .* s; hch show \S+", closing)


def test_a_root_that_is_not_answered_leaves_stdout_empty(typed: Typed) -> None:
    done = typed("ask", DEEP, "--depth", "1")
    assert (done.code, done.out) == (1, "")
    assert (
        "no answer (unanswered): level 1 reaches operator height 2 and this one has 3" in done.err
    )


def test_a_vote_tells_its_votes_and_what_it_saved(typed: Typed) -> None:
    words = ("ask", "What is 4-1?", "--depth", "0", "--json", "-s")
    done = typed(*words, "vote,k=5/script")
    said = json.loads(done.out)
    assert said["ballot"] == {"votes": [["3", 3]], "tries": 3, "of": 5, "confidence": 1.0}
    assert re.fullmatch(r"hch: answered: 4 nodes, .* s, 2 tries saved; hch show \S+\n", done.err)
    again = typed("resume", said["run"], "--json")
    assert json.loads(again.out)["ballot"] == said["ballot"]
    assert "1 try saved; " in typed(*words, "vote/script").err
    # What was checked is handed on with its votes: they were held once.
    assert "1 try saved; " in typed(*words, "verify,by=oracle/vote/script").err
    assert "saved" not in typed(*words, "vote,k=1/script").err
    plain = typed(*words, "script")
    assert "ballot" not in json.loads(plain.out)
    assert "saved" not in plain.err


def test_quiet_leaves_errors_only(typed: Typed) -> None:
    assert typed("ask", DEEP, "--depth", "3", "--quiet") == Done(0, "-30\n", "")
    done = typed("ask", DEEP, "--depth", "1", "-q")
    assert done.err.startswith("hch: no answer (unanswered): ")
    assert done.err.count("\n") == 1


def test_what_is_named_is_not_called_built_in(typed: Typed) -> None:
    assert "built-in" not in typed("ask", "What is 2 + 3?", "-s", "script").err


def test_json_is_one_object(typed: Typed, home: Path) -> None:
    model = two_parts(home / "rules.toml")
    done = typed("ask", "Big?", "--depth", "1", "-m", model, "--json", "--budget", "20calls")
    said = json.loads(done.out)
    assert (done.code, done.out.count("\n")) == (0, 1)
    assert (said["status"], said["answer"], said["clean"]) == ("answered", "three", True)
    assert (said["nodes"], said["calls"]) == (3, 4)
    assert (said["grant"]["calls"], said["spent"]["calls"], said["cap"]["calls"]) == (18, 4, 20)
    assert said["grant"]["tokens"] is None
    assert {level: used["thinks"] for level, used in said["usage"].items()} == {"0": 2, "1": 2}
    assert said["run"] == trace_of(home / ".local/share/hch/hch.db").run


def test_json_says_why_there_is_no_answer(typed: Typed) -> None:
    said = json.loads(typed("ask", DEEP, "--depth", "0", "--json").out)
    assert (said["answer"], said["status"]) == (None, "unanswered")
    assert "operator height" in said["reason"]


def test_the_question_can_come_from_stdin(typed: Typed) -> None:
    assert typed("ask", "-", stdin=b"\n  What is 2 + 3?\n").out == "5\n"


@pytest.mark.parametrize(
    ("stdin", "said"),
    [
        (b" \n", "the question is empty"),
        (b"\xff\xfe1+1", "not text in UTF-8"),
        (b"1\0", "not text"),
    ],
)
def test_stdin_must_hold_a_text(typed: Typed, stdin: bytes, said: str) -> None:
    done = typed("ask", "-", stdin=stdin)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_context_goes_along_untrusted_and_a_manual_into_every_prompt(
    typed: Typed, home: Path
) -> None:
    (home / "notes.txt").write_text("The Rhine is long.", "utf-8")
    (home / "house.txt").write_text("Be brief.", "utf-8")
    model = rules(
        home / "rules.toml", {"match": "(?s)The Rhine is long.*Which?", "reply": "The Rhine"}
    )
    done = typed(
        *("ask", "Which?", "--depth", "0", "-m", model),
        *("--context", "notes.txt", "--manual", "house.txt"),
    )
    assert (done.code, done.out) == (0, "The Rhine\n")
    root = trace_of(home / ".local/share/hch/hch.db").roots[0]
    [text] = root.question.context
    assert (text.source, text.trusted) == ("document:notes.txt", False)
    call = root.thoughts[0][1]
    assert call is not None
    assert "Be brief." in call.intents[0].sent()[0].content


@pytest.mark.parametrize("option", ["--context", "--manual"])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none.txt", "cannot be read: No such file or directory"),
        ("folder", "cannot be read: Is a directory"),
        ("binary", "is not a text file in UTF-8"),
        ("zeros", "is not a text file in UTF-8"),
        ("/dev/zero", "is a device"),
    ],
)
def test_a_file_that_is_no_text_is_named(
    typed: Typed, home: Path, option: str, name: str, reason: str
) -> None:
    (home / "folder").mkdir()
    (home / "binary").write_bytes(b"\x7fELF\x80\xff")
    (home / "zeros").write_bytes(b"a\0b")
    done = typed("ask", "What is 2 + 3?", option, name)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"hch: {option[2:]} file {name} {reason}\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["-m", "scriptd:x"], 2, "no model 'scriptd': did you mean 'scripted'?"),
        (["-m", "scripted:none.toml"], 2, "none.toml"),
        (["-m", "openai:x"], 6, "OPENAI_API_KEY is not set"),
        (["-s", "factord"], 2, "no strategy 'factord': did you mean 'factored'?"),
        (["-s", "factored"], 6, "there is no model"),
        (["--depth", "-1"], 2, "depth -1 is not between 0"),
        (["--at", "0"], 2, "--at '0': write LEVELS=PLAYER"),
        (["--at", "0="], 2, "--at '0=': write LEVELS=PLAYER"),
        (["--at", "7=script"], 2, "levels '7' are not within 0 to 2"),
        (["--budget", "5parsecs"], 2, "budget '5parsecs' is not an amount"),
        (["--prompts", "nowhere"], 2, "prompts folder nowhere is no folder"),
        (["--task", "nonesuch"], 2, "no task 'nonesuch'"),
        (["--budget", ""], 2, "--budget is empty"),
        (["--budget", "٣calls"], 2, "write it in ASCII"),
        (["-m", " "], 2, "--model is empty"),
        (["-s", ""], 2, "--strategy is empty"),
        (["--task", ""], 2, "--task is empty"),
        (["--store", ""], 2, "--store is empty"),
        (["--prompts", ""], 2, "--prompts is empty"),
        (["--at", "0=script", "--at", "0=direct"], 2, "for the levels 0 twice"),
        (["--at", "1+=script", "--at", "1-2=direct"], 2, "the levels 1+ and 1-2: the same"),
        (["--at", "٠=script"], 2, "write LEVELS=PLAYER"),
        (["-m", "scripted:x.toml,latency=nan"], 2, "latency='nan'"),
        (["-m", "scripted:x.toml,latency=-3"], 2, "latency='-3'"),
    ],
)
def test_wrong_use_sends_and_keeps_nothing(
    typed: Typed, home: Path, words: list[str], code: int, said: str
) -> None:
    done = typed("ask", "What is 2 + 3?", *words)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("hch: ")
    assert done.err.count("\n") == 1
    assert said in done.err
    assert not list(home.rglob("*.db"))


def test_an_empty_question_and_one_that_is_no_text(typed: Typed) -> None:
    assert typed("ask", "  ") == Done(2, "", "hch: the question is empty\n")
    assert typed("ask", "\udcff") == Done(2, "", "hch: the question is not text in UTF-8\n")


def test_levels_can_have_their_own_players(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "7"})
    done = typed(
        *("ask", "What is (1 + 2) * 3?", "--depth", "1", "-s", "script"),
        *("--at", f"0=direct@{model}", "--seed", "4", "--fanout", "3", "--answer-tokens", "50"),
        *("--concurrency", "2", "--task", "arithmetic", "--store", "own.db"),
    )
    assert done.code in (0, 1)
    trace = trace_of(home / "own.db")
    assert trace.started.players == (f"direct@{model}", "script")
    assert (trace.started.seed, trace.started.setup["fanout"]) == (4, 3)
    assert done.err.endswith(f"hch show {trace.run} --store own.db\n")


ROOT: dict[str, Any] = {"match": "."}


@pytest.mark.parametrize(
    ("rule", "words", "code", "said"),
    [
        (
            {"reply": "half", "finish": "length"},
            [],
            4,
            "answered, not clean (1 cut): 1 node, 1 call",
        ),
        (
            {"reply": "", "finish": "length"},
            [],
            3,
            "before any text; start anew with longer answers: hch ask … --answer-tokens N",
        ),
        (
            {"reply": "x"},
            ["--budget", "10tokens,5calls"],
            3,
            "start anew with a larger budget: hch ask … --budget 5calls,",
        ),
        ({"reply": "I will not", "finish": "refusal"}, [], 1, "no answer (unanswered): I will not"),
        ({"reply": "CANNOT ANSWER: too hard"}, [], 1, "no answer (unanswered): too hard"),
        ({"reply": " "}, [], 1, "no answer (failed): the reply was empty"),
        ({"reply": "x", "fail": ["http 400"]}, [], 1, "no answer (failed): "),
    ],
)
def test_exit_codes_tell_how_it_ended(
    typed: Typed, home: Path, rule: dict[str, Any], words: list[str], code: int, said: str
) -> None:
    model = rules(home / "rules.toml", {**ROOT, **rule})
    done = typed("ask", "Why?", "--depth", "0", "-m", model, *words)
    assert done.code == code
    assert said in done.err
    assert done.out == ("half\n" if code == 4 else "")


def test_what_is_not_clean_is_counted(typed: Typed, home: Path) -> None:
    model = two_parts(home / "rules.toml", fail=["http 400"])
    done = typed("ask", "Big?", "--depth", "1", "-m", model)
    assert (done.code, done.out) == (4, "three\n")
    assert "answered, not clean (1 failed): 3 nodes, 4 calls" in done.err


def test_the_bill_stops_the_run_and_a_larger_one_goes_on(home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    done = hch(
        "ask", "Why?", "--depth", "0", "-m", model, "--budget", "1calls", "--store", "a b.db"
    )
    assert (done.code, done.out) == (3, "")
    resume = done.err.splitlines()[-1]
    run = trace_of(home / "a b.db").run
    assert resume == f"hch: go on with: hch resume {run} --budget 2calls --store 'a b.db'"
    rules(home / "rules.toml", {"match": ".", "reply": "x"})
    assert hch("resume", run, "--budget", "2calls", "--store", "a b.db").out == "x\n"


def keyed(server: Loopback) -> str:
    return f"openai:small,base_url={server.url},api_key_env=OPENAI_API_KEY"


def test_a_keyed_model_has_a_cap_that_is_said(home: Path) -> None:
    with Loopback(lambda _: Reply(chat("4"))) as server:
        words = ("ask", "Why?", "--depth", "0", "-m", keyed(server))
        done = hch(*words, OPENAI_API_KEY="sk-0")
        assert (done.code, done.out) == (0, "4\n")
        assert done.err.startswith("hch: capped at 200calls,500ktokens, since it costs money")
        assert re.search(r"1 call, \S+ tok, cost unknown, ", done.err)
        assert "capped" not in hch(*words, "--budget", "3calls", OPENAI_API_KEY="sk-0").err


def test_a_price_can_be_told_without_a_key(home: Path) -> None:
    done = hch("ask", "Why?", "-m", "openai:gpt-5.4-mini", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "capped at 200calls,500ktokens" in done.out


def test_who_answers_because_of_a_key_is_told() -> None:
    config = Config(store="memory", keys={"OPENAI_API_KEY": SecretStr("sk-0")})
    told = "openai:gpt-5.4-mini answers, since OPENAI_API_KEY is set and no model is named"
    assert next(notices(HCH(config=config))).startswith(told)
    for named in ({"strategy": "script"}, {"model": "openai:other"}, {"at": {"0+": "script"}}):
        assert not any("no model is named" in note for note in notices(HCH(config=config, **named)))


def test_variables_that_are_not_read_are_told(home: Path) -> None:
    words = ("ask", "What is 2 + 3?", "-s", "script")
    done = hch(*words, OPENAI_BASE_URL="http://127.0.0.1:1", HCH_DEPHT="3")
    assert (done.code, done.out) == (0, "5\n")
    assert "OPENAI_BASE_URL is not read: name a server by its model" in done.err
    assert "did you mean HCH_DEPTH?" in done.err


def test_an_endpoint_that_takes_no_key_stops_the_run(home: Path) -> None:
    with Loopback(lambda _: Reply({"error": {"message": "no"}}, status=401)) as server:
        words = ("ask", "Why?", "--depth", "0", "-m", keyed(server))
        done = hch(*words, OPENAI_API_KEY="sk-0")
    assert (done.code, done.out) == (6, "")
    assert re.search(r"^hch: go on with: hch resume \S+$", done.err, re.MULTILINE)


def test_a_file_that_is_no_store_is_left_alone(typed: Typed, home: Path) -> None:
    (home / "notes.txt").write_text("no store", "utf-8")
    done = typed("ask", "What is 2 + 3?", "--store", "notes.txt", "--quiet")
    assert (done.code, done.out) == (5, "")
    assert "resume" not in done.err
    assert (home / "notes.txt").read_text("utf-8") == "no store"


PAYLOAD = "\x1b[31mred\x1b]52;c;aGk=\x07\x9b2J\u202eabc\u200b[bold]x[/bold][@click=app.quit]y[/x]"


def test_a_terminal_gets_safe_text_and_a_pipe_the_text(home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": PAYLOAD})
    words = ("ask", "Why?", "--depth", "0", "-m", model, "--quiet")
    assert hch(*words).out == f"{PAYLOAD}\n"
    with Screen(*words) as screen:
        assert screen.rest() == (
            "\\x1b[31mred\\x1b]52;c;aGk=\\x07\\x9b2J\\u202eabc\\u200b[bold]x[/bold]"
            "[@click=app.quit]y[/x]\r\n"
        )


def test_a_reason_is_made_safe_on_stderr_too(home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": f"CANNOT ANSWER: {PAYLOAD}"})
    done = hch("ask", "Why?", "--depth", "0", "-m", model, "-q")
    assert done.code == 1
    assert done.err.startswith("hch: no answer (unanswered): \\x1b[31mred\\x1b]52")
    assert done.err.isprintable() is False  # the newline at its end
    assert done.err[:-1].isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("defaults = {budget = '5parsecs'}", "defaults.budget: budget '5parsecs' is not an amount"),
        ("defaults = {model = 'scriptd:x'}", "defaults.model: no model 'scriptd'"),
        ("defaults = {strategy = 'a,b'}", "defaults.strategy: 'b' in 'a,b' is not an option"),
    ],
)
def test_a_wrong_setting_is_told_with_its_file(
    typed: Typed, home: Path, text: str, said: str
) -> None:
    (home / "hch.toml").write_text(text)
    done = typed("ask", "What is 2 + 3?")
    assert (done.code, done.out) == (6, "")
    assert done.err.startswith(f"hch: {home / 'hch.toml'}, line 1: {said}")


def test_a_new_run_with_the_suggested_budget_answers(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x"})
    words = ("ask", "Why?", "--depth", "0", "-m", model, "--budget")
    done = typed(*words, "1ktokens")
    assert done.code == 3
    [larger] = re.findall(r"--budget (\S+)", done.err.splitlines()[0])
    assert typed(*words, larger).out == "x\n"


def test_a_run_in_memory_has_nothing_to_show_later(typed: Typed) -> None:
    done = typed("ask", "What is 2 + 3?", "--store", "memory")
    assert (done.code, done.out) == (0, "5\n")
    assert "hch show" not in done.err


def test_notices_are_for_runs_that_begin_and_for_levels_nobody_was_named_for(
    typed: Typed, home: Path
) -> None:
    (home / "notes.txt").write_text("no store", "utf-8")
    assert "built-in" not in typed("ask", "What is 2 + 3?", "--store", "notes.txt").err
    model = rules(home / "rules.toml", {"match": ".", "reply": "7"})
    at = ("--at", f"0=direct@{model}", "--at", "1+=script")
    assert "built-in" not in typed("ask", "What is 2 + 3?", *at).err
    assert "built-in" in typed("ask", "What is 2 + 3?", *at[:2]).err


def test_an_answer_that_cannot_be_encoded_is_spelled(home: Path) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "a → ✓"})
    done = hch("ask", "Why?", "--depth", "0", "-m", model, PYTHONIOENCODING="ascii")
    assert done.out == "a \\u2192 \\u2713\n"


def test_a_closed_terminal_stops_a_run_in_order(home: Path) -> None:
    model = two_parts(home / "rules.toml", latency=600)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM="xterm") as screen:
        screen.until("3 nodes, 2 open, 3 calls, 1 in flight")
        screen.send(signal.SIGHUP)
        said = screen.rest()
        assert screen.code == 129
    assert "hch: go on with: hch resume" in said


@pytest.mark.leaves_open
def test_calls_of_unknown_outcome_are_told(home: Path) -> None:
    model = two_parts(home / "rules.toml", latency=600)
    with Screen("ask", "Big?", "--depth", "1", "-m", model, TERM="xterm") as screen:
        screen.until("3 nodes, 2 open, 3 calls, 1 in flight")
        screen.send(signal.SIGKILL)
        screen.rest()
    unknown = "1 call of unknown outcome, counted at its worst case"
    assert unknown in hch("show").out
    said = json.loads(hch("show", "--json").out)["unknown"]
    assert (said["calls"], len(said["requests"])) == (1, 1)
    two_parts(home / "rules.toml")
    assert unknown in hch("resume").err


@pytest.mark.parametrize(
    "name", ["a  b.db", "it's\n.db", "\x1b[31m.db", "\u202egnp.db", "\udcff.db"]
)
def test_the_line_that_is_printed_finds_the_run_whatever_its_store_is_called(
    home: Path, name: str
) -> None:
    place = Place(name)
    line = place.command("show")
    assert one_line(line) == line
    assert line.startswith("hch show --store ")
    done = subprocess.run(
        ["bash", "-c", f"printf %s {line.removeprefix('hch show --store ')}"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert os.fsdecode(done.stdout) == name
