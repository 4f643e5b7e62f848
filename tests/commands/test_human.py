"""A person at a terminal plays H: what is shown, what is asked for, and what it comes to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from hch.safe_text import safe_text
from tests.commands.seat import ARITHMETIC, DIRECT, QUESTION, TYPING, Seat, answer, kept
from tests.commands.terminal import HCH, hch, rules, two_parts
from tests.payloads import PAYLOADS, Payload, raw_controls


def unspaced(text: str) -> str:
    return "".join(text.split())


def whole(payload: Payload) -> str:
    """What must be seen of a hostile text: all, less the marks that are broken on purpose."""
    return payload.text.partition("(")[0] if payload.kind == "marks" else payload.text


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


def test_copies_queue_up_the_lowest_first_and_never_mix(home: Path) -> None:
    model = two_parts(home / "rules.toml")
    words = ("ask", "Big?", "--depth", "2", "--at", f"2=factored@{model}")
    with Seat(*words, "--at", "0-1=consult@human") as seat:
        seat.says("You are H at HCH_1, node 0.1\n")
        seat.says("Small one?")
        seat.says("1 more waits, ? help")
        seat.type("ask\r")
        seat.answers("sub-question 1:", "Tiny?")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.says("You are H at HCH_0, node 0.1.1\n")
        seat.says("Tiny?")
        seat.says("1 more waits, ? help")
        seat.answers("your answer:", "tiny")
        seat.says("You are H at HCH_1, node 0.1\n")
        seat.says("Answer: tiny")
        seat.answers("answer or cannot?", "a")
        seat.answers("your answer:", "one")
        seat.says("You are H at HCH_1, node 0.2\n")
        seat.says("Small two?")
        assert "wait" not in seat.says("? help")
        seat.answers("ask, answer or cannot?", "answer")
        seat.answers("your answer:", "two")
        seat.rest()
        assert seat.code == 0
    [root] = kept(home).roots
    assert [answer(ask.node)[0] for ask in root.asks if ask.node] == ["one", "two"]


def test_a_strategy_that_asks_first_says_so_and_the_copy_just_asked_comes_next(home: Path) -> None:
    with Seat("ask", "Big?", "--depth", "2", "-m", "human", "-s", "factored") as seat:
        seat.says("First your sub-questions; your answer is asked for when theirs are there.")
        seat.says("Enter alone: none")
        seat.answers("sub-question 1:", "One?")
        seat.says("Enter alone: no more")
        seat.answers("sub-question 2:", "Two?")
        seat.answers("sub-question 3:", "")
        seat.says("You are H at HCH_1, node 0.1\n")
        seat.says("1 more waits")
        seat.answers("sub-question 1:", "Tiny?")
        seat.answers("sub-question 2:", "")
        seat.says("You are H at HCH_0, node 0.1.1\n")
        assert "First" not in seat.says("1 more waits")
        seat.answers("your answer:", "tiny")
        seat.says("You are H at HCH_1, node 0.1\n")
        seat.answers("your answer:", "one")
        seat.says("You are H at HCH_1, node 0.2\n")
        seat.answers("sub-question 1:", "")
        seat.answers("answer it alone? [y/N]", "y")
        seat.answers("your answer:", "two")
        seat.says("You are H at HCH_2, node 0\n")
        seat.answers("your answer:", "three")
        seat.rest()
        assert seat.code == 0
    assert answer(kept(home).roots[0])[0] == "three"


def test_a_choice_that_cannot_be_is_typed_anew(home: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (home / name).write_text(name)
    words = ("ask", "Who is right?", "--depth", "1", "--context", "a.txt", "--context", "b.txt")
    with Seat(*words, "--at", "1=consult@human", "--at", "0=script") as seat:
        seat.answers("ask, answer or cannot?", "perhaps")
        seat.says("type ask, answer or cannot\n")
        seat.answers("ask, answer or cannot?", "as")
        seat.answers("sub-question 1:", "What is 2 + 3?")
        seat.answers("its texts, 1 to 2:", "Is Alice right?")
        seat.says("numbers from 1 to 2, such as 1,2\n")
        seat.answers("its texts, 1 to 2:", "3")
        seat.says("numbers from 1 to 2, such as 1,2\n")
        seat.answers("its texts, 1 to 2:", "?")
        seat.says("put a space before it.")
        seat.answers("its texts, 1 to 2:", "show")
        seat.says("You are H at HCH_1")
        seat.answers("its texts, 1 to 2:", "1,2")
        seat.answers("sub-question 2:", "back")
        seat.answers("its texts, 1 to 2:", "2")
        seat.answers("sub-question 2:", "")
        seat.answers("last round? [y/N]", "y")
        seat.answers("answer or cannot?", "a")
        seat.answers("your answer:", "Bob")
        seat.rest()
        assert seat.code == 0
    [root] = kept(home).roots
    [ask] = root.asks
    assert ask.node is not None
    assert [text.body for text in ask.node.question.context] == ["b.txt"]
    assert answer(root)[0] == "Bob"


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


def test_a_person_has_no_deadline(home: Path) -> None:
    with Seat(*DIRECT, "--budget", "10min") as seat:
        assert "no deadline applies to people" in seat.rest()
        assert seat.code == 2
    assert json.loads(hch("runs", "--json").out or "[]") == []


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
        seat.says("the text goes along")
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


def test_a_text_that_cannot_be_is_kept_to_be_changed(home: Path) -> None:
    with Seat(*DIRECT) as seat:
        seat.answers("your answer:", "<think>hm</think> so")
        seat.says("it cannot begin with <think>: that would be left out; change it, or clear it")
        seat.says("your answer: <think>hm</think> so")
        seat.type("\x15?\r")
        seat.says("put a space before it.")
        seat.answers("your answer:", "so")
        seat.rest()
        assert seat.code == 0


def test_a_terminal_of_twenty_columns(home: Path) -> None:
    with Seat(*ARITHMETIC, columns=20) as seat:
        seat.says("You are H at HCH_2,")
        seat.says("ask, answer or")
        seat.type("answer\r")
        seat.answers("your answer:", "15, since 5 times 3 is that much")
        seat.rest()
        assert (seat.code, seat.sane) == (0, True)
    assert answer(kept(home).roots[0])[0] == "15, since 5 times 3 is that much"


def test_help_does_not_load_what_types() -> None:
    code = (
        "import sys; from hch import cli; cli.run(['--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "prompt_toolkit" not in done.stderr.split()
