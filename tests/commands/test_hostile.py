"""200 hostile texts on every screen: nothing steers the terminal, nothing is markup, all is seen.

A new screen is one test of three lines; `tree` is the environment with a run that is kept, whose
200 sub-questions and answers are the payloads:

    def test_the_new_screen(tree: Mapping[str, str]) -> None:
        seen = on_screen("new", columns=200, **tree)
        assert all(start_of(payload) in seen for payload in PAYLOADS)

Where something must be typed, it is a `Screen`, and in the end `checked(screen)`.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from rich.cells import cell_len

from hch.events import Asked, Event, NodeClosed, RootOpened, RunFinished, RunStopped
from hch.safe_text import one_line, safe_text
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import HCH, Screen, install
from tests.loopback import Loopback, Reply
from tests.payloads import PAYLOADS, Payload, plain, raw_controls
from tests.stores.samples import opened, price, started, words

MANY = '''
import json
import os
from pathlib import Path

from hch.cli import run

def code(words):
    name, equals, value = words[0].partition("=")
    named = equals and name.startswith(("HCH_", "TERM"))
    if named:
        before, os.environ[name] = os.environ.get(name), value
    try:
        return run(words[1:] if named else words)
    except Exception as error:
        return f"{type(error).__name__} by {words!a}"[:200]
    finally:
        if named:
            del os.environ[name]
            os.environ.update({name: before} if before else {})

def build():
    def many(file: Path) -> None:
        """Runs the command lines of a file one after the other, and keeps their exit codes.

        The first word of one may be a variable and its value, NAME=VALUE, as in a shell.
        """
        file.write_text(json.dumps([code(words) for words in json.loads(file.read_text())]))
    return many
'''
MODEL = """
import json

from hch import ScriptedModel
from tests.payloads import PAYLOADS

def asked(n, text):
    sound = text.encode("utf-8", "replace").decode() == text
    return {"question": f"Number {n}? {text if sound else ''}", "texts": []}

def number(request):
    return int(request.question.split("?")[0].removeprefix("Number "))

def build(arg):
    def say(request):
        if request.form:
            return json.dumps({"questions": [asked(n, p.text) for n, p in enumerate(PAYLOADS)]})
        if request.question == "Root?":
            return "so"
        text = PAYLOADS[number(request)].text
        return f"CANNOT ANSWER: {text}" if arg == "cannot" else text
    def seconds(request):
        slow = arg == "slow" and request.question != "Root?" and number(request) < 175
        return 600 if slow else 0
    return ScriptedModel(say, name=f"hostile:{arg}", latency=seconds)
