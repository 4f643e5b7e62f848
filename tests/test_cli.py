"""The command line as a whole: help, wrong use, what is loaded, streams, foreign commands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hch import __version__, cli, registry
from tests.commands.terminal import HCH, hch, install

HEAVY = ("openai", "anthropic", "torch", "textual", "genai_prices", "rich", "xllamacpp", "uvloop")
LOADED = f"print(*(name for name in {HEAVY!r} if name in sys.modules))"


def test_help_has_a_line_for_every_command() -> None:
    done = hch("--help")
    assert done.code == 0
    for name in registry.names("commands"):
        assert f"\n  {name} " in done.out
    assert hch("-h") == done


@pytest.mark.parametrize("name", registry.names("commands"))
def test_every_command_has_help_with_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run([name, "--help"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert f"\nExamples:\n  hch {name}" in out


@pytest.mark.parametrize(
    "code",
    [
        "import hch",
        "from hch import cli; cli.run(['--help'])",
        "from hch import cli; cli.run(['runs'])",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    said = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}; {LOADED}"], capture_output=True, check=True
    )
    assert said.stdout.decode().splitlines()[-1] == ""


def test_version() -> None:
    assert hch("--version").out == f"hch {__version__}\n"


def test_no_command_shows_the_help_as_wrong_use() -> None:
    done = hch()
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: hch")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["aks"], "no command 'aks': did you mean 'ask'? there are ask, "),
        (["ask", "--dpeth", "3"], "no option --dpeth: did you mean --depth? see hch ask --help"),
        (["ask", "-z"], "no option -z: see hch ask --help"),
        (["ask", "-5+3"], "no option -5: see hch ask --help; put -- before a question"),
        (["--nope"], "no option --nope: see hch --help"),
        (["ask"], "missing argument 'QUESTION': see hch ask --help"),
        (["ask", "a", "b"], "got unexpected extra argument"),
        (["ask", "a", "--depth", "x"], "invalid value for '--depth' / '-d': "),
        (["ask", "a", "--depth"], "option '--depth' requires an argument"),
        (["ask", "a", "--fanout", "0"], "invalid value for '--fanout': "),
        (["show", "--width", "3"], "invalid value for '--width': "),
    ],
)
def test_wrong_use_is_one_line_that_says_what_is_near(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"hch: {said}")
    assert err.count("\n") == 1


def test_a_reader_that_left_is_no_error(home: Path) -> None:
    for words in (["ask", "What is 2 + 3?", "--quiet"], ["show"], ["--help"], ["show", "--json"]):
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [*HCH, *words], stdout=writer, stderr=subprocess.PIPE, check=False, cwd=home
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, b""), words


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *HCH, "ask", "What is 2 + 3?"],
        capture_output=True,
        check=False,
    )
    lost = " >&-" in f" {closed}"
    assert done.returncode == (1 if lost else 0)
    assert done.stdout == (b"" if lost else b"5\n")
    said = b"stdout cannot be written: it is closed" if lost else b"answered"
    assert (said in done.stderr) == ("2>&-" not in closed)
    assert b"5" in subprocess.run([*HCH, "show"], capture_output=True, check=True).stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_stdout_is_said() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*HCH, "ask", "What is 2 + 3?", "--quiet"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith(b"hch: stdout cannot be written: ")


def test_a_package_adds_a_command(home: Path) -> None:
    env = install(
        home,
        "commands.mine",
        "mine",
        "def build():\n"
        "    return mine\n"
        "def mine(word: str) -> None:\n"
        "    '''Say a word.'''\n"
        "    print(word)\n",
    )
    assert re.search(r"\n  mine +Say a word\.\n", hch("--help", **env).out)
    assert hch("mine", "hello", **env).out == "hello\n"
    assert hch("mien", **env).err.startswith("hch: no command 'mien': did you mean 'mine'?")


def test_a_command_that_lacks_a_package_spoils_no_help(home: Path) -> None:
    env = install(home, "commands.mine", "mine", "import not_there_at_all\n")
    done = hch("--help", **env)
    assert done.code == 0
    assert "needs 'not_there_at_all'" in " ".join(done.out.split())
    done = hch("mine", **env)
    assert done.code == 6
    assert done.err.startswith("hch: command 'mine' needs 'not_there_at_all'")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("KeyboardInterrupt", 130, ""),
        ("ZeroDivisionError('a bug')", 1, "ZeroDivisionError: a bug\n"),
        ("HchError('[bold]one\\nline\\x1b[31m')", 1, "hch: [bold]one line\\x1b[31m\n"),
        ("ReplayDivergence('other')", 7, "hch: other\n"),
    ],
)
def test_how_a_command_ends(home: Path, raised: str, code: int, said: str) -> None:
    source = f"from hch.errors import *\ndef build():\n    def mine():\n        raise {raised}\n"
    env = install(home, "commands.mine", "mine", f"{source}    return mine\n")
    done = hch("mine", **env)
    assert (done.code, done.out) == (code, "")
    assert done.err.endswith(said)
    assert ("Traceback" in done.err) == ("a bug" in said)


@pytest.mark.parametrize("module", ["typer", "hch.commands._terminal", "hch.registry"])
def test_ctrl_c_while_it_is_loaded_is_silent(module: str) -> None:
    code = f"""
import sys
class Stop:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
from hch.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def test_a_working_folder_that_was_removed_is_no_error(home: Path) -> None:
    (home / "gone").mkdir()
    words = [*HCH, "ask", "What is 2 + 3?", "-q"]
    script = ["sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", *words]
    done = subprocess.run(script, capture_output=True, check=False, cwd=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"5\n", b"")
