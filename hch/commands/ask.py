"""Puts a question to HCH_n and prints the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option

from hch.commands._terminal import tell
from hch.errors import UsageError

if TYPE_CHECKING:
    from hch.compose import HCH

BUILT_IN = (
    "no model is named and no key is set: the built-in script answers, and it does arithmetic, "
    "+ - * of integers; for a real model: -m openai:NAME with OPENAI_API_KEY set, or -m gguf:PATH"
)


def build() -> Callable[..., None]:
    return ask


def ask(
    question: Annotated[
        str, Argument(metavar="QUESTION", help="What is asked; - reads it from stdin.")
    ],
    depth: Annotated[
        int | None, Option("--depth", "-d", metavar="N", help="The n of HCH_n; 0 is H alone. [2]")
    ] = None,
    model: Annotated[
        str | None, Option("--model", "-m", metavar="MODEL", help="Who thinks, as NAME[:ARG].")
    ] = None,
    strategy: Annotated[
        str | None, Option("--strategy", "-s", metavar="STRATEGY", help="How H answers. [factored]")
    ] = None,
    at: Annotated[
        list[str] | None,
        Option(
            metavar="LEVELS=PLAYER",
            help="Another player, strategy@model, for levels N, N+ or N-M. Repeatable.",
        ),
    ] = None,
    context: Annotated[
        list[Path] | None,
        Option(metavar="FILE", help="A text to send along with the question. Repeatable."),
    ] = None,
    budget: Annotated[
        str | None, Option(metavar="AMOUNTS", help="The run's cap, such as 2usd,50calls,10min.")
    ] = None,
    manual: Annotated[
        Path | None, Option(metavar="FILE", help="A text that is put into every prompt.")
    ] = None,
    prompts: Annotated[
        Path | None, Option(metavar="DIR", help="Prompt files that go before the shipped ones.")
    ] = None,
    seed: Annotated[int | None, Option(metavar="N", help="Of all that is random. [0]")] = None,
    fanout: Annotated[
        int | None, Option(min=1, metavar="N", help="The most sub-questions of a node. [16]")
    ] = None,
    task: Annotated[
        str | None, Option(metavar="NAME", help="The task that scripts play. [arithmetic]")
    ] = None,
    answer_tokens: Annotated[
        int | None, Option(min=1, metavar="N", help="The longest reply, in tokens. [2048]")
    ] = None,
    concurrency: Annotated[
        int | None, Option(min=1, metavar="N", help="Calls in flight to one endpoint. [64]")
    ] = None,
    store: Annotated[
        str | None, Option(metavar="FILE", help="Where the run is kept. [traces/hch.db]")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
    quiet: Annotated[bool, Option("--quiet", "-q", help="Errors only on stderr.")] = False,
) -> None:
    """Put a question to HCH_n; the answer, and nothing else, goes to stdout.

    Exit codes: 0 answered and clean, 1 no answer, 2 wrong use, 3 out of budget, 4 answered but
    something below was refused, cut or failed, 5 store, 6 configuration, 130 and 143 signals.

    \b
    Examples:
      hch ask "What is (17 + 4) * (3 - 1)?" --depth 3
      hch ask "Who was right, and why?" --context report.txt -m openai:gpt-5.4-mini
      hch ask "…" -m openai:NAME -s consult --depth 3 --budget 2usd,200calls
      hch ask "…" --at 1+=factored@openai:LARGE --at 0=direct@openai:SMALL
      echo "What is 2 + 3?" | hch ask - --json
    """
    from hch.commands._report import report
    from hch.commands._running import Place, complete
    from hch.compose import HCH
    from hch.types import Text

    given: dict[str, Any] = {
        "depth": depth,
        "model": model,
        "strategy": strategy,
        "at": dict(map(_player_at, at or ())),
        "budget": budget,
        "manual": manual and read_text(manual, "manual"),
        "prompts": prompts,
        "seed": seed,
        "fanout": fanout,
        "task": task,
        "answer_tokens": answer_tokens,
        "concurrency": concurrency,
        "store": store,
    }
    hch = HCH(**{name: value for name, value in given.items() if value is not None})
    texts = [Text(read_text(p, "context"), f"document:{p.name}", False) for p in context or ()]
    asked = from_stdin() if question == "-" else _sound(question)
    with closing(hch.kept_in):
        run = hch.begin([asked], context=texts)
        if not quiet:
            _notices(hch)
        finished = complete(run, Place(store), quiet=quiet)
        raise Exit(report(finished, as_json=as_json, quiet=quiet))


def read_text(path: Path, what: str) -> str:
    """A text file's content. Raises UsageError, naming it, where it is none or cannot be read."""
    try:
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{what} file {path} cannot be read: {reason}") from error
    return _decoded(data, f"{what} file {path} is not a text file in UTF-8")


def from_stdin() -> str:
    """The question on stdin, without white space round it. Raises UsageError for none."""
    data = sys.stdin.buffer.read() if sys.stdin else b""
    text = _decoded(data, "what came on stdin is not text in UTF-8").strip()
    if not text:
        raise UsageError("the question is empty: nothing came on stdin")
    return text


def _decoded(data: bytes, wrong: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(wrong) from error
    if "\0" in text:
        raise UsageError(wrong)
    return text


def _sound(question: str) -> str:
    """The question as typed. Raises UsageError where it was typed in bytes that are no UTF-8."""
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the question is not text in UTF-8") from error
    return question


def _player_at(text: str) -> tuple[str, str]:
    levels, equals, player = text.partition("=")
    if not equals or not player.strip():
        raise UsageError(f"--at {text!r}: write LEVELS=PLAYER, such as 0=direct@openai:NAME")
    return levels.strip(), player.strip()


def _notices(hch: HCH) -> None:
    """What was chosen for whoever asked, without being named."""
    from hch.budget import UNLIMITED
    from hch.commands._words import budget as budget_words

    if hch.built_in and any(player.model is None for player in hch.players):
        tell(BUILT_IN)
    named = hch.budget or hch.config.file.defaults.budget
    if named is None and hch.cap[0] != UNLIMITED:
        tell(
            f"capped at {budget_words(hch.cap[0])}, since a key pays for it; --budget changes that"
        )
