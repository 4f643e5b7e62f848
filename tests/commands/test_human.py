"""A person at a terminal plays H: what is shown, what is typed, and what outlives a stop."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest

from hch.commands._desk import Draft
from hch.events import PersonTyped
from hch.safe_text import safe_text
from hch.stores.sqlite import SqliteStore
from hch.trace import Node, Trace
from tests.commands.terminal import HCH, Screen, hch, rules, two_parts
from tests.payloads import PAYLOADS, Payload, plain, raw_controls

QUESTION = "What is (2 + 3) * (4 - 1)?"
ARITHMETIC = ("ask", QUESTION, "--depth", "2", "--at", "2=consult@human", "--at", "0-1=script")
TYPING = r"\x1b\[\?(?:1|7|12|2004)[hl]|\x1b\[0 q"
"""What prompt_toolkit sets while somebody types."""

CONTROL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
CONTROLLED = (sys.executable, "-c", CONTROL)
"""Before a command: it gets its terminal's hang-up, as whatever a terminal's window starts."""


class Seat(Screen):
    """A person's place at a terminal: reads on for what is said, and types."""

    def __init__(self, *words: str, **more: Any) -> None:
        super().__init__(*words, **{"TERM": "xterm-256color", **more})
        self._read = 0

    def says(self, text: str) -> str:
        """Read on until this was said; what was said up to it since what was waited for before."""
        while (at := (said := plain(self.seen, TYPING)).find(text, self._read)) < 0:
            assert self._more(), f"{text!r} was not said, only {said[self._read :]!r}"
        before, self._read = self._read, at + len(text)
        return said[before:at]

    def answers(self, asked: str, typed: str) -> None:
        """Type a line when it is asked for."""
        self.says(asked)
        self.type(f"{typed}\r")

    def type(self, text: str) -> None:
        """Type, reading meanwhile, since a terminal holds little."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            readable, writable, _ = select.select([self._master], [self._master], [])
            if readable:
                self._more()
            elif writable:
                data = data[os.write(self._master, data[:512]) :]

    def go_away(self) -> None:
        """Close the terminal, as its window does."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, self._master)
        os.close(nowhere)

    @property
    def sane(self) -> bool:
        """Whether the terminal is left as a shell wants it."""
        flags = termios.tcgetattr(self._master)[3]
        shown, pasted = (self.seen.rfind(f"\x1b[?{mode}".encode()) for mode in ("25h", "2004l"))
        return (
            bool(flags & termios.ICANON and flags & termios.ECHO)
            and shown >= self.seen.rfind(b"\x1b[?25l")
            and pasted >= self.seen.rfind(b"\x1b[?2004h")
        )


def kept(home: Path) -> Trace:
    """The newest run."""
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        return Trace(list(store.events(store.runs()[0].run)))


def half_typed(home: Path) -> str:
    """What stands in the line of the newest draft."""
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        *_, last = (record.event for record in store.events(store.runs()[0].run, "PersonTyped"))
    assert isinstance(last, PersonTyped)
    return Draft.read(last.text).typing


def script(path: Path, *lines: str) -> str:
    """Write a program for the shell; its path."""
    path.write_text("\n".join(("#!/bin/sh", *lines, "")), "utf-8")
    path.chmod(0o755)
    return str(path)


def unspaced(text: str) -> str:
    return "".join(text.split())


def whole(payload: Payload) -> str:
    """What must be seen of a hostile text: all, less the marks that are broken on purpose."""
    return payload.text.partition("(")[0] if payload.kind == "marks" else payload.text


def answer(node: Node) -> tuple[str, str]:
    assert node.closed is not None
    assert node.closed.answer is not None
    return node.closed.answer.body, node.closed.answer.source


def test_a_person_plays_the_level_at_the_top(home: Path) -> None:
    out = home / "out.txt"
    command = ["sh", "-c", 'exec "$@" >out.txt', "sh", *HCH, *ARITHMETIC]
    with Seat(command=command) as seat:
        seat.says("You are H at HCH_2, node 0\n")
        seat.says(f"Question\n  {QUESTION}")
        seat.answers("ask, answer or cannot?", "as")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.answers("sub-question 2:", "What is 4 - 1?")
        seat.answers("sub-question 3:", "")
        seat.answers("last round? [y/N]", "")
        seat.says("Sub-question 1: What is 2 + 3?\n  Answer: 5\n")
        seat.says("Sub-question 2: What is 4 - 1?\n  Answer: 3\n")
        seat.answers("ask, answer or cannot?", "answer")
        seat.answers("your answer:", "15")
        seat.says("answered: 3 nodes, 2 calls")
        seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    assert out.read_text() == "15\n"
    [root] = kept(home).roots
    assert answer(root) == ("15", "person")
    [two, one] = [ask.node for ask in root.asks if ask.node]
    assert [two.question.text.source, answer(one)] == ["person", ("3", "script")]


