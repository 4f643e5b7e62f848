"""Every bad use gets one line that says what was wrong and what to do, and its exit code."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.commands.terminal import HCH, Screen

ASK = ("ask", "What is 2 + 3?")
EVAL = ("eval", "--task", "arithmetic")
THINKS = ("ask", "Why?", "-m", "scripted:rules.toml")


@dataclass(frozen=True)
class Bad:
    """A command line, what lies in its folder, and what is said of it; `shell` goes after it."""

    words: tuple[str, ...]
    code: int
    said: str
    files: dict[str, str | bytes] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    shell: str = ""


RULES = '[[rule]]\nmatch = ".*"\nreply = "so"\n'
MISSING = "raise ModuleNotFoundError(\"No module named 'xllamacpp'\", name='xllamacpp')\n"
LONG = "a" * 5000
PROMPT = "--- user ---\n$question $contxt $manual\n"

CASES = {
    # names
    "unknown command": Bad(("aks",), 2, "did you mean 'ask'?"),
    "unknown command of a command": Bad(
        ("prompts", "lst"), 2, "'lst': did you mean 'list'? see hch prompts --help"
    ),
    "help as a command": Bad(("help",), 2, "no command 'help': hch --help shows them all"),
    "option before a command that has it not": Bad(
        ("prompts", "--prompts", "p", "copy", "new"), 2,
        "--prompts does not go with copy: see hch prompts copy --help",
    ),
    "check with an option of show": Bad(
        ("config", "--origin", "check"), 2, "--origin does not go with check"
    ),
    "a label of no run": Bad(("label",), 2, "name a run, and a node of it"),
    "a label that is neither": Bad(
        ("label", "26", "0", "ugly"), 2, "'ugly' is neither good nor bad"
    ),
    "a label by two": Bad(("label", "26", "--truth", "--scorer", "exact"), 2, "do not go together"),
    "stdin as a document": Bad(
        ("import", "--as", "questions", "-"), 2, "stdin is read once: name a file beside --as"
    ),
    "unknown model": Bad((*ASK, "-m", "opena:x"), 2, "did you mean 'openai'?"),
    "unknown strategy": Bad((*ASK, "-s", "factord"), 2, "did you mean 'factored'?"),
    "unknown task": Bad((*ASK, "--task", "arithmetics"), 2, "did you mean 'arithmetic'?"),
    "unknown flag": Bad((*ASK, "--dept", "2"), 2, "did you mean --depth?"),
    "unknown option": Bad((*ASK, "-s", "consult,turn=3"), 2, "did you mean 'turns'?"),
    "option that is none": Bad((*ASK, "-s", "consult,turns"), 2, "write name=value"),
    "option out of range": Bad((*ASK, "-s", "consult,turns=0"), 2, "turns='0'"),
    "option given twice": Bad((*ASK, "-s", "consult,turns=2,turns=3"), 2, "twice"),
    "argument to a strategy": Bad((*ASK, "-s", "direct:x"), 2, "takes no argument"),
    "model without its argument": Bad((*ASK, "-m", "openai"), 2, "write openai:ARG"),
    "unknown kind of plugin": Bad(("plugins", "model"), 2, "no kind of plugin 'model'"),
    "unknown prompt": Bad(("prompts", "show", "factored/decompos"), 2, "factored/decompose"),
    "player without a model": Bad((*ASK, "-s", "direct@"), 2, "names no model after its @"),
    "thinks without a model": Bad((*ASK, "-s", "direct"), 6, "name one by -m"),
    # tasks and their instances
    "facts and no instance": Bad(
        ("ask", "s^13(ab)", "--task", "permutation"), 2, "say which instance is meant"
    ),
    "instance of a task without facts": Bad(
        (*ASK, "--instance", "7"), 2, "task 'arithmetic' has no facts, since its questions say all"
    ),
    "instance of another without": Bad(
        ("ask", "min(2,3)", "--task", "minmax", "--instance", "0"), 2, "leave --instance out"
    ),
    "instance below 0": Bad((*ASK, "--instance", "-1"), 2, "'--instance'"),
    "instance in words": Bad((*ASK, "--instance", "seven"), 2, "'--instance'"),
    "size of a task that cannot be": Bad(
        ("ask", "s^1(aa)", "--task", "permutation,size=1", "--instance", "0"), 2, "size='1'"
    ),
    "option that a task has not": Bad(
        ("task", "sample", "path,sise=8"), 2, "no option 'sise': did you mean 'size'?"
    ),
    "size beyond a task": Bad(("task", "sample", "wildcard,size=17"), 2, "size='17'"),
    "unknown task to sample": Bad(("task", "sample", "pth"), 2, "did you mean 'path'?"),
    "no task to solve": Bad(("task", "solve"), 2, "missing argument 'TASK'"),
    "task that is empty": Bad(("task", "solve", ""), 2, "TASK is empty"),
    "question of a task that is empty": Bad(("task", "solve", "path", " "), 2, "QUESTION is empty"),
    "question that a task cannot read": Bad(
        ("task", "solve", "path", "what?"), 2,
        "task 'path' cannot read it: 'what?' is not of the form S(ab,cd) or D(ab,cd)",
    ),
    "instance where the question says all": Bad(
        ("task", "solve", "minmax", "min(2,3)", "--instance", "7"), 2, "leave --instance out"
    ),
    "errors that are no rate": Bad(
        ("task", "solve", "path", "--errors", "nan"), 2, "--errors nan: a rate is 0 to 1"
    ),
    "depth beyond what is unrolled": Bad(
        ("task", "solve", "path", "--depth", "201"), 2, "'--depth'"
    ),
    "fewer questions than none": Bad(("task", "sample", "path", "--count", "-1"), 2, "'--count'"),
    # evaluations
    "nothing to evaluate on": Bad(("eval",), 2, "there is nothing to ask: name a --task"),
    "players by two flags": Bad(
        (*EVAL, "--player", "script", "-s", "script"), 2, "--player and --strategy both say how H"
    ),
    "player named twice": Bad(
        (*EVAL, "--player", "script", "--player", "script"), 2, "player 'script' is named twice"
    ),
    "player that is none": Bad((*EVAL, "--player", "scrpt"), 2, "did you mean 'script'?"),
    "player without level 0": Bad(
        (*EVAL, "--player", "1+=script"), 2, "does not say who plays level 0"
    ),
    "depths in words": Bad((*EVAL, "--depths", "all"), 2, "--depths 'all': write numbers"),
    "depths the wrong way": Bad((*EVAL, "--depths", "3-1"), 2, "are not 1 to 10,000 numbers"),
    "depths beyond all": Bad((*EVAL, "--depths", "10001"), 2, "depth 10001 is not between 0"),
    "no questions at all": Bad((*EVAL, "--count", "0"), 2, "'--count'"),
    "more questions than there are": Bad(
        ("eval", "--task", "wildcard,size=1", "--count", "9"), 2, "different questions"
    ),
    "instances in words": Bad((*EVAL, "--instances", "some"), 2, "--instances 'some'"),
    "sizes of none": Bad((*EVAL, "--sizes", ","), 2, "--sizes ',': write numbers"),
    "sizes of a file": Bad(
        ("eval", "--questions", "q.csv", "--sizes", "1"), 2, "--instances and --sizes are of a task"
    ),
    "unknown scorer": Bad((*EVAL, "--scorer", "exct"), 2, "did you mean 'exact'?"),
    "grant in seconds": Bad((*EVAL, "--each", "5min"), 2, "and no time"),
    "grant of nothing": Bad((*EVAL, "--each", ""), 2, "--each is empty"),
    "questions that are not there": Bad(("eval", "--questions", "no.csv"), 2, "no.csv cannot be"),
    "questions of no known kind": Bad(
        ("eval", "--questions", "q.txt"), 2, "q.txt is neither .jsonl nor .csv", {"q.txt": "x"}
    ),
    "question without an answer": Bad(
        ("eval", "--questions", "q.jsonl"), 2, "q.jsonl, line 1: there is no answer",
        {"q.jsonl": '{"question": "Why?"}'},
    ),
    "question asked twice": Bad(
        ("eval", "--questions", "q.csv"), 2, "q.csv, line 3: the question is that of line 2",
        {"q.csv": "question,answer\nWhy?,so\nWhy?,not\n"},
    ),
    "answer that the scorer cannot read": Bad(
        ("eval", "--questions", "q.jsonl", "--scorer", "numeric"),
        *(2, "q.jsonl, line 1: the scorer cannot read the answer 'two'"),
        {"q.jsonl": '{"question": "Why?", "answer": "two"}'},
    ),
    "scorer that no answer of the task fits": Bad(
        (*EVAL, "--scorer", "choice"), 2, "an answer of the task arithmetic, so that nothing would"
    ),
    "vote over nothing": Bad((*EVAL, "--player", "vote"), 2, "write it as vote/factored"),
    "vote over nothing, asked": Bad((*ASK, "-s", "vote,k=5"), 2, "write it as vote,k=5/factored"),
    "more questions than the file has": Bad(
        ("eval", "--questions", "q.csv", "--count", "2"), 2, "q.csv has only 1 of the 2 questions",
        {"q.csv": "question,answer\nWhy?,so\n"},
    ),
    "budget too little for each": Bad(
        (*EVAL, "--count", "6", "--depths", "0-1", "--budget", "10tokens"),
        *(2, "the budget 10tokens gives each of 18 answers 0.5 tokens, and nobody answers"),
    ),
    "plot of another kind": Bad((*EVAL, "--plot", "x.txt"), 2, "ends in .png, .svg, .pdf"),
    "plot in no folder": Bad((*EVAL, "--plot", "no/x.svg"), 2, "there is no folder no"),
    "CSV in no folder": Bad((*EVAL, "--csv", "no/x.csv"), 2, "--csv no/x.csv: there is no folder"),
    "CSV that is a folder": Bad(
        (*EVAL, "-q", "--json", "--csv", "."), 2, "--csv . cannot be written", shell=">/dev/null"
    ),
    "evaluation that is not there": Bad(("eval", "show"), 2, "there are no evaluations in "),
    "one row to compare": Bad(("eval", "compare", "a"), 2, "missing argument 'B'"),
    "option of eval before list": Bad(
        ("eval", "--task", "path", "list"), 2, "--task does not go with list"
    ),
    "evaluation that costs and has no budget": Bad(
        (*EVAL, "-m", "openai:x"), 2, "give them a --budget", env={"OPENAI_API_KEY": "sk-none"}
    ),
    # figures
    "negative depth": Bad((*ASK, "--depth", "-1"), 2, "depth -1 is not between 0"),
    "depth beyond all": Bad((*ASK, "--depth", "10001"), 2, "depth 10001 is not between 0"),
    "depth in words": Bad((*ASK, "--depth", "two"), 2, "'--depth'"),
    "no fan-out": Bad((*ASK, "--fanout", "0"), 2, "--fanout"),
    "no answer tokens": Bad((*ASK, "--answer-tokens", "0"), 2, "--answer-tokens"),
    "budget in words": Bad((*ASK, "--budget", "lots"), 2, "write for example 2usd"),
    "budget of nothing": Bad((*ASK, "--budget", "0calls"), 2, "less than one"),
    "budget given twice": Bad((*ASK, "--budget", "2calls,3calls"), 2, "names calls twice"),
    "budget that is empty": Bad((*ASK, "--budget", ""), 2, "--budget is empty"),
    "levels that are none": Bad((*ASK, "--at", "top=script"), 2, "write N, N+ or N-M"),
    "levels above the depth": Bad((*ASK, "--at", "3=script"), 2, "not within 0 to 2"),
    "levels given twice": Bad((*ASK, "--at", "0=script", "--at", "0=script"), 2, "twice"),
    "levels without a player": Bad((*ASK, "--at", "1"), 2, "write LEVELS=PLAYER"),
    # the question
    "no question": Bad(("ask",), 2, "missing argument"),
    "empty question": Bad(("ask", ""), 2, "the question is empty"),
    "blank question": Bad(("ask", " \n "), 2, "the question is empty"),
    "two questions": Bad(("ask", "Why?", "How?"), 2, "unexpected extra argument"),
    "nothing on stdin": Bad(("ask", "-"), 2, "nothing came on stdin"),
    "binary on stdin": Bad(("ask", "-"), 2, "not text in UTF-8", stdin=b"\xff\xfe"),
    "closed stdin": Bad(("ask", "-"), 2, "nothing came on stdin", shell="<&-"),
    "closed stdout": Bad((*ASK, "-q"), 1, "stdout cannot be written", shell=">&-"),
    "full disk on stdout": Bad((*ASK, "-q"), 1, "No space left", shell=">/dev/full"),
    "full disk below a page of help": Bad(("--help",), 1, "No space left", shell=">/dev/full"),
    "full disk below a command's": Bad(("ask", "--help"), 1, "No space left", shell=">/dev/full"),
    # files
    "missing context": Bad((*ASK, "--context", "no.txt"), 2, "no.txt cannot be read"),
    "binary context": Bad(
        (*ASK, "--context", "a.bin"), 2, "a.bin is not a text file", {"a.bin": b"\xff\x00"}
    ),
    "context that is a folder": Bad((*ASK, "--context", "."), 2, ". cannot be read"),
    "context that never ends": Bad((*ASK, "--context", "/dev/zero"), 2, "is a device"),
    "missing manual": Bad((*ASK, "--manual", "no.txt"), 2, "manual file no.txt"),
    "missing prompts": Bad((*ASK, "--prompts", "no"), 2, "prompts folder no is no folder"),
    "prompts of no name that can be": Bad((*ASK, "--prompts", LONG), 2, f"{LONG} is no folder"),
    "such prompts to be listed": Bad(("prompts", "--prompts", LONG), 2, f"{LONG} is no folder"),
    "such prompts by a variable": Bad(
        ("prompts", "show", "direct"), 2, f"{LONG} is no folder", env={"HCH_PROMPTS": LONG}
    ),
    "such prompts of the settings": Bad(
        ASK, 6, "line 2: defaults.prompts", {"hch.toml": "[defaults]\nprompts = \"a\\u0000b\"\n"}
    ),
    "such prompts to be copied": Bad(("prompts", "copy", LONG), 2, "File name too long"),
    "prompt with a typo": Bad(
        (*THINKS, "--prompts", "p"),
        *(6, "p/direct.md: prompt 'direct' has $contxt, which nothing fills: did you mean $cont"),
        {"p/direct.md": PROMPT, "rules.toml": RULES},
    ),
    "prompt that is no file": Bad(
        (*THINKS, "--prompts", "p"),
        *(6, "p/direct.md: it is not a regular file"),
        {"p/direct.md/x": "", "rules.toml": RULES},
    ),
    "missing rules": Bad((*ASK, "-m", "scripted:no.toml"), 2, "no.toml"),
    "rules that are no TOML": Bad(THINKS, 6, "rules.toml is not TOML", {"rules.toml": "=="}),
    "missing weights": Bad((*ASK, "-m", "gguf:no.gguf"), 2, "no.gguf", {"xllamacpp.py": ""}),
    "weights that are none": Bad(
        (*ASK, "-m", "gguf:a.txt"), 2, "a.txt is not a GGUF file",
        {"a.txt": "text", "xllamacpp.py": ""},
    ),
    "missing extra": Bad(
        (*ASK, "-m", "gguf:a.gguf"), 6, "pip install 'hch[gguf]'", {"xllamacpp.py": MISSING}
    ),
    # keys, money, people
    "no key": Bad((*ASK, "-m", "openai:gpt-5.4-mini"), 6, "OPENAI_API_KEY"),
    "no price": Bad(
        (*ASK, "-m", "openai:unheard-of", "--budget", "1usd"), 6, "[prices]",
        env={"OPENAI_API_KEY": "sk-none"},
    ),
    "nobody at the terminal": Bad((*ASK, "-m", "human"), 2, "stdin and stderr are a terminal"),
    "nobody, by a variable": Bad(
        ASK, 2, "stdin and stderr are a terminal", env={"HCH_MODEL": "human"}
    ),
    "nobody, by an alias": Bad(
        (*ASK, "-d", "0"), 2, "stdin and stderr are a terminal",
        {"hch.toml": "[defaults]\nstrategy = 'me'\n[players]\nme = 'consult@human'\n"},
    ),
    # stores and runs
    "store that is not ours": Bad((*ASK, "--store", "a.txt"), 5, "a.txt", {"a.txt": "text" * 999}),
    "store that is no file": Bad((*ASK, "--store", "."), 2, "names no file"),
    "store that is a folder": Bad((*ASK, "--store", "d"), 2, "d is a folder", {"d/x": ""}),
    "store where none can be": Bad((*ASK, "--store", "/proc/no/hch.db"), 5, "/proc/no"),
    "store of no name that can be": Bad((*ASK, "--store", LONG), 5, "File name too long"),
    "such a store by a variable": Bad(ASK, 5, "File name too long", env={"HCH_STORE": LONG}),
    "store that is empty": Bad((*ASK, "--store", ""), 2, "--store is empty"),
    "no runs to show": Bad(("show",), 2, "make one with hch ask"),
    "no runs to resume": Bad(("resume",), 2, "waits to be resumed"),
    "no such run": Bad(("show", "nope"), 2, "there are no runs"),
    "browsing without a terminal": Bad(("browse",), 2, "needs a terminal"),
    "runs to remove, and none": Bad(("runs", "rm", "x", "--yes"), 2, "there are no runs"),
    "width that is none": Bad(("show", "--width", "3"), 2, "--width"),
    # settings
    "settings that are no TOML": Bad(
        ASK, 6, "hch.toml, line 2", {"hch.toml": "[defaults]\nmodel = \n"}
    ),
    "setting with a typo": Bad(
        ASK, 6, "line 2: unknown key 'defaults.modle': did you mean 'model'?",
        {"hch.toml": "[defaults]\nmodle = 'x'\n"},
    ),
    "setting of a wrong type": Bad(
        ASK, 6, "line 3: defaults.depth", {"hch.toml": "[defaults]\n\ndepth = 'two'\n"}
    ),
    "setting that names nothing": Bad(
        ASK, 6, "line 2", {"hch.toml": "[defaults]\nmodel = 'opena:x'\n"}
    ),
    "strategy of the settings that is none": Bad(
        ASK, 6, "line 2", {"hch.toml": "[defaults]\nstrategy = 'factord'\n"}
    ),
    "aliases in a circle": Bad(
        ASK, 6, "goes in a circle", {"hch.toml": "[models]\na = 'b'\nb = 'a'\n"}
    ),
    "variable that cannot be read": Bad(ASK, 6, "HCH_DEPTH", env={"HCH_DEPTH": "two"}),
}  # fmt: skip


def run(case: Bad, folder: Path) -> subprocess.CompletedProcess[bytes]:
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    env = {**os.environ, "PYTHONPATH": str(folder), **case.env}
    command = ["sh", "-c", f'exec "$@" {case.shell}', "sh", *HCH, *case.words]
    return subprocess.run(
        command, env=env, input=case.stdin, capture_output=True, check=False, cwd=folder
    )


def check(done: subprocess.CompletedProcess[bytes], code: int, said: str) -> None:
    err = done.stderr.decode()
    assert said in err, err
    assert (done.returncode, done.stdout) == (code, b""), err
    assert err.startswith("hch: "), err
    assert err.count("\n") == 1, err


@pytest.mark.parametrize("name", CASES)
def test_a_bad_use_gets_one_line_and_its_exit_code(name: str, home: Path) -> None:
    case = CASES[name]
    check(run(case, home), case.code, case.said)


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 40


def made(folder: Path) -> Path:
    path = folder / "runs.sqlite"
    subprocess.run([*HCH, *ASK, "-q", "--store", str(path)], check=True, capture_output=True)
    return path


def test_a_store_of_a_newer_version(home: Path) -> None:
    path = made(home)
    with sqlite3.connect(path) as file:
        [version] = file.execute("PRAGMA user_version").fetchone()
        file.execute(f"PRAGMA user_version = {version + 1}")
    file.close()
    check(run(Bad(("show", "--store", str(path)), 5, ""), home), 5, "newer")


def test_a_store_that_another_program_has_locked(home: Path) -> None:
    path = made(home)
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("BEGIN EXCLUSIVE")
    try:
        check(run(Bad((*ASK, "-q", "--store", str(path)), 5, ""), home), 5, "locked")
    finally:
        file.close()


def test_an_endpoint_where_nobody_is(home: Path) -> None:
    """It takes the pauses between the attempts of a call, which no flag shortens."""
    with closing(socket.socket()) as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        at = f"127.0.0.1:{taken.getsockname()[1]}/v1"
        words = ("ask", "Why?", "-q", "--depth", "0", "-m", f"openai:x,base_url=http://{at}")
        done = run(Bad(words, 6, ""), home)
    first, second = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout) == (6, b"")
    assert f"{at} does not answer" in first
    assert second.startswith("hch: go on with: hch resume ")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [("HCH_PROMPTS", 6, "a is no folder"), ("HCH_STORE", 5, "a  it cannot be read: File name too")],
)
def test_a_name_that_no_file_can_have_is_told_by_doctor(
    name: str, code: int, said: str, home: Path
) -> None:
    done = run(Bad(("doctor",), code, "", env={name: LONG}), home)
    assert (done.returncode, done.stderr) == (code, b"")
    assert said in done.stdout.decode()


@pytest.mark.parametrize("words", [(*ASK, "-m", "opena:x"), ("show", "no-such-run"), ("--hepl",)])
def test_a_terminal_20_columns_wide_gets_the_same_one_line(
    words: tuple[str, ...], home: Path
) -> None:
    def wide(columns: int) -> str:
        with Screen(*words, columns=columns, TERM="xterm-256color") as screen:
            said = screen.rest()
            assert screen.code == 2
        return said

    assert wide(20) == wide(200)
    assert wide(20).count("\n") == 1
