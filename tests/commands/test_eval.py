"""`hch eval`: its tables at any width, its flags, what it prints and writes, lists and compares."""

from __future__ import annotations

import csv
import json
import re
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hch import HCH, registry
from hch.commands._columns import Column, table
from hch.commands._examining import numbers
from hch.commands._scored import cell
from hch.errors import UsageError
from hch.safe_text import one_line
from tests.commands.terminal import HCH as COMMAND
from tests.commands.terminal import Done, Screen, hch, install, rules
from tests.commands.test_hostile import SOUND, hostile, on_screen
from tests.loopback import Loopback, Reply, chat
from tests.payloads import PAYLOADS, plain, raw_controls

Typed = Callable[..., Done]

SUMS = ("eval", "--task", "arithmetic", "--sizes", "1-3", "--count", "12")
ERRING = (*SUMS, "--player", "script", "--player", "script,errors=0.4", "--depths", "0-2")

__all__ = ["hostile"]


def evaluated(typed: Typed, *words: str) -> dict[str, Any]:
    done = typed("eval", *words, "--json", "-q")
    assert (done.code, done.err) == (0, "")
    found: dict[str, Any] = json.loads(done.out)
    return found


def rows(out: str) -> dict[int, list[str]]:
    """The rows of the first table, by number, each as its words."""
    lines = out.split("\n\n")[1].splitlines()[1:]
    return {int(line.split()[0]): line.split() for line in lines}


def test_each_player_has_a_row_at_each_depth_and_beside_each_tree_its_vote(typed: Typed) -> None:
    done = typed(*ERRING)
    assert done.code == 0
    assert "  arithmetic, 12 questions, 2 players\n" in done.out
    found = rows(done.out)
    assert [found[n][1] for n in (1, 6)] == ["script", "script,errors=0.4"]
    by = [next(w for w in found[n] if w == "vote" or w.startswith("HCH_")) for n in range(1, 11)]
    assert by == ["HCH_0", "HCH_1", "vote", "HCH_2", "vote"] * 2
    right = [next(w for w in found[n] if w.endswith("%")) for n in (1, 2, 4)]
    assert right == ["33.3%", "66.7%", "100.0%"]
    for title in ("What the trees add", "By level", "By kind of question", "Beside"):
        assert f"\n\n{title}" in done.out
    assert re.search(r"^ +4 +\+66\.7 +\+\d+\.\d to \+\d+\.\d +\.008 ", done.out, re.MULTILINE)
    assert re.search(r"row \d+: errors enter: \d+ at level", done.out)
    assert re.fullmatch(
        r"hch: evaluated: 120 answers, \d+ nodes, 0 calls, \d\.\d s; hch eval show \S+\n", done.err
    )


def test_shown_again_it_is_the_same_but_for_the_narration(typed: Typed) -> None:
    done = typed(*ERRING)
    assert typed("eval", "show") == Done(0, done.out, "")
    run = done.out.split()[0]
    assert typed("eval", "show", run[:10]).out == done.out
    assert typed("resume", run, "-q") == Done(0, done.out, "")
    first = json.loads(typed("eval", "show", "--json").out)
    assert json.loads(typed("resume", run, "--json").out) == first
    assert (first["run"], first["status"], first["open"]) == (run, "finished", 0)
    assert typed(*ERRING, "-q").err == ""


def test_without_a_player_it_is_as_ask_has_it(typed: Typed, home: Path) -> None:
    done = typed(*SUMS, "--depths", "1")
    assert "the built-in script answers" in done.err
    assert rows(done.out)[2][1] == "HCH_1"
    model = rules(home / "rules.toml", {"match": ".", "reply": "-1"})
    (home / "hch.toml").write_text(f'[models]\nsmall = "{model}"\n[defaults]\ntask = "minmax"\n')
    found = evaluated(typed, "--count", "3", "-m", "small", "-s", "direct", "--depths", "0")
    assert [row["label"] for row in found["rows"]] == ["direct@small"]
    assert found["source"] == "minmax"
    found = evaluated(typed, "--count", "3", "--player", "direct", "-m", "small", "--depths", "0")
    assert [row["label"] for row in found["rows"]] == ["direct"]
    assert found["rows"][0]["players"] == [f"direct@{model}"]


