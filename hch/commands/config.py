"""Shows, makes and checks the configuration."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from typer import Context, Exit, Option, Typer

from hch.commands._options import ObjectOption
from hch.commands._page import group
from hch.commands._terminal import say, say_json, tell
from hch.errors import ConfigError, UsageError
from hch.safe_text import one_line, safe_text

if TYPE_CHECKING:
    from hch.config import Config, File, Look

OriginOption: TypeAlias = Annotated[
    bool, Option("--origin", help="Say of each where it comes from.")
]


def build() -> Typer:
    return group(config, show=show, init=init, check=check)


def config(ctx: Context, origin: OriginOption = False, as_json: ObjectOption = False) -> None:
    """Show the settings in force; see also init and check.

    What goes before what: flags, the environment, the hch.toml of the project, that of the user,
    defaults. Each of the defaults has its variable, such as HCH_MODEL or HCH_DEPTH.

    \b
    Examples:
      hch config
      hch config show --origin
      hch config init
      hch config check
    """
    if not ctx.invoked_subcommand:
        show(origin, as_json)


def show(origin: OriginOption = False, as_json: ObjectOption = False) -> None:
    """Show every setting in force, as an hch.toml that would make it so.

    Of keys the names that are set are shown, and never their text.

    \b
    Examples:
      hch config show
      hch config show --origin
      hch config show --json
    """
    from hch.config import look

    seen = look()
    if seen.problems:
        raise ConfigError(seen.problems[0])
    if as_json:
        say_json(_data(seen))
        return
    rows = [(_line(name, value), at) for name, value, at in _set(seen)]
    width = min(60, max(len(said) for said, _ in rows))
    for said, at in rows:
        say(f"{said:{width}}  # {one_line(at)}" if origin else said)
    for line in _besides(seen):
        say(f"# {one_line(line)}")


def init(
    user: Annotated[bool, Option("--user", help="Your own file, for all projects.")] = False,
    force: Annotated[bool, Option("--force", help="Overwrite what is there.")] = False,
) -> None:
    """Write an hch.toml into this folder, with every setting in it commented out.

    The folder becomes a project's root: runs are kept in traces/hch.db below it.

    \b
    Examples:
      hch config init
      hch config init --user
    """
    from hch.config import FILE, user_file

    try:
        path = user_file() if user else Path.cwd() / FILE
    except FileNotFoundError as error:
        raise ConfigError("the working folder is gone: go to another") from error
    there = os.path.lexists(path)
    if there and (path.is_symlink() or not path.is_file()):
        raise UsageError(f"{path} is a link or no regular file: move it away first")
    if there and not force:
        raise UsageError(f"{path} is there already: add --force to overwrite it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(sample())
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error
    tell(f"wrote {path}: take the # away before what you want to set")


def check(as_json: ObjectOption = False) -> None:
    """Check the configuration files and variables, and say all that is wrong with them.

    Specs are parsed, and what they name is built; nothing is sent. Whether keys are set, packages
    installed and servers up is for hch doctor to say.

    \b
    Exit status:
      0  All is well.
      6  Something is wrong.

    \b
    Examples:
      hch config check
      hch config check --json
    """
    from hch.commands._settings import problems
    from hch.config import look

    seen = look()
    told = [one_line(problem) for problem in dict.fromkeys(problems(seen))]
    there = [str(file.path) for file in seen.files if file.there]
    if as_json:
        say_json({"fine": not told, "problems": told, "files": there})
    elif told:
        say("\n".join(told))
    else:
        names = " and ".join(map(one_line, there))
        fine = f"{names} {'is' if len(there) == 1 else 'are'} fine"
        say(fine if there else "there is no hch.toml, and all else is fine")
    if told:
        raise Exit(6)


def sample() -> str:
    """The text of an hch.toml in which everything is commented out."""
    return (files("hch.commands") / "sample.toml").read_text("utf-8")


def _set(seen: Look) -> Iterator[tuple[str, Any, str]]:
    """Every setting that has a value: its dotted key as TOML has it, and where it comes from."""
    file, origin = _in_force(seen.config), seen.config.origin
    for key, value in file.defaults.model_dump(exclude_none=True).items():
        yield f"defaults.{key}", value, origin.get(f"defaults.{key}", "default")
    for table, rows in (("models", file.models), ("players", file.players)):
        for key, value in rows.items():
            yield f"{table}.{_key(key)}", value, origin[f"{table}.{key}"]
    for key, row in file.prices.items():
        for name, price in row.model_dump(exclude_none=True).items():
            yield f"prices.{_key(key)}.{name}", price, origin[f"prices.{key}"]


def _besides(seen: Look) -> Iterator[str]:
    """What no hch.toml says."""
    defaults = seen.config.file.defaults
    if unset := [name for name, value in defaults if value is None]:
        yield f"not set: {', '.join(unset)}"
    yield f"runs are kept in {_kept_in(seen.config)}"
    yield f"keys that are set: {', '.join(sorted(seen.config.keys)) or 'none'}"
    for file in seen.files:
        yield f"looked at {file.path}{'' if file.there else ', which is not there'}"


def _data(seen: Look) -> dict[str, Any]:
    config, origin = seen.config, seen.config.origin
    tables: dict[str, Any] = {
        table: {
            key: {"value": value, "origin": origin.get(f"{table}.{key}", "default")}
            for key, value in rows.items()
        }
        for table, rows in _in_force(config).model_dump().items()
    }
    return tables | {
        "kept_in": _kept_in(config),
        "root": config.root and str(config.root),
        "keys": sorted(config.keys),
        "files": [{"path": str(file.path), "there": file.there} for file in seen.files],
    }


def _kept_in(config: Config) -> str:
    from hch import registry

    return config.kept_in(registry.names("stores"))


def _in_force(config: Config) -> File:
    """The settings, with a store that means the same wherever it stands."""
    defaults = config.file.defaults
    if defaults.store is None:
        return config.file
    meant = defaults.model_copy(update={"store": _kept_in(config)})
    return config.file.model_copy(update={"defaults": meant})


def _line(name: str, value: Any) -> str:
    """A setting as TOML; commented out where the value is no text in Unicode, as none can hold."""
    line = f"{name} = {_toml(value)}"
    return f"# {line}" if re.search("[\ud800-\udfff]", str(value)) else line


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _toml(name)


def _toml(value: Any) -> str:
    """A value as TOML; what is not safe to show is shown as its number."""
    said = json.dumps(value, ensure_ascii=False)
    return "".join(c if safe_text(c) == c else _number(c) for c in said)


def _number(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"