def test_a_last_round_and_that_there_is_no_answer(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.answers("answer or cannot?", "c")
        seat.answers("why not?", "the rest is missing")
        said = seat.rest()
        assert seat.code == 1
    assert "no answer (unanswered): the rest is missing" in said


def test_an_interrupted_person_goes_on_where_they_were(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "n")
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("What is 4")
        seat.says("What is 4")
        seat.type("\x03")
        said = seat.rest()
        assert (seat.code, seat.sane) == (130, True)
    assert "hch: go on with: hch resume" in said
    assert "Traceback" not in said
    with Seat("resume") as seat:
        seat.says("Answer: 5")
        seat.says("You typed before:\n  ask, answer or cannot? ask")
        seat.says("sub-question 1: What is 4")
        seat.type(" - 1?\r")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "n")
        seat.says("Sub-question 2: What is 4 - 1?\n  Answer: 3\n")
        seat.answers("ask, answer or cannot?", "an")
        seat.answers("your answer:", "15")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0]) == ("15", "person")
    assert hch("resume", kept(home).run).out == "15\n"  # over, so that it needs no terminal


def test_an_entry_outlives_a_killing(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.says("sub-question 2:")
        seat.send(signal.SIGKILL)
        seat.rest()
    with Seat("resume") as seat:
        seat.says("sub-question 1: What is 2 + 3?")
        seat.answers("sub-question 2:", "back")
        seat.says("sub-question 1: What is 2 + 3?")
        seat.type("\x15What is 4 - 1?\r")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.says("Answer: 3")
        seat.answers("answer or cannot?", "a")
        seat.answers("your answer:", "15")
        seat.rest()
        assert seat.code == 0
    [root] = kept(home).roots
    assert [ask.node.question.text.body for ask in root.asks if ask.node] == ["What is 4 - 1?"]


def test_copies_queue_up_the_lowest_first_and_never_mix(home: Path) -> None:
    model = two_parts(home / "rules.toml")
    words = ("ask", "Big?", "--depth", "2", "--at", f"2=factored@{model}")
    with Seat(*words, "--at", "0-1=consult@human") as seat:
        seat.says("You are H at HCH_1, node 0.1, 1 more waits")
        seat.says("Small one?")
        seat.says("more waits, ? help")
        seat.type("ask\r")
        seat.answers("sub-question 1:", "Tiny?")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.says("You are H at HCH_1, node 0.2")
        seat.says("Small two?")
        seat.says("more waits, ? help")
        seat.type("answer\r")
        seat.answers("your answer:", "two")
        seat.says("You are H at HCH_0, node 0.1.1\n")
        seat.says("Tiny?")
        seat.answers("your answer:", "tiny")
        seat.says("You are H at HCH_1, node 0.1\n")
        seat.says("Answer: tiny")
        seat.answers("answer or cannot?", "a")
        seat.answers("your answer:", "one")
        seat.rest()
        assert seat.code == 0
    [root] = kept(home).roots
    assert [answer(ask.node)[0] for ask in root.asks if ask.node] == ["one", "two"]


def test_no_terminal_is_refused_before_anything_is_sent(home: Path) -> None:
    done = hch(*ARITHMETIC)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "is a person at a terminal, and here is none" in done.err
    with Seat(command=["sh", "-c", 'exec "$@" </dev/null', "sh", *HCH, *ARITHMETIC]) as seat:
        assert "and here is none" in seat.rest()
        assert seat.code == 2
    with Seat(command=["sh", "-c", 'exec "$@" 2>err', "sh", *HCH, *ARITHMETIC]) as seat:
        assert seat.rest() == ""
        assert seat.code == 2
    with Seat(*ARITHMETIC, TERM="dumb") as seat:
        assert "and here is none" in seat.rest()
        assert seat.code == 2
    assert not list(home.rglob("*.db"))


def test_a_dry_run_asks_nobody(home: Path) -> None:
    assert hch(*ARITHMETIC, "--dry-run").code == 0


def test_hostile_texts_are_shown_and_do_nothing(home: Path) -> None:
    payloads = [p for p in PAYLOADS if not re.search("[\0\ud800-\udfff]", p.text)]
    texts = [p.text for p in payloads]
    body = "\n".join(texts)
    (home / "notes.txt").write_text(body, "utf-8", newline="")
    model = rules(home / "rules.toml", {"match": ".", "reply": body})
    words = ("ask", f"Why? {texts[0]}", "--depth", "1", "--context", "notes.txt", "--quiet")
    with Seat(*words, "--at", "1=consult@human", "--at", f"0=direct@{model}") as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.answers("sub-question 1:", f"So? {texts[0]}".replace("\x1b", ""))
        seat.answers("its texts, 1 to 1:", "2")
        seat.says("numbers from 1 to 1")
        seat.type("\x7f\r")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "n")
        seat.says("more lines; type show for all")
        seat.answers("ask, answer or cannot?", "show")
        seat.says("You are H at HCH_1")
        shown = seat.says("ask, answer or cannot?")
        seat.type("prompt\r")
        seat.says("--- system ---")
        sent = seat.says("ask, answer or cannot?")
        seat.type("cannot\r")
        seat.answers("why not?", "no")
        seat.rest()
    assert raw_controls(seat.seen, TYPING) == []
    for screen in map(unspaced, (shown, sent)):
        assert [p.name for p in payloads if unspaced(safe_text(whole(p))) not in screen] == []


