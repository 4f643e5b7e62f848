"""200 hostile texts in every text of a run, on every screen of the browser, in a real terminal.

Nothing steers the terminal, nothing is an action, and all is seen as safe text.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hch.events import (
    Asked,
    CallFailed,
    CallFinished,
    CallGivenUp,
    CallIntended,
    Event,
    NodeClosed,
    NodeOpened,
    PrimitiveAnswered,
    RootOpened,
    RunStopped,
    Thought,
)
from hch.safe_text import safe_text
from hch.stores.sqlite import SqliteStore
from hch.wire import Polled, Words
from tests.browse.runs_to_see import THEN
from tests.commands.seat import Seat
from tests.payloads import BARE, PAYLOADS, TEXTUAL, plain, raw_controls
from tests.promises import LONG
from tests.stores.samples import FREE, opened, price, started

ROOT = Path(__file__).parents[2]
OURS = rf"{TEXTUAL}|\x1b\]22;[a-z]+\x07|\x1b\]52;c;[A-Za-z0-9+/]*=*\x07"
"""What the browser writes besides: the mouse pointer's shape, and what is copied."""

STEERS = "\x1b[5m\x1b]0;t\x07\u202e"


def node(n: int, text: str) -> Iterator[Event]:
    """A node whose every text is the same one, and what it went through."""
    sound = text.encode("utf-8", "replace").decode()
    key, words = f"k{n} {sound}", Words(body=text, source=sound, trusted=False)
    yield Asked(parent="root", slot=n + 1, round=1, question=words, child=key)
    yield NodeOpened(
        key=key, level=0, wrapper=0, player=f"p{n} {sound}", question=words, context=(words,),
        instance=sound, sample=(), grant=FREE,
    )  # fmt: skip
    for index in range(2):
        yield from think(n, index, key, text, sound)
    yield Asked(parent=key, slot=1, round=1, question=words, refusal=text)
    for index, status in enumerate((sound, "answered")):
        yield PrimitiveAnswered(
            parent=key, index=index, question=text, status=status, answer=text, reason=text
        )
    yield NodeClosed(
        key=key, status="unanswered" if n % 2 else "answered", answer=None if n % 2 else words,
        reason=text if n % 2 else "", notes=(text, f"cut: {text}"), spent=price(1e4 + n, 1e3),
        ballot=Polled(votes=((text, 2), (f"{text}!", 1)), tries=3, of=5),
    )  # fmt: skip


def think(n: int, index: int, key: str, text: str, sound: str) -> Iterator[Event]:
    """A call that failed once: the first then came to a reply, the second was given up."""
    request = f"r{n}.{index} {sound}"
    yield Thought(parent=key, index=index, request=request, prompt=f"prompt{n} {sound}")
    for attempt in (1, 2):
        yield CallIntended(
            request=request, attempt=attempt, node=key, model=f"model{n} {sound}",
            messages=((sound, ((sound, text), ("question", text), (f"answer {sound}", text))),),
            sampling={sound: sound, "stop": [text]}, form=(sound, sound), sample=(), seed=7,
            question=text, instance=sound, worst=price(),
        )  # fmt: skip
        if attempt == 1:
            yield CallFailed(request=request, attempt=1, kind=sound, message=text, price=price())
    if index == 0:
        raw = text.encode("utf-8", "surrogatepass")
        yield CallFinished(
            request=request, attempt=2, text=text, finish="stop", usage=(1, 2, 3, 4),
            price=price(), thinking=text, raw=raw,
        )  # fmt: skip
    else:
        yield CallGivenUp(request=request, attempts=2, kind=sound, message=text)


