"""What every test gets: a home and a store of its own, no keys, and a proof at its end.

After every test each opened node of every store it used is closed, hangs on a root, and asks only
what is lower. A test that leaves a run killed on purpose is marked `leaves_open`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hch.stores.sqlite import SqliteStore
from tests import promises, support


def pytest_configure(config: pytest.Config) -> None:
    """What is run in the background, or by nohup, has these ignored, and so would all it starts."""
    config.addinivalue_line("markers", "promise: holds the promises in its name")
    config.pluginmanager.register(promises.Table(), "promises")
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home and working folder, without keys or settings in the environment."""
    for name in list(os.environ):
        if name.endswith("_API_KEY") or (name.startswith("HCH_") and name != "HCH_TEST_GGUF"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def every_node_is_closed(home: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """I5: at the end every opened node is closed, under one root by one owner, without a cycle."""
    support.STORES.clear()
    yield
    if request.node.get_closest_marker("leaves_open"):
        return
    for store in support.STORES:
        support.check_closed(store)
    for path in home.rglob("*.db"):
        if path.name == "replies.db":  # a cache of replies, which has no nodes
            continue
        with SqliteStore(str(path)) as store:
            support.check_closed(store)