DIRECT = ("ask", "Why?", "--depth", "0", "-m", "human")


def test_help_and_words_that_are_meant_as_they_are(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.answers("your answer:", "?")
        seat.says("Ctrl-C            stops the run")
        seat.says("put a space before it.")
        seat.answers("your answer:", "back")
        seat.says("there is nothing to undo")
        seat.says("your answer:")
        seat.type("\x04")
        seat.says("Ctrl-C stops the run; what you typed is kept")
        seat.answers("your answer:", " ")
        seat.says("an answer cannot be empty")
        seat.answers("your answer:", "show")
        seat.says("You are H at HCH_0")
        seat.answers("your answer:", "cannot")
        seat.answers("why not?", "back")
        seat.says("your answer: cannot")
        seat.type("\x15 e\r")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0]) == ("e", "person")


def test_a_paste_keeps_its_lines_and_a_long_line_its_length(home: Path) -> None:
    long = "long " * 2000
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.type(f"\x1b[200~one\r\ntwo\n{long}end\n\x1b[201~")
        seat.type("three\nfour\x1b\rfive\r")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0])[0] == f"one\ntwo\n{long}end\nthree\nfour\nfive"


def test_an_editor_gets_the_text_so_far(home: Path) -> None:
    editor = script(
        home / "editor", 'cat "$1" >before.txt', "echo EDITING", 'printf "edited\\ntext\\n" >"$1"'
    )
    command = ["sh", "-c", 'exec "$@" >out.txt', "sh", *HCH, *DIRECT]
    with Seat(command=command, EDITOR=editor, VISUAL="") as seat:
        seat.says("your answer:")
        seat.type("half a\x18\x05")
        seat.says("EDITING")
        seat.says("your answer: edited")
        seat.type("\r")
        seat.rest()
        assert seat.code == 0
    assert (home / "out.txt").read_text() == "edited\ntext\n"
    assert (home / "before.txt").read_text() == "half a"
    assert answer(kept(home).roots[0])[0] == "edited\ntext"


@pytest.mark.parametrize(
    ("editor", "said"),
    [
        ("", "neither VISUAL nor EDITOR is set"),
        ("no-such", "was of no use"),
        ("false", "ended with 1"),
    ],
)
def test_an_editor_that_is_none(home: Path, editor: str, said: str) -> None:
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says(said)
        seat.answers("your answer:", "so")
        seat.rest()
        assert seat.code == 0