def all_at_once() -> Iterator[Event]:
    """A call of the root in which every payload is a part of the prompt, and is said."""
    some = [payload for payload in PAYLOADS if payload.kind != "long"]
    said = "\n".join(payload.text for payload in some)
    yield Thought(parent="root", index=0, request="r", prompt="direct")
    yield CallIntended(
        request="r", attempt=1, node="root", model="x", sampling={}, form=None, sample=(), seed=7,
        messages=(("user", tuple((f"answer {n}", f"{p.text}\n") for n, p in enumerate(some))),),
        question="Root?", instance=None, worst=price(),
    )  # fmt: skip
    yield CallFinished(
        request="r", attempt=1, text=said, finish="stop", usage=(1, 2, 3, 4), price=price(),
        thinking=said, raw=said.encode("utf-8", "surrogatepass"),
    )  # fmt: skip


def hostile(home: Path) -> None:
    """A run of a root and 200 nodes below it, one for each payload."""
    events: list[Event] = [
        started(STEERS, players=("direct@x", "direct@x")),
        RootOpened(index=0, key="root", question="q"),
        opened("root", f"Root? {STEERS}", level=1),
        *all_at_once(),
    ]
    for n, payload in enumerate(PAYLOADS):
        events += node(n, payload.text)
    events.append(RunStopped(kind=STEERS, reason=STEERS))
    with SqliteStore(home / "hostile.db") as store:
        for n, event in enumerate(events):
            store.append(f"run {STEERS}", THEN + n / 50, event)


def listed(home: Path) -> None:
    """A run for each payload."""
    with SqliteStore(home / "hostile.db") as store:
        for n, payload in enumerate(PAYLOADS):
            sound = payload.text.encode("utf-8", "replace").decode()
            run, at = f"run{n:03} {sound[:100]}", THEN - n
            store.append(run, at, started(payload.text, players=(f"{sound}@{sound}",)))
            store.append(run, at, RunStopped(kind=sound, reason=payload.text))


class Watched(Seat):
    """A terminal of which all that was written is kept, and the newest of it apart."""

    def __init__(self, *words: str, **more: Any) -> None:
        super().__init__(*words, **more)
        self.past: list[bytes] = []

    def press(self, keys: str, *wanted: str) -> None:
        """Type, and read on until each of these was written anew."""
        self.past.append(self.seen)
        self.seen = b""
        self.type(keys)
        for text in wanted:
            self.until(text)

    def settle(self) -> None:
        """Go on when all that was typed has been done."""
        self.press("L", "following what is written")
        self.press("L", "no longer followed")

    @property
    def all(self) -> bytes:
        return b"".join((*self.past, self.seen))

    @property
    def marks(self) -> set[str]:
        """The marks of the payloads of which something was seen."""
        return set(re.findall(r"PWN\d{3}", plain(self.all, OURS)))


@contextmanager
def browsing(
    home: Path, *words: str, wanted: str = "Times and places", rows: int = 45
) -> Iterator[Watched]:
    """The browser on a store, left in order in the end; nothing of what it wrote steers."""
    files = set(home.rglob("*"))
    command = ("browse", "--store", "hostile.db", *words)
    env = {"PYTHONPATH": str(ROOT), "COLORTERM": "truecolor", "PAGER": "cat"}
    with Watched(*command, columns=200, rows=rows, **env) as seat:
        seat.press("", wanted)
        yield seat
        seat.press("\x03")
        while seat._more():
            pass
        assert (seat.code, seat.sane) == (0, True)
        assert raw_controls(seat.all, OURS) == []
    assert [path for path in set(home.rglob("*")) - files if "hostile.db" not in path.name] == []


STEP = 1 if LONG else 5
"""Of so many payloads one is pasted."""

BEGIN = {f"PWN{n:03}" for n, payload in enumerate(PAYLOADS) if payload.kind not in BARE}
"""The marks of the payloads that begin with theirs."""

TABS: Mapping[str, str] = {
    "1": "0.{slot}  HCH_0", "2": "0.{slot}.1", "3": "model{n}", "4": "0 prompt{n} ",
    "5": "0.{slot}  HCH_0",
}  # fmt: skip
"""By the key of a tab: what is shown there of node n alone."""