"""
ROOT = Path(__file__).parents[2]
KEPT = ".local/share/hch/hch.db"
WIDE_TREE = ("ask", "Root?", "--depth", "1", "--fanout", "200", "-m")


@pytest.fixture
def hostile(home: Path) -> Mapping[str, str]:
    """The environment with a colour terminal, the model `hostile` and the command `many`."""
    folder = home / "plugins"
    folder.mkdir()
    install(folder, "commands.many", "many_lines", MANY)
    install(folder, "models.hostile", "hostile_model", MODEL)
    return {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}", "TERM": "xterm-256color"}


@pytest.fixture
def tree(hostile: Mapping[str, str]) -> Mapping[str, str]:
    """The same environment, with a run of 201 nodes: what asks and answers are the payloads."""
    assert off_screen(*WIDE_TREE, "hostile:answer", "--quiet", **hostile) == b"so\n"
    return hostile


def checked(screen: Screen) -> str:
    """All that can be read on a screen when its command has ended, and none of it steers."""
    screen.rest()
    assert raw_controls(screen.seen) == []
    return plain(screen.seen)


def on_screen(*line: str, columns: int = 80, **env: str) -> str:
    """What can be read of a command in a terminal of its own; it ends well and steers nothing."""
    with Screen(*line, columns=columns, **env) as screen:
        seen = checked(screen)
        assert screen.code == 0, seen
    return seen


def off_screen(*line: str, **env: str) -> bytes:
    """What a command writes to stdout where that is no terminal; it ends well and says no more."""
    done = subprocess.run([*HCH, *line], env={**os.environ, **env}, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def many(home: Path, lines: Iterable[Sequence[str]], **env: str) -> tuple[str, set[int | str]]:
    """What can be read of many command lines in one terminal, and all that they ended with."""
    file = home / "lines.json"
    file.write_text(json.dumps(list(lines)))
    seen = on_screen("many", str(file), **env)
    return seen, set(json.loads(file.read_text()))


def start_of(payload: Payload, width: int = 16) -> str:
    """What is seen of a payload where there is little room."""
    return one_line(payload.text[:100])[:width].rstrip()


def asking(n: int, model: str) -> tuple[str, ...]:
    """The command line to which the model `hostile` says payload n, and nothing else is said."""
    return ("ask", f"Number {n}?", "-m", model, "--depth", "0", "--store", "memory", "--quiet")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_answers(home: Path, hostile: Mapping[str, str], unbuffered: str) -> None:
    lines = [asking(n, "hostile:answer") for n in range(200)]
    seen, codes = many(home, lines, **hostile, PYTHONUNBUFFERED=unbuffered)
    assert seen == "".join(f"{safe_text(payload.text)}\n" for payload in PAYLOADS)
    assert codes == {0}


def test_an_answer_that_goes_elsewhere_is_the_models_own(
    home: Path, hostile: Mapping[str, str]
) -> None:
    some = range(0, 200, 3)
    file = home / "lines.json"
    file.write_text(json.dumps([asking(n, "hostile:answer") for n in some]))
    said = "".join(f"{PAYLOADS[n].text}\n" for n in some)
    assert off_screen("many", str(file), **hostile) == said.encode("utf-8", "backslashreplace")


def test_reasons(home: Path, hostile: Mapping[str, str]) -> None:
    some = range(0, 200, 2)
    seen, codes = many(home, [asking(n, "hostile:cannot") for n in some], **hostile)
    for n, line in zip(some, seen.splitlines(), strict=True):
        reason = one_line(PAYLOADS[n].text.partition("\n")[0])
        assert line[:1000] == f"hch: no answer (unanswered): {reason}"[:1000]
    assert codes == {1}


def test_what_a_server_says(home: Path, hostile: Mapping[str, str]) -> None:
    def refuse(body: dict) -> Reply:
        n = int(body["messages"][-1]["content"].rpartition("Number ")[2].partition("?")[0])
        raw = PAYLOADS[n].text.encode("utf-8", "surrogatepass")
        return Reply({"error": {"message": PAYLOADS[n].text}} if n % 8 == 1 else raw, 400)

    some = range(1, 200, 4)
    with Loopback(refuse) as server:
        model = f"openai:small,base_url={server.url}"
        seen, codes = many(home, [asking(n, model) for n in some], **hostile)
    for n, line in zip(some, seen.splitlines(), strict=True):
        assert line.startswith("hch: no answer (failed): ")
        assert one_line(PAYLOADS[n].text)[:6] in line.partition("answered 400: ")[2]
    assert codes == {1}


LINES = """
{} | --{} | plugins {} | show {} | show --level {} | show --width {} | show --{} | runs {}
runs rm {} | resume {} | ask Why? --{} | ask Why? -m {} | ask Why? -m scripted:{}
ask Why? -m openai:x,base_url={} | ask Why? -m openai:x,{}=1 | ask Why? -s {}
ask Why? -s script,{}=1 | ask Why? --at {} | ask Why? --at 0={} | ask Why? --budget {}
ask Why? --seed {} | ask Why? --task {} | ask Why? --manual {} | ask Why? --context {}/.
ask Why? --prompts {} | cache {} | cache clear --model {}
"""


def typeable(text: str) -> bool:
    """Whether an operating system can hand it to a program as an argument."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


TYPEABLE = [payload.text for payload in PAYLOADS if typeable(payload.text)]


