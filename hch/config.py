"""Settings by precedence: flags > environment > `hch.toml` > the user's file > defaults.

The only reader of the environment. Keys are named by environment variable, are held as
`SecretStr`, and stand in no file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)

from hch.errors import ConfigError

FILE = "hch.toml"

KEYED_DEFAULTS = (("OPENAI_API_KEY", "openai:gpt-5.4-mini"),)
"""Which small model answers when none is named and this key is set, in order of preference."""


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


Word: TypeAlias = Annotated[str, AfterValidator(_said)]
"""A text that is not empty."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Defaults(_Table):
    """What `hch ask` takes where no flag says otherwise."""

    model: Word | None = None
    strategy: Word | None = None
    depth: int = Field(2, ge=0)
    store: Word | None = None
    budget: Word | None = None


class File(_Table):
    """What an `hch.toml` may hold; `models` and `players` are aliases for specs."""

    defaults: Defaults = Defaults()
    models: dict[str, Word] = {}
    players: dict[str, Word] = {}


class Config(_Table):
    """The settings in force, where the nearest `hch.toml` lies, and the keys by variable name.

    `origin` says by dotted key (`defaults.model`) which file or variable a setting came from.
    """

    file: File = File()
    root: Path | None = None
    keys: dict[str, SecretStr] = {}
    store: str
    origin: dict[str, str] = {}

    @classmethod
    def read(cls, start: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
        """From the folder `start` upwards (default: here). Raises ConfigError, naming the file."""
        env = os.environ if environ is None else environ
        root = next((f for f in _upwards(start) if os.path.lexists(f / FILE)), None)
        home = Path(env.get("HOME") or "~").expanduser()
        user = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "hch" / FILE
        merged: dict[str, Any] = {}
        origin: dict[str, str] = {}
        for path in (user, root / FILE) if root else (user,):
            data = _toml(path)
            _checked(data, path)
            merged = _merged(merged, data)
            origin |= {f"{table}.{key}": str(path) for table in data for key in data[table]}
        if model := env.get("HCH_MODEL"):
            merged = _merged(merged, {"defaults": {"model": model}})
            origin["defaults.model"] = "HCH_MODEL"
        file = File.model_validate(merged)
        for table, aliases in (("models", file.models), ("players", file.players)):
            _acyclic(table, aliases, origin)
        own = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "hch" / "hch.db"
        place = (
            env.get("HCH_STORE")
            or _beside(file.defaults.store, root)
            or (str(root / "traces" / "hch.db") if root else str(own))
        )
        keys = {name: SecretStr(v) for name, v in env.items() if name.endswith("_API_KEY") and v}
        return cls(file=file, root=root, keys=keys, store=place, origin=origin)

    def model(self, spec: str) -> str:
        """A model's spec, an alias of the configuration replaced by what it stands for."""
        return _unaliased(spec, self.file.models)

    def player(self, spec: str) -> str:
        """A player's spec, an alias of the configuration replaced by what it stands for."""
        return _unaliased(spec, self.file.players)

    def default_model(self) -> str | None:
        """The configured model, else that of the first key that is set, else None."""
        if self.file.defaults.model:
            return self.model(self.file.defaults.model)
        return next((model for key, model in KEYED_DEFAULTS if key in self.keys), None)


def _upwards(start: Path | None) -> tuple[Path, ...]:
    """A folder and those above it; none where the working folder was removed."""
    try:
        here = (start or Path.cwd()).resolve()
    except FileNotFoundError:
        return ()
    return (here, *here.parents)


def _unaliased(spec: str, aliases: Mapping[str, str]) -> str:
    seen = {spec}
    while spec in aliases and aliases[spec] not in seen:
        seen.add(spec := aliases[spec])
    return spec


def _acyclic(table: str, aliases: Mapping[str, str], origin: Mapping[str, str]) -> None:
    for first in aliases:
        chain = [first]
        while (step := aliases.get(chain[-1])) is not None:
            if step in chain:
                names = " → ".join([*chain, step])
                raise ConfigError(
                    f"{origin[f'{table}.{first}']}: {table}: {names} goes in a circle"
                )
            chain.append(step)


def _toml(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path} is not a regular file")
        return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError as error:  # TOMLDecodeError, UnicodeDecodeError, a number of 5,000 digits
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = dict(under)
    for key, value in over.items():
        old = both.get(key)
        nested = isinstance(value, dict) and isinstance(old, dict)
        both[key] = _merged(old, value) if nested and isinstance(old, dict) else value
    return both


def _checked(data: dict[str, Any], path: Path) -> None:
    try:
        File.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = [str(step) for step in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = Defaults.model_fields if place[:-1] == ["defaults"] else File.model_fields
            near = get_close_matches(place[-1], list(known), 1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            raise ConfigError(f"{path}: unknown key {'.'.join(place)!r}: {hint}") from None
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: {'.'.join(place)}: {reason}") from None


def _beside(store: str | None, root: Path | None) -> str | None:
    named = store is not None and (":" in store or store == "memory")
    return str(root / store) if store and root and not named else store
