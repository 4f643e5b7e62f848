"""What an `hch.toml` may hold, and one such file as it was read: where each key stands, and faults.

A fault is one line, `FILE, line N: what is wrong`; without the line where that cannot be told.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hch.errors import ConfigError


def _said(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text


Word: TypeAlias = Annotated[str, AfterValidator(_said)]
"""A text that is not empty."""

Dollars: TypeAlias = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
"""Dollars for a million tokens; a dollar a token is the most."""


class Table(BaseModel):
    """A table whose keys are these and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Defaults(Table):
    """What `hch ask` takes where no flag says otherwise."""

    model: Word | None = None
    strategy: Word | None = None
    depth: int = Field(2, ge=0)
    budget: Word | None = None
    fanout: int = Field(16, ge=1)
    answer_tokens: int = Field(2048, ge=1)
    concurrency: int = Field(64, ge=1)
    seed: int = 0
    task: Word | None = None
    prompts: Word | None = None
    store: Word | None = None
    cache: bool = False
    cache_days: int = Field(30, ge=1, le=36_500)
    cache_mb: int = Field(1000, ge=1, le=1_000_000)


class PriceRow(Table):
    """What a model costs; where not said, input costs alike in and out of a cache, and reasoning
    costs as output.
    """

    input: Dollars
    output: Dollars
    cached: Dollars | None = None
    reasoning: Dollars | None = None
    cache_write: Dollars | None = None


class File(Table):
    """A whole `hch.toml`. `models` and `players` are aliases for specs; `prices` go by spec."""

    defaults: Defaults = Defaults()
    models: dict[str, Word] = {}
    players: dict[str, Word] = {}
    prices: dict[str, PriceRow] = {}


Keys: TypeAlias = tuple[str, ...]
Lines: TypeAlias = Mapping[Keys, int]

_AT = re.compile(r" \(at line (\d+), (column \d+)\)$")
_TEXTS = (r'"{3}(?:\\.|[^\\])*?"{3,5}', r"'{3}.*?'{3,5}", r'"(?:\\.|[^"\\\n])*"', r"'[^'\n]*'")
_REST = ("#[^\n]*", r"(?P<opens>[\[{])", r"(?P<closes>[\]}])", r"(?P<end>\n)")
_TOKEN = re.compile("|".join(_TEXTS + _REST), re.DOTALL)
"""What decides where a statement of sound TOML ends: its texts, comments, brackets and newlines."""


@dataclass(frozen=True, slots=True)
class Written:
    """An `hch.toml` as it was read: the tables of what is sound in it, and what is wrong.

    A store is as it was written: whether it is a path, only the plugins tell (`is_spec`). `origin`
    says by dotted key (`defaults.model`) the file and the line that it stands in.
    """

    path: Path
    there: bool = False
    data: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()


def read(path: Path, home: Path) -> Written:
    """The file of that name; `home` is what `~` stands for in it. Raises nothing."""
    if not os.path.lexists(path):
        return Written(path)
    try:
        text = _text(path)
        data = _parsed(path, text)
    except ConfigError as error:
        return Written(path, there=True, problems=(str(error),))
    lines = lines_of(text)
    problems = []
    try:
        File.model_validate(data, strict=True)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            problems.append(_told(path, lines, fault["loc"], fault["type"], fault["msg"]))
            _drop(data, [str(step) for step in fault["loc"]])
    defaults = data.get("defaults", {})
    if "prompts" in defaults:
        defaults["prompts"] = beside(defaults["prompts"], path.parent, home)
    origin = {f"{t}.{key}": place(path, lines.get((t, key))) for t in data for key in data[t]}
    return Written(path, there=True, data=data, origin=origin, problems=tuple(problems))


def place(path: Path, line: int | None) -> str:
    """`FILE, line N`, as every fault begins."""
    return f"{path}, line {line}" if line else str(path)


def reason(message: str) -> str:
    """What pydantic says, without what it puts before our own words."""
    return message.removeprefix("Value error, ")


def beside(given: str, folder: Path, home: Path) -> str:
    """A path that is meant from a folder; `~` is the home."""
    return str(home / given[2:] if given == "~" or given.startswith("~/") else folder / given)


def is_spec(store: str, stores: Collection[str]) -> bool:
    """Whether a store is named by a spec, one of these plugins, and not by a path."""
    return re.split("[:,]", store, maxsplit=1)[0].strip() in stores


def lines_of(text: str) -> Lines:
    """The line on which the statement begins that each key of a sound TOML text stands in.

    Each statement is parsed once, by itself.
    """
    found: dict[Keys, int] = {}
    table: Keys = ()
    begun = 1
    for statement in _statements(text):
        paths = list(_paths(tomllib.loads(statement)))
        header = statement.lstrip().startswith("[")
        for path in paths:
            found.setdefault(path if header else (*table, *path), begun)
        if header:
            table = paths[-1]
        begun += statement.count("\n")
    return found


def _statements(text: str) -> Iterator[str]:
    """A sound TOML text cut after each newline that stands in no text and in no bracket."""
    at = depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token.lastgroup == "opens") - (token.lastgroup == "closes")
        if token.lastgroup == "end" and not depth:
            yield text[at : token.end()]
            at = token.end()
    yield text[at:]


def _paths(said: Mapping[str, Any], steps: int = 3) -> Iterator[Keys]:
    """The keys of nested tables, as deep as a setting can stand."""
    for key, value in said.items():
        yield (key,)
        if isinstance(value, dict) and steps > 1:
            yield from ((key, *path) for path in _paths(value, steps - 1))


def _text(path: Path) -> str:
    """Raises ConfigError for what is no text file."""
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: it is not a regular file")
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{place(path, line)}: it is not text in UTF-8") from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    """Raises ConfigError, with the line, for what is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if at := _AT.search(str(error)):
            told = f"{place(path, int(at[1]))}: {str(error)[: at.start()]} ({at[2]})"
        else:
            told = f"{path}: {error}"
        raise ConfigError(told) from error
    except (ValueError, RecursionError) as error:  # a number of 5,000 digits, 5,000 brackets
        raise ConfigError(f"{path}: {error}") from error


def _told(path: Path, lines: Lines, loc: Sequence[int | str], kind: str, message: str) -> str:
    """One fault, for people; of a key that is missing, the line of its table."""
    steps = tuple(map(str, loc))
    at = place(path, lines.get(steps[:-1] if kind == "missing" else steps))
    dotted = ".".join(steps)
    if kind != "extra_forbidden":
        return f"{at}: {dotted}: {reason(message)}"
    tables: dict[str, type[Table]] = {"defaults": Defaults, "prices": PriceRow}
    known = (tables[steps[0]] if len(steps) > 1 else File).model_fields
    near = get_close_matches(steps[-1], list(known), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
    return f"{at}: unknown key {dotted!r}: {hint}"


def _drop(data: dict[str, Any], steps: Sequence[str]) -> None:
    """Take what is wrong out: a whole table, or one key of one."""
    inner = data.get(steps[0])
    if len(steps) > 1 and isinstance(inner, dict):
        inner.pop(steps[1], None)
    else:
        data.pop(steps[0], None)
