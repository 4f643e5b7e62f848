"""The 200 payloads: each is found where it stands raw, none where it is safe, and all are kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from hch import HCH, Request, ScriptedModel
from hch.safe_text import one_line, safe_text
from hch.stores.sqlite import SqliteStore
from hch.trace import Trace
from tests.payloads import BARE, KINDS, PAYLOADS, STEERING, TEXTUAL, Payload, plain, raw_controls
from tests.support import memory

STEER = [payload for payload in PAYLOADS if payload.kind in STEERING]


def raw(text: str) -> bytes:
    """What a program writes that makes nothing safe; a lone surrogate becomes bytes."""
    return text.encode("utf-8", "surrogatepass")


def named(payload: Payload) -> str:
    return payload.name


def test_there_are_two_hundred_of_every_kind() -> None:
    assert len(PAYLOADS) == 200
    for field in ("name", "text"):
        assert len({getattr(payload, field) for payload in PAYLOADS}) == 200
    assert {payload.kind for payload in PAYLOADS} == KINDS
    assert STEERING | BARE < KINDS
    assert min(sum(p.kind == kind for p in PAYLOADS) for kind in KINDS) >= 2


def test_each_has_marks_of_its_own() -> None:
    for n, payload in enumerate(PAYLOADS):
        mark = f"PWN{n:03}"
        assert payload.text.endswith(mark)
        assert payload.text.startswith(f"{mark}(") == (payload.kind not in BARE)
        assert sum(mark in other.text for other in PAYLOADS) == 1


@pytest.mark.parametrize("payload", PAYLOADS, ids=named)
def test_it_is_found_where_it_stands_raw(payload: Payload) -> None:
    for before, after in ((b"", b""), (b"\x1b[2;32m", b"\x1b[0m\r\n\x1b[3;1H")):
        found = raw_controls(before + raw(payload.text) + after, TEXTUAL)
        assert bool(found) == (payload.kind in STEERING)


@pytest.mark.parametrize("payload", PAYLOADS, ids=named)
def test_nothing_of_it_steers_once_it_is_safe(payload: Payload) -> None:
    for shown in (safe_text(payload.text), one_line(payload.text), one_line(payload.text, 40)):
        assert raw_controls(shown.encode(), TEXTUAL) == []
        assert plain(shown.encode()) == shown
    assert safe_text(safe_text(payload.text)) == safe_text(payload.text)
    assert one_line(one_line(payload.text)) == one_line(payload.text)
    assert (safe_text(payload.text) == payload.text) == (payload.kind not in STEERING)


def test_what_our_renderers_write_is_not_theirs() -> None:
    ours = (
        "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J\x1b[1;32m✓\x1b[0m \x1b[38;2;1;22;255;48;5;17mx\x1b[m"
        "\r\n\t\x1b[2K\x1b[1A\r   \r\x1b[?25h\x1b[?1049l"
    )
    assert raw_controls(ours.encode()) == []
    assert plain(ours.encode()) == "✓ x\n\t   "
    textual = b"\x1b[?1000h\x1b[?2026$p\x1b[>1u\x1b[<u"
    assert len(raw_controls(textual)) == 4
    assert raw_controls(textual, TEXTUAL) == []


@pytest.mark.parametrize("code", ["\x1b[38;5;201m", "\x1b[1;5m", "\x1b[8m", "\x1b[31", "\x1b[c"])
def test_what_our_renderers_never_write_is_found_anywhere(code: str) -> None:
    [found] = raw_controls(f"so {code} it is".encode())
    assert found == f"'\\x1b' in {f'so {code} it is'!a}"


def test_what_is_no_utf_8_is_found() -> None:
    assert raw_controls(b"a\x9b2Jb") == ["'\\udc9b' in 'a\\udc9b2Jb'"]
    assert plain(b"a\x9bb") == "a\udc9bb"


@pytest.mark.parametrize("kept_in", ["sqlite", "memory"])
def test_it_is_kept_as_it_was_said(tmp_path: Path, kept_in: str) -> None:
    store = SqliteStore(tmp_path / "kept.db") if kept_in == "sqlite" else memory()
    said = {f"Number {n}?": payload.text for n, payload in enumerate(PAYLOADS)}

    def say(request: Request) -> str:
        return said[request.question]

    run = HCH(depth=0, model=ScriptedModel(say), store=store).begin(list(said))
    results = asyncio.run(run.finish())
    assert [result.text for result in results] == list(said.values())
    store.close()
    trace = Trace(store.events(run.id))
    texts = [node.closed and node.closed.answer and node.closed.answer.body for node in trace.roots]
    assert texts == list(said.values())
    calls = [call.finished for root in trace.roots for _, call in root.thoughts if call]
    assert [call and call.text for call in calls] == list(said.values())