def test_an_editor_that_is_interrupted_loses_nothing_that_it_saved(home: Path) -> None:
    editor = script(home / "editor", 'printf "an essay\\n" >"$1"', "kill -INT $$")
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says("the editor ended with -2: this is what it had saved")
        seat.says("your answer: an essay")
        seat.type("\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "an essay"


def test_what_an_editor_left_outlives_a_killing(home: Path) -> None:
    editor = script(home / "editor", 'printf "an essay\\n" >"$1"')
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.answers("your answer:", "e")
        seat.says("your answer: an essay")
        seat.send(signal.SIGKILL)
        seat.rest()
    with Seat("resume") as seat:
        seat.says("your answer: an essay")
        seat.type("\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "an essay"


@pytest.mark.parametrize("first", ["", "trap '' TERM"])
def test_a_stop_ends_the_editor_and_keeps_what_it_had_saved(home: Path, first: str) -> None:
    for name in ("over", "never"):
        os.mkfifo(home / name)
    editor = script(
        home / "editor",
        first,
        'printf "half an essay\\n" >"$1"',
        "echo EDITING",
        "exec 3>over",
        "read line <never",
    )
    with Seat(*DIRECT, EDITOR=editor, VISUAL="") as seat:
        seat.says("your answer:")
        seat.type("before\x18\x05")
        seat.says("EDITING")
        with (home / "over").open() as over:
            seat.send(signal.SIGTERM)
            assert over.read() == ""  # the editor has ended
        said = seat.rest()
        assert (seat.code, seat.sane) == (143, True)
    assert "Traceback" not in said
    assert half_typed(home) == "half an essay"
    with Seat("resume") as seat:
        seat.says("your answer: half an essay")
        seat.type(" more\r")
        seat.rest()
    assert answer(kept(home).roots[0])[0] == "half an essay more"


def test_a_terminal_of_twenty_columns(home: Path) -> None:
    with Seat(*ARITHMETIC, columns=20) as seat:
        seat.says("You are H at HCH_2,")
        seat.says("ask, answer or")
        seat.type("answer\r")
        seat.answers("your answer:", "15, since 5 times 3 is that much")
        seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    assert answer(kept(home).roots[0])[0] == "15, since 5 times 3 is that much"


@pytest.mark.leaves_open
def test_a_second_signal_leaves_the_terminal_as_it_was(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.says("your answer:")
        seat.send(signal.SIGINT)
        seat.says("your answer:")  # the first is at work
        seat.send(signal.SIGINT)
        seat.rest()
        assert (seat.code, seat.sane) == (130, True)


def test_a_hang_up_stops_the_run_in_order(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.send(signal.SIGHUP)
        seat.rest()
        assert (seat.code, seat.sane) == (129, True)


@pytest.mark.parametrize(
    "shell",
    ['"$@" 3>over; true', 'trap "" HUP; "$@" 3>over; true', 'exec "$@" 3>over'],
    ids=["a shell waits", "a shell ignores it", "it is the terminal's own"],
)
def test_a_terminal_that_goes_away_takes_no_half_typed_line_along(home: Path, shell: str) -> None:
    os.mkfifo(home / "over")
    command = [*CONTROLLED, "sh", "-c", shell, "sh", *HCH, *ARITHMETIC]
    with Seat(command=command) as seat, (home / "over").open() as over:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("What is 2")
        seat.says("What is 2")
        seat.go_away()
        assert over.read() == ""  # hch has ended
    assert half_typed(home) == "What is 2"
    with Seat("resume") as seat:
        seat.says("sub-question 1: What is 2")
        seat.type("\x03")
        seat.rest()


def test_drafts_that_cannot_be_read_are_left_out_with_a_note(home: Path) -> None:
    with Seat(*ARITHMETIC) as seat:
        seat.answers("ask, answer or cannot?", "ask")
        seat.says("sub-question 1:")
        seat.type("\x03")
        seat.rest()
    with SqliteStore(str(home / ".local/share/hch/hch.db")) as store:
        run = store.runs()[0].run
        [*_, last] = (record.event for record in store.events(run, "PersonTyped"))
        assert isinstance(last, PersonTyped)
        with store.live(run):
            store.append(run, 0.0, PersonTyped(request=last.request, text='{"entries": [["x"'))
    with Seat("resume") as seat:
        seat.says("some of what was typed here before cannot be read: it is left out")
        seat.says("ask, answer or cannot?")
        seat.type("\x03")
        seat.rest()


def test_help_does_not_load_what_types() -> None:
    code = (
        "import sys; from hch import cli; cli.run(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prompt_toolkit" not in done.stderr.split()


def test_a_person_has_no_deadline(home: Path) -> None:
    with Seat(*DIRECT, "--budget", "10min") as seat:
        assert "no deadline applies to people" in seat.rest()
        assert seat.code == 2
    assert json.loads(hch("runs", "--json").out or "[]") == []
