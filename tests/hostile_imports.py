"""Files that look like exports, and that nobody may be able to bring in; and a sound one."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hch.events import Event, Record, RootOpened, RunStarted
from hch.interchange import LONGEST, lines
from hch.labels import Label
from tests.stores.samples import closed, label, opened, started, story, words

RUN = "260102-030405-6789ab"
OTHER = "260102-030405-6789ac"
ESCAPES = "\x1b[5m\x1b]0;t\x07\u202e"


def root(question: str) -> dict[str, Any]:
    return {
        "text": words(question).model_dump(), "context": [], "instance": None, "sample": []
    }  # fmt: skip


def begun(*questions: str, levels: int = 2, **more: Any) -> RunStarted:
    """How a run begins that can be brought in."""
    roots = {"questions": [root(question) for question in questions]}
    players = ("direct@x",) * levels
    setup = {"depth": levels - 1, "model": "x", "strategy": "direct", "at": {}, "task": None}
    return started(*questions, players=players).model_copy(
        update={"roots": roots, "setup": setup, **more}
    )


def whole(question: str = "What is the answer?") -> list[Event]:
    """A finished run: a root that asks one question; 3 calls, of which one failed."""
    first, root_, _, *rest = story()
    assert isinstance(first, RunStarted)
    return [begun(question), root_, opened("root", question, level=1), *rest]


def exported(labels: Sequence[Label] = (), /, **runs: list[Event]) -> bytes:
    """An export of runs by their ids, whose dashes are written as underscores; each so labelled."""
    named = {name.lstrip("r").replace("_", "-"): events for name, events in runs.items()}

    def records(run: str) -> list[Record]:
        return [
            Record(run=run, seq=seq, at=1e9 + seq, event=event)
            for seq, event in enumerate(named[run], 1)
        ]

    return "".join(
        f"{line}\n" for line in lines(list(named), records, None, lambda _: labels)
    ).encode()


GOOD = exported(r260102_030405_6789ab=whole())
"""A header, 16 events, the end."""

LABELS = [label("leaf", said="good", note="so \ud800 \x00"), label("root", "truth", score=0.5)]

LABELLED = exported(LABELS, r260102_030405_6789ab=whole())
"""The same with two labels, which are lines 18 and 19."""

TWO = exported(r260102_030405_6789ab=whole(), r260102_030405_6789ac=whole("And this?"))


@dataclass(frozen=True)
class Hostile:
    """A file, and what is said of it; `line` is the one that is named, if one is."""

    data: bytes | Callable[[], bytes]
    said: str
    line: int | None = None

    def bytes(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else self.data()


def swapped(old: str, new: str, data: bytes = GOOD) -> bytes:
    """With the first such text changed."""
    assert old.encode() in data
    return data.replace(old.encode(), new.encode("utf-8", "surrogatepass"), 1)


def line(number: int, new: bytes | None, data: bytes = GOOD) -> bytes:
    """With one line changed, or without it."""
    found = data.splitlines(keepends=True)
    found[number - 1 : number] = [] if new is None else [new + b"\n"]
    return b"".join(found)


def record(number: int, **more: Any) -> bytes:
    """With fields of one line's record changed."""
    data = json.loads(GOOD.splitlines()[number - 1])
    return line(number, json.dumps({**data, **more}).encode())


def labelled(**more: Any) -> bytes:
    """With fields of the first label changed."""
    data = json.loads(LABELLED.splitlines()[17])
    return line(18, json.dumps({**data, "label": {**data["label"], **more}}).encode(), LABELLED)


def event(number: int, **more: Any) -> bytes:
    """With fields of one line's event changed."""
    data = json.loads(GOOD.splitlines()[number - 1])
    return record(number, event={**data["event"], **more})


def setup(**more: Any) -> bytes:
    """With parts of the recipe changed."""
    return event(2, setup={"depth": 1, "model": "x", "strategy": "direct", **more})


