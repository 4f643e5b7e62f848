"""Puts a question to HCH_n and prints the answer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Exit, Option

from hch import registry
from hch.commands._given import check_filled, decoded, read_text
from hch.errors import ConfigError, UsageError

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
        list[str] | None,
        Option(metavar="FILE", help="A text to send along with the question. Repeatable."),
    ] = None,
    budget: Annotated[
        str | None, Option(metavar="AMOUNTS", help="The run's cap, such as 2usd,50calls,10min.")
    ] = None,
    manual: Annotated[
        str | None, Option(metavar="FILE", help="A text that is put into every prompt.")
    ] = None,
    prompts: Annotated[
        str | None, Option(metavar="DIR", help="Prompt files that go before the shipped ones.")
    ] = None,
    seed: Annotated[int | None, Option(metavar="N", help="Of all that is random. [0]")] = None,
    fanout: Annotated[
        int | None, Option(min=1, metavar="N", help="The most sub-questions of a node. [16]")
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Send nothing; print what it would come to.")
    ] = False,
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
    something below was refused, cut or failed, 5 store, 6 configuration, 129, 130 and 143 signals.

    \b
    Examples:
      hch ask "What is (17 + 4) * (3 - 1)?" --depth 3
      hch ask "Who was right, and why?" --context report.txt -m openai:gpt-5.4-mini
      hch ask "…" -m openai:NAME -s consult --depth 3 --budget 2usd,200calls
      hch ask "…" --at 1+=factored@openai:LARGE --at 0=direct@openai:SMALL
      echo "What is 2 + 3?" | hch ask - --json
    """
    from hch.commands._dry_run import foreseen
    from hch.commands._report import report
    from hch.commands._running import Place, complete
    from hch.compose import HCH
    from hch.types import Text

    check_filled(model=model, strategy=strategy, at=at, context=context, budget=budget)
    check_filled(manual=manual, prompts=prompts, task=task, store=store)
    given: dict[str, Any] = {
        "depth": depth,
        "model": model,
        "strategy": strategy,
        "at": _players_at(at or ()),
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
    texts = [
        Text(read_text(p, "context"), f"document:{PurePath(p).name}", False) for p in context or ()
    ]
    asked = from_stdin() if question == "-" else _sound(question)
    _check_settings(hch)
    _check_levels(hch)
    if dry_run:
        foreseen(hch, asked, texts, fanout, as_json=as_json)
        raise Exit(0)
    with closing(hch.kept_in) as kept_in:
        run = hch.begin([asked], context=texts)
        place = Place.of(store, kept_in)
        finished = complete(run, place, quiet=quiet, notes=() if quiet else list(_notices(hch)))
        raise Exit(report(finished, as_json=as_json, quiet=quiet))


def from_stdin() -> str:
    """The question on stdin, without white space round it. Raises UsageError for none."""
    data = sys.stdin.buffer.read() if sys.stdin else b""
    text = decoded(data, "what came on stdin is not text in UTF-8").strip()
    if not text:
        raise UsageError("the question is empty: nothing came on stdin")
    return text


def _sound(question: str) -> str:
    """The question as typed. Raises UsageError where it was typed in bytes that are no UTF-8."""
    try:
        question.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the question is not text in UTF-8") from error
    return question


def _players_at(texts: Sequence[str]) -> dict[str, str]:
    """Players by levels. Raises UsageError where that cannot be read, or levels come twice."""
    players: dict[str, str] = {}
    for text in texts:
        levels, equals, player = (part.strip() for part in text.partition("="))
        if not equals or not player or not levels.isascii():
            raise UsageError(f"--at {text!r}: write LEVELS=PLAYER, such as 0=direct@openai:NAME")
        if levels in players:
            raise UsageError(f"--at names a player for the levels {levels} twice")
        players[levels] = player
    return players


def _check_settings(hch: HCH) -> None:
    """Raises ConfigError, naming where it stands, for a setting in force that cannot be read."""
    from hch.budget import parse_budget

    config, defaults = hch.config, hch.config.file.defaults
    checks: list[tuple[str, str | None, bool, Callable[[str], object]]] = [
        ("budget", defaults.budget, hch.budget is None, parse_budget),
        ("model", defaults.model, hch.model is None, lambda spec: _known_model(config.model(spec))),
        ("strategy", defaults.strategy, hch.strategy is None, registry.PlayerSpec.parse),
    ]
    for name, value, in_force, check in checks:
        if value is not None and in_force:
            try:
                check(value)
            except UsageError as error:
                origin = config.origin[f"defaults.{name}"]
                raise ConfigError(f"{origin}: defaults.{name}: {error}") from error


def _known_model(spec: str) -> None:
    registry.load("models", registry.Spec.parse(spec).name)


def _check_levels(hch: HCH) -> None:
    """Raises UsageError where two players are given for the same levels, written otherwise."""
    seen: dict[range, str] = {}
    for levels in hch.at:
        same = seen.setdefault(registry.parse_levels(levels, hch.levels), levels)
        if same != levels:
            raise UsageError(f"--at names players for the levels {same} and {levels}: the same")


def _notices(hch: HCH) -> Iterator[str]:
    """What was chosen for whoever asked, without being named."""
    from hch.budget import UNLIMITED
    from hch.commands._words import budget as budget_words

    named = {level for levels in hch.at for level in registry.parse_levels(levels, hch.levels)}
    if hch.built_in and len(named) <= hch.levels:
        yield BUILT_IN
    if (hch.budget or hch.config.file.defaults.budget) is None and hch.cap[0] != UNLIMITED:
        cap = budget_words(hch.cap[0])
        yield f"capped at {cap}, since it costs money; --budget changes that"
    for name in hch.unpriced:
        yield f"{name} has no known price: its cost is not counted; [prices] in hch.toml gives one"