def test_levels_can_have_players_of_their_own(typed: Typed, home: Path) -> None:
    model = rules(home / "rules.toml", {"match": r"is (-?\d+) ([-+*]) ", "reply": "7"})
    player = f"0=direct@{model};1+=script"
    found = evaluated(typed, *SUMS[1:], "--player", player, "--depths", "2")
    assert [row["label"] for row in found["rows"]] == [player] * 3
    assert found["rows"][1]["players"] == [f"direct@{model}", "script", "script"]
    assert [row["what"] for row in found["rows"]] == ["alone", "tree", "vote"]
    assert found["rows"][2]["of"] == 2


def test_a_vote_has_as_many_tries_as_were_paid_for_also_where_the_player_votes(
    typed: Typed,
) -> None:
    words = (*SUMS, "--player", "vote,k=5/script,errors=0.2", "--depths", "0-2")
    found = json.loads(typed(*words, "--json", "-q").out)["rows"]
    assert [row["k"] is None for row in found] == [True, True, False, True, False]
    for tree, vote in ((found[1], found[2]), (found[3], found[4])):
        paid = [answer["spent"]["nodes"] for answer in tree["answers"]]
        each = [answer["spent"]["nodes"] for answer in found[0]["answers"]]
        afforded = [max(1, int(n // one)) for n, one in zip(paid, each, strict=True)]
        assert vote["k"] == sum(afforded) / len(afforded)
        assert f" vote of {vote['k']:.1f} " in typed("eval", "show").out


@pytest.fixture
def file(home: Path) -> Path:
    asked = [
        {"question": f"Number {n}?", "answer": f"{n}.0", "kind": f"k{n % 2}"} for n in (1, 2, 3)
    ]
    path = Path("q.jsonl")
    path.write_text("".join(f"{json.dumps(line)}\n" for line in asked))
    return path


@pytest.fixture
def one(home: Path) -> str:
    """A model that says 1 to everything."""
    return rules(home / "rules.toml", {"match": ".", "reply": "1"})


def test_questions_of_a_file_are_scored_as_one_says(typed: Typed, file: Path, one: str) -> None:
    words = ("--questions", str(file), "--player", f"direct@{one}", "--depths", "0")
    exact = evaluated(typed, *words)["rows"][0]
    numeric = evaluated(typed, *words, "--scorer", "numeric")["rows"][0]
    assert (exact["accuracy"]["some"], numeric["accuracy"]["some"]) == (0, 1)
    assert numeric["by_kind"]["k1"]["of"] == 2
    assert evaluated(typed, *words, "--count", "2")["questions"] == 2
    page = typed("eval", *words, "--scorer", "numeric", "-q").out
    assert ", scorer numeric\n" in page


def test_a_player_can_judge(typed: Typed, home: Path, file: Path) -> None:
    accept = '{"reason": "it is", "verdict": "accept"}'
    judge = {"match": "same in substance", "reply": accept}
    model = rules(home / "rules.toml", judge, {"match": ".", "reply": "one"})
    words = ("--questions", str(file), "-m", model, "-s", "direct", "--depths", "0")
    found = evaluated(typed, *words, "--scorer", "model")
    assert [row["accuracy"]["some"] for row in found["rows"]] == [3]
    judged = typed("eval", *words, "--scorer", "model", "--dry-run")
    assert judged.out.splitlines()[0].endswith("3 questions, 1 answer to each; nothing was sent")
    [listed] = json.loads(typed("eval", "list", "--json").out)
    assert (listed["answers"], listed["players"]) == (3, [f"direct@{model}"])
    assert "  3 questions  3 answers  direct@" in typed("eval", "list").out
    again = typed("resume", found["run"])
    assert "hch: evaluated: 3 answers, " in again.err
    rules(home / "rules.toml", {**judge, "reply": "so"}, {"match": ".", "reply": "one"})
    done = typed("eval", *words, "--scorer", "model", "-q")
    assert "row 1: of 3 answers nobody can tell whether they are right: they count as wrong" in (
        " ".join(done.out.split())
    )


def test_instances_sizes_and_seed_choose_the_questions(typed: Typed) -> None:
    task = ("--task", "permutation,size=8", "--count", "6", "--depths", "0")
    found = evaluated(typed, *task, "--instances", "3-4")
    assert len({asked["instance"] for asked in found["asked"]}) == 2
    other = evaluated(typed, *task, "--instances", "3-4", "--seed", "5")
    assert other["asked"] != found["asked"]
    assert evaluated(typed, *task, "--instances", "3-4")["asked"] == found["asked"]
    kinds = evaluated(typed, *SUMS[1:], "--depths", "0")["rows"][0]["by_kind"]
    assert {kind: part["of"] for kind, part in kinds.items()} == dict.fromkeys(
        ("height 1", "height 2", "height 3"), 4
    )


def test_a_budget_is_wanted_where_it_costs_money_and_each_is_the_grant(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    Path("m.txt").write_text("Be brief.")
    with Loopback(lambda _: Reply(chat("7"))) as server:
        model = f"openai:gpt-5.4-mini,base_url={server.url},api_key_env=OPENAI_API_KEY"
        words = ("eval", "--task", "minmax", "--count", "2", "-m", model, "-s", "direct")
        refused = typed(*words, "--depths", "0")
        assert (refused.code, refused.out) == (2, "")
        assert "2 answers cost money" in refused.err
        assert "give them a --budget" in refused.err
        capped = ("--depths", "0", "--budget", "9calls,90ktokens", "--each", "2calls,9ktokens")
        done = typed(*words, *capped, "--answer-tokens", "50", "--manual", "m.txt")
        assert done.code == 0, done.err
        sent = [request.body for request in server.requests]
    assert re.search("hch: 2 answers are foreseen to take about 2 calls, .* tok, ", done.err)
    assert len(sent) == 2
    assert all("Be brief." in body["messages"][0]["content"] for body in sent)
    assert "cost" in done.out.splitlines()[2]
    with HCH().kept_in as store:
        [run] = store.runs()
        [started] = store.events(run.run, "RunStarted")
    assert started.event.grant.calls == 2
    assert started.event.setup["answer_tokens"] == 50


def test_a_dry_run_sends_nothing_and_tells_every_answer(
    typed: Typed, file: Path, home: Path
) -> None:
    with Loopback(lambda _: Reply(chat("7"))) as server:
        players = [f"{name}@vllm:small,base_url={server.url}" for name in ("direct", "factored")]
        named = [word for player in players for word in ("--player", player)]
        words = ("eval", "--questions", str(file), *named, "--depths", "0-1", "--dry-run")
        done = typed(*words)
        as_json = json.loads(typed(*words, "--json").out)
        assert not server.requests
    assert done.code == 0
    head, *lines = done.out.splitlines()
    assert head.endswith("3 questions, 6 answers to each; nothing was sent")
    told = {line.split("  ")[0]: line.split() for line in lines}
    alone, tree, vote = (row["typical"] for row in as_json["rows"][3:])
    tries = tree["tokens"] // alone["tokens"]
    assert tries > tree["calls"] // alone["calls"], "the calls of a tree are the longer ones"
    assert (vote["calls"], vote["nodes"]) == (3 * tries, 3 * tries + 3)
    assert [row["typical"]["calls"] for row in as_json["rows"]] == [3, 3, 3, 3, 15, 3 * tries]
    assert told["all, typically"][2] == str(as_json["typical"]["calls"]) == str(27 + 3 * tries)
    assert as_json["most"]["calls"] >= 27 + 3 * tries >= as_json["least"]["calls"]
    assert "no evaluations" in typed("eval", "list").err


def test_every_answer_goes_into_a_csv_and_no_cell_is_a_formula(typed: Typed, home: Path) -> None:
    asked = [("=1+1", "@x"), ('a, "b"\nc', "-1"), ("+cmd", "+cmd")]
    with (home / "q.csv").open("w", newline="") as out:
        csv.writer(out).writerows([("question", "answer"), *asked])
    model = rules(
        home / "rules.toml", {"match": "a, .b", "reply": "-1"}, {"match": ".", "reply": "=2"}
    )
    words = ("--questions", "q.csv", "--player", f"direct@{model}", "--csv", "answers.csv")
    evaluated(typed, *words, "--depths", "0-1")
    with (home / "answers.csv").open(newline="") as done:
        found = list(csv.DictReader(done))
    assert [line["row"] for line in found] == ["1"] * 3 + ["2"] * 3 + ["3"] * 3
    assert [line["question"] for line in found[:3]] == ["'=1+1", 'a, "b"\nc', "'+cmd"]
    assert [line["answer"] for line in found[:3]] == ["'=2", "-1", "'=2"]
    assert [line["right"] for line in found[:3]] == ["false", "true", "false"]
    assert {line["calls"] for line in found} == {"1"}
    assert [line["nodes"] for line in found] == ["1"] * 6 + ["2"] * 3
    assert {line["status"] for line in found} == {"answered"}
    for text in ("=1", "+a", "-a", "@a", "\ta", "\ra", "\n=1", "-1-1"):
        assert cell(text) == f"'{text}"
    assert [cell(text) for text in ("-30", "+1.5", "a=1", "")] == ["-30", "+1.5", "a=1", ""]


def test_nothing_that_is_kept_or_read_is_written_over(typed: Typed, file: Path) -> None:
    evaluated(typed, *SUMS[1:], "--depths", "0", "--store", "runs.db")
    before = Path("runs.db").read_bytes(), file.read_bytes()
    Path("link.svg").symlink_to("runs.db")
    asked = ("eval", "--questions", str(file), "--player", "script", "--store", "runs.db")
    for words in (
        (*asked, "--csv", "./runs.db"),
        (*asked, "--csv", "runs.db-wal"),
        (*asked, "--csv", str(file)),
        (*asked, "--csv", "both.svg", "--plot", "both.svg"),
        ("eval", "show", "--store", "runs.db", "--csv", "runs.db"),
        ("eval", "show", "--store", "runs.db", "--plot", "link.svg"),
        ("iterate", "--task", "path,size=4", "--store", "runs.db", "--plot", "link.svg"),
    ):
        done = typed(*words)
        assert (done.code, done.out) == (2, "")
        assert "would be written over" in done.err
    assert (Path("runs.db").read_bytes(), file.read_bytes()) == before


def test_files_are_written_also_where_stdout_takes_nothing(home: Path) -> None:
    words = (*SUMS, "--player", "script", "--depths", "0", "-q", "--csv", "answers.csv")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*COMMAND, *words], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, b"stdout cannot be written" in done.stderr) == (1, True)
    assert Path("answers.csv").read_text().startswith("row,player,")


def test_a_seed_is_any_number(typed: Typed, home: Path) -> None:
    assert evaluated(typed, *SUMS[1:], "--depths", "0", "--seed", "-5")["questions"] == 12


def test_a_line_is_about_no_instance_but_the_one_it_names(typed: Typed, home: Path) -> None:
    lines = [{"question": "s^2(bf)", "instance": 1}, {"question": "s^2(bf)", "answer": "bd"}]
    Path("q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    model = rules(home / "rules.toml", {"match": ".", "reply": "bd"})
    words = ("--questions", "q.jsonl", "--task", "permutation", "--depths", "0")
    found = evaluated(typed, *words, "--player", f"direct@{model}")
    first, second = (line["instance"] for line in found["asked"])
    assert first
    assert second is None
    assert typed("eval", *words, "--player", "script").code == 2


def test_the_mean_of_right_in_a_csv_is_the_accuracy(typed: Typed, home: Path) -> None:
    [row] = evaluated(typed, *SUMS[1:], "--depths", "0", "--csv", "answers.csv")["rows"]
    with (home / "answers.csv").open(newline="") as done:
        found = list(csv.DictReader(done))
    assert [line["right"] for line in found].count("true") == row["accuracy"]["some"] == 4
    unanswered = [line["right"] for line in found if line["status"] == "unanswered"]
    assert unanswered == ["false"] * 8


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_plot_is_drawn_and_drawn_the_same(typed: Typed, tmp_path: Path, kind: str) -> None:
    first, second = tmp_path / f"a.{kind}", tmp_path / f"b.{kind}"
    assert typed(*ERRING, "-q", "--plot", str(first)).code == 0
    assert typed("eval", "show", "--plot", str(second)).code == 0
    begins = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[kind]
    assert first.read_bytes().startswith(begins)
    assert first.stat().st_size > 5000
    assert first.read_bytes() == second.read_bytes()


def test_an_unfinished_evaluation_is_shown_without_what_is_open(
    typed: Typed, home: Path, file: Path
) -> None:
    good = {"question": "Number 1?", "reply": "1.0"}
    model = rules(home / "rules.toml", good, {"match": ".", "reply": "1", "fail": ["http 500"] * 9})
    words = ("eval", "--questions", str(file), "--player", f"direct@{model}", "--depths", "0")
    stopped = typed(*words, "--budget", "3calls,90ktokens", "--concurrency", "1")
    assert (stopped.code, stopped.out) == (3, "")
    shown = typed("eval", "show").out
    head, over, *_ = shown.splitlines()
    assert head.endswith("1 question, 1 player; not finished")
    assert over.startswith("1 of 3 questions: those that every player finished first, which may be")
    assert rows(shown)[1][3] == "100.0%"
    assert "unfinished" in typed("eval", "list").out
    found = typed("show").out.splitlines()
    assert found[1].startswith("an evaluation of 3 roots; its figures: hch eval show 26")
    rules(home / "rules.toml", good, {"match": ".", "reply": "1"})
    [line] = re.findall(r"hch: go on with: hch (.+)\n", stopped.err)
    done = typed(*shlex.split(line))
    assert done.code == 0
    assert rows(done.out)[1][3] == "33.3%"


def test_evaluations_are_listed_and_no_other_runs(typed: Typed) -> None:
    assert "there are no evaluations in " in typed("eval", "list").err
    assert typed("eval", "show").code == 2
    typed("ask", "What is 2 + 3?")
    typed(*SUMS, "--depths", "0", "-q")
    done = typed("eval", "list")
    [line] = done.out.splitlines()
    assert line.split("  ")[1:] == [
        "finished",
        "arithmetic",
        "12 questions",
        "12 answers",
        "script",
    ]
    [found] = json.loads(typed("eval", "list", "--json").out)
    assert (found["questions"], found["players"]) == (12, ["script"])
    run = json.loads(typed("runs", "--json").out)[1]["run"]
    refused = typed("eval", "show", run)
    assert (refused.code, refused.err) == (
        2,
        f"hch: run {run} is no evaluation: hch eval makes one\n",
    )


def test_rows_are_compared_within_a_run_and_between_two(typed: Typed) -> None:
    one = evaluated(typed, *SUMS[1:], "--depths", "0-1")["run"]
    two = evaluated(typed, *SUMS[1:], "--depths", "0-1", "--fanout", "3")["run"]
    within = typed("eval", "compare", f"{one}:1", f"{one}:2")
    assert within.code == 0
    head, row, *players = within.out.splitlines()
    assert players == ["A 1: script HCH_0", "B 2: script HCH_1"]
    assert head.split()[:2] == ["A", "B"]
    assert row.split()[:2] == ["1", "2"]
    assert re.findall(r"\d+\.\d%", row) == ["33.3%", "66.7%"]
    assert " +33.3 " in row
    between = json.loads(typed("eval", "compare", one, two, "--json").out)
    assert [pair["difference"] for pair in between] == [0.0] * 3
    assert [pair["p"] for pair in between] == [1.0] * 3
    assert [pair["one"]["row"] for pair in between] == [1, 2, 3]
    named = json.loads(typed("eval", "compare", f"{one}:2", two, "--json").out)
    assert [pair["other"]["row"] for pair in named] == [2]
    other = evaluated(typed, "--task", "minmax", "--depths", "0", "--count", "3")["run"]
    for words, said in [
        ((one, one), f"name two rows of run {one}, such as {one}:1; {one} has 1 script HCH_0, 2 "),
        ((f"{one}:9", two), f"run {one} has rows 1 to 3, and no row 9"),
        ((f"{one}:x", two), f"'{one}:x': write RUN, or RUN:ROW"),
        ((f"{one}:1", f"{other}:1"), "share no question"),
        ((one, "nonesuch"), "no run nonesuch in "),
    ]:
        done = typed("eval", "compare", *words)
        assert (done.code, done.out) == (2, "")
        assert said in done.err


def test_a_player_that_both_are_has_a_column_where_it_fits(typed: Typed) -> None:
    one, two = (evaluated(typed, *SUMS[1:], "--depths", "0")["run"] for _ in range(2))
    head, row = typed("eval", "compare", one, two).out.splitlines()
    assert head.split()[2] == "player"
    assert row.split()[2:4] == ["script", "HCH_0"]


def test_both_players_are_told_whole_however_long(typed: Typed) -> None:
    names = ["script,errors=0.100000000000001", "script,errors=0.100000000000002"]
    words = [word for name in names for word in ("--player", name)]
    run = evaluated(typed, *SUMS[1:], *words, "--depths", "0")["run"]
    _, _, *players = typed("eval", "compare", f"{run}:1", f"{run}:2").out.splitlines()
    assert players == [f"A 1: {names[0]} HCH_0", f"B 2: {names[1]} HCH_0"]


def test_a_comparison_says_where_the_two_are_graded_by_other_rules(
    typed: Typed, file: Path, one: str
) -> None:
    words = ("--player", f"direct@{one}", "--depths", "0")
    plain, exact, numeric = (
        evaluated(typed, "--questions", str(file), *words, *scorer)["run"]
        for scorer in ((), ("--scorer", "exact"), ("--scorer", "numeric"))
    )
    said = typed("eval", "compare", exact, numeric).out
    assert said.endswith("\nA is graded by exact, B by numeric\n")
    said = typed("eval", "compare", plain, numeric).out
    assert said.endswith("\nA is graded by the task's own rule, B by numeric\n")
    assert "is graded by" not in typed("eval", "compare", f"{exact}:1", f"{exact}:1").out
    file.write_text(file.read_text().replace('"2.0"', '"7.0"').replace('"3.0"', '"8.0"'))
    other = evaluated(typed, "--questions", str(file), *words, "--scorer", "numeric")["run"]
    said = typed("eval", "compare", numeric, other).out
    assert said.endswith("\nA and B are held against other answers to 2 questions\n")
    [pair] = json.loads(typed("eval", "compare", exact, other, "--json").out)
    assert (pair["one"]["scorer"], pair["other"]["scorer"]) == ("exact", "numeric")
    assert pair["expected_apart"] == 2


def test_rows_that_are_not_alike_are_listed(typed: Typed) -> None:
    one = evaluated(typed, *SUMS[1:], "--depths", "0", "--player", "script")["run"]
    two = evaluated(typed, *SUMS[1:], "--depths", "0", "--player", "script,errors=0.1")["run"]
    done = typed("eval", "compare", one, two)
    assert done.code == 2
    assert f"{one} has 1 script HCH_0; {two} has 1 script,errors=0.1 HCH_0" in done.err


def test_a_check_that_rejects_nothing_is_said_to_change_nothing(typed: Typed, home: Path) -> None:
    accept = '{"reason": "it is", "verdict": "accept"}'
    agrees = {"match": "Is the answer right", "reply": accept}
    model = rules(home / "rules.toml", agrees, {"match": ".", "reply": "7"})
    words = (*SUMS, "--player", f"verify,tries=2/direct@{model}", "--depths", "0")
    done = typed(*words)
    assert done.code == 0, done.err
    assert "row 1: the check rejected nothing: it changed no answer\n" in done.out


def test_what_a_vote_can_give_is_told_under_the_correlation_alone(typed: Typed) -> None:
    words = ("eval", "--task", "minmax,size=1", "--count", "40", "--depths", "0")
    done = typed(*words, "--player", "vote,k=5/script,errors=0.4")
    assert re.search(r"row 1: 40 votes of \d+ tries, of at most 200, \d+ tries saved", done.out)
    said = " ".join(done.out.split())
    assert re.search(r"errors of equal tries go together with a correlation of -?\d\.\d\d \(", said)
    assert re.search(r"under that a vote of 5 gets \d+\.\d% right \(", said)


def test_of_a_vote_won_by_a_lead_no_law_of_a_majority_is_quoted(typed: Typed) -> None:
    words = ("eval", "--task", "minmax,size=1", "--count", "40", "--depths", "0")
    done = typed(*words, "--player", "vote,ahead=3/script,errors=0.4")
    said = " ".join(done.out.split())
    assert "go together with a correlation of" in said
    assert re.search(r"row 1: whoever chose best among these tries, \d+\.\d%", said)
    assert "under that" not in said
    [row] = json.loads(typed("eval", "show", "--json").out)["rows"]
    assert (row["together"][0]["k"], row["together"][0]["voted"]) == (None, None)


def test_tries_without_an_answer_are_told_among_those_that_err(typed: Typed, home: Path) -> None:
    words = (*SUMS, "--player", "vote,k=5/script,errors=0.4", "--depths", "0")
    said = " ".join(typed(*words, "-q").out.split())
    [row] = json.loads(typed("eval", "show", "--json").out)["rows"]
    assert row["together"][0]["unanswered"]["some"] == 24
    assert re.search(
        r"a try at level 0 errs in \d+\.\d%, \d+\.\d% for want of an answer, and", said
    )


def test_where_no_question_has_an_answer_the_commonest_reason_is_told(
    typed: Typed, home: Path
) -> None:
    reason = f"it is too far away {'x' * 200}"
    short = {"match": "17", "reply": "CANNOT ANSWER: no"}
    model = rules(home / "rules.toml", short, {"match": ".", "reply": f"CANNOT ANSWER: {reason}"})
    asked = [{"question": f"What is {n} + {n}?", "answer": str(2 * n)} for n in (15, 16, 17)]
    (home / "q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in asked))
    words = ("eval", "--questions", "q.jsonl", "--player", f"direct@{model}", "--depths", "0")
    done = typed(*words, "-q")
    said = " ".join(done.out.split())
    assert f"no question has an answer; the commonest reason, 2 of 3 times: {reason[:30]}" in said
    assert one_line(reason, 100) in said
    assert "no question has an answer" not in typed(*SUMS, "--depths", "0", "-q").out


def test_right_answers_without_a_wrong_part_are_told_too(typed: Typed) -> None:
    done = typed(*SUMS, "--depths", "2", "-q")
    assert re.search(r"row 2: right with a wrong part below: 0\.0% of \d+ right answers", done.out)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_it_fits_a_terminal(typed: Typed, columns: int) -> None:
    label = "script,errors=0.4"
    with Screen(*ERRING, "--player", "vote,k=3/script,errors=0.30", columns=columns) as screen:
        said = screen.rest().replace("\r\n", "\n")
        assert screen.code == 0
    page = said.partition("hch: evaluated")[0]
    assert all(cell_len(line) <= columns for line in page.splitlines())
    head = page.split("\n\n")[1].splitlines()[0].split()
    assert {"row", "player", "by", "right"} <= set(head)
    assert ("time" in head, "95%" in head) == (columns > 60 and "time" in head, True)
    assert label[:10] in page


def test_columns_go_by_their_rank_and_texts_are_cut_before_figures_go() -> None:
    columns = [
        Column("n", ["1", "2"], 9),
        Column("name", ["a" * 30, "b"], 5, texts=True),
        Column("much", ["1,000", "2"], 1),
        Column("none", [], 8),
    ]
    assert list(table(columns, 80)) == [
        f"n  {'name':30}   much",
        f"1  {'a' * 30}  1,000",
        f"2  {'b':30}      2",
    ]
    assert list(table(columns, 24))[1] == f"1  {'a' * 13}…  1,000"
    assert list(table(columns, 18))[1] == f"1  {'a' * 14}…"
    assert list(table(columns, 4)) == ["n", "1", "2"]


def test_numbers_are_read_one_by_one_and_as_spans() -> None:
    assert numbers("0-2,4", "depths") == (0, 1, 2, 4)
    assert numbers("3", "depths") == (3,)
    assert numbers("2,1-2", "depths") == (2, 1)
    for wrong in ("", "x", "1-", "-1", "1--2", "3-2", "1;2", "٣", "0-99999"):
        with pytest.raises(UsageError, match="--depths"):
            numbers(wrong, "depths")


def test_what_can_be_typed_is_offered(typed: Typed, home: Path) -> None:
    def offered(*words: str) -> list[str]:
        done = typed("--complete", "zsh", *words)
        assert (done.code, done.err) == (0, "")
        return [line.partition("\t")[0] for line in done.out.splitlines()]

    assert set(registry.names("scorers")) <= set(offered("eval", "--scorer", ""))
    assert "case=" in "".join(offered("eval", "--scorer", "exact,"))
    assert "arithmetic" in offered("eval", "--task", "ar")
    assert any(value.startswith("vote") for value in offered("eval", "--player", ""))
    assert offered("eval", "co") == ["compare"]
    run = evaluated(typed, *SUMS[1:], "--depths", "0")["run"]
    assert offered("eval", "show", "") == [run]


def test_what_a_file_and_its_answers_say_steers_nothing(
    home: Path, hostile: Mapping[str, str]
) -> None:
    asked = [
        {"question": f"Number {n}? {text}", "answer": text, "kind": text}
        for n, text in enumerate(SOUND)
    ]
    (home / "q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in asked))
    words = ("eval", "--questions", "q.jsonl", "--depths", "0", "-m", "hostile:answer")
    seen = on_screen(*words, "--scorer", "exact", "-q", columns=200, **hostile)
    assert "kinds more: --json has all" in seen
    assert one_line(PAYLOADS[0].text, 16)[:10] in seen
    compared = on_screen("eval", "list", **hostile)
    assert "q.jsonl" in compared


LIVE = """
import asyncio
from hch import ScriptedModel

async def reply(request):
    await asyncio.sleep(1.2 if "7" in request.question else 0)
    return "7"

def build():
    return ScriptedModel(reply, name="live")
"""


def test_a_terminal_sees_how_far_each_player_is(home: Path) -> None:
    env = install(home, "models.live", "live_model", LIVE)
    lines = [{"question": f"Number {n}?", "answer": "7"} for n in range(30)]
    (home / "q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    words = ("eval", "--questions", "q.jsonl", "--player", "direct@live", "--depths", "0-1", "-q")
    with Screen(*words[:-1], columns=90, TERM="xterm", **env) as screen:
        screen.until("100% right")
        said = screen.rest()
        assert screen.code == 0
    assert not raw_controls(said.encode())
    seen = plain(said.encode())
    assert "direct@live HCH_0" in seen
    assert re.search(r"direct@live vote +\d+ of 30", seen)
    assert re.search(r"\d+ of 90 answers, 100% right", seen)


def test_no_terminal_gets_a_line_with_answers_done_and_what_is_to_come(home: Path) -> None:
    slow = LIVE.replace('1.2 if "7" in request.question else 0', "6")
    env = install(home, "models.live", "live_model", slow)
    words = ("eval", "--task", "minmax", "--count", "2", "--player", "direct@live", "--depths", "0")
    done = hch(*words, **env)
    assert done.code == 0
    assert "\nhch: 0 of 2 answers, 2 nodes, 2 open, 2 calls, 2 in flight" in done.err
