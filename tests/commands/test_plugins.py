"""`hch plugins`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hch import registry
from tests.commands.terminal import Done, hch, install

Typed = Callable[..., Done]


def test_every_plugin_is_listed_with_its_first_line(typed: Typed) -> None:
    said = json.loads(typed("plugins", "--json").out)
    assert set(said) == set(registry.KINDS)
    for kind in ("models", "strategies", "stores", "tasks", "learners", "scorers", "commands"):
        assert [plugin["name"] for plugin in said[kind]] == registry.names(kind)
        assert all(plugin["about"] for plugin in said[kind])
    out = typed("plugins").out
    assert "\nstrategies\n  check " in out
    assert "options: turns=8, repeats=False" in out


def test_what_hch_puts_in_itself_is_no_option(typed: Typed) -> None:
    said = json.loads(typed("plugins", "--json").out)
    options = {name for kind in said.values() for plugin in kind for name in plugin["options"]}
    assert {"arg", "temperature", "turns"} < options
    assert not options & {"task", "keys", "rate", "shelf"}


def test_one_kind_alone(typed: Typed) -> None:
    done = typed("plugins", "tasks")
    assert done.out.startswith("tasks\n  arithmetic ")
    assert "models" not in done.out


def test_the_help_names_the_kinds_that_there_are(typed: Typed) -> None:
    page = " ".join(typed("plugins", "--help").out.split())
    kinds = "models, strategies, stores, tasks, formats, learners, scorers, commands"
    assert f"One kind only: {kinds}." in page


def test_an_unknown_kind(typed: Typed) -> None:
    done = typed("plugins", "modles")
    assert (done.code, done.out) == (2, "")
    assert "there are models, strategies" in done.err


@pytest.mark.parametrize("kind", ["models", "strategies"])
def test_a_plugin_that_lacks_its_package_says_how_to_get_it(home: Path, kind: str) -> None:
    env = install(home, f"{kind}.mine", "mine", "import not_there_at_all\n")
    done = hch("plugins", kind, **env)
    assert done.code == 0
    assert "  mine\n" in done.out
    assert "not usable: " in done.out
    assert "needs 'not_there_at_all', which is not installed" in done.out


def test_an_extra_that_is_not_installed_is_named(home: Path) -> None:
    source = '"""Says nothing."""\nEXTRA = "mine"\ndef build(*, loud: bool = True): ...\n'
    env = install(home, "models.mine", "mine", source)
    assert "not usable" not in hch("plugins", "models", **env).out.partition("  mine ")[2]
    hidden = home / "hch-0.dist-info"
    hidden.mkdir()
    needs = "Requires-Dist: not-there-at-all>=1; extra == 'mine'\n"
    (hidden / "METADATA").write_text(f"Metadata-Version: 2.1\nName: hch\nVersion: 0\n{needs}")
    mine = hch("plugins", "models", **env).out.partition("  mine ")[2].splitlines()
    assert mine[0].strip() == "Says nothing."
    assert mine[1].strip() == "options: loud=True"
    assert mine[2].strip() == "not usable: needs not-there-at-all: pip install 'hch[mine]'"
