"""Completion: what is offered, and that bash, zsh and fish offer it."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest

from hch import registry
from tests.commands.terminal import Done, hch, install, rules

Typed = Callable[..., Done]

needs = {
    shell: pytest.mark.skipif(not shutil.which(shell), reason=f"needs {shell}")
    for shell in ("bash", "zsh", "fish")
}

PLAYED = """
from typing import Annotated
from typer import Argument, Option
from hch.commands import _completion as c

def build():
    return play

def play(
    player: Annotated[str, Argument(autocompletion=c.complete_strategy)],
    m: Annotated[str, Option("-m", autocompletion=c.complete_model)] = "",
    at: Annotated[str, Option(autocompletion=c.complete_levels)] = "",
    task: Annotated[str, Option(autocompletion=c.complete_task)] = "",
    prompts: Annotated[str, Option(autocompletion=c.complete_folder)] = "",
) -> None:
    '''Play.'''
"""


@pytest.fixture
def play(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command `play` that completes all that `ask` does."""
    folder = home / "site"
    folder.mkdir()
    install(folder, "commands.play", "play", PLAYED)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv("PYTHONPATH", str(folder))


@pytest.fixture
def offered(typed: Typed) -> Callable[..., list[str]]:
    """What stands to choose for the last word; nothing is ever said on stderr."""

    def values(*words: str) -> list[str]:
        done = typed("--complete", "zsh", *words)
        assert (done.code, done.err) == (0, "")
        return [line.partition("\t")[0] for line in done.out.splitlines()]

    return values


Offered = Callable[..., list[str]]


def test_commands_and_options(offered: Offered, typed: Typed) -> None:
    assert offered("") == registry.names("commands")
    assert offered("sh") == ["show"]
    assert offered("runs", "") == ["rm"]
    assert {"--store", "--json", "--width"} < set(offered("show", "--"))
    assert offered("--show-completion", "") == ["bash", "zsh", "fish"]
    assert "show\tShow a run's tree: " in typed("--complete", "fish", "sh").out
    assert typed("--complete", "bash", "hch sh").out == "show\n"


def test_a_line_of_bash_is_cut_into_words(typed: Typed) -> None:
    for line in (
        "hch  plugins mod",
        "hch plugins 'mod",
        'hch plug\\ins "mod',
        "/bin/hch plugins mo",
    ):
        assert typed("--complete", "bash", line).out == "models\n"
    assert typed("--complete", "bash", "hch plugins ").out.split() == [
        kind for kind in registry.KINDS if registry.names(kind)
    ]
    assert typed("--complete", "bash").out.split() == registry.names("commands")
    assert typed("--complete").out.startswith("ask")


def test_names_of_this_and_that(offered: Offered) -> None:
    assert offered("plugins", "t") == ["tasks"]
    assert offered("prompts", "show", "fac") == ["factored/decompose", "factored/synthesize"]
    assert offered("prompts", "copy", "x", "dir") == ["direct"]
    assert offered("examples", "bud") == ["budgets"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (["show", "--store", ""], "<files>"),
        (["show", "--store", "a b/c"], "<files>"),
        (["show", "--store=a"], "<files>"),
        (["prompts", "list", "--prompts", ""], "<folders>"),
        (["prompts", "copy", ""], "<folders>"),
    ],
)
def test_files_are_left_to_the_shell(offered: Offered, words: list[str], kind: str) -> None:
    assert offered(*words) == [kind]


def test_runs_are_offered_newest_first_with_their_questions(
    offered: Offered, typed: Typed, home: Path
) -> None:
    model = rules(home / "rules.toml", {"match": ".", "reply": "x", "fail": ["http 500"]})
    typed("ask", "What is 2 + 3?", "--store", "a.db")
    typed(
        "ask", "Why\x1b[31m?", "--depth", "0", "-m", model, "--budget", "1calls", "--store", "a.db"
    )
    rows = json.loads(typed("runs", "--json", "--store", "a.db").out)
    stopped, done = (row["run"] for row in rows)
    assert offered("show", "--store", "a.db", "") == [stopped, done]
    assert offered("show", "--store=a.db", done[:-1]) in ([done], [stopped, done])
    assert offered("resume", "--store", "a.db", "") == [stopped]
    assert offered("runs", "rm", "--store", "a.db", "") == [stopped, done]
    assert offered("runs", "--store", "a.db", "rm", stopped, "") == [done]
    said = typed("--complete", "fish", "show", "--store", "a.db", "").out
    assert said.splitlines() == [
        f"{stopped}\tunfinished: Why\\x1b[31m?",
        f"{done}\tanswered: What is 2 + 3?",
    ]


def test_nothing_is_made_and_nothing_said_where_something_is_wrong(
    offered: Offered, home: Path, play: None
) -> None:
    assert offered("show", "") == []
    assert offered("show", "--store", "no/such.db", "") == []
    assert offered("no-such-command", "") == []
    (home / "text.store").write_text("no store")
    assert offered("show", "--store", "text.store", "") == []
    (home / "hch.toml").write_text("[defaults")
    assert offered("show", "") == []
    assert offered("play", "-m", "") == []
    assert sorted(path.name for path in home.iterdir()) == ["hch.toml", "site", "text.store"]


