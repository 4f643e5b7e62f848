"""Shows worked examples, by topic."""

from __future__ import annotations

import sys
import textwrap
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Annotated

from typer import Argument, Option

from hch.commands._completion import Found
from hch.commands._given import check_filled
from hch.commands._terminal import columns, say, say_json
from hch.errors import UsageError


@dataclass(frozen=True)
class Example:
    """A line of shell, what it shows and costs, and what it `needs` beside hch itself."""

    topic: str
    line: str
    says: str
    needs: str | None = None


@cache
def every() -> tuple[Example, ...]:
    """The examples, those of a topic together."""
    text = (files("hch.commands") / "examples.toml").read_text("utf-8")
    return tuple(Example(**row) for row in tomllib.loads(text)["example"])


def topics() -> list[str]:
    return list(dict.fromkeys(example.topic for example in every()))


def complete_topic() -> Found:
    words = dict.fromkeys(word for topic in topics() for word in topic.split() if len(word) > 3)
    return [(word, "") for word in words]


def build() -> Callable[..., None]:
    return examples


def examples(
    word: Annotated[
        str | None,
        Argument(
            metavar="WORD",
            help="Only what has this in its topic, its line or what is said of it.",
            autocompletion=complete_topic,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON, one object an example.")] = False,
) -> None:
    """Show worked examples by topic: what to type, what it shows, and what it costs.

    A line can be typed as it stands, once what it needs is there: a key, weights, a server, or a
    terminal with you at it. Where nothing is said to be needed, nothing is paid either.

    Exit status:
      0  Shown.
      2  No example has that word.

    Examples:
      hch examples
      hch examples budget
      hch examples --json

    See also:
      hch --help, hch ask --help
    """
    check_filled(WORD=word)
    found = [example for example in every() if word is None or _has(example, word)]
    if not found:
        words = [value for value, _ in complete_topic()]
        near = get_close_matches(str(word).casefold(), words, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(f"no example has {word!r}: {hint}topics are {', '.join(topics())}")
    if as_json:
        say_json([asdict(example) for example in found])
        return
    width = max(min(columns(sys.stdout, 80), 80), 24)
    pages = groupby(found, key=lambda example: example.topic)
    say("\n\n".join(_page(topic, list(some), width) for topic, some in pages))


def _has(example: Example, word: str) -> bool:
    texts = (example.topic, example.line, example.says, example.needs or "")
    return any(word.casefold() in text.casefold() for text in texts)


def _page(topic: str, some: list[Example], width: int) -> str:
    """A topic, then each line, which is never broken, with what is said of it below."""
    lines = [topic.upper()]
    for example in some:
        needs = f" Needs {example.needs}." if example.needs else ""
        wrapped = textwrap.wrap(example.says + needs, width - 6, break_on_hyphens=False)
        lines += [f"  $ {example.line}", *(f"      {line}" for line in wrapped)]
    return "\n".join(lines)
