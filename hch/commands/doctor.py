"""Looks at what is installed, set and reachable, and says what does not work."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

from typer import Exit, Option

from hch.commands._asked import plays
from hch.commands._health import MARKS, Finding, wrong
from hch.commands._terminal import columns, is_terminal, say, say_json
from hch.errors import HchError
from hch.safe_text import one_line

if TYPE_CHECKING:
    from hch.compose import HCH
    from hch.config import Config, Look
    from hch.protocols import Model


def build() -> Callable[..., None]:
    return doctor


def doctor(
    call: Annotated[
        bool, Option("--call", help="Also ask each model for one token; keys may pay for it.")
    ] = False,
    as_json: Annotated[bool, Option("--json", help="Print one JSON object instead.")] = False,
) -> None:
    """Look at what is installed, set and reachable, and say what does not work.

    Endpoints are those of the model that would answer and of every alias of [models]: each is
    connected to, without a proxy and without a key, and nothing is sent unless --call is given. Of
    keys only the names are shown. Nothing is written.

    \b
    Exit status:
      0  Nothing is wrong.
      5  Only the store is bad.
      6  Something configured does not work.

    \b
    Examples:
      hch doctor
      hch doctor --call
      hch doctor --json
    """
    from hch.config import look

    findings = list(_findings(look(), call=call))
    bad = {finding.section for finding in findings if finding.state == "wrong"}
    if as_json:
        say_json({"fine": not bad, "findings": [asdict(finding) for finding in findings]})
    else:
        say(_page(findings))
    if bad:
        raise Exit(5 if bad == {"store"} else 6)


def _page(findings: Iterable[Finding]) -> str:
    """A section after the other, a line for each finding."""
    lines = []
    for section, group in groupby(findings, lambda finding: finding.section):
        rows = [(MARKS[f.state], one_line(f.name), one_line(f.said)) for f in group]
        width = min(40, max(len(name) for _, name, _ in rows))
        lines.append(section)
        lines += [f"  {mark} {name and f'{name:{width}}  '}{said}" for mark, name, said in rows]
    return "\n".join(lines)


def _findings(seen: Look, *, call: bool) -> Iterator[Finding]:
    from hch import registry
    from hch.commands._health import connected, installed, store, tried
    from hch.compose import HCH

    yield from installed()
    yield from _keys(seen.config)
    yield from _configuration(seen)
    models: dict[str, Model] = {}
    yield from _models(seen.config, models)
    yield from connected(models)
    yield from _proxies(seen.ambient)
    yield from tried(models) if call else ()
    try:
        kept_in = HCH(config=seen.config).kept_in
    except HchError as error:
        yield wrong("store", seen.config.kept_in(registry.names("stores")), error)
    else:
        yield from store(kept_in)
    yield from _terminal(seen.ambient)


def _keys(config: Config) -> Iterator[Finding]:
    for name in sorted(config.keys):
        yield Finding("keys", "fine", name, "is set")
    if not config.keys:
        said = "export ANTHROPIC_API_KEY=… for anthropic models, OPENAI_API_KEY=… for openai models"
        yield Finding("keys", "none", "none", said)


def _configuration(seen: Look) -> Iterator[Finding]:
    """The files that were looked at, then all that is wrong with them and with variables."""
    from hch.commands._settings import problems

    told = list(dict.fromkeys(problems(seen)))
    for file in seen.files:
        faults = sum(problem.startswith(str(file.path)) for problem in told)
        if faults:
            yield wrong("configuration", str(file.path), f"{faults} wrong, see below")
        elif file.there:
            yield Finding("configuration", "fine", str(file.path), "is fine")
        else:
            yield Finding("configuration", "none", str(file.path), "not there")
    for problem in told:
        yield wrong("configuration", "", problem)


def _models(config: Config, models: dict[str, Model]) -> Iterator[Finding]:
    """The model that would answer and why, and the aliases; `models` takes in those that stand."""
    from hch.commands._person import Nobody
    from hch.commands._settings import model_of
    from hch.compose import HCH

    try:
        hch = HCH(depth=0, config=config, person=Nobody())
        model = hch.players[0].model
    except HchError as error:
        yield wrong("models", "who answers", error)
    else:
        name = model.name if model else "the built-in script"
        if model:
            models[model.name] = model
        yield Finding("models", "fine", "who answers", f"{name}, {_why(hch, model is not None)}")
    for alias in config.file.models:
        try:
            model = model_of(config, alias)
        except HchError as error:
            yield wrong("models", alias, error)
        else:
            models.setdefault(model.name, model)
            yield Finding(
                "models", "fine", alias, f"{model.name}, {config.origin[f'models.{alias}']}"
            )


def _why(hch: HCH, thinks: bool) -> str:
    """Why it is that one that answers."""
    from hch.registry import PlayerSpec

    config, by_key = hch.config, hch.casting.by_key
    strategy = config.file.defaults.strategy
    own = strategy and PlayerSpec.parse(config.player(strategy)).model
    name = "model" if thinks and not own else "strategy"
    if not by_key and (origin := config.origin.get(f"defaults.{name}")):
        return f"by {origin}"
    if by_key:
        return f"since {by_key[0]} is set"
    return f"since no model is named and no key is set: {plays(hch)}"


def _proxies(ambient: Mapping[str, str]) -> Iterator[Finding]:
    if names := [name for name in ambient if name.lower().endswith("_proxy")]:
        said = "set; the connections above were made without a proxy"
        yield Finding("endpoints", "none", ", ".join(names), said)


def _terminal(ambient: Mapping[str, str]) -> Iterator[Finding]:
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        there = is_terminal(stream)
        wide = f", {columns(stream, 0)} columns" if there else ""
        encoding = f", {stream.encoding}" if stream else ""
        said = f"{'a terminal' if there else 'no terminal'}{wide}{encoding}"
        yield Finding("terminal", "fine" if there else "none", name, said)
    for name in ("TERM", "NO_COLOR"):
        set_ = name in ambient
        said = one_line(ambient[name]) or "set" if set_ else "not set"
        yield Finding("terminal", "fine" if set_ else "none", name, said)
