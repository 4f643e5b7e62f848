"""Settings by precedence: flags > environment > `hch.toml` > the user's file > defaults.

Keys are named by environment variable, are held as `SecretStr`, and stand in no file.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from hch import settings
from hch.environment import variables
from hch.errors import ConfigError
from hch.settings import Defaults, File, PriceRow, Written, is_spec

__all__ = [
    "FILE",
    "Config",
    "Defaults",
    "File",
    "Look",
    "PriceRow",
    "home_folder",
    "look",
    "user_cache",
    "user_file",
]

FILE = "hch.toml"

KEYED_DEFAULTS = (
    ("ANTHROPIC_API_KEY", "anthropic:claude-haiku-5-5"),
    ("OPENAI_API_KEY", "openai:gpt-5.4-mini"),
)
"""Which small model answers when none is named and this key is set, in order of preference."""

VARIABLES = {f"HCH_{key.upper()}": key for key in Defaults.model_fields}
"""The variable for each of the defaults."""

_ELSEWHERE = {
    "OPENAI_BASE_URL": "openai",
    "OPENAI_API_BASE": "openai",
    "ANTHROPIC_BASE_URL": "anthropic",
}
"""Variables by which others name the server that a key is sent to, and whose models are meant."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def user_cache(environ: Mapping[str, str] | None = None) -> Path:
    """Where replies are kept across runs, or would be."""
    env = variables() if environ is None else environ
    folder = Path(env.get("XDG_CACHE_HOME") or home_folder(env) / ".cache")
    return folder / "hch" / "replies.db"


class Config(BaseModel):
    """The settings in force, where the nearest `hch.toml` lies, and the keys by variable name.

    `store` is as it is named, and `store_path` what it is as a path: see `kept_in`. `replies` is
    the file that keeps replies across runs. `origin` says by dotted key (`defaults.model`) which
    file and line, or which variable, a setting came from. `strangers` tell of variables that look
    like settings and are none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: File = File()
    root: Path | None = None
    keys: dict[str, SecretStr] = {}
    store: str
    store_path: str | None = None
    replies: Path = Field(default_factory=user_cache)
    origin: dict[str, str] = {}
    strangers: tuple[str, ...] = ()

    @classmethod
    def read(cls, start: Path | None = None, environ: Mapping[str, str] | None = None) -> Config:
        """From the folder `start` upwards (default: here).

        Raises ConfigError for the first thing that is wrong, naming the file and the line, or the
        variable.
        """
        seen = look(start, environ)
        if seen.problems:
            raise ConfigError(seen.problems[0])
        return seen.config

    def kept_in(self, stores: Collection[str]) -> str:
        """The store's spec, where it names one of these plugins, else its path.

        A path is meant from the folder of the file that it stands in.
        """
        return self.store if is_spec(self.store, stores) else self.store_path or self.store

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
        return next((model for _, model in self.by_key()), None)

    def unsent(self) -> Config:
        """The same for what sends nothing: whatever key a model wants is there."""
        return self.model_copy(update={"keys": _AnyKey(self.keys)})

    def by_key(self) -> list[tuple[str, str]]:
        """The keys that are set, each with the model that it chooses where none is named."""
        return [(key, model) for key, model in KEYED_DEFAULTS if key in self.keys]


class _AnyKey(dict[str, SecretStr]):
    """Keys by variable; what is not set is taken as if it were."""

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name) or SecretStr("unset")


@dataclass(frozen=True, slots=True)
class Look:
    """All that was looked at: the files, the user's first, and the settings of what is sound.

    `problems` are what keeps `Config.read` from reading it. `ambient` is what else decides how hch
    fares here: TERM and NO_COLOR, and the names of the variables that set a proxy.
    """

    config: Config
    files: tuple[Written, ...]
    problems: tuple[str, ...]
    ambient: Mapping[str, str]

    @property
    def strangers(self) -> tuple[str, ...]:
        return self.config.strangers


def look(start: Path | None = None, environ: Mapping[str, str] | None = None) -> Look:
    """Read everything, from the folder `start` upwards, and collect all that is wrong."""
    env = variables() if environ is None else environ
    home = home_folder(env)
    root = next((f for f in _upwards(start) if os.path.lexists(f / FILE)), None)
    places = dict.fromkeys([user_file(env), *([root / FILE] if root else [])])
    files = tuple(settings.read(place, home) for place in places)
    origin: dict[str, str] = {}
    merged: dict[str, dict[str, Any]] = {}
    problems: list[str] = []
    for written in files:
        for table, rows in written.data.items():
            before = {k: v for k, v in merged.get(table, {}).items() if k not in rows}
            merged[table] = {**before, **rows}  # the later file's come last
        origin |= written.origin
        problems += written.problems
    for name, key in VARIABLES.items():
        if value := env.get(name):
            try:
                said = Defaults.model_validate({key: value})
            except ValidationError as error:
                problems.append(f"{name}: {settings.reason(error.errors()[0]['msg'])}")
            else:
                merged["defaults"] = {**merged.get("defaults", {}), key: getattr(said, key)}
                origin[f"defaults.{key}"] = name
    file = File.model_validate(merged)
    problems += _crossed(file, origin)
    own = Path(env.get("XDG_DATA_HOME") or home / ".local" / "share") / "hch" / "hch.db"
    config = Config.model_construct(  # checked above; a name that is no UTF-8 is the store's matter
        file=file,
        root=root,
        keys={
            name: SecretStr(v) for name, v in env.items() if name.endswith("_API_KEY") and v.strip()
        },
        store=file.defaults.store or str(root / "traces" / "hch.db" if root else own),
        store_path=_store_path(files, origin, home),
        replies=user_cache(env),
        origin=origin,
        strangers=tuple(_strangers(env)),
    )
    return Look(config, files, tuple(problems), _ambient(env))


def user_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where the user's own file is, or would be."""
    env = variables() if environ is None else environ
    return Path(env.get("XDG_CONFIG_HOME") or home_folder(env) / ".config") / "hch" / FILE