def test_names_that_are_typed(home: Path, hostile: Mapping[str, str]) -> None:
    """Each payload in two of the lines at least, and each line is answered by one line."""
    lines = [
        [word.replace("{}", text) for word in line.split()]
        for i, line in enumerate(LINES.replace("\n", "|").strip("|").split("|"))
        for text in TYPEABLE[i % 11 :: 11]
    ]
    seen, codes = many(home, lines, **hostile)
    assert len(lines) > 2 * len(TYPEABLE)
    assert [line[:5] for line in seen.split("\n")] == ["hch: "] * len(lines) + [""]
    assert codes <= {1, 2, 6}


def test_names_of_files(home: Path, hostile: Mapping[str, str]) -> None:
    names = [t for t in TYPEABLE if "/" not in t and len(os.fsencode(t)) <= 255]
    for name in names:
        (home / name).write_bytes(b"\xff")
    lines = [("ask", "Why?", "--context", f"./{name}") for name in names]
    seen, codes = many(home, lines, **hostile)
    assert len(names) > 100
    for name, line in zip(names, seen.splitlines(), strict=True):
        shown = one_line(f"./{name}").removeprefix("./")
        assert line.removeprefix("hch: context file ").removeprefix("./") == (
            f"{shown} is not a text file in UTF-8"
        )
    assert codes == {2}


SOUND = [p.text for p in PAYLOADS if p.text.encode("utf-8", "replace").decode() == p.text]


def marks(text: str) -> set[str]:
    """The payloads of which something is in a text."""
    return set(re.findall(r"PWN\d{3}", text))


def in_toml(text: str) -> str:
    """A text as TOML has it, as it is wherever it may be."""
    raw = (c if c.isprintable() and c not in '\\"' else f"\\U{ord(c):08x}" for c in text)
    return f'"{"".join(raw)}"'


