"""What can stand in the place of an option's value or an argument, while it is being typed.

Each completer gets what is typed so far and gives values with what they are. One that fails may
raise anything: `hch.commands._shells` then says nothing. None imports an SDK or makes a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from typer import Context

from hch import registry
from hch.errors import HchError

FILES, FOLDERS = "<files>", "<folders>"
"""Instead of what a value is: the shell is to offer files, or folders, of its own knowledge."""

NEWEST = 200
"""How many runs are offered."""

Found: TypeAlias = list[tuple[str, str]]


def complete_file(incomplete: str) -> Found:
    return [(incomplete, FILES)]


def complete_folder(incomplete: str) -> Found:
    return [(incomplete, FOLDERS)]


def complete_kind() -> Found:
    return [(kind, "") for kind in registry.KINDS if registry.names(kind)]


def complete_task(incomplete: str) -> Found:
    return list(_specs("tasks", incomplete))


def complete_learner(incomplete: str) -> Found:
    return list(_specs("learners", incomplete))


def complete_iteration(ctx: Context) -> Found:
    """The names of the iterations that are kept."""
    from hch.compose import HCH
    from hch.iterate import names

    with closing(HCH(store=ctx.params.get("store")).kept_in) as kept_in:
        return [(name, "") for name in names(kept_in)]


def complete_scorer(incomplete: str) -> Found:
    return list(_specs("scorers", incomplete))


def complete_format(incomplete: str) -> Found:
    return list(_specs("formats", incomplete))


def complete_evaluation(ctx: Context) -> Found:
    """The ids of the evaluations that are kept, newest first."""
    from hch.commands._comparisons import evaluations
    from hch.compose import HCH

    with closing(HCH(store=ctx.params.get("store")).kept_in) as kept_in:
        return [(e["run"], f"{e['status']}: {e['source']}") for e in evaluations(kept_in)][:NEWEST]


def complete_model(incomplete: str) -> Found:
    """Models, aliases, options after a comma, and files or tables after a colon."""
    return list(_models(incomplete))


def complete_strategy(incomplete: str) -> Found:
    """Strategies, wrappers before a slash, aliases, and models after an @."""
    return list(_players(incomplete))


def complete_levels(incomplete: str) -> Found:
    """LEVELS=PLAYER."""
    levels, equals, player = incomplete.partition("=")
    if equals:
        return [(f"{levels}={value}", about) for value, about in _players(player)]
    return [("0=", "H alone"), ("1+=", "from level 1 up"), ("0-1=", "levels 0 and 1")]


def complete_run(ctx: Context) -> Found:
    """The ids of runs, newest first."""
    return list(_runs(ctx))


def complete_unfinished(ctx: Context) -> Found:
    """The ids of the runs that can be resumed, newest first."""
    return list(_runs(ctx, "unfinished"))


def complete_prompt() -> Found:
    from hch.prompts import shipped

    folder = shipped()
    found = sorted(path.relative_to(folder) for path in folder.rglob("*.md"))
    return [(path.with_suffix("").as_posix(), "") for path in found]


def _models(typed: str) -> Iterator[tuple[str, str]]:
    from hch.config import KEYED_DEFAULTS, Config

    config = Config.read()
    known = {model: f"with {key}" for key, model in KEYED_DEFAULTS}
    if config.file.defaults.model:
        known[config.file.defaults.model] = "the default"
    known |= {alias: f"is {spec}" for alias, spec in config.file.models.items()}
    name, colon, arg = typed.partition(":")
    if not colon or "," in typed:
        yield from _specs("models", typed)
    elif name == "table":
        yield from _tables()
    elif not any(spec.startswith(typed) for spec in known):
        yield from ((f"{name}:{path}", "") for path in _paths(arg))
    yield from known.items()


def _tables() -> Iterator[tuple[str, str]]:
    """The tables in the store that is configured."""
    from hch.compose import HCH

    with closing(HCH().kept_in) as kept_in:
        yield from ((kept.replace("/", ":", 1), "") for kept in kept_in.shelf("table/"))


def _players(typed: str) -> Iterator[tuple[str, str]]:
    from hch.config import Config

    left, at, model = typed.partition("@")
    if at:
        yield from ((f"{left}@{value}", about) for value, about in _models(model))
        return
    outer, slash, inner = left.rpartition("/")
    for value, about in _specs("strategies", inner):
        yield f"{outer}{slash}{value}", about
    if not slash:
        for alias, spec in Config.read().file.players.items():
            yield alias, f"is {spec}"


def _specs(kind: str, typed: str) -> Iterator[tuple[str, str]]:
    """Plugins of a kind; once there is a comma, the options of the one that is named."""
    head, comma, _ = typed.rpartition(",")
    if comma:
        spec = registry.Spec.parse(head)
        _, options = registry.describe(kind, spec.name)
        for option, default in options.items():
            if option not in {"arg", *dict(spec.options)}:
                yield f"{head},{option}=", f"[{default}]" if default else ""
        return
    for name in registry.names(kind):
        try:
            about, options = registry.describe(kind, name)
        except HchError:
            continue
        if options.get("arg") is None or options["arg"]:
            yield name, about
        if "arg" in options:
            yield f"{name}:", about


def _paths(typed: str) -> Iterator[str]:
    """The files and folders that a path may go on to."""
    folder, slash, name = typed.rpartition("/")
    for path in sorted(Path(f"{folder}{slash}" or ".").expanduser().iterdir()):
        if path.name.startswith(name) and not (path.name.startswith(".") and not name):
            yield f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}"


def _runs(ctx: Context, only: str | None = None) -> Iterator[tuple[str, str]]:
    from hch.compose import HCH

    above = ctx.parent.params if ctx.parent else {}
    store: Any = ctx.params.get("store") or above.get("store")
    named = ctx.params.get("names") or ()
    with closing(HCH(store=store).kept_in) as kept_in:
        rows = (r for r in kept_in.runs() if only in (None, r.status) and r.run not in named)
        for row in islice(rows, NEWEST):
            yield row.run, f"{row.status}: {row.question}"
