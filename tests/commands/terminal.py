"""Types `hch …` for the tests: in a process of its own, or in a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any, Self

HCH = (sys.executable, "-m", "hch.cli")


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str


def hch(*words: str, stdin: bytes = b"", **more: str) -> Done:
    """Run a command in a process of its own; `more` goes into its environment."""
    env = {**os.environ, **more}
    done = subprocess.run([*HCH, *words], input=stdin, capture_output=True, env=env, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


class Screen:
    """A command in a terminal of its own; `seen` is all that was read of what it writes there."""

    def __init__(
        self,
        *words: str,
        columns: int = 80,
        rows: int = 24,
        command: Sequence[str] = HCH,
        **more: str,
    ) -> None:
        self._master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (rows, columns))
        streams: Mapping[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), slave)
        env = {**os.environ, "TERM": "dumb", **more}
        command = [*command, *words]
        self.process = subprocess.Popen(command, env=env, start_new_session=True, **streams)
        os.close(slave)
        self.seen = b""

    def until(self, text: str) -> None:
        """Read on until the text was written. Fails at the end of what is written."""
        while text.encode() not in self.seen:
            assert self._more(), f"{text!r} was not written, only {self.seen!r}"

    def more(self, text: str, times: int) -> None:
        """Read on until the text was written so many times more."""
        wanted = self.seen.count(text.encode()) + times
        while self.seen.count(text.encode()) < wanted:
            assert self._more(), f"{text!r} was not written so often, only {self.seen!r}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def resize(self, columns: int, rows: int) -> None:
        termios.tcsetwinsize(self._master, (rows, columns))

    def send(self, signal: Signals) -> None:
        self.process.send_signal(signal)

    def rest(self) -> str:
        """All that was written, when the command has ended."""
        while self._more():
            pass
        self.process.wait()
        return self.seen.decode()

    @property
    def code(self) -> int:
        return self.process.wait()

    def _more(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # how Linux says that the other side is closed
            return False
        self.seen += data
        return bool(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def rules(path: Path, *given: Mapping[str, Any]) -> str:
    """Write a file of rules for `scripted`; the spec of that model."""
    blocks = ("\n".join(f"{key} = {_toml(value)}" for key, value in rule.items()) for rule in given)
    path.write_text("".join(f"[[rule]]\n{block}\n" for block in blocks), "utf-8")
    return f"scripted:{path}"


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08x}" for c in value) + '"'
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else str(value)


PLAN = '{"questions":[{"question":"Small one?","texts":[]},{"question":"Small two?","texts":[]}]}'


def two_parts(path: Path, **second: Any) -> str:
    """A model that answers `Big?` through two questions; `second` goes to the second one's rule."""
    return rules(
        path,
        {"match": r"(?s)Question: Big\?.*Write the sub-questions", "reply": PLAN},
        {"question": "Small one?", "reply": "one"},
        {"question": "Small two?", "reply": "two", **second},
        {"question": "Big?", "reply": "three"},
    )


def install(folder: Path, name: str, module: str, source: str) -> dict[str, str]:
    """A package that adds one plugin, such as `commands.mine`; the environment that finds it."""
    (folder / f"{module}.py").write_text(source, "utf-8")
    info = folder / f"{module}-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[hch.plugins]\n{name} = {module}\n")
    return {"PYTHONPATH": str(folder)}


STUBBORN = """
import asyncio, sys
from hch import ScriptedModel

async def reply(request):
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        print("not yet", file=sys.stderr, flush=True)
        await asyncio.sleep(600)

def build():
    return ScriptedModel(reply, name="stubborn")
"""
"""A plugin: a model that says `not yet` when it is stopped, and goes on."""

GATED = """
import asyncio
from pathlib import Path
from hch import ScriptedModel
from hch.models.scripted import build as scripted

def build(arg):
    rules = scripted(arg)

    async def reply(request):
        if request.question == "Small two?":
            await asyncio.to_thread(Path("gate").read_text)
        return await rules.complete(request)

    return ScriptedModel(reply, name="gated")
"""
"""A plugin: `gated:RULES` answers `Small two?` when something is written to the FIFO `gate`."""


def gated(home: Path) -> tuple[str, dict[str, str]]:
    """The model of `two_parts` behind a gate: its spec, and the environment that finds it."""
    os.mkfifo(home / "gate")
    env = install(home, "models.gated", "gated_", GATED)
    return two_parts(home / "rules.toml").replace("scripted:", "gated:"), env
