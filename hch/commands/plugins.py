"""Lists what can be plugged in, and what each plugin's options are."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution, requires
from typing import Annotated, Any

from typer import Argument, Option

from hch import registry
from hch.commands._completion import complete_kind
from hch.commands._terminal import say, say_json
from hch.errors import HchError, UsageError
from hch.safe_text import one_line


def build() -> Callable[..., None]:
    return plugins


def plugins(
    kind: Annotated[
        str | None,
        Argument(
            metavar="KIND",
            help=f"One kind only: {', '.join(_kinds())}.",
            autocompletion=complete_kind,
        ),
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Print JSON instead.")] = False,
) -> None:
    """List what can be plugged in, by kind, with options and their defaults.

    A plugin is named by a spec, NAME[:ARG][,option=value…]: what is listed as arg follows the
    colon, every other option a comma. A player, as --at takes it, is STRATEGY@MODEL. A plugin that
    lacks its package says how to get it. Packages add plugins by entry points of the group
    hch.plugins.

    Examples:
      hch plugins
      hch plugins models
      hch plugins strategies --json

    See also:
      hch prompts, hch examples, CONTRIBUTING.md
    """
    if kind is not None and kind not in registry.KINDS:
        raise UsageError(f"no kind of plugin {kind!r}: there are {', '.join(_kinds())}")
    kinds = [kind] if kind else list(registry.KINDS)
    found = {kind: [_about(kind, name) for name in registry.names(kind)] for kind in kinds}
    if as_json:
        say_json(found)
        return
    width = max((len(one["name"]) for entries in found.values() for one in entries), default=0)
    for title, entries in found.items():
        if entries or kind:
            lines = [_row(entry, width) for entry in entries]
            say("\n".join([title, *lines] if entries else [f"no {title}"]))


def _kinds() -> list[str]:
    """Those of which there are plugins."""
    return [kind for kind in registry.KINDS if registry.names(kind)]


def _about(kind: str, name: str) -> dict[str, Any]:
    """A plugin as data; `missing` says what it lacks to be used, and how to get that."""
    try:
        about, options = registry.describe(kind, name)
        extra = getattr(registry.load(kind, name), "EXTRA", None)
    except HchError as error:
        return {"name": name, "about": None, "options": {}, "missing": str(error)}
    absent = _absent(extra) if extra else []
    missing = f"needs {', '.join(absent)}: pip install 'hch[{extra}]'" if absent else None
    return {"name": name, "about": about, "options": dict(options), "missing": missing}


def _absent(extra: str) -> list[str]:
    """The packages of one of hch's extras that are not installed."""
    absent = []
    for requirement in requires("hch") or ():
        name = re.match(r"[\w.-]+", requirement)
        if name and re.search(rf"extra == ['\"]{re.escape(extra)}['\"]", requirement):
            try:
                distribution(name[0])
            except PackageNotFoundError:
                absent.append(name[0])
    return absent


def _row(entry: dict[str, Any], width: int) -> str:
    """A line for the plugin, its name padded, one for its options, and one for what it lacks."""
    options = [f"{key}={value}" if value else key for key, value in entry["options"].items()]
    more = [f"options: {', '.join(options)}"] if options else []
    more += [f"not usable: {entry['missing']}"] if entry["missing"] else []
    first = f"  {entry['name']:{width}}  {one_line(entry['about'] or '')}"
    return "\n".join([first.rstrip(), *(f"{'':{width + 4}}{one_line(line)}" for line in more)])
