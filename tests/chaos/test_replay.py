"""A large tree played out of its record, the whole process watched from below Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hch import HCH, ScriptedModel
from hch.stores.sqlite import SqliteStore
from tests.commands.terminal import HCH as COMMAND
from tests.promises import LONG, Promise
from tests.support import regular

DEPTH = 8 if LONG else 5
"""Of a tree of three sub-questions a node: 13,121 calls, or 485."""

OPENED = re.compile(r"\b(socket|connect|bind)\(.*", re.MULTILINE)


def traced(log: Path) -> list[str]:
    """What runs a command and writes each of its calls to the network into a file."""
    strace = shutil.which("strace")
    command = [strace or "", "-f", "-qq", "-e", "trace=%network", "-o", str(log)]
    if strace is None or subprocess.run([*command, "true"], check=False).returncode:
        pytest.skip("strace is not here, or may trace nothing")
    return command


def test_I7_a_replay_opens_no_socket(home: Path, promise: Promise) -> None:  # noqa: N802
    place, log = home / "tree.db", home / "strace.txt"
    watch = traced(log)
    with SqliteStore(place) as store:
        tree = HCH(depth=DEPTH, model=ScriptedModel(regular(3)), store=store)
        result = tree.ask_sync("Why is the sky blue?")
        calls, before = len(result.trace.calls), result.trace.canonical()
    command = [*watch, *COMMAND, "replay", "--store", str(place)]
    with promise.kept("I7"):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{result.text}\n")
        assert f"{calls} thinks, nothing sent" in done.stderr
        assert OPENED.findall(log.read_text()) == []
    with SqliteStore(place) as store:
        assert [row.run for row in store.runs()] == [result.run]
        assert result.trace.canonical() == before


def test_strace_sees_a_socket(home: Path) -> None:
    """What the promise is tested by would find one."""
    log = home / "strace.txt"
    line = "import socket; socket.socket().close()"
    subprocess.run([*traced(log), COMMAND[0], "-c", line], env=dict(os.environ), check=True)
    assert OPENED.findall(log.read_text())
