"""From a spec string to a plugin: a plugin is a file with a `build(...)`, and nothing lists them.

A plugin whose name is a word of Python has a file that ends in `_` (`import_.py`), and a `-` in a
name is a `_` in that of its file.
A spec is `NAME[:ARG][,option=value…]`, with `,,` for a comma in a value; a player is
`wrapper/…/strategy[@model]`. The parameters of a plugin's `build` are its options: ARG is the
positional `arg`, options are keyword parameters converted by their annotations, and what hch itself
puts in (`parts`) is never a user's option. Third parties add plugins by entry points of the group
`hch.plugins`, named like `models.mine`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from keyword import iskeyword
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hch.errors import ConfigError, UsageError

KINDS = ("models", "strategies", "stores", "tasks", "formats", "learners", "scorers", "commands")


PARTS = frozenset({"keys", "rate", "task", "person", "reach", "shelf"})
"""What `hch.casting` gives a `build` that asks for it by name; never a user's option."""


@dataclass(frozen=True, slots=True)
class Spec:
    """`NAME[:ARG][,option=value…]`, parsed; in a value a comma is written twice."""

    name: str
    arg: str | None = None
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        head = self.name if self.arg is None else f"{self.name}:{self.arg}"
        items = (head, *(f"{key}={value}" for key, value in self.options))
        return ",".join(item.replace(",", ",,") for item in items)

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Raises UsageError for an empty name, an option without `=`, or one named twice."""
        head, *tail = _items(text.strip())
        name, colon, arg = head.partition(":")
        options: dict[str, str] = {}
        for item in tail:
            key, equals, value = item.partition("=")
            if not equals or not key.strip():
                raise UsageError(f"{item!r} in {text!r} is not an option: write name=value")
            if key.strip() in options:
                raise UsageError(f"{text!r} names the option {key.strip()!r} twice")
            options[key.strip()] = value.strip()
        if not name.strip():
            raise UsageError(f"{text!r} has no name: write NAME[:ARG][,option=value…]")
        return cls(name.strip(), arg if colon else None, tuple(options.items()))


def _items(text: str) -> list[str]:
    """What stands between single commas; a double one is a comma in what stands there."""
    items = [""]
    for piece in re.split("(,,?)", text):
        if piece == ",":
            items.append("")
        else:
            items[-1] += "," if piece == ",," else piece
    return items


def canonical(name: str, arg: str, options: Mapping[str, object]) -> str:
    """A spec in its one spelling: options that are not None, in this order, 1.0 written as 1."""
    given = ((key, value) for key, value in options.items() if value is not None)
    return str(Spec(name, arg, tuple((key, _written(value)) for key, value in given)))


def _written(value: object) -> str:
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


@dataclass(frozen=True, slots=True)
class PlayerSpec:
    """`wrapper/…/strategy[@model]`: strategies outermost first, and the model they think with."""

    strategies: tuple[Spec, ...]
    model: str | None = None

    @classmethod
    def parse(cls, text: str) -> PlayerSpec:
        left, at, model = text.partition("@")
        if at and not model.strip():
            raise UsageError(f"player {text!r} names no model after its @")
        return cls(
            tuple(Spec.parse(part) for part in left.split("/")), model.strip() if at else None
        )


def parse_levels(text: str, depth: int) -> range:
    """LEVELS of `--at`: `N`, `N+` or `N-M`, within 0..depth."""
    low, dash, high = text.strip().partition("-")
    try:
        if text.strip().endswith("+"):
            levels = range(int(text.strip()[:-1]), depth + 1)
        else:
            levels = range(int(low), int(high if dash else low) + 1)
    except ValueError:
        raise UsageError(f"levels {text!r}: write N, N+ or N-M") from None
    if not levels or levels[0] < 0 or levels[-1] > depth:
        raise UsageError(f"levels {text!r} are not within 0 to {depth}, the run's depth")
    return levels


def names(kind: str) -> list[str]:
    """The plugins of a kind that are installed, by name, without importing them."""
    folder = Path(__file__).parent / kind
    files = {m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_")}
    found = {name.removesuffix("_").replace("_", "-") for name in files}
    return sorted(found | set(_foreign(kind)))


def load(kind: str, name: str) -> ModuleType:
    """The module of one plugin. Raises UsageError, with what exists, for an unknown name."""
    if name not in (known := names(kind)):
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UsageError(
            f"no {_singular(kind)} {name!r}: {hint}there are {', '.join(known) or 'none'}"
        )
    foreign = _foreign(kind).get(name)
    try:
        file = f"{name}_" if iskeyword(name) else name.replace("-", "_")
        return foreign.load() if foreign else importlib.import_module(f"hch.{kind}.{file}")
    except ModuleNotFoundError as error:
        raise _missing(kind, name, None if foreign else name, error) from error


def build(kind: str, spec: Spec, /, **parts: Any) -> Any:
    """Build a plugin from its spec; of `parts` it is given those that its `build` asks for.

    Raises UsageError for an unknown or ill-typed option, ConfigError for a missing extra.
    """
    module = load(kind, spec.name)
    takes = inspect.signature(module.build).parameters
    given = {name: part for name, part in parts.items() if name in takes}
    asked = _asked(module, f"{_singular(kind)} {spec.name!r}", spec, parts)
    try:
        return module.build(**given, **asked)
    except ModuleNotFoundError as error:
        extra = None if spec.name in _foreign(kind) else spec.name
        raise _missing(kind, spec.name, getattr(module, "EXTRA", extra), error) from error


def _asked(module: ModuleType, what: str, spec: Spec, parts: Mapping[str, Any]) -> dict[str, Any]:
    """What a spec asks of `build`: its argument and options, converted."""
    put_in = PARTS | parts.keys()
    takes = {n: p for n, p in inspect.signature(module.build).parameters.items() if n not in put_in}
    hints = get_type_hints(module.build, include_extras=True)
    texts = dict(spec.options)
    known = [name for name in takes if name != "arg"]
    if unknown := [name for name in texts if name not in known]:
        near = get_close_matches(unknown[0], known, 1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        there = ", ".join(known) or "none"
        raise UsageError(f"{what} has no option {unknown[0]!r}: {hint}there are {there}")
    if spec.arg is not None:
        if "arg" not in takes:
            raise UsageError(f"{what} takes no argument, but was given {spec.arg!r}")
        texts["arg"] = spec.arg
    if empty := [name for name in known if texts.get(name) == ""]:
        raise UsageError(
            f"{what}: the option {empty[0]}= is empty: give it a value or leave it out"
        )
    for name, parameter in takes.items():
        if parameter.default is parameter.empty and name not in texts:
            wanted, form = ("an argument", ":ARG") if name == "arg" else (name, f",{name}=VALUE")
            raise UsageError(
                f"{what} wants {wanted}: write {spec.name}{form} ({_first_line(module)})"
            )
    return {name: _convert(what, name, text, hints.get(name, str)) for name, text in texts.items()}


def describe(kind: str, name: str) -> tuple[str, Mapping[str, str]]:
    """A plugin's first docstring line, and its options with their defaults as text."""
    module = load(kind, name)
    options = {
        parameter.name: "" if parameter.default is parameter.empty else str(parameter.default)
        for parameter in inspect.signature(module.build).parameters.values()
        if parameter.name not in PARTS
    }
    return _first_line(module), options


def _convert(what: str, name: str, value: str, annotation: Any) -> Any:
    try:
        return TypeAdapter(annotation).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise UsageError(f"{what}: option {name}={value!r}: {reason}") from None


def _foreign(kind: str) -> dict[str, EntryPoint]:
    prefix = f"{kind}."
    points = _points(tuple(sys.path))
    return {p.name.removeprefix(prefix): p for p in points if p.name.startswith(prefix)}


@cache
def _points(_: tuple[str, ...]) -> EntryPoints:
    """The entry points on `sys.path`, which takes some milliseconds to look through."""
    return entry_points(group="hch.plugins")


def _missing(kind: str, name: str, extra: str | None, error: ModuleNotFoundError) -> Exception:
    if (error.name or "").split(".")[0] == "hch":
        return error
    cure = f"pip install 'hch[{extra}]'" if extra else "see the package that adds this plugin"
    what = f"{_singular(kind)} {name!r}"
    return ConfigError(f"{what} needs {error.name!r}, which is not installed: {cure}")


def _singular(kind: str) -> str:
    return {"strategies": "strategy"}.get(kind, kind.removesuffix("s"))


def _first_line(module: ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n")[0]