def test_models(offered: Offered, home: Path, play: None) -> None:
    (home / "hch.toml").write_text(
        '[defaults]\nmodel = "openai:big"\n'
        '[models]\nsmall = "openai:x"\n"odd $(name)" = "openai:y"\n'
    )
    found = offered("play", "-m", "")
    assert {"openai:", "gguf:", "scripted:", "small", "openai:big"} < set(found)
    assert not any("odd" in model for model in found)
    assert offered("play", "-m", "openai:") == ["openai:", "openai:gpt-5.4-mini", "openai:big"][1:]
    assert "openai:x,temperature=" in offered("play", "-m", "openai:x,te")
    assert offered("play", "-m", "openai:x,temperature=0,te") == []
    (home / "weights").mkdir()
    (home / "weights" / "small.gguf").touch()
    (home / "weights" / ".hidden").touch()
    assert offered("play", "-m", "gguf:we") == ["gguf:weights/"]
    assert offered("play", "-m", "gguf:weights/") == ["gguf:weights/small.gguf"]


def test_players_and_tasks(offered: Offered, home: Path, play: None) -> None:
    (home / "hch.toml").write_text('[players]\nchecker = "direct@small"\n[models]\nsmall = "x"\n')
    assert {"consult", "direct", "factored", "checker"} < set(offered("play", ""))
    assert offered("play", "consult,tu") == ["consult,turns="]
    assert offered("play", "outer/di") == ["outer/direct"]
    assert offered("play", "direct@sm") == ["direct@small"]
    assert offered("play", "--at", "") == ["0=", "1+=", "0-1="]
    assert offered("play", "--at", "0=dir") == ["0=direct"]
    assert offered("play", "--at", "0=direct@sma") == ["0=direct@small"]
    assert offered("play", "--at=0=dir") == ["--at=0=direct"]
    assert offered("play", "--task", "") == registry.names("tasks")


def test_a_plugin_that_cannot_be_loaded_is_left_out(home: Path) -> None:
    env = install(home, "tasks.broken", "broken", "import not_there_at_all\n")
    install(home, "commands.play", "play", PLAYED)
    done = hch("--complete", "fish", "play", "--task", "", **env)
    assert (done.code, done.err) == (0, "")
    assert "arithmetic" in done.out
    assert "broken" not in done.out


