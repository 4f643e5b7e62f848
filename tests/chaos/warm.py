"""Types `hch …` in processes that are forked from a warm one, so that many can be killed.

    with Warm() as warm:
        warm.type("ask", "Why?")         # it runs; warm.pid is its process
        warm.ends(within=0.2)            # whether it has ended by then
        warm.kill()
        done = warm.done()               # its exit code, what it wrote

What is forked has imported what a run needs, and nothing else: it is a process with a session, a
working folder, an environment and files of its own, in which the console script runs.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn, Self

from tests.commands.terminal import Done

ROOT = Path(__file__).parents[2]

WANTED = (
    "hch.commands._application",
    "hch.commands._report",
    "hch.commands._running",
    "hch.commands.ask",
    "hch.commands.resume",
    "hch.compose",
    "hch.models._lean",
    "hch.models.vllm",
    "hch.stores.sqlite",
    "hch.strategies.factored",
    "hch.tasks.arithmetic",
    "aiohttp",
    "genai_prices",
    "httpx2",
    "uvloop",
)


class Warm:
    """The warm process, as a context manager; it runs one command at a time."""

    def __init__(self) -> None:
        self.pid = 0

    def __enter__(self) -> Self:
        # A killed process leaves no figures of coverage, which would cost it half its time.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("COV_", "COVERAGE_"))}
        command = [sys.executable, "-m", "tests.chaos.warm"]
        pipe: Any = subprocess.PIPE
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=pipe, stdout=pipe, bufsize=0
        )
        self._folder = TemporaryDirectory()
        return self

    def __exit__(self, *_: object) -> None:
        if self.pid:
            self.kill()
        self._process.communicate()
        self._folder.cleanup()

    def type(self, *words: str, **more: str) -> None:
        """Begin a command, here; `more` goes into its environment."""
        job = {"words": words, "env": {**os.environ, **more}, "at": str(Path.cwd())}
        job |= {name: str(Path(self._folder.name, name)) for name in ("out", "err")}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self.pid = self._told()

    def ends(self, within: float) -> bool:
        """Whether the command ends within so many seconds."""
        return bool(select.select([self], [], [], within)[0])

    def fileno(self) -> int:
        """What can be read when the command has ended, so that `select` takes many of these."""
        assert self._process.stdout
        return self._process.stdout.fileno()

    def kill(self) -> None:
        """Send SIGKILL, which does nothing to a command that has ended."""
        os.kill(self.pid, signal.SIGKILL)

    def done(self) -> Done:
        """Wait for the command's end; the code is negative where a signal ended it."""
        code = self._told()
        self.pid = 0
        said = (Path(self._folder.name, name).read_text("utf-8") for name in ("out", "err"))
        return Done(code, *said)

    def hch(self, *words: str, **more: str) -> Done:
        """Run a command to its end."""
        self.type(*words, **more)
        return self.done()

    def _told(self) -> int:
        assert self._process.stdout
        return int(self._process.stdout.readline())


def serve() -> None:
    """Fork for each line of standard input; print the new process's id, and then how it ended.

    An ended process is let go of when the next line has come, so that until then its id is nobody
    else's, and may be sent a signal.
    """
    for name in WANTED:
        with suppress(ImportError):  # uvloop is not everywhere
            importlib.import_module(name)
    ended = 0
    for line in sys.stdin:
        if ended:
            os.waitpid(ended, 0)
        ended = os.fork()
        if ended == 0:
            command(json.loads(line))
        say(ended)
        status = os.waitid(os.P_PID, ended, os.WEXITED | os.WNOWAIT)
        assert status
        code = status.si_status
        say(code if status.si_code == os.CLD_EXITED else -code)


def say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def command(job: dict[str, Any]) -> NoReturn:
    """Be the console script."""
    from hch import cli

    os.setsid()
    os.chdir(job["at"])
    os.environ.clear()
    os.environ.update(job["env"])
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, path in enumerate([os.devnull, job["out"], job["err"]]):
        os.dup2(os.open(path, flags if number else os.O_RDONLY, 0o600), number)
    sys.argv = ["hch", *job["words"]]
    code: Any = 1
    try:
        cli.main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:  # noqa: BLE001 - as an interpreter shows what ends it
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    serve()
