"""The plugins that CONTRIBUTING shows: each is put where the page says, and does what it says.

They go into a copy of the package, so that what is tested is a file in its folder, nothing else.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
SHOWN = dict(re.findall(r"(?ms)^`(hch/\w+/\w+\.py)`;.*?^```python\n(.*?)^```$", PAGE))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is installed, with the files of the page in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("hch", "prompts", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for path, text in SHOWN.items():
        assert not (folder / path).exists()
        (folder / path).write_text(text, "utf-8")
    return folder


def typed(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(checkout), "HCH_STORE": str(checkout / "runs.db")}
    command = [sys.executable, "-m", *words]
    return subprocess.run(
        command, capture_output=True, text=True, env=env, cwd=checkout, check=False
    )


def asked(checkout: Path) -> str:
    """The id of a run of three nodes, just made."""
    done = typed(checkout, "hch", *shlex.split("ask 'What is (1+2)+3?' --depth 1 -s script --json"))
    run: str = json.loads(done.stdout)["run"]
    return run


def lines(path: str) -> int:
    return len([line for line in SHOWN[path].splitlines() if line.strip()])


def test_the_page_shows_a_plugin_of_each_kind_in_a_few_lines() -> None:
    wrapper, task, scorer = "strategies/insist", "tasks/parity", "scorers/yesno"
    form = "formats/qa"
    names = ["models/echo", "strategies/twice", wrapper, task, scorer, form]
    assert list(SHOWN) == [f"hch/{name}.py" for name in names]
    assert lines(f"hch/{task}.py") <= 40
    assert max(lines(f"hch/{name}.py") for name in (wrapper, scorer, form)) <= 30


@pytest.mark.parametrize("about", re.findall("(?ms)^`hch/.*?```python", PAGE))
def test_every_command_of_the_page_runs(about: str, checkout: Path) -> None:
    named = re.findall(r"`hch (\w[^`]*)`", about)
    assert named
    for line in named:
        # What would go to a provider is put to the model of this page.
        said = shlex.split(line.replace("openai:NAME", "echo").replace("…", "hello"))
        words = [asked(checkout) if word == "RUN" else word for word in said]
        done = typed(checkout, "hch", *words)
        assert done.returncode == 0, done.stderr
        assert done.stdout or "wrote" in done.stderr


def test_the_model_says_what_the_page_says(checkout: Path) -> None:
    done = typed(checkout, "hch", *["ask", "hello", "-m", "echo,shout=true", "--depth", "0"])
    assert done.stdout == "HELLO\n"


def test_the_task_goes_through_tree_and_loop(checkout: Path) -> None:
    about = ("ask", "parity 2 to 9", "--task", "parity", "--instance", "7", "-q")
    sampled = typed(checkout, "hch", *shlex.split("task sample parity --instance 7 --json")).stdout
    truth = f"{sum(json.loads(sampled)['facts'][2:10]) % 2}\n"
    tree = typed(checkout, "hch", *about, "-s", "script", "--depth", "3")
    assert (tree.stdout, tree.returncode) == (truth, 0)
    loop = shlex.split("iterate --task parity --instances 7 -q")
    ledger = json.loads(typed(checkout, "hch", *loop, "--json").stdout)
    right = [made["learned"]["right"] for made in ledger["generations"]]
    known = [sum(17 - length for length in range(1, 2**t + 1)) for t in range(5)]
    assert right == known  # with every round stretches of twice the length
    model = typed(checkout, "hch", *loop).stdout.strip()
    alone = typed(checkout, "hch", *about, "-s", "direct", "-m", model, "--depth", "0")
    assert alone.stdout == truth


def test_the_wrapper_and_the_scorer_do_what_the_page_says(checkout: Path) -> None:
    about = ("ask", "What is 2+3?", "-s", "insist/script", "--depth", "1", "--json")
    done = json.loads(typed(checkout, "hch", *about).stdout)
    assert (done["answer"], done["clean"]) == ("5", True)
    vote = ("ask", "No, or yes", "-m", "echo", "-s", "vote,scorer=yesno/direct", "--depth", "0")
    assert typed(checkout, "hch", *vote).stdout == "No, or yes\n"
    assert typed(checkout, "hch", *["ask", "Perhaps", *vote[2:]]).returncode == 1


def test_the_format_writes_what_the_page_says(checkout: Path) -> None:
    words = ("-f", "qa,level=true", "--split", "train=1", "--out", "rows")
    done = typed(checkout, "hch", "dataset", "build", asked(checkout), *words)
    assert done.returncode == 0, done.stderr
    [shard] = (checkout / "rows/answer/train").iterdir()
    rows = [json.loads(line) for line in shard.read_text("utf-8").splitlines()]
    assert {"question": "Question: What is (1+2)+3?", "answer": "6", "level": 1} in rows


@pytest.mark.parametrize(
    "which",
    [
        "tests/test_tasks_contract.py -k parity",
        "tests/test_contracts.py -k 'yesno or insist or twice or echo or qa'",
        "tests/test_wrappers.py -k 'insist and (direct or twice)'",
    ],
)
def test_the_contract_tests_cover_it(which: str, checkout: Path) -> None:
    done = typed(checkout, "pytest", *shlex.split(f"-q -p no:cacheprovider {which}"))
    assert done.returncode == 0, done.stdout
    assert re.search(r"[1-9]\d* passed", done.stdout)