@pytest.mark.leaves_open
@pytest.mark.parametrize(
    ("tab", "raw", "first"),
    [
        (tab, raw, first)
        for n, (tab, raw) in enumerate([*((tab, "") for tab in TABS), ("3", "r")])
        for first in ((0, 100) if LONG else (100 * (n % 2),))
    ],
)
def test_every_node(tab: str, raw: str, first: int, home: Path) -> None:
    hostile(home)
    with browsing(home, "--node", f"0.{first + 1}") as seat:
        seat.press(f"{raw}{tab}")
        seat.settle()
        for n in range(first + 1, first + 100):
            seat.press("j", TABS[tab].format(n=n, slot=n + 1))
        seat.settle()
        assert BEGIN & {f"PWN{n:03}" for n in range(first, first + 100)} <= seat.marks


@pytest.mark.leaves_open
@pytest.mark.parametrize("raw", ["", "r"])
def test_a_call(raw: str, home: Path) -> None:
    hostile(home)
    with browsing(home, rows=1800) as seat:
        seat.press(f"{raw}3\t")
        seat.settle()
        seat.press("\r", "Reply as received")
        long = {f"PWN{n:03}" for n, payload in enumerate(PAYLOADS) if payload.kind == "long"}
        assert seat.marks >= BEGIN - long  # these are folded


@pytest.mark.leaves_open
def test_rows_the_timeline_help_and_the_palette(home: Path) -> None:
    hostile(home)
    with browsing(home, rows=210) as seat:
        seat.press("l", "PWN199")
        seat.press("t", "0 to", "PWN199")
        seat.press("t")
        seat.settle()
        seat.press("$", "own figures", "PWN199")
        seat.press("?", "Keys here")
        seat.press("q")
        seat.settle()
        seat.press("\x10", "choose other colours")
        assert seat.marks >= BEGIN


@pytest.mark.leaves_open
@pytest.mark.parametrize(
    ("key", "label", "step"), [("/", "search", STEP), ("f", "show only", 3 * STEP)]
)
def test_what_is_pasted_into_a_line(key: str, label: str, step: int, home: Path) -> None:
    """All but what no terminal lets a paste have in it, and what is more than a line."""
    hostile(home)
    with browsing(home) as seat:
        for n in range(0, len(PAYLOADS), step):
            text = PAYLOADS[n].text
            if PAYLOADS[n].kind in BARE | {"long"} or re.search("[\x1b\ud800-\udfff]", text):
                continue
            seat.press(key, label)
            seat.press(f"\x05\x15\x1b[200~{text}\x1b[201~", f"PWN{n:03}")
            seat.press("\r", "no filter" if key == "f" else "PWN")
            if key == "f":
                seat.press("\x1b", "? keys")


@pytest.mark.leaves_open
def test_the_list_of_runs(home: Path) -> None:
    listed(home)
    with browsing(home, wanted="unfinished", rows=210) as seat:
        seat.press("q", "200 runs", "PWN199")
        assert seat.marks >= BEGIN


@pytest.mark.leaves_open
def test_what_is_taken_out(home: Path) -> None:
    hostile(home)
    with browsing(home) as seat:
        seat.press("l")
        for n, payload in enumerate(PAYLOADS):
            seat.press("j", TABS["1"].format(slot=n + 1))
            if n % 5 == 0:
                seat.press("y", "\x1b]52;c;")
                seat.until("\x07")
                sent = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", seat.seen)
                assert [b64decode(one).decode() for one in sent] == [safe_text(payload.text)]
        seat.press("Y", "\x1b]52;c;")
        seat.press("g4", "[4 Events]")
        seat.settle()
        seat.press("o", "PWN199", "? keys")


@pytest.mark.leaves_open
@pytest.mark.parametrize("kind", ["an action", "an action with words", "a link in markup"])
def test_clicks_on_markup(kind: str, home: Path) -> None:
    hostile(home)
    [n] = [n for n, payload in enumerate(PAYLOADS) if payload.name == kind]
    with browsing(home, "--node", f"0.{n + 1}") as seat:
        for y in range(2, 50):
            seat.press("".join(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m" for x in (112, 121, 127)))
        seat.settle()
