"""What the tests of the promises share: a process to fork commands from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    with Warm() as process:
        yield process
