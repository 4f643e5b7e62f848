"""The promises of this project, and the table that says how often each was tried and broken.

A test whose name is `test_I1_…`, or `test_I1_I2_…`, holds these promises, and is marked `promise`:

    pytest -m promise                    # runs them all, and ends with the table

Such a test is one try of each. Where it makes many, it says so itself, by the fixture `promise`:

    def test_I1_what_is_committed_stays(promise):
        for _ in range(40):
            with promise.kept("I1"):     # a try; a violation, where it fails
                assert …
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

LONG = bool(os.environ.get("HCH_TEST_LONG"))
"""Whether the long forms are run: many more tries, for minutes; faulthandler_timeout is raised."""

PROMISES = {
    "I1": "a completion whose commit returned survives kill -9",
    "I2": "what has a result is not sent again; what was in flight is listed, and sent once more",
    "I3": "a resume of a finished run sends nothing and changes nothing",
    "I4": "spent and reserved never exceed the cap, at any commit",
    "I5": "at the end every node is closed, under one root by one owner, without a cycle",
    "I6": "a signal stops a run in time, and all that was done is committed",
    "I7": "a replay opens no socket and gives the same bytes",
    "I8": "there is one retry loop, and every attempt is an event with its cost",
    "I9": "an attempt ends by its total deadline, also when bytes drip",
    "I10": "level, fan-out, nodes, calls and bytes are bounded by the engine",
    "I11": "stored bytes are the bytes that came",
    "I12": "a key appears in no store, log, error, export or screen",
    "I13": "after any fault the store passes its check and can be read",
    "I14": "with many workers there is one result for a key, and a late one replaces nothing",
    "I15": "what a person typed is never lost, and never asked twice",
}

_NAMED = re.compile(r"test((?:_I\d+)+)_")


def promised(name: str) -> list[str]:
    """The promises in a test's name."""
    found = _NAMED.match(name)
    return found[1].strip("_").split("_") if found else []


class Promise:
    """Counts tries and violations of the promises in the name of the test that is running."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.tries = Counter[str]()
        self.broken = Counter[str]()

    @contextmanager
    def kept(self, *names: str, tries: int = 1) -> Iterator[None]:
        """So many tries of these promises; where what is done here fails, each is broken once."""
        assert set(names) <= set(self._names), "the test's name has no such promise"
        self.tries.update(dict.fromkeys(names, tries))
        try:
            yield
        except BaseException:
            self.broken.update(names)
            raise


@dataclass
class Outcome:
    """How one test went: the tries and violations that it told, if it told any."""

    names: Sequence[str]
    told: tuple[dict[str, int], dict[str, int]] | None = None
    failed: bool = False
    skipped: bool = False

    def tries(self, name: str) -> int:
        told = self.told[0].get(name, 0) if self.told else int(not self.skipped)
        return max(told, self.violations(name))

    def violations(self, name: str) -> int:
        """A test that fails breaks what it said that it broke, else all that is in its name."""
        if self.told and self.told[1]:
            return self.told[1].get(name, 0)
        return int(self.failed)


@dataclass(eq=False)  # a plugin is told by itself
class Table:
    """A plugin of pytest: the marker, the fixture, and the table at the end."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if promised(item.name):
                item.add_marker("promise")

    @pytest.fixture
    def promise(self, request: pytest.FixtureRequest) -> Iterator[Promise]:
        counted = Promise(promised(request.node.name))
        yield counted
        request.node.user_properties.append(
            ("promise", [dict(counted.tries), dict(counted.broken)])
        )

    def pytest_runtest_logreport(self, report: Any) -> None:
        names = promised(report.nodeid.partition("::")[2])
        if not names:
            return
        outcome = self.outcomes.setdefault(report.nodeid, Outcome(names))
        outcome.failed |= report.failed
        outcome.skipped |= report.skipped
        for what, told in report.user_properties:
            if what == "promise":
                outcome.told = told

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        if "promise" not in (config.option.markexpr or ""):
            return
        terminalreporter.section("promises")
        rows = [("", "promise", "tries", "violations"), *self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(4)]
        for name, says, tries, violations in rows:
            terminalreporter.write_line(
                f"{name:{widths[0]}}  {says:{widths[1]}}  "
                f"{tries:>{widths[2]}}  {violations:>{widths[3]}}"
            )

    def rows(self) -> Iterator[tuple[str, str, str, str]]:
        """Each promise, what it says, how often it was tried, and how often it was broken."""
        for name, says in PROMISES.items():
            held = [outcome for outcome in self.outcomes.values() if name in outcome.names]
            tries = sum(outcome.tries(name) for outcome in held)
            violations = sum(outcome.violations(name) for outcome in held)
            yield name, says, f"{tries:,}", f"{violations:,}"