def named(run: str) -> bytes:
    """With another id for the run."""
    return GOOD.replace(f'"{RUN}"'.encode(), json.dumps(run).encode())


def without(*left_out: int) -> bytes:
    """Without some of the events; the rest are numbered anew."""
    return exported(
        r260102_030405_6789ab=[e for n, e in enumerate(whole(), 2) if n not in left_out]
    )


def with_events(*events: Event) -> bytes:
    return exported(r260102_030405_6789ab=list(events))


ASKED = whole()[6]
CIRCLE = [
    begun("A?"),
    RootOpened(index=0, key="a", question="q"),
    opened("a", "A?", level=1),
    ASKED.model_copy(update={"parent": "a", "child": "b"}),
    opened("b", "B?", level=0),
    ASKED.model_copy(update={"parent": "b", "child": "a"}),
]
SERVER = "openai:x,base_url=http://{}/latest/meta-data"
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000
RATE = {"input": 1.0, "output": 1.0, "longer": []}

FILES: dict[str, Hostile] = {
    # what is no export at all
    "empty": Hostile(b"", "the file is empty", 1),
    "a newline": Hostile(b"\n", "it is not JSON", 1),
    "text": Hostile(b"hello\n", "it is not JSON", 1),
    "text without an end": Hostile(b"hello", "the file was cut off within it", 1),
    "a list": Hostile(b"[]\n", "it is no JSON object", 1),
    "another JSON file": Hostile(b'{"name":"hch","format":1}\n', "not the header", 1),
    "a store": Hostile(b"SQLite format 3\0" + b"\0" * 4080, "name it by --store"),
    "gzip": Hostile(gzip.compress(GOOD), "unpack it first"),
    "a pickle": Hostile(pickle.dumps({"hch": "events"}), "nothing in it was run"),
    "Parquet": Hostile(b"PAR1\x15\x04\x15" + b"\0" * 99 + b"PAR1", "it is Parquet"),
    "a page": Hostile(b"<!DOCTYPE html>\n<html></html>\n", "in markup"),
    "a byte order mark": Hostile(b"\xef\xbb\xbf" + GOOD, "a byte order mark"),
    "UTF-16": Hostile(GOOD.decode().encode("utf-16"), "UTF-16"),
    "CRLF": Hostile(GOOD.replace(b"\n", b"\r\n"), "CR LF", 1),
    "NUL bytes": Hostile(line(5, b"\0" * 100), "it is not JSON", 5),
    "invalid UTF-8": Hostile(line(5, b'{"run":"\xff"}'), "not text in UTF-8", 5),
    "a surrogate in bytes": Hostile(swapped("Why?", "\ud800"), "not text in UTF-8", 6),
    # a newer one
    "a newer format": Hostile(swapped('"format":1', '"format":3'), "a newer hch wrote it", 1),
    "newer events": Hostile(event(2, format=2), "a newer hch made this run", 2),
    "a format in words": Hostile(swapped('"format":1', '"format":"1"'), "not the header", 1),
    # truncated, and put together
    "cut in a line": Hostile(GOOD[: len(GOOD) // 2], "the file was cut off within it"),
    "cut before the last newline": Hostile(GOOD[:-1], "the file was cut off within it", 18),
    "cut at the end of a line": Hostile(
        b"".join(GOOD.splitlines(keepends=True)[:9]), "the file was cut off before it", 10
    ),
    "without its end": Hostile(line(18, None), "the file was cut off before it", 18),
    "the header alone": Hostile(GOOD.splitlines(keepends=True)[0], "cut off before it", 2),
    "no header": Hostile(line(1, None), "not the header", 1),
    "twice": Hostile(GOOD + GOOD, "nothing may follow the end", 19),
    "an empty line": Hostile(line(5, b""), "it is not JSON", 5),
    # counts and numbers
    "fewer in the end": Hostile(swapped('":16}}', '":15}}'), "other events than there are", 18),
    "more in the end": Hostile(swapped('":16}}', '":17}}'), "other events than there are", 18),
    "an end of another run": Hostile(
        swapped(f'{{"end":{{"{RUN}"', f'{{"end":{{"{OTHER}"'), "other events", 18
    ),
    "a gap": Hostile(line(7, None), "it should be event 6", 7),
    "a repeat": Hostile(record(7, seq=5), "it should be event 6", 7),
    "number 0": Hostile(record(2, seq=0), "it should be event 1", 2),
    "a huge number": Hostile(record(2, seq=2**64), "it should be event 1", 2),
    "a number in words": Hostile(record(2, seq="1"), "it should be event 1", 2),
    "a number that is true": Hostile(record(2, seq=True), "it should be event 1", 2),
    # ids
    "no runs": Hostile(b'{"hch":"events","format":1,"runs":[]}\n{"end":{}}\n', "names no run", 1),
    "a run without events": Hostile(
        f'{{"hch":"events","format":1,"runs":["{RUN}"]}}\n{{"end":{{"{RUN}":0}}}}\n'.encode(),
        "should be of another run", 2,
    ),
    "a run twice": Hostile(swapped(f'["{RUN}"]', f'["{RUN}","{RUN}"]'), "names no run, or one", 1),
    "a run that is not in the header": Hostile(
        swapped(f'["{RUN}"]', f'["{OTHER}"]'), "the header does not name", 2
    ),
    "a run that the header alone has": Hostile(
        swapped(f'["{RUN}"]', f'["{RUN}","{OTHER}"]'), "should be of another run", 18
    ),
    "runs in another order": Hostile(
        swapped(f'["{RUN}","{OTHER}"]', f'["{OTHER}","{RUN}"]', TWO), "of another run", 2
    ),
    "an id that is a path": Hostile(named("../../../tmp/evil"), "is no id of a run", 1),
    "an id from the root": Hostile(named("/etc/passwd"), "is no id of a run", 1),
    "an id of two dots": Hostile(named(".."), "is no id of a run", 1),
    "an id that looks like a flag": Hostile(named("--store"), "is no id of a run", 1),
    "an empty id": Hostile(named(""), "is no id of a run", 1),
    "an id of 10,000 characters": Hostile(named("a" * 10_000), "is no id of a run", 1),
    "an id that steers": Hostile(named(ESCAPES), "is no id of a run", 1),
    "an id of a lone surrogate": Hostile(named("\ud800"), "is no id of a run", 1),
    "an id with NUL": Hostile(named("a\0b"), "is no id of a run", 1),
    "an id with a newline": Hostile(named("a\n"), "is no id of a run", 1),
    "an id in other digits": Hostile(named("２６０１０２"), "is no id of a run", 1),
    "an id that is a number": Hostile(record(3, run=5), "the header does not name", 3),
    # JSON that is odd
    "a key twice": Hostile(swapped('"seq":3', '"seq":3,"seq":3'), "has 'seq' twice", 4),
    "a key of the header twice": Hostile(swapped('"format"', '"format":1,"format"'), "twice", 1),
    "NaN": Hostile(swapped('"at":1000000003.0', '"at":NaN'), "NaN is no number", 4),
    "Infinity": Hostile(swapped('"at":1000000003.0', '"at":Infinity'), "Infinity is no", 4),
    "1e999": Hostile(swapped('"at":1000000003.0', '"at":1e999'), "more than a number can", 4),
    "a number of 401 digits": Hostile(event(4, level=10**400), "has 401 digits", 4),
    "a number of 10,000 digits": Hostile(swapped('"level":1', f'"level":{"9" * 10_000}'), "digits"),
    "nested 100,000 deep": Hostile(line(2, DEEP.encode()), "nested too deeply", 2),
    "a recipe nested 100 deep": Hostile(
        setup(model=json.loads('{"a":' * 100 + "1" + "}" * 100)), "setup: model", 2
    ),
    "a line that is too long": Hostile(
        lambda: line(5, b'{"run":"' + b"a" * LONGEST + b'"}'), "is longer than", 5
    ),
    "100 MB without an end": Hostile(lambda: b"a" * 100_000_000, "is longer than", 1),
    # events that are none
    "an unknown event": Hostile(event(4, type="NodeStolen"), "there is no event 'NodeStolen'", 4),
    "an event without a type": Hostile(record(4, event={}), "no event with a type", 4),
    "an event that is a list": Hostile(record(4, event=[]), "no event with a type", 4),
    "an unknown field": Hostile(event(4, evil=1), "evil: Extra inputs", 4),
    "an unknown field of a record": Hostile(record(4, evil=1), "evil: Extra inputs", 4),
    "an unknown field of the header": Hostile(swapped('"format"', '"x":1,"format"'), "x: Extra", 1),
    "a field that lacks": Hostile(record(3, event={"type": "RootOpened"}), "index: Field", 3),
    "a level in words": Hostile(event(4, level="1"), "event.level: it is of another type", 4),
    "a level that is true": Hostile(event(4, level=True), "event.level: it is of another", 4),
    "a level that is broken": Hostile(event(4, level=1.5), "level: Input should be a valid", 4),
    "a question in bytes": Hostile(event(4, player={"$base64": "YQ=="}), "event.player: it is", 4),
    "a time in words": Hostile(record(4, at="1.0"), "at: it is of another type", 4),
    "a time without end": Hostile(record(4, at={"$float": "inf"}), "is no time of day", 4),
    "a time beyond calendars": Hostile(record(4, at=1e18), "is no time of day", 4),
    "a time before there were any": Hostile(record(4, at=-1), "is no time of day", 4),
    "an amount below nought": Hostile(
        event(4, grant={"calls": -1, "tokens": None, "microusd": None, "nodes": None}), "amount", 4
    ),
    "base64 that is none": Hostile(event(7, raw={"$base64": "%%"}), "$base64 marks is none", 7),
    "base64 of a number": Hostile(event(7, raw={"$base64": 5}), "$base64 marks is none", 7),
    "a float that is none": Hostile(record(4, at={"$float": "1"}), "$float marks is none", 4),
    "a dict that is none": Hostile(record(4, event={"$dict": [1]}), "$dict marks is none", 4),
    "reply bytes in no mark": Hostile(event(7, raw="e30="), "event.raw: it is of another type", 7),
    # runs that cannot be
    "no RunStarted": Hostile(without(2), "begins with one RunStarted", 2),
    "two RunStarted": Hostile(
        with_events(begun("Why?"), begun("Why?")), "begins with one RunStarted", 3
    ),
    "events after RunFinished": Hostile(
        with_events(*whole(), closed("leaf")), "NodeClosed comes after RunFinished", 18
    ),
    "a finished run of no nodes": Hostile(
        with_events(whole()[0], whole()[-1]), "not all of its roots", 3
    ),
    "a root that never opened": Hostile(
        with_events(*whole()[:2], whole()[-1]), "not all of its roots", 4
    ),
    "a root that never closed": Hostile(without(16), "of its nodes were not closed", 16),
    "a child that never closed": Hostile(without(15), "1 of its nodes were not closed", 16),
    "a usage below nought": Hostile(event(7, usage=[-1, 2, 0, 0]), "no numbers of tokens", 7),
    "a usage beyond counting": Hostile(event(7, usage=[2**60, 2, 0, 0]), "no numbers of tokens", 7),
    "a root beyond their number": Hostile(event(3, index=1), "there is no root 1", 3),
    "a root below nought": Hostile(event(3, index=-1), "there is no root -1", 3),
    "a node that nobody asked": Hostile(without(3), "it hangs on no root", 3),
    "a child that nobody asked": Hostile(without(8), "it hangs on no root", 8),
    "a closed node that never opened": Hostile(event(15, key="no"), "was never opened", 15),
    "a thought of nobody": Hostile(event(5, parent="no"), "was never opened", 5),
    "a question of nobody": Hostile(event(8, parent="no"), "was never opened", 8),
    "A asks B asks A": Hostile(with_events(*CIRCLE), "a node of level 0 has asked", 7),
    "a node that asks itself": Hostile(event(8, child="root"), "levels must fall", 8),
    "a try that goes round": Hostile(
        with_events(
            *CIRCLE[:3],
            ASKED.model_copy(update={"parent": "a", "child": "a", "how": "try"}),
        ),
        "levels must fall", 5,
    ),
    "a child two levels down": Hostile(event(4, level=9), "levels must fall", 4),
    "a child on its asker's level": Hostile(event(9, level=1), "levels must fall", 9),
    "a slot twice": Hostile(
        with_events(*whole()[:7], whole()[6]), "slot 0 does not follow slot 0", 9
    ),
    "neither a child nor a refusal": Hostile(event(8, child=None), "either a child or", 8),
    # set-ups that cannot be built
    "a recipe with a store": Hostile(setup(store="/tmp/evil.db"), "setup: store: Extra", 2),
    "a recipe with a folder of prompts": Hostile(setup(prompts="/etc"), "prompts: Extra", 2),
    "a recipe of a wrong type": Hostile(setup(seed="7"), "setup: seed: Input should be", 2),
    "a recipe of a deep tree": Hostile(setup(depth=10**9), "setup: depth: Input should", 2),
    "a depth that the players have not": Hostile(setup(depth=2), "do not fit the depth 2", 2),
    "no players": Hostile(event(2, players=[]), "0 players do not fit", 2),
    "an infinite price": Hostile(
        event(2, rates={"x": {**RATE, "input": {"$float": "inf"}}}), "the price of x is none", 2
    ),
    "a price beyond all": Hostile(event(2, rates={"x": {**RATE, "output": 1e308}}), "is none", 2),
    "a server's number in octal": Hostile(
        event(2, rates={SERVER.format("0251.0376.0251.0376"): RATE}), "serves no models", 2
    ),
    "a price below nought": Hostile(event(2, rates={"x": {**RATE, "output": -1.0}}), "is none", 2),
    "roots of another number": Hostile(event(2, count=2), "count is 2, and there are 1", 2),
    "roots of a wrong type": Hostile(event(2, roots={"questions": "Why?"}), "roots: quest", 2),
    "no roots": Hostile(event(2, roots={"questions": []}, count=0), "roots: questions", 2),
    "roots of an unknown source": Hostile(event(2, roots={"file": "/etc/passwd"}), "roots: ", 2),
    "sampling of an unknown kind": Hostile(event(6, sampling={"evil": 1}), "sampling: evil", 6),
    "a server of the cloud's keys": Hostile(
        setup(model=SERVER.format("169.254.169.254")), "at an address that serves no models", 2
    ),
    "the same in one number": Hostile(
        setup(model=SERVER.format("2852039166")), "at an address that serves no models", 2
    ),
    "the same in IPv6": Hostile(
        setup(model=SERVER.format("[::ffff:169.254.169.254]")), "serves no models", 2
    ),
    "the same at a level": Hostile(
        setup(at={"0": f"direct@{SERVER.format('169.254.169.254')}"}), "serves no models", 2
    ),
    "the same by its price": Hostile(
        event(2, rates={SERVER.format("169.254.169.254"): RATE}), "serves no models", 2
    ),
    "a model that is no spec": Hostile(setup(model=",,,="), "the model ',,,='", 2),
    "prompts that are huge": Hostile(
        lambda: event(2, prompts={"direct": "\ud800" * (LONGEST // 6)}), "is longer than", 2
    ),
    # labels that are none
    "a label of no node": Hostile(labelled(key="none"), "it is about was never opened", 18),
    "a label of a node of another run": Hostile(
        lambda: exported(
            [label("second", said="bad")],
            r260102_030405_6789ab=whole(),
            r260102_030405_6789ac=[
                e.model_copy(update={"key": "second"}) if getattr(e, "key", "") == "root" else e
                for e in (whole()[0], whole()[1], whole()[2], whole()[14], whole()[15])
            ],
        ),
        "it is about was never opened", 18,
    ),
    "a label by nobody": Hostile(labelled(by="somebody"), "label.by: String should match", 18),
    "a label by two lines": Hostile(labelled(by="person:a\nb"), "label.by: String should", 18),
    "a label by a long name": Hostile(labelled(by="person:" + "a" * 201), "label.by: String", 18),
    "a label that says something else": Hostile(labelled(said="ugly"), "label.said: Input", 18),
    "a score in words": Hostile(labelled(score="0.5"), "label.score: it is of another type", 18),
    "a score that is true": Hostile(labelled(score=True), "label.score: it is of another type", 18),
    "a score without end": Hostile(labelled(score={"$float": "inf"}), "label.score: Input", 18),
    "a score that is none": Hostile(labelled(score={"$float": "nan"}), "label.score: Input", 18),
    "a score of NaN": Hostile(swapped('"score":null', '"score":NaN', LABELLED), "NaN is no", 18),
    "a label at no time": Hostile(labelled(at=1e18), "is no time of day", 18),
    "a label before there was time": Hostile(labelled(at=-1.0), "is no time of day", 18),
    "a note in bytes": Hostile(labelled(note={"$base64": "YQ=="}), "label.note: ", 18),
    "a note that is too long": Hostile(labelled(note="a" * 10_001), "at most 10000", 18),
    "a key of a lone surrogate": Hostile(labelled(key="\ud800"), "was never opened", 18),
    "an unknown field of a label": Hostile(labelled(evil=1), "label.evil: Extra inputs", 18),
    "an unknown field beside a label": Hostile(
        swapped(',"label":{"key":"leaf"', ',"x":1,"label":{"key":"leaf"', LABELLED), "x: Extra", 18
    ),
    "a label that is a list": Hostile(
        line(18, f'{{"run":"{RUN}","label":[]}}'.encode(), LABELLED), "label: Input should", 18
    ),
    "a label and an event": Hostile(
        swapped(',"label":{"key":"leaf"', ',"event":{},"label":{"key":"leaf"', LABELLED),
        "event: Extra", 18,
    ),
    "a label in format 1": Hostile(
        swapped('"format":2', '"format":1', LABELLED), "after the events of a run, in format 2", 18
    ),
    "a label before the events": Hostile(
        line(2, LABELLED.splitlines()[17] + b"\n" + LABELLED.splitlines()[1], LABELLED),
        "it is about was never opened", 2,
    ),
    "an event after the labels": Hostile(
        line(19, LABELLED.splitlines()[16], LABELLED), "labels stand after the events", 19
    ),
    "fewer labels in the end": Hostile(
        swapped(f'"labels":{{"{RUN}":2', f'"labels":{{"{RUN}":1', LABELLED), "other labels than", 20
    ),
    "labels that the end leaves out": Hostile(
        swapped(f',"labels":{{"{RUN}":2}}', "", LABELLED), "other labels than there are above", 20
    ),
    "labels in the end of format 1": Hostile(
        swapped(':16}}', f':16}},"labels":{{"{RUN}":0}}}}'), "other labels than there are", 18
    ),
    "format 2 without labels": Hostile(
        swapped(':16}}', f':16}},"labels":{{"{RUN}":0}}}}',
                swapped('"format":1', '"format":2')), "so the format should be 1", 18
    ),
    "cut before the labels": Hostile(
        b"".join(LABELLED.splitlines(keepends=True)[:17]), "the file was cut off before it", 18
    ),
    "ten thousand labels, and one of no node": Hostile(
        lambda: line(
            19,
            b"\n".join([LABELLED.splitlines()[18]] * 10_000 + [LABELLED.splitlines()[18].replace(
                b"root", b"none")]),
            LABELLED,
        ),
        "it is about was never opened", 10_019,
    ),
    "escapes in what is unknown": Hostile(event(4, type=ESCAPES), "\\x1b[5m", 4),
}  # fmt: skip