def home_folder(environ: Mapping[str, str] | None = None) -> Path:
    """The user's own folder. Raises ConfigError where nothing says which that is."""
    env = variables() if environ is None else environ
    try:
        return Path(env.get("HOME") or "~").expanduser()
    except RuntimeError as error:
        raise ConfigError("the home folder is not known: set HOME") from error


def _store_path(files: Sequence[Written], origin: Mapping[str, str], home: Path) -> str | None:
    """As a path, the store that a file names, the last one's; None where none holds."""
    by = [written for written in files if "store" in written.data.get("defaults", {})]
    if not by or origin["defaults.store"] in VARIABLES:
        return None
    return settings.beside(by[-1].data["defaults"]["store"], by[-1].path.parent, home)


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


def _crossed(file: File, origin: Mapping[str, str]) -> Iterator[str]:
    """What no file shows by itself: aliases that go in a circle, and prices of nothing."""
    for table, aliases in (("models", file.models), ("players", file.players)):
        for circle in _circles(aliases):
            names = " → ".join([*circle, circle[0]])
            yield f"{origin[f'{table}.{circle[0]}']}: {table}: {names} goes in a circle"
    for key in file.prices:
        at = f"{origin[f'prices.{key}']}: prices: {key!r}"
        if "," in key:
            yield f"{at} has options: write PROVIDER:NAME"
        elif ":" not in key and key not in file.models:
            near = get_close_matches(key, file.models, 1)
            hint = f"did you mean {near[0]!r}?" if near else "write PROVIDER:NAME"
            yield f"{at} is no alias of [models]: {hint}"


def _circles(aliases: Mapping[str, str]) -> Iterator[list[str]]:
    """Each circle once, from the first of its aliases on."""
    done: set[str] = set()
    for first in aliases:
        chain: list[str] = []
        name = first
        while name in aliases and name not in done:
            done.add(name)
            chain.append(name)
            name = aliases[name]
        if name in chain:
            yield chain[chain.index(name) :]


def _strangers(env: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(env):
        ours = name in VARIABLES or name == "HCH_FAIL" or name.startswith("HCH_TEST_")
        if name.startswith("HCH_") and not ours and not name.endswith("_API_KEY"):
            near = get_close_matches(name, VARIABLES, 1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(VARIABLES)}"
            yield f"{name}: no setting has this variable: {hint}"
    for name, provider in _ELSEWHERE.items():
        if env.get(name):
            yield f"{name} is not read: name a server by its model, {provider}:NAME,base_url=URL"


def _ambient(env: Mapping[str, str]) -> dict[str, str]:
    proxies = {name: "set" for name in sorted(env) if name.lower() in _PROXIES and env[name]}
    return {name: env[name] for name in ("TERM", "NO_COLOR") if name in env} | proxies