def table(name: str, rows: Mapping[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"{in_toml(key)} = {said}\n" for key, said in rows.items())


def test_what_it_may_cost(home: Path, hostile: Mapping[str, str]) -> None:
    """A tree in which every level is played by another model, none of a known price."""
    names = [text.replace(",", ";") for text in SOUND]
    models = {f"m{n}": in_toml(f"openai:{name}") for n, name in enumerate(names)}
    (home / "hch.toml").write_text(table("models", models))
    ask = ["ask", "Why?", "--dry-run", "--depth", str(len(names) - 1), "--budget", "9calls"]
    at = [word for n in range(len(names)) for word in ("--at", f"{n}=direct@m{n}")]
    first, *rest = on_screen(*ask, *at, OPENAI_API_KEY="sk-none", **hostile).splitlines()
    for n, (name, unpriced) in enumerate(zip(names, rest[-len(names) :], strict=True)):
        shown = one_line(f"openai:{name}".strip())
        assert f" {n} direct@{shown}" in first
        assert unpriced == f"{shown} has no known price: give it under [prices] in hch.toml"


def test_settings(home: Path, hostile: Mapping[str, str]) -> None:
    """Half of the payloads as models, with alias and price, and half as players that are wrong."""
    names = {text: f"openai:{text}".replace(",", ";") for text in SOUND[::2]}
    rows = {
        "defaults": {"store": in_toml(f"{STEERS}.db"), "prompts": in_toml(STEERS)},
        "models": {text: in_toml(name) for text, name in names.items()},
        "players": {text: in_toml(f"direct@{text}") for text in SOUND[1::2]},
        "prices": dict.fromkeys(names.values(), "{ input = 1, output = 1 }"),
    }
    (home / "hch.toml").write_text("\n".join(table(*row) for row in rows.items()))
    env = {**hostile, "XDG_CONFIG_HOME": f"{home}/{STEERS}", "OPENAI_API_KEY": "sk-none"}
    for line in ("config show", "config show --origin", "config check", "doctor"):
        seen, codes = many(home, [line.split()], **env)
        assert codes == {0 if "show" in line else 6}
        assert len(marks(seen)) == (98 if "check" in line else 196)
        assert "\\u001b[5m" in seen or "\\x1b[5m" in seen


VARIABLES = """
HCH_MODEL={} doctor | HCH_MODEL=openai:{},base_url=http://127.0.0.1:9/v1 doctor
HCH_STORE={} doctor | HCH_PROMPTS={} doctor | HCH_DEPTH={} config show
TERM={} doctor | HCH_MODEL={} ask Why? --dry-run | HCH_STRATEGY={} ask Why? | HCH_PROMPTS={} prompts
HCH_BUDGET={} doctor | HCH_MODEL={} config show --origin | HCH_STORE={} config show
HCH_{}=1 config check | HCH_TASK={} config check | HCH_BUDGET={} config check
HCH_PROMPTS={} prompts show direct | prompts --prompts {} | prompts show {} | prompts copy {}/.
"""


def test_variables(home: Path, hostile: Mapping[str, str]) -> None:
    """Each payload in one of the lines, and whatever is wrong is told as such."""
    lines = [
        [word.replace("{}", text) for word in line.split()]
        for i, line in enumerate(VARIABLES.replace("\n", "|").strip("|").split("|"))
        for text in TYPEABLE[i::19]
    ]
    seen, codes = many(home, lines, **hostile)
    assert len(marks(seen)) > 0.85 * len(TYPEABLE)  # what is no number is not told as it was
    assert codes <= {0, 1, 2, 5, 6}


def test_prompts(home: Path, hostile: Mapping[str, str]) -> None:
    """Payloads as what a prompt says, as what is wrong with it, as its name and as its folder."""
    body = "--- user ---\n$question $context $manual "
    lines = []
    for n, text in enumerate(SOUND):
        named = "/" not in text and "\0" not in text and len(text.encode()) < 250
        folder = home / (text if named else f"f{n}")
        folder.mkdir()
        (folder / "direct.md").write_text(f"{body}{text.replace('$', '')}", "utf-8")
        (folder / "repair.md").write_text(f"{body}$ {text}", "utf-8")
        (folder / (f"{text}.md" if named else "x.md")).write_text("")
        what = ("list",) if named and n % 2 else ("show", "direct")
        lines.append(("prompts", *what, "--prompts", f"./{folder.name}"))
    seen, codes = many(home, lines, **hostile)
    assert len(marks(seen)) == len(SOUND)
    assert codes == {0}
    (home / "hch.toml").write_text('defaults.prompts = "."')
    (home / "direct.md").write_text(f"{body}$ {STEERS}", "utf-8")
    seen, codes = many(home, [("config", "check"), ("doctor",), ("prompts",)], **hostile)
    assert len(marks(seen)) > 100
    assert seen.count("a lone $ in '$ \\x1b[5m") == 3
    assert codes == {0, 6}


def test_a_tree_that_is_growing(hostile: Mapping[str, str]) -> None:
    """One of 175 questions that are open and the 25 that were answered last."""
    with Screen(*WIDE_TREE, "hostile:slow", columns=200, rows=220, **hostile) as screen:
        for n, payload in enumerate(PAYLOADS):
            has_halves = payload.text.encode("utf-8", "replace").decode() != payload.text
            screen.until(f"Number {n}? {'' if has_halves else start_of(payload)}")
        screen.until("→")
        screen.send(signal.SIGINT)
        seen = checked(screen)
        assert screen.code == 130
    assert re.search(r" → .*PWN\d{3}", seen)


def test_a_tree_that_is_shown(tree: Mapping[str, str]) -> None:
    head, root, *rows, foot = on_screen("show", columns=200, **tree).splitlines()
    assert "Root?" in head + root
    assert foot.endswith("clean")
    for n, row in enumerate(rows):
        assert f"✓ HCH_0  Number {n}? " in row
        assert f" → {start_of(PAYLOADS[n])}" in row
        assert cell_len(row) <= 200
    assert len(rows) == len(PAYLOADS)
    on_screen("show", columns=20, **tree)


@pytest.mark.parametrize(
    "words",
    [("--timeline",), ("--node", "0", "--prompts"), ("--prompts",), ("--find", "pwn"),
     ("--problems",), ("--node", "0.7", "--timeline")],
)  # fmt: skip
def test_a_tree_of_which_a_part_is_shown(tree: Mapping[str, str], words: tuple[str, ...]) -> None:
    on_screen("show", *words, columns=200, **tree)


def failing(n: int, text: str) -> list[Event]:
    """A root of which every text is the same one; it failed, and a question of it was refused."""
    return [
        RootOpened(index=n, key=f"{n}", question="q"),
        opened(f"{n}", text, level=1),
        Asked(parent=f"{n}", slot=1, round=0, question=words(text), refusal=text),
        NodeClosed(
            key=f"{n}", status="failed", answer=None, reason=text, notes=(f"cut: {text}",),
            spent=price(),
        ),
    ]  # fmt: skip


def keep(home: Path, run: str, at: float, *events: Event, file: str = KEPT) -> None:
    (home / file).parent.mkdir(parents=True, exist_ok=True)
    with SqliteStore(home / file) as store:
        for event in events:
            store.append(run, at, event)


def test_a_tree_of_failures(home: Path, hostile: Mapping[str, str]) -> None:
    roots = [event for n, p in enumerate(PAYLOADS) for event in failing(n, p.text)]
    questions = [payload.text for payload in PAYLOADS]
    keep(home, "run", 1.8e9, started(*questions), *roots, RunFinished(statuses={"failed": 200}))
    _, *rows, _ = on_screen("show", columns=250, **hostile).splitlines()
    for payload, root, refused in zip(PAYLOADS, rows[::2], rows[1::2], strict=True):
        start = start_of(payload)
        assert root.startswith(f"✗ HCH_1  {start}")
        assert f" → (cut: {start}" in root
        assert refused.startswith(f"└─ – HCH_0  {start}")
        assert f" → {start}" in refused
        assert max(cell_len(root), cell_len(refused)) <= 250


def test_runs(home: Path, hostile: Mapping[str, str]) -> None:
    for n, payload in enumerate(PAYLOADS):
        begun = started(payload.text, players=(f"direct@{payload.text}",))
        stopped = RunStopped(kind="BillExhausted", reason=payload.text)
        keep(home, f"run{n:03}", 1.8e9 - n, begun, *failing(0, payload.text), stopped)
    _, *rows = on_screen("runs", columns=250, **hostile).splitlines()
    for n, (row, payload) in enumerate(zip(rows, PAYLOADS, strict=True)):
        assert row.startswith(f"run{n:03}  ")
        assert row.count(start_of(payload)) == 2
        assert cell_len(row) <= 250
    some = range(0, 200, 4)
    seen, codes = many(home, [("show", f"run{n:03}") for n in some], **hostile)
    for n, lines in zip(some, zip(*[iter(seen.splitlines())] * 5, strict=True), strict=True):
        assert start_of(PAYLOADS[n]) in lines[0]
        assert lines[4].startswith(f"unfinished ({start_of(PAYLOADS[n])}")
    assert codes == {0}


STEERS = "\x1b[5m\x1b]0;t\x07\u202e"


def test_a_store_of_such_a_name(home: Path, hostile: Mapping[str, str]) -> None:
    name = f"{STEERS}.db"
    keep(home, "run", 1.8e9, started("Why?"), *failing(0, "so"), file=name)
    assert "\\x1b" in on_screen("show", "--store", name, columns=200, **hostile)


def test_a_run_that_is_stopped(home: Path, hostile: Mapping[str, str]) -> None:
    words = ("ask", "Number 1?", "-d0", "-m", "hostile:slow")
    with Screen(*words, "--store", f"{STEERS}.db", **hostile) as screen:
        screen.until("1 call")
        screen.send(signal.SIGINT)
        assert "go on with: hch resume" in checked(screen)


@pytest.mark.parametrize("command", ["show", "runs"])
def test_a_store_that_somebody_changed(
    home: Path, hostile: Mapping[str, str], command: str
) -> None:
    keep(home, "run", 1.8e9, started("Why?"), *failing(0, "so"))
    with closing(sqlite3.connect(home / KEPT)) as db, db:
        db.execute("UPDATE run_index SET status = ?", (STEERS,))
    assert "\\x1b[5m" in on_screen(command, columns=200, **hostile)


def test_a_run_of_such_a_name(home: Path, hostile: Mapping[str, str]) -> None:
    keep(home, STEERS, 1.8e9, started("Why?"), *failing(0, "so"))
    assert "\\x1b[5m" in on_screen("show", columns=200, **hostile)
