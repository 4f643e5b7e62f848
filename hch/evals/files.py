"""Files of questions: lines of JSON, or CSV with a line of names.

    {"question": "What is 2 + 3?", "answer": "5"}
    {"question": "Who won?", "answer": "Ada", "kind": "easy", "context": ["…"], "instance": 7}

`kind`, `context` and `instance` may be left out; in CSV the names stand in the first line, and a
context is one text. Numbers are taken as they are spelt. No more is read than is asked for.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hch.errors import UsageError
from hch.safe_text import one_line
from hch.settings import reason
from hch.wire import Chars

_SHOWN = 80


class Line(BaseModel):
    """A question as it stands in a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: Chars
    answer: Chars | None = None
    kind: Chars = ""
    context: tuple[Chars, ...] = ()
    instance: Annotated[int, Field(ge=0, lt=10**9)] | None = None


Fields: TypeAlias = tuple[int, dict[str, Any]]
_Reader: TypeAlias = Callable[[Path, Iterable[str]], Iterator[Fields]]


def lines(path: Path) -> Generator[tuple[int, Line], None, None]:
    """The questions of a .jsonl or .csv file, in order, and the line that each begins on.

    The file is open until these are closed, or there are no more. Raises UsageError, naming the
    file and the line, for what cannot be read.
    """
    known: dict[str, tuple[_Reader, str]] = {".jsonl": (_json, "\n"), ".csv": (_csv, "")}
    if path.suffix.lower() not in known:
        raise UsageError(f"{path} is neither .jsonl nor .csv: name it by what it is")
    read, newline = known[path.suffix.lower()]
    with closing(_texts(path, newline)) as texts:
        for number, data in read(path, texts):
            yield number, _line(path, number, data)


def _texts(path: Path, newline: str) -> Generator[str, None, None]:
    """Its lines, one by one as they are wanted, each with its end."""
    try:
        # Bytes that are no UTF-8 are let in, and found again: a decoder does not tell their line.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline=newline) as file:
            for number, line in enumerate(file, 1):
                _check_unicode(path, number, line)
                yield line
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _check_unicode(path: Path, number: int, line: str) -> None:
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"{path}, line {number}: it is not UTF-8: save it as such") from error


def _line(path: Path, number: int, data: dict[str, Any]) -> Line:
    given = {name: value for name, value in data.items() if value is not None}
    try:
        line = Line.model_validate(given)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"{path}, line {number}: {_told(wrong['loc'], wrong)}") from error
    if not line.question.strip():
        raise UsageError(f"{path}, line {number}: the question is empty")
    return line


def _told(place: tuple[int | str, ...], wrong: Any) -> str:
    name = one_line(".".join(map(str, place)), _SHOWN)
    if wrong["type"] == "missing":
        return f"there is no {name}"
    if wrong["type"] == "extra_forbidden":
        return f"{name!r} is unknown: there are question, answer, kind, context and instance"
    if wrong["type"] == "is_instance_of":
        return f"{name}: write a text or a number"
    return f"{name}: {one_line(reason(wrong['msg']), 2 * _SHOWN)}"


def _json(path: Path, texts: Iterable[str]) -> Iterator[Fields]:
    for number, line in enumerate(texts, 1):
        if not line.strip():
            continue
        try:
            data = _DECODE(line.strip())
        except (ValueError, RecursionError) as error:
            why = one_line(str(error), 2 * _SHOWN)
            raise UsageError(
                f"{path}, line {number}: it is no JSON that can be read: {why}"
            ) from error
        if not isinstance(data, dict):
            raise UsageError(
                f"{path}, line {number}: it is no JSON object: write "
                '{"question": "…", "answer": "…"}'
            )
        if isinstance(data.get("context"), str):
            data["context"] = [data["context"]]
        yield number, data


def _csv(path: Path, texts: Iterable[str]) -> Iterator[Fields]:
    rows = csv.reader(texts, strict=True)
    names: list[str] | None = None
    number = 1
    try:
        for row in rows:
            if names is None:
                names = [name.strip() for name in row]
                _check_names(path, names)
            elif any(row):
                yield number, _fields(path, number, names, row)
            number = rows.line_num + 1
    except csv.Error as error:
        if "field larger than" in str(error):
            raise UsageError(
                f"{path}, line {number}: a cell has more than {csv.field_size_limit():,} "
                "characters: write these questions as .jsonl"
            ) from error
        raise UsageError(f"{path}, line {number}: it is no CSV: {error}") from error


def _check_names(path: Path, names: list[str]) -> None:
    known = [*Line.model_fields]
    wrong = [name for name in names if name not in known]
    if wrong or "question" not in names or len(set(names)) != len(names):
        shown = one_line(", ".join(names), _SHOWN)
        raise UsageError(
            f"{path}, line 1: the columns are to be named, each once, and are {shown!r}: there are "
            f"{', '.join(known)}"
        )


def _fields(path: Path, number: int, names: list[str], row: list[str]) -> dict[str, Any]:
    if len(row) != len(names):
        raise UsageError(
            f"{path}, line {number}: there are {len(row)} columns, and {len(names)} names: put a "
            "text with a comma in double quotes"
        )
    # An empty cell is none.
    data: dict[str, Any] = {name: cell for name, cell in zip(names, row, strict=True) if cell}
    data.setdefault("question", "")
    return data | ({"context": [data["context"]]} if "context" in data else {})


def _none(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} is named twice")
        found[name] = value
    return found


_DECODE = json.JSONDecoder(
    parse_int=str, parse_float=str, parse_constant=_none, object_pairs_hook=_object
).decode