def test_no_sdk_is_loaded(home: Path) -> None:
    code = (
        "import sys; from hch import cli\n"
        "for words in (['show', ''], ['prompts', 'show', ''], ['']):\n"
        "    cli.run(['--complete', 'bash', ' '.join(['hch', *words])])\n"
        "print(*({'openai', 'anthropic', 'aiohttp', 'rich', 'textual'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""


# In real shells: `hch` answers them, and of all else only says what it was called with.

WRAPPER = """#!/bin/sh
case $1 in --complete|--*-completion) exec {python} -m hch.cli "$@" ;; esac
printf 'GOT'; printf '[%s]' "$@"; echo
"""


@pytest.fixture
def shells(home: Path, play: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file of odd name, and an `hch` that the shells can find."""
    (home / "bin").mkdir()
    wrapper = home / "bin" / "hch"
    wrapper.write_text(WRAPPER.format(python=shlex.quote(sys.executable)))
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([*sys.path]))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.delenv("ZDOTDIR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    (home / "some.db").touch()
    (home / "folder").mkdir()
    return home


class Shell:
    """A shell in a terminal of its own, in which lines are typed."""

    def __init__(self, *words: str) -> None:
        self._pid, self._fd = pty.fork()
        if not self._pid:
            os.execvp(words[0], words)  # pragma: no cover
        self._seen = b""
        self.until("ready> ")

    def until(self, text: str) -> str:
        """Read on until the text comes; what came before it."""
        while text.encode() not in self._seen:
            data = os.read(self._fd, 65536)
            assert data, f"{text!r} was not written, only {self._seen!r}"
            self._seen += data
        before, _, self._seen = self._seen.partition(text.encode())
        return before.decode()

    def run(self, line: str) -> str:
        """Type a line and Enter; the words that `hch` was called with."""
        os.write(self._fd, f"{line}\r".encode())
        self.until("GOT")
        return self.until("\r\n")

    def shown(self, line: str, text: str) -> None:
        """Type a line and wait for a text; then give the line up."""
        os.write(self._fd, line.encode())
        self.until(text)
        os.write(self._fd, b"\x03")
        self.until("ready> ")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        os.waitpid(self._pid, 0)


@pytest.fixture(params=[pytest.param(name, marks=needs[name]) for name in ("bash", "zsh")])
def shell(
    request: pytest.FixtureRequest, shells: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Shell]:
    script = shells / f"script.{request.param}"
    script.write_text(hch("--show-completion", request.param).out)
    rc = shells / "rc"
    rc.mkdir()
    if request.param == "bash":
        (rc / "bashrc").write_text(f"source {script}\nPS1='ready> '\n")
        words = ["bash", "--rcfile", str(rc / "bashrc"), "-i"]
    else:
        lines = ["autoload -Uz compinit && compinit -u -D", f"source {script}", "PS1='ready> '"]
        (rc / ".zshrc").write_text("\n".join(lines))
        monkeypatch.setenv("ZDOTDIR", str(rc))
        words = ["zsh", "-d", "-i"]
    with Shell(*words) as typed:
        yield typed


def test_tab_completes(shell: Shell) -> None:
    assert shell.run("hch plug\tmod\t") == "[plugins][models]"
    assert shell.run("hch play -m ope\tgpt\t") == "[play][-m][openai:gpt-5.4-mini]"
    assert shell.run("hch play --at 0=dir\t") == "[play][--at][0=direct]"
    assert shell.run("hch play --at 0=direct@ope\tx") == "[play][--at][0=direct@openai:x]"
    assert shell.run("hch play consult,tu\t3") == "[play][consult,turns=3]"
    assert shell.run("hch show --store so\t") == "[show][--store][some.db]"
    assert shell.run("hch show --store=so\t") == "[show][--store=some.db]"
    assert shell.run("hch prompts copy fo\tx") == "[prompts][copy][folder/x]"
    assert shell.run("hch prompts show 'dir\t").startswith("[prompts][show][direct]")


def test_tab_completes_runs_and_evaluates_nothing(shell: Shell, home: Path) -> None:
    question = "$(touch evil) `touch evil` ' \" \\$(touch evil) \\\\$(touch evil)"
    for n in (1, 2):
        assert hch("ask", f"What is {n}? {question}", "--store", "some.db").code < 2
    run = json.loads(hch("runs", "--json", "--store", "some.db").out)[0]["run"]
    assert shell.run(f"hch show --store some.db {run[:-1]}\t").endswith(f"[{run}]")
    shell.shown("hch show --store some.db \t\t\t", run)
    assert not (home / "evil").exists()


@needs["fish"]
def test_fish_completes(shells: Path) -> None:
    question = "What is 2 + 3? $(touch evil) (touch evil)"
    assert hch("ask", question, "--store", "some.db").code < 2
    [row] = json.loads(hch("runs", "--json", "--store", "some.db").out)
    (shells / "hch.fish").write_text(hch("--show-completion", "fish").out)

    def offered(line: str) -> list[str]:
        code = f"source hch.fish; complete -C {shlex.quote(line)}"
        words = ["fish", "--no-config", "-c", code]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.splitlines()

    assert offered("hch as") == ["ask\tPut a question to HCH_n; the answer, and..."]
    assert offered("hch plugins mod") == ["models"]
    assert "openai:gpt-5.4-mini\twith OPENAI_API_KEY" in offered("hch play -m openai:")
    assert offered("hch play --at=0=dir")[0].startswith("--at=0=direct\t")
    assert offered("hch show --store so") == ["some.db"]
    assert offered("hch show --store=so") == ["--store=some.db"]
    assert [line.partition("\t")[0] for line in offered("hch prompts copy fo")] == ["folder/"]
    assert offered("hch show --store some.db ") == [f"{row['run']}\t{row['status']}: {question}"]
    assert not (shells / "evil").exists()


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs[n]) for n in ("bash", "zsh", "fish")])
def test_it_is_installed_once_and_works(shells: Path, name: str) -> None:
    rc = shells / f".{name}rc"
    rc.write_text("# mine, without a newline")
    first = hch("--install-completion", name)
    assert first.code == 0
    assert f"completion works in every {name} that is started from now on" in first.err
    again = hch("--install-completion", name)
    assert again.out.splitlines() == first.out.splitlines()[:1]
    lines = rc.read_text().splitlines()
    assert lines[0] == "# mine, without a newline"
    assert len(lines) == (1 if name == "fish" else 2)
    ask = "complete -C 'hch sho'" if name == "fish" else "whence -f _hch || type _hch"
    words = [name, "-i", "-c", ask]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, start_new_session=True
    )
    assert ("--complete zsh" if name == "zsh" else "show" if name == "fish" else "COMPREPLY") in (
        done.stdout
    )


def test_without_a_home_nothing_is_installed(home: Path) -> None:
    done = hch("--install-completion", "bash", HOME="~nobody-of-that-name")
    assert (done.code, done.out) == (6, "")
    assert done.err == "hch: the home folder is not known: set HOME\n"


def test_what_cannot_be_installed_is_said(home: Path) -> None:
    (home / ".config").write_text("a file")
    done = hch("--install-completion", "fish")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("hch: completion cannot be installed: ")
    assert hch("--install-completion", "ksh").code == 2
    assert hch("--show-completion").code == 2
