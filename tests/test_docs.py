"""Every command in the README and in `docs/` does what the page says: each is run here.

The `console` blocks of a section are run in order, in one folder. What needs a provider is sent to
a server on loopback; what needs weights runs where there are some. A comment `# exit N` on a
command says how it ends; else it ends well, or answered but not clean. A command in a `text` block
is one that a person plays: it is run in a terminal, and without one. Of what is named within a
line, the command and its options must be there.
"""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hch import cli
from tests.commands.terminal import HCH, Screen
from tests.loopback import Loopback, Reply, chat, messages
from tests.support import answering, asking, decomposition

ROOT = Path(__file__).parent.parent
PAGES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "README.md", *ROOT.glob("docs/*.md")))
BLOCK = re.compile(r"^```(console|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXIT = re.compile(r"\s+# exit (\d+)\s*$")
ELSEWHERE = ("make ", "pip ", "sqlite3 ", "python -m benchmarks", "hch browse")
"""What is run by `.ci/run` itself, is slow, wants a terminal, or is not ours."""

MODELS = {
    "openai:gpt-5.4-mini": "OPENAI_API_KEY",
    "anthropic:claude-haiku-5-5": "ANTHROPIC_API_KEY",
    "vllm:Qwen/Qwen3-8B": "",
}
"""The models that pages name, and the variable of each one's key."""

WEIGHTS = os.environ.get("HCH_TEST_GGUF")


def sections(page: str) -> dict[str, str]:
    """The text of each section of a page, by its title."""
    text = (ROOT / page).read_text("utf-8")
    return {part.partition("\n")[0]: part for part in re.split(r"^#+ ", text, flags=re.MULTILINE)}


def blocks(text: str, kind: str) -> list[str]:
    return [body for k, body in BLOCK.findall(text) if k == kind]


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Each command of a text, and what the text shows of its output."""
    for block in blocks(text, "console"):
        for entry in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = entry.partition("\n")
            yield command, shown


def played() -> list[str]:
    """The commands in `text` blocks."""
    found = [block for page in PAGES for block in blocks((ROOT / page).read_text("utf-8"), "text")]
    return [line for block in found for line in block.splitlines() if line.startswith("hch ")]


def named() -> list[str]:
    """What follows `hch` where it stands within a line of any page."""
    texts = [(ROOT / page).read_text("utf-8") for page in PAGES]
    return sorted({words for text in texts for words in re.findall("`hch ([^`]+)`", text)})


def talk(body: dict) -> Reply:
    """What a provider would say: two sub-questions where it may ask, else a short answer."""
    if "system" in body:  # in Anthropic's format, where forms have no names
        asks = "questions" in str(body.get("output_config"))
        return Reply(messages(decomposition("Which cross France?") if asks else "The Rhine."))
    form = body.get("response_format", {}).get("json_schema", {}).get("name")
    last = body["messages"][-1]["content"]
    if form == "Decomposition":
        return Reply(chat(decomposition("Which rivers cross France?", "Which cross Germany?")))
    if form == "Turn" and "Sub-question 1" not in last:
        return Reply(chat(asking("Which rivers cross France?")))
    said = answering("The Rhine.", form) if form else "The Rhine."
    tokens = {"content": [{"token": said, "logprob": -0.5, "top_logprobs": []}]}
    return Reply(chat(said, choice={"logprobs": tokens} if body.get("logprobs") else ()))


def redirected(text: str, url: str) -> str:
    """A command that goes to loopback instead of to a provider or to a port that is free."""
    text = text.replace("http://127.0.0.1:8000/v1", url)
    for model, key in MODELS.items():
        text = text.replace(model, f"{model},base_url={url}{key and f',api_key_env={key}'}")
    return text


@pytest.fixture
def folder(home: Path) -> Path:
    """Where the commands are run: with an `hch` on the path, and the files that pages name."""
    (home / "bin").mkdir()
    script = home / "bin" / "hch"
    script.write_text(f'#!/bin/sh\nexec {" ".join(HCH)} "$@"\n')
    script.chmod(0o755)
    for name in ("a.txt", "b.txt", "notes.txt", "report.txt"):
        (home / name).write_text("The Rhine crosses both.\n")
    (home / "traces").mkdir(exist_ok=True)
    (home / "traces" / "examples").symlink_to(ROOT / "traces" / "examples")
    if WEIGHTS:
        (home / "weights.gguf").symlink_to(WEIGHTS)
    return home


def reached(folder: Path) -> dict[str, str]:
    """What a command needs in its environment to be found."""
    path = f"{folder / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(ROOT)}


def shell(command: str, folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **reached(folder), **more}
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder, env=env, input="", capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


def masked(text: str) -> list[str]:
    """Output without what changes from run to run, and without what was told on stderr."""
    text = re.sub(r"\d{6}-\d{6}-\w{6}", "RUN", text)
    text = re.sub(r"[<~]?\$\d[\d.]*|\d+\.\d s|\d[\d.]*k?(?= tok)", "N", text)
    return [" ".join(line.split()) for line in text.splitlines()]


def is_run_here(command: str) -> bool:
    return not command.startswith((*ELSEWHERE, "export ")) and "gguf:" not in command


def exported(page: str, title: str) -> dict[str, str]:
    """What is exported when a section of a page has been read."""
    read = list(sections(page))
    texts = [text for name, text in sections(page).items() if read.index(name) <= read.index(title)]
    said = [command for text in texts for command, _ in commands(text)]
    exports = [c.split()[1:] for c in said if c.startswith("export ")]
    names = [word.partition("=")[0] for words in exports for word in words]
    return dict.fromkeys(names, "sk-none")


@pytest.mark.parametrize(
    ("page", "title"),
    [(p, title) for p in PAGES for title, text in sections(p).items() if blocks(text, "console")],
)
def test_the_commands_of_a_section_do_what_it_says(page: str, title: str, folder: Path) -> None:
    keys = exported(page, title)
    with Loopback(talk) as server:
        for command, shown in commands(sections(page)[title]):
            if not is_run_here(command):
                continue
            ends = EXIT.search(command)
            done = shell(redirected(EXIT.sub("", command), server.url), folder, **keys)
            wanted = {int(ends[1])} if ends else {0, 4}
            if command.startswith("hch doctor"):
                wanted |= {6}  # where the real provider cannot be reached
            assert done.returncode in wanted, (command, done.stdout, done.stderr)
            said = re.sub(
                rf",base_url={re.escape(server.origin)}(/v1)?,api_key_env=\w+", "", done.stdout
            )
            if shown.strip():
                assert masked(said) == masked(shown), command


@pytest.mark.parametrize("command", played())
def test_a_command_for_a_person_wants_one(command: str, folder: Path) -> None:
    done = shell(command, folder, OPENAI_API_KEY="sk-none", TERM="xterm")
    assert (done.returncode, done.stdout) == (2, "")
    assert "stdin and stderr are a terminal" in done.stderr
    found = {**reached(folder), "OPENAI_API_KEY": "sk-none", "TERM": "xterm"}
    with Screen(f"exec {command}", command=("sh", "-c"), **found) as screen:
        screen.until("You are H at HCH_")
        screen.send(signal.SIGINT)
        screen.rest()
        assert screen.code == 130


@pytest.mark.parametrize("line", named())
def test_what_is_named_within_a_line_is_there(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = line.split()
    commands = list(itertools.takewhile(str.isidentifier, filter(str.islower, words)))
    assert cli.run([*commands, "--help"]) == 0
    help_ = capsys.readouterr().out
    assert help_.startswith(" ".join(["Usage: hch", *commands[:1]]))
    assert {word for word in words if word.startswith("-")} <= set(help_.split())


@pytest.mark.integration
@pytest.mark.parametrize("page", [p for p in PAGES if "gguf:" in (ROOT / p).read_text("utf-8")])
def test_the_commands_of_a_page_that_want_weights(page: str, folder: Path) -> None:
    if not WEIGHTS:
        pytest.skip("HCH_TEST_GGUF names no file")
    for command, _ in commands((ROOT / page).read_text("utf-8")):
        wanted = "gguf:" in command and not command.startswith("pip")
        if wanted:
            done = shell(command, folder)
            assert done.returncode in (0, 1, 3, 4), (command, done.stderr)
            assert "hch show" in done.stderr


@pytest.mark.parametrize(
    "page", [p for p in PAGES if blocks((ROOT / p).read_text("utf-8"), "python")]
)
def test_the_python_of_a_page_runs(page: str, folder: Path) -> None:
    with Loopback(talk) as server:
        for block in blocks((ROOT / page).read_text("utf-8"), "python"):
            script = folder / "page.py"
            script.write_text(redirected(block, server.url), "utf-8")
            done = shell(f"{sys.executable} page.py", folder, OPENAI_API_KEY="sk-none")
            assert done.returncode == 0, (block, done.stderr)


def test_pages_link_to_pages_that_are_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8")):
            assert ((ROOT / page).parent / link).exists(), f"{page}: {link}"
