"""Help as a page of a manual."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hch import registry
from tests.commands.terminal import Done, Screen, hch, install

Typed = Callable[..., Done]

PAGES = [
    [],
    *([name] for name in registry.names("commands")),
    ["runs", "rm"],
    ["label", "list"],
    ["store", "check"],
    ["store", "backup"],
    ["store", "vacuum"],
    ["cache", "stats"],
    ["cache", "clear"],
    ["task", "list"],
    ["task", "sample"],
    ["task", "solve"],
    ["iterate", "list"],
    ["iterate", "show"],
    ["iterate", "rm"],
    ["eval", "list"],
    ["eval", "show"],
    ["eval", "compare"],
    ["dataset", "build"],
    ["dataset", "verify"],
    ["dataset", "stats"],
    ["dataset", "look"],
    ["prompts", "list"],
    ["prompts", "show"],
    ["prompts", "copy"],
    ["config", "show"],
    ["config", "init"],
    ["config", "check"],
]
ALL = """
import json, sys
from hch.cli import run
for words in json.loads(sys.argv[1]):
    assert run([*words, "--help"]) == 0
    print("\\f", end="")
"""


def headings(page: str) -> list[str]:
    return re.findall(r"^([A-Z][\w ]*):", page, re.MULTILINE)


def test_the_page_of_hch_has_what_a_manual_has(typed: Typed) -> None:
    page = typed("--help").out
    assert headings(page) == [
        "Usage", "Options", "Commands", "Environment", "Files", "Exit status", "Examples",
        "See also",
    ]  # fmt: skip
    assert page.startswith("Usage: hch [OPTIONS] COMMAND [ARGS]...\n\n  Ask HCH, ")
    assert re.search(r"^  HCH_STORE +Where runs are kept", page, re.MULTILINE)
    assert re.search(r"^  4 +Answered, but something below", page, re.MULTILINE)
    assert re.search(r"^  7 +A replay came to something else", page, re.MULTILINE)
    assert '\n  hch ask "What is (17 + 4) * (3 - 1)?" --depth 3\n' in page


def pages(columns: int, *lines: list[str]) -> list[str]:
    """The pages of these commands in a terminal so wide."""
    command = (sys.executable, "-c", ALL)
    with Screen(json.dumps(lines), columns=columns, command=command) as screen:
        *found, end = screen.rest().replace("\r\n", "\n").split("\f")
        assert (screen.process.returncode, end) == (0, "")
    return found


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_page_fits(columns: int) -> None:
    """Examples alone are never broken: they are there to be copied."""
    for words, page in zip(PAGES, pages(columns, *PAGES), strict=True):
        assert page.startswith(" ".join(["Usage: hch", *words])[:columns].rstrip()), page
        assert "\b" not in page
        before, _, rest = page.partition("Examples:\n")
        examples, _, after = rest.partition("\n\n")
        assert all(len(line) <= min(columns, 80) for line in f"{before}\n{after}".splitlines())
        assert all(line.startswith("  ") for line in examples.splitlines())


def test_one_term_stands_over_its_text_where_it_is_narrow() -> None:
    [page] = pages(40, ["show"])
    assert "\n  --level N\n          Leave out the nodes" in page
    [page] = pages(80, ["show"])
    assert re.search(r"\n  --level N +Leave out the nodes", page)


def test_a_page_is_as_wide_as_the_terminal_whatever_the_environment_says(typed: Typed) -> None:
    page = typed("show", "--help").out
    assert hch("show", "--help", COLUMNS="40").out == page


PLUGIN = '''
from typing import Annotated
from typer import Argument, Option

def build():
    return mine

def mine(
    word: Annotated[str, Argument(metavar="WORD", help="What is said.")],
    loud: Annotated[bool, Option(help="How.", rich_help_panel="Voice")] = False,
    where: Annotated[str, Option(metavar="PLACE", help="Where.")] = "",
) -> None:
    """Say a word. Not two.

    More of
    that: with a colon.

    \\b
    Notes:
      One sentence
      that goes on.

    Exit status:
      0  Said,
        and heard.
      1  Not said.

    Examples:
      hch mine   hello
        --loud

    Last words.
    """
'''


def test_sections_and_groups_of_any_command(home: Path) -> None:
    env = install(home, "commands.mine", "mine", PLUGIN)
    assert (
        hch("mine", "--help", **env).out
        == """\
Usage: hch mine [OPTIONS] WORD

  Say a word. Not two.

  More of that: with a colon.

  Last words.

Arguments:
  WORD  What is said.  [required]

Voice:
  --loud / --no-loud  How.  [default: no-loud]

Options:
  --where PLACE  Where.
  -h, --help     Show this message and exit.

Notes:
  One sentence that goes on.

Exit status:
  0  Said, and heard.
  1  Not said.

Examples:
  hch mine   hello
    --loud
"""
    )
    assert "\n  mine " in hch("--help", **env).out
