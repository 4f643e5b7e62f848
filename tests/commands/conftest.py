"""Commands typed inside the test's own process, which is quicker than one of their own."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable

import pytest

from hch import cli
from tests.commands.terminal import Done


@pytest.fixture
def typed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Done]:
    """Run a command line here; `stdin` is what it can read."""

    def run(*words: str, stdin: bytes = b"") -> Done:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = cli.run(words)
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run
