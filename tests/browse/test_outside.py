"""Texts go to the clipboard, into a pager and an editor, and what goes wrong there is said."""

from __future__ import annotations

import json
import re
import signal
import sys
from base64 import b64decode
from pathlib import Path
from signal import Signals

import pytest

from hch.safe_text import safe_text
from tests.browse.small import app, restored
from tests.commands.seat import CONTROLLED

TEXTS = {
    "a text": "so it is",
    "a text that steers": "red \x1b[31m, home \x1b[H, bell \x07",
    "a long one": "long " * 40_000,
}


@pytest.mark.parametrize("variable", ["PAGER", "EDITOR"])
@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_opened_outside(name: str, variable: str, tmp_path: Path) -> None:
    """By a programme with arguments, on the terminal as it was before."""
    show = tmp_path / "show it.py"
    show.write_text(SHOW)
    text = TEXTS[name] if len(TEXTS[name]) < 100_000 else "@long"
    command = f"{sys.executable} '{show}' --of '{tmp_path}/kept'"
    with app(tmp_path, **{"TEXT": text, "PAGER": "", variable: command}) as seat:
        seat.type("o")
        seat.until("opened well")
        seat.type("jq")
        seat.rest()
        assert (seat.code, restored(seat)) == (0, True)
    kept = json.loads((tmp_path / "kept").read_text())
    assert kept["text"] == safe_text(TEXTS[name])
    assert kept["echo"] is True
    if variable == "EDITOR":
        assert kept["modes"] == [0o700, 0o400]
        assert not Path(kept["path"]).parent.exists()


SHOW = """
import json, stat, sys, termios
from pathlib import Path
flag, to, *files = sys.argv[1:]
kept = {"text": Path(files[0]).read_text() if files else sys.stdin.read()}
kept["echo"] = bool(termios.tcgetattr(1)[3] & termios.ECHO)
if files:
    path = Path(files[0])
    kept["modes"] = [stat.S_IMODE(p.stat().st_mode) for p in (path.parent, path)]
    kept["path"] = str(path)
Path(to).write_text(json.dumps(kept))
"""
"""What stands for a pager and for an editor: it keeps what it was given."""


FAILS = {
    "no-such-programme -x": "$PAGER names a programme that is not there: 'no-such-programme'",
    "cat 'x": "$PAGER cannot be read (No closing quotation): cat 'x",
    "false": "false ended with 1",
    "sh -c 'kill -9 $$'": "sh was ended by SIGKILL",
    "true": "opened well",
}


@pytest.mark.parametrize("command", FAILS)
def test_what_goes_wrong_outside_is_said_inside(command: str, tmp_path: Path) -> None:
    with app(tmp_path, TEXT="so", PAGER=command) as seat:
        seat.type("o")
        seat.until(FAILS[command])
        seat.type("j")
        seat.until("moved 1")
        seat.type("q")
        seat.rest()
        assert (seat.code, restored(seat)) == (0, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_programme_outside_and_leaves(number: Signals, tmp_path: Path) -> None:
    wait = "trap 'echo was told; exit 0' TERM HUP; echo waits $0; while :; do read -t 1 x; done"
    (tmp_path / "wait.sh").write_text(wait.replace("$0", "for $1"))
    with app(tmp_path, TEXT="so", PAGER="", EDITOR=f"bash {tmp_path}/wait.sh") as seat:
        seat.type("o")
        seat.until(".txt")
        file = Path(re.findall(rb"waits for (\S+)", seat.seen)[0].decode())
        assert file.read_text() == "so"
        seat.send(number)
        seat.until("was told")
        seat.rest()
        assert (seat.code, restored(seat)) == (128 + number, True)
        assert not file.parent.exists()


def test_an_editors_terminal_that_goes_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "wait.sh").write_text("echo waits for $1; read x")
    editor = f"bash {tmp_path}/wait.sh"
    with app(tmp_path, *CONTROLLED, TEXT="so", PAGER="", EDITOR=editor) as seat:
        seat.type("o")
        seat.until(".txt")
        file = Path(re.findall(rb"waits for (\S+)", seat.seen)[0].decode())
        seat.go_away()
        assert seat.code == 129
        assert not file.parent.exists()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("The Rhône", "sent 9 characters to the terminal's clipboard"),
        ("one", "sent 3 characters to the terminal's clipboard"),
        ("@long", "sent the first 100k bytes of 200k to the terminal's clipboard: o"),
    ],
)
def test_a_text_is_copied_to_the_terminals_clipboard(text: str, says: str, tmp_path: Path) -> None:
    with app(tmp_path, TEXT=text) as seat:
        seat.type("c")
        seat.until(says)
        [sent] = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", seat.seen)
        whole = TEXTS["a long one"] if text == "@long" else text
        assert b64decode(sent).decode() == whole[:100_000]
        seat.type("q")
        seat.rest()
        assert seat.code == 0


def test_a_copied_text_steers_no_shell_it_is_pasted_into(tmp_path: Path) -> None:
    with app(tmp_path, TEXT=TEXTS["a text that steers"]) as seat:
        seat.type("c")
        seat.until("sent")
        [sent] = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", seat.seen)
        assert b64decode(sent).decode() == safe_text(TEXTS["a text that steers"])
