"""Layers point down, plugins stand alone, and what is not at the edge loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

import hch
from hch import registry

ROOT = Path(__file__).parent.parent
PYPROJECT = ROOT / "pyproject.toml"
EDGES = ("api", "browse", "cli", "commands", "vllm")
"""The modules whose business is a terminal, a web server or another process."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("hch", cache_dir=None, exclude_type_checking_imports=True)


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads(PYPROJECT.read_text("utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def kinds() -> list[str]:
    """The plugin folders that there are."""
    return [kind for kind in registry.KINDS if (Path(hch.__file__).parent / kind).is_dir()]


def test_the_contracts_are_kept() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--config", PYPROJECT],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_module_has_a_layer(contracts: list[dict[str, Any]]) -> None:
    [layers] = [contract for contract in contracts if contract["type"] == "layers"]
    assert layers["containers"] == ["hch"]
    assert layers["exhaustive"] is True
    assert layers["exhaustive_ignores"] == ["__main__"]


@pytest.mark.parametrize("kind", kinds())
def test_plugins_of_a_folder_do_not_import_each_other(graph: grimp.ImportGraph, kind: str) -> None:
    """Modules that begin with an underscore are what several of them share."""
    plugins = {registry.load(kind, name).__name__ for name in registry.names(kind)} & graph.modules
    assert plugins
    wrong = [
        f"{plugin} imports {other}"
        for plugin in plugins
        for other in graph.find_modules_directly_imported_by(plugin)
        if other in plugins
    ]
    assert wrong == []


def loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages that a fresh interpreter has after these imports."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.fixture(scope="module")
def heavy(contracts: list[dict[str, Any]]) -> set[str]:
    """The SDKs, terminals, web packages and the like that the contracts name."""
    [named] = [
        c["forbidden_modules"] for c in contracts if "openai" in c.get("forbidden_modules", ())
    ]
    assert {"openai", "anthropic", "aiohttp", "rich", "textual", "torch"} <= set(named)
    return set(named)


def test_importing_hch_loads_next_to_nothing(heavy: set[str]) -> None:
    loaded = loaded_by(["hch"])
    assert "hch" in loaded
    assert not loaded & {*heavy, "pydantic", "tenacity", "asyncio", "genai_prices"}


def test_what_is_not_at_the_edge_loads_no_sdk_terminal_or_web_package(
    graph: grimp.ImportGraph, heavy: set[str]
) -> None:
    """Plugins too: what they need they import when they are used."""
    inner = [m for m in sorted(graph.modules) if m.partition("hch.")[2].split(".")[0] not in EDGES]
    assert {"hch.engine", "hch.compose", "hch.strategies.direct", "hch.models.openai"} <= set(inner)
    assert not loaded_by(inner) & heavy


@pytest.mark.parametrize("name", hch.__all__)
def test_the_public_names_can_be_had(name: str) -> None:
    assert getattr(hch, name) is not None


def test_there_are_no_other_public_names() -> None:
    with pytest.raises(AttributeError, match="module 'hch' has no attribute 'hCh'"):
        _ = hch.hCh  # type: ignore[attr-defined]
